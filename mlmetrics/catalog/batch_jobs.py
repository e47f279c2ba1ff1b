"""Batch jobs."""

from mlmetrics.catalog.metric import JOB_BUCKETS_SECONDS, Metric
from mlmetrics.catalog.operation import Operation

_LABELS = ("service", "batch_job")
LAST_SUCCESS = Metric(
    "ml_batch_job_last_success_timestamp_seconds",
    "gauge",
    "Time at which the batch job last succeeded, in seconds since 1970; absent before its first success.",
    _LABELS,
    "seconds",
)
ITEMS = Metric("ml_batch_job_items_total", "counter", "Items that the batch job has handled.", _LABELS)
BATCH_JOB = Operation(
    "batch_job",
    ("batch_job",),
    "batch_job",
    more=(LAST_SUCCESS, ITEMS),
    buckets=JOB_BUCKETS_SECONDS,
    slow_is_told=False,
)
