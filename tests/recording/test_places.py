"""The places of mistakes: one list of them, each at 0 from the first scrape."""

import ast
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry

import mlmetrics
from mlmetrics import MLMetrics
from mlmetrics.catalog import METRICS, RECORDING_PLACES
from tests.recorded import samples

ROOMS = Path(mlmetrics.__file__).parent
PLACED_BY = {"failed": 0, "_guarded": 0, "after_score": 0, "_records": 1, "has": 2, "number": 1, "ratio": 1}
"""Functions that are given a place, and at which position."""
CLOSED = {
    "outcome",
    "token_type",
    "verdict",
    "reason",
    "limit",
    "result",
    "method",
    "where",
    "metric",
    "label",
    "direction",
}
"""Labels whose values we set ourselves."""


def places_in_code() -> Iterator[str]:
    """Yield every place that the code names."""
    for path in ROOMS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                function = node.func
                name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
                position = PLACED_BY.get(name)
                if position is not None and len(node.args) > position:
                    argument = node.args[position]
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        yield argument.value


def test_every_place_is_in_the_list() -> None:
    """What the code names is in the catalogue's list, and the list holds nothing else but labels."""
    assert {place for place in RECORDING_PLACES if "label." not in place} == {
        place for place in places_in_code() if "label." not in place and place != "error"
    }


def test_every_label_is_in_the_list() -> None:
    """Each label whose values come from outside has its place, in the list and in the order of the alphabet."""
    labels = {label for metric in METRICS if not metric.name.startswith("mlmetrics_") for label in metric.labels}
    assert {f"label.{label}" for label in labels - CLOSED} == {place for place in RECORDING_PLACES if "label." in place}
    assert sorted(set(RECORDING_PLACES)) == list(RECORDING_PLACES)


def test_each_stands_at_zero(registry: CollectorRegistry) -> None:
    """From the first scrape on, so that `increase` sees the first mistake."""
    MLMetrics(service="s", registry=registry).track_inference(model="m")
    found = {sample.labels["where"]: sample.value for sample in samples(registry, "mlmetrics_recording_errors_total")}
    assert dict.fromkeys(RECORDING_PLACES, 0.0) == found
