"""The service label, wherever it comes from: checked where it is declared, cleaned where it is recorded."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from mlmetrics import ConfigurationError, DeclarationError, MLMetrics, PrometheusMiddleware
from tests.recorded import errors, label_values, outcomes
from tests.recording.test_labels import Hostile, HostileText, kind

TOTAL = "ml_inference_total"
NO_SERVICES = [
    "",
    3,
    b"s",
    ["a"],
    {"a": 1},
    object(),
    "\ud800",
    "s" * 201,
    Hostile(),
]


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own."""
    return MLMetrics(service="s", registry=registry)


@pytest.mark.parametrize("service", [pytest.param(value, id=kind(value)) for value in NO_SERVICES])
@pytest.mark.parametrize(
    ("declare", "refusal"),
    [
        (lambda service: MLMetrics(service=service, registry=CollectorRegistry()), ConfigurationError),
        (lambda service: MLMetrics(registry=CollectorRegistry()).configure(service=service), ConfigurationError),
        (lambda service: PrometheusMiddleware(None, service, CollectorRegistry()), ConfigurationError),
        (lambda service: MLMetrics(registry=CollectorRegistry()).instrument(Starlette(), service), ConfigurationError),
        (
            lambda service: MLMetrics(registry=CollectorRegistry()).track_inference(model="m", service=service),
            DeclarationError,
        ),
        (
            lambda service: MLMetrics(registry=CollectorRegistry()).track_matching(matcher="m", service=service),
            DeclarationError,
        ),
    ],
)
def test_declared(declare: Callable[[Any], object], refusal: type[Exception], service: Any) -> None:
    """A service that is none, or is not recorded as it is written, is refused where it is declared."""
    with pytest.raises(refusal, match=r"service(_name)?=.*expected a non-empty string.*this one is "):
        declare(service)


def test_declared_text_of_a_class(registry: CollectorRegistry) -> None:
    """Text of a class of one's own is text, whatever it raises when it is asked."""
    metrics = MLMetrics(service=HostileText("odd"), registry=registry)
    metrics.track_inference(model=HostileText("m"))(lambda: None)()
    assert ["odd"] == label_values(registry, TOTAL, "service")
    assert ["m"] == label_values(registry, TOTAL, "model")


def timers(metrics: MLMetrics, value: Any) -> None:
    """Run each timer with this service."""
    with (
        metrics.inference_timer(model="m", service=value),
        metrics.parsing_timer(doc_type="d", service=value),
        metrics.matching_timer(matcher="m", service=value),
    ):
        pass


def operation(metrics: MLMetrics, value: Any) -> None:
    """Run a timer with this operation."""
    with metrics.inference_timer(model="m", operation=value):
        pass


@pytest.mark.parametrize("value", [pytest.param(value, id=kind(value)) for value in (*NO_SERVICES, HostileText("odd"))])
@pytest.mark.parametrize(
    "record",
    [
        timers,
        operation,
        lambda metrics, value: metrics.track_ml_inference("m", value, 1.0),
        lambda metrics, value: metrics.track_file_processing("pdf", value, 10),
        lambda metrics, value: metrics.track_model_load("m", 1.0, service=value),
    ],
)
def test_recorded(
    registry: CollectorRegistry, metrics: MLMetrics, record: Callable[[MLMetrics, Any], None], value: Any
) -> None:
    """What comes while recording raises neither into the call nor into the scrape."""
    for _ in range(2):
        record(metrics, value)
    assert generate_latest(registry).decode()


def test_of_a_loaded_model(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A service that is none is `unknown`, and counted."""
    metrics.track_model_load("m", 1.0, service=["a"])  # type: ignore[arg-type]  # that is the test
    metrics.track_model_load("m", 1.0)
    metrics.track_model_load("m", 1.0, service="own")
    assert ["unknown", "s", "own"] == label_values(registry, "ml_model_info", "service")
    assert {"label.service": 1} == errors(registry)


@pytest.mark.parametrize("variable", ["MLMETRICS_SERVICE", "OTEL_SERVICE_NAME"])
@pytest.mark.parametrize(("given", "recorded"), [("caf\udce9", "caf?"), ("s" * 300, "s" * 200)], ids=["bytes", "long"])
def test_of_the_environment(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch, variable: str, given: str, recorded: str
) -> None:
    """Bytes that are no UTF-8 (as Python hands them over) and texts that are too long are cleaned, and logged once."""
    monkeypatch.setenv(variable, given)
    metrics = MLMetrics(registry=registry)
    with capture_logs() as logs:
        with metrics.inference_timer(model="m") as call:
            call.fail("quota")
        assert {"failure": 1} == outcomes(registry, service=recorded)
        assert generate_latest(registry).decode()
    said = [log for log in logs if log["event"] == "recording.failed"]
    assert [("label.service", recorded)] == [(log["where"], log["service"]) for log in said]
    assert {"label.service": 1} == errors(registry)
