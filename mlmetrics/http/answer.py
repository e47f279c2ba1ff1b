"""A scrape and its answer, shared by the route, the mounted application and the small server."""

import asyncio
import gzip
import os
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from prometheus_client import CollectorRegistry

from mlmetrics.exposition.negotiation import OPENMETRICS, TEXT, choose_format, wants_gzip
from mlmetrics.exposition.text import render
from mlmetrics.loops import running_trio

COMPRESSION = 6
scraping: ContextVar[Any] = ContextVar("mlmetrics.scraping", default=None)
"""The scope of the current scrape, set by our middleware."""
METHODS = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Scrape:
    """What a scraper requests: format, compression and names."""

    openmetrics: bool = False
    gzip: bool = False
    names: Collection[str] = ()

    @classmethod
    def of(cls, headers: Iterable[tuple[str, str]], query: str) -> "Scrape":
        """Return the scrape that these headers and this query string request."""
        accept, encoding = [], []
        for name, value in headers:
            if name.lower() == "accept":
                accept.append(value)
            elif name.lower() == "accept-encoding":
                encoding.append(value)
        return cls(
            openmetrics=choose_format(",".join(accept)) == OPENMETRICS,
            gzip=wants_gzip(",".join(encoding)),
            names=parse_qs(query).get("name[]", ()),
        )

    @classmethod
    def of_scope(cls, scope: Any) -> "Scrape":
        """Return the scrape that an ASGI request asks for."""
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        return cls.of(headers, scope.get("query_string", b"").decode("latin-1"))

    def answer(self, registry: CollectorRegistry) -> Answer:
        """Answer with the text of the registry."""
        body = render(registry, openmetrics=self.openmetrics, names=self.names)
        headers = {"Content-Type": OPENMETRICS if self.openmetrics else TEXT, "Vary": "Accept, Accept-Encoding"}
        if self.gzip:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, COMPRESSION, mtime=0)
        return Answer(body, headers)


NOT_ALLOWED = Answer(
    b"Method Not Allowed", {"Content-Type": "text/plain; charset=utf-8", "Allow": ", ".join(METHODS)}, 405
)


class _Writers:
    """The one thread that writes scrapes.

    It is not the event loop's default pool: a service that runs its models there can fill that pool,
    and scrapes that wait for it would time out, as if the service were down.
    """

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mlmetrics-scrape")


_writers = _Writers()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_writers.__init__)  # type: ignore[misc]  # threads do not survive a fork


async def answer_in_thread(scrape: Scrape, registry: CollectorRegistry) -> Answer:
    """Answer without blocking the event loop, which also serves other requests, such as health checks."""
    trio = running_trio()
    if trio is None:
        return await asyncio.get_running_loop().run_in_executor(_writers.pool, scrape.answer, registry)
    written, loop = trio.Event(), trio.lowlevel.current_trio_token()

    def tell(_: object) -> None:
        with suppress(trio.RunFinishedError):
            loop.run_sync_soon(written.set)

    answer = _writers.pool.submit(scrape.answer, registry)
    answer.add_done_callback(tell)
    await written.wait()
    return answer.result()
