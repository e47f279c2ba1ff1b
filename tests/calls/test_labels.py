"""How a call finds its series: which labels are fixed, which vary, and what is looked up."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import BoundCall, MLMetrics, arg
from tests.recorded import absent, value

TOTAL = "ml_inference_total"


def computed(name: str) -> Callable[[BoundCall], Any]:
    """Return a label that is computed from an argument."""
    return lambda call: call.arguments[name]


@pytest.mark.parametrize("label", [arg, computed])
@pytest.mark.parametrize("varying", ["model", "operation"])
def test_one_label_varies(registry: CollectorRegistry, label: Callable[[str], Any], varying: str) -> None:
    """The value of a call is that of its one varying label, wherever that stands; the other label is fixed."""
    labels: dict[str, Any] = {"model": "fixed", "operation": "fixed"}
    metrics = MLMetrics(service="s", registry=registry)
    ask = metrics.track_inference(**{**labels, varying: label("text")})(lambda text: text)
    for text in ("a", "b", "a"):
        ask(text)
    assert 2 == value(registry, TOTAL, outcome="success", **{**labels, varying: "a"})
    assert 1 == value(registry, TOTAL, outcome="success", **{**labels, varying: "b"})
    other = {"model": "operation", "operation": "model"}[varying]
    assert absent(registry, TOTAL, **{other: "a"})
