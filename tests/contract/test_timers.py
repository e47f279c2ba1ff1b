"""Timers: fresh, shared between threads and tasks, nested, and left elsewhere than they were entered."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import Call, MLMetrics
from tests.conftest import Clock
from tests.contract.kinds import Pause
from tests.recorded import absent, in_progress, outcomes, samples, value

DURATION = "ml_inference_duration_seconds"


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> MLMetrics:
    """Return a toolkit on a registry and a clock of its own."""
    return MLMetrics(service="s", registry=registry, clock=clock)


def test_duration_while_and_after(metrics: MLMetrics, clock: Clock) -> None:
    """`duration` runs with the block, and stands still when it has ended."""
    with metrics.inference_timer(model="m") as call:
        clock.advance(2)
        assert 2 == call.duration
    clock.advance(5)
    assert 2 == call.duration


def test_duration_before_it_begins(metrics: MLMetrics) -> None:
    """A timer that nobody has entered has taken no time, and saying something of it says nothing."""
    timer = metrics.inference_timer(model="m")
    timer.fail("too early")
    assert 0 == timer.duration
    timer.end()
    assert {} == outcomes(metrics.registry)


def test_used_again(registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
    """One timer for many blocks, one after the other, is a call each with its own outcome."""
    timer = metrics.inference_timer(model="m")
    for seconds in (1, 2, 3):
        with timer as call:
            clock.advance(seconds)
            if seconds == 2:
                call.fail("quota")
        assert seconds == call.duration
    assert {"success": 2, "failure": 1} == outcomes(registry)
    assert 6 == value(registry, f"{DURATION}_sum")


def test_nested(registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
    """One timer entered within itself is two calls: the inner one ends first."""
    timer = metrics.inference_timer(model="m")
    with timer as outer:
        clock.advance(1)
        with pytest.raises(KeyError), timer as inner:  # noqa: PT012 (all of the block is what raises)
            clock.advance(10)
            raise KeyError
        assert 10 == inner.duration
        clock.advance(100)
    assert 111 == outer.duration
    assert {"success": 1, "failure": 1} == outcomes(registry)
    assert in_progress(registry) == 0


def test_shared_by_threads(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """Threads that share a timer, all inside at once, are a call each, with the outcome of each."""
    timer, count = metrics.inference_timer(model="m"), 16
    inside = threading.Barrier(count)

    def run(number: int) -> None:
        with timer as call:
            inside.wait()
            if number % 2:
                call.fail("odd")
            inside.wait()

    for _ in range(20):
        threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {"success": 160, "failure": 160} == outcomes(registry)
    assert 160 == value(registry, "ml_inference_errors_total", error_type="odd")
    assert in_progress(registry) == 0


def test_shared_by_tasks(registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
    """Tasks that share a timer and end in the order in which they began have their own durations and outcomes."""
    timer = metrics.inference_timer(model="m")

    async def run(error: type[BaseException] | None) -> float:
        async with timer as call:
            await Pause()
            if error is not None:
                call.fail(error.__name__)
        return call.duration

    async def main() -> list[float]:
        first = asyncio.create_task(run(None))
        await Pause()
        clock.advance(1)
        second = asyncio.create_task(run(KeyError))
        await Pause()  # the first ends here
        clock.advance(10)
        return [await first, await second]

    assert [1, 10] == asyncio.run(main())
    assert {"success": 1, "failure": 1} == outcomes(registry)
    assert 1 == value(registry, "ml_inference_errors_total", error_type="KeyError")


def test_cancelled_task(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A task that is cancelled in the block is a cancelled call."""

    async def run() -> None:
        async with metrics.inference_timer(model="m"):
            await asyncio.get_running_loop().create_future()

    async def main() -> None:
        task = asyncio.create_task(run())
        await Pause()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert {"cancelled": 1} == outcomes(registry)


@pytest.mark.parametrize("shared", [False, True])
def test_left_in_another_thread(registry: CollectorRegistry, metrics: MLMetrics, *, shared: bool) -> None:
    """Blocks in generators that another thread closes are ended once each, whoever entered the timer."""
    timer = metrics.inference_timer(model="m")

    def stream() -> Iterator[int]:
        with timer if shared else metrics.inference_timer(model="m"):
            yield 1

    streams: list[Any] = [stream() for _ in range(3)]
    for each in streams:
        next(each)
    assert in_progress(registry) == 3

    def close() -> None:
        for each in streams:
            each.close()

    thread = threading.Thread(target=close)
    thread.start()
    thread.join()
    assert {"cancelled": 3} == outcomes(registry)
    assert in_progress(registry) == 0


def test_exit_stack(registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
    """A timer in an exit stack ends with the stack."""
    with pytest.raises(KeyError), ExitStack() as stack:  # noqa: PT012 (all of the block is what raises)
        stack.enter_context(metrics.inference_timer(model="a"))
        clock.advance(1)
        stack.enter_context(metrics.inference_timer(model="b"))
        clock.advance(1)
        raise KeyError
    assert {"failure": 2} == outcomes(registry)
    assert [2, 1] == [sample.value for sample in samples(registry, f"{DURATION}_sum")]


def test_async_exit_stack(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A timer in an async exit stack ends with the stack, entered either way."""

    async def main() -> None:
        async with AsyncExitStack() as stack:
            stack.enter_context(metrics.inference_timer(model="a"))
            call = await stack.enter_async_context(metrics.inference_timer(model="b"))
            assert isinstance(call, Call)

    asyncio.run(main())
    assert {"success": 2} == outcomes(registry)


def test_exit_without_enter(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A timer that a stack leaves and nobody entered records nothing, and raises nothing."""
    with ExitStack() as stack:
        stack.push(metrics.inference_timer(model="m"))
    assert {} == outcomes(registry)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, StopIteration, MemoryError])
def test_errors_of_every_sort_are_failures(
    registry: CollectorRegistry, metrics: MLMetrics, error: type[BaseException]
) -> None:
    """Every exception except a cancellation is a failure, and is raised on."""
    with pytest.raises(error), metrics.inference_timer(model="m"):
        raise error
    assert {"failure": 1} == outcomes(registry)
    assert 1 == value(registry, "ml_inference_errors_total", error_type=error.__name__)


def test_said_outcomes(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """The last outcome that the block sets counts, even if something is raised."""
    with metrics.inference_timer(model="m") as call:
        call.fail("quota")
        call.cancel()
    with pytest.raises(KeyError), metrics.inference_timer(model="m") as call:  # noqa: PT012 (all of the block is what raises)
        call.cancel()
        call.fail("quota")
        raise KeyError
    with metrics.inference_timer(model="m") as call:
        call.fail("cancelled")
    assert {"cancelled": 1, "failure": 2} == outcomes(registry)
    assert 1 == value(registry, "ml_inference_errors_total", error_type="quota")
    assert 1 == value(registry, "ml_inference_errors_total", error_type="error")


def test_interleaved_generators(registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
    """Generators that share a timer and end in the order in which they began have outcomes of their own."""
    timer = metrics.inference_timer(model="m")
    calls: list[Call] = []

    def stream() -> Iterator[int]:
        with timer as call:
            calls.append(call)
            yield 1
            call.fail("quota")

    streams = [stream() for _ in range(3)]
    for each in streams:
        next(each)
        clock.advance(1)
    for each in streams:
        list(each)
    assert [3, 2, 1] == [call.duration for call in calls]
    assert {"failure": 3} == outcomes(registry)


def test_shared_by_context_managers(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """Tasks that enter one timer within a context manager of their own still have a call each."""
    timer = metrics.inference_timer(model="m")

    class Manager:
        def __enter__(self) -> Call:
            return timer.__enter__()

        def __exit__(self, *raised: object) -> None:
            timer.__exit__(*raised)  # type: ignore[arg-type]  # as `with` passes them

    async def run() -> None:
        with Manager() as call:
            await Pause()
            call.fail("quota")

    async def main() -> None:
        with timer:
            await asyncio.gather(run(), run(), run())

    asyncio.run(main())
    assert {"success": 1, "failure": 3} == outcomes(registry)
    assert in_progress(registry) == 0


def test_exit_stacks_in_generators(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A timer that exit stacks of several generators enter ends with the stack that entered it."""
    timer = metrics.inference_timer(model="m")

    def stream() -> Iterator[int]:
        with ExitStack() as stack:
            call = stack.enter_context(timer)
            yield 1
            call.fail("quota")

    streams = [stream() for _ in range(3)]
    for each in streams:
        next(each)
    for each in streams:
        list(each)
    assert {"failure": 3} == outcomes(registry)


@pytest.mark.parametrize("error", [None, KeyError()])
def test_second_exit(registry: CollectorRegistry, metrics: MLMetrics, error: BaseException | None) -> None:
    """A block that is left twice is one call."""
    for timer in (metrics.inference_timer(model="m"), metrics.inference_timer(model="m", operation="o")):
        with timer:
            pass
        timer.__exit__(None if error is None else type(error), error, None)
        timer.__exit__(None, None, None)
        timer.end(error)
    assert {"success": 2} == outcomes(registry)
    assert in_progress(registry) == 0


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("folded", [False, True])
def test_entered_and_dropped(registry: CollectorRegistry, metrics: MLMetrics, *, again: bool, folded: bool) -> None:
    """A timer that is entered and garbage collected is cancelled, also when it was entered again."""
    timer = metrics.inference_timer(model="m")
    if again:
        with timer:
            pass
    timer.__enter__()
    if folded:
        assert in_progress(registry) == 1
    del timer
    assert in_progress(registry) == 0
    assert {"cancelled": 1} | ({"success": 1} if again else {}) == outcomes(registry)


def test_open_across_folds(registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
    """A block that is open while somebody scrapes is in progress, and ends once with its own duration."""
    timer = metrics.inference_timer(model="m")
    with timer as outer:
        clock.advance(1)
        with timer as inner:
            assert in_progress(registry) == 2
            clock.advance(2)
        assert in_progress(registry) == 1
    del timer, inner, outer
    assert {"success": 2} == outcomes(registry)
    assert 5 == value(registry, f"{DURATION}_sum")
    assert in_progress(registry) == 0


def test_begin_inside_a_block(registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
    """A call that has begun does not begin again, nor does one that has ended."""
    with metrics.inference_timer(model="m") as call:
        clock.advance(2)
        call.begin()
        call.begin()
    call.begin()
    assert 2 == call.duration
    assert {"success": 1} == outcomes(registry)
    assert in_progress(registry) == 0


def test_begun_and_ended_by_hand(registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
    """`begin` and `end` are a block without `with`: heard once each."""
    call = metrics.inference_timer(model="m")
    call.begin()
    clock.advance(1)
    call.begin()
    clock.advance(1)
    call.end(KeyError())
    call.end()
    assert {"failure": 1} == outcomes(registry)
    assert 2 == value(registry, f"{DURATION}_sum")
    assert in_progress(registry) == 0


def test_verdict_after_the_end(registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
    """What is said of a call that has ended changes neither its outcome nor its duration."""
    with metrics.inference_timer(model="m") as call:
        clock.advance(2)
    call.fail("late")
    call.cancel()
    clock.advance(3)
    assert 2 == call.duration
    call.end()
    assert {"success": 1} == outcomes(registry)
    assert absent(registry, "ml_inference_errors_total", error_type="late")
