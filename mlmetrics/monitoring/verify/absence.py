"""Why a metric of ours is absent: renamed, not recorded by these services, or absent until something happens.

A page shows a metric with its first sample. What a service always exposes beside another metric was renamed if it is
gone; what comes with the first error, or with an operation that the service does not have, is absent while all is well.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from mlmetrics.catalog import METRICS, OPERATIONS, Metric, Operation
from mlmetrics.catalog.requests import BODY_SIZES, REQUESTS, WEBSOCKETS
from mlmetrics.monitoring.verify.finding import Level

OURS = "mlmetrics_build_info"
"""A page that has this metric is of a service with mlmetrics."""
_REQUESTS = "fastapi_requests_total"
_SIZES, _WEBSOCKETS = "fastapi_request_size_bytes_count", "fastapi_websockets_total"
_BASELINE = (":baseline_samples", ":baseline_cdf", ":baseline_share")
# Every page of ours has these, whatever its service has recorded; the others are there on Linux.
_ALWAYS = {
    *("mlmetrics_memory_limit_bytes", "mlmetrics_cpu_limit_cores", "mlmetrics_recording_errors_total"),
    *("mlmetrics_scrape_errors_total", "mlmetrics_scrape_duration_seconds"),
}
_OF_PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}


@dataclass(frozen=True, slots=True)
class Absence:
    """Why a metric is absent, and whether that must be corrected."""

    level: Level
    kind: str
    reason: str


class Exposed:
    """What services may expose: the metrics of the catalogue, and those of operations of a project's own."""

    def __init__(self, own: Iterable[Operation] = ()) -> None:
        operations = (*OPERATIONS, *own)
        metrics = (*METRICS, *(metric for operation in operations for metric in operation.metrics))
        self.of_sample = {name: metric for metric in metrics for name in metric.sample_names}
        # By metric, the counter of the finished calls, requests, sizes or WebSockets that it comes with.
        self.finished = dict.fromkeys((metric.name for metric in REQUESTS), _REQUESTS)
        self.finished |= dict.fromkeys((metric.name for metric in BODY_SIZES), _SIZES)
        self.finished |= dict.fromkeys((metric.name for metric in WEBSOCKETS), _WEBSOCKETS)
        self.finished |= {metric.name: operation.finished for operation in operations for metric in operation.metrics}
        # A route's durations come with its first request, which `_REQUESTS` does not wait for.
        self.durations = {operation.duration for operation in operations}

    def has(self, sample: str) -> bool:
        """Whether a sample is one of these, or of the process."""
        return sample in self.of_sample or sample in _OF_PROCESS


def why_absent(sample: str, names: Collection[str], exposed: Exposed | None = None) -> Absence | None:
    """Return why a sample is not among the names that pages expose; None if it is no sample of ours."""
    exposed = exposed or Exposed()
    if sample.startswith("mlmetrics:") and sample.endswith(_BASELINE):
        return Absence("note", "waits", "the file that export_baseline writes records it")
    if not exposed.has(sample):
        return None
    if OURS not in names:
        return Absence("note", "not recorded", "no service with mlmetrics is among the pages")
    if sample in _OF_PROCESS:
        return Absence("note", "not recorded", "prometheus_client has it on Linux only")
    if sample in _ALWAYS:
        return Absence("error", "never fires", "every page of mlmetrics has it: was it renamed?")
    return _of_operation(exposed.of_sample[sample], names, exposed)


def _of_operation(metric: Metric, names: Collection[str], exposed: Exposed) -> Absence:
    finished = exposed.finished.get(metric.name, "")
    if finished not in names:
        return Absence("note", "not recorded", "the services have no such calls, or had none yet")
    if metric.name in exposed.durations:
        return Absence("error", "never fires", f"{finished} is there: was it renamed?")
    return Absence("note", "waits", f"it comes with the first such event; {finished} is there")
