"""What is recorded of a batch job's runs."""

import asyncio
import gc
import inspect
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import structlog
import trio
from prometheus_client import CollectorRegistry

from mlmetrics import DeclarationError, JobRun, MLMetrics
from tests.conftest import Clock
from tests.recorded import absent, errors, in_progress, outcomes, samples, value

DURATION = "ml_batch_job_duration_seconds"
ITEMS = "ml_batch_job_items_total"
LAST_SUCCESS = "ml_batch_job_last_success_timestamp_seconds"


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> MLMetrics:
    """Return a toolkit on a registry and a clock of its own."""
    return MLMetrics(service="s", registry=registry, clock=clock)


class TestBlock:
    """`with batch_job(...)`."""

    def test_a_run(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """Its duration, its outcome, its items and the time of its end are recorded."""
        began = time.time()
        with metrics.batch_job("nightly") as run:
            assert 1 == in_progress(registry, "batch_job")
            run.item()
            run.items(41)
            clock.advance(5400)
        labels = {"service": "s", "batch_job": "nightly"}
        assert {"success": 1} == outcomes(registry, "batch_job", **labels)
        assert 5400 == value(registry, f"{DURATION}_sum", **labels)
        assert 0 == value(registry, f"{DURATION}_bucket", le="3600.0", **labels)
        assert 1 == value(registry, f"{DURATION}_bucket", le="7200.0", **labels)
        assert 42 == value(registry, ITEMS, **labels)
        assert began <= value(registry, LAST_SUCCESS, **labels) <= time.time()
        assert 0 == in_progress(registry, "batch_job")

    def test_before_the_first_run(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """All outcomes and the items stand at 0; a success that has not been has no time."""
        metrics.batch_job("nightly")
        found = {sample.labels["outcome"]: sample.value for sample in samples(registry, "ml_batch_job_total")}
        assert {"success": 0, "failure": 0, "cancelled": 0} == found
        assert 0 == value(registry, ITEMS, batch_job="nightly")
        assert absent(registry, LAST_SUCCESS)

    def test_an_exception(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """It passes through as it is: the same object, raised where it was; the run is a failure of its type."""
        error = KeyError("gone")
        with pytest.raises(KeyError) as caught, metrics.batch_job("nightly"):
            raise error
        assert error is caught.value
        assert ["test_an_exception"] == [entry.name for entry in caught.traceback]
        assert {"failure": 1} == outcomes(registry, "batch_job")
        assert 1 == value(registry, "ml_batch_job_errors_total", error_type="KeyError")
        assert absent(registry, LAST_SUCCESS)

    def test_a_failure_leaves_the_last_success(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The time of the last success stays what it was."""
        with metrics.batch_job("nightly"):
            pass
        succeeded = value(registry, LAST_SUCCESS)
        with metrics.batch_job("nightly") as run:
            run.fail("no input")
        with metrics.batch_job("nightly") as run:
            run.cancel()
        assert succeeded == value(registry, LAST_SUCCESS)
        assert {"success": 1, "failure": 1, "cancelled": 1} == outcomes(registry, "batch_job")
        assert 1 == value(registry, "ml_batch_job_errors_total", error_type="no input")

    def test_items_that_are_no_number(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """They are counted as what could not be recorded, and raise nothing."""
        hostile: Any = "many"
        with metrics.batch_job("nightly") as run:
            run.items(hostile)
            run.items(-1)
            run.items(3)
        assert 3 == value(registry, ITEMS)
        assert {"items": 2} == errors(registry)

    def test_a_long_run_is_not_slow(self, metrics: MLMetrics, clock: Clock) -> None:
        """Batch jobs take long: a run that takes longer than `slow_seconds` logs nothing, a failure is logged."""
        with structlog.testing.capture_logs() as events:
            with metrics.batch_job("nightly"):
                clock.advance(5400)
            assert [] == events
            with metrics.batch_job("nightly") as run:
                clock.advance(5400)
                run.fail("no input")
        assert ["batch_job.failed"] == [event["event"] for event in events]
        assert "nightly" == events[0]["batch_job"]

    def test_of_another_service(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A job may name its service."""
        with metrics.batch_job("nightly", service="other"):
            pass
        assert {"success": 1} == outcomes(registry, "batch_job", service="other")

    def test_in_threads(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """One object serves runs that overlap: each ends its own, and takes as long as it took."""
        job = metrics.batch_job("nightly")
        entered, leave = threading.Event(), threading.Event()

        def run() -> None:
            with job:
                entered.set()
                leave.wait()

        thread = threading.Thread(target=run)
        with job:
            clock.advance(10)
            thread.start()
            entered.wait()
            clock.advance(1)
        clock.advance(20)
        leave.set()
        thread.join()
        assert 11 + 21 == value(registry, f"{DURATION}_sum")
        assert 0 == value(registry, f"{DURATION}_bucket", le="10.0")
        assert 2 == value(registry, f"{DURATION}_bucket", le="30.0")

    def test_inside_itself(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The inner run ends first."""
        job = metrics.batch_job("nightly")
        with job as outer:
            with job:
                pass
            outer.fail()
        assert {"success": 1, "failure": 1} == outcomes(registry, "batch_job")
        assert 0 == in_progress(registry, "batch_job")

    def test_a_run_that_nobody_ends(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Garbage collected before its end, it is cancelled and no longer in progress."""
        stack = ExitStack()
        stack.enter_context(metrics.batch_job("nightly"))
        assert 1 == in_progress(registry, "batch_job")
        stack.pop_all()
        gc.collect()
        assert {"cancelled": 1} == outcomes(registry, "batch_job")
        assert 0 == in_progress(registry, "batch_job")

    def test_a_block_that_is_left_elsewhere(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A generator may be closed by another thread; its run ends all the same, and one exit too many is nothing."""
        job = metrics.batch_job("nightly")

        def steps() -> Generator[None, None, None]:
            with job:
                yield

        begun = steps()
        next(begun)
        thread = threading.Thread(target=begun.close)
        thread.start()
        thread.join()
        job.__exit__(None, None, None)
        assert {"cancelled": 1} == outcomes(registry, "batch_job")
        assert 0 == in_progress(registry, "batch_job")


class TestAsynchronousBlock:
    """`async with batch_job(...)`."""

    async def test_a_run(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """It is recorded as the other is."""
        async with metrics.batch_job("nightly") as run:
            run.items(2)
            clock.advance(7)
        assert {"success": 1} == outcomes(registry, "batch_job")
        assert 7 == value(registry, f"{DURATION}_sum")
        assert 2 == value(registry, ITEMS)

    async def test_a_cancelled_run(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A cancellation is no failure, and no success."""
        begun = asyncio.Event()

        async def work() -> None:
            async with metrics.batch_job("nightly"):
                begun.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert {"cancelled": 1} == outcomes(registry, "batch_job")
        assert absent(registry, LAST_SUCCESS)

    async def test_in_tasks(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """One object serves tasks that overlap: each ends its own run."""
        job = metrics.batch_job("nightly")
        first_may_end = asyncio.Event()

        async def first() -> None:
            async with job:
                await first_may_end.wait()

        task = asyncio.create_task(first())
        await asyncio.sleep(0)
        clock.advance(100)
        async with job:
            clock.advance(1)
            first_may_end.set()
            await task
            clock.advance(50)
        assert 101 + 51 == value(registry, f"{DURATION}_sum")
        assert 0 == value(registry, f"{DURATION}_bucket", le="30.0")
        assert 1 == value(registry, f"{DURATION}_bucket", le="60.0")

    def test_on_trio(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Another event loop makes no difference; its cancellation is one."""

        async def work() -> None:
            with trio.move_on_after(0):
                async with metrics.batch_job("nightly"):
                    await trio.sleep_forever()
            async with metrics.batch_job("nightly"):
                pass

        trio.run(work)
        assert {"success": 1, "cancelled": 1} == outcomes(registry, "batch_job")


class TestDecorator:
    """`@batch_job(...)`."""

    def test_a_function(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """Every call is a run; the function keeps its name, its result and its exceptions."""
        error = ValueError("no")

        @metrics.batch_job("nightly")
        def parse(seconds: float) -> float:
            """Parse."""
            clock.advance(seconds)
            if seconds > 5:
                raise error
            return seconds

        assert 3 == parse(3)
        with pytest.raises(ValueError, match="no") as caught:
            parse(seconds=8)
        assert error is caught.value
        assert ("parse", "Parse.", ["seconds"]) == (
            parse.__name__,
            parse.__doc__,
            [*inspect.signature(parse).parameters],
        )
        assert {"success": 1, "failure": 1} == outcomes(registry, "batch_job", batch_job="nightly")
        assert 11 == value(registry, f"{DURATION}_sum")

    async def test_a_coroutine_function(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """It stays one, and is timed to its end."""

        @metrics.batch_job("nightly")
        async def parse() -> str:
            await asyncio.sleep(0)
            clock.advance(3)
            return "done"

        assert inspect.iscoroutinefunction(parse)
        assert "done" == await parse()
        assert {"success": 1} == outcomes(registry, "batch_job")
        assert 3 == value(registry, f"{DURATION}_sum")

    def test_a_method(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A function of a class is a method as before."""

        class Parser:
            @metrics.batch_job("nightly")
            def parse(self) -> "Parser":
                return self

        parser = Parser()
        assert parser is parser.parse()
        assert {"success": 1} == outcomes(registry, "batch_job")

    def test_calls_inside_calls(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A function that calls itself has a run for each call."""

        @metrics.batch_job("nightly")
        def count_down(number: int) -> int:
            return number and count_down(number - 1)

        assert 0 == count_down(3)
        assert {"success": 4} == outcomes(registry, "batch_job")
        assert 0 == in_progress(registry, "batch_job")

    def test_what_is_refused(self, metrics: MLMetrics) -> None:
        """A generator would be recorded when it is made, a class when it is called: they are told of `with`."""

        def generate() -> Iterator[int]:
            yield 1

        async def generate_later() -> Any:
            yield 1

        for thing in (generate, generate_later, TestDecorator, print, 3):
            decorate: Any = metrics.batch_job("nightly")
            with pytest.raises(DeclarationError, match=r"expected a function or a coroutine function; use `with"):
                decorate(thing)


def test_the_type_that_users_annotate(metrics: MLMetrics) -> None:
    """What `with` yields is the public `JobRun`."""
    with metrics.batch_job("nightly") as run:
        assert JobRun is type(run)
