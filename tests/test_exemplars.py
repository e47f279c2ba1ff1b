"""Exemplars: a bucket has the trace id of a call that fell into it, if a span was recording."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from mlmetrics import MLMetrics, PrometheusMiddleware, exemplars
from tests.conftest import Clock
from tests.http.asking import request
from tests.recorded import errors, outcomes

ROOT = Path(__file__).parents[1]
BUCKET = "ml_inference_duration_seconds_bucket"
REQUEST_BUCKET = "fastapi_request_duration_seconds_bucket"


@pytest.fixture
def tracer(monkeypatch: pytest.MonkeyPatch) -> trace.Tracer:
    """Return a tracer of a provider that is set for the length of a test."""
    provider = TracerProvider()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return provider.get_tracer("tests")


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> MLMetrics:
    """Return a toolkit on a registry and a clock of its own."""
    return MLMetrics(service="s", registry=registry, clock=clock)


def marked(registry: CollectorRegistry, bucket: str = BUCKET) -> dict[str, Any]:
    """Return the exemplars of the buckets of one name by bound, read strictly from OpenMetrics."""
    families = parse_openmetrics(generate_openmetrics(registry).decode())
    every = [sample for family in families for sample in family.samples]
    return {sample.labels["le"]: sample.exemplar for sample in every if sample.name == bucket and sample.exemplar}


def trace_id(span: trace.Span) -> str:
    """Return a span's trace id as it is written."""
    return f"{span.get_span_context().trace_id:032x}"


def test_of_an_operation_of_ones_own(
    registry: CollectorRegistry, metrics: MLMetrics, tracer: trace.Tracer, clock: Clock
) -> None:
    """The buckets of a project's own operation carry trace ids as well."""
    retrieval = metrics.operation("retrieval", ("index",))
    with tracer.start_as_current_span("s") as span:
        retrieval.track(lambda: clock.advance(3))()
    found = marked(registry, "ml_retrieval_duration_seconds_bucket")
    assert {"5.0": trace_id(span)} == {le: exemplar.labels["trace_id"] for le, exemplar in found.items()}


def test_on_the_bucket_of_the_call(
    registry: CollectorRegistry, metrics: MLMetrics, tracer: trace.Tracer, clock: Clock
) -> None:
    """Each bucket has the newest trace that fell into it, with value, span and time."""
    spans = {}
    for seconds in (0.2, 7, 40, 8):
        with tracer.start_as_current_span("request") as span, metrics.inference_timer(model="m"):
            clock.advance(seconds)
        spans[seconds] = span
    found = marked(registry)
    expected = {"0.25": spans[0.2], "10.0": spans[8], "45.0": spans[40]}
    assert {bound: trace_id(span) for bound, span in expected.items()} == {
        bound: exemplar.labels["trace_id"] for bound, exemplar in found.items()
    }
    assert f"{spans[8].get_span_context().span_id:016x}" == found["10.0"].labels["span_id"]
    assert pytest.approx(8) == found["10.0"].value
    assert float(found["10.0"].timestamp) > 0
    assert sum(len(text) for each in found["10.0"].labels.items() for text in each) <= 128


@pytest.mark.parametrize("kind", ["function", "generator", "failure"])
def test_of_every_call(registry: CollectorRegistry, metrics: MLMetrics, tracer: trace.Tracer, kind: str) -> None:
    """Decorated functions, streams and failures have exemplars, as timers have."""

    def numbers() -> Iterator[int]:
        yield 1

    calls: dict[str, Any] = {
        "function": metrics.track_inference(model="m")(lambda: None),
        "generator": lambda: list(metrics.track_inference(model="m")(numbers)()),
        "failure": metrics.track_inference(model="m")(lambda: 1 / 0),
    }
    with tracer.start_as_current_span("request") as span:
        if kind == "failure":
            with pytest.raises(ZeroDivisionError):
                calls[kind]()
        else:
            calls[kind]()
    assert [trace_id(span)] == [exemplar.labels["trace_id"] for exemplar in marked(registry).values()]


def test_not_in_the_plain_text_format(registry: CollectorRegistry, metrics: MLMetrics, tracer: trace.Tracer) -> None:
    """The format 0.0.4 has no exemplars (pitfall 22)."""
    with tracer.start_as_current_span("request") as span, metrics.inference_timer(model="m"):
        pass
    assert trace_id(span) not in generate_latest(registry).decode()
    assert trace_id(span) in generate_openmetrics(registry).decode()


def test_only_while_a_span_is_recording(registry: CollectorRegistry, metrics: MLMetrics, tracer: trace.Tracer) -> None:
    """There is no exemplar without a span, or if the span has ended or is not sampled."""
    with metrics.inference_timer(model="m"):
        pass
    with tracer.start_as_current_span("request") as span:
        span.end()
        with metrics.inference_timer(model="m"):
            pass
    dropping = TracerProvider(sampler=ALWAYS_OFF).get_tracer("tests")
    with dropping.start_as_current_span("request"), metrics.inference_timer(model="m"):
        pass
    assert {"success": 3} == outcomes(registry)
    assert {} == marked(registry)


def test_tracing_that_begins_later(
    registry: CollectorRegistry, metrics: MLMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tracer that is set up after the first calls is used from the next scrape on."""
    call = metrics.track_inference(model="m")(lambda: None)
    call()
    assert not exemplars.tracing()
    provider = TracerProvider()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    assert {} == marked(registry)
    with provider.get_tracer("tests").start_as_current_span("request"):
        call()
    assert 1 == len(marked(registry))


async def test_tracing_of_requests_that_begins_later(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same of requests: the application is made before its tracer, and served in its spans."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    recorded = PrometheusMiddleware(app, registry=registry)
    await request().with_(recorded)
    provider = TracerProvider()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    assert {} == marked(registry, REQUEST_BUCKET)
    with provider.get_tracer("tests").start_as_current_span("request"):
        await request().with_(recorded)
    assert 1 == len(marked(registry, REQUEST_BUCKET))


def test_cancelled_calls_have_none(registry: CollectorRegistry, metrics: MLMetrics, tracer: trace.Tracer) -> None:
    """A cancelled call is in no bucket, so it has no exemplar."""
    with tracer.start_as_current_span("request"), metrics.inference_timer(model="m") as call:
        call.cancel()
    assert {} == marked(registry)


def test_a_tracer_that_raises_is_counted(
    registry: CollectorRegistry, metrics: MLMetrics, tracer: trace.Tracer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the tracer raises, only the exemplar is lost, and the error is counted."""

    def broken(*_: object) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(trace, "get_current_span", broken)
    with metrics.inference_timer(model="m"):
        pass
    monkeypatch.undo()
    assert {"success": 1} == outcomes(registry)
    assert {"exemplar": 1} == errors(registry)


def test_opentelemetry_is_not_imported() -> None:
    """A program that does not trace does not load OpenTelemetry."""
    script = """
import sys
from prometheus_client import CollectorRegistry
from mlmetrics import MLMetrics
with MLMetrics(service="s", registry=CollectorRegistry()).inference_timer(model="m"):
    pass
sys.exit(any(name.startswith("opentelemetry") for name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
