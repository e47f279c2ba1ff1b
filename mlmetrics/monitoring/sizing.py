"""What pods ask of a Prometheus: series, samples, bytes, memory and time, from the catalogue and what a pod does.

The series of a pod follow from the catalogue, so that a new row or bucket is counted without a change here. What a
series and a sample cost was measured: `make scale` measures it again, and says how far the plan is from that.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from types import MappingProxyType

from mlmetrics.catalog import OPERATIONS, OUTCOMES, RECORDING_PLACES, TOKEN_TYPES, Metric, Operation
from mlmetrics.catalog.models import VERDICTS
from mlmetrics.catalog.requests import WEBSOCKETS
from mlmetrics.catalog.surroundings import LIMITS, LOOKUPS, REASONS
from mlmetrics.monitoring.operations import ONLY_REQUESTS, Requests, metrics_in_use

DAY_SECONDS = 86_400
# prometheus_client's own collectors: three families by generation, Python's version, and six of the process.
CLIENT_SERIES = 3 * 3 + 1 + 6
# Prometheus writes about each scrape: up, its duration, samples before and after relabelling, series added.
SERIES_OF_SCRAPE = 5
# Beside the buckets of the catalogue: +Inf, sum and count.
_BESIDE_BUCKETS = 3
# A route exists with 200 and 500 before its first request.
_STATUSES = 2
# An answer ends because it is complete, too long, or a tool is called.
_FINISH_REASONS = 3
# Where the values of labels are limited, each such label and their combination have an overflow series.
_OVERFLOW = "mlmetrics_label_overflow_total"
_OF_REQUESTS, _OF_ERRORS = ("service", "status", "together"), ("error_type", "together")
_UNLIMITED = ("limit", "outcome", "reason", "result", "token_type", "verdict")
_DEFAULTS: Mapping[str, int] = {
    "route": 10,
    "error_type": 2,
    "status": _STATUSES,
    "outcome": len(OUTCOMES),
    "token_type": len(TOKEN_TYPES),
    "verdict": len(VERDICTS),
    "reason": len(REASONS),
    "limit": len(LIMITS),
    "result": len(LOOKUPS),
    "finish_reason": _FINISH_REASONS,
}

# Measured with Prometheus 2.42 on pages of mlmetrics; docs/scale.md has the runs.
PAGE_BYTES_PER_SERIES = 108
COMPRESSED_BYTES_PER_SERIES = 6
WRITE_SECONDS_PER_SERIES = 2.6e-6
BYTES_PER_SAMPLE = 2.3
MEMORY_BYTES = 45e6
MEMORY_BYTES_PER_SERIES = 3_200
CPU_SECONDS_PER_SAMPLE = 1.7e-6
LARGEST_MEASURED_SERIES = 2_000_000
SOURCES = MappingProxyType(
    {
        "series": "the catalogue, and what the options say a pod does",
        "a day": f"{BYTES_PER_SAMPLE:g} bytes a sample, index included; measured",
        "memory": f"{MEMORY_BYTES / 1e6:.0f} MB and {MEMORY_BYTES_PER_SERIES:,} bytes a series, measured; "
        "leave as much again for the compaction every two hours",
        "cores": f"{CPU_SECONDS_PER_SAMPLE * 1e6:.1f} µs a sample, for scraping alone; measured",
    }
)
COMPARED_PODS, EXTRAPOLATED_PODS = (10, 1_000), 100_000


NOTHING: Mapping[str, int] = {operation.subject: 0 for operation in OPERATIONS} | {"file_type": 0}
"""The values of labels of a pod that serves requests only."""


@dataclass(frozen=True, slots=True)
class Pod:
    """What one pod does: its operations and requests with what they record, and how many values labels have.

    A label that is not given has one value, or those of `_DEFAULTS`. A metric has no series if one of its labels
    has 0 values.
    """

    operations: tuple[Operation, ...] = ()
    given: Mapping[str, int] = field(default_factory=dict)
    requests: Requests = ONLY_REQUESTS

    def values(self, label: str) -> int:
        """Return how many values a label has."""
        if label == "method":  # of the routes
            return min(self.values("route"), 1)
        if label == "where":
            return len({*RECORDING_PLACES, *(f"label.{own}" for row in self.operations for own in row.labels)})
        return self.given.get(label, _DEFAULTS.get(label, 1))

    def series(self, metric: Metric) -> int:
        """Return how many series the pod exposes of a metric; its routes are those of requests, none of WebSockets."""
        if metric in WEBSOCKETS:
            return 0
        if metric.name == _OVERFLOW:
            return sum(self._overflows())
        children = prod(self.values(label) for label in metric.labels)
        return children * (len(metric.buckets) + _BESIDE_BUCKETS if metric.kind == "histogram" else 1)

    def _overflows(self) -> Iterator[int]:
        """Yield how many overflow series there are of requests, of calls, of errors, and of what is told apart."""
        yield len(_OF_REQUESTS) if self.values("route") else 1
        for operation in self.operations:
            if self._has(operation.labels):
                yield _overflows_of(operation.labels)
                yield len(_OF_ERRORS) if self.values("error_type") else 0
                yield from (len(_OF_ERRORS) for each in operation.more if self._is_named(each, operation))
            apart = (
                each
                for each in operation.more
                if not {*operation.labels} <= {*each.labels} and "limit" not in each.labels  # of a call, admitted there
            )
            of_parts = {each.part: each.labels[1:] for each in apart if self._has(each.labels)}
            yield from (_overflows_of(labels) for labels in of_parts.values())

    def _is_named(self, metric: Metric, operation: Operation) -> bool:
        """Whether a metric of each call has a further label whose values a call names, as that of errors has."""
        further = {*metric.labels} - {"service", *operation.labels, *_UNLIMITED}
        return bool(further) and {*operation.labels} <= {*metric.labels} and self._has(metric.labels)

    def _has(self, labels: Iterable[str]) -> bool:
        """Whether each of these labels has a value."""
        return all(self.values(label) for label in labels)


def _overflows_of(labels: Iterable[str]) -> int:
    """Return how many overflow series labels have with that of the service, and of all of them together."""
    limited = [label for label in labels if label not in _UNLIMITED]
    return len(["service", *limited, *(["together"] if limited else [])])


def exposed_by_pod(pod: Pod, bounds: Mapping[str, tuple[float, ...]] | None = None) -> int:
    """Return the series on the page of a pod; `bounds` are those of histograms that have not their default ones."""
    metrics = metrics_in_use(pod.operations, pod.requests).values()
    rows = (replace(metric, buckets=(bounds or {}).get(metric.name, metric.buckets)) for metric in metrics)
    return CLIENT_SERIES + sum(pod.series(row) for row in rows)


@dataclass(frozen=True, slots=True)
class Load:
    """What so many pods ask of one Prometheus."""

    pods: int
    series: int
    samples_per_second: float
    bytes_per_day: float
    memory_bytes: float
    cores: float
    scrapes_per_second: float
    page_bytes_per_second: float
    extrapolated: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """One pod, and what numbers of such pods ask of a Prometheus that scrapes each of them every so many seconds."""

    interval_seconds: float
    series_per_pod: int
    page_bytes: int
    compressed_bytes: int
    scrape_seconds: float
    loads: tuple[Load, ...]


def plan_for(exposed: int, pods: int, interval_seconds: float) -> Plan:
    """Return the plan for pods with so many series on their page, beside plans for fewer and for more of them."""
    numbers = sorted({*COMPARED_PODS, pods, EXTRAPOLATED_PODS})
    return Plan(
        interval_seconds,
        exposed + SERIES_OF_SCRAPE,
        exposed * PAGE_BYTES_PER_SERIES,
        exposed * COMPRESSED_BYTES_PER_SERIES,
        exposed * WRITE_SECONDS_PER_SERIES,
        tuple(load(exposed, number, interval_seconds) for number in numbers),
    )


def load(exposed: int, pods: int, interval_seconds: float) -> Load:
    """Return what so many pods ask of a Prometheus."""
    series = pods * (exposed + SERIES_OF_SCRAPE)
    samples_per_second = series / interval_seconds
    return Load(
        pods=pods,
        series=series,
        samples_per_second=samples_per_second,
        bytes_per_day=samples_per_second * DAY_SECONDS * BYTES_PER_SAMPLE,
        memory_bytes=MEMORY_BYTES + series * MEMORY_BYTES_PER_SERIES,
        cores=samples_per_second * CPU_SECONDS_PER_SAMPLE,
        scrapes_per_second=pods / interval_seconds,
        page_bytes_per_second=pods * exposed * COMPRESSED_BYTES_PER_SERIES / interval_seconds,
        extrapolated=series > LARGEST_MEASURED_SERIES,
    )
