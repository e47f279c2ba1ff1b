"""The stream of events to one viewer, called as an ASGI application without a server."""

import asyncio
import logging
import zlib
from typing import Any

import pytest
from starlette.types import Message

from mlmetrics.live import stream
from mlmetrics.live.feed import View
from mlmetrics.live.stream import Compressor, EventStream
from tests.live.generated import GeneratedFeed


class Client:
    """A viewer who takes events until it is told to stall or to leave."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.left = asyncio.Event()
        self.takes = asyncio.Event()
        self.takes.set()
        self.got = asyncio.Event()

    async def receive(self) -> Message:
        """Wait until the viewer leaves."""
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Take a message, once the viewer takes any."""
        await self.takes.wait()
        self.sent.append(message)
        self.got.set()


@pytest.fixture
async def feed() -> GeneratedFeed:
    """Start a feed with two past ticks."""
    feed = GeneratedFeed(past=2)
    await feed.start()
    return feed


async def run(feed: GeneratedFeed, client: Client, *, compressor: Compressor | None = None) -> asyncio.Task[None]:
    """Start to answer a viewer, and wait until it has the history."""
    answer = EventStream(feed, View(), compressor)
    task = asyncio.create_task(answer({"type": "http"}, client.receive, client.send))
    while len(client.sent) < 2:
        client.got.clear()
        await client.got.wait()
    return task


async def test_leaves(feed: GeneratedFeed) -> None:
    """A viewer who leaves is forgotten by the feed at once."""
    client = Client()
    task = await run(feed, client)
    assert 1 == feed.viewers
    client.left.set()
    await task
    assert 0 == feed.viewers


async def test_does_not_read(
    feed: GeneratedFeed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A viewer who takes nothing any more is dropped, and the log says so."""
    monkeypatch.setattr(stream, "STALLED_SECONDS", 0.01)
    client = Client()
    task = await run(feed, client)
    client.takes.clear()
    feed.tick()
    with caplog.at_level(logging.WARNING):
        await task
    assert 0 == feed.viewers
    assert ["a viewer has not taken an event for 0.01 s, and is dropped"] == caplog.messages


async def test_cancelled(feed: GeneratedFeed) -> None:
    """A server that gives up the answer leaves no viewer behind."""
    task = await run(feed, Client())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert 0 == feed.viewers


async def test_compressed_once(feed: GeneratedFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten viewers get the same compressed bytes, which were made once, and each stream is valid gzip."""
    made: list[bytes] = []
    deflate = stream.deflate

    def count(block: bytes) -> bytes:
        made.append(block)
        return deflate(block)

    monkeypatch.setattr(stream, "deflate", count)
    compressor = Compressor()
    clients = [Client() for _ in range(10)]
    tasks = [await run(feed, client, compressor=compressor) for client in clients]
    feed.tick()
    for client in clients:
        while len(client.sent) < 3:
            client.got.clear()
            await client.got.wait()
    blocks = [block for block in made if block.startswith(b"event:")]
    assert 2 == len(blocks)
    assert {clients[0].sent[2]["body"]} == {client.sent[2]["body"] for client in clients}
    whole = b"".join(message.get("body", b"") for message in clients[9].sent)
    assert b"retry: 2000\n\n" + b"".join(blocks) == zlib.decompressobj(wbits=31).decompress(whole)
    for client in clients:
        client.left.set()
    await asyncio.gather(*tasks)
