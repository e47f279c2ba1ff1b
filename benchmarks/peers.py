"""The alternatives for calls: prometheus_client's timer, the hand-written style, OpenTelemetry."""

from collections.abc import Callable
from itertools import repeat
from time import perf_counter, time
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, Counter, Histogram

from benchmarks.floor import calling, noop
from benchmarks.timing import NotTheSameError, Side
from mlmetrics.catalog.metric import LATENCY_BUCKETS_SECONDS

MODEL, SERVICE = "gpt-4", "benchmark"


def histogram(registry: CollectorRegistry) -> Histogram:
    """Return a histogram with the same labels and buckets as ours."""
    names = ("service", "model", "operation")
    return Histogram("calls_seconds", "Calls.", names, registry=registry, buckets=LATENCY_BUCKETS_SECONDS)


def sample(registry: CollectorRegistry, name: str) -> float:
    """Return the sum of all samples of this name."""
    return sum(found.value for family in registry.collect() for found in family.samples if found.name == name)


def histogram_time() -> Side:
    """Return the side that decorates with prometheus_client's timer on a bound child."""
    registry = CollectorRegistry()
    timed = histogram(registry).labels(SERVICE, MODEL, "").time()(noop)
    return Side("histogram_time", calling(timed), lambda: sample(registry, "calls_seconds_count"))


def histogram_block() -> Side:
    """Return the side that times a block with the histogram's timer."""
    registry = CollectorRegistry()
    child = histogram(registry).labels(SERVICE, MODEL, "")

    def run(units: int) -> None:
        for _ in repeat(None, units):
            with child.time():
                noop(1)

    return Side("histogram_time", run, lambda: sample(registry, "calls_seconds_count"))


def handwritten() -> Side:
    """Return what users write by hand in every endpoint: a start, and two look-ups by label at the end."""
    registry = CollectorRegistry()
    durations = histogram(registry)
    names = ("service", "model", "operation", "outcome")
    outcomes = Counter("calls", "Calls.", names, registry=registry)

    def timed(number: int) -> int:
        start = time()
        try:
            result = noop(number)
        except Exception:
            outcomes.labels(SERVICE, MODEL, "", "failure").inc()
            raise
        outcomes.labels(SERVICE, MODEL, "", "success").inc()
        durations.labels(SERVICE, MODEL, "").observe(time() - start)
        return result

    return Side("handwritten", calling(timed), lambda: _agreed(registry))


def _agreed(registry: CollectorRegistry) -> float:
    counted, timed = sample(registry, "calls_total"), sample(registry, "calls_seconds_count")
    if counted != timed:
        raise NotTheSameError(f"{counted} counted, {timed} timed")
    return counted


def opentelemetry() -> Side:
    """Return the side of OpenTelemetry's metrics SDK: one record and one add, with the same attributes and bounds."""
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader]).get_meter("benchmark")
    bounds = LATENCY_BUCKETS_SECONDS
    durations = meter.create_histogram("calls.duration", "s", explicit_bucket_boundaries_advisory=bounds)
    outcomes = meter.create_counter("calls")
    labels = {"service": SERVICE, "model": MODEL, "operation": ""}
    succeeded = {**labels, "outcome": "success"}

    def timed(number: int) -> int:
        start = perf_counter()
        result = noop(number)
        durations.record(perf_counter() - start, labels)
        outcomes.add(1, succeeded)
        return result

    return Side("opentelemetry", calling(timed), lambda: _read(reader))


def _read(reader: InMemoryMetricReader) -> float:
    data: Any = reader.get_metrics_data()
    if data is None:
        return 0.0
    points = {
        metric.name: metric.data.data_points[0]
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    if points["calls"].value != points["calls.duration"].count:
        raise NotTheSameError("OpenTelemetry's record and add disagree")
    return float(points["calls"].value)


PEERS: tuple[Callable[[], Side], ...] = (histogram_time, handwritten, opentelemetry)
