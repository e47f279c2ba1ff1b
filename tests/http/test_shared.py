"""Scrapes that wait for one page together, on every event loop and in threads."""

import asyncio
import gc
import gzip
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
import trio
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.metrics_core import Metric

from mlmetrics.http.answer import answer_in_thread
from mlmetrics.http.endpoint import metrics_app
from mlmetrics.http.scrape import Scrape
from mlmetrics.http.serving import start_metrics_server
from mlmetrics.http.shared import LONGEST_PAUSE_SECONDS, THREAD, _registries, page_of, pause_seconds
from tests.http.asking import ask
from tests.http.test_serving import Blocking
from tests.servers import wait_until

TEXT, OPENMETRICS = Scrape(), Scrape(openmetrics=True)
SECONDS = 30


@contextmanager
def being_written(registry: CollectorRegistry) -> Iterator[Blocking]:
    """Have a page of the registry be written until the block ends."""
    blocking = Blocking()
    registry.register(blocking)
    blocking.go_on.clear()
    first = page_of(TEXT, registry)
    try:
        assert blocking.started.wait(SECONDS)
        yield blocking
    finally:
        blocking.go_on.set()
        first.result(SECONDS)


class TestPageOf:
    """`page_of`."""

    def test_who_asks_while_a_page_is_written_waits_for_the_next(self, registry: CollectorRegistry) -> None:
        """All who wait share it, and it has what was recorded before they asked."""
        counter = Counter("seen", "Before the scrape.", registry=registry)
        with being_written(registry) as blocking:
            counter.inc()
            pages = [page_of(TEXT, registry) for _ in range(4)]
        bodies = [page.result(SECONDS) for page in pages]
        assert b"seen_total 1.0" in bodies[0]
        assert {id(bodies[0])} == {id(body) for body in bodies}
        assert 2 == len(blocking.threads)

    def test_compressed_and_not_are_the_same_text(self, registry: CollectorRegistry) -> None:
        """The text is written once for both, and compressed once for all."""
        with being_written(registry) as blocking:
            text = page_of(TEXT, registry)
            compressed = [page_of(Scrape(gzip=True), registry) for _ in range(2)]
        assert text.result(SECONDS) == gzip.decompress(compressed[0].result(SECONDS))
        assert compressed[0].result() is compressed[1].result()
        assert 2 == len(blocking.threads)

    def test_other_formats_and_names_are_other_pages(self, registry: CollectorRegistry) -> None:
        """Each gets what it asks for, from one turn of the thread."""
        names = frozenset({"mlmetrics_build_info"})
        with being_written(registry):
            text, openmetrics = page_of(TEXT, registry), page_of(OPENMETRICS, registry)
            named = page_of(Scrape(names=names), registry)
        assert openmetrics.result(SECONDS).endswith(b"# EOF\n")
        assert not text.result(SECONDS).endswith(b"# EOF\n")
        assert 3 == len(named.result(SECONDS).splitlines())

    def test_an_exception_goes_to_all_who_wait(self, registry: CollectorRegistry) -> None:
        """A collector that raises once fails the scrapes that shared the page; the next one is served."""
        errors: list[BaseException] = []

        class Failing(Blocking):
            def collect(self) -> Iterator[Metric]:
                if errors:
                    raise errors.pop()
                return iter(())

        registry.register(Failing())
        with being_written(registry):
            errors.append(SystemExit("once"))
            pages = [page_of(scrape, registry) for scrape in (TEXT, TEXT, Scrape(gzip=True))]
        assert ["once"] * 3 == [str(page.exception(SECONDS)) for page in pages]
        assert b"mlmetrics_build_info" in page_of(TEXT, registry).result(SECONDS)

    def test_nobody_can_cancel_it(self, registry: CollectorRegistry) -> None:
        """Others may share the page."""
        with being_written(registry):
            page = page_of(TEXT, registry)
            assert not page.cancel()
        assert page.result(SECONDS)

    def test_a_registry_waits_for_no_other(self, registry: CollectorRegistry) -> None:
        """A collector that hangs holds up the scrapes of its own registry only."""
        with being_written(registry):
            assert b"mlmetrics_build_info" in page_of(TEXT, CollectorRegistry()).result(SECONDS)

    def test_its_thread_ends_and_keeps_no_registry(self) -> None:
        """Some time after the last scrape nothing is left of it."""
        registry = CollectorRegistry()
        kept = weakref.ref(registry)
        page_of(TEXT, registry).result(SECONDS)
        del registry

        def gone() -> bool:
            gc.collect()
            return kept() is None

        wait_until(gone, timeout=SECONDS, what=lambda: f"{threading.enumerate()}")

    def test_a_thread_that_has_ended_is_replaced(self, registry: CollectorRegistry) -> None:
        """A registry can be scraped again at any time."""
        page_of(TEXT, registry).result(SECONDS)
        wait_until(lambda: not writers(), timeout=SECONDS, what=lambda: f"{threading.enumerate()}")
        assert page_of(TEXT, registry).result(SECONDS)


def writers() -> list[threading.Thread]:
    """Return the threads that write pages."""
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


class TestAnswerInThread:
    """`answer_in_thread`."""

    def test_a_cancelled_scrape_leaves_those_of_others_on_asyncio(self, registry: CollectorRegistry) -> None:
        """A client that goes away while it shares a page takes nothing from the others."""

        async def main() -> None:
            with being_written(registry):
                tasks = [asyncio.create_task(answer_in_thread(TEXT, registry)) for _ in range(3)]
                await asyncio.sleep(0)  # all of them have asked
                tasks[0].cancel()
                await asyncio.wait(tasks[:1])
            assert tasks[0].cancelled()
            bodies = [(await task).body for task in tasks[1:]]
            assert bodies[0] is bodies[1]

        asyncio.run(main())

    def test_a_cancelled_scrape_leaves_those_of_others_on_trio(self, registry: CollectorRegistry) -> None:
        """The same on the other event loop."""
        bodies: list[bytes] = []

        async def scrape() -> None:
            bodies.append((await answer_in_thread(TEXT, registry)).body)

        async def main() -> None:
            async with trio.open_nursery() as tasks:
                with being_written(registry):
                    tasks.start_soon(scrape)
                    tasks.start_soon(scrape)
                    with trio.move_on_after(0) as scope:
                        await answer_in_thread(TEXT, registry)
                    assert scope.cancelled_caught
            assert bodies[0] is bodies[1]

        trio.run(main)

    def test_an_event_loop_and_a_server_in_threads_share(self, registry: CollectorRegistry) -> None:
        """The small server and an application of the same registry wait for one writing of the text."""
        pages, answers = _registries.pages, []

        async def scrape() -> str:
            return (await ask(metrics_app(registry), "/", headers={"Accept-Encoding": "identity"})).text

        def both_have_asked() -> bool:
            return 2 == len(pages[registry]._asked)

        with start_metrics_server(0, registry=registry) as server, being_written(registry) as blocking:
            url = f"http://127.0.0.1:{server.port}"  # asked for with compression
            threads = [
                threading.Thread(target=lambda: answers.append(httpx.get(url).text)),
                threading.Thread(target=lambda: answers.append(asyncio.run(scrape()))),
            ]
            for thread in threads:
                thread.start()
            wait_until(both_have_asked, timeout=SECONDS, what=lambda: "one of them has not asked")
            blocking.go_on.set()
            for thread in threads:
                thread.join()
        assert answers[0] == answers[1]
        assert 2 == len(blocking.threads)


@pytest.mark.parametrize(("spent", "pause"), [(0.0, 0.0), (0.001, 0.019), (1.0, LONGEST_PAUSE_SECONDS)])
def test_pause_seconds(spent: float, pause: float) -> None:
    """The thread rests 19 times as long as it has worked, and never so long that a scrape fails."""
    assert pytest.approx(pause) == pause_seconds(spent)
