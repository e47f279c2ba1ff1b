"""Every metric that mlmetrics exports, one row each.

Code, rules, dashboards, reference docs and tests read this table; adding a metric means
adding a row. Default buckets have every alert threshold as a bound: an alert whose threshold
is not a bound cannot be exact, and one above the last bound never fires.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]

REQUEST_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LATENCY_BUCKETS_SECONDS = (
    *(0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
    *(5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0),
)
FIRST_CHUNK_BUCKETS_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0)
CHUNK_INTERVAL_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
QUEUE_BUCKETS_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
ACCURACY_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99, 1.0)
SCORE_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SIZE_BUCKETS_BYTES = tuple(1024.0 * 4**power for power in range(11))
BATCH_BUCKETS = tuple(2.0**power for power in range(11))

OUTCOMES = ("success", "failure", "cancelled")
TOKEN_TYPES = ("input", "cache_read", "cache_write", "output", "reasoning")
RECORDING_PLACES = (
    *("accuracy", "batch", "call", "clock", "cost", "decorator", "duration", "exemplar", "failure"),
    *("first_chunk", "fold"),
    *("label.doc_type", "label.error_type", "label.file_type", "label.matcher", "label.model", "label.operation"),
    *("label.parser", "label.route", "label.service", "label.status", "label.version"),
    *("log", "queued", "request", "result", "score", "size", "success", "tokens", "usage", "workers"),
)
"""Every value of `where` in `mlmetrics_recording_errors_total`; its series exists at 0 before its first error."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its full name as typed in PromQL, its kind, help text, labels, unit and buckets.

    `buckets` are the default upper bounds of a histogram, ascending, without `+Inf`.
    `unit` is the OpenMetrics unit; the name carries it too.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    buckets: tuple[float, ...] = ()

    @property
    def across_workers(self) -> str:
        """How prometheus_client merges a gauge of several processes: sum of calls in progress, newest state."""
        return "livesum" if self.name.endswith("_in_progress") else "mostrecent"

    @property
    def sample_names(self) -> tuple[str, ...]:
        """The names of the samples that this metric is exposed as."""
        if self.kind == "histogram":
            return (f"{self.name}_bucket", f"{self.name}_count", f"{self.name}_sum")
        return (self.name,)


def _operation_rows(prefix: str, noun: str, labels: tuple[str, ...]) -> tuple[Metric, Metric, Metric, Metric]:
    """The four metrics of every operation: duration, finished calls, errors by type, calls in progress."""
    return (
        Metric(
            f"{prefix}_duration_seconds",
            "histogram",
            f"Duration of {noun} calls that succeeded or failed; cancelled calls are left out.",
            labels,
            "seconds",
            LATENCY_BUCKETS_SECONDS,
        ),
        Metric(f"{prefix}_total", "counter", f"Finished {noun} calls by outcome.", (*labels, "outcome")),
        Metric(f"{prefix}_errors_total", "counter", f"Failed {noun} calls by error type.", (*labels, "error_type")),
        Metric(f"{prefix}_in_progress", "gauge", f"Calls of {noun} that have begun and not ended.", labels),
    )


_INFERENCE = ("service", "model", "operation")
_PARSING = ("service", "parser", "doc_type")
_MATCHING = ("service", "matcher")
_ROUTE = ("service", "method", "route")

METRICS: tuple[Metric, ...] = (
    Metric("fastapi_requests_total", "counter", "Finished HTTP requests.", (*_ROUTE, "status")),
    Metric(
        "fastapi_request_duration_seconds",
        "histogram",
        "Time from the request to the last byte of its response, background tasks excluded.",
        _ROUTE,
        "seconds",
        REQUEST_BUCKETS_SECONDS,
    ),
    Metric(
        "fastapi_request_first_byte_seconds",
        "histogram",
        "Time from the request to the first byte of its response's body.",
        _ROUTE,
        "seconds",
        REQUEST_BUCKETS_SECONDS,
    ),
    Metric("fastapi_requests_in_progress", "gauge", "HTTP requests being served now.", ("service", "method")),
    *_operation_rows("ml_inference", "inference", _INFERENCE),
    Metric(
        "ml_inference_first_chunk_seconds",
        "histogram",
        "Streams: time to the first chunk (token).",
        _INFERENCE,
        "seconds",
        FIRST_CHUNK_BUCKETS_SECONDS,
    ),
    Metric(
        "ml_inference_chunk_interval_seconds",
        "histogram",
        "Streams: time between one chunk and the next.",
        _INFERENCE,
        "seconds",
        CHUNK_INTERVAL_BUCKETS_SECONDS,
    ),
    Metric(
        "ml_inference_tokens_total",
        "counter",
        "Tokens by type; the types are additive.",
        (*_INFERENCE, "token_type"),
    ),
    Metric("ml_inference_cost_usd_total", "counter", "Cost of the calls in US dollars.", _INFERENCE, "usd"),
    Metric(
        "ml_inference_usage_missing_total",
        "counter",
        "Calls whose answer should have said how many tokens it took, and did not.",
        _INFERENCE,
    ),
    Metric(
        "ml_inference_unpriced_total",
        "counter",
        "Calls whose tokens are known and whose price is not.",
        _INFERENCE,
    ),
    Metric("ml_inference_batch_size", "histogram", "Items handled by one call.", _INFERENCE, "", BATCH_BUCKETS),
    Metric(
        "ml_inference_queue_duration_seconds",
        "histogram",
        "Time that a call waited before its model began.",
        _INFERENCE,
        "seconds",
        QUEUE_BUCKETS_SECONDS,
    ),
    Metric(
        "ml_model_load_duration_seconds",
        "gauge",
        "Time that the last load of the model took.",
        ("service", "model"),
        "seconds",
    ),
    Metric("ml_model_info", "gauge", "1 for each model and version that is loaded.", ("service", "model", "version")),
    *_operation_rows("ml_parsing", "parsing", _PARSING),
    Metric(
        "parsing_accuracy_score",
        "histogram",
        "Accuracy (confidence) of parsed documents, 0 to 1.",
        _PARSING,
        "",
        ACCURACY_BUCKETS,
    ),
    *_operation_rows("ml_matching", "matching", _MATCHING),
    Metric(
        "matching_score_distribution",
        "histogram",
        "Scores given by the matcher, 0 to 1.",
        _MATCHING,
        "",
        SCORE_BUCKETS,
    ),
    Metric(
        "file_processing_size_bytes",
        "histogram",
        "Size of the files that were processed.",
        ("service", "file_type"),
        "bytes",
        SIZE_BUCKETS_BYTES,
    ),
    Metric("mlmetrics_build_info", "gauge", "1; the version of mlmetrics in use.", ("version",)),
    Metric(
        "mlmetrics_recording_errors_total",
        "counter",
        "Measurements that could not be recorded, by place.",
        ("where",),
    ),
    Metric(
        "mlmetrics_label_overflow_total",
        "counter",
        "Recordings whose label value went to 'other' because the label, or the metric, had reached its limit.",
        ("metric", "label"),
    ),
    Metric("mlmetrics_scrape_duration_seconds", "gauge", "Time that the previous scrape took to write.", (), "seconds"),
    Metric("mlmetrics_scrape_errors_total", "counter", "Scrapes that failed because a collector raised."),
    Metric(
        "mlmetrics_memory_limit_bytes",
        "gauge",
        "Memory limit of the process's cgroup; 0 means none.",
        (),
        "bytes",
    ),
    Metric("mlmetrics_cpu_limit_cores", "gauge", "CPU limit of the process's cgroup; 0 means none.", (), "cores"),
)

BY_NAME: dict[str, Metric] = {metric.name: metric for metric in METRICS}
