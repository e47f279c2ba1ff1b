"""`instrument_opentelemetry`: what is sent, from when to when, and what becomes of mistakes."""

import threading
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mlmetrics import ConfigurationError, MissingExtraError, MLMetrics
from mlmetrics.calls.measures import tell_provider
from mlmetrics.catalog import INFERENCE
from mlmetrics.integrations import opentelemetry, patches
from mlmetrics.recording import outbox
from tests.conftest import Clock
from tests.otlp.collector import Collector, exporting, key
from tests.programs import wait_until
from tests.recorded import errors, value

pytestmark = pytest.mark.in_memory  # in files single numbers are not kept

DURATION, USAGE = "client.operation.duration", "client.token.usage"


class Service:
    """A toolkit, a provider and what its exporter sends to."""

    def __init__(self, registry: CollectorRegistry, provider: Any, collector: Collector) -> None:
        self.registry = registry
        self.clock = Clock()
        self.metrics = MLMetrics("s", registry, clock=self.clock)
        self.provider = provider
        self.collector = collector

    def call(self, model: str = "gpt-4", seconds: float = 1, error: str | None = None, **tokens: int) -> None:
        """Make a call."""
        with self.metrics.inference_timer(model=model, operation="chat") as call:
            self.clock.advance(seconds)
            if tokens:
                call.tokens(**tokens)
            if error is not None:
                call.fail(error)

    def answered(self, model: str, provider: str, answered: str) -> None:
        """Say who answered, as an SDK's response does."""
        tell_provider(self.metrics.calls(INFERENCE).series("s", (model, "chat")), provider, answered)

    def sent(self) -> dict[Any, tuple[int, float]]:
        """Have the provider collect; return the count and the sum of each point."""
        self.provider.force_flush()
        return {key: (point.count, point.total) for key, point in self.collector.points().items()}


@pytest.fixture
def service(registry: CollectorRegistry) -> Iterator[Service]:
    """Return a service whose provider collects when it is flushed."""
    with exporting() as (provider, collector):
        yield Service(registry, provider, collector)


class TestAttributes:
    """The attributes of what is sent."""

    def test_of_a_call(self, service: Service) -> None:
        """Its operation and model; a provider only where one must be named, and nobody knows it."""
        with service.metrics.instrument_opentelemetry(service.provider):
            service.call(input=10, cache_read=5, cache_write=1, output=7, reasoning=2)
            chat = {"operation": "chat", "model": "gpt-4"}
            assert {
                key(DURATION, **chat): (1, 1.0),
                key(USAGE, **chat, provider="_OTHER", of="input"): (1, 16.0),
                key(USAGE, **chat, provider="_OTHER", of="output"): (1, 9.0),
            } == service.sent()

    def test_of_an_answer(self, service: Service) -> None:
        """The provider by the convention's name, and the model that answered; a failed call has no answer."""
        with service.metrics.instrument_opentelemetry(service.provider):
            service.answered("gpt-4", "mistral", "gpt-4-0613")
            service.call(input=10)
            service.call(error="quota")
            chat = {"operation": "chat", "model": "gpt-4", "provider": "mistral_ai"}
            assert {
                key(DURATION, **chat, answered="gpt-4-0613"): (1, 1.0),
                key(USAGE, **chat, answered="gpt-4-0613", of="input"): (1, 10.0),
                key(DURATION, **chat, error="quota"): (1, 1.0),
            } == service.sent()

    def test_of_several_answers(self, service: Service) -> None:
        """A number does not say whose call it is of: what differs is left out from then on."""
        with service.metrics.instrument_opentelemetry(service.provider):
            service.answered("gpt-4", "openai", "gpt-4-0613")
            service.call()
            chat = {"operation": "chat", "model": "gpt-4", "provider": "openai"}
            first = {key(DURATION, **chat, answered="gpt-4-0613"): (1, 1.0)}
            assert first == service.sent()
            service.answered("gpt-4", "openai", "gpt-4-1106")
            service.call()
            assert {**first, key(DURATION, **chat): (1, 1.0)} == service.sent()
            service.answered("gpt-4", "azure", "gpt-4-1106")
            service.call()
            assert (1, 1.0) == service.sent()[key(DURATION, operation="chat", model="gpt-4")]

    def test_of_answers_over_the_limit(self, service: Service) -> None:
        """What stands for all names beyond the limit of a label is the name of no model, and of no provider."""
        service.metrics.configure(max_label_values=2)
        with service.metrics.instrument_opentelemetry(service.provider):
            service.answered("gpt-4", "openai", "gpt-4-0613")
            service.answered("gpt-4", "azure", "gpt-4-1106")
            service.answered("claude", "anthropic", "claude-3")
            service.call("claude", input=10)
            chat = {"operation": "chat", "model": "claude"}
            assert {
                key(DURATION, **chat): (1, 1.0),
                key(USAGE, **chat, provider="_OTHER", of="input"): (1, 10.0),
            } == service.sent()

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            ("", "inference"),
            ("chat", "chat"),
            ("responses", "chat"),
            ("messages", "chat"),
            ("completions", "text_completion"),
            ("embeddings", "embeddings"),
            ("embed_content", "embeddings"),
            ("generate_content", "generate_content"),
            ("summary", "summary"),
        ],
    )
    def test_of_an_operation(self, service: Service, ours: str, theirs: str) -> None:
        """Its name is the convention's where that has one."""
        with service.metrics.instrument_opentelemetry(service.provider):
            with service.metrics.inference_timer(model="m", operation=ours):
                service.clock.advance(2)
            assert {key(DURATION, operation=theirs, model="m"): (1, 2.0)} == service.sent()

    def test_of_an_error(self, service: Service) -> None:
        """Its type is that of our own counter, limited as all labels are; `_OTHER` where none is known."""
        service.metrics.configure(max_label_values=2)
        with service.metrics.instrument_opentelemetry(service.provider):
            for name in ("a", "b", "c", "d"):
                service.call(error=name)
            service.metrics.calls(INFERENCE).series("s", ("gpt-4", "chat")).fail(8.0)  # with no room on the stack
            chat = {"operation": "chat", "model": "gpt-4"}
            assert {
                key(DURATION, **chat, error="a"): (1, 1.0),
                key(DURATION, **chat, error="b"): (1, 1.0),
                key(DURATION, **chat, error="other"): (2, 2.0),
                key(DURATION, **chat, error="_OTHER"): (1, 8.0),
            } == service.sent()
        labels = {"metric": "ml_inference_errors_total", "label": "error_type"}
        assert 2 == value(service.registry, "mlmetrics_label_overflow_total", **labels)

    def test_exemplars_are_none(self, service: Service) -> None:
        """The span that runs where numbers are handed over is not that of their calls."""
        with service.metrics.instrument_opentelemetry(service.provider):
            service.call()
            with TracerProvider().get_tracer("t").start_as_current_span("flush"):
                service.provider.force_flush()
        (metric,) = service.collector.metrics()
        assert [0] == [len(each.exemplars) for each in metric.histogram.data_points]


class TestTime:
    """What is sent begins with the instrument and ends with it."""

    def test_begins_now(self, service: Service) -> None:
        """Calls before are ours alone."""
        service.call(seconds=4)
        with service.metrics.instrument_opentelemetry(service.provider):
            assert {} == service.sent()
            service.call()
            assert {key(DURATION, operation="chat", model="gpt-4"): (1, 1.0)} == service.sent()
        assert 2 == value(service.registry, "ml_inference_duration_seconds_count")

    def test_uninstrument(self, service: Service) -> None:
        """What waits is handed over; calls afterwards are ours alone, the thread ends, and so does the outbox."""
        handle = service.metrics.instrument_opentelemetry(service.provider)
        service.call()
        handle.uninstrument()
        handle.uninstrument()
        service.call()
        once = {key(DURATION, operation="chat", model="gpt-4"): (1, 1.0)}
        assert once == service.sent()
        assert service.metrics.store.outbox is None
        assert "mlmetrics-opentelemetry" not in {thread.name for thread in threading.enumerate()}

    def test_again(self, service: Service) -> None:
        """The same provider can be had again."""
        for _ in range(2):
            with service.metrics.instrument_opentelemetry(service.provider):
                service.call()
        with service.metrics.instrument_opentelemetry(service.provider):
            service.call()
            assert {key(DURATION, operation="chat", model="gpt-4"): (3, 3.0)} == service.sent()

    def test_two_toolkits(self, service: Service) -> None:
        """Two registries may go to the same provider, whose sums are those of both."""
        other = Service(CollectorRegistry(), service.provider, service.collector)
        with (
            service.metrics.instrument_opentelemetry(service.provider),
            other.metrics.instrument_opentelemetry(service.provider),
        ):
            service.call()
            other.call(seconds=2)
            assert {key(DURATION, operation="chat", model="gpt-4"): (2, 3.0)} == service.sent()

    def test_in_the_background(self, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        """The thread hands over without being asked by a reader."""
        monkeypatch.setattr(opentelemetry, "PERIOD_SECONDS", 0.01)
        provider = Recording()
        metrics = MLMetrics("s", registry)
        with metrics.instrument_opentelemetry(provider):
            for seconds in range(600):
                metrics.track_ml_inference("m", "s", seconds)
            wait_until(lambda: len(provider.recorded) == 600, timeout=30, what=lambda: f"{len(provider.recorded)}")
        assert [float(seconds) for seconds in range(600)] == provider.recorded


class Recording:
    """A meter provider that is not the SDK's, and its meter and histograms in one; `broken` numbers are refused."""

    def __init__(self, *broken: float) -> None:
        self.recorded: list[float] = []
        self.broken = broken

    def get_meter(self, *_named: str) -> "Recording":
        """Return the meter."""
        return self

    def create_histogram(self, *_named: object, **_more: object) -> "Recording":
        """Return the histogram."""
        return self

    def create_observable_gauge(self, *_named: object) -> None:
        """Make nothing: no reader asks."""

    def record(self, number: float, *_about: object) -> None:
        """Keep a number."""
        if number in self.broken:
            raise RuntimeError("refused")
        self.recorded.append(number)


class Hanging(Recording):
    """A provider that takes its first number only when it is told to, and is interrupted at one number."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs, self.goes_on = threading.Event(), threading.Event()
        self.interrupting: float | None = None
        self.collected: list[Callable[[object], object]] = []

    def create_observable_gauge(self, *named: Any) -> None:
        """Keep what a reader asks when it collects."""
        self.collected += named[1]

    def collect(self) -> None:
        """Collect as a reader does."""
        for ask in self.collected:
            ask(None)

    def record(self, number: float, *about: object) -> None:
        """Hang, and keep the number then."""
        self.hangs.set()
        self.goes_on.wait(60)
        if number == self.interrupting:
            raise KeyboardInterrupt
        super().record(number, *about)


class TestMistakes:
    """What cannot be sent is counted and logged once; our own metrics have it."""

    def test_a_provider_that_raises(self, registry: CollectorRegistry) -> None:
        """Each number that it refuses is counted, the others arrive."""
        metrics, provider = MLMetrics("s", registry), Recording(2.0, 3.0)
        with capture_logs() as logged, metrics.instrument_opentelemetry(provider):
            for seconds in (1.0, 2.0, 3.0, 4.0):
                metrics.track_ml_inference("m", "s", seconds)
        assert [1.0, 4.0] == provider.recorded
        assert {"opentelemetry": 2.0} == errors(registry)
        assert [("recording.failed", "opentelemetry", "refused")] == [
            (each["event"], each["where"], each["problem"]) for each in logged
        ]
        assert 10.0 == value(registry, "ml_inference_duration_seconds_sum")

    @pytest.mark.parametrize("name", ["get_meter", "create_histogram", "create_observable_gauge"])
    def test_a_provider_that_cannot_begin(
        self, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """The program goes on without it."""
        metrics, provider = MLMetrics("s", registry), Recording()

        def refuse(*_named: object, **_more: object) -> None:
            raise RuntimeError(name)

        monkeypatch.setattr(provider, name, refuse)
        with capture_logs() as logged, metrics.instrument_opentelemetry(provider):
            metrics.track_ml_inference("m", "s", 1.0)
        assert {"instrument": 1.0} == errors(registry)
        assert ["recording.failed"] == [each["event"] for each in logged]
        assert 1.0 == value(registry, "ml_inference_duration_seconds_count")

    def test_more_than_has_room(self, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        """Numbers beyond the bound are counted, and the loss is logged once."""
        monkeypatch.setattr(outbox, "MOST_WAITING", 2000)
        monkeypatch.setattr(opentelemetry, "PERIOD_SECONDS", 3600)
        metrics, provider = MLMetrics("s", registry), Recording()
        with capture_logs() as logged, metrics.instrument_opentelemetry(provider):
            for _ in range(5000):
                metrics.track_ml_inference("m", "s", 1.0)
        lost = errors(registry)["opentelemetry"]
        assert 3000 <= lost == 5000 - len(provider.recorded)
        assert ["opentelemetry"] == [each["where"] for each in logged]
        assert 5000 == value(registry, "ml_inference_duration_seconds_count")

    def test_a_provider_that_hangs(self, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        """What waits has a bound, however often a reader collects meanwhile; the rest is counted as lost."""
        monkeypatch.setattr(outbox, "MOST_WAITING", 2000)
        monkeypatch.setattr(opentelemetry, "PERIOD_SECONDS", 0.01)
        monkeypatch.setattr(opentelemetry, "WAIT_SECONDS", 0.01)
        metrics, provider = MLMetrics("s", registry), Hanging()
        with metrics.instrument_opentelemetry(provider):
            metrics.track_ml_inference("m", "s", 1.0)
            assert provider.hangs.wait(30)
            for _ in range(5):
                for _ in range(1000):
                    metrics.track_ml_inference("m", "s", 1.0)
                provider.collect()
            lost = errors(registry)["opentelemetry"]
            provider.goes_on.set()
            wait_until(lambda: len(provider.recorded) + lost == 5001, timeout=30, what=lambda: f"{lost}")
        assert lost >= 3000

    def test_interrupted_collection(self, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        """What a signal handler breaks off goes on with the next one; only the number on its way is unknown."""
        monkeypatch.setattr(opentelemetry, "PERIOD_SECONDS", 3600)
        metrics, provider = MLMetrics("s", registry), Hanging()
        provider.goes_on.set()
        with metrics.instrument_opentelemetry(provider):
            for seconds in range(10):
                metrics.track_ml_inference("m", "s", seconds, success=seconds < 5)
            for interrupting in (3.0, 7.0):
                provider.interrupting = interrupting
                with pytest.raises(KeyboardInterrupt):
                    provider.collect()
        assert [0, 1, 2, 4, 5, 6, 8, 9] == provider.recorded

    def test_threads_that_fork_together(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that waits in vain for the other does not keep it from handing over afterwards."""
        monkeypatch.setattr(opentelemetry, "WAIT_SECONDS", 0.01)
        with service.metrics.instrument_opentelemetry(service.provider):
            (export,) = opentelemetry._exports
            forks, forked = threading.Event(), threading.Event()

            def fork() -> None:
                export.before_fork()
                forks.set()
                forked.wait(60)
                export.after_fork()

            other = threading.Thread(target=fork)
            other.start()
            forks.wait(60)
            export.before_fork()
            export.after_fork()
            forked.set()
            other.join()
            service.call()
            assert {key(DURATION, operation="chat", model="gpt-4"): (1, 1.0)} == service.sent()

    def test_no_provider(self, service: Service) -> None:
        """What has no `get_meter` is refused."""
        with pytest.raises(ConfigurationError, match=r"meter_provider=InMemory.*: expected a MeterProvider"):
            service.metrics.instrument_opentelemetry(_Named())

    def test_twice(self, service: Service) -> None:
        """A second provider for the same registry would have to share what waits."""
        other = MLMetrics("s", service.registry)
        with (
            service.metrics.instrument_opentelemetry(service.provider),
            pytest.raises(ConfigurationError, match="goes to a meter provider already"),
        ):
            other.instrument_opentelemetry(service.provider)

    def test_several_processes(self, service: Service, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Files have no single numbers, and it says what to do."""
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
        metrics = MLMetrics("s", CollectorRegistry())
        with pytest.raises(ConfigurationError, match="PROMETHEUS_MULTIPROC_DIR is set, so calls add their numbers to"):
            metrics.instrument_opentelemetry(service.provider)

    def test_not_installed(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        """The extra is named."""

        def missing(_name: str) -> str:
            raise PackageNotFoundError

        monkeypatch.setattr(patches, "version_of", missing)
        with pytest.raises(MissingExtraError, match=r"opentelemetry-api, which the extra `otel` brings"):
            service.metrics.instrument_opentelemetry(service.provider)

    def test_too_old(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        """The versions that are known are named."""
        monkeypatch.setattr(patches, "version_of", lambda _name: "1.31.0")
        with pytest.raises(
            ConfigurationError, match=r"opentelemetry-api 1.31.0 is installed, and mlmetrics knows 1.32"
        ):
            service.metrics.instrument_opentelemetry(service.provider)


class _Named:
    def __repr__(self) -> str:
        return "InMemoryMetricReader()"


def test_failures_are_plain_numbers(service: Service) -> None:
    """Only where somebody takes raw numbers do seconds have error types beside them."""
    service.call(error="quota")
    series: Any = service.metrics.calls(INFERENCE).series("s", ("gpt-4", "chat"))
    assert [float] == [type(seconds) for seconds in series.failed]


def test_a_reader_of_another_kind(registry: CollectorRegistry) -> None:
    """A reader that pulls, as Prometheus's does, gets what was recorded until then as well."""
    reader, metrics = InMemoryMetricReader(), MLMetrics("s", registry)
    with metrics.instrument_opentelemetry(MeterProvider([reader], shutdown_on_exit=False)):
        for expected in (1, 2):
            metrics.track_ml_inference("m", "s", 1.0)
            data: Any = reader.get_metrics_data()
            (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
            assert expected == metric.data.data_points[0].count
