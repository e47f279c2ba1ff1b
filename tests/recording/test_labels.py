"""Label values of any type, length or script: recorded as clean text, counted, logged once, never raised."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import enum
from collections.abc import Callable
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from structlog.testing import capture_logs

from mlmetrics import MLMetrics, arg
from mlmetrics.recording.labels import MAX_LABEL_CHARACTERS, Limits, clean
from tests.recorded import errors, label_values, outcomes, value

TOTAL = "ml_inference_total"


class Colour(enum.Enum):
    """An enumeration of text."""

    RED = "red"


class Named(str, enum.Enum):  # noqa: UP042 (the older way, which users have)
    """An enumeration that is text."""

    BIG = "big"


class Hostile:
    """An object that raises whatever it is asked."""

    def __init__(self, *methods: str) -> None:
        self.methods = methods

    def _raise(self, *_: object) -> Any:
        raise RuntimeError("hostile")

    __str__ = __repr__ = __format__ = __hash__ = __eq__ = __bool__ = __len__ = __iter__ = _raise

    @property
    def __class__(self) -> Any:
        """Raise even when asked what it is."""
        raise RuntimeError("hostile")

    @__class__.setter
    def __class__(self, _: Any) -> None:
        raise RuntimeError("hostile")


class HostileText(str):  # noqa: SLOT000 (as users write it)
    """Text that raises whatever it is asked."""

    def _raise(self, *_: object) -> Any:
        raise RuntimeError("hostile")

    __str__ = __repr__ = __format__ = __eq__ = __len__ = __getitem__ = __contains__ = _raise
    __hash__ = str.__hash__


class HostileNumber(float):
    """A number that cannot be written."""

    def __format__(self, spec: str) -> str:
        raise RuntimeError("hostile")


GOOD = [
    ("gpt-4", "gpt-4"),
    ("données 模型 🤖", "données 模型 🤖"),
    ('quo"te \\ back\nline', 'quo"te \\ back\nline'),
    (1, "1"),
    (1.5, "1.5"),
    (True, "True"),
    (Colour.RED, "red"),
    (Named.BIG, "big"),
    (HTTPStatus.OK, "200"),
    (np.float64(0.5), "0.5"),
]
BAD = [
    (None, "unknown"),
    ("", "unknown"),
    (b"gpt-4", "unknown"),
    (["gpt-4"], "unknown"),
    ({"model": "gpt-4"}, "unknown"),
    (Decimal(1), "unknown"),
    (object(), "unknown"),
    ("x" * 1_000_000, "x" * MAX_LABEL_CHARACTERS),
    ("\ud800 lone", "? lone"),
    (Hostile(), "unknown"),
    (HostileNumber(1), "unknown"),
]


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own."""
    return MLMetrics(service="s", registry=registry)


def kind(value: object) -> str:
    """Return what to call a value that may not be asked anything itself."""
    return type(value).__name__


def valid(registry: CollectorRegistry) -> None:
    """Fail unless both formats can be parsed, the strict one strictly."""
    assert list(parse_text(generate_latest(registry).decode()))
    assert list(parse_openmetrics(generate_openmetrics(registry).decode()))


def ways(metrics: MLMetrics) -> list[Callable[[Any], object]]:
    """Return every way in which a label value comes in while a program runs."""

    def timer(value: Any) -> None:
        with metrics.inference_timer(model=value):
            pass

    return [
        metrics.track_inference(model=arg("model"))(lambda model: None),
        metrics.track_inference(model=lambda call: call.arguments["model"])(lambda model: None),
        metrics.track_inference(model=arg("model"), operation=lambda call: "chat")(lambda model: None),
        timer,
        lambda value: metrics.track_ml_inference(value, "s", 1.0),
    ]


@pytest.mark.parametrize(("given_value", "expected"), GOOD, ids=kind)
@pytest.mark.parametrize("way", range(5))
def test_good_values(
    registry: CollectorRegistry, metrics: MLMetrics, way: int, given_value: Any, expected: str
) -> None:
    """Text of every script, numbers and enumerations are recorded as what they say."""
    for _ in range(2):
        ways(metrics)[way](given_value)
    assert [expected] == label_values(registry, TOTAL, "model")
    assert {"success": 2} == outcomes(registry)
    assert {} == errors(registry)
    valid(registry)


@pytest.mark.parametrize(("given_value", "expected"), BAD, ids=kind)
@pytest.mark.parametrize("way", range(5))
def test_bad_values(registry: CollectorRegistry, metrics: MLMetrics, way: int, given_value: Any, expected: str) -> None:
    """A wrong label value is replaced, counted each time and logged once, and the call is still recorded."""
    with capture_logs() as logs:
        for _ in range(3):
            ways(metrics)[way](given_value)
    assert [expected] == label_values(registry, TOTAL, "model")
    assert {"success": 3} == outcomes(registry)
    assert {"label.model": 3} == errors(registry)
    assert [("recording.failed", "label.model")] == [(log["event"], log["where"]) for log in logs]
    valid(registry)


def test_hostile_text(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """Text that cannot be asked anything is a label like any other, or unknown; it is never raised."""
    for way in ways(metrics):
        way(HostileText("gpt-4"))
    assert {"success": 5} == outcomes(registry)
    valid(registry)


def test_services_and_the_rest(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """Every label of the direct functions takes anything, too."""
    given_values: list[Any] = [given_value for given_value, _ in BAD]
    for value_given in given_values:
        metrics.track_ml_inference("m", value_given, 1.0)
        metrics.track_parsing_accuracy(value_given, value_given, 0.5)
        metrics.track_matching_score(value_given, 0.5)
        metrics.track_file_processing(value_given, value_given, 10)
        metrics.track_model_load(value_given, 1.0, version=value_given)
        with metrics.matching_timer(matcher=value_given), metrics.parsing_timer(doc_type=value_given) as call:
            call.size(3, file_type=value_given)
    assert len(BAD) == value(registry, "matching_score_distribution_count")
    assert len(BAD) == sum(outcomes(registry, "matching").values())
    valid(registry)


def test_label_limit(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """Beyond the limit values become `other`, each call counted, and those that are in stay in."""
    metrics.configure(max_label_values=3)
    call = metrics.track_inference(model=arg("model"))(lambda model: None)
    for number in range(10):
        call(f"m{number}")
    call("m0")
    call("other")
    assert ["m0", "m1", "m2", "other"] == label_values(registry, TOTAL, "model")
    assert {"success": 7 + 1} == outcomes(registry, model="other")
    assert {"success": 2} == outcomes(registry, model="m0")
    assert 7 == value(registry, "mlmetrics_label_overflow_total", metric=TOTAL, label="model")
    assert {} == errors(registry)


def test_label_limit_of_error_types(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """Error types are limited as every label is."""
    metrics.configure(max_label_values=2)
    for number in range(5):
        with metrics.inference_timer(model="m") as call:
            call.fail(f"error-{number}")
    assert 5 == value(registry, "ml_inference_errors_total")
    assert 3 == value(registry, "ml_inference_errors_total", error_type="other")
    assert 3 == value(registry, "mlmetrics_label_overflow_total", label="error_type")


def test_the_default_limit(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """Without configuration a label has 200 values."""
    for number in range(250):
        metrics.track_matching_score(f"m{number}", 0.5)
    assert 201 == len(label_values(registry, "matching_score_distribution_count", "matcher"))
    assert 50 == value(registry, "mlmetrics_label_overflow_total")


def test_true_and_one_are_not_mixed_up(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """1, True, 1.0 and "1" are equal or look alike in Python; each is recorded as its own text."""
    call = metrics.track_inference(model=arg("model"))(lambda model: None)
    for model in (1, True, 1.0, "1", "True"):
        call(model)
    assert {"success": 2} == outcomes(registry, model="1") == outcomes(registry, model="True")
    assert {"success": 1} == outcomes(registry, model="1.0")


def test_a_resolver_is_asked_once_a_call(metrics: MLMetrics) -> None:
    """A function that computes a label runs once for each call, new value or not."""
    asked = []

    def resolve(call: Any) -> Any:
        asked.append(call.arguments["model"])
        return call.arguments["model"]

    call = metrics.track_inference(model=resolve)(lambda model: None)
    for model in ("a", "a", ["unhashable"]):
        call(model)
    assert ["a", "a", ["unhashable"]] == asked


def test_arguments(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """`arg` finds its parameter by position, by name, by default and among the keywords."""

    class Client:
        @metrics.track_inference(model=arg("model"), operation=arg("kind"))
        def ask(self, prompt: str, model: str = "small", *, kind: str = "chat", **rest: str) -> str:
            return prompt + rest.get("end", "")

        @metrics.track_inference(model=arg("model"))
        def rest(self, **options: str) -> None:
            """Take anything."""

        @metrics.track_inference(model=arg("model"))
        @classmethod
        def build(cls, model: str) -> str:
            return model

    client = Client()
    client.ask("hello")
    client.ask("hello", "large")
    client.ask("hello", model="large", kind="edit", end="!")
    client.rest(model="rest")
    client.rest()
    assert "class" == Client.build("class")
    assert ["small", "large", "rest", "unknown", "class"] == label_values(registry, TOTAL, "model")
    assert 1 == value(registry, TOTAL, model="large", operation="edit", outcome="success")


@given(st.one_of(st.text(), st.text(st.characters(categories=["Cs", "Lu"])), st.integers(), st.floats(), st.binary()))
def test_clean_text(given_value: object) -> None:
    """Whatever comes in, text comes out that is not empty, can be encoded, and is not longer than allowed."""
    text, problem = clean(given_value)
    assert 1 <= len(text) <= MAX_LABEL_CHARACTERS
    assert text.encode()
    assert problem is not None or text == (given_value if isinstance(given_value, str) else format(given_value, ""))


@given(st.lists(st.sampled_from("abcdefgh")), st.integers(min_value=1, max_value=5))
def test_limits(values: list[str], most: int) -> None:
    """The first values up to the limit are admitted, each time; no other ever is."""
    limits = Limits()
    limits.max_values = most
    first = list(dict.fromkeys(values))[:most]
    assert [value in first for value in values] == [limits.admit("metric", "label", value) for value in values]
