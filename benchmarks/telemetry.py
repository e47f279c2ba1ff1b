"""OpenTelemetry beside our own metrics: a call whose numbers are handed on, and what the background pays for each."""

from collections import deque
from collections.abc import Callable
from itertools import repeat
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from benchmarks.floor import calling, noop
from benchmarks.ours import SERVICE, Toolkit
from benchmarks.results import Row, medians
from benchmarks.timing import Side, added, interleave, ratio
from mlmetrics.integrations import opentelemetry
from mlmetrics.integrations.conventions import INSTRUMENTS
from mlmetrics.recording.outbox import Outbox

MODEL = "gpt-4"
SECONDS = 0.25
GAPS = "ml_inference_chunk_interval_seconds"
ATTRIBUTES = {
    "gen_ai.operation.name": "inference",
    "gen_ai.request.model": MODEL,
    "gen_ai.provider.name": "_OTHER",
}


def measure_telemetry(rounds: int) -> list[Row]:
    """Measure a call, and a number on its way to a meter provider."""
    return [_call(rounds), _number(rounds)]


def _call(rounds: int) -> Row:
    """Measure a decorated function whose folds hand the numbers on, and one whose folds do not."""
    plain, handing = Toolkit(), Toolkit()
    outbox = handing.metrics.store.outbox = Outbox(INSTRUMENTS)

    def fold() -> None:
        handing.fold()
        outbox.move_to(deque())

    sides = [
        Side("bare", calling(noop)),
        Side(
            "plain", calling(plain.metrics.track_inference(model=MODEL)(noop), plain.fold), lambda: plain.calls(MODEL)
        ),
        Side("used", calling(handing.metrics.track_inference(model=MODEL)(noop), fold), lambda: handing.calls(MODEL)),
    ]
    times = interleave(sides, rounds)
    used, plainly = added(times, "used"), added(times, "plain")
    return Row("otel/call", ratio(used, plainly), "ns", medians(used=used, plain=plainly))


def _number(rounds: int) -> Row:
    """Measure what a number costs more in the background than our own fold, and `record` of the SDK's histogram."""
    opentelemetry.PERIOD_SECONDS = 3600  # this thread does it, so that its processor time is measured
    plain, handing, reader, theirs = Toolkit(), Toolkit(), InMemoryMetricReader(), InMemoryMetricReader()
    export = opentelemetry.Export(handing.metrics.store, MeterProvider([reader]).get_meter("benchmark"))
    export.begin()
    row = INSTRUMENTS[GAPS]
    record = (
        MeterProvider([theirs])
        .get_meter("benchmark")
        .create_histogram(row.name, row.unit, explicit_bucket_boundaries_advisory=row.bounds)
        .record
    )

    def direct(units: int) -> None:
        for _ in repeat(None, units):
            record(SECONDS, ATTRIBUTES)

    sides = [
        Side("bare", _recording(plain, plain.fold)),
        Side("ours", _recording(handing, export.flush), lambda: _count(reader)),
        Side("loop", _nothing),
        Side("theirs", direct, lambda: _count(theirs)),
    ]
    times = interleave(sides, rounds)
    export.end()
    ours, sdk = added(times, "ours"), added(times, "theirs", "loop")
    return Row("otel/number", ratio(ours, sdk), "ns", medians(ours=ours, theirs=sdk))


def _recording(toolkit: Toolkit, finish: Callable[[], object]) -> Callable[[int], None]:
    store = toolkit.metrics.store
    series = store.histogram(GAPS, (SERVICE, MODEL, ""))

    def run(units: int) -> None:
        for _ in repeat(None, units):
            store.record(series, SECONDS)
        finish()

    return run


def _nothing(units: int) -> None:
    for _ in repeat(None, units):
        pass


def _count(reader: InMemoryMetricReader) -> float:
    data: Any = reader.get_metrics_data()
    if data is None:
        return 0.0
    metrics = [metric for each in data.resource_metrics for scope in each.scope_metrics for metric in scope.metrics]
    return float(sum(point.count for metric in metrics for point in metric.data.data_points))
