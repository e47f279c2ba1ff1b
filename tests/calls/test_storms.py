"""Storms of failures: each is counted, few are logged, and those that are not are told with the next one.

The clock is injected, and moves only where a test moves it.
"""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mlmetrics import MLMetrics, current_call, exemplars, logs
from mlmetrics.calls import failures
from mlmetrics.catalog import INFERENCE
from mlmetrics.recording.labels import OTHER
from tests.conftest import Clock
from tests.recorded import errors, in_progress, label_values, outcomes, value

ROOT = Path(__file__).parents[2]
ERRORS = "ml_inference_errors_total"
Fail = Callable[[], object]


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> MLMetrics:
    """Return a toolkit on a registry and a clock of its own."""
    return MLMetrics(service="s", registry=registry, clock=clock)


def quietly(call: Fail, times: int = 1) -> None:
    """Call so many times, whatever it raises."""
    for _ in range(times):
        with contextlib.suppress(Exception):
            call()


def told(events: list[Any]) -> tuple[int, int]:
    """Return how many events were written, and how many more these tell."""
    return len(events), sum(event.get("suppressed", 0) for event in events)


def raising(metrics: MLMetrics) -> Fail:
    """Return a decorated function that raises."""

    def run() -> None:
        raise KeyError

    return metrics.track_inference(model="m")(run)


def said(metrics: MLMetrics) -> Fail:
    """Return a decorated function that says that it has failed, as `KeyError`."""
    return metrics.track_inference(model="m")(lambda: current_call().fail("KeyError"))


def timed(metrics: MLMetrics) -> Fail:
    """Return a block that raises."""

    def block() -> None:
        with metrics.inference_timer(model="m"):
            raise KeyError

    return block


def direct(metrics: MLMetrics) -> Fail:
    """Return the direct function, of a failure."""
    return lambda: metrics.track_ml_inference("m", "s", 1.0, success=False)


class TestSuppressed:
    """`suppressed` of events that are written."""

    @pytest.mark.parametrize("kind", [raising, said, timed, direct])
    def test_adds_up_exactly(
        self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, kind: Callable[[MLMetrics], Fail]
    ) -> None:
        """The first failure is logged at once, then one in ten seconds; written and suppressed are all failures."""
        fail = kind(metrics)
        with capture_logs() as events:
            for _ in range(35):
                quietly(fail, 1000)
                clock.advance(1)
            clock.advance(10)
            quietly(fail)
        assert (5, 35_001 - 5) == told(events)
        assert [None, 9_999, 9_999, 9_999, 4_999] == [event.get("suppressed") for event in events]
        assert {"failure": 35_001} == outcomes(registry)
        assert 35_001 == value(registry, ERRORS, model="m")
        assert 0 == in_progress(registry)
        assert {} == errors(registry)

    def test_is_left_out_where_nothing_was(self, metrics: MLMetrics, clock: Clock) -> None:
        """Failures that are far apart are all logged, with the fields that they always had."""
        fail = raising(metrics)
        with capture_logs() as events:
            for _ in range(3):
                quietly(fail)
                clock.advance(10)
        assert [{"event", "log_level", "service", "model", "operation", "error_type", "duration_seconds"}] * 3 == [
            set(event) for event in events
        ]

    def test_of_each_series_and_error_type(self, metrics: MLMetrics, clock: Clock) -> None:
        """Each series, and each error type of it, has its own first event and its own count."""

        def fail(model: str, error: type[Exception]) -> None:
            with metrics.inference_timer(model=model):
                raise error

        with capture_logs() as events:
            for seconds in (0, 10):
                clock.advance(seconds)
                for model, error in (("a", KeyError), ("a", OSError), ("b", KeyError)):
                    quietly(partial(fail, model, error), 4)
        of = [(event["model"], event["error_type"], event.get("suppressed")) for event in events]
        kinds = [("a", "KeyError"), ("a", "OSError"), ("b", "KeyError")]
        assert [*((*kind, None) for kind in kinds), *((*kind, 3) for kind in kinds)] == of

    def test_of_slow_calls(self, metrics: MLMetrics, clock: Clock) -> None:
        """Slow calls are limited in the same way, apart from failures."""
        metrics.configure(slow_seconds=1, log_interval_seconds=100)
        call = metrics.track_inference(model="m")(lambda: clock.advance(2))
        with capture_logs() as events:
            quietly(call, 120)
        assert ["inference.slow"] * 3 == [event["event"] for event in events]
        assert [None, 49, 49] == [event.get("suppressed") for event in events]

    def test_a_burst_writes_few_lines(self, metrics: MLMetrics, clock: Clock) -> None:
        """A hundred thousand failures within ten minutes write sixty lines."""
        fail = raising(metrics)
        with capture_logs() as events:
            for _ in range(1000):
                quietly(fail, 100)
                clock.advance(0.6)
        assert 50 < len(events) <= 60

    def test_by_threads(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """Eight threads fail while the time goes on: nothing is counted twice or left out."""
        fail = raising(metrics)

        def storm() -> None:
            for _ in range(50):
                quietly(fail, 100)
                clock.advance(0.1)

        with capture_logs() as events:
            threads = [threading.Thread(target=storm) for _ in range(8)]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
            clock.advance(10)
            quietly(fail)
        written, suppressed = told(events)
        assert 40_001 == written + suppressed == value(registry, ERRORS, model="m")
        assert written <= 7

    def test_in_a_forked_child(self, metrics: MLMetrics, clock: Clock) -> None:
        """A child tells its own failures, the first at once; those before the fork are its parent's to tell."""
        fail, (reading, writing) = raising(metrics), os.pipe()
        with capture_logs() as events:
            quietly(fail, 10)
            pid = os.fork()
            if pid == 0:
                quietly(fail, 3)
                clock.advance(10)
                quietly(fail)
                os.write(writing, repr([event.get("suppressed") for event in events[1:]]).encode())
                os._exit(0)
            os.waitpid(pid, 0)
            clock.advance(10)
            quietly(fail)
        assert b"[None, 2]" == os.read(reading, 100)
        assert [None, 9] == [event.get("suppressed") for event in events]
        os.close(reading)
        os.close(writing)


class TestInterval:
    """`log_interval_seconds`."""

    def test_zero_writes_every_event(self, metrics: MLMetrics, clock: Clock) -> None:
        """With 0, every failure and every slow call is logged."""
        metrics.configure(log_interval_seconds=0, slow_seconds=1)
        slow = metrics.track_inference(model="m")(lambda: clock.advance(2))
        with capture_logs() as events:
            quietly(raising(metrics), 20)
            quietly(slow, 20)
        assert (40, 0) == told(events)

    def test_is_part_of_a_toolkit(self, registry: CollectorRegistry, clock: Clock) -> None:
        """The constructor takes it."""
        fail = raising(MLMetrics(service="s", registry=registry, clock=clock, log_interval_seconds=2.5))
        with capture_logs() as events:
            for _ in range(10):
                quietly(fail)
                clock.advance(1)
        assert [None, 2, 2, 2] == [event.get("suppressed") for event in events]

    def test_nobody_hears(self, metrics: MLMetrics, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        """As long as no logging is configured nothing is formatted; the first event tells what went before."""
        written: list[dict[str, Any]] = []
        monkeypatch.setattr(logs, "heard", lambda: False)
        monkeypatch.setattr(logs, "emit", lambda _store, _level, _event, fields: written.append(fields))
        fail = raising(metrics)
        quietly(fail, 5)
        assert [] == written
        monkeypatch.setattr(logs, "heard", lambda: True)
        clock.advance(10)
        quietly(fail)
        assert [5] == [event["suppressed"] for event in written]

    def test_a_broken_logger_is_counted(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """What the logger raises is counted once for each event, and the failures are all counted."""

        def broken(_: object) -> Any:
            raise OSError("disk full")

        standard = logging.getLogger("mlmetrics")
        standard.addFilter(broken)
        try:
            quietly(raising(metrics), 100)
        finally:
            standard.removeFilter(broken)
        assert {"failure": 100} == outcomes(registry)
        assert {"log": 1} == errors(registry)


class TestTypes:
    """What a series keeps of the types of exceptions."""

    def test_groups_are_asked_each_time(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A group means cancelled if all its exceptions do, whatever the group before it meant."""
        given: list[BaseException] = [KeyError(), asyncio.CancelledError(), KeyError(), asyncio.CancelledError()]

        def run() -> None:
            raise BaseExceptionGroup("of a task group", [given.pop()])

        call = metrics.track_inference(model="m")(run)
        while given:
            with pytest.raises(BaseExceptionGroup):
                call()
        assert {"failure": 2, "cancelled": 2} == outcomes(registry)

    def test_many_classes_of_one_name(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A class that is made anew for each failure is one error type with one event, and few of them are kept."""

        def run() -> None:
            raise type("Busy", (Exception,), {})

        call = metrics.track_inference(model="m")(run)
        with capture_logs() as events:
            quietly(call, 1000)
        assert 1 == len(events)
        assert 1000 == value(registry, ERRORS, error_type="Busy")
        series = metrics.calls(INFERENCE).series("s", ("m", ""))
        assert 0 < len(series.error_types) <= failures.MOST_EXCEPTION_TYPES

    def test_beyond_the_limit_of_values(self, registry: CollectorRegistry, clock: Clock) -> None:
        """Error types beyond the limit are `other`, with one event for all of them."""
        metrics = MLMetrics(service="s", registry=registry, clock=clock, max_label_values=3)
        kinds = iter([type(f"Error{number}", (Exception,), {}) for number in range(10)] * 2)

        def run() -> None:
            raise next(kinds)

        call = metrics.track_inference(model="m")(run)
        with capture_logs() as events:
            quietly(call, 20)
        assert ["Error0", "Error1", "Error2", OTHER] == label_values(registry, ERRORS, "error_type")
        assert 14 == value(registry, ERRORS, error_type=OTHER)
        failed = [event["error_type"] for event in events if event["event"] == "inference.failed"]
        assert ["Error0", "Error1", "Error2", OTHER] == failed

    def test_a_metaclass_that_cannot_be_hashed(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """An exception whose class cannot be a key is a failure of its name, each time."""

        class Unhashable(type):
            __hash__ = None  # type: ignore[assignment]  # that is the test

        class Odd(Exception, metaclass=Unhashable):  # noqa: N818 (a name to be found as it is)
            pass

        def run() -> None:
            raise Odd

        with capture_logs() as events:
            quietly(metrics.track_inference(model="m")(run), 5)
        assert {} == errors(registry)
        assert ["Odd"] == label_values(registry, ERRORS, "error_type")
        assert 5 == value(registry, ERRORS, error_type="Odd")
        assert 1 == len(events)
        assert {} == errors(registry)

    def test_trio_that_is_imported_later(self) -> None:
        """A series that has seen failures and cancellations knows those of trio, which is loaded afterwards."""
        script = """
import asyncio, sys
from prometheus_client import CollectorRegistry
from mlmetrics import MLMetrics
registry = CollectorRegistry()
metrics = MLMetrics(service="s", registry=registry)
given = [KeyError(), asyncio.CancelledError()]
@metrics.track_inference(model="m")
def run():
    raise given.pop()
for _ in range(2):
    try:
        run()
    except BaseException:
        pass
assert "trio" not in sys.modules
import trio
@metrics.track_inference(model="m")
async def wait():
    await trio.sleep_forever()
async def main():
    with trio.move_on_after(0):
        await wait()
trio.run(main)
totals = {outcome: registry.get_sample_value("ml_inference_total", {"service": "s", "model": "m", "operation": "",
    "outcome": outcome}) for outcome in ("success", "failure", "cancelled")}
assert totals == {"success": 0, "failure": 1, "cancelled": 2}, totals
"""
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (0, "") == (done.returncode, done.stderr)


def test_exemplars_of_a_bucket_are_limited(
    registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a span is recorded, a bucket gets an exemplar once a second, and each bucket its own."""
    provider = TracerProvider()
    marks: list[float] = []
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    current = exemplars.current

    def marked(seconds: float, *more: Any) -> Any:
        marks.append(clock.now)
        return current(seconds, *more)

    monkeypatch.setattr(exemplars, "current", marked)

    def call(seconds: float) -> None:
        with metrics.inference_timer(model="m"):
            clock.advance(seconds)

    with provider.get_tracer("tests").start_as_current_span("request"):
        for _ in range(100):
            call(0)
        assert [0] == marks
        call(0.25)
        assert [0, 0.25] == marks
        clock.advance(0.75)
        quietly(lambda: call(0), 100)
    assert [0, 0.25, 1] == marks
    assert {"success": 201} == outcomes(registry)
