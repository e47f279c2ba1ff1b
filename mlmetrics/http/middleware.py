"""The ASGI middleware: decides which requests are recorded, and into which series."""

import re
from collections.abc import Container, Iterable, Mapping
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry

from mlmetrics.errors import ConfigurationError, shown
from mlmetrics.http.answer import scraping
from mlmetrics.http.exchange import FAILED, REDIRECTS, Exchange
from mlmetrics.http.labels import Label, LabelledRequests, checked_labels, settle
from mlmetrics.http.levels import level_of
from mlmetrics.http.requests import requests_of
from mlmetrics.http.routed import RECORDED_BY, Routed
from mlmetrics.http.routes import Routes, path_within
from mlmetrics.http.series import METHODS, UNMATCHED, ByRoute, Method, RouteSeries
from mlmetrics.http.skipping import methods_of, paths_of
from mlmetrics.http.websockets import RouteSockets, Socket, Sockets
from mlmetrics.interruption import interrupted
from mlmetrics.recording.collector import store_for
from mlmetrics.recording.fallback import default_store
from mlmetrics.recording.labels import declared_problem
from mlmetrics.switch import DISABLED
from mlmetrics.workers.detection import warn_about_workers

HTTP = "http"
R = TypeVar("R")


class PrometheusMiddleware:
    """Record every HTTP request of an ASGI application: number, duration, requests in progress; and its WebSockets.

    Args:
        app: the application.
        service_name: the `service` label; also used for all calls that do not name a service.
        registry: where the metrics are registered; that of the default toolkit by default.
        request_id: read or generate an `X-Request-ID`, add it to log events as `request_id`, and return it.
        skip_paths: paths whose requests are not recorded. A text is one exact path, with or without a slash at its
            end; a pattern of `re.compile` stands for all paths in which `search` finds it, so write `^` where a path
            has to begin so. A path is that of the request, without `root_path`. Scrapes are never recorded: they
            would lower error rates.
        skip_methods: methods whose requests are not recorded, such as `("OPTIONS", "HEAD")`.
        websockets: record WebSockets: how many are open, for how long, how they closed, and their messages.
        labels: further labels of finished requests, by name: a fixed text, `header("x-tenant")`, or a function of the
            scope, which is called in the event loop when the request has ended. If it raises or returns no text, the
            label is `unknown`. Not on requests in progress, nor on WebSockets.

    Raises:
        ConfigurationError: the service name is empty or not valid; a path is neither a text that begins with `/` nor
            a pattern of text; a method is none of HTTP; a label is not allowed, or the requests in the registry have
            other labels.
        RegistrationError: the registry already has other metrics with names of the catalogue.

    Metrics: `fastapi_requests_total`, `fastapi_request_duration_seconds`,
    `fastapi_request_first_byte_seconds`, `fastapi_requests_in_progress`; `fastapi_websockets_open`,
    `fastapi_websocket_duration_seconds`, `fastapi_websockets_total`, `fastapi_websocket_messages_total`.

    A response that was sent completely counts with the status that the client got. An incomplete one counts
    as 499 if the client disconnected, and as 500 if the application raised, even after it sent a status.

    Only what happens inside the middleware is recorded. Middleware that is added to the application later,
    and its handler of unhandled exceptions, are outside. `instrument` records these too.

    The route is the template of the endpoint that served the request, found in the application's routes.
    A request that reached no endpoint, such as one that other middleware answers, has the template that its
    path matches. If middleware inside ours passes on a changed copy of the scope, the copy counts. Routes
    that exist at the first request all have their own series; routes that are added later are limited by
    `max_label_values`, and become `other` beyond it.

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
        request_id: bool = True,
        skip_paths: Iterable[str | re.Pattern[str]] = ("/metrics",),
        skip_methods: Iterable[str] = (),
        websockets: bool = True,
        labels: Mapping[str, Label] = {},
    ) -> None:
        given = checked_labels(labels)
        self._paths = paths_of(skip_paths)
        self._skipped: Container[str] = self._paths.lookup()
        self._skipped_methods = methods_of(skip_methods)
        self.app = app
        self.request_id = request_id
        self.websockets = websockets
        self.store = store = default_store() if registry is None else store_for(registry)
        names = settle(store, given)
        if service_name is not None:
            check_service_name(service_name)
            store.name_service(service_name, configured=False)
        self.requests = requests_of(store, service_name)
        self._labelled = LabelledRequests(self.requests, given, names) if names else None
        self.clock = store.clock
        self._recorded: str | None = None if DISABLED else HTTP
        self._methods: dict[str, Method] = {}
        self._sockets = Sockets(self.requests)
        self._routes: Routes | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request or a WebSocket; lifespan messages are passed on unchanged."""
        exchange: Exchange | Socket | None
        if scope["type"] == self._recorded:
            exchange = self._begin(scope, receive, send)
        else:
            exchange = self._begin_other(scope, receive, send)
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
        """Return the exchange that records a request; None if it is not recorded, or by other middleware of ours."""
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
            method = self._methods.get(scope["method"])
            if method is None:
                method = self._method(scope["method"])
                if method is None:
                    return None
            scope[RECORDED_BY] = exchange = Exchange(self, method, scope, receive, send, root_path)
        except Exception as problem:  # a request is served even if it cannot be measured
            if interrupted(problem):
                raise
            self.store.failed("request", problem)
            return None
        method.begin(None)
        return exchange

    def _begin_other(self, scope: Any, receive: Any, send: Any) -> Socket | None:
        """Return what records a WebSocket; None for one that is not recorded, and for the lifespan."""
        kind = scope["type"]
        if self._recorded is None:
            return None
        if kind == "lifespan":
            self._check_workers()
        if kind != "websocket" or not self.websockets:
            return None
        try:
            if self._routes is None:
                self._open(scope)
            root_path = scope.get("root_path", "")
            if path_within(scope, root_path) in self._skipped:
                return None
            outer = scope.get(RECORDED_BY)
            if outer is not None and self._is_counted_by(outer):
                return None
            scope[RECORDED_BY] = socket = Socket(self, scope, receive, send, root_path)
        except Exception as problem:  # as a request
            if interrupted(problem):
                raise
            self.store.failed("websocket", problem)
            return None
        return socket

    def _check_workers(self) -> None:
        warn_about_workers(self.store, merged=self.store.shared)

    def rest(self) -> None:
        """Pass everything on from now on; the requests that have begun are still recorded."""
        self._recorded = None

    def _method(self, name: str) -> Method | None:
        """Return a method that is not known yet; None if it is not recorded."""
        if name in self._skipped_methods:
            return None
        series = self.requests.method(name)
        method = Method(name if name in METHODS else "OTHER", series)
        # Clients can send any number of unknown method names.
        return self._methods.setdefault(method.name, method)

    def _is_counted_by(self, outer: Routed) -> bool:
        """Whether middleware around ours is recording the request, or the WebSocket, into the same series."""
        other, store = outer.middleware.requests, self.store
        if outer.scope is None or other.store is not store:
            return False
        return other is self.requests or (other.service or store.service) == (self.requests.service or store.service)

    def _open(self, scope: Any) -> None:
        """Read the routes of the wrapped application; if it shows none, those of the application in the scope."""
        self._check_workers()
        self._routes = Routes(self.app if level_of(self.app) is not None else scope.get("app"))
        self._declare(self._routes)

    def _reread(self) -> bool:
        """Whether the routes have changed; if so, they are read again."""
        routes = self._routes
        if routes is None or not routes.changed():
            return False
        for known in self._methods.values():
            known.routes.clear()
            known.labelled.clear()
        self._declare(routes)
        return True

    def _declare(self, routes: Routes) -> None:
        """Create the series of the routes at 0, and do not record requests for the metrics."""
        self._paths = self._paths.also(routes.scrapes())
        self._skipped = self._paths.lookup()
        requests = self._labelled or self.requests
        for place in routes.places:
            if not place.shown or place.scrape or place.template == UNMATCHED or place.template in self._skipped:
                continue
            methods = place.methods or frozenset()
            # Starlette adds HEAD to every GET, but it is rarely used.
            used = methods - {"HEAD"} if "GET" in methods else methods
            for method in sorted(used - self._skipped_methods):
                self.requests.method(method)
                requests.route(method, place.template, own=place.template in routes.own).declare(place.success, FAILED)

        for place in routes.sockets if self.websockets else ():
            if not (place.http or place.template in self._skipped):  # what serves both is a mount
                self._sockets.route(place.template, own=place.template in routes.own).declare()

    def series(self, exchange: Exchange) -> RouteSeries | None:
        """Return the series of a routed request with further labels, or of an unknown endpoint; None for a scrape."""
        method, labelled = exchange.method, self._labelled
        if labelled is None:
            return self._routed(exchange, method.routes, self.requests)
        known = method.labelled.get(id(exchange.scope.get("endpoint")))
        route = known or self._routed(exchange, method.labelled, labelled)
        return None if route is None else route.of(exchange.scope)

    def _routed(self, exchange: Exchange, known: dict[int, R], requests: ByRoute[R]) -> R | None:
        """Return where a request is recorded, and keep it if its endpoint alone says so; None for a scrape."""
        routes, method = self._routes, exchange.method
        if routes is None:  # cannot happen: the routes are read when a request begins
            return requests.route(method.name, UNMATCHED)
        endpoint = exchange.scope.get("endpoint")
        template = self._template(routes, exchange, endpoint)
        if (template == UNMATCHED or not routes.knows(endpoint)) and self._reread():
            template = self._template(routes, exchange, endpoint)
        if routes.is_scrape(endpoint):
            return None
        found = requests.route(method.name, template, own=template in routes.own)
        if template == routes.of_endpoint(endpoint):
            known[id(endpoint)] = found
        return found

    def sockets_of(self, socket: Socket) -> RouteSockets:
        """Return the series of a routed WebSocket."""
        routes, template = self._routes, UNMATCHED
        if routes is not None:
            endpoint, path = socket.scope.get("endpoint"), path_within(socket.scope, socket.root_path)
            template = routes.of_socket(endpoint, path)
            if (template == UNMATCHED or not routes.knows_socket(endpoint)) and self._reread():
                template = routes.of_socket(endpoint, path)
        return self._sockets.route(template, own=routes is not None and template in routes.own)

    def _template(self, routes: Routes, exchange: Exchange, endpoint: Any) -> str:
        """Return the template of a request: that of its endpoint if it has one only, else the one its path matches."""
        template = routes.of_endpoint(endpoint)
        if template is None:
            path = path_within(exchange.scope, exchange.root_path)
            template = routes.of_path(path, exchange.scope["method"], redirected=exchange.status in REDIRECTS)
        return template


def check_service_name(name: object) -> None:
    """Refuse an invalid service name."""
    problem = declared_problem(name)
    if problem is not None:
        raise ConfigurationError(
            f"service_name={shown(name)}: expected a non-empty string, such as 'cv-parser-service'; "
            f"this one is {problem}"
        )
