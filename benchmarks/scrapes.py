"""Measures scrapes of 1,000 models' series: without changes, with all series changed, and while threads record."""

import statistics
import threading
from collections.abc import Callable, Sequence
from itertools import repeat
from math import log
from random import Random
from time import perf_counter_ns, thread_time_ns

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from benchmarks.floor import noop
from benchmarks.ours import SERVICE, Toolkit
from benchmarks.results import Row, medians
from benchmarks.timing import NotTheSameError, Times, collecting, ratio
from mlmetrics.catalog import OUTCOMES
from mlmetrics.catalog.metric import LATENCY_BUCKETS_SECONDS
from mlmetrics.exposition.text import render

SERIES = 1000
CALLS_BETWEEN = 10
"""Calls of each series between two scrapes, where they have changed."""
FASTEST_SECONDS, SLOWEST_SECONDS = 0.05, 10.0
SPREAD = 0.7
"""Of a model's latencies about its own median, log-normal: half a dozen buckets."""
SLOW_SECONDS = 1e9
"""No calls that are logged as slow: logging is none of a scrape's business."""
THREADS = 8
CALLS_OF_A_THREAD = 20_000
P99 = 99
Write = Callable[[CollectorRegistry], bytes]


class Filled:
    """A registry with the series of 1,000 models, and the calls that change them."""

    def __init__(self) -> None:
        self.toolkit = Toolkit(max_label_values=2 * SERIES, slow_seconds=SLOW_SECONDS)
        self.registry = self.toolkit.registry
        self._random = Random(SERIES)  # noqa: S311 (the same durations in every run, no secrets)
        self.change()

    def change(self) -> None:
        """Record some calls of every model, with latencies around a median of the model."""
        for model in range(SERIES):
            for seconds in latencies(self._random, model, CALLS_BETWEEN):
                self.toolkit.metrics.track_ml_inference(f"model-{model}", SERVICE, seconds, success=True)


def latencies(source: Random, model: int, calls: int) -> list[float]:
    """Return this number of durations of a model's calls."""
    median = log(FASTEST_SECONDS) + log(SLOWEST_SECONDS / FASTEST_SECONDS) * model / SERIES
    return [source.lognormvariate(median, SPREAD) for _ in range(calls)]


class Native:
    """The same series as prometheus_client's own metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        names = ("service", "model", "operation")
        self.durations = Histogram(
            "ml_inference_duration_seconds", "Calls.", names, buckets=LATENCY_BUCKETS_SECONDS, registry=self.registry
        )
        self.outcomes = Counter("ml_inference", "Calls.", (*names, "outcome"), registry=self.registry)
        self.running = Gauge("ml_inference_in_progress", "Calls.", names, registry=self.registry)
        self._random = Random(SERIES)  # noqa: S311 (the same durations in every run, no secrets)
        self.change()

    def change(self) -> None:
        """Record a round of calls in every series, as `Filled.change` does."""
        for model in range(SERIES):
            labels = (SERVICE, f"model-{model}", "")
            self.running.labels(*labels)
            children = {outcome: self.outcomes.labels(*labels, outcome) for outcome in OUTCOMES}
            for seconds in latencies(self._random, model, CALLS_BETWEEN):
                children["success"].inc()
                self.durations.labels(*labels).observe(seconds)


def text(registry: CollectorRegistry) -> bytes:
    """Return our text in the format 0.0.4."""
    return render(registry, openmetrics=False)


def openmetrics(registry: CollectorRegistry) -> bytes:
    """Return our text in the format OpenMetrics 1.0.0."""
    return render(registry, openmetrics=True)


FORMATS: dict[str, tuple[Write, Write]] = {
    "text": (text, generate_latest),
    "openmetrics": (openmetrics, generate_openmetrics),
}


def measure_scrapes(rounds: int) -> list[Row]:
    """Measure both formats, for series that have not changed and for series that have all changed."""
    filled, native = Filled(), Native()
    rows = []
    with collecting(on=False):
        for name, (ours, theirs) in FORMATS.items():
            _check(filled, ours, theirs)
            rows.append(_row(f"scrape/{name}_idle", _alternate(filled, ours, theirs, rounds, lambda: None)))
            rows.append(_row(f"scrape/{name}_changed", _alternate(filled, ours, theirs, rounds, filled.change)))
            _check(filled, ours, theirs)
        changed: dict[str, list[float]] = {"theirs": [], "ours": []}
        for _ in repeat(None, rounds):
            changed["theirs"] += _repeat(generate_latest, native.registry, 1, native.change)
            changed["ours"] += _repeat(text, filled.registry, 1, filled.change)
    return [*rows, _row("scrape/native", changed)]


def _check(filled: Filled, ours: Write, theirs: Write) -> None:
    """Check that both sides write the same bytes, with all the expected series."""
    filled.change()
    expected, written = theirs(filled.registry), ours(filled.registry)
    if written != expected:
        raise NotTheSameError(f"{len(written)} bytes differ from the {len(expected)} of generate_latest")
    if written.count(b"ml_inference_duration_seconds_bucket{") != SERIES * (len(LATENCY_BUCKETS_SECONDS) + 1):
        raise NotTheSameError("not the series that should be there")


def _alternate(filled: Filled, ours: Write, theirs: Write, rounds: int, change: Callable[[], None]) -> Times:
    times: dict[str, list[float]] = {"theirs": [], "ours": []}
    for _ in repeat(None, rounds):
        times["theirs"] += _repeat(theirs, filled.registry, 1, change)
        times["ours"] += _repeat(ours, filled.registry, 1, change)
    return times


def _repeat(write: Write, registry: CollectorRegistry, rounds: int, change: Callable[[], None]) -> list[float]:
    times = []
    for _ in repeat(None, rounds):
        change()
        start = thread_time_ns()
        write(registry)
        times.append((thread_time_ns() - start) / 1e6)
    return times


def _row(name: str, times: Times) -> Row:
    return Row(name, ratio(times["theirs"], times["ours"]), "ms", medians(**times))


def measure_scrape_p99(rounds: int) -> list[Row]:
    """Measure the 99th percentile of a recording's time, alone and while a thread scrapes without pause."""
    filled = Filled()
    track = filled.toolkit.metrics.track_inference
    functions = [track(model=f"model-{number}")(noop) for number in range(THREADS)]
    before = [filled.toolkit.calls(f"model-{number}") for number in range(THREADS)]
    p99: dict[str, list[float]] = {"left_alone": [], "scraped": []}
    for _ in repeat(None, rounds):
        p99["left_alone"].append(_p99(functions))
        stop = threading.Event()
        scraper = threading.Thread(target=_scrape, args=(filled.registry, stop))
        scraper.start()
        p99["scraped"].append(_p99(functions))
        stop.set()
        scraper.join()
    for number in range(THREADS):
        recorded = filled.toolkit.calls(f"model-{number}") - before[number]
        if recorded != 2 * rounds * CALLS_OF_A_THREAD:
            raise NotTheSameError(f"{recorded} of {2 * rounds * CALLS_OF_A_THREAD} calls recorded")
    return [Row("scrape_p99/recording", ratio(p99["scraped"], p99["left_alone"]), "ns", medians(**p99))]


def _scrape(registry: CollectorRegistry, stop: threading.Event) -> None:
    while not stop.is_set():
        render(registry, openmetrics=False)


def _p99(functions: Sequence[Callable[[int], int]]) -> float:
    """Return the 99th percentile of all threads' calls."""
    taken: list[list[int]] = [[] for _ in functions]

    def record(function: Callable[[int], int], append: Callable[[int], None]) -> None:
        for _ in repeat(None, CALLS_OF_A_THREAD):
            start = perf_counter_ns()
            function(1)
            append(perf_counter_ns() - start)

    threads = [
        threading.Thread(target=record, args=(function, kept.append))
        for function, kept in zip(functions, taken, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statistics.quantiles((each for kept in taken for each in kept), n=100)[P99 - 1]
