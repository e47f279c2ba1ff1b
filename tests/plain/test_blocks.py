"""Blocks and decorated functions: what counts exceptions, follows calls in progress and times them."""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import DeclarationError, MLMetrics
from tests.conftest import Clock
from tests.recorded import errors, value

KINDS = ("function", "coroutine", "generator", "async generator")


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> MLMetrics:
    """Return a toolkit whose clock the test moves."""
    return MLMetrics(service="s", registry=registry, clock=clock)


def decorated(kind: str, decorate: Callable[[Any], Any], work: Callable[[], object]) -> Callable[[], object]:
    """Return what calls a decorated function of a kind, to its end; it does the work in the middle."""

    def function() -> object:
        return work()

    async def coroutine() -> object:
        await asyncio.sleep(0)
        return work()

    def generator() -> Generator[int, None, object]:
        yield 1
        return work()

    async def async_generator() -> AsyncGenerator[int, None]:
        yield 1
        work()

    if kind == "function":
        return decorate(function)  # type: ignore[no-any-return]
    if kind == "coroutine":
        wrapped = decorate(coroutine)
        return lambda: asyncio.run(wrapped())
    if kind == "generator":
        made = decorate(generator)
        return lambda: list(made())
    streamed = decorate(async_generator)

    async def drain() -> list[int]:
        return [each async for each in streamed()]

    return lambda: asyncio.run(drain())


@pytest.mark.parametrize("kind", KINDS)
class TestDecorated:
    """Each kind of function, from its first line to its last."""

    def test_track_inprogress(self, registry: CollectorRegistry, metrics: MLMetrics, kind: str) -> None:
        """A call is in progress while it runs, whatever its end."""
        running = metrics.gauge("cv_running", "CVs.")
        seen: list[float] = []

        def work() -> None:
            seen.append(value(registry, "cv_running"))
            raise KeyError

        for expected in (1, 2):
            with pytest.raises(KeyError):
                decorated(kind, running.track_inprogress(), work)()
            assert [1.0] * expected == seen
            assert 0 == value(registry, "cv_running")

    def test_time(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, kind: str) -> None:
        """A call is timed to its end, by the clock of the toolkit."""
        seconds = metrics.histogram("cv_wait", "Seconds.", unit="seconds")
        call = decorated(kind, seconds.time(), lambda: clock.advance(3))
        call()
        call()
        assert 6 == value(registry, "cv_wait_seconds_sum")
        assert 2 == value(registry, "cv_wait_seconds_count")

    def test_count_exceptions(self, registry: CollectorRegistry, metrics: MLMetrics, kind: str) -> None:
        """An exception of the type is counted and goes on; another one only goes on."""
        failed = metrics.counter("cv_failed", "CVs.")
        raised = [KeyError("a"), ValueError("b"), KeyError("c")]

        def work() -> None:
            raise raised.pop()

        call = decorated(kind, failed.count_exceptions(LookupError), work)
        for error in (KeyError, ValueError, KeyError):
            with pytest.raises(error):
                call()
        assert 2 == value(registry, "cv_failed_total")

    def test_keeps_its_kind(self, metrics: MLMetrics, kind: str) -> None:
        """A decorated function has its kind, its name and its signature."""
        seconds = metrics.histogram("cv_wait", "Seconds.")

        def function(number: int) -> int:
            """Work."""
            return number

        async def coroutine(number: int) -> int:
            """Work."""
            return number

        def generator(number: int) -> Generator[int]:
            """Work."""
            yield number

        async def async_generator(number: int) -> AsyncGenerator[int]:
            """Work."""
            yield number

        asked: dict[str, tuple[Any, Callable[[Any], bool]]] = {
            "function": (function, inspect.isfunction),
            "coroutine": (coroutine, inspect.iscoroutinefunction),
            "generator": (generator, inspect.isgeneratorfunction),
            "async generator": (async_generator, inspect.isasyncgenfunction),
        }
        original, is_kind = asked[kind]
        wrapped = seconds.time()(original)
        assert is_kind(wrapped)
        assert inspect.signature(original) == inspect.signature(wrapped)
        assert "Work." == wrapped.__doc__


class TestStreams:
    """A decorated generator or async generator is used as it was."""

    def test_generator(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """What is sent, thrown and returned passes; a generator that is closed is over, one never begun was none."""
        running = metrics.gauge("cv_running", "CVs.")

        @running.track_inprogress()
        def work() -> Generator[object, object, str]:
            try:
                sent = yield "first"
            except KeyError:
                sent = "thrown"
            yield sent
            return "returned"

        work()
        steps: tuple[tuple[Callable[[Any], object], object], ...] = (
            (lambda it: it.send(3), 3),
            (lambda it: it.throw(KeyError()), "thrown"),
        )
        for step, expected in steps:
            stream = work()
            assert 0 == value(registry, "cv_running")
            assert "first" == next(stream)
            assert expected == step(stream)
            assert 1 == value(registry, "cv_running")
            with pytest.raises(StopIteration) as ended:
                next(stream)
            assert "returned" == ended.value.value
        stream = work()
        next(stream)
        stream.close()
        assert 0 == value(registry, "cv_running")

    def test_async_generator(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """So is an async generator."""
        running = metrics.gauge("cv_running", "CVs.")
        closed: list[str] = []

        @running.track_inprogress()
        async def work() -> AsyncGenerator[object, object]:
            try:
                sent = yield "first"
            except KeyError:
                sent = "thrown"
            except GeneratorExit:
                closed.append("closed")
                raise
            yield sent

        async def use() -> None:
            work()
            stream = work()
            assert "first" == await anext(stream)
            assert 3 == await stream.asend(3)
            assert 1 == value(registry, "cv_running")
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
            assert 0 == value(registry, "cv_running")
            stream = work()
            await anext(stream)
            assert "thrown" == await stream.athrow(KeyError())
            with pytest.raises(ValueError, match="mine"):
                await stream.athrow(ValueError("mine"))
            assert 0 == value(registry, "cv_running")
            stream = work()
            await anext(stream)
            await stream.aclose()
            assert ["closed"] == closed
            assert 0 == value(registry, "cv_running")

        asyncio.run(use())

    def test_cancelled(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A coroutine that is cancelled is over, and is no exception of the default type."""
        running, failed = metrics.gauge("cv_running", "CVs."), metrics.counter("cv_failed", "CVs.")

        @running.track_inprogress()
        @failed.count_exceptions()
        async def work() -> None:
            await asyncio.sleep(60)

        async def cancel() -> None:
            task = asyncio.ensure_future(work())
            await asyncio.sleep(0)
            assert 1 == value(registry, "cv_running")
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        asyncio.run(cancel())
        assert 0 == value(registry, "cv_running") == value(registry, "cv_failed_total")


class TestBlocks:
    """`with` statements."""

    def test_timer(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """A timer knows its seconds after the block."""
        with metrics.gauge("cv_last", "Seconds.").time() as timer:
            assert timer.duration is None
            clock.advance(4)
        assert 4 == timer.duration == value(registry, "cv_last")

    def test_labels_inside(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """The labels may be given inside the block, when they are known."""
        with metrics.histogram("cv_wait", "Seconds.", ("country",)).time() as timer:
            clock.advance(2)
            timer.labels(country="fr")
        assert 2 == value(registry, "cv_wait_sum", country="fr")
        assert {} == errors(registry)

    def test_clock_that_runs_backwards(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """A block takes no less than no time."""
        with metrics.histogram("cv_wait", "Seconds.").time():
            clock.advance(-2)
        assert 0 == value(registry, "cv_wait_sum")

    def test_recursion(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """Each call of a decorated function is a block of its own."""

        @metrics.histogram("cv_wait", "Seconds.").time()
        def work(depth: int) -> None:
            clock.advance(1)
            if depth:
                work(depth - 1)

        work(2)
        assert 3 + 2 + 1 == value(registry, "cv_wait_sum")

    @pytest.mark.parametrize("kind", [staticmethod, classmethod])
    def test_methods_without_an_instance(self, registry: CollectorRegistry, metrics: MLMetrics, kind: Any) -> None:
        """A static method and a class method stay what they are, called of the class and of its instances."""
        reading = metrics.histogram("cv_reading", "Reading.", unit="seconds")
        owner: Any = type("Reader", (), {"read": reading.time()(kind(lambda *given: given))})
        first = (owner,) if kind is classmethod else ()
        assert (*first, 1, 2) == owner.read(1, 2) == owner().read(1, 2)
        assert 2 == value(registry, "cv_reading_seconds_count")

    def test_methods(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A decorated method is bound as it was."""

        class Service:
            @metrics.counter("cv_failed", "CVs.").count_exceptions()
            def work(self) -> "Service":
                return self

        service = Service()
        assert service is service.work()
        assert 0 == value(registry, "cv_failed_total")

    @pytest.mark.parametrize("exception", [3, "KeyError", int, (KeyError, 3), KeyError()])
    def test_no_exceptions(self, metrics: MLMetrics, exception: Any) -> None:
        """What is no type of exceptions is refused where it is given."""
        with pytest.raises(DeclarationError, match="count_exceptions"):
            metrics.counter("cv_failed", "CVs.").count_exceptions(exception)

    def test_no_function(self, metrics: MLMetrics) -> None:
        """What cannot be called is refused."""
        with pytest.raises(DeclarationError, match="decorates functions"):
            metrics.gauge("cv_running", "CVs.").track_inprogress()(3)  # type: ignore[type-var]
