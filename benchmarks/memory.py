"""Measures the bytes of a series, after it has recorded and has been scraped."""

import gc
import tracemalloc
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from benchmarks.ours import SERVICE, Toolkit
from benchmarks.peers import sample
from benchmarks.results import Row, medians
from benchmarks.timing import NotTheSameError, ratio
from mlmetrics.catalog import OUTCOMES
from mlmetrics.catalog.metric import ACCURACY_BUCKETS, LATENCY_BUCKETS_SECONDS
from mlmetrics.exposition.text import render

SERIES = 1000


def our_histograms() -> tuple[object, float]:
    """Make 1,000 children of our accuracy histogram, with one score each; return what holds them, and their count."""
    toolkit = Toolkit(max_label_values=2 * SERIES)
    for number in range(SERIES):
        toolkit.metrics.track_parsing_accuracy("parser", f"type-{number}", 0.93)
    render(toolkit.registry, openmetrics=False)
    return toolkit, toolkit.value("parsing_accuracy_score_count")


def their_histograms() -> tuple[object, float]:
    """Make the same histograms in prometheus_client."""
    registry = CollectorRegistry()
    names = ("service", "parser", "doc_type")
    scores = Histogram("parsing_accuracy_score", "Scores.", names, buckets=ACCURACY_BUCKETS, registry=registry)
    for number in range(SERIES):
        scores.labels(SERVICE, "parser", f"type-{number}").observe(0.93)
    generate_latest(registry)
    return (registry, scores), sample(registry, "parsing_accuracy_score_count")


def our_calls() -> tuple[object, float]:
    """Make 1,000 series of calls, with one call each: duration, three outcomes, in progress."""
    toolkit = Toolkit(max_label_values=2 * SERIES)
    for number in range(SERIES):
        toolkit.metrics.track_ml_inference(f"model-{number}", SERVICE, 0.2, success=True)
    render(toolkit.registry, openmetrics=False)
    return toolkit, toolkit.value("ml_inference_duration_seconds_count")


def their_calls() -> tuple[object, float]:
    """Make the same series in prometheus_client, with each child looked up once."""
    registry = CollectorRegistry()
    names = ("service", "model", "operation")
    durations = Histogram("calls_seconds", "Calls.", names, buckets=LATENCY_BUCKETS_SECONDS, registry=registry)
    outcomes = Counter("calls", "Calls.", (*names, "outcome"), registry=registry)
    running = Gauge("calls_in_progress", "Calls.", names, registry=registry)
    for number in range(SERIES):
        labels = (SERVICE, f"model-{number}", "")
        running.labels(*labels)
        for outcome in OUTCOMES:
            outcomes.labels(*labels, outcome)
        outcomes.labels(*labels, "success").inc()
        durations.labels(*labels).observe(0.2)
    generate_latest(registry)
    return (registry, durations, outcomes, running), sample(registry, "calls_seconds_count")


def measure_memory(_rounds: int) -> list[Row]:
    """Measure both, and the same in prometheus_client; allocations are counted, so one round is enough."""
    return [
        _row("memory/histogram", our_histograms, their_histograms),
        _row("memory/call", our_calls, their_calls),
    ]


def _row(name: str, ours: Callable[[], tuple[object, float]], theirs: Callable[[], tuple[object, float]]) -> Row:
    sizes = {"ours": [_bytes(ours)], "theirs": [_bytes(theirs)]}
    return Row(name, ratio(sizes["ours"], sizes["theirs"]), "bytes", medians(**sizes))


def _bytes(make: Callable[[], tuple[object, float]]) -> float:
    make()  # what is made once in a process is not part of a series
    gc.collect()
    tracemalloc.start()
    kept, recorded = make()
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    if recorded != SERIES or kept is None:
        raise NotTheSameError(f"{recorded} of {SERIES} recorded")
    return size / SERIES
