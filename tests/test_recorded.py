"""What tests ask of a registry fails where there is nothing to ask."""

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests.recorded import in_progress, value


def test_value_of_an_absent_metric(registry: CollectorRegistry) -> None:
    """A name that no sample has is a mistake of the test, and no 0."""
    with pytest.raises(AssertionError, match=r"no sample ml_inference_total has the labels \{'model': 'm'\}"):
        value(registry, "ml_inference_total", model="m")


def test_in_progress_before_a_declaration(registry: CollectorRegistry) -> None:
    """Calls in progress are asked of an operation that was declared."""
    with pytest.raises(AssertionError, match="no sample ml_inference_in_progress"):
        in_progress(registry)
    MLMetrics(service="s", registry=registry).track_inference(model="m")(len)
    assert 0 == in_progress(registry)
    with pytest.raises(AssertionError, match="no sample ml_parsing_in_progress"):
        in_progress(registry, "parsing")
