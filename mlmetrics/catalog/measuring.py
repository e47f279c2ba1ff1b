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

RECORDING_PLACES = (
    *("accuracy", "batch", "call", "clock", "content", "cost", "current_call", "decorator", "duration", "exemplar"),
    *("failure", "feedback", "first_chunk", "fold", "instrument", "items"),
    *(
        "label.batch_job",
        "label.doc_type",
        "label.error_type",
        "label.file_type",
        "label.matcher",
        "label.model",
        "label.operation",
    ),
    *(
        "label.parser",
        "label.predicted_class",
        "label.provider",
        "label.response_model",
        "label.route",
        "label.service",
        "label.status",
        "label.version",
    ),
    *(
        "log",
        "metric",
        "prediction",
        "prediction_error",
        "push",
        "queued",
        "request",
        "result",
        "score",
        "size",
        "success",
    ),
    *("tokens", "usage", "workers"),
)
"""Every value of `where` in `mlmetrics_recording_errors_total`; its series exists at 0 before its first error."""
