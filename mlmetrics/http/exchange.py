"""One request and its response, from the first message to the verdict: what it counts as.

The only place that decides the status and the two durations of a request. Nothing here
raises into the request: what cannot be recorded is counted. `send` and `end` are written
out rather than divided, because every request pays for each call they make.
"""

import sys
from collections.abc import Awaitable, Callable
from traceback import walk_tb
from types import MethodType
from typing import Any, Protocol

from .. import exemplars, logs
from ..calls.call import is_cancellation
from ..interruption import interrupted
from ..recording.series import BOUND
from ..recording.store import Store
from .request_id import KEY, bind, choose, kept, restore, returned
from .series import Method, Requests, RouteSeries

CLIENT_LEFT = 499
FAILED = 500
REDIRECTS = range(300, 400)
CLIENT_DISCONNECT = ("starlette.requests", "ClientDisconnect")
"""What Starlette raises, in place of the server's error too, when its client has left."""
GONE = (("anyio", "BrokenResourceError"), ("anyio", "ClosedResourceError"))
"""What anyio's streams raise when nobody listens any more: middleware around us sends through them."""
RECORDED_BY = "mlmetrics.recorded_by"
"""Where a scope, and each copy of it, says who records its request, so that it is counted once."""
BODIES = frozenset({"http.response.body", "http.response.pathsend", "http.response.zerocopysend"})


class Middleware(Protocol):
    """What a request needs of the middleware that records it."""

    store: Store
    requests: Requests
    request_id: bool
    clock: Callable[[], float]

    def series(self, exchange: "Exchange") -> RouteSeries | None:
        """The series of a request that has been routed; a scrape has none."""


class Exchange:
    """The state of one request; the middleware itself has none.

    `status` is what the application sent, `seconds` stands once the last byte has gone;
    `scope` is the one that the router got, and None when the request is over.
    """

    __slots__ = (
        *("_begun", "_exemplar", "_first_byte", "_left", "_receive", "_seconds", "_send", "_token"),
        *("id", "method", "middleware", "root_path", "scope", "status"),
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
        self.root_path = root_path  # as it came: mounts lengthen the scope's own
        self._receive = receive
        self._send = send
        self._left = False
        self.id = self.status = self._first_byte = self._seconds = self._exemplar = None
        if middleware.request_id:
            headers = scope["headers"]
            self.id = chosen = choose(headers if type(headers) is list else kept(scope))
            self._token = bind(chosen)
        self._begun = middleware.clock()

    def move(self, scope: Any) -> None:
        """Go on with the copy of the scope that a router got: it has the endpoint, and the path that was routed."""
        if self.scope is None:
            return
        try:
            before, now = self.scope.get("root_path", ""), scope.get("root_path", "")
            # What mounts have added is part of the template; what the maker of the copy added is not.
            self.root_path = self.root_path + now[len(before) :] if now.startswith(before) else now
            self.scope = scope
        except Exception as problem:  # the request goes on, and counts by the path that we saw
            if interrupted(problem):
                raise
            self.middleware.store.failed("request", problem)

    async def receive(self) -> Any:
        """Pass a message to the application; notice that the client has left."""
        message = await self._receive()
        if message["type"] == "http.disconnect" and self._seconds is None:
            self._left = True
        return message

    def send(self, message: Any) -> Awaitable[None]:
        """Pass a message to the server; take its status, its times, and add the request id.

        No coroutine of its own, which every message would pay for.
        """
        kind = message["type"]
        if kind == "http.response.start":
            try:
                self.status = int(message["status"])
                if self.id is not None:
                    message = returned(message, self.id)
            except Exception as problem:  # a malformed message is the application's and its server's
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
        """Record the request: the application has returned, or raised. The scope that came forgets us."""
        method = self.method
        method.end(None)
        try:
            scope[RECORDED_BY] = None
            seconds, status = self._seconds, self.status
            receive = self._receive
            # An application that never asks is not told; uvicorn's `receive` is the method of an object that knows.
            if type(receive) is MethodType and getattr(receive.__self__, "disconnected", None) is True:
                self._left = True
            if error is not None or self._left or seconds is None or status is None:
                status = self._verdict(error)
                seconds = self.middleware.clock() - self._begun if seconds is None else seconds
            series = method.routes.get(id(self.scope.get("endpoint"))) or self.middleware.series(self)
            if series is not None:
                # A body that came in one piece had its first byte with its last.
                first_byte = self._seconds if self._first_byte is None else self._first_byte
                series.finish((status, seconds, first_byte))
                if status >= FAILED or self._exemplar is not None or len(series.finished) > BOUND:
                    self._look(series, status, seconds, error)
        except Exception as problem:  # measuring must not change what the client gets
            if interrupted(problem):
                raise
            self.middleware.store.failed("request", problem)
        self.scope = None  # a copy holds us: what is over waits for no garbage collection
        if self.id is not None:
            try:
                restore(self._token)
            except ValueError as problem:
                # A request that the garbage collector closes ends in a context that never had the id.
                if interrupted(problem):
                    raise

    def _verdict(self, error: BaseException | None) -> int:
        """The status that counts where the response did not simply run to its end."""
        if self._left or self._refused(error):
            return CLIENT_LEFT
        if self._seconds is not None and self.status is not None:
            return self.status  # what came after the response is not the client's
        return CLIENT_LEFT if error is not None and is_cancellation(error) else FAILED

    def _refused(self, error: BaseException | None) -> bool:
        """Whether it was the server's own `send` that raised: there was nobody to send to."""
        if isinstance(error, BaseExceptionGroup):
            return all(self._refused(one) for one in error.exceptions)
        if error is None or is_any_of(error, CLIENT_DISCONNECT):
            return error is not None
        if not isinstance(error, OSError) and not is_any_of(error, *GONE):
            return False
        code = getattr(self._send, "__code__", None)
        return any(frame.f_code is code for frame, _ in walk_tb(error.__traceback__))

    def _look(self, series: RouteSeries, status: int, seconds: float, error: BaseException | None) -> None:
        """What a request may owe besides the append: a log line, a trace id, a fold."""
        store = self.middleware.store
        if status >= FAILED:
            logs.emit(store, "error", "request.failed", self._fields(series, status, seconds, error))
        if self._exemplar is not None:
            series.exemplars.append(self._exemplar)
        if len(series.finished) > BOUND:
            store.fold(series)
            store.fold(self.method.series)

    def _fields(
        self, series: RouteSeries, status: int, seconds: float, error: BaseException | None
    ) -> dict[str, object]:
        service, method, route = series.labels
        fields: dict[str, object] = {
            "service": service or self.middleware.store.service,
            "method": method,
            "route": route,
            "status": str(status),
            "duration_seconds": seconds,
        }
        if error is not None:
            fields["error_type"] = type(error).__name__
        if self.id is not None:
            fields[KEY] = self.id
        return fields

    def _mark(self, seconds: float) -> None:
        """Keep the current trace id now: tracing middleware within ours has ended its span when we end."""
        try:
            self._exemplar = exemplars.current(seconds)
        except Exception as problem:  # a tracer's trouble is not the request's
            if interrupted(problem):
                raise
            self.middleware.store.failed("exemplar", problem)


def is_any_of(error: BaseException, *kinds: tuple[str, str]) -> bool:
    """Whether an error is of a class of these modules, which it cannot be of where they are not loaded."""
    found = (getattr(sys.modules.get(module), name, None) for module, name in kinds)
    return isinstance(error, tuple(kind for kind in found if isinstance(kind, type)))
