"""The answer to a scrape: how metrics are published, by a route, a mounted application or the small server."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from mlmetrics.exposition.negotiation import OPENMETRICS, TEXT
from mlmetrics.http.scrape import Scrape
from mlmetrics.http.shared import page_of
from mlmetrics.http.token import File, Token, token_of
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

UNAUTHORIZED = Answer(b"Unauthorized", {"Content-Type": "text/plain; charset=utf-8", "WWW-Authenticate": "Bearer"}, 401)


@dataclass(frozen=True, slots=True)
class Published:
    """A registry that is published, who may read it, and whether it may be compressed."""

    registry: CollectorRegistry
    gzip: bool = True
    token: Token | None = None

    @classmethod
    def of(cls, registry: CollectorRegistry, *, gzip: bool, token: str | None, token_file: File | None) -> "Published":
        """Return what was declared; a token that is none is refused."""
        return cls(registry, gzip, token_of(token, token_file))

    def refusal(self, method: str, authorization: Sequence[bytes]) -> Answer | None:
        """Return the answer to a request that gets no metrics; None if it gets them."""
        if self.token is not None and not self.token.admits(authorization, self.registry):
            return UNAUTHORIZED
        return None if method in METHODS else NOT_ALLOWED

    def scrape(self, asked: Scrape) -> Scrape:
        """Return the scrape that is answered."""
        return asked if self.gzip else asked.uncompressed


def answer(scrape: Scrape, registry: CollectorRegistry) -> Answer:
    """Answer a scrape, in a thread that may wait."""
    return Answer.of(scrape, page_of(scrape, registry).result())


async def answer_scope(scope: Any, published: Published) -> Answer:
    """Answer an ASGI request, or refuse it."""
    shown = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
    refused = published.refusal(scope["method"], shown)
    return refused or await answer_in_thread(published.scrape(Scrape.of_scope(scope)), published.registry)


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
