"""The ASGI middleware: which requests are recorded, and into which series."""

from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry

from ..errors import ConfigurationError
from ..interruption import interrupted
from ..recording.collector import default_store, store_for
from ..recording.labels import declared_problem, shown
from .answer import scraping
from .beneath import level_beneath
from .exchange import FAILED, RECORDED_BY, REDIRECTS, Exchange
from .routes import Routes, path_within
from .series import METHODS, UNMATCHED, Method, RouteSeries, requests_of


class PrometheusMiddleware:
    """Record every HTTP request of an ASGI application: how many, how long, how many now.

    Args:
        app: the application.
        service_name: the `service` label; also the service of everything that names no other.
        registry: where the metrics are registered; that of the default toolkit if it is left out.
        skip_paths: paths that are passed through unrecorded. Scrapes are: they would dilute error rates.
        request_id: take `X-Request-ID` or make one, bind it as `request_id` in log events, and return it.

    Raises:
        ConfigurationError: an empty service name.
        RegistrationError: the registry has metrics of our names that are not ours.

    Metrics: `fastapi_requests_total`, `fastapi_request_duration_seconds`,
    `fastapi_request_first_byte_seconds`, `fastapi_requests_in_progress`.

    A response that was sent in full counts as the status that the client got. One that was not counts by
    what happened: 499 if its client left, 500 if the application raised, even if another status had been sent.

    What is within the middleware is recorded, what is around it is not: middleware that was added to the
    application later, and its handler of unhandled exceptions. `instrument` records these too.

    The route is the template of the endpoint that served the request, found in the application's routes.
    A request that came to none, such as one that other middleware answers, has the template that its path
    matches. Where middleware within ours passes on a changed copy of the scope, what counts is what reached
    the router. The routes that stand when the first request comes all get series of their own; those that
    are added later share the limit of `max_label_values`, and are `other` beyond it.

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
        registry: CollectorRegistry | None = None,
        *,
        skip_paths: Iterable[str] = ("/metrics",),
        request_id: bool = True,
    ) -> None:
        self.app = app
        self.request_id = request_id
        self.store = store = default_store() if registry is None else store_for(registry)
        if service_name is not None:
            check_service_name(service_name)
            store.name_service(service_name, configured=False)
        self.requests = requests_of(store, service_name)
        self.clock = store.clock
        self._skipped = forms_of(skip_paths)
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
            exchange.end(error, scope)
            raise
        exchange.end(None, scope)

    def _begin(self, scope: Any, receive: Any, send: Any) -> Exchange | None:
        """The exchange that records a request; None if nobody or somebody else does."""
        try:
            if self._routes is None:
                self._open(scope)
            path, root_path = scope["path"], scope.get("root_path", "")
            if (path_within(scope, root_path) if root_path else path) in self._skipped:
                scraping.set(scope)
                self._reread()
                return None
            outer = scope.get(RECORDED_BY)
            if outer is not None and self._is_counted_by(outer):
                return None
            method = self._methods.get(scope["method"]) or self._method(scope["method"])
            scope[RECORDED_BY] = exchange = Exchange(self, method, scope, receive, send, root_path)
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

    def _is_counted_by(self, outer: Exchange) -> bool:
        """Whether a request goes to our series by way of middleware around us, and is not over there."""
        other, store = outer.middleware.requests, self.store
        if outer.scope is None or other.store is not store:
            return False
        return other is self.requests or (other.service or store.service) == (self.requests.service or store.service)

    def _open(self, scope: Any) -> None:
        """Read the routes of the application: of ours, or of the one that we are part of where ours shows none."""
        self._routes = Routes(self.app if level_beneath(self.app) is not None else scope.get("app"))
        self._declare(self._routes)

    def _reread(self) -> bool:
        """Whether the routes have changed; if so what is known of them is known anew."""
        routes = self._routes
        if routes is None or not routes.changed():
            return False
        for known in self._methods.values():
            known.routes.clear()
        self._declare(routes)
        return True

    def _declare(self, routes: Routes) -> None:
        """Have what the routes will record stand at 0 from the next scrape on, and leave out their scrapes."""
        self._skipped |= forms_of(routes.scrapes())
        for place in routes.places:
            if not place.shown or place.scrape or place.template == UNMATCHED or place.template in self._skipped:
                continue
            methods = place.methods or frozenset()
            # Starlette adds HEAD to every GET; hardly anybody asks for it.
            for method in sorted(methods - {"HEAD"} if "GET" in methods else methods):
                self.requests.method(method)
                self._route(method, place.template).declare(place.success, FAILED)

    def _route(self, method: str, template: str) -> RouteSeries:
        own = self._routes is not None and template in self._routes.own
        return self.requests.route(method, template, own=own)

    def series(self, exchange: Exchange) -> RouteSeries | None:
        """The series of a request that has been routed, found for the first time or by its path; a scrape has none."""
        routes, method = self._routes, exchange.method
        if routes is None:  # no request ends that has not begun
            return self.requests.route(method.name, UNMATCHED)
        endpoint = exchange.scope.get("endpoint")
        template = self._template(routes, exchange, endpoint)
        if (template == UNMATCHED or not routes.knows(endpoint)) and self._reread():
            template = self._template(routes, exchange, endpoint)
        if routes.is_scrape(endpoint):
            return None
        series = self._route(method.name, template)
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


def forms_of(paths: Iterable[str]) -> frozenset[str]:
    """The paths, with a slash at their end and as they are."""
    return frozenset(form for path in paths for form in (path, f"{path.rstrip('/')}/"))


def check_service_name(name: object) -> None:
    """Refuse a service name that is none."""
    problem = declared_problem(name)
    if problem is not None:
        raise ConfigurationError(
            f"service_name={shown(name)}: expected a non-empty string, such as 'cv-parser-service'; "
            f"this one is {problem}"
        )
