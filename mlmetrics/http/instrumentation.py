"""`instrument`: adds the middleware and a route for the metrics to an application."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from prometheus_client import REGISTRY, CollectorRegistry

from mlmetrics.errors import ConfigurationError
from mlmetrics.http.answer import Published, answer_scope
from mlmetrics.http.endpoint import response_of
from mlmetrics.http.middleware import PrometheusMiddleware, check_service_name
from mlmetrics.http.token import File
from mlmetrics.recording.collector import store_for

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


@dataclass(frozen=True, slots=True)
class Instrumentation:
    """The arguments with which an application was instrumented."""

    service_name: str | None
    path: str
    registry: CollectorRegistry
    skip_paths: frozenset[str]
    request_id: bool
    token: str | None = field(repr=False)
    token_file: File | None
    gzip: bool


_instrumented: "WeakKeyDictionary[Any, Instrumentation]" = WeakKeyDictionary()


def instrument(
    app: Any,
    service_name: str | None = None,
    path: str = "/metrics",
    registry: CollectorRegistry = REGISTRY,
    *,
    skip_paths: Iterable[str] = (),
    request_id: bool = True,
    token: str | None = None,
    token_file: File | None = None,
    gzip: bool = True,
) -> None:
    """Record an application's requests, and serve the metrics at a path of it. Call it before the application starts.

    Requests are recorded outside all middleware, including middleware that is added later, and outside the
    handler of unhandled exceptions. So the status that the client got is the one that counts.
    Calling it again with the same arguments changes nothing.

    Args:
        app: a FastAPI or Starlette application.
        service_name: the `service` label; also used for all calls that do not name a service.
        path: where the metrics are served; scrapes themselves are not recorded.
        registry: where the metrics are registered.
        skip_paths: further paths that are not recorded, such as health checks.
        request_id: as `PrometheusMiddleware`.
        token: the bearer token that a scraper must show; everybody gets the metrics if there is none.
        token_file: a file with the token alone, read at each scrape. If it cannot be read later, the last token stays.
        gzip: whether the metrics may be compressed.

    Raises:
        ConfigurationError: it is no FastAPI or Starlette application, has already started, or is
            already instrumented with other arguments; the token file cannot be read, or is no token.
        RegistrationError: the registry already has other metrics with names of the catalogue.
    """
    given = Instrumentation(service_name, path, registry, frozenset(skip_paths), request_id, token, token_file, gzip)
    check_app(app)
    if app in _instrumented:
        if _instrumented[app] != given:
            raise ConfigurationError(
                f"the application is instrumented already, with {_instrumented[app]}; got {given}; tokens are left out"
            )
        return
    check_can_begin(app, service_name, path)
    published = Published.of(registry, gzip=gzip, token=token, token_file=token_file)
    store_for(registry)
    put_around(app, given)
    add_route(app, path, published)
    _instrumented[app] = given


def check_app(app: Any) -> None:
    """Refuse an object that is no Starlette application."""
    if not (hasattr(app, "build_middleware_stack") and hasattr(getattr(app, "router", None), "routes")):
        raise ConfigurationError(
            f"instrument(app): expected a FastAPI or Starlette application, got {type(app).__name__}; "
            "around any other ASGI application, put PrometheusMiddleware(app, ...) and mount metrics_app()"
        )


def check_can_begin(app: Any, service_name: str | None, path: str) -> None:
    """Refuse an application that has started, an invalid service name, and an invalid path."""
    if service_name is not None:
        check_service_name(service_name)
    if not isinstance(path, str) or not path.startswith("/"):
        raise ConfigurationError(f"path={path!r}: expected a path that begins with '/', such as '/metrics'")
    if getattr(app, "middleware_stack", None) is not None:
        raise ConfigurationError(
            "instrument(app) came after the application had started: call it where the application is made, "
            "not in a start-up handler"
        )


def put_around(app: Any, given: Instrumentation) -> None:
    """Put our middleware around the stack of middleware that the application builds when it starts."""
    from starlette.middleware.errors import ServerErrorMiddleware  # noqa: PLC0415 (the application is Starlette's)

    build = app.build_middleware_stack

    def build_middleware_stack() -> Any:
        recorded = PrometheusMiddleware(
            build(),
            service_name=given.service_name,
            registry=given.registry,
            skip_paths=(given.path, *given.skip_paths),
            request_id=given.request_id,
        )

        class Outermost(ServerErrorMiddleware):
            """Has the class of the usual outermost middleware, because tracers look for it to insert their own."""

            __call__ = recorded.__call__  # bound already, which saves a call for each request

        return Outermost(recorded)

    app.build_middleware_stack = build_middleware_stack


def add_route(app: Any, path: str, published: Published) -> None:
    """Serve the metrics at exactly this path, before any route that matches all paths."""
    from starlette.routing import Route  # noqa: PLC0415 (the application is Starlette's)

    async def metrics(request: "Request") -> "Response":
        return response_of(await answer_scope(request.scope, published))

    app.router.routes.insert(0, Route(path, metrics, include_in_schema=False))
