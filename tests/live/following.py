"""Follows a feed in tests: reads its events until what is waited for has come."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from mlmetrics.live.feed import Feed, View

PATIENCE_SECONDS = 60.0
Data = dict[str, Any]


def parsed(block: bytes) -> tuple[str, Data]:
    """Return the kind and the data of one event."""
    assert block.endswith(b"\n\n")
    fields = dict(line.split(": ", 1) for line in block.decode().strip().split("\n"))
    return fields["event"], json.loads(fields["data"])


async def events(feed: Feed, view: View | None = None) -> AsyncIterator[tuple[str, Data]]:
    """Yield the events of a view."""
    async for block in feed.events(view or View()):
        yield parsed(block)


async def until(feed: Feed, is_there: Callable[[Data], object], view: View | None = None) -> Data:
    """Return the first history or tick of a view that has what is waited for."""
    last: Data = {}
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            following = events(feed, view)
            async for kind, data in following:
                if kind != "layout":
                    last = data
                    if is_there(data):
                        await following.aclose()  # type: ignore[attr-defined]  # a generator
                        return data
    except TimeoutError as error:
        raise AssertionError(f"not within {PATIENCE_SECONDS:g} s; the last data was {last}") from error
    raise AssertionError("the feed has ended")


def newest(data: Data, tile: str) -> dict[str, float]:
    """Return the newest values of a tile by the names of its series."""
    found = data["tiles"].get(tile, {"series": []})
    return {each["name"]: each["values"][-1] for each in found["series"]}
