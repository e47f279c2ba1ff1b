"""A test for each rule of the kind that others have broken, where no other file has it."""

import asyncio
import functools
import inspect
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from mlmetrics import MLMetrics
from mlmetrics.catalog import BY_NAME
from tests.conftest import Clock
from tests.contract.kinds import Pause
from tests.recorded import in_progress, outcomes, value

DURATION = "ml_inference_duration_seconds_sum"


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> MLMetrics:
    """Return a toolkit on a registry and a clock of its own."""
    return MLMetrics(service="s", registry=registry, clock=clock)


def test_a_coroutine_is_timed_to_its_end(registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
    """The run of a coroutine is measured, not its creation, and it stays a coroutine function (pitfall 13)."""

    @metrics.track_inference(model="m")
    async def ask() -> None:
        await Pause()
        clock.advance(7)

    assert inspect.iscoroutinefunction(ask)
    asyncio.run(ask())
    assert 7 == value(registry, DURATION)


def test_a_stream_is_timed_to_its_end(registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
    """The run of an async generator is measured, and it stays an async generator (pitfall 13)."""

    @metrics.track_inference(model="m")
    async def ask() -> AsyncIterator[int]:
        for number in range(3):
            clock.advance(2)
            yield number

    async def main() -> list[int]:
        return [number async for number in ask()]

    assert inspect.isasyncgenfunction(ask)
    assert [0, 1, 2] == asyncio.run(main())
    assert 6 == value(registry, DURATION)


@pytest.mark.parametrize("wait", [lambda task: asyncio.wait_for(task, 0), asyncio.gather])
def test_a_timeout_is_a_cancellation(registry: CollectorRegistry, metrics: MLMetrics, wait: Any) -> None:
    """A call that a time limit ends is cancelled: no success, no failure, nothing in progress (pitfall 16)."""

    @metrics.track_inference(model="m")
    async def ask() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        task = asyncio.ensure_future(ask())
        await Pause()
        asyncio.get_running_loop().call_soon(task.cancel)
        await wait(task)

    with pytest.raises((asyncio.CancelledError, TimeoutError)):
        asyncio.run(main())
    assert {"cancelled": 1} == outcomes(registry)
    assert in_progress(registry) == 0
    assert 0 == value(registry, "ml_inference_duration_seconds_count")


def test_a_task_group_that_fails_cancels_the_others(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """One failure, and a cancellation for each call that it took along (pitfall 16)."""

    @metrics.track_inference(model="m")
    async def ask(number: int) -> None:
        await Pause()
        if number == 0:
            raise KeyError
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(ask(number))

    with pytest.raises(ExceptionGroup):
        asyncio.run(main())
    assert {"failure": 1, "cancelled": 3} == outcomes(registry)
    assert in_progress(registry) == 0


def test_no_kind_of_callable_crashes(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """Class and static methods beneath, a partial, and an object with an async call can be decorated (pitfall 17)."""
    track = metrics.track_inference(model="m")

    class Model:
        @track
        @classmethod
        def build(cls) -> type:
            return cls

        @track
        @staticmethod
        def double(number: int) -> int:
            return 2 * number

        async def __call__(self) -> str:
            return "answer"

    assert Model is Model.build()
    assert 4 == Model().double(2)
    assert 3 == track(functools.partial(max, 3))(1)
    assert "answer" == asyncio.run(track(Model())())
    assert {"success": 4} == outcomes(registry)


def test_the_clock_never_goes_back(registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Durations are not measured by `time.time`, which can be set (pitfall 18)."""
    backwards = itertools.count(1_000_000.0, -1000.0)
    monkeypatch.setattr("time.time", lambda: next(backwards))
    metrics = MLMetrics(service="s", registry=registry)
    metrics.track_inference(model="m")(lambda: None)()
    with metrics.inference_timer(model="m"):
        pass
    assert 0 < value(registry, DURATION) < 1000


def test_nan_poisons_no_sum(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A score that is NaN leaves the sum a number, for ever (pitfall 20)."""
    for score in (0.25, float("nan"), 0.5):
        metrics.track_matching_score("m", score)
    assert 0.75 == value(registry, "matching_score_distribution_sum")


def test_no_sample_is_doubled(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """Neither format has `_created`, nor any line twice (pitfall 22)."""
    metrics.track_inference(model="m")(lambda: None)()
    for text in (generate_latest(registry).decode(), generate_openmetrics(registry).decode()):
        names = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
        assert len(names) == len(set(names))
        assert "_created" not in text


def test_bounds_reach_beyond_the_alerts(registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
    """A call of 31 s is above the bound at 30 and below another: an alert at 30 s can fire (pitfall 23)."""
    with metrics.inference_timer(model="m"):
        clock.advance(31)
    name = "ml_inference_duration_seconds_bucket"
    assert 0 == value(registry, name, le="30.0")
    assert 1 == value(registry, name, le="45.0")
    assert BY_NAME["ml_inference_duration_seconds"].buckets[-1] == 300
