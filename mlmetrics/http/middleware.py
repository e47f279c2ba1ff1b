"""The ASGI middleware: decides which requests are recorded, and into which series."""

import re
from collections.abc import Container, Iterable, Mapping
from typing import Any, Literal

from prometheus_client import CollectorRegistry

from mlmetrics.http.answer import scraping
from mlmetrics.http.arguments import check_request_id, check_service_name
from mlmetrics.http.exchange import FAILED, REDIRECTS, RequestRecorder
from mlmetrics.http.labels import Label, LabelledRequests, checked_labels, settle
from mlmetrics.http.levels import level_of
from mlmetrics.http.requests import requests_of
from mlmetrics.http.routed import RECORDED_BY, Trace
from mlmetrics.http.routes import Routes, path_within
from mlmetrics.http.series import METHODS, UNMATCHED, Method, RouteSeries
from mlmetrics.http.skipping import methods_of, paths_of
from mlmetrics.http.websockets import RouteSockets, Socket, Sockets
from mlmetrics.interruption import interrupted
from mlmetrics.recording.collector import store_for
from mlmetrics.recording.fallback import default_store
from mlmetrics.switch import DISABLED
from mlmetrics.workers.detection import warn_about_workers

HTTP = "http"


class PrometheusMiddleware(RequestRecorder):
    """Record every HTTP request of an ASGI application: number, duration, requests in progress; and its WebSockets.

    Args:
        app: the application.
        service_name: the `service` label; also used for all calls that do not name a service.
        registry: where the metrics are registered; that of the default toolkit by default.
        request_id: read or generate an `X-Request-ID`, add it to log events as `request_id`, and return it. With
            `"header"` it is returned, but not added to your own log events, which makes requests cheaper; with
            False there is none.
        skip_paths: paths whose requests are not recorded. A text is one exact path, with or without a slash at its
            end; a pattern of `re.compile` stands for all paths in which `search` finds it, so write `^` where a path
            has to begin so. A path is that of the request, without `root_path`. Scrapes are never recorded: they
            would lower error rates.
        skip_methods: methods whose requests are not recorded, such as `("OPTIONS", "HEAD")`.
        body_sizes: record how many bytes of the bodies of requests and of responses have passed.
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
    `fastapi_request_first_byte_seconds`, `fastapi_requests_in_progress`; `fastapi_request_size_bytes`
    and `fastapi_response_size_bytes`; `fastapi_websockets_open`,
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
        request_id: bool | Literal["header"] = True,
        skip_paths: Iterable[str | re.Pattern[str]] = ("/metrics",),
        skip_methods: Iterable[str] = (),
        body_sizes: bool = False,
        websockets: bool = True,
        labels: Mapping[str, Label] = {},
    ) -> None:
        given = checked_labels(labels)
        self._paths = paths_of(skip_paths)
        self.skipped: Container[str] = self._paths.lookup()
        self._skipped_methods = methods_of(skip_methods)
        self.app = app
        check_request_id(request_id)
        self.request_id = request_id
        self.body_sizes = body_sizes
        self.websockets = websockets
        self.store = store = default_store() if registry is None else store_for(registry)
        names = settle(store, given)
        if service_name is not None:
            check_service_name(service_name)
            store.name_service(service_name, configured=False)
        self.requests = requests_of(store, service_name)
        self._labelled = LabelledRequests(self.requests, given, names) if names else None
        self.clock = store.clock
        self.recorded = None if DISABLED else HTTP
        self.methods: dict[str, Method] = {}
        self._sockets = Sockets(self.requests)
        self._routes: Routes | None = None

    async def pass_on(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve what is no request: a WebSocket is recorded, and lifespan messages are passed on unchanged."""
        socket = None if self.recorded is None else self._socket(scope, receive, send)
        if socket is None:
            await self.serve_unrecorded(scope, receive, send)
            return
        try:
            await self.app(scope, socket.receive, socket.send)
        except BaseException as error:
            socket.end(error, scope)
            raise
        socket.end(None, scope)

    def method(self, scope: Any) -> Method | None:
        """Return the method of a request that is to be recorded; None if it is not, or by middleware around ours."""
        if self._routes is None:
            self._open(scope)
        path, root_path = scope["path"], scope.get("root_path")
        if (path_within(scope, root_path) if root_path else path) in self.skipped:
            scraping.set(scope)
            self._reread()
            return None
        outer = scope.get(RECORDED_BY)
        if outer and self._is_counted_by(outer[0]):
            return None
        return self.methods.get(scope["method"]) or self._method(scope["method"])

    def _socket(self, scope: Any, receive: Any, send: Any) -> Socket | None:
        """Return what records a WebSocket; None for one that is not recorded, and for the lifespan."""
        kind = scope["type"]
        if kind == "lifespan":
            self._check_workers()
        if kind != "websocket" or not self.websockets:
            return None
        try:
            if self._routes is None:
                self._open(scope)
            root_path = scope.get("root_path", "")
            if path_within(scope, root_path) in self.skipped:
                return None
            outer = scope.get(RECORDED_BY)
            if outer and self._is_counted_by(outer[0]):
                return None
            socket = Socket(self, scope, receive, send, root_path)
            scope[RECORDED_BY] = socket.trace
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
        self.recorded = None

    def _method(self, name: str) -> Method | None:
        """Return a method that is not known yet; None if it is not recorded."""
        if name in self._skipped_methods:
            return None
        series = self.requests.method(name)
        method = Method(name if name in METHODS else "OTHER", series)
        # Clients can send any number of unknown method names.
        return self.methods.setdefault(method.name, method)

    def _is_counted_by(self, outer: RequestRecorder) -> bool:
        """Whether middleware around ours is recording the request, or the WebSocket, into the same series."""
        other, store = outer.requests, self.store
        if other.store is not store:
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
        for known in self.methods.values():
            known.routes.clear()
            known.labelled.clear()
        self._declare(routes)
        return True

    def _declare(self, routes: Routes) -> None:
        """Create the series of the routes at 0, and do not record requests for the metrics."""
        self._paths = self._paths.also(routes.scrapes())
        self.skipped = self._paths.lookup()
        requests = self._labelled or self.requests
        for place in routes.places:
            if not place.shown or place.scrape or place.template == UNMATCHED or place.template in self.skipped:
                continue
            methods = place.methods or frozenset()
            # Starlette adds HEAD to every GET, but it is rarely used.
            used = methods - {"HEAD"} if "GET" in methods else methods
            for method in sorted(used - self._skipped_methods):
                self.requests.method(method)
                requests.route(method, place.template, own=place.template in routes.own).declare(place.success, FAILED)

        for place in routes.sockets if self.websockets else ():
            if not (place.http or place.template in self.skipped):  # what serves both is a mount
                self._sockets.route(place.template, own=place.template in routes.own).declare()

    def series(self, method: Method, scope: Any, root_path: str, status: int) -> RouteSeries | None:
        """Return the series of a routed request with further labels, or of an unknown endpoint; None for a scrape."""
        labelled, routes, endpoint = self._labelled, self._routes, scope.get("endpoint")
        if labelled is not None and (known := method.labelled.get(id(endpoint))) is not None:
            return known.of(scope)
        if routes is None:  # cannot happen: the routes are read when a request begins
            return None
        redirected = status in REDIRECTS
        template = routes.of_request(scope, root_path, redirected=redirected)
        if (template == UNMATCHED or not routes.knows(endpoint)) and self._reread():
            template = routes.of_request(scope, root_path, redirected=redirected)
        if routes.is_scrape(endpoint):
            return None
        own, alone = template in routes.own, template == routes.of_endpoint(endpoint)
        if labelled is None:
            series = self.requests.route(method.name, template, own=own)
            if alone:
                method.routes[id(endpoint)] = series
            return series
        route = labelled.route(method.name, template, own=own)
        if alone:
            method.labelled[id(endpoint)] = route
        return route.of(scope)

    def sockets_of(self, trace: Trace) -> RouteSockets:
        """Return the series of a routed WebSocket."""
        routes, template = self._routes, UNMATCHED
        if routes is not None:
            _, scope, root_path = trace
            endpoint, path = scope.get("endpoint"), path_within(scope, root_path)
            template = routes.of_socket(endpoint, path)
            if (template == UNMATCHED or not routes.knows_socket(endpoint)) and self._reread():
                template = routes.of_socket(endpoint, path)
        return self._sockets.route(template, own=routes is not None and template in routes.own)
