"""The answer to a scrape, shared by the route, the mounted application and the small server."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from mlmetrics.exposition.negotiation import OPENMETRICS, TEXT
from mlmetrics.http.scrape import Scrape
from mlmetrics.http.shared import page_of
from mlmetrics.loops import running_trio

scraping: ContextVar[Any] = ContextVar("mlmetrics.scraping", default=None)
"""The scope of the current scrape, set by our middleware."""
METHODS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200

    @classmethod
    def of(cls, scrape: Scrape, body: bytes) -> "Answer":
        """Return the answer that gives a scrape its page."""
        headers = {"Content-Type": OPENMETRICS if scrape.openmetrics else TEXT, "Vary": "Accept, Accept-Encoding"}
        if scrape.gzip:
            headers["Content-Encoding"] = "gzip"
        return cls(body, headers)


NOT_ALLOWED = Answer(
    b"Method Not Allowed", {"Content-Type": "text/plain; charset=utf-8", "Allow": ", ".join(METHODS)}, 405
)


def answer(scrape: Scrape, registry: CollectorRegistry) -> Answer:
    """Answer a scrape, in a thread that may wait."""
    return Answer.of(scrape, page_of(scrape, registry).result())


async def answer_in_thread(scrape: Scrape, registry: CollectorRegistry) -> Answer:
    """Answer without blocking the event loop, which also serves other requests, such as health checks."""
    page, trio = page_of(scrape, registry), running_trio()
    if trio is None:
        return Answer.of(scrape, await asyncio.wrap_future(page))
    written, loop = trio.Event(), trio.lowlevel.current_trio_token()

    def tell(_: object) -> None:
        with suppress(trio.RunFinishedError):
            loop.run_sync_soon(written.set)

    page.add_done_callback(tell)
    await written.wait()
    return Answer.of(scrape, page.result())
