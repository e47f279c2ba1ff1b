"""`instrument`: adds the middleware and a route for the metrics to an application, and removes them again."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from weakref import ReferenceType, WeakKeyDictionary, WeakSet, ref

from prometheus_client import REGISTRY, CollectorRegistry

from mlmetrics.errors import ConfigurationError
from mlmetrics.handle import Instrumentation
from mlmetrics.http.answer import Published, answer_scope
from mlmetrics.http.arguments import check_arguments
from mlmetrics.http.endpoint import response_of
from mlmetrics.http.labels import Label, checked_labels, settle
from mlmetrics.http.levels import is_foreign
from mlmetrics.http.middleware import PrometheusMiddleware
from mlmetrics.http.skipping import Path, checked_paths, methods_of
from mlmetrics.http.token import File
from mlmetrics.recording.collector import store_for

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

BUILD = "build_middleware_stack"
"""The method of an application that we replace."""


@dataclass(frozen=True, slots=True)
class Given:
    """The arguments with which an application was instrumented."""

    service_name: str | None
    path: str
    registry: CollectorRegistry
    request_id: bool | Literal["header"]
    skip_paths: frozenset[Path]
    skip_methods: frozenset[str]
    body_sizes: bool
    websockets: bool
    labels: Mapping[str, Label]
    token: str | None = field(repr=False)
    token_file: File | None
    gzip: bool

    def begin(self, middleware: PrometheusMiddleware, app: Any) -> None:
        """Have middleware record with these arguments, also middleware that has recorded with others before."""
        PrometheusMiddleware.__init__(
            middleware,
            app,
            service_name=self.service_name,
            registry=self.registry,
            request_id=self.request_id,
            skip_paths=(self.path, *self.skip_paths),
            skip_methods=self.skip_methods,
            body_sizes=self.body_sizes,
            websockets=self.websockets,
            labels=self.labels,
        )


class Around:
    """Our middleware around one application, which this does not keep alive.

    `built` has the middleware of all stacks that the application has built: tests, tracers and copies of the
    application build further ones.
    """

    def __init__(self) -> None:
        self.given: Given
        self.handle: Instrumentation
        self.route: Any
        self.built: WeakSet[PrometheusMiddleware] = WeakSet()


_instrumented: "WeakKeyDictionary[Any, Around]" = WeakKeyDictionary()


def instrument(
    app: Any,
    service_name: str | None = None,
    path: str = "/metrics",
    registry: CollectorRegistry = REGISTRY,
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
    """Record an application's requests, and serve the metrics at a path of it. Call it before the application starts.

    Requests are recorded outside all middleware, including middleware that is added later, and outside the
    handler of unhandled exceptions. So the status that the client got is the one that counts.
    Calling it again with the same arguments changes nothing, and returns the same handle.

    Args:
        app: a FastAPI or Starlette application.
        service_name: the `service` label; also used for all calls that do not name a service.
        path: where the metrics are served; scrapes themselves are not recorded.
        registry: where the metrics are registered, and what the route serves.
        request_id: as `PrometheusMiddleware`.
        skip_paths: further paths that are not recorded, such as health checks; as `PrometheusMiddleware`.
        skip_methods: as `PrometheusMiddleware`.
        body_sizes: as `PrometheusMiddleware`.
        websockets: as `PrometheusMiddleware`.
        labels: as `PrometheusMiddleware`.
        token: the bearer token that a scraper must show; everybody gets the metrics if there is none.
        token_file: a file with the token alone, read at each scrape. If it cannot be read later, the last token stays.
        gzip: whether the metrics may be compressed.

    Returns:
        The handle. Its `uninstrument` removes the route of the metrics, and the middleware too if the application has
        not started; the middleware of one that has started passes everything on from then on. Afterwards the
        application can be instrumented again, with any arguments.

    Raises:
        ConfigurationError: it is no FastAPI or Starlette application, has already started, or is
            already instrumented with other arguments; or an argument is not allowed, such as a token file that cannot
            be read.
        RegistrationError: the registry already has other metrics with names of the catalogue.
    """
    check_app(app)
    paths, methods = checked_paths(skip_paths), methods_of(skip_methods)
    own = checked_labels(labels)
    given = Given(
        service_name, path, registry, request_id, paths, methods, body_sizes, websockets, own, token, token_file, gzip
    )
    around = _instrumented.get(app)
    if around is not None and around.handle.active:
        if around.given != given:
            raise ConfigurationError(
                f"the application is instrumented already, with {around.given}; got {given}; tokens are left out"
            )
        return around.handle
    check_arguments(service_name, path, request_id)
    if around is None or not around.built:
        check_not_started(app)
    published = Published.of(registry, gzip=gzip, token=token, token_file=token_file)
    settle(store_for(registry), own)
    return begin(app, given, around, published)


def begin(app: Any, given: Given, around: Around | None, published: Published) -> Instrumentation:
    """Put the middleware around the application, or have the one that is around it record again; add the route."""
    if around is None:
        around = Around()
        setattr(app, BUILD, Building(app, around))
    around.given = given
    for middleware in tuple(around.built):
        given.begin(middleware, middleware.app)
    around.route = add_route(app, given.path, published)
    undo = partial(end, ref(app), around, around.route)
    around.handle = Instrumentation(f"a {type(app).__name__} application", [undo])
    _instrumented[app] = around
    return around.handle


def end(known: ReferenceType[Any], around: Around, route: Any) -> None:
    """Have the middleware pass everything on, and remove the route; before the start, remove the middleware too."""
    for middleware in tuple(around.built):
        middleware.rest()
    app = known()
    if app is None:
        return
    routes = app.router.routes
    for place in [place for place, one in enumerate(routes) if one is route]:
        del routes[place]
    building = vars(app).get(BUILD)
    # What somebody else has put around ours since then stays, and ours within it passes on.
    if getattr(app, "middleware_stack", None) is None and isinstance(building, Building) and building.around is around:
        building.put_back(app)
        del _instrumented[app]


def check_app(app: Any) -> None:
    """Refuse an object that is no Starlette application."""
    if not (hasattr(app, "build_middleware_stack") and hasattr(getattr(app, "router", None), "routes")):
        raise ConfigurationError(
            f"instrument(app): expected a FastAPI or Starlette application, got {type(app).__name__}; "
            "around any other ASGI application, put PrometheusMiddleware(app, ...) and mount metrics_app()"
        )


def check_not_started(app: Any) -> None:
    """Refuse an application that has started."""
    if getattr(app, "middleware_stack", None) is not None:
        raise ConfigurationError(
            "instrument(app) came after the application had started: call it where the application is made, "
            "not in a start-up handler"
        )


class Building:
    """What an application calls in place of its `build_middleware_stack`: puts our middleware around the stack."""

    def __init__(self, app: Any, around: Around) -> None:
        self.around = around
        self._replaced = vars(app).get(BUILD)
        self._app = app
        self._build = app.build_middleware_stack

    def __call__(self) -> Any:
        """Return the stack, with our middleware around it."""
        from starlette.middleware.errors import ServerErrorMiddleware  # noqa: PLC0415 (the application is Starlette's)

        around = self.around
        move_back(self._app.router.routes, around.route)
        recorded = PrometheusMiddleware.__new__(PrometheusMiddleware)
        around.given.begin(recorded, self._build())
        if not around.handle.active:
            recorded.rest()
        around.built.add(recorded)

        class Outermost(ServerErrorMiddleware):
            """Has the class of the usual outermost middleware, because tracers look for it to insert their own."""

            __call__ = recorded.__call__  # bound already, which saves a call for each request

        return Outermost(recorded)

    def put_back(self, app: Any) -> None:
        """Give the application its own method back."""
        if self._replaced is None:
            delattr(app, BUILD)
        else:
            setattr(app, BUILD, self._replaced)


def add_route(app: Any, path: str, published: Published) -> Any:
    """Serve the metrics at exactly this path, before any route that matches all paths; return the route."""
    from starlette.routing import Route  # noqa: PLC0415 (the application is Starlette's)

    async def metrics(request: "Request") -> "Response":
        return response_of(await answer_scope(request.scope, published))

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
