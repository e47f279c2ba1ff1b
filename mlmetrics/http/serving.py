"""The ways to publish the metrics, as methods of a toolkit: a route, an application, a server."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

from prometheus_client import REGISTRY, CollectorRegistry

from mlmetrics.calls.recorder import Recorder
from mlmetrics.handle import Instrumentation
from mlmetrics.http.answer import Published
from mlmetrics.http.endpoint import metrics_app, metrics_endpoint
from mlmetrics.http.instrumentation import instrument
from mlmetrics.http.labels import Label
from mlmetrics.http.server import MetricsServer, context_of
from mlmetrics.http.token import File
from mlmetrics.workers.ends import begin_worker, end_worker

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def start_metrics_server(
    port: int,
    host: str = "127.0.0.1",
    registry: CollectorRegistry = REGISTRY,
    *,
    token: str | None = None,
    token_file: File | None = None,
    gzip: bool = True,
    certfile: File | None = None,
    keyfile: File | None = None,
) -> MetricsServer:
    """Serve the metrics from a thread of a program without HTTP.

    Args:
        port: where to listen; 0 picks a free port, which the returned server names.
        host: the address to listen on; `0.0.0.0` for all.
        registry: what to write.
        token: the bearer token that a scraper must show; everybody gets the metrics if there is none.
        token_file: a file with the token alone, read at each scrape. If it cannot be read later, the last token stays.
        gzip: whether answers may be compressed.
        certfile: a certificate in PEM, with those of its issuers; connections are then secured by TLS.
        keyfile: its key in PEM, if it does not stand in `certfile`. Both are read once.

    Raises:
        ConfigurationError: the port is in use or invalid, or a file cannot be read or is not what it should be.
        RegistrationError: the registry already has other metrics with names of the catalogue.

    Example:
        >>> with start_metrics_server(0, registry=CollectorRegistry()) as server:
        ...     server.port > 0
        True
    """
    published = Published.of(registry, gzip=gzip, token=token, token_file=token_file)
    return MetricsServer(port, host, published, context_of(certfile, keyfile))


class Serving(Recorder):
    """The HTTP methods of a toolkit: the functions above on its registry and for its service."""

    registry: CollectorRegistry
    configured_service: str | None
    """What `configure(service=...)` was given last."""

    def _opened(self) -> CollectorRegistry:
        """Return the registry, after its store has been made and configured."""
        self.store  # noqa: B018 (it is made when first asked for)
        return self.registry

    async def metrics_endpoint(self, request: "Request | None" = None, *, gzip: bool = True) -> "Response":
        """Answer a scrape in your own route, outside the event loop.

        Args:
            request: the request, whose headers decide format and compression. If it is left out, the one that
                `PrometheusMiddleware` has seen is used; without the middleware, the answer is text 0.0.4.
            gzip: whether the answer may be compressed.
        """
        return await metrics_endpoint(request, registry=self._opened(), gzip=gzip)

    def metrics_app(self, *, token: str | None = None, token_file: File | None = None, gzip: bool = True) -> Any:
        """Return an ASGI application that answers with the metrics, to mount or to serve by itself.

        Args:
            token: the bearer token that a scraper must show; everybody gets the metrics if there is none.
            token_file: a file with the token alone, read at each scrape.
            gzip: whether answers may be compressed.

        Raises:
            ConfigurationError: the token file cannot be read, or what was given is no token.
        """
        return metrics_app(self._opened(), token=token, token_file=token_file, gzip=gzip)

    def instrument(
        self,
        app: Any,
        service_name: str | None = None,
        path: str = "/metrics",
        registry: CollectorRegistry | None = None,
        *,
        request_id: bool | Literal["header"] = True,
        skip_paths: Iterable[str | re.Pattern[str]] = (),
        skip_methods: Iterable[str] = (),
        body_sizes: bool = False,
        websockets: bool = True,
        labels: Mapping[str, Label] = {},
        token: str | None = None,
        token_file: File | None = None,
        gzip: bool = True,
    ) -> Instrumentation:
        """Record an application's requests, and serve the metrics at a path of it. Call it before it starts.

        Args:
            app: a FastAPI or Starlette application.
            service_name: the `service` label; the toolkit's service by default.
            path: where the metrics are served; scrapes themselves are not recorded.
            registry: where the requests are recorded, and what the path serves; that of the toolkit by default. In
                another one there are the requests alone: decorators, timers and direct functions record in the registry
                of their toolkit, which `configure(registry=...)` or `MLMetrics(registry=...)` sets.
            request_id: read or generate an `X-Request-ID`, add it to log events, and return it; with `"header"`, not
                added to your own log events.
            skip_paths: further paths that are not recorded, such as health checks. A text is one exact path, with or
                without a slash at its end; a pattern of `re.compile` stands for all paths in which `search` finds it.
            skip_methods: methods whose requests are not recorded, such as `("OPTIONS", "HEAD")`.
            body_sizes: record how many bytes of the bodies of requests and of responses have passed.
            websockets: record WebSockets: how many are open, for how long, how they closed, and their messages.
            labels: further labels of finished requests, by name: a fixed text, `header("x-tenant")`, or a function of
                the scope, which is called in the event loop when the request has ended. If it raises or returns no
                text, the label is `unknown`. Not on requests in progress, nor on WebSockets.
            token: the bearer token that a scraper must show; everybody gets the metrics if there is none.
            token_file: a file with the token alone, read at each scrape.
            gzip: whether the metrics may be compressed.

        Returns:
            A handle, the same one if it is called again with the same arguments. `handle.uninstrument()`, or the end
            of `with`, removes the route, and the middleware of an application that has not started; that of one that
            has started passes everything on. Afterwards the application can be instrumented again.

        Raises:
            ConfigurationError: it is no FastAPI or Starlette application, has already started, or is
                already instrumented with other arguments; or an argument is not allowed, such as a token file
                that cannot be read.
            RegistrationError: the registry already has other metrics with names of the catalogue.
        """
        service = self.service
        if registry is None:
            registry = self._opened()
        elif service is None and registry is not self.registry:
            service = self.configured_service
        return instrument(
            app,
            service if service_name is None else service_name,
            path,
            registry,
            request_id=request_id,
            skip_paths=skip_paths,
            skip_methods=skip_methods,
            body_sizes=body_sizes,
            websockets=websockets,
            labels=labels,
            token=token,
            token_file=token_file,
            gzip=gzip,
        )

    @asynccontextmanager
    async def lifespan(self, app: Any = None) -> AsyncIterator[None]:  # noqa: ARG002 (a framework gives it)
        """Have a worker report its end: for servers that do not tell when a worker ends, such as `uvicorn --workers`.

        When it starts, the numbers of workers that have died are added up. When it ends, gauges of your own with a
        `live` mode no longer count it. Without `PROMETHEUS_MULTIPROC_DIR` nothing is done.

        Args:
            app: the application, which a framework gives; it is not needed.

        Example:
            >>> @asynccontextmanager
            ... async def lifespan(app):
            ...     async with metrics.lifespan(app):
            ...         yield  # between what you do yourself, before and after
        """
        begin_worker()
        try:
            yield
        finally:
            end_worker()

    def start_metrics_server(
        self,
        port: int,
        host: str = "127.0.0.1",
        *,
        token: str | None = None,
        token_file: File | None = None,
        gzip: bool = True,
        certfile: File | None = None,
        keyfile: File | None = None,
    ) -> MetricsServer:
        """Serve the metrics from a thread of a program without HTTP.

        Args:
            port: where to listen; 0 picks a free port, which the returned server names.
            host: the address to listen on; `0.0.0.0` for all.
            token: the bearer token that a scraper must show; everybody gets the metrics if there is none.
            token_file: a file with the token alone, read at each scrape.
            gzip: whether answers may be compressed.
            certfile: a certificate in PEM, with those of its issuers; connections are then secured by TLS.
            keyfile: its key in PEM, if it does not stand in `certfile`. Both are read once.

        Raises:
            ConfigurationError: the port is in use or invalid, or a file cannot be read or is not what it should be.
        """
        return start_metrics_server(
            port,
            host,
            self._opened(),
            token=token,
            token_file=token_file,
            gzip=gzip,
            certfile=certfile,
            keyfile=keyfile,
        )
