"""The events of a view to one viewer, compressed once for all viewers of the view.

A compressed stream is one gzip header and then, for each event, blocks of deflate that refer to nothing before them.
So the same bytes fit into the stream of every viewer, whenever it came.
"""

import asyncio
import logging
import zlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator

from starlette.types import Receive, Scope, Send

from mlmetrics.live.feed import Feed, View

STALLED_SECONDS = 20.0
"""A viewer that does not take an event for so long is dropped."""
_KEPT_BLOCKS = 32
_LEVEL = 4
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_RETRY = b"retry: 2000\n\n"
_log = logging.getLogger(__name__)


class Compressor:
    """Blocks of events, each compressed when its first viewer needs it."""

    def __init__(self) -> None:
        self._made: OrderedDict[int, tuple[bytes, bytes]] = OrderedDict()

    def compress(self, block: bytes) -> bytes:
        """Return blocks of deflate, the same for each viewer of the same bytes."""
        # An entry keeps what it was made from, so that no other bytes can have the same identity.
        known = self._made.get(id(block))
        if known is None:
            known = self._made[id(block)] = block, deflate(block)
            if len(self._made) > _KEPT_BLOCKS:
                self._made.popitem(last=False)
        return known[1]


def deflate(block: bytes) -> bytes:
    """Return blocks of deflate that can stand anywhere in a stream."""
    compressor = zlib.compressobj(_LEVEL, wbits=-zlib.MAX_WBITS)
    return compressor.compress(block) + compressor.flush(zlib.Z_SYNC_FLUSH)


class EventStream:
    """The answer to one viewer: the events of its view, until it leaves or the feed ends."""

    def __init__(self, feed: Feed, view: View, compressor: Compressor | None) -> None:
        self._feed = feed
        self._view = view
        self._compressor = compressor

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application does."""
        tasks = [asyncio.create_task(_leave(receive)), asyncio.create_task(self._answer(send))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except TimeoutError:
            _log.warning("a viewer has not taken an event for %g s, and is dropped", STALLED_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, send: Send) -> None:
        events = self._feed.events(self._view)
        try:
            first = await anext(events, b"")  # nothing, if the feed has ended already
            await self._send_all(first, events, send)
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()

    async def _send_all(self, first: bytes, events: AsyncIterator[bytes], send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self._headers()})
        begin = _RETRY if self._compressor is None else _GZIP_HEADER + deflate(_RETRY)
        await _send(send, begin + self._encode(first))
        async for block in events:
            await _send(send, self._encode(block))
        # The feed has ended; the browser asks again, and begins with a new history.
        await send({"type": "http.response.body", "body": b""})

    def _encode(self, block: bytes) -> bytes:
        return block if self._compressor is None else self._compressor.compress(block)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            (b"vary", b"accept-encoding"),
            (b"x-accel-buffering", b"no"),  # nginx would keep events back
        ]
        return headers if self._compressor is None else [*headers, (b"content-encoding", b"gzip")]


async def _send(send: Send, body: bytes) -> None:
    async with asyncio.timeout(STALLED_SECONDS):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _leave(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
