"""The toolkit: configuration, services, registries, and the messages of errors."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from starlette.applications import Starlette

import mlmetrics
from mlmetrics import (
    ConfigurationError,
    DeclarationError,
    MLMetrics,
    MLMetricsError,
    PrometheusMiddleware,
    RegistrationError,
    arg,
)
from tests.recorded import errors, in_progress, label_values, outcomes, samples, value

ROOT = Path(__file__).parents[1]
TOTAL = "ml_inference_total"
BOUNDS = "ml_inference_duration_seconds_bucket"


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own."""
    return MLMetrics(service="s", registry=registry)


class TestSeriesAtZero:
    """Every declared series exists at 0 from the first scrape (pitfall 19)."""

    def test_of_decorators(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Decorating is enough for all outcomes, the duration, what is in progress, and the scores."""
        metrics.track_inference(model="m")(lambda: None)
        metrics.track_parsing(doc_type="d")(lambda: None)
        metrics.track_matching(matcher="t", score=lambda result: result)(lambda: None)
        for name in ("ml_inference", "ml_parsing", "ml_matching"):
            found = {sample.labels["outcome"]: sample.value for sample in samples(registry, f"{name}_total")}
            assert {"success": 0, "failure": 0, "cancelled": 0} == found
            assert [0] == [sample.value for sample in samples(registry, f"{name}_duration_seconds_count")]
            assert [0] == [sample.value for sample in samples(registry, f"{name}_in_progress")]
        for name in ("parsing_accuracy_score", "matching_score_distribution"):
            assert [0] == [sample.value for sample in samples(registry, f"{name}_count")]

    def test_of_streams(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A decorated generator has its chunks' histograms from the start."""

        async def chunks() -> Any:
            yield 1

        metrics.track_inference(model="m")(chunks)
        for name in ("ml_inference_first_chunk_seconds", "ml_inference_chunk_interval_seconds"):
            assert [0] == [sample.value for sample in samples(registry, f"{name}_count")]

    def test_the_first_failure(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The first failure raises a series from 0 to 1."""
        call: Callable[[], Any] = metrics.track_inference(model="m")(lambda: 1 / 0)
        assert [0] == [sample.value for sample in samples(registry, TOTAL, outcome="failure")]
        with pytest.raises(ZeroDivisionError):
            call()
        assert [1] == [sample.value for sample in samples(registry, TOTAL, outcome="failure")]

    def test_nothing_before_a_declaration(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A toolkit that declares nothing registers nothing."""
        assert metrics.service == "s"
        assert [] == list(registry.collect())


class TestService:
    """Which service a call belongs to."""

    def test_the_order(self, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        """The service is that of the declaration, toolkit, `configure`, middleware, environment, or `default`."""
        monkeypatch.setenv("OTEL_SERVICE_NAME", "otel")
        assert "otel" == self.service_of(MLMetrics(registry=CollectorRegistry()))
        monkeypatch.setenv("MLMETRICS_SERVICE", "environment")
        assert "environment" == self.service_of(MLMetrics(registry=CollectorRegistry()))
        PrometheusMiddleware(Starlette(), service_name="middleware", registry=registry)
        assert "middleware" == self.service_of(MLMetrics(registry=registry))
        monkeypatch.delenv("MLMETRICS_SERVICE")
        monkeypatch.delenv("OTEL_SERVICE_NAME")
        assert "default" == self.service_of(MLMetrics(registry=CollectorRegistry()))

    def service_of(self, metrics: MLMetrics) -> str:
        """Return the service of a call."""
        metrics.track_inference(model="m")(lambda: None)()
        (service,) = label_values(metrics.registry, TOTAL, "service")
        return service

    @pytest.mark.in_memory
    def test_configured_after_decorating(self, registry: CollectorRegistry) -> None:
        """A name that is configured after decorators and calls, but before the first scrape, applies to them."""
        metrics = MLMetrics(registry=registry)
        call = metrics.track_inference(model="m")(lambda: None)
        call()
        PrometheusMiddleware(Starlette(), service_name="middleware", registry=registry)
        metrics.configure(service="configured")
        assert ["configured"] == label_values(registry, TOTAL, "service")
        assert {"success": 1} == outcomes(registry, service="configured")

    @pytest.mark.in_memory
    def test_middleware_after_decorating(self, registry: CollectorRegistry) -> None:
        """The name of a middleware that comes after decorators applies to them; the first middleware decides."""
        metrics = MLMetrics(registry=registry)
        metrics.track_inference(model="m")(lambda: None)()
        PrometheusMiddleware(Starlette(), service_name="first", registry=registry)
        PrometheusMiddleware(Starlette(), service_name="second", registry=registry)
        assert ["first"] == label_values(registry, TOTAL, "service")

    @pytest.mark.in_memory
    def test_environment_after_decorating(self, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        """A name in the environment that is set after decorators applies to them."""
        metrics = MLMetrics(registry=registry)
        metrics.track_inference(model="m")(lambda: None)()
        monkeypatch.setenv("MLMETRICS_SERVICE", "environment")
        assert ["environment"] == label_values(registry, TOTAL, "service")

    def test_named_too_late(self, registry: CollectorRegistry) -> None:
        """A name that comes after the first scrape changes no series."""
        metrics = MLMetrics(registry=registry)
        call = metrics.track_inference(model="m")(lambda: None)
        call()
        generate_latest(registry)
        metrics.configure(service="late")
        call()
        assert {"success": 2} == outcomes(registry, service="default")

    def test_explicit(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The service of a decorator or a timer comes first, and equal services share series."""
        metrics.track_inference(model="m", service="own")(lambda: None)()
        with metrics.inference_timer(model="m", service="own"):
            pass
        metrics.track_ml_inference("m", "own", 1.0)
        assert {"success": 3} == outcomes(registry, service="own")
        assert 1 == len(list(samples(registry, TOTAL, service="own", outcome="success")))


class TestRegistries:
    """Several toolkits, apps and registries."""

    def test_two_toolkits_on_one_registry(self, registry: CollectorRegistry) -> None:
        """Two services in one process have separate series, and no line appears twice."""
        for service in ("one", "two", "one"):
            metrics = MLMetrics(service=service, registry=registry)
            metrics.track_inference(model="m")(lambda: None)()
            with metrics.inference_timer(model="m"):
                pass
        lines = [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]
        assert len(lines) == len({line.rpartition(" ")[0] for line in lines})
        assert list(parse_openmetrics(generate_openmetrics(registry).decode()))
        assert {"success": 4} == outcomes(registry, service="one")
        assert {"success": 2} == outcomes(registry, service="two")

    def test_built_again(self, registry: CollectorRegistry) -> None:
        """A module that is loaded again, or a second app, declares the same metrics and records on (pitfall 3)."""
        for _ in range(3):
            metrics = MLMetrics(service="s", registry=registry)
            PrometheusMiddleware(Starlette(), service_name="s", registry=registry)
            metrics.track_inference(model="m")(lambda: None)()
        assert {"success": 3} == outcomes(registry)

    def test_registries_are_apart(self) -> None:
        """What is recorded on one registry is not on another."""
        first, second = CollectorRegistry(), CollectorRegistry()
        MLMetrics(service="s", registry=first).track_inference(model="m")(lambda: None)()
        MLMetrics(service="s", registry=second).track_inference(model="m")(lambda: None)
        assert ({"success": 1}, {}) == (outcomes(first), outcomes(second))

    @pytest.mark.parametrize("name", ["ml_inference_total", "parsing_accuracy_score", "fastapi_requests_total"])
    def test_clash_with_metrics_written_by_hand(self, registry: CollectorRegistry, name: str) -> None:
        """A registry that has a metric with one of our names is refused, with the name and what to do."""
        kind: Any = Histogram if name.endswith("score") else Counter
        kind(name, "Written by hand.", ["model"], registry=registry)
        with pytest.raises(RegistrationError, match=rf"{name.removesuffix('_total')}.*MLMetrics\(registry=") as caught:
            MLMetrics(service="s", registry=registry).track_inference(model="m")
        assert isinstance(caught.value, MLMetricsError)

    def test_beside_metrics_written_by_hand(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Other metrics of the registry are exposed with ours."""
        Counter("mine", "Mine.", registry=registry).inc()
        metrics.track_inference(model="m")(lambda: None)()
        assert 1 == value(registry, "mine_total")
        assert {"success": 1} == outcomes(registry)

    def test_a_registry_that_comes_too_late(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Another registry is accepted before the first declaration, and refused after it."""
        other = CollectorRegistry()
        fresh = MLMetrics(service="s", registry=registry)
        fresh.configure(registry=other)
        fresh.track_inference(model="m")(lambda: None)()
        assert {"success": 1} == outcomes(other)
        fresh.configure(registry=other)
        metrics.track_inference(model="m")
        with pytest.raises(ConfigurationError, match="before the first decorator or timer"):
            metrics.configure(registry=other)


DEFAULT_REGISTRY = """
import asyncio
from prometheus_client import REGISTRY, CollectorRegistry
from starlette.applications import Starlette
from starlette.testclient import TestClient
import mlmetrics
from tests.recorded import absent, value

app, own = Starlette(), CollectorRegistry()
REQUESTS, CALLS = "fastapi_requests_total", "ml_inference_total"
{steps}
"""


class TestTheDefaultRegistry:
    """The registry of the default toolkit; each test runs a program, because a program has one default toolkit."""

    def run(self, steps: str) -> None:
        """Run a program."""
        script = DEFAULT_REGISTRY.format(steps=steps)
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (0, "") == (done.returncode, done.stderr)

    def test_the_middleware_follows_the_functions(self) -> None:
        """`configure(registry=...)` applies to the middleware too: calls and requests are in one registry."""
        self.run("""
mlmetrics.configure(registry=own)
app.add_middleware(mlmetrics.PrometheusMiddleware, service_name="s")
TestClient(app).get("/missing")
mlmetrics.track_inference(model="m")(len)("ab")
assert (1, 1) == (value(own, REQUESTS), value(own, CALLS)), list(own.collect())
assert (True, True) == (absent(REGISTRY, REQUESTS), absent(REGISTRY, CALLS))
answer = asyncio.run(mlmetrics.metrics_endpoint())
assert REQUESTS in answer.body.decode()
assert REQUESTS in TestClient(mlmetrics.metrics_app()).get("/").text
""")

    def test_the_options_of_the_functions_hold_for_the_middleware(self) -> None:
        """The options of an earlier `configure` apply to the middleware."""
        self.run("""
mlmetrics.configure(service="configured", slow_seconds=3)
middleware = mlmetrics.PrometheusMiddleware(app)
assert (3, "configured") == (middleware.store.slow_seconds, middleware.store.service)
""")

    def test_a_registry_that_comes_after_the_middleware(self) -> None:
        """A registry that is configured after the middleware is refused; one given to the middleware is its own."""
        self.run("""
mlmetrics.PrometheusMiddleware(app, registry=CollectorRegistry())
mlmetrics.configure(registry=own)
mlmetrics.PrometheusMiddleware(app)
try:
    mlmetrics.configure(registry=REGISTRY)
except mlmetrics.ConfigurationError as error:
    assert "came after something was declared on another registry" in str(error), error
else:
    raise AssertionError("it was not refused")
""")

    def test_a_middleware_that_came_before_the_functions_were_loaded(self) -> None:
        """The functions use the registry of a middleware that was made before they were loaded."""
        self.run("""
import sys
from mlmetrics.http.middleware import PrometheusMiddleware
assert "mlmetrics.default" not in sys.modules
middleware = PrometheusMiddleware(app)
try:
    mlmetrics.configure(registry=own)
except mlmetrics.ConfigurationError as error:
    assert "came after something was declared on another registry" in str(error), error
else:
    raise AssertionError("it was not refused")
assert middleware.store is mlmetrics.MLMetrics(registry=REGISTRY).store
""")

    def test_without_configuration(self) -> None:
        """Without configuration, the middleware and the functions use prometheus_client's registry."""
        self.run("""
app.add_middleware(mlmetrics.PrometheusMiddleware)
TestClient(app).get("/missing")
assert 1 == value(REGISTRY, REQUESTS)
""")


class TestBuckets:
    """`buckets=`."""

    def test_own_bounds(self, registry: CollectorRegistry) -> None:
        """Given bounds replace those of the catalogue, for that histogram."""
        metrics = MLMetrics(service="s", registry=registry, buckets={"ml_inference_duration_seconds": [1, 2.5]})
        metrics.track_inference(model="m")(lambda: None)()
        assert ["1.0", "2.5", "+Inf"] == label_values(registry, BOUNDS, "le")

    def test_after_declaring_and_before_the_first_sample(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Bounds may be given after decorators; equal bounds may be given at any time."""
        call = metrics.track_inference(model="m")(lambda: None)
        metrics.configure(buckets={"ml_inference_duration_seconds": [7]})
        call()
        assert ["7.0", "+Inf"] == label_values(registry, BOUNDS, "le")
        metrics.configure(buckets={"ml_inference_duration_seconds": (7.0,)})

    def test_too_late(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Other bounds after the first scrape are refused."""
        metrics.track_inference(model="m")
        metrics.track_inference(model="m")(lambda: None)
        generate_latest(registry)
        with pytest.raises(ConfigurationError, match="already has samples"):
            metrics.configure(buckets={"ml_inference_duration_seconds": [7]})

    @pytest.mark.parametrize(
        "bounds", [[], [2, 1], [1, 1], [1, float("inf")], [float("nan")], ["a"], 3, None, [None]], ids=str
    )
    def test_bounds_that_cannot_work(self, bounds: Any) -> None:
        """Bounds are finite numbers, ascending, each once."""
        with pytest.raises(ConfigurationError, match="'matching_score_distribution' must be finite and ascending"):
            MLMetrics(registry=CollectorRegistry(), buckets={"matching_score_distribution": bounds})

    @pytest.mark.parametrize("name", ["ml_inference_total", "ml_inference_duration_second", "noSuchMetric", 3])
    def test_metrics_without_buckets(self, name: Any) -> None:
        """Only histograms have bounds; a name that none can have, or that is like a known one, is refused."""
        with pytest.raises(
            ConfigurationError, match=r"is no histogram of mlmetrics; there are .*ml_inference_duration"
        ):
            MLMetrics(registry=CollectorRegistry(), buckets={name: [1]})

    def test_no_mapping(self) -> None:
        """Bounds must be a mapping from names of histograms."""
        with pytest.raises(ConfigurationError, match="expected upper bounds by histogram name"):
            MLMetrics(registry=CollectorRegistry(), buckets=[1, 2])  # type: ignore[arg-type]  # that is the test


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"service": ""}, r"service='': expected a non-empty string"),
        ({"service": 3}, r"service=3: expected a non-empty string"),
        ({"max_label_values": 0}, r"max_label_values=0: expected a whole number, 1 or more"),
        ({"max_label_values": True}, r"max_label_values=True: expected a whole number"),
        ({"service": "\ud800"}, r"service='\\ud800': expected a non-empty string; this one is unpaired surrogates"),
        ({"max_label_values": 2.5}, r"max_label_values=2\.5: expected a whole number"),
        ({"slow_seconds": 0}, r"slow_seconds=0: expected a number of seconds above 0"),
        ({"slow_seconds": float("nan")}, r"slow_seconds=nan: expected a number of seconds above 0"),
        ({"slow_seconds": "30"}, r"slow_seconds='30': expected a number of seconds above 0"),
        ({"log_interval_seconds": -1}, r"log_interval_seconds=-1: expected a number of seconds, 0 or more"),
        ({"log_interval_seconds": float("nan")}, r"log_interval_seconds=nan: expected a number of seconds"),
        ({"log_interval_seconds": True}, r"log_interval_seconds=True: expected a number of seconds"),
        ({"clock": 3}, r"clock=3: expected a function that returns seconds"),
    ],
)
def test_options_that_cannot_work(options: dict[str, Any], message: str) -> None:
    """Wrong options are refused at once, by the constructor and by `configure`."""
    with pytest.raises(ConfigurationError, match=message):
        MLMetrics(registry=CollectorRegistry(), **options)
    with pytest.raises(ConfigurationError, match=message):
        MLMetrics(registry=CollectorRegistry()).configure(**options)


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda m: m.track_inference(model="")(len), r"model='': expected a non-empty string"),
        (lambda m: m.track_inference(model=4)(len), r"model=4: expected a non-empty string, arg\('parameter'\)"),
        (lambda m: m.track_inference(model="m", operation=4)(len), r"operation=4: expected a non-empty string"),
        (lambda m: m.track_inference(model="x" * 300)(len), r"this one is 300 characters, cut to 200"),
        (lambda m: m.track_inference(model="\ud800")(len), r"this one is unpaired surrogates"),
        (lambda m: m.track_parsing(doc_type="")(len), r"doc_type='': expected a non-empty string"),
        (lambda m: m.track_matching(matcher=b"m")(len), r"matcher=b'm': expected a non-empty string"),
        (lambda m: m.track_inference(model="m", service="")(len), r"service='': expected a non-empty string"),
        (lambda m: m.track_inference(model="m", service=3)(len), r"service=3: expected a non-empty string"),
        (lambda m: m.track_inference(model=arg("modle"))(lambda model: 1), r"no such parameter; it has model"),
        (lambda m: m.track_inference(model=arg("x"))(lambda: 1), r"no such parameter; it has none"),
        (lambda m: m.track_inference(model=arg("a"))(lambda *a: 1), r"'a' gathers several values"),
        (lambda m: m.track_inference(model=arg("k"))(lambda **k: 1), r"'k' gathers several values"),
        (
            lambda m: m.track_inference(model="m")(MLMetrics),
            r"cannot decorate .*decorate the method that does the work",
        ),
        (lambda m: m.track_inference("gpt-4"), r"cannot decorate 'gpt-4'"),
        (lambda m: m.inference_timer(model=arg("x")), r"a timer has no call.*inference_timer\(model=name\)"),
        (lambda m: m.parsing_timer(doc_type=lambda call: 1), r"a timer has no call.*parsing_timer\(doc_type=name\)"),
        (lambda m: m.matching_timer(matcher=arg("x")), r"a timer has no call.*matching_timer\(matcher=name\)"),
        (lambda m: arg(""), r"arg\(\) takes the name of a parameter; got ''"),
        (lambda m: arg(cast("Any", 3)), r"arg\(\) takes the name of a parameter; got 3"),
    ],
)
def test_declarations_that_cannot_work(metrics: MLMetrics, declare: Callable[[Any], Any], message: str) -> None:
    """A mistake in a declaration is refused at once, with what was given and what was expected."""
    with pytest.raises(DeclarationError, match=message):
        declare(metrics)


def test_a_refused_declaration_leaves_nothing(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A refused declaration has no series."""
    with pytest.raises(DeclarationError):
        metrics.track_inference(model=arg("x"))(lambda: None)
    assert [] == list(samples(registry, TOTAL))


def test_defaults(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """Without parentheses the function's name is the label, and a timer's is `default`."""

    @metrics.track_inference
    def extract() -> None:
        """Do nothing."""

    @metrics.track_parsing()
    def parse() -> None:
        """Do nothing."""

    extract()
    parse()
    with metrics.inference_timer():
        pass
    assert ["extract", "default"] == label_values(registry, TOTAL, "model")
    assert ["parse"] == label_values(registry, "ml_parsing_total", "doc_type")


def test_direct_functions(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """The direct functions, called as the first users call them, record what they say."""
    metrics.track_ml_inference("gpt-4", "mon-service", 1.5, success=True)
    metrics.track_ml_inference("gpt-4", "mon-service", 0.5, success=False)
    metrics.track_ml_inference("gpt-4", "mon-service", 2)
    metrics.track_parsing_accuracy("document", "pdf", 0.93)
    metrics.track_matching_score("tfidf", 0.4)
    metrics.track_file_processing("pdf", "mon-service", 2048)
    metrics.track_model_load("gpt-4", 12.0, version="2")
    assert {"success": 2, "failure": 1} == outcomes(registry, service="mon-service", model="gpt-4")
    assert 4 == value(registry, "ml_inference_duration_seconds_sum")
    assert 0.93 == value(registry, "parsing_accuracy_score_sum", parser="document", doc_type="pdf", service="s")
    assert 0.4 == value(registry, "matching_score_distribution_sum", matcher="tfidf")
    assert 2048 == value(registry, "file_processing_size_bytes_sum", file_type="pdf", service="mon-service")
    assert 12 == value(registry, "ml_model_load_duration_seconds", model="gpt-4")
    assert 1 == value(registry, "ml_model_info", model="gpt-4", version="2")
    assert in_progress(registry) == 0
    assert {} == errors(registry)


def test_the_module_is_a_toolkit() -> None:
    """The functions of the package are methods of one toolkit."""
    for name in ("track_inference", "inference_timer", "track_ml_inference", "configure"):
        assert isinstance(getattr(mlmetrics, name).__self__, MLMetrics)


def test_import_registers_and_configures_nothing() -> None:
    """Importing the package changes neither the default registry nor logging."""
    script = """
import logging, sys
from prometheus_client import REGISTRY
before = set(REGISTRY._names_to_collectors), list(logging.getLogger().handlers)
import mlmetrics, structlog
assert before == (set(REGISTRY._names_to_collectors), list(logging.getLogger().handlers))
assert not structlog.is_configured()
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_clock(registry: CollectorRegistry) -> None:
    """Durations are measured by the given clock; the default clock never goes back (pitfall 18)."""
    readings = iter([10.0, 17.0])
    metrics = MLMetrics(service="s", registry=registry, clock=lambda: next(readings))
    metrics.track_inference(model="m")(lambda: None)()
    assert 7 == value(registry, "ml_inference_duration_seconds_sum")
    assert importlib.import_module("time").perf_counter is MLMetrics(registry=CollectorRegistry()).store.clock
