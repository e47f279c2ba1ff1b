"""One request and its response on the wire, with all that a scenario does to it; what was sent goes into its row."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.sdks.servers import ledger
from tests.sdks.servers.ledger import Row, Tokens
from tests.sdks.servers.scenario import Scenario

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

OTHER, ANSWER, REASONING = "other", "answer", "reasoning"
KEEP_ALIVE = b": keep-alive\n\n"


@dataclass(frozen=True, slots=True)
class Event:
    """A piece of a stream: its bytes, what content it carries, and the tokens that its usage says, if it has one."""

    body: bytes
    carries: str = OTHER
    tokens: Tokens | None = None


def sse(data: object, *, event: str = "", end: str = "\n") -> bytes:
    """Return a server-sent event; `data` is written as JSON, but text as it is."""
    text = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
    name = f"event: {event}{end}" if event else ""
    return f"{name}data: {text}{end}{end}".encode()


class Exchange:
    """Sends a response to one request, whose body has been read."""

    def __init__(self, receive: Receive, send: Send, row: Row, scenario: Scenario) -> None:
        self._send = send
        self._row = row
        self._scenario = scenario
        self._leaving = asyncio.ensure_future(_left(receive))

    @property
    def gone(self) -> bool:
        """Whether the client has left."""
        return self._leaving.done()

    def close(self) -> None:
        """Stop waiting for the client to leave."""
        self._leaving.cancel()

    async def hold(self) -> None:
        """Wait until the scenario is released or the client has left."""
        self._scenario.held.set()
        released = asyncio.wrap_future(self._scenario.released)
        await asyncio.wait({released, self._leaving}, return_when=asyncio.FIRST_COMPLETED)

    async def whole(self, payload: object, *, ended: str, tokens: Tokens | None, headers: Mapping[str, str]) -> None:
        """Send a response in one piece, or half of it where the scenario cuts."""
        if self._scenario.hold_at is not None:
            await self.hold()
        await asyncio.sleep(self._scenario.first_seconds)
        if self.gone:
            self._row.ended = ledger.CLIENT_GONE
            return
        body = json.dumps(payload).encode()
        await self._start("application/json", {**headers, "content-length": str(len(body))})
        if self._scenario.cut_at is not None and ended != ledger.REJECTED:
            await self._tell(body[: len(body) // 2])
            self._row.ended = ledger.CUT
            return
        await self._send({"type": "http.response.body", "body": body})
        self._row.ended = ended
        self._row.tokens = tokens.by_type() if tokens else None

    async def stream(
        self, events: Sequence[Event], error: Callable[[int], Event], headers: Mapping[str, str], *, comments: bool
    ) -> None:
        """Send events, to the end or to where the scenario ends them; `error` makes one of a number in the stream."""
        scenario, row = self._scenario, self._row
        total = sum(event.carries == ANSWER for event in events)
        await self._start("text/event-stream; charset=utf-8", headers)
        await asyncio.sleep(scenario.first_seconds)
        for number, event in enumerate(events):
            if self._reached(scenario.hold_at, event, total) and not scenario.held.is_set():
                await self.hold()
            if self.gone:
                row.ended = ledger.CLIENT_GONE
                return
            if self._reached(scenario.cut_at, event, total):
                row.ended = ledger.CUT
                if scenario.terminated:
                    await self._end()
                return
            if self._reached(scenario.error_at, event, total):
                row.ended = ledger.ERROR_INSIDE
                await self._tell(error(number).body)
                await self._end()
                return
            if event.carries == ANSWER:
                await asyncio.sleep(scenario.gap_seconds if row.chunks else 0)
                if scenario.keep_alive and comments:
                    await self._tell(KEEP_ALIVE)
            await self._tell(event.body)
            self._note(event)
        await self._end()
        row.ended = ledger.COMPLETE

    def _reached(self, position: int | None, event: Event, total: int) -> bool:
        """Whether a position of the scenario is where `event` comes next."""
        if position is None or self._row.chunks != min(position, total):
            return False
        return event.carries == ANSWER or self._row.chunks > 0

    def _note(self, event: Event) -> None:
        self._row.chunks += event.carries == ANSWER
        self._row.reasoning_chunks += event.carries == REASONING
        if event.tokens is not None:
            self._row.tokens = event.tokens.by_type()

    async def _start(self, kind: str, headers: Mapping[str, str]) -> None:
        named = {"content-type": kind, **headers}
        pairs = [(name.encode(), value.encode()) for name, value in named.items()]
        await self._send({"type": "http.response.start", "status": self._row.status, "headers": pairs})

    async def _tell(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        await asyncio.sleep(0)  # so that a client that has left is noticed between two chunks

    async def _end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
