"""The catalogue makes sense, and is what the first users asked for."""

import re

import pytest

from mlmetrics.catalog import BY_NAME, METRICS, OUTCOMES, TOKEN_TYPES, Metric

ALERT_THRESHOLDS = {
    "fastapi_request_duration_seconds": 5.0,
    "ml_inference_duration_seconds": 30.0,
    "parsing_accuracy_score": 0.8,
}
FROM_ORIGIN = {
    *("fastapi_requests_total", "fastapi_request_duration_seconds", "fastapi_requests_in_progress"),
    *("ml_inference_duration_seconds", "ml_inference_total", "parsing_accuracy_score"),
    *("matching_score_distribution", "file_processing_size_bytes"),
}
UNITS = {"seconds", "bytes", "usd", "cores", "tokens"}
HISTOGRAMS = [metric for metric in METRICS if metric.kind == "histogram"]


def test_names_are_unique() -> None:
    """No metric has the name, or a sample name, of another."""
    samples = [name for metric in METRICS for name in metric.sample_names]
    assert len(samples) == len(set(samples))
    assert set(BY_NAME) == {metric.name for metric in METRICS}


def test_names_of_the_first_users() -> None:
    """Every metric of the first users is there under its name."""
    assert set(BY_NAME) >= FROM_ORIGIN


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_rows(metric: Metric) -> None:
    """Names and labels are legal, counters end in `_total`, units are in the name, help is one sentence."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", label) and label != "le" for label in metric.labels)
    assert len(metric.labels) == len(set(metric.labels))
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.unit in {"", *UNITS}
    assert metric.name.removesuffix("_total").endswith(metric.unit)
    assert metric.help.endswith((".", "none."))
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert "service" not in metric.labels or metric.labels[0] == "service"


@pytest.mark.parametrize("metric", HISTOGRAMS, ids=lambda metric: metric.name)
def test_buckets(metric: Metric) -> None:
    """Bounds ascend, each once, and are finite and above 0."""
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert 0 < metric.buckets[0] <= metric.buckets[-1] < float("inf")


@pytest.mark.parametrize("name", ALERT_THRESHOLDS)
def test_alert_thresholds_are_bounds(name: str) -> None:
    """Every alert threshold is a bound, and not the last one (pitfall 23)."""
    bounds = BY_NAME[name].buckets
    assert ALERT_THRESHOLDS[name] in bounds[:-1]


def test_closed_sets() -> None:
    """Outcomes and token types are those of the design."""
    assert ("success", "failure", "cancelled") == OUTCOMES
    assert ("input", "cache_read", "cache_write", "output", "reasoning") == TOKEN_TYPES
