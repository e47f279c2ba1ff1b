"""What pods ask of a Prometheus: series, samples, bytes, memory and time, from the catalogue and what a pod does.

The series of a pod follow from the catalogue, so that a new row or bucket is counted without a change here. What a
series and a sample cost was measured: `make scale` measures it again, and says how far the plan is from that.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from types import MappingProxyType

from mlmetrics.catalog import METRICS, OUTCOMES, RECORDING_PLACES, TOKEN_TYPES, Metric
from mlmetrics.monitoring.config import Config

DAY_SECONDS = 86_400
# prometheus_client's own collectors: three families by generation, Python's version, and six of the process.
CLIENT_SERIES = 3 * 3 + 1 + 6
# Prometheus writes about each scrape: up, its duration, samples before and after relabelling, series added.
SERIES_OF_SCRAPE = 5
# Beside the buckets of the catalogue: +Inf, sum and count.
_BESIDE_BUCKETS = 3
# A route exists with 200 and 500 before its first request.
_STATUSES = 2
# Where the values of labels are limited, each such label and their combination have an overflow series.
_OVERFLOW = "mlmetrics_label_overflow_total"
_LIMITED = {
    "fastapi_requests_total": 2,
    "ml_inference_total": 3,
    "ml_inference_errors_total": 2,
    "ml_parsing_total": 3,
    "ml_parsing_errors_total": 2,
    "parsing_accuracy_score": 3,
    "ml_matching_total": 2,
    "ml_matching_errors_total": 2,
    "matching_score_distribution": 2,
    "file_processing_size_bytes": 2,
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


@dataclass(frozen=True, slots=True)
class Pod:
    """What one pod does; a number is how many values a label has, 0 that the pod does nothing of the kind."""

    routes: int = 10
    models: int = 0
    doc_types: int = 0
    matchers: int = 0
    file_types: int = 0
    error_types: int = 2
    streams: bool = False
    usage: bool = False
    batches: bool = False

    def uses(self, metric: Metric) -> bool:
        """Whether the pod exposes a metric."""
        return next((used for prefix, used in self._uses() if metric.name.startswith(prefix)), False)

    def _uses(self) -> Iterator[tuple[str, bool]]:
        """Yield how names of metrics begin, and whether they are in use; the first that fits decides."""
        inference = self.models > 0
        for prefixes, used in (
            (("ml_inference_first_chunk", "ml_inference_chunk_interval"), inference and self.streams),
            (("ml_inference_tokens", "ml_inference_cost", "ml_inference_usage", "ml_inference_unpriced"), self.usage),
            (("ml_inference_batch", "ml_inference_queue"), self.batches),
            (("ml_inference_",), inference),
            (("fastapi_",), self.routes > 0),
            (("ml_parsing_", "parsing_"), self.doc_types > 0),
            (("ml_matching_", "matching_"), self.matchers > 0),
            (("file_processing_",), self.file_types > 0),
            (("mlmetrics_",), True),
        ):
            yield from ((prefix, used) for prefix in prefixes)

    def values(self) -> Mapping[str, int]:
        """Return how many values each label has."""
        return {
            **dict.fromkeys(("service", "operation", "method", "parser", "version"), 1),
            "route": self.routes,
            "status": _STATUSES,
            "model": self.models,
            "outcome": len(OUTCOMES),
            "error_type": self.error_types,
            "token_type": len(TOKEN_TYPES),
            "doc_type": self.doc_types,
            "matcher": self.matchers,
            "file_type": self.file_types,
            "where": len(RECORDING_PLACES),
        }


def exposed_series(metric: Metric, values: Mapping[str, int]) -> int:
    """Return how many series a metric has where its labels have so many values each."""
    children = prod(values[label] for label in metric.labels)
    return children * (len(metric.buckets) + _BESIDE_BUCKETS if metric.kind == "histogram" else 1)


def exposed_by_pod(pod: Pod, bounds: Mapping[str, tuple[float, ...]] | None = None) -> int:
    """Return the series on the page of a pod; `bounds` are those of histograms that have not their default ones."""
    values = pod.values()
    used = [metric for metric in METRICS if pod.uses(metric) and metric.name != _OVERFLOW]
    rows = (replace(metric, buckets=(bounds or {}).get(metric.name, metric.buckets)) for metric in used)
    overflow = sum(_LIMITED.get(metric.name, 0) for metric in used)
    return CLIENT_SERIES + overflow + sum(exposed_series(row, values) for row in rows)


def configured_pod(config: Config) -> Pod:
    """Return the least that the pods of a configuration do: one of each kind that an objective is about."""
    kinds = {objective.operation for objective in config.objectives}
    return Pod(models="inference" in kinds, doc_types="parsing" in kinds, matchers="matching" in kinds)


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
