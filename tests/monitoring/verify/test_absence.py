"""Why a metric of ours is absent: renamed, not recorded, or because nothing has happened yet."""

import pytest

from mlmetrics.catalog import METRICS
from mlmetrics.catalog.own import own_operation
from mlmetrics.monitoring.verify.absence import Exposed, why_absent

OURS = "mlmetrics_build_info"
INFERENCES = {OURS, "ml_inference_total"}
REQUESTS = {OURS, "fastapi_requests_total"}


@pytest.mark.parametrize(
    ("sample", "names", "expected"),
    [
        ("ml_inference_duration_seconds_bucket", INFERENCES, ("error", "never fires")),
        ("fastapi_request_duration_seconds_count", REQUESTS, ("note", "waits")),
        ("fastapi_response_size_bytes_count", REQUESTS, ("note", "not recorded")),
        ("fastapi_websockets_open", REQUESTS, ("note", "not recorded")),
        ("mlmetrics_memory_limit_bytes", {OURS}, ("error", "never fires")),
        ("mlmetrics_scrape_errors_total", {OURS}, ("error", "never fires")),
        ("ml_inference_errors_total", INFERENCES, ("note", "waits")),
        ("ml_inference_unpriced_total", INFERENCES, ("note", "waits")),
        ("ml_inference_first_chunk_seconds_count", INFERENCES, ("note", "waits")),
        ("parsing_accuracy_score_bucket", {OURS, "ml_parsing_total"}, ("note", "waits")),
        ("ml_batch_job_last_success_timestamp_seconds", {OURS, "ml_batch_job_total"}, ("note", "waits")),
        ("mlmetrics:matching_score_distribution:baseline_cdf", {OURS}, ("note", "waits")),
        ("mlmetrics:ml_prediction_total:baseline_share", {OURS}, ("note", "waits")),
        ("ml_inference_total", {OURS}, ("note", "not recorded")),
        ("parsing_accuracy_score_bucket", INFERENCES, ("note", "not recorded")),
        ("ml_inference_duration_seconds_bucket", {"ml_inference_total"}, ("note", "not recorded")),
        ("mlmetrics_memory_limit_bytes", {"node_load1"}, ("note", "not recorded")),
        ("process_cpu_seconds_total", {OURS}, ("note", "not recorded")),
        ("mlmetrics_label_overflow_total", {OURS}, ("note", "not recorded")),
    ],
)
def test_why(sample: str, names: set[str], expected: tuple[str, str]) -> None:
    """Only what a page of ours always has beside another metric is an error."""
    absence = why_absent(sample, names)
    assert absence is not None
    assert expected == (absence.level, absence.kind)
    assert absence.reason


def test_of_others() -> None:
    """Of metrics that are not ours nothing is known."""
    assert why_absent("node_load1", {OURS}) is None
    assert why_absent("mlmetrics:slo_errors:ratio", {OURS}) is None


def test_every_row() -> None:
    """Every sample of the catalogue has a reason, on a page where nothing was recorded."""
    samples = {name for metric in METRICS for name in metric.sample_names}
    assert samples
    assert not {sample for sample in samples if why_absent(sample, {OURS}) is None}


def test_own_operations() -> None:
    """What an operation of a project's own exposes is known by its row."""
    exposed = Exposed([own_operation("retrieval", ("index",))])
    names = {OURS, "ml_retrieval_total"}
    assert why_absent("ml_retrieval_errors_total", names) is None
    errors = why_absent("ml_retrieval_errors_total", names, exposed)
    durations = why_absent("ml_retrieval_duration_seconds_count", names, exposed)
    assert errors is not None
    assert durations is not None
    assert ("waits", "never fires") == (errors.kind, durations.kind)


def test_operation_without_labels() -> None:
    """What a metric comes with is said by the row that it belongs to, whatever labels another operation has."""
    names = {OURS, "ml_indexing_total"}
    feedback = why_absent("ml_feedback_total", names, Exposed([own_operation("indexing")]))
    assert feedback is not None
    assert feedback.kind == "not recorded"
