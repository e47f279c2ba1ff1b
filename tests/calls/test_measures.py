"""Numbers that users give: which are accepted, and as what."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.calls.measures import number, ratio
from tests.recorded import errors, value


@pytest.mark.parametrize(("given", "expected"), [(1 + 1e-10, 1.0), (-1e-10, 0.0), (0.5, 0.5)])
def test_rounding(registry: CollectorRegistry, given: float, expected: float) -> None:
    """What is beyond a limit by a rounding error counts as the limit itself, and is no mistake."""
    store = MLMetrics(service="s", registry=registry).store
    assert expected == ratio(store, "score", given)
    assert {} == errors(registry)


def test_no_negative_number(registry: CollectorRegistry) -> None:
    """A number without an upper limit has 0 as its lower one."""
    store = MLMetrics(service="s", registry=registry).store
    assert 0.0 == number(store, "cost", -1e-10)
    assert number(store, "cost", -1e-8) is None
    assert {"cost": 1} == errors(registry)


def test_text_is_one_score(registry: CollectorRegistry) -> None:
    """A score that is text is one mistake, not one for each character."""
    metrics = MLMetrics(service="s", registry=registry)
    metrics.track_parsing(doc_type="d", accuracy=lambda result: result)(lambda: "0.9")()
    assert {"score": 1} == errors(registry)
    assert 0 == value(registry, "parsing_accuracy_score_count")
