"""Exemplars: a bucket has the trace id of a call that fell into it, if a span was recording."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from mlmetrics import ConfigurationError, MLMetrics, PrometheusMiddleware, exemplars
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


class TestAnotherProvider:
    """A provider of OpenTelemetry that is not the global one: its spans are current in the context all the same."""

    def test_calls(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """The first call within a span finds it, and from then on every call has its exemplar."""
        call = metrics.track_inference(model="m")(clock.advance)
        tracer = TracerProvider().get_tracer("tests")
        assert not exemplars.tracing()
        spans = []
        for seconds in (0.2, 7, 40):
            with tracer.start_as_current_span("request") as span:
                call(seconds)
            spans.append(trace_id(span))
        assert spans == [exemplar.labels["trace_id"] for exemplar in marked(registry).values()]

    def test_calls_before_the_first_span(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Where a series was used outside of spans, spans are looked for again after each scrape."""
        call = metrics.track_inference(model="m")(lambda: None)
        tracer = TracerProvider().get_tracer("tests")
        for _ in range(3):
            call()
        assert {} == marked(registry)
        with tracer.start_as_current_span("request") as span:
            call()
        assert [trace_id(span)] == [exemplar.labels["trace_id"] for exemplar in marked(registry).values()]

    def test_looked_for_once(self, metrics: MLMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
        """A program that has loaded OpenTelemetry and traces nothing pays for one look after each scrape."""
        looks = []
        read = trace.get_current_span

        def look() -> trace.Span:
            looks.append(1)
            return read()

        monkeypatch.setattr(trace, "get_current_span", look)
        call = metrics.track_inference(model="m")(lambda: None)
        for _ in range(2):
            for _ in range(5):
                call()
            list(metrics.registry.collect())
        assert [1, 1] == looks

    async def test_requests(self, registry: CollectorRegistry) -> None:
        """The same of requests."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

        recorded = PrometheusMiddleware(app, registry=registry)
        tracer = TracerProvider().get_tracer("tests")
        await request().with_(recorded)
        await request().with_(recorded)
        assert {} == marked(registry, REQUEST_BUCKET)
        for _ in range(2):
            with tracer.start_as_current_span("request") as span:
                await request().with_(recorded)
        found = marked(registry, REQUEST_BUCKET).values()
        assert [trace_id(span)] == [exemplar.labels["trace_id"] for exemplar in found]


class TestTraceIds:
    """`trace_ids`: a tracer that is not OpenTelemetry's, such as Datadog's, or one of the program's own."""

    @pytest.mark.parametrize(
        ("told", "labels"),
        [
            (
                ("4bf92f3577b34da6", "00f067aa0ba902b7"),
                (("span_id", "00f067aa0ba902b7"), ("trace_id", "4bf92f3577b34da6")),
            ),
            ("1-5759e988-bd862e3fe1be46a9", (("trace_id", "1-5759e988-bd862e3fe1be46a9"),)),
            (("5759e988",), (("trace_id", "5759e988"),)),
            (None, ()),
        ],
    )
    def test_calls(self, registry: CollectorRegistry, told: Any, labels: tuple[tuple[str, str], ...]) -> None:
        """The ids that it tells are those of the exemplar, of calls and of failures; None is no trace."""
        metrics = MLMetrics(service="s", registry=registry, trace_ids=lambda: told)
        with metrics.inference_timer(model="m"):
            pass
        with pytest.raises(TimeoutError), metrics.inference_timer(model="other"):
            raise TimeoutError
        found = {tuple(exemplar.labels.items()) for exemplar in marked(registry).values()}
        assert ({labels} if labels else set()) == found
        assert {} == errors(registry)

    def test_in_place_of_opentelemetry(self, registry: CollectorRegistry, tracer: trace.Tracer, clock: Clock) -> None:
        """It is asked alone, also while a span of OpenTelemetry is recording."""
        metrics = MLMetrics(service="s", registry=registry, clock=clock, trace_ids=lambda: "theirs")
        with tracer.start_as_current_span("request"), metrics.inference_timer(model="m"):
            pass
        assert ["theirs"] == [exemplar.labels["trace_id"] for exemplar in marked(registry).values()]

    def test_current_trace(self, registry: CollectorRegistry, clock: Clock) -> None:
        """It is asked when a call ends, in its thread and task, so that it may look at what is current there."""
        current: ContextVar[str | None] = ContextVar("current", default=None)
        metrics = MLMetrics(service="s", registry=registry, clock=clock, trace_ids=current.get)

        @metrics.track_inference(model="m")
        async def ask(seconds: float) -> None:
            current.set(f"trace-{seconds}")
            await asyncio.sleep(0)
            clock.advance(seconds)

        async def run() -> None:
            for seconds in (0.2, 7):
                await asyncio.create_task(ask(seconds))

        asyncio.run(run())
        assert ["trace-0.2", "trace-7"] == [exemplar.labels["trace_id"] for exemplar in marked(registry).values()]

    async def test_requests(self, registry: CollectorRegistry) -> None:
        """Requests have its ids too, also those of an application that was made before it was configured."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

        recorded = PrometheusMiddleware(app, registry=registry)
        metrics = MLMetrics(service="s", registry=registry)
        metrics.configure(trace_ids=lambda: ("t", "s"))
        await request().with_(recorded)
        metrics.track_inference(model="m")
        await request().with_(recorded)
        list(registry.collect())
        await request().with_(recorded)
        found = marked(registry, REQUEST_BUCKET).values()
        assert [{"trace_id": "t", "span_id": "s"}] == [exemplar.labels for exemplar in found]

    @pytest.mark.parametrize(
        "told", [3, b"trace", "", "a trace", 'a"b', "x" * 51, ("t", 3), ("t", None), ("a", "b", "c"), (), ["t", "s"]]
    )
    def test_something_else(self, registry: CollectorRegistry, told: Any, caplog: pytest.LogCaptureFixture) -> None:
        """What is no id is counted and logged once, without its text, and the call has no exemplar."""
        metrics = MLMetrics(service="s", registry=registry, trace_ids=lambda: told)
        for _ in range(2):
            with metrics.inference_timer(model="m"):
                pass
        assert {} == marked(registry)
        assert {"success": 2} == outcomes(registry)
        assert {"exemplar": 2} == errors(registry)
        assert 1 == caplog.text.count("trace_ids returned a ")

    async def test_raises(self, registry: CollectorRegistry) -> None:
        """What it raises reaches neither a call nor a request."""

        def broken() -> Any:
            raise TimeoutError

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

        metrics = MLMetrics(service="s", registry=registry, trace_ids=broken)
        with metrics.inference_timer(model="m"):
            pass
        await request().with_(PrometheusMiddleware(app, registry=registry))
        assert {"success": 1} == outcomes(registry)
        assert {"exemplar": 2} == errors(registry)

    @pytest.mark.parametrize("wrong", [3, "trace", lambda trace: trace, "coroutine"])
    def test_refused(self, wrong: Any) -> None:
        """What cannot be called without arguments is refused when it is configured."""

        async def later() -> str:
            return "t"

        given: Any = later if wrong == "coroutine" else wrong
        with pytest.raises(ConfigurationError, match="expected a function without arguments that returns"):
            MLMetrics(service="s", registry=CollectorRegistry(), trace_ids=given)

    @pytest.mark.parametrize("right", [dict, str, ContextVar("v", default=None).get, partial(lambda a: a, None)])
    def test_accepted(self, right: Any) -> None:
        """Whatever can be called without arguments is accepted: what it returns is seen when it is asked."""
        MLMetrics(service="s", registry=CollectorRegistry(), trace_ids=right)
