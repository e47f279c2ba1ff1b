"""What mlmetrics says of itself: its version, what it could not record, its scrapes, the limits of the process."""

from mlmetrics.catalog.metric import Metric

MEASURING = (
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
    Metric(
        "mlmetrics_price_table_timestamp_seconds",
        "gauge",
        "Date of the prices in use, in seconds since 1970, by table: 'own' or 'genai-prices'.",
        ("table",),
        "seconds",
    ),
    Metric("mlmetrics_cpu_limit_cores", "gauge", "CPU limit of the process's cgroup; 0 means none.", (), "cores"),
)

_LABELS = (
    *("agent", "batch_job", "close", "doc_type", "error_type", "fallback", "file_type", "finish_reason"),
    *("guardrail", "matcher", "model", "operation", "parser", "predicted_class", "provider"),
    *("response_model", "route", "service", "status", "tool", "version"),
)
_PLACES = (
    *("accuracy", "batch", "cache", "call", "clock", "content", "cost", "current_call"),
    *("decorator", "duration", "exemplar", "failure", "fallback", "feedback", "finish_reason", "first_chunk"),
    *("fold", "guardrail", "instrument", "items", "label", "log", "metric", "opentelemetry", "prediction"),
    *("prediction_error", "push", "queued", "rate_limit", "request", "result", "retry", "score", "size"),
    *("success", "token", "tokens", "usage", "waiting", "watch", "websocket", "workers"),
)
RECORDING_PLACES = tuple(sorted((*_PLACES, *(f"label.{name}" for name in _LABELS))))
"""Every value of `where` in `mlmetrics_recording_errors_total`; its series exists at 0 before its first error."""
