"""One rendering for all scrapes that wait: a registry's pages, written by one thread while somebody asks for them.

Scrapes that ask while a page is being written wait together for the next one, so each gets a page whose writing began
after it had asked. Pages are not kept for later scrapes: who asks again at once would then get megabytes at once, and
sending them costs the event loop more than writing them does.
"""

import gzip
import os
import threading
import time
from concurrent.futures import Future
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry

from mlmetrics.exposition.text import render
from mlmetrics.http.scrape import Scrape

COMPRESSION = 6
BUSY_RATIO = 0.05
"""Of the time, the thread writes at most this share, however many ask: requests get the rest."""
LONGEST_PAUSE_SECONDS = 0.5
"""A scrape is never delayed for longer to keep that share."""
IDLE_SECONDS = 0.5
"""The thread ends when nobody has asked for so long."""
THREAD = "mlmetrics-scrape"


class Pages:
    """The pages of one registry that scrapes wait for, and the thread that writes them.

    It is a thread of its own, not one of the event loop's default pool: a service that runs its models there can fill
    that pool, and scrapes that wait for it would time out, as if the service were down. It does not keep a program
    running, and a registry is held only while somebody scrapes it.
    """

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._asked: dict[Scrape, Future[bytes]] = {}
        self._is_served = False

    def ask(self, scrape: Scrape, registry: CollectorRegistry) -> "Future[bytes]":
        """Return the body of the next page that this scrape asks for, which all share who ask before it is begun."""
        with self._change:
            if not self._is_served:
                threading.Thread(target=self._serve, args=(registry,), name=THREAD, daemon=True).start()
                self._is_served = True
            page = self._asked.get(scrape)
            if page is None:
                page = self._asked[scrape] = Future()
                page.set_running_or_notify_cancel()  # who is cancelled cannot cancel it for the others
                self._change.notify()
            return page

    def _serve(self, registry: CollectorRegistry) -> None:
        """Write what is asked for, until nobody asks any more."""
        while asked := self._take():
            before = time.thread_time()
            write(asked, registry)
            del asked  # nobody else may need the pages during the pause
            time.sleep(pause_seconds(time.thread_time() - before))

    def _take(self) -> "dict[Scrape, Future[bytes]]":
        """Return all that is asked for by now, and wait for it; nothing if nobody asks for long."""
        with self._change:
            if not self._change.wait_for(lambda: self._asked, IDLE_SECONDS):
                self._is_served = False
            asked, self._asked = self._asked, {}
            return asked


def pause_seconds(spent: float) -> float:
    """Return how long the thread rests after it has used so much processor time."""
    return min(spent / BUSY_RATIO - spent, LONGEST_PAUSE_SECONDS)


def write(asked: "dict[Scrape, Future[bytes]]", registry: CollectorRegistry) -> None:
    """Write each text once, and compress it at most once."""
    texts: dict[Scrape, dict[bool, Future[bytes]]] = {}
    for scrape, page in asked.items():
        texts.setdefault(scrape.uncompressed, {})[scrape.gzip] = page
    for scrape, pages in texts.items():
        try:
            body = render(registry, openmetrics=scrape.openmetrics, names=scrape.names)
            if False in pages:
                pages[False].set_result(body)
            if True in pages:
                pages[True].set_result(gzip.compress(body, COMPRESSION, mtime=0))
        except BaseException as error:  # noqa: BLE001 (who asked gets it, and the thread serves the next)
            for page in pages.values():
                if not page.done():
                    page.set_exception(error)


class _Registries:
    """The pages of each registry."""

    def __init__(self) -> None:
        self.pages: WeakKeyDictionary[CollectorRegistry, Pages] = WeakKeyDictionary()


_registries = _Registries()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_registries.__init__)  # type: ignore[misc]  # threads do not survive a fork


def page_of(scrape: Scrape, registry: CollectorRegistry) -> "Future[bytes]":
    """Return the body that a scrape of a registry asks for, once it is written; it cannot be cancelled."""
    pages = _registries.pages.get(registry)
    if pages is None:
        pages = _registries.pages.setdefault(registry, Pages())
    return pages.ask(scrape, registry)
