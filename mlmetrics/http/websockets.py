"""WebSockets: how many are open, for how long, how they closed, and their messages each way, by route.

The only place that decides how a WebSocket ended: by the first of a close message, a refusal, and the end of the
application. No error of ours reaches it: what cannot be recorded is counted. `receive` and `send` are not split up,
because each further call would slow down every message.
"""

import os
from collections.abc import Awaitable, Callable
from traceback import walk_tb
from typing import Any, Protocol

from mlmetrics.calls.outcome import is_cancellation
from mlmetrics.errors import shown
from mlmetrics.http.exchange import GONE, is_any_of
from mlmetrics.http.requests import ServiceRequests
from mlmetrics.http.routed import RECORDED_BY, Trace
from mlmetrics.http.series import UNMATCHED
from mlmetrics.interruption import interrupted
from mlmetrics.recording.labels import COMBINATION, OTHER
from mlmetrics.recording.series import BOUND, NumberSeries
from mlmetrics.recording.store import Store

OPEN = "fastapi_websockets_open"
DURATION = "fastapi_websocket_duration_seconds"
TOTAL = "fastapi_websockets_total"
MESSAGES = "fastapi_websocket_messages_total"
ONE_MORE, ONE_LESS = (1.0,), (-1.0,)
"""Changes of a gauge."""

REFUSED, FAILED = "refused", "failed"
"""How a WebSocket ended that was closed before it was accepted, and one whose application raised."""
NORMAL, NO_CODE, NO_MESSAGE = 1000, 1005, 1006
"""The close code of an application that names none; of a client that names none; without any close message."""
CODES = range(1000, 5000)
"""The close codes that there are; what an application sends may be any number."""
STANDARD = frozenset({REFUSED, FAILED, OTHER, *map(str, range(1000, 1016))})
"""What has no limit: the codes of the standard, and what is no code. Clients can send all other codes."""
WEBSOCKET_DISCONNECT = ("starlette.websockets", "WebSocketDisconnect")
"""What Starlette raises when its client has disconnected, also in place of the server's own error."""


class RouteSockets:
    """The WebSockets of one route."""

    __slots__ = ("labels", "open", "store")

    def __init__(self, store: Store, labels: tuple[str | None, str]) -> None:
        self.store = store
        self.labels = labels
        self.open = store.running(OPEN, labels)

    def declare(self) -> None:
        """Have a normal end and a failure at 0 from the next scrape on, so that `rate` sees the first of each."""
        for close in (str(NORMAL), FAILED):
            self.store.counter(TOTAL, (*self.labels, close))

    def messages(self, direction: str) -> NumberSeries:
        """Return the series of the messages of one direction."""
        return self.store.counter(MESSAGES, (*self.labels, direction))

    def change(self, change: tuple[float]) -> None:
        """Change how many are open."""
        self.open.record(change)
        if len(self.open.pending) > BOUND:
            self.store.fold(self.open)

    def end(self, close: str, seconds: float | None) -> None:
        """Record the end of one; it has no duration if it was not accepted."""
        if seconds is not None:
            self.store.record(self.store.histogram(DURATION, self.labels), seconds)
        if close not in STANDARD:
            close = str(self.store.admit(TOTAL, self.labels, (close,))[-1])
        self.store.record(self.store.counter(TOTAL, (*self.labels, close)), 1)


class Sockets:
    """The WebSockets of one application, by route."""

    def __init__(self, requests: ServiceRequests) -> None:
        self._requests = requests
        self._routes: dict[str, RouteSockets] = {}

    def route(self, template: str, *, own: bool) -> RouteSockets:
        """Return those of a route template; the application's own templates are not limited."""
        requests, store = self._requests, self._requests.store
        free = template == UNMATCHED or (own and requests.owns(template))
        label = template if free else str(store.admit(TOTAL, (requests.service,), (template,))[-1])
        found = self._routes.get(label)
        if found is None:
            store.declare_overflow(TOTAL, ("close", COMBINATION))
            found = self._routes.setdefault(label, RouteSockets(store, (requests.service, label)))
        return found


class Middleware(Protocol):
    """What a WebSocket needs of the middleware that records it."""

    store: Store
    clock: Callable[[], float]

    def sockets_of(self, trace: Trace) -> RouteSockets:
        """Return the series of a WebSocket that has been routed."""


class Socket:
    """The state of one WebSocket; the middleware itself keeps none.

    `_route` is known from its acceptance or its end on; `_received` and `_sent` are there while it is open.
    """

    __slots__ = (
        *("_accepted", "_ended", "_middleware", "_process", "_receive", "_received", "_route", "_send", "_sent"),
        "trace",
    )
    _accepted: float | None
    _received: NumberSeries | None
    _sent: NumberSeries | None
    _route: RouteSockets | None

    def __init__(self, middleware: Middleware, scope: Any, receive: Any, send: Any, root_path: str) -> None:
        self._middleware = middleware
        self.trace: Trace = [middleware, scope, root_path]
        self._receive = receive
        self._send = send
        self._accepted = self._received = self._sent = self._route = None
        self._ended = False
        self._process = os.getpid()

    async def receive(self) -> Any:
        """Pass a message to the application; count it, and notice if the client has closed."""
        message = await self._receive()
        try:
            kind = message["type"]
            if kind == "websocket.receive":
                received = self._received
                if received is not None:
                    received.record(1)
                    if len(received.pending) > BOUND:
                        self._middleware.store.fold(received)
            elif kind == "websocket.disconnect":
                self._finish(message.get("code") or NO_CODE)
        except Exception as problem:  # the message reaches the application as it came
            if interrupted(problem):
                raise
            self._middleware.store.failed("websocket", problem)
        return message

    def send(self, message: Any) -> Awaitable[None]:
        """Pass a message to the server; count it, and read whether it accepts, closes or refuses.

        It is not a coroutine function, because that would slow down every message.
        """
        try:
            kind = message["type"]
            if kind == "websocket.send":
                sent = self._sent
                if sent is not None:
                    sent.record(1)
                    if len(sent.pending) > BOUND:
                        self._middleware.store.fold(sent)
            elif kind == "websocket.accept":
                self._accept()
            elif kind == "websocket.close":
                self._finish(REFUSED if self._accepted is None else message.get("code") or NORMAL)
            elif kind == "websocket.http.response.start":
                self._finish(REFUSED)
        except Exception as problem:  # a malformed message is for the server to refuse
            if interrupted(problem):
                raise
            self._middleware.store.failed("websocket", problem)
        return self._send(message)  # type: ignore[no-any-return]  # ASGI's send

    def end(self, error: BaseException | None, scope: Any) -> None:
        """Record the end if there was no message of it, and remove this from the scope."""
        try:
            scope[RECORDED_BY] = None
            if not self._ended:
                self._finish(self._verdict(error))
        except Exception as problem:  # measuring must not change what the client gets
            if interrupted(problem):
                raise
            self._middleware.store.failed("websocket", problem)
        self.trace.clear()  # as that of a request

    def _accept(self) -> None:
        if self._accepted is not None or self._ended:
            return  # the server refuses it
        route = self._route = self._middleware.sockets_of(self.trace)
        self._received, self._sent = route.messages("received"), route.messages("sent")
        self._accepted = self._middleware.clock()
        route.change(ONE_MORE)

    def _finish(self, close: object) -> None:
        """Record the first end; a process that was forked meanwhile records nothing, because its parent does."""
        if self._ended:
            return
        self._ended = True
        self._received = self._sent = None
        if self._process != os.getpid():
            return
        route = self._route or self._middleware.sockets_of(self.trace)
        seconds = None
        if self._accepted is not None:
            route.change(ONE_LESS)
            seconds = max(self._middleware.clock() - self._accepted, 0.0)
        route.end(self._label(close, route), seconds)

    def _label(self, close: object, route: RouteSockets) -> str:
        """Return how it closed as a label: the code, or `other` if it is no close code."""
        if close is REFUSED or close is FAILED:
            return str(close)
        try:
            code = int(close)  # type: ignore[call-overload]  # whatever an application sends as its code
        except (TypeError, ValueError) as problem:
            if interrupted(problem):
                raise
            code = 0
        if code in CODES:
            return str(code)
        service, template = route.labels
        series = {"metric": TOTAL, "service": service or self._middleware.store.service, "route": template}
        wrong = f"{shown(close)} is no close code of a WebSocket, which are 1000 to 4999"
        self._middleware.store.failed("label.close", wrong, {**series, "close": OTHER})
        return OTHER

    def _verdict(self, error: BaseException | None) -> object:
        """Return how it ended without a message: the server closes the connection when the application has ended."""
        if error is None:
            return FAILED if self._accepted is None else NO_MESSAGE
        return NO_MESSAGE if self._has_left(error) else FAILED

    def _has_left(self, error: BaseException) -> bool:
        """Whether an error means that the client is gone, or that the application was cancelled."""
        if isinstance(error, BaseExceptionGroup):
            return all(self._has_left(one) for one in error.exceptions)
        if is_any_of(error, WEBSOCKET_DISCONNECT) or is_cancellation(error):
            return True
        if not isinstance(error, OSError) and not is_any_of(error, *GONE):
            return False
        code = getattr(self._send, "__code__", None)
        return any(frame.f_code is code for frame, _ in walk_tb(error.__traceback__))
