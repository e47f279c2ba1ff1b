"""Log events: their keys are the labels; logging is not configured by itself; broken loggers do no harm."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mlmetrics import MLMetrics
from mlmetrics.catalog import BY_NAME
from mlmetrics.logs import configure_logging
from tests.conftest import Clock
from tests.recorded import errors, outcomes

ROOT = Path(__file__).parents[1]


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> MLMetrics:
    """Return a toolkit on a registry and a clock of its own; calls of more than 10 s are slow."""
    return MLMetrics(service="s", registry=registry, clock=clock, slow_seconds=10)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Configure logging to a stream, return it, and put everything back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logging("DEBUG", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the JSON lines that were written."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class TestEvents:
    """The events that calls log."""

    def test_failed(self, metrics: MLMetrics, clock: Clock) -> None:
        """A failure is logged with exactly the labels of its series, its type and duration."""
        with capture_logs() as logs, pytest.raises(KeyError), metrics.inference_timer(model="m", operation="chat"):  # noqa: PT012 (all of the block is what raises)
            clock.advance(2)
            raise KeyError
        event = {"event": "inference.failed", "log_level": "warning", "error_type": "KeyError", "duration_seconds": 2}
        assert [{**event, "service": "s", "model": "m", "operation": "chat"}] == logs
        assert set(BY_NAME["ml_inference_errors_total"].labels) <= set(logs[0])

    def test_slow(self, metrics: MLMetrics, clock: Clock) -> None:
        """A call above the threshold is logged, one at the threshold is not."""
        with capture_logs() as logs:
            for seconds in (10, 10.5):
                with metrics.parsing_timer(doc_type="cv", parser="p"):
                    clock.advance(seconds)
        event = {"event": "parsing.slow", "log_level": "warning", "duration_seconds": 10.5, "slow_seconds": 10}
        assert [{**event, "service": "s", "doc_type": "cv", "parser": "p"}] == logs

    def test_slow_failure(self, metrics: MLMetrics, clock: Clock) -> None:
        """A slow failure is logged as slow and as failed."""
        with capture_logs() as logs, metrics.matching_timer(matcher="t") as call:
            clock.advance(11)
            call.fail("quota")
        assert ["matching.failed", "matching.slow"] == [log["event"] for log in logs]
        assert "quota" == logs[0]["error_type"]

    def test_every_slow_call(self, metrics: MLMetrics, clock: Clock) -> None:
        """Every slow call of a series is logged, also of decorated functions."""
        call = metrics.track_inference(model="m")(lambda: clock.advance(11))
        with capture_logs() as logs:
            for _ in range(3):
                call()
        assert ["inference.slow"] * 3 == [log["event"] for log in logs]

    def test_cancelled_calls_are_no_events(self, metrics: MLMetrics) -> None:
        """A cancelled call is not logged."""
        with capture_logs() as logs, metrics.inference_timer(model="m") as call:
            call.cancel()
        assert [] == logs

    def test_success_is_no_event(self, metrics: MLMetrics) -> None:
        """A successful call is not logged."""
        with capture_logs() as logs:
            metrics.track_inference(model="m")(lambda: None)()
        assert [] == logs

    def test_mistakes_once_a_place(self, metrics: MLMetrics) -> None:
        """Recording errors are logged once for each place."""
        with capture_logs() as logs:
            for _ in range(3):
                metrics.track_matching_score("m", 3.7)
                metrics.track_ml_inference("m", "s", -1)
        assert [("recording.failed", "score"), ("recording.failed", "duration")] == [
            (log["event"], log["where"]) for log in logs
        ]
        assert "expected a finite number, 0..1; got float 3.7" == logs[0]["problem"]

    def test_named_late(self, registry: CollectorRegistry) -> None:
        """A service name that is set too late is logged."""
        metrics = MLMetrics(registry=registry)
        metrics.track_inference(model="m")(lambda: None)()
        outcomes(registry)
        with capture_logs() as logs:
            metrics.configure(service="late")
        assert [("service.named_late", "late", "default")] == [
            (log["event"], log["service"], log["recorded_as"]) for log in logs
        ]


class TestBrokenLoggers:
    """Loggers that raise."""

    @pytest.mark.parametrize("where", ["structlog", "logging"])
    def test_counted(self, registry: CollectorRegistry, metrics: MLMetrics, where: str) -> None:
        """A processor or handler that raises is counted; the call, its outcome and its exception do not change."""

        def broken(*_: object) -> Any:
            raise OSError("disk full")

        standard, error = logging.getLogger("mlmetrics"), KeyError("the user's own")
        if where == "structlog":
            structlog.configure(processors=[broken])
        else:
            standard.addFilter(broken)
        try:
            with pytest.raises(KeyError) as caught, metrics.inference_timer(model="m"):
                raise error
        finally:
            structlog.reset_defaults()
            standard.removeFilter(broken)
        assert error is caught.value
        assert {"failure": 1} == outcomes(registry)
        assert {"log": 1} == errors(registry)


class TestConfigureLogging:
    """`configure_logging`."""

    def test_structlog(self, lines: io.StringIO) -> None:
        """Events of structlog are JSON lines with time, level and what was bound."""
        with structlog.contextvars.bound_contextvars(request_id="abc"):
            structlog.get_logger("mine").info("model.loaded", model="gpt-4")
        (event,) = events(lines)
        assert {
            "event": "model.loaded",
            "level": "info",
            "model": "gpt-4",
            "request_id": "abc",
        }.items() <= event.items()
        assert event["timestamp"].endswith("Z")

    def test_standard_logging(self, lines: io.StringIO) -> None:
        """Records of standard logging are JSON lines too, with their arguments and with what was bound."""
        with structlog.contextvars.bound_contextvars(request_id="abc"):
            logging.getLogger("theirs").warning("%d of %s", 3, "them")
        (event,) = events(lines)
        assert {"event": "3 of them", "level": "warning", "request_id": "abc"}.items() <= event.items()

    @pytest.mark.parametrize("logger", [structlog.get_logger("mine"), logging.getLogger("theirs")])
    def test_tracebacks(self, lines: io.StringIO, logger: Any) -> None:
        """An exception is part of the one line of its event."""
        try:
            dict[str, str]()["missing"]
        except KeyError:
            logger.exception("broken")
        (event,) = events(lines)
        assert "broken" == event["event"]
        assert "KeyError" == event["exception"][0]["exc_type"]
        assert event["exception"][0]["frames"]

    def test_ours(self, lines: io.StringIO, metrics: MLMetrics) -> None:
        """The event of a failed call has the request id that was bound."""
        with (
            structlog.contextvars.bound_contextvars(request_id="abc"),
            pytest.raises(KeyError),
            metrics.inference_timer(model="m"),
        ):
            raise KeyError
        (event,) = events(lines)
        assert {"event": "inference.failed", "model": "m", "request_id": "abc"}.items() <= event.items()

    def test_anything_can_be_written(self, lines: io.StringIO) -> None:
        """Objects, lone surrogates and new lines stay on one line of valid JSON."""
        structlog.get_logger().info("two\nlines", path=Path("x"), lone="\ud800", nested={"a": object()})
        (event,) = events(lines)
        assert "two\nlines" == event["event"]
        assert "x" == event["path"]

    def test_level_and_twice(self, lines: io.StringIO) -> None:
        """Events below the level are not written, and configuring twice writes no event twice."""
        second = io.StringIO()
        configure_logging(logging.WARNING, second)
        structlog.get_logger().info("quiet")
        structlog.get_logger().warning("loud")
        assert [] == events(lines)
        assert ["loud"] == [event["event"] for event in events(second)]


FAILING = """
import logging
from prometheus_client import CollectorRegistry
from mlmetrics import MLMetrics
{configure}
with MLMetrics(service="s", registry=CollectorRegistry()).inference_timer(model="m") as call:
    call.fail("quota")
print("result")
"""


def run_failing(configure: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program with one failed call, after it has configured logging, or not."""
    script = FAILING.format(configure=configure)
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)


def test_without_configuration_nothing_is_written() -> None:
    """A program that did not configure logging gets no line on stdout or stderr."""
    done = run_failing()
    assert ("result\n", "") == (done.stdout, done.stderr)


@pytest.mark.parametrize(
    "configure", ["logging.basicConfig()", 'logging.getLogger("mlmetrics").addHandler(logging.StreamHandler())']
)
def test_a_program_that_configured_logging_gets_the_events(configure: str) -> None:
    """A handler of the root logger or of `mlmetrics` gets every event once."""
    done = run_failing(configure)
    assert "result\n" == done.stdout
    assert 1 == done.stderr.count("event='inference.failed' service='s' model='m' operation='' error_type='quota'")


def test_without_configuration_standard_logging_is_obeyed(metrics: MLMetrics, caplog: pytest.LogCaptureFixture) -> None:
    """Without structlog, the level of `logging.getLogger("mlmetrics")` decides what is logged."""
    with metrics.inference_timer(model="m") as call:
        call.fail("quota")
    assert ["mlmetrics"] == [record.name for record in caplog.records]
    caplog.clear()
    logging.getLogger("mlmetrics").setLevel(logging.ERROR)
    try:
        with metrics.inference_timer(model="m") as call:
            call.fail("quota")
    finally:
        logging.getLogger("mlmetrics").setLevel(logging.NOTSET)
    assert [] == caplog.records
