"""What is recorded is exact and in order: threads, signal handlers, interrupted folds, random sequences."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import signal
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.recording import collector
from mlmetrics.recording.series import BOUND
from tests.interruption import Interruption, points
from tests.recorded import errors, value

THREADS = 16
CALLS = 20_000
VERBS = ("inc", "dec", "set", "scrape")
# Quarters, so that sums are exact in any order.
STEPS = st.lists(st.tuples(st.sampled_from(VERBS), st.integers(-400, 400).map(lambda number: number / 4)), max_size=40)


@pytest.fixture(params=["in memory", "in files"])
def toolkit(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MLMetrics:
    """Return a toolkit that records in memory, or in files as one of several processes."""
    if request.param == "in files":
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return MLMetrics(service="s", registry=CollectorRegistry())


def test_threads(toolkit: MLMetrics) -> None:
    """16 threads with 20,000 calls each, while somebody scrapes: every call counts, once."""
    accepted = toolkit.counter("cv_accepted", "CVs.", ("country",))
    waiting = toolkit.gauge("cv_waiting", "CVs.", ("country",))
    pages = toolkit.histogram("cv_pages", "Pages.", ("country",), buckets=(1, 2))
    registry, done = toolkit.registry, threading.Event()

    def work(number: int) -> None:
        country = f"c{number % 3}"
        child = waiting.labels(country)
        change = child.inc if number % 2 else child.dec
        for index in range(CALLS):
            accepted.labels(country=country).inc()
            change(1 + index % 2)
            pages.labels(country).observe(0.5 + index % 3)

    def scrape() -> None:
        last = 0.0
        while not done.is_set():
            now = value(registry, "cv_accepted_total") if accepted._children else 0.0
            assert now >= last
            last = now

    scraper = threading.Thread(target=scrape)
    scraper.start()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    scraper.join()
    assert THREADS * CALLS == value(registry, "cv_accepted_total") == value(registry, "cv_pages_count")
    assert 0 == value(registry, "cv_waiting")
    assert value(registry, "cv_pages_count") == value(registry, "cv_pages_bucket", le="+Inf")
    assert {} == errors(registry)


def test_the_last_value_that_is_set(toolkit: MLMetrics) -> None:
    """Of the values that threads set, one of the last of each remains, and what was added after it."""
    waiting = toolkit.gauge("cv_waiting", "CVs.")

    def work(number: int) -> None:
        for index in range(5 * BOUND):
            waiting.set(index)
        waiting.set(1000 * (number + 1) + 10_000)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waiting.inc(5)
    assert value(toolkit.registry, "cv_waiting") - 5 in {11_000, 12_000, 13_000, 14_000}


@given(steps=STEPS)
def test_random_sequences(steps: list[tuple[str, float]]) -> None:
    """After any sequence of inc, dec, set and scrapes a gauge is what a plain variable is."""
    _follow(MLMetrics(service="s", registry=CollectorRegistry()), steps)


@settings(max_examples=30)
@given(steps=STEPS)
def test_random_sequences_in_files(steps: list[tuple[str, float]], tmp_path_factory: pytest.TempPathFactory) -> None:
    """So is one whose numbers stand in files, of each mode in which it can be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path_factory.mktemp("files")))
        _follow(MLMetrics(service="s", registry=CollectorRegistry()), steps)


def _follow(metrics: MLMetrics, steps: list[tuple[str, float]]) -> None:
    modes: tuple[Any, ...] = ("all", "liveall", "max", "livemin", "sum", "livesum")
    gauges = {mode: metrics.gauge(f"cv_{mode}_now", "CVs.", multiprocess_mode=mode) for mode in modes}
    counter, expected, total = metrics.counter("cv_accepted", "CVs."), 0.0, 0.0
    for verb, amount in [*steps, ("scrape", 0.0)]:
        if verb == "scrape":
            assert [expected] * len(modes) == [value(metrics.registry, f"cv_{mode}_now") for mode in modes]
            assert total == value(metrics.registry, "cv_accepted_total")
            continue
        expected = {"inc": expected + amount, "dec": expected - amount, "set": amount}[verb]
        total += abs(amount)
        counter.inc(abs(amount))
        for gauge in gauges.values():
            getattr(gauge, verb)(amount)
    assert {} == errors(metrics.registry)


def test_signal_handlers(toolkit: MLMetrics) -> None:
    """A handler that records in the midst of what it interrupts loses and doubles nothing."""
    accepted = toolkit.counter("cv_accepted", "CVs.", ("country",))
    waiting = toolkit.gauge("cv_waiting", "CVs.")
    handled = 0

    def handler(_number: int, _frame: FrameType | None) -> None:
        nonlocal handled
        handled += 1
        accepted.labels(country=f"c{handled % 7}").inc()
        waiting.dec(2)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        for index in range(30_000):
            accepted.labels(country=f"c{index % 5}").inc()
            waiting.inc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert handled
    assert 30_000 + handled == value(toolkit.registry, "cv_accepted_total")
    assert 30_000 - 2 * handled == value(toolkit.registry, "cv_waiting")


FILES = (
    *("/plain/labelled.py", "/plain/verbs.py", "/recording/store.py", "/recording/admitting.py"),
    "/recording/collector.py",
)
DECLARE: dict[str, Callable[[MLMetrics], Any]] = {
    "a counter": lambda metrics: metrics.counter("cv_accepted", "CVs."),
    "labels": lambda metrics: metrics.counter("cv_accepted", "CVs.", ("country",)).labels(country="fr"),
}


@pytest.mark.parametrize("what", DECLARE)
def test_interrupted_declaration(what: str) -> None:
    """A declaration, or labels, that a signal handler breaks off anywhere can be done again, and records once."""
    declare = DECLARE[what]

    def fresh() -> MLMetrics:
        metrics = MLMetrics(service="s", registry=CollectorRegistry())
        metrics.store  # noqa: B018 (the catalogue's are registered before)
        return metrics

    places = points(lambda: partial(declare, fresh()), *FILES)
    for at in places:
        metrics, interruption = fresh(), Interruption(at, *FILES)
        assert interruption.during(partial(declare, metrics))
        assert "unlocked" in repr(collector._registering), interruption.place
        declare(metrics).inc()
        declare(metrics).inc(2)
        assert 3 == value(metrics.registry, "cv_accepted_total"), interruption.place
        assert {} == errors(metrics.registry), interruption.place
    assert len(places) > 10


class Handler(Interruption):
    """A signal handler that does something at a delivery point, and lets the work go on."""

    def __init__(self, at: int, handle: Callable[[], object], *files: str) -> None:
        super().__init__(at, *files)
        self._handle = handle
        self.where = ""

    def due(self, code: CodeType, offset: int) -> bool:
        """Do it if it is time."""
        if super().due(code, offset):
            self.where, self.place = self.place, ""
            self._handle()
        return False


@pytest.mark.parametrize("kind", ["in memory", "in files"])
def test_handlers_that_record_first(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that records in a series while its first call makes it, anywhere, has its number counted too."""
    files = (*FILES, "/recording/placed.py", "/recording/host.py", "/workers/files.py", "/workers/mapped.py")
    for at in count(1):
        if kind == "in files":
            monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(dir=tmp_path))
        metrics = MLMetrics(service="s", registry=CollectorRegistry())
        accepted = metrics.counter("cv_accepted", "CVs.", ("country",))
        waiting = metrics.gauge("cv_waiting", "CVs.", ("country",))

        def record(accepted: Any = accepted, waiting: Any = waiting) -> None:
            accepted.labels(country="fr").inc()
            waiting.labels(country="fr").inc()

        handler = Handler(at, record, *files)
        handler.during(record)
        record()
        expected = 3 if handler.where else 2
        assert expected == value(metrics.registry, "cv_accepted_total"), handler.where
        assert expected == value(metrics.registry, "cv_waiting"), handler.where
        if not handler.where:
            assert at > 50
            return


@pytest.mark.parametrize("verb", ["inc", "set"])
def test_interrupted_call(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that folds, and is broken off in it, has recorded its number once or not at all; later ones are exact."""
    monkeypatch.setattr("mlmetrics.plain.verbs.BOUND", 8)
    files = (*FILES, "/recording/series.py", "/recording/folding.py", "/recording/cells.py")
    made: list[tuple[MLMetrics, Any]] = []

    def full() -> Callable[[], object]:
        metrics = MLMetrics(service="s", registry=CollectorRegistry())
        gauge = metrics.gauge("cv_waiting", "CVs.")
        made.append((metrics, gauge))
        gauge._pending.extend([(1,)] * 7)
        gauge.set(7)
        return lambda: getattr(gauge, verb)(3)

    places = points(full, *files)
    for at in places:
        interruption = Interruption(at, *files)
        assert interruption.during(full())
        metrics, gauge = made[-1]
        assert value(metrics.registry, "cv_waiting") in {7.0, 10.0 if verb == "inc" else 3.0}, interruption.place
        gauge.set(1)
        gauge.dec(0.5)
        assert 0.5 == value(metrics.registry, "cv_waiting"), interruption.place
    assert len(places) > 10
