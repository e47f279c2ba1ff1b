"""The ASGI middleware: which requests are recorded, and into which series."""

from collections.abc import Iterable
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry

from ..errors import ConfigurationError
from ..interruption import interrupted
from ..recording.collector import store_for
from .answer import scraping
from .exchange import FAILED, REDIRECTS, Exchange
from .routes import Routes, path_within, routes_of
from .series import METHODS, UNMATCHED, MethodSeries, RouteSeries, requests_of

RECORDED_BY = "mlmetrics.recorded_by"
"""Where a scope says whose series its request goes to, so that it is counted there once."""


class Method:
    """One method within one application: its own series, and those of its routes by endpoint."""

    __slots__ = ("begin", "end", "name", "routes", "series")

    def __init__(self, name: str, series: MethodSeries) -> None:
        self.name = name
        self.series = series
        self.begin = series.begin
        self.end = series.end
        self.routes: dict[int, RouteSeries] = {}


class PrometheusMiddleware:
    """Record every HTTP request of an ASGI application: how many, how long, how many now.

    Args:
        app: the application.
        service_name: the `service` label; also the service of everything that names no other.
        registry: where the metrics are registered.
        skip_paths: paths that are passed through unrecorded. Scrapes are: they would dilute error rates.
        request_id: take `X-Request-ID` or make one, bind it as `request_id` in log events, and return it.

    Raises:
        ConfigurationError: an empty service name.
        RegistrationError: the registry has metrics of our names that are not ours.

    Metrics: `fastapi_requests_total`, `fastapi_request_duration_seconds`,
    `fastapi_request_first_byte_seconds`, `fastapi_requests_in_progress`.

    A response that was never finished counts by what happened: 499 if its client left, 500 if the
    application raised, even if another status had been sent.

    Example:
        >>> async def app(scope, receive, send):
        ...     await send({"type": "http.response.start", "status": 204, "headers": []})
        ...     await send({"type": "http.response.body"})
        >>> app = PrometheusMiddleware(app, service_name="docs", registry=CollectorRegistry())
    """

    def __init__(
        self,
        app: Any,
        service_name: str | None = None,
        registry: CollectorRegistry = REGISTRY,
        *,
        skip_paths: Iterable[str] = ("/metrics",),
        request_id: bool = True,
    ) -> None:
        self.app = app
        self.request_id = request_id
        self.store = store = store_for(registry)
        if service_name is not None:
            check_service_name(service_name)
            store.name_service(service_name, configured=False)
        self.requests = requests_of(store, service_name)
        self.clock = store.clock
        self._skipped = frozenset(form for path in skip_paths for form in (path, f"{path.rstrip('/')}/"))
        self._methods: dict[str, Method] = {}
        self._routes: Routes | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request; WebSockets and the lifespan pass untouched."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = self._begin(scope, receive, send)
        if exchange is None:
            try:
                await self.app(scope, receive, send)
            finally:
                scraping.set(None)
            return
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.end(error)
            raise
        exchange.end(None)

    def _begin(self, scope: Any, receive: Any, send: Any) -> Exchange | None:
        """The exchange that records a request; None if nobody or somebody else does."""
        try:
            if self._routes is None:
                self._open(scope)
            path, root_path = scope["path"], scope.get("root_path", "")
            if (path_within(scope, root_path) if root_path else path) in self._skipped:
                scraping.set(scope)
                return None
            if scope.get(RECORDED_BY) is self.requests:
                return None
            scope[RECORDED_BY] = self.requests
            method = self._methods.get(scope["method"]) or self._method(scope["method"])
            exchange = Exchange(self, method, scope, receive, send, root_path)
        except Exception as problem:  # a request is served whether it can be measured or not
            if interrupted(problem):
                raise
            self.store.failed("request", problem)
            return None
        method.begin(None)
        return exchange

    def _method(self, name: str) -> Method:
        series = self.requests.method(name)
        method = Method(name if name in METHODS else "OTHER", series)
        # Names that no standard knows come from clients, who could send new ones without end.
        return self._methods.setdefault(method.name, method)

    def _open(self, scope: Any) -> None:
        """Read the routes, and have what they will record stand at 0 from the next scrape on."""
        app = self.app if routes_of(self.app) is not None else scope.get("app")
        self._routes = routes = Routes(app)
        for place in routes.places:
            if not place.shown or place.template == UNMATCHED or place.template in self._skipped:
                continue
            methods = place.methods or frozenset()
            # Starlette adds HEAD to every GET; hardly anybody asks for it.
            for method in sorted(methods - {"HEAD"} if "GET" in methods else methods):
                self.requests.method(method)
                self.requests.route(method, place.template).declare(place.success, FAILED)

    def series(self, exchange: Exchange) -> RouteSeries:
        """The series of a request that has been routed, found for the first time or by its path."""
        routes, method = self._routes, exchange.method
        if routes is None:  # no request ends that has not begun
            return self.requests.route(method.name, UNMATCHED)
        endpoint = exchange.scope.get("endpoint")
        template = self._template(routes, exchange, endpoint)
        if (template == UNMATCHED or not routes.knows(endpoint)) and routes.grown():
            for known in self._methods.values():
                known.routes.clear()
            template = self._template(routes, exchange, endpoint)
        series = self.requests.route(method.name, template)
        if template == routes.of_endpoint(endpoint):
            method.routes[id(endpoint)] = series
        return series

    def _template(self, routes: Routes, exchange: Exchange, endpoint: Any) -> str:
        """The template of a request, by its endpoint if that has only one, else by its path."""
        template = routes.of_endpoint(endpoint)
        if template is None:
            path = path_within(exchange.scope, exchange.root_path)
            template = routes.of_path(path, exchange.scope["method"], redirected=exchange.status in REDIRECTS)
        return template


def check_service_name(name: object) -> None:
    """Refuse a service name that is none."""
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"service_name={name!r}: expected a non-empty string, such as 'cv-parser-service'")
