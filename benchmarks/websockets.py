"""Measures what each way to record a WebSocket adds to a message that is received and sent back, called in process."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, repeat
from typing import Any

from fastapi import FastAPI, WebSocket
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, Counter, Gauge

from benchmarks.ours import SERVICE, Toolkit
from benchmarks.peers import sample
from benchmarks.results import Row, medians
from benchmarks.timing import NotTheSameError, Side, added, interleave, ratio

PROOF_MESSAGES = 2500
ROUTE, PATH = "/rooms/{room}", "/rooms/7"
MESSAGES = "fastapi_websocket_messages_total"
CONNECT, LEFT = {"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}
TEXT = {"type": "websocket.receive", "text": "token"}
SCOPE: Mapping[str, Any] = {
    "type": "websocket",
    "scheme": "ws",
    "path": PATH,
    "query_string": b"",
    "root_path": "",
    "client": ("127.0.0.1", 50000),
    "server": ("127.0.0.1", 8000),
}


def make_app() -> FastAPI:
    """Return the app that all sides serve: it sends back what it receives."""
    app = FastAPI()

    @app.websocket(ROUTE)
    async def room(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)

    return app


def conversing(
    app: Callable[..., Any], loop: asyncio.AbstractEventLoop, finish: Callable[[], object] = lambda: None
) -> Callable[[int], None]:
    """Return one connection with the given number of messages."""

    async def converse(units: int) -> None:
        incoming: Iterator[dict[str, Any]] = chain((CONNECT,), repeat(TEXT, units), (LEFT,))
        answered = 0

        async def receive() -> dict[str, Any]:
            return next(incoming)

        async def send(message: dict[str, Any]) -> None:
            nonlocal answered
            answered += "text" in message

        await app({**SCOPE, "headers": [], "state": {}}, receive, send)
        if answered != units:
            raise NotTheSameError(f"{answered} of {units} messages came back")

    def run(units: int) -> None:
        loop.run_until_complete(converse(units))
        finish()

    return run


def ours(loop: asyncio.AbstractEventLoop) -> Side:
    """Return our side, as `instrument` sets it up."""
    app, toolkit = make_app(), Toolkit()
    toolkit.metrics.instrument(app, service_name=SERVICE)
    return Side("ours", conversing(app, loop, toolkit.fold), lambda: _messages(toolkit))


def _messages(toolkit: Toolkit) -> float:
    """Return the messages received; check that as many were sent, and that no connection is open."""
    received, sent = (toolkit.value(MESSAGES, route=ROUTE, direction=way) for way in ("received", "sent"))
    running = toolkit.value("fastapi_websockets_open")
    if not (received == sent and running == 0):
        raise NotTheSameError(f"{received} received, {sent} sent, {running} open")
    return received


class ByHand:
    """Middleware as teams write it by hand: a counter by direction, looked up by label, and a gauge."""

    def __init__(self, app: Any, registry: CollectorRegistry) -> None:
        self.app = app
        self.messages = Counter("messages", "Messages.", ("service", "route", "direction"), registry=registry)
        self.running = Gauge("sockets_open", "WebSockets that are open.", ("service", "route"), registry=registry)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Record one connection."""
        path = scope["path"]

        async def receive_counted() -> Any:
            message = await receive()
            if message["type"] == "websocket.receive":
                self.messages.labels(SERVICE, path, "received").inc()
            return message

        async def send_counted(message: Any) -> None:
            if message["type"] == "websocket.send":
                self.messages.labels(SERVICE, path, "sent").inc()
            await send(message)

        with self.running.labels(SERVICE, path).track_inprogress():
            await self.app(scope, receive_counted, send_counted)


def by_hand(loop: asyncio.AbstractEventLoop) -> Side:
    """Return the side that is written by hand."""
    app, registry = make_app(), CollectorRegistry()
    app.add_middleware(ByHand, registry=registry)
    return Side("by_hand", conversing(app, loop), lambda: sample(registry, "messages_total") / 2)


def opentelemetry(loop: asyncio.AbstractEventLoop) -> Side:
    """Return the side of OpenTelemetry's instrumentation, without a tracer; it has no metric of WebSockets."""
    app = make_app()
    FastAPIInstrumentor.instrument_app(app, meter_provider=MeterProvider([InMemoryMetricReader()]))
    return Side("opentelemetry", conversing(app, loop))


def measure_websockets(rounds: int) -> list[Row]:
    """Measure a message each way with all of them, and without any."""
    loop = asyncio.new_event_loop()
    try:
        sides = [Side("bare", conversing(make_app(), loop)), ours(loop), by_hand(loop), opentelemetry(loop)]
        times = interleave(sides, rounds, PROOF_MESSAGES, collector=True)
    finally:
        loop.close()
    cost = {side.name: added(times, side.name) for side in sides[1:]}
    shown = {**medians(ours=cost["ours"]), **medians(bare=times["bare"])}
    rows = [Row("websocket/message", ratio(times["ours"], times["bare"]), "ns", shown)]
    for name in ("by_hand", "opentelemetry"):
        shown = medians(**{name: cost[name], "ours": cost["ours"]})
        rows.append(Row(f"websocket/{name}", ratio(cost[name], cost["ours"]), "ns", shown))
    return rows
