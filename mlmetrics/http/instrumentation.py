"""`instrument`: adds the middleware and a route for the metrics to an application."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from prometheus_client import REGISTRY, CollectorRegistry

from mlmetrics.errors import ConfigurationError
from mlmetrics.http.endpoint import metrics_endpoint
from mlmetrics.http.levels import is_foreign
from mlmetrics.http.middleware import PrometheusMiddleware, check_request_id, check_service_name
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
    request_id: bool | Literal["header"]


_instrumented: "WeakKeyDictionary[Any, Instrumentation]" = WeakKeyDictionary()


def instrument(
    app: Any,
    service_name: str | None = None,
    path: str = "/metrics",
    registry: CollectorRegistry = REGISTRY,
    *,
    skip_paths: Iterable[str] = (),
    request_id: bool | Literal["header"] = True,
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

    Raises:
        ConfigurationError: it is no FastAPI or Starlette application, has already started, or is
            already instrumented with other arguments.
        RegistrationError: the registry already has other metrics with names of the catalogue.
    """
    given = Instrumentation(service_name, path, registry, frozenset(skip_paths), request_id)
    check_app(app)
    if app in _instrumented:
        if _instrumented[app] != given:
            raise ConfigurationError(f"the application is instrumented already, with {_instrumented[app]}; got {given}")
        return
    check_can_begin(app, service_name, path)
    check_request_id(request_id)
    store_for(registry)
    put_around(app, given, add_route(app, path, registry))
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


def put_around(app: Any, given: Instrumentation, route: Any) -> None:
    """Put our middleware around the stack of middleware that the application builds when it starts."""
    from starlette.middleware.errors import ServerErrorMiddleware  # noqa: PLC0415 (the application is Starlette's)

    build = app.build_middleware_stack

    def build_middleware_stack() -> Any:
        move_back(app.router.routes, route)
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


def add_route(app: Any, path: str, registry: CollectorRegistry) -> Any:
    """Serve the metrics at exactly this path, before any route that matches all paths; return the route."""
    from starlette.routing import Route  # noqa: PLC0415 (the application is Starlette's)

    async def metrics(request: "Request") -> "Response":
        return await metrics_endpoint(request, registry=registry)

    route = Route(path, metrics, include_in_schema=False)
    app.router.routes.insert(0, route)
    return route


def move_back(routes: list[Any], ours: Any) -> None:
    """Move our route behind those that cannot match its path, because each request asks every route until one matches.

    It stays before a mounted application, an included router, and whatever else may match in a way of its own.
    """
    others = [route for route in routes if route is not ours]
    if len(others) < len(routes):  # else the application has replaced its routes
        stops = (place for place, route in enumerate(others) if may_match(route, ours.path))
        place = next(stops, len(others))
        routes[:] = [*others[:place], ours, *others[place:]]


def may_match(route: Any, path: str) -> bool:
    """Whether a route may serve this path: all but the plain routes of the frameworks may decide in their own way."""
    from starlette.routing import Route  # noqa: PLC0415 (the application is Starlette's)

    plain = isinstance(route, Route) and not is_foreign(type(route))
    return not plain or route.path_regex.match(path) is not None
