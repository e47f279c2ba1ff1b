"""One request and its response, from the first message to the recorded status.

The only place that decides the status and the two durations of a request. No error of ours reaches the request: what
cannot be recorded is counted. `__call__` is a long function with functions inside, and keeps the state of a request in
its variables, because each further call would slow down every request.
"""

import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Container
from traceback import walk_tb
from types import MethodType
from typing import Any, Literal

from mlmetrics import logs
from mlmetrics.calls.outcome import is_cancellation
from mlmetrics.errors import name_of_type
from mlmetrics.http.answer import scraping
from mlmetrics.http.bodies import Bodies
from mlmetrics.http.request_id import KEY, bind, choose, restore, returned
from mlmetrics.http.requests import ServiceRequests
from mlmetrics.http.routed import RECORDED_BY
from mlmetrics.http.series import Method, RouteSeries
from mlmetrics.interruption import interrupted
from mlmetrics.recording.series import BOUND
from mlmetrics.recording.store import Store

CLIENT_LEFT = 499
FAILED = 500
REDIRECTS = range(300, 400)
CLIENT_DISCONNECT = ("starlette.requests", "ClientDisconnect")
"""What Starlette raises when its client has disconnected, also instead of the server's own error."""
GONE = (("anyio", "BrokenResourceError"), ("anyio", "ClosedResourceError"))
"""What anyio's streams raise when their receiver is gone; middleware around ours may send through them."""
BODIES = frozenset({"http.response.body", "http.response.pathsend", "http.response.zerocopysend"})


class RequestRecorder(ABC):
    """Serves requests by an ASGI application, and records them; what belongs to one request is not kept here."""

    app: Any
    store: Store
    requests: ServiceRequests
    clock: Callable[[], float]
    request_id: bool | Literal["header"]
    body_sizes: bool
    methods: dict[str, Method]
    """The methods that requests have had so far."""
    skipped: Container[str]
    """The paths that are not recorded."""
    recorded: str | None
    """The type of the scopes that are recorded here; None while nothing is recorded."""

    @abstractmethod
    def method(self, scope: Any) -> Method | None:
        """Return the method of a request that is to be recorded; None if it is not, or by middleware around ours."""

    @abstractmethod
    def series(self, method: Method, scope: Any, root_path: str, status: int) -> RouteSeries | None:
        """Return the series of a request that has been routed; a scrape has none."""

    @abstractmethod
    async def pass_on(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve what is no request."""

    async def __call__(  # noqa: C901, PLR0912, PLR0915 (each further call would slow down every request)
        self, scope: Any, receive: Any, send: Any
    ) -> None:
        """Serve a request, and what is none."""
        if scope["type"] != self.recorded:
            await self.pass_on(scope, receive, send)
            return
        chosen: str | None = None
        status: int | None = None
        seconds: float | None = None
        first_byte: float | None = None
        server: Any = None
        token: Any = None
        exemplar: Any = None
        bodies: Bodies | None = None
        left = ended = False
        # What is an attribute and no method is called through a variable: `self.clock()` is looked up in a slower way.
        clock = self.clock
        try:
            path, root_path = scope["path"], scope.get("root_path", "")
            unusual = root_path or path in self.skipped or scope.get(RECORDED_BY)
            method = None if unusual else self.methods.get(scope["method"])
            if method is None:
                method = self.method(scope)
            if method is not None:
                # The object of uvicorn's `receive` knows whether the client has left, also if the application does not
                # receive; then nothing of ours needs to be between them.
                if type(receive) is MethodType and getattr(receive.__self__, "disconnected", None) is False:
                    server = receive.__self__
                if self.request_id:
                    chosen = choose(scope)
                    if self.request_id is True:
                        token = bind(chosen)
                if self.body_sizes:
                    bodies = Bodies(scope, receive, send, server, self.store.failed)
                    receive, send = bodies.receive, bodies.send
                scope[RECORDED_BY] = trace = [self, scope, root_path]
                begun = clock()
        except Exception as problem:  # a request is served even if it cannot be measured
            if interrupted(problem):
                raise
            self.store.failed("request", problem)
            method = None
        if method is None:
            await self.serve_unrecorded(scope, receive, send)
            return

        def sending(message: Any) -> Awaitable[None]:
            """Pass a message to the server; read the status and the time, and add the request id.

            It is not a coroutine function, because that would slow down every message.
            """
            nonlocal status, seconds, first_byte, exemplar
            kind = message["type"]
            if kind == "http.response.start":
                try:
                    status = int(message["status"])
                    if chosen is not None:
                        message = returned(message, chosen)
                except Exception as problem:  # a malformed message is for the server to refuse
                    if interrupted(problem):
                        raise
                    self.store.failed("request", problem)
            elif seconds is None and kind in BODIES:
                if not message.get("more_body"):
                    seconds = clock() - begun
                    if self.requests.traced:
                        exemplar = self._exemplar(seconds)
                elif first_byte is None and message.get("body"):
                    first_byte = clock() - begun
            return send(message)  # type: ignore[no-any-return]  # ASGI's send

        receiving = receive
        if server is None:

            async def receiving() -> Any:
                """Pass a message to the application; notice if the client has disconnected."""
                nonlocal left
                message = await receive()
                if message["type"] == "http.disconnect" and seconds is None:
                    left = True
                return message

        app, begin, end = self.app, method.begin, method.end
        begin(None)
        try:
            await app(scope, receiving, sending)
            ended = True
        finally:
            end(None)
            try:
                if first_byte is None:
                    first_byte = seconds  # if the body was sent in one piece, its first byte was sent with its last
                if server is not None:
                    left = server.disconnected
                if left or not ended or seconds is None or status is None:
                    status = verdict(status, seconds, send, None if ended else sys.exception(), left=left)
                    seconds = clock() - begun if seconds is None else seconds
                _, routed, root_path = trace
                series = method.routes.get(id(routed.get("endpoint"))) or self.series(method, routed, root_path, status)
                if series is not None:
                    finish, finished = series.finish, series.finished
                    finish((status, seconds, first_byte))
                    if bodies is not None:
                        series.weigh(bodies.received, bodies.sent)
                    if exemplar is not None:
                        series.mark(exemplar)
                    if status >= FAILED:
                        error_type = None if ended else name_of_type(type(sys.exception()))
                        self._tell_failure(series, status, seconds, error_type, begun + seconds, chosen)
                    if len(finished) > BOUND:
                        self.store.fold(series)
                        self.store.fold(method.series)
            except Exception as problem:  # measuring must not change what the client gets
                if interrupted(problem):
                    raise
                self.store.failed("request", problem)
            trace.clear()  # a copy of the scope refers to it; this also breaks its cycle with the scope
            if token is not None and server is None:  # a server that is known here has a context for each request
                restore(token)

    async def serve_unrecorded(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request without recording it."""
        try:
            await self.app(scope, receive, send)
        finally:
            scraping.set(None)

    def _tell_failure(  # noqa: PLR0917 (positions are cheaper than names)
        self,
        series: RouteSeries,
        status: int,
        seconds: float,
        error_type: str | None,
        now: float,
        chosen: str | None,
    ) -> None:
        """Log the failure, if one with this status and error type may be logged now."""
        store = self.store
        suppressed = series.failures.of((status, error_type)).another(now, store.log_interval_seconds)
        if suppressed is None:
            return
        service, method, route = series.labels
        fields: dict[str, object] = {
            "service": service or store.service,
            "method": method,
            "route": route,
            "status": str(status),
            "duration_seconds": seconds,
        }
        if error_type is not None:
            fields["error_type"] = error_type
        if chosen is not None:
            fields[KEY] = chosen
        logs.emit(store, "error", "request.failed", {**fields, **logs.left_out(suppressed)})

    def _exemplar(self, seconds: float) -> Any:
        """Return the current trace id now, because tracing middleware within ours ends its span before our end."""
        try:
            found = self.store.exemplar(seconds)
            self.requests.traced = self.store.traced
            return found  # noqa: TRY300 (as of a call)
        except Exception as problem:  # an error of the tracer must not reach the request
            if interrupted(problem):
                raise
            self.store.failed("exemplar", problem)
            return None


def verdict(status: int | None, seconds: float | None, send: Any, error: BaseException | None, *, left: bool) -> int:
    """Return the status that counts if the response was not complete, the client left, or something was raised."""
    if left or refused(error, send):
        return CLIENT_LEFT
    if seconds is not None and status is not None:
        return status  # what happened after the response does not concern the client
    return CLIENT_LEFT if error is not None and is_cancellation(error) else FAILED


def refused(error: BaseException | None, send: Any) -> bool:
    """Whether the server's own `send` raised, because the client had disconnected."""
    if isinstance(error, BaseExceptionGroup):
        return all(refused(one, send) for one in error.exceptions)
    if error is None or is_any_of(error, CLIENT_DISCONNECT):
        return error is not None
    if not isinstance(error, OSError) and not is_any_of(error, *GONE):
        return False
    code = getattr(send, "__code__", None)
    return any(frame.f_code is code for frame, _ in walk_tb(error.__traceback__))


def is_any_of(error: BaseException, *kinds: tuple[str, str]) -> bool:
    """Whether an error is an instance of one of these classes; those of modules that are not loaded cannot match."""
    found = (getattr(sys.modules.get(module), name, None) for module, name in kinds)
    return isinstance(error, tuple(kind for kind in found if isinstance(kind, type)))
