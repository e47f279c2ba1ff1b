"""On trio, which has its own exception for cancellation, a cancelled call is not a failure."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import pytest
import trio
import trio.testing
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests.recorded import in_progress, outcomes


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own."""
    return MLMetrics(service="s", registry=registry)


async def wait() -> None:
    """Wait until somebody cancels."""
    await trio.sleep_forever()


async def wait_for_two() -> None:
    """Wait for two tasks: trio then raises the cancellations of both as one group, or as one."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)
        await trio.sleep_forever()


async def chunks() -> AsyncIterator[int]:
    """Yield once, then wait until somebody cancels."""
    yield 1
    await trio.sleep_forever()


async def function(metrics: MLMetrics) -> None:
    """Await a recorded coroutine function."""
    await metrics.track_inference(model="m")(wait)()


async def nursery(metrics: MLMetrics) -> None:
    """Await a function that starts tasks."""
    await metrics.track_inference(model="m")(wait_for_two)()


async def returned_coroutine(metrics: MLMetrics) -> None:
    """Await what a plain function returns."""
    await metrics.track_inference(model="m")(lambda: wait())()  # noqa: PLW0108 (a plain function)


async def stream(metrics: MLMetrics) -> None:
    """Iterate a recorded async generator."""
    async for _ in metrics.track_inference(model="m")(chunks)():
        pass


async def returned_stream(metrics: MLMetrics) -> None:
    """Iterate what a plain function returns."""
    async for _ in metrics.track_inference(model="m")(lambda: chunks())():  # noqa: PLW0108 (a plain function)
        pass


async def timer(metrics: MLMetrics) -> None:
    """Wait in a timer."""
    async with metrics.inference_timer(model="m"):
        await trio.sleep_forever()


async def on_anyio(metrics: MLMetrics) -> None:
    """Wait by way of anyio."""
    await metrics.track_inference(model="m")(anyio.sleep_forever)()


@pytest.mark.parametrize("run", [function, nursery, returned_coroutine, stream, returned_stream, timer, on_anyio])
def test_cancelled(
    registry: CollectorRegistry, metrics: MLMetrics, run: Callable[[MLMetrics], Awaitable[None]]
) -> None:
    """A cancelled scope is a cancelled call, and its cancellation reaches trio."""

    async def main() -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as tasks:
                tasks.start_soon(run, metrics)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        assert scope.cancelled_caught

    trio.run(main)
    assert {"cancelled": 1} == outcomes(registry)
    assert in_progress(registry) == 0


def test_group_of_several_sorts_is_a_failure(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A task that fails beside one that is cancelled by it fails the call."""

    async def fail() -> None:
        raise KeyError

    async def work() -> None:
        async with trio.open_nursery() as tasks:
            tasks.start_soon(fail)
            await trio.sleep_forever()

    async def main() -> None:
        await metrics.track_inference(model="m")(work)()

    with pytest.raises(ExceptionGroup):
        trio.run(main)
    assert {"failure": 1} == outcomes(registry)


def test_timer_shared_by_tasks(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """Tasks that share a timer and end in the order in which they began have outcomes of their own."""
    shared = metrics.inference_timer(model="m")

    async def work(gate: trio.Event) -> None:
        async with shared as call:
            await gate.wait()
            call.fail("quota")

    async def main() -> None:
        gates = [trio.Event() for _ in range(3)]
        async with trio.open_nursery() as tasks:
            for gate in gates:
                tasks.start_soon(work, gate)
                await trio.testing.wait_all_tasks_blocked()
            for gate in gates:
                gate.set()
                await trio.testing.wait_all_tasks_blocked()
                assert in_progress(registry) == len([each for each in gates if not each.is_set()])

    trio.run(main)
    assert {"failure": 3} == outcomes(registry)
    assert in_progress(registry) == 0
