"""The ways to publish the metrics, as methods of a toolkit: a route, an application, a server."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

from prometheus_client import REGISTRY, CollectorRegistry

from mlmetrics.calls.recorder import Recorder
from mlmetrics.http.endpoint import metrics_app, metrics_endpoint
from mlmetrics.http.instrumentation import instrument
from mlmetrics.http.server import MetricsServer
from mlmetrics.workers.ends import begin_worker, end_worker

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def start_metrics_server(port: int, host: str = "127.0.0.1", registry: CollectorRegistry = REGISTRY) -> MetricsServer:
    """Serve the metrics from a thread of a program without HTTP.

    Args:
        port: where to listen; 0 picks a free port, which the returned server names.
        host: the address to listen on; `0.0.0.0` for all.
        registry: what to write.

    Raises:
        ConfigurationError: the port is in use or invalid.
        RegistrationError: the registry already has other metrics with names of the catalogue.

    Example:
        >>> with start_metrics_server(0, registry=CollectorRegistry()) as server:
        ...     server.port > 0
        True
    """
    return MetricsServer(port, host, registry)


class Serving(Recorder):
    """The HTTP methods of a toolkit: the functions above on its registry and for its service."""

    registry: CollectorRegistry

    def _opened(self) -> CollectorRegistry:
        """Return the registry, after its store has been made and configured."""
        self.store  # noqa: B018 (it is made when first asked for)
        return self.registry

    async def metrics_endpoint(self, request: "Request | None" = None) -> "Response":
        """Answer a scrape in your own route, outside the event loop.

        Args:
            request: the request, whose headers decide format and compression. If it is left out, the one that
                `PrometheusMiddleware` has seen is used; without the middleware, the answer is text 0.0.4.
        """
        return await metrics_endpoint(request, registry=self._opened())

    def metrics_app(self) -> Any:
        """Return an ASGI application that answers with the metrics, to mount or to serve by itself."""
        return metrics_app(self._opened())

    def instrument(
        self,
        app: Any,
        service_name: str | None = None,
        path: str = "/metrics",
        *,
        skip_paths: Iterable[str] = (),
        request_id: bool | Literal["header"] = True,
    ) -> None:
        """Record an application's requests, and serve the metrics at a path of it. Call it before it starts.

        Args:
            app: a FastAPI or Starlette application.
            service_name: the `service` label; the toolkit's service by default.
            path: where the metrics are served; scrapes themselves are not recorded.
            skip_paths: further paths that are not recorded, such as health checks.
            request_id: read or generate an `X-Request-ID`, add it to log events, and return it; with `"header"`, not
                added to your own log events.

        Raises:
            ConfigurationError: it is no FastAPI or Starlette application, has already started, or is
                already instrumented with other arguments.
        """
        name = service_name if service_name is not None else self.service
        instrument(app, name, path, self._opened(), skip_paths=skip_paths, request_id=request_id)

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

    def start_metrics_server(self, port: int, host: str = "127.0.0.1") -> MetricsServer:
        """Serve the metrics from a thread of a program without HTTP.

        Args:
            port: where to listen; 0 picks a free port, which the returned server names.
            host: the address to listen on; `0.0.0.0` for all.

        Raises:
            ConfigurationError: the port is in use or invalid.
        """
        return start_metrics_server(port, host, self._opened())
