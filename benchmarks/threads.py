"""Measures eight threads that record into one series, compared with a bound histogram and counter."""

import threading
from collections.abc import Callable
from itertools import repeat
from time import perf_counter, perf_counter_ns

from prometheus_client import CollectorRegistry, Counter

from benchmarks.floor import noop
from benchmarks.ours import SERVICE, Toolkit
from benchmarks.peers import MODEL, histogram, sample
from benchmarks.results import Row, medians
from benchmarks.timing import NotTheSameError, ratio

THREADS = 8
CALLS_OF_A_THREAD = 5_000
Call = Callable[[int], int]


def bound_metrics(registry: CollectorRegistry) -> Call:
    """Return a function that records its time into bound children."""
    observe = histogram(registry).labels(SERVICE, MODEL, "").observe
    names = ("service", "model", "operation", "outcome")
    inc = Counter("calls", "Calls.", names, registry=registry).labels(SERVICE, MODEL, "", "success").inc

    def timed(number: int) -> int:
        start = perf_counter()
        result = noop(number)
        observe(perf_counter() - start)
        inc()
        return result

    return timed


def measure_threads(rounds: int) -> list[Row]:
    """Measure the calls a second of all threads together, and check that every call was counted."""
    toolkit, registry = Toolkit(), CollectorRegistry()
    ours, theirs = toolkit.metrics.track_inference(model=MODEL)(noop), bound_metrics(registry)
    throughput: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in repeat(None, rounds):
        throughput["ours"].append(_calls_a_ms(ours, toolkit.fold))
        throughput["theirs"].append(_calls_a_ms(theirs, lambda: None))
    expected = rounds * THREADS * CALLS_OF_A_THREAD
    counts = toolkit.calls(MODEL), sample(registry, "calls_total"), sample(registry, "calls_seconds_count")
    if set(counts) != {expected}:
        raise NotTheSameError(f"{counts} counted of {expected}")
    return [
        Row("threads/throughput", ratio(throughput["ours"], throughput["theirs"]), "calls/ms", medians(**throughput))
    ]


def _calls_a_ms(function: Call, finish: Callable[[], object]) -> float:
    ready = threading.Barrier(THREADS + 1)

    def work() -> None:
        ready.wait()
        for _ in repeat(None, CALLS_OF_A_THREAD):
            function(1)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    ready.wait()
    start = perf_counter_ns()
    for thread in threads:
        thread.join()
    finish()
    return THREADS * CALLS_OF_A_THREAD / ((perf_counter_ns() - start) / 1e6)
