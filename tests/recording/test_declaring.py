"""Metrics that a project declares: in the store and in the registry, all of them or none, and in every scrape."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import threading
from collections import Counter as Counted
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from mlmetrics import DeclarationError, MLMetrics, RegistrationError
from mlmetrics.catalog import Metric
from mlmetrics.exposition.text import render
from mlmetrics.recording.collector import declare, store_for
from tests.recorded import outcomes, samples, value

ACCEPTED = Metric("cv_accepted_total", "counter", "Accepted CVs.", ("service", "country"))
WAITING = Metric("cv_waiting", "gauge", "Waiting CVs.", ("service",))
PAGES: list[Callable[[CollectorRegistry], bytes]] = [render, generate_latest]


def families_of(page: bytes) -> dict[str, int]:
    """Return how often each family of a project's own stands on a page."""
    lines = [line.split() for line in page.decode().splitlines() if line.startswith("# TYPE ")]
    return Counted(name for _, _, name, _ in lines if name.startswith(("cv_", "ml_retrieval", "ml_step")))


class TestDeclare:
    """`declare`."""

    def test_again_and_with_more(self, registry: CollectorRegistry) -> None:
        """What is declared already stays with its numbers, and what is new is added."""
        store = store_for(registry)
        declare(store, [ACCEPTED])
        store.counter(ACCEPTED.name, ("s", "fr")).record(2)
        declare(store, [ACCEPTED, WAITING])
        store.gauge(WAITING.name, ("s",)).record(3)
        assert 2 == value(registry, ACCEPTED.name, country="fr")
        assert 3 == value(registry, WAITING.name)
        assert {ACCEPTED.name: 1, WAITING.name: 1} == families_of(render(registry))

    @pytest.mark.parametrize(
        "other",
        [
            Metric("cv_accepted_total", "counter", "Accepted CVs.", ("service", "city")),
            Metric("cv_accepted_total", "gauge", "Accepted CVs.", ("service", "country")),
            Metric("cv_accepted", "gauge", "Accepted CVs.", ("service",)),
            Metric("cv_accepted_created", "gauge", "Accepted CVs.", ("service",)),
            Metric("ml_inference_total", "counter", "Mine.", ("service",)),
            Metric("ml_inference_duration_seconds_bucket", "gauge", "Mine.", ("service",)),
        ],
        ids=lambda metric: f"{metric.name} {metric.kind}",
    )
    def test_clashes(self, registry: CollectorRegistry, other: Metric) -> None:
        """A name of another metric, or of one of its samples, is refused with all that is declared beside it."""
        store = store_for(registry)
        declare(store, [ACCEPTED])
        with pytest.raises(DeclarationError, match=f"^{other.name}"):
            declare(store, [WAITING, other])
        assert [ACCEPTED.name] == list(store.own)
        declare(store, [WAITING])
        assert [ACCEPTED.name, WAITING.name] == list(store.own)

    def test_what_the_registry_has(self, registry: CollectorRegistry) -> None:
        """A name that somebody else registered is refused by name, and nothing of the declaration stays."""
        store = store_for(registry)
        theirs = Gauge("cv_waiting", "By hand.", registry=registry)
        with pytest.raises(RegistrationError, match="cv_accepted_total, cv_waiting: the registry already holds"):
            declare(store, [ACCEPTED, WAITING])
        assert not store.own.keys() | {ACCEPTED.name, WAITING.name} & store.families.keys()
        Gauge("cv_accepted", "By hand.", registry=registry)
        registry.unregister(theirs)
        declare(store, [WAITING])
        assert [WAITING.name] == list(store.own)

    def test_broken_off_by_the_client(self, registry: CollectorRegistry) -> None:
        """A signal handler that raises between two names that the client notes leaves none of them taken."""
        store, noted = store_for(registry), registry._names_to_collectors

        class Interrupting(dict[str, Any]):
            """Names of which the second new one is interrupted."""

            def __setitem__(self, name: str, collector: Any) -> None:
                if len(self) > len(noted):
                    raise KeyboardInterrupt
                super().__setitem__(name, collector)

        registry._names_to_collectors = Interrupting(noted)
        with pytest.raises(KeyboardInterrupt):
            declare(store, [ACCEPTED])
        assert noted == registry._names_to_collectors
        registry._names_to_collectors = noted
        declare(store, [ACCEPTED])
        assert [ACCEPTED.name] == list(store.own)

    def test_places_of_mistakes(self, registry: CollectorRegistry) -> None:
        """From the declaration on, each label's place stands at 0."""
        store = store_for(registry)
        declare(store, [ACCEPTED])
        assert 0 == value(registry, "mlmetrics_recording_errors_total", where="label.country")

    def test_by_many_threads(self, registry: CollectorRegistry) -> None:
        """Threads that declare the same at the same time get one family."""
        store, barrier = store_for(registry), threading.Barrier(8)

        def run() -> None:
            barrier.wait()
            declare(store, [ACCEPTED])
            store.record(store.counter(ACCEPTED.name, ("s", "fr")), 1)

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 8 == value(registry, ACCEPTED.name)


class TestScrapes:
    """What scrapes get of it."""

    def test_of_some_names(self, registry: CollectorRegistry) -> None:
        """A scrape of some names gives these, with all that was recorded until then, once."""
        metrics = MLMetrics(service="s", registry=registry)
        retrieval, other = metrics.operation("retrieval", ("index",)), metrics.operation("step")
        for _ in range(3):
            retrieval.record(0.5, index="docs")
            other.record(0.5)
        for page in (
            generate_latest(registry.restricted_registry(["ml_retrieval_total"])),
            render(registry, names=["ml_retrieval_total"]),
        ):
            assert {"ml_retrieval_total": 1} == families_of(page)
            assert b'ml_retrieval_total{index="docs",outcome="success",service="s"} 3.0\n' in page
        both = ["ml_step_total", "ml_inference_total", "ml_retrieval_duration_seconds_count"]
        assert {"ml_step_total": 1, "ml_retrieval_duration_seconds": 1} == families_of(render(registry, names=both))

    @pytest.mark.parametrize("page", PAGES)
    def test_while_more_is_declared(
        self, registry: CollectorRegistry, page: Callable[[CollectorRegistry], bytes]
    ) -> None:
        """No scrape has a family twice, and none misses one that an earlier declaration has made."""
        metrics = MLMetrics(service="s", registry=registry)
        made: list[str] = []
        wrong: list[object] = []
        done = threading.Event()

        def scrape() -> None:
            while not done.is_set():
                expected = set(made)
                found = families_of(page(registry))
                wrong.extend(name for name in expected - found.keys())
                wrong.extend(name for name, times in found.items() if times != 1)

        threads = [threading.Thread(target=scrape) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(40):
            metrics.operation(f"step_{number}").record(0.5)
            made.extend((f"ml_step_{number}_total", f"ml_step_{number}_duration_seconds"))
        done.set()
        for thread in threads:
            thread.join()
        assert [] == wrong
        assert set(made) <= families_of(page(registry)).keys()

    def test_a_cleared_registry(self, registry: CollectorRegistry) -> None:
        """After the registry was cleared, each way to record or scrape exposes everything again, with its numbers."""
        metrics = MLMetrics(service="s", registry=registry)
        retrieval = metrics.operation("retrieval")
        tracked = retrieval.track(lambda: None)
        again: list[Callable[[], object]] = [
            lambda: retrieval.record(0.5),
            lambda: metrics.operation("retrieval"),
            lambda: metrics.track_inference(model="m"),
            lambda: render(registry),
        ]
        for each in again:
            for collector in list(registry._collector_to_names):
                registry.unregister(collector)
            tracked()
            each()
            assert {"ml_retrieval_total", "ml_retrieval_duration_seconds"} <= families_of(
                generate_latest(registry)
            ).keys()
        assert {"success": 5} == outcomes(registry, "retrieval")
        assert 1 == len(list(samples(registry, "ml_retrieval_total", outcome="success")))

    def test_names_that_are_taken_meanwhile(self, registry: CollectorRegistry) -> None:
        """In a cleared registry, a name that somebody else took is told, until it is free."""
        metrics = MLMetrics(service="s", registry=registry)
        retrieval = metrics.operation("retrieval")
        retrieval.record(0.5)
        for collector in list(registry._collector_to_names):
            registry.unregister(collector)
        theirs = Gauge("ml_retrieval_total", "By hand.", registry=registry)
        for _ in range(2):
            with pytest.raises(RegistrationError, match=r"ml_retrieval_total.*: the registry already holds a metric"):
                metrics.operation("embedding")
        registry.unregister(theirs)
        metrics.operation("embedding").record(0.5)
        assert {"success": 1} == outcomes(registry, "retrieval") == outcomes(registry, "embedding")
