"""One request and its response, from the first message to the recorded status.

The only place that decides the status and the two durations of a request. No error of ours
reaches the request: what cannot be recorded is counted. `send` and `end` are long functions
and not split up, because each further call would slow down every request.
"""

import sys
from collections.abc import Awaitable, Callable
from traceback import walk_tb
from types import MethodType
from typing import Any, Protocol

from mlmetrics import logs
from mlmetrics.calls.outcome import is_cancellation
from mlmetrics.errors import name_of_type
from mlmetrics.http.request_id import KEY, bind, choose, kept, restore, returned
from mlmetrics.http.requests import ServiceRequests
from mlmetrics.http.routed import RECORDED_BY, Routed
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


class Middleware(Protocol):
    """What a request needs of the middleware that records it."""

    store: Store
    requests: ServiceRequests
    request_id: bool
    clock: Callable[[], float]

    def series(self, exchange: "Exchange") -> RouteSeries | None:
        """Return the series of a request that has been routed; a scrape has none."""


class Exchange(Routed):
    """The state of one request; the middleware itself keeps none.

    `status` is the status that the application sent; `_seconds` is set when the last byte has been
    sent; `scope` is the one that the router got, and None when the request is over.
    """

    __slots__ = (
        *("_begun", "_exemplar", "_first_byte", "_left", "_receive", "_seconds", "_send", "_token"),
        *("id", "method", "middleware", "status"),
    )
    id: str | None
    status: int | None
    _first_byte: float | None
    _seconds: float | None
    _exemplar: Any

    def __init__(  # noqa: PLR0917 (positions are cheaper than names)
        self, middleware: Middleware, method: Method, scope: Any, receive: Any, send: Any, root_path: str
    ) -> None:
        self.middleware = middleware
        self.method = method
        self.scope = scope
        self.root_path = root_path  # as it was at first: mounts extend that of the scope
        self._receive = receive
        self._send = send
        self._left = False
        self.id = self.status = self._first_byte = self._seconds = self._exemplar = None
        if middleware.request_id:
            headers = scope["headers"]
            self.id = chosen = choose(headers if type(headers) is list else kept(scope))
            self._token = bind(chosen)
        self._begun = middleware.clock()

    async def receive(self) -> Any:
        """Pass a message to the application; notice if the client has disconnected."""
        message = await self._receive()
        if message["type"] == "http.disconnect" and self._seconds is None:
            self._left = True
        return message

    def send(self, message: Any) -> Awaitable[None]:
        """Pass a message to the server; read the status and the time, and add the request id.

        It is not a coroutine function, because that would slow down every message.
        """
        kind = message["type"]
        if kind == "http.response.start":
            try:
                self.status = int(message["status"])
                if self.id is not None:
                    message = returned(message, self.id)
            except Exception as problem:  # a malformed message is for the server to refuse
                if interrupted(problem):
                    raise
                self.middleware.store.failed("request", problem)
        elif self._seconds is None and kind in BODIES:
            if not message.get("more_body"):
                self._seconds = self.middleware.clock() - self._begun
                if self.middleware.requests.traced:
                    self._mark(self._seconds)
            elif self._first_byte is None and message.get("body"):
                self._first_byte = self.middleware.clock() - self._begun
        return self._send(message)  # type: ignore[no-any-return]  # ASGI's send

    def end(self, error: BaseException | None, scope: Any) -> None:
        """Record the request when the application has returned or raised, and remove the exchange from the scope."""
        method = self.method
        method.end(None)
        try:
            scope[RECORDED_BY] = None
            seconds, status = self._seconds, self.status
            receive = self._receive
            # An application that does not receive is not told; the object of uvicorn's `receive` method knows it.
            if type(receive) is MethodType and getattr(receive.__self__, "disconnected", None) is True:
                self._left = True
            if error is not None or self._left or seconds is None or status is None:
                status = self._verdict(error)
                seconds = self.middleware.clock() - self._begun if seconds is None else seconds
            series = method.routes.get(id(self.scope.get("endpoint"))) or self.middleware.series(self)
            if series is not None:
                # If the body was sent in one piece, its first byte was sent with its last.
                first_byte = self._seconds if self._first_byte is None else self._first_byte
                series.finish((status, seconds, first_byte))
                if status >= FAILED or self._exemplar is not None or len(series.finished) > BOUND:
                    self._look(series, status, seconds, error)
        except Exception as problem:  # measuring must not change what the client gets
            if interrupted(problem):
                raise
            self.middleware.store.failed("request", problem)
        self.scope = (
            None  # a copy of the scope refers to us; this breaks the cycle, which only the garbage collector would free
        )
        if self.id is not None:
            try:
                restore(self._token)
            except ValueError as problem:
                # A request that is closed by the garbage collector ends in another context, without the id.
                if interrupted(problem):
                    raise

    def _verdict(self, error: BaseException | None) -> int:
        """Return the status that counts if the response was not complete or something was raised."""
        if self._left or self._refused(error):
            return CLIENT_LEFT
        if self._seconds is not None and self.status is not None:
            return self.status  # what happened after the response does not concern the client
        return CLIENT_LEFT if error is not None and is_cancellation(error) else FAILED

    def _refused(self, error: BaseException | None) -> bool:
        """Whether the server's own `send` raised, because the client had disconnected."""
        if isinstance(error, BaseExceptionGroup):
            return all(self._refused(one) for one in error.exceptions)
        if error is None or is_any_of(error, CLIENT_DISCONNECT):
            return error is not None
        if not isinstance(error, OSError) and not is_any_of(error, *GONE):
            return False
        code = getattr(self._send, "__code__", None)
        return any(frame.f_code is code for frame, _ in walk_tb(error.__traceback__))

    def _look(self, series: RouteSeries, status: int, seconds: float, error: BaseException | None) -> None:
        """Slow path: log, exemplar, fold."""
        store = self.middleware.store
        if status >= FAILED:
            self._tell_failure(series, status, seconds, error)
        if self._exemplar is not None:
            series.mark(self._exemplar)
        if len(series.finished) > BOUND:
            store.fold(series)
            store.fold(self.method.series)

    def _tell_failure(self, series: RouteSeries, status: int, seconds: float, error: BaseException | None) -> None:
        """Log the failure, if one with this status and error type may be logged now."""
        store = self.middleware.store
        error_type = None if error is None else name_of_type(type(error))
        limited = series.failures.of((status, error_type))
        suppressed = limited.another(self._begun + seconds, store.log_interval_seconds)
        if suppressed is not None:
            fields = {**self._fields(series, status, seconds, error_type), **logs.left_out(suppressed)}
            logs.emit(store, "error", "request.failed", fields)

    def _fields(self, series: RouteSeries, status: int, seconds: float, error_type: str | None) -> dict[str, object]:
        service, method, route = series.labels
        fields: dict[str, object] = {
            "service": service or self.middleware.store.service,
            "method": method,
            "route": route,
            "status": str(status),
            "duration_seconds": seconds,
        }
        if error_type is not None:
            fields["error_type"] = error_type
        if self.id is not None:
            fields[KEY] = self.id
        return fields

    def _mark(self, seconds: float) -> None:
        """Keep the current trace id now, because tracing middleware within ours ends its span before our `end`."""
        try:
            self._exemplar = self.middleware.store.exemplar(seconds)
            self.middleware.requests.traced = self.middleware.store.traced
        except Exception as problem:  # an error of the tracer must not reach the request
            if interrupted(problem):
                raise
            self.middleware.store.failed("exemplar", problem)


def is_any_of(error: BaseException, *kinds: tuple[str, str]) -> bool:
    """Whether an error is an instance of one of these classes; those of modules that are not loaded cannot match."""
    found = (getattr(sys.modules.get(module), name, None) for module, name in kinds)
    return isinstance(error, tuple(kind for kind in found if isinstance(kind, type)))
