"""Clocks of the user's: when they are taken, and what happens when they break."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from structlog.testing import capture_logs

from mlmetrics import ConfigurationError, MLMetrics, PrometheusMiddleware
from tests.conftest import Clock
from tests.recorded import errors, in_progress, outcomes, value

SECONDS = "ml_inference_duration_seconds"


def broken() -> float:
    """Raise instead of telling the time."""
    raise OSError("no clock")


def call(metrics: MLMetrics) -> object:
    """Call a recorded function."""
    return metrics.track_inference(model="m")(lambda: "result")()


def block(metrics: MLMetrics) -> object:
    """Run a timer, and ask how long it took so far."""
    with metrics.inference_timer(model="m") as timed:
        assert timed.duration >= 0
        return "result"


def stream(metrics: MLMetrics) -> object:
    """Exhaust a recorded generator."""

    def chunks() -> Iterator[str]:
        yield "result"

    return "".join(metrics.track_inference(model="m")(chunks)())


@pytest.mark.parametrize("run", [call, block, stream])
@pytest.mark.parametrize(
    "clock", [broken, lambda: "noon", lambda: None, lambda: float("nan"), lambda: float("inf"), lambda needed: 1.0]
)
def test_a_broken_clock(
    registry: CollectorRegistry, run: Callable[[MLMetrics], object], clock: Callable[[], float]
) -> None:
    """A broken clock reaches no call: `perf_counter` times the call, and the failure is counted and logged once."""
    metrics = MLMetrics(service="s", registry=registry, clock=clock)
    with capture_logs() as logs:
        assert ["result", "result"] == [run(metrics), run(metrics)]
    assert {"success": 2} == outcomes(registry)
    assert in_progress(registry) == 0
    assert {"clock": 1} == errors(registry)
    assert [("recording.failed", "clock")] == [(log["event"], log["where"]) for log in logs]
    assert 0 < value(registry, f"{SECONDS}_sum") < 60


def test_a_clock_that_breaks_in_the_middle(registry: CollectorRegistry) -> None:
    """Time goes on from its last reading: no call gets the seconds between two clocks."""
    readings = iter([1e9, 1e9 + 7, 1e9 + 100])
    metrics = MLMetrics(service="s", registry=registry, clock=lambda: next(readings))
    for _ in range(3):
        call(metrics)
    assert 7 <= value(registry, f"{SECONDS}_sum") < 60
    assert {"success": 3} == outcomes(registry)
    assert {"clock": 1} == errors(registry)


def test_a_request_on_a_broken_clock(registry: CollectorRegistry) -> None:
    """A broken clock does not reach a request."""
    metrics = MLMetrics(service="s", registry=registry, clock=broken)
    assert metrics.store is not None
    assert 0 < PrometheusMiddleware(Starlette(), registry=registry).clock() + 1
    assert {"clock": 1} == errors(registry)


@pytest.mark.parametrize(
    "declare",
    [
        lambda metrics: metrics.track_inference(model="m")(lambda: None),
        lambda metrics: metrics.inference_timer(model="m"),
        lambda metrics: PrometheusMiddleware(None, registry=metrics.registry),
    ],
)
def test_a_clock_that_comes_too_late(registry: CollectorRegistry, clock: Clock, declare: Callable[[Any], Any]) -> None:
    """What has been declared keeps its clock, so another one is refused, by this toolkit and by its siblings."""
    metrics = MLMetrics(service="s", registry=registry)
    declare(metrics)
    with pytest.raises(ConfigurationError, match="before the first decorator, timer or middleware"):
        MLMetrics(service="s", registry=registry, clock=clock).track_inference(model="m")
    metrics.track_inference(model="m")
    with pytest.raises(ConfigurationError, match="before the first decorator, timer or middleware"):
        metrics.configure(clock=clock)


def test_the_same_clock_may_come_again(registry: CollectorRegistry, clock: Clock) -> None:
    """Toolkits that share a registry and a clock, and a module that is loaded again, are no mistake."""
    for _ in range(2):
        metrics = MLMetrics(service="s", registry=registry, clock=clock)
        call(metrics)
        metrics.configure(clock=clock)
    assert {"success": 2} == outcomes(registry)


def test_a_refused_clock_is_refused_each_time(registry: CollectorRegistry, clock: Clock) -> None:
    """A declaration that was refused does not go through the second time it is tried."""
    MLMetrics(service="s", registry=registry).track_inference(model="m")
    late = MLMetrics(service="s", registry=registry, clock=clock)
    for _ in range(2):
        with pytest.raises(ConfigurationError):
            late.track_inference(model="m")


def test_the_default_is_bare(registry: CollectorRegistry) -> None:
    """`perf_counter` is called as it is, whether by default or by name."""
    assert perf_counter is MLMetrics(registry=registry, clock=perf_counter).store.clock
