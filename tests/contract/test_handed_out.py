"""Calls that return before they are over: streams, coroutines and futures of all sorts."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import asyncio
import concurrent.futures
import contextlib
import gc
import inspect
import io
import itertools
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests.conftest import Clock
from tests.contract.kinds import Pause
from tests.recorded import absent, errors, in_progress, outcomes, value

DURATION = "ml_inference_duration_seconds_sum"


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> MLMetrics:
    """Return a toolkit on a registry and a clock of its own."""
    return MLMetrics(service="s", registry=registry, clock=clock)


class Response:
    """A stream as SDKs return it: iterable only by `iter`, a context manager, with attributes."""

    status = 200

    def __init__(self, *chunks: str) -> None:
        self.chunks = chunks
        self.closed = False

    def __iter__(self) -> Iterator[str]:
        return iter(self.chunks)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.closed = True

    def close(self) -> None:
        """Close the connection."""
        self.closed = True


class AsyncResponse:
    """The same, asynchronous; with a `close` that is a function or a coroutine function."""

    def __init__(self, *chunks: str) -> None:
        self.chunks = chunks
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[str]:
        for chunk in self.chunks:
            yield chunk

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.closed = True

    def close(self) -> str:
        """Close the connection."""
        self.closed = True
        return "closed"

    async def aclose(self) -> str:
        """Close the connection."""
        self.closed = True
        return "closed"


class AwaitedCloseResponse(AsyncResponse):
    """One whose `close` is a coroutine function, as httpx's and OpenAI's are."""

    async def close(self) -> str:  # type: ignore[override]  # libraries differ in just this
        """Close the connection."""
        self.closed = True
        return "closed"


class TestStreams:
    """Iterators and what can be iterated."""

    def test_not_in_progress_until_iterated(
        self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock
    ) -> None:
        """A stream that is not iterated yet is not in progress; its duration is measured from the call."""
        stream = metrics.track_inference(model="m")(lambda: map(str, "ab"))()
        clock.advance(5)
        assert in_progress(registry) == 0
        next(stream)
        assert in_progress(registry) == 1
        clock.advance(2)
        assert ["b"] == list(stream)
        assert {"success": 1} == outcomes(registry)
        assert 7 == value(registry, DURATION)
        assert 5 == value(registry, "ml_inference_first_chunk_seconds_sum")

    def test_told_to_be_a_stream(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """`stream=True` takes what `iter` takes; without it an object that is only iterable is a result."""
        told = metrics.track_inference(model="told", stream=True)(lambda: Response("a", "b"))()
        looked = metrics.track_inference(model="looked")(lambda: Response("a"))()
        assert type(looked) is Response
        assert 200 == told.status
        assert ["a", "b"] == list(told)
        assert not isinstance(told, Iterator)
        assert {"success": 1} == outcomes(registry, model="told") == outcomes(registry, model="looked")

    def test_told_after_another_learnt_otherwise(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A type that one decorator knows to be plain is a stream to one that was told so, and the reverse."""
        plain = metrics.track_inference(model="plain")(lambda: Response("a"))
        told = metrics.track_inference(model="told", stream=True)(lambda: Response("a"))
        never = metrics.track_inference(model="never", stream=False)(lambda: (letter for letter in "a"))
        looking = metrics.track_inference(model="looking")(lambda: (letter for letter in "a"))
        for _ in range(2):
            plain()
            told()
            never()
            looking()
        assert {"success": 2} == outcomes(registry, model="plain") == outcomes(registry, model="never")
        assert {"success": 2} == outcomes(registry, model="told")
        assert {} == outcomes(registry, model="looking")

    @pytest.mark.parametrize("result", [[1], (1,), {1: 2}, "text", None], ids=str)
    def test_collections_are_results(self, registry: CollectorRegistry, metrics: MLMetrics, result: object) -> None:
        """A list is all there already: the very object is returned even by what was told to stream."""
        assert result is metrics.track_inference(model="m", stream=True)(lambda: result)()
        assert {"success": 1} == outcomes(registry)

    @pytest.mark.parametrize("exhausted", [False, True])
    def test_left_at_the_end_of_a_block(
        self, registry: CollectorRegistry, metrics: MLMetrics, *, exhausted: bool
    ) -> None:
        """The end of a `with` ends the call: a success if the stream was at its end, else given up."""
        with metrics.track_inference(model="m", stream=True)(lambda: Response("a", "b"))() as stream:
            for _ in stream:
                if not exhausted:
                    break
        assert stream.closed
        assert {"success" if exhausted else "cancelled": 1} == outcomes(registry)

    def test_error_of_the_consumer_is_no_failure(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A consumer that raises in its own `with` has left the stream; the model did not fail."""
        with (  # noqa: PT012 (all of the block is what raises)
            pytest.raises(ZeroDivisionError),
            metrics.track_inference(model="m", stream=True)(lambda: Response("a", "b"))() as stream,
        ):
            next(iter(stream))
            raise ZeroDivisionError
        assert {"cancelled": 1} == outcomes(registry)

    def test_closed(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """`close` reaches the stream, ends the call once, and later iteration adds nothing."""
        stream = metrics.track_inference(model="m", stream=True)(lambda: Response("a", "b", "c"))()
        iterator = iter(stream)
        next(iterator)
        stream.close()
        stream.close()
        assert stream.closed
        assert ["b", "c"] == list(iterator)
        assert {"cancelled": 1} == outcomes(registry)
        assert 0 == value(registry, "ml_inference_chunk_interval_seconds_count")

    def test_files_are_results(self, registry: CollectorRegistry, metrics: MLMetrics, tmp_path: Path) -> None:
        """A file can be iterated, but is mostly read: the very object is returned, and the call is over."""
        path = tmp_path / "page.txt"
        path.write_text("text")
        opened = metrics.track_inference(model="m")(path.open)
        made = metrics.track_inference(model="m")(lambda: io.BytesIO(b"bytes"))
        with opened() as file:
            assert "text" == file.read()
        assert type(made()) is io.BytesIO
        assert {"success": 2} == outcomes(registry)

    def test_tee(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """`itertools.tee` takes a recorded stream as it takes any."""
        first, second = itertools.tee(metrics.track_inference(model="m")(lambda: map(str, "ab"))())
        assert ["a", "b"] == list(first) == list(second)
        assert {"success": 1} == outcomes(registry)

    def test_context_manager_of_a_returned_generator(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """`contextlib.contextmanager` works upon a recorded function that returns a generator."""
        seen: list[str] = []

        def fail() -> None:
            raise KeyError

        def generator() -> Generator[str, None, None]:
            with contextlib.suppress(KeyError):
                yield "value"

        manager = contextlib.contextmanager(metrics.track_inference(model="m")(lambda: generator()))  # noqa: PLW0108 (a plain function)
        with manager() as got:
            seen.append(got)
            fail()
        assert ["value"] == seen
        assert {"success": 1} == outcomes(registry)

    @pytest.mark.parametrize("kind", [AsyncResponse, AwaitedCloseResponse])
    @pytest.mark.parametrize("method", ["close", "aclose"])
    def test_async_close(
        self, registry: CollectorRegistry, metrics: MLMetrics, kind: type[AsyncResponse], method: str
    ) -> None:
        """`close` and `aclose` of an async stream return what they return, awaited or not."""

        async def main() -> None:
            stream: Any = metrics.track_inference(model="m", stream=True)(lambda: kind("a", "b"))()
            await anext(aiter(stream))
            closed = getattr(stream, method)()
            assert "closed" == (closed if isinstance(closed, str) else await closed)
            assert stream.closed

        asyncio.run(main())
        assert {"cancelled": 1} == outcomes(registry)

    def test_async_block(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """`async with` around a stream that is exhausted in it is a success."""

        async def main() -> None:
            async with metrics.track_inference(model="m", stream=True)(lambda: AsyncResponse("a", "b"))() as stream:
                assert ["a", "b"] == [chunk async for chunk in stream]
            assert stream.closed

        asyncio.run(main())
        assert {"success": 1} == outcomes(registry)

    def test_returned_generator_that_has_begun(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A generator whose first item its function has looked at has run, and still cleans up when it is closed."""
        cleaned = []

        def generator() -> Iterator[int]:
            try:
                yield 1
                yield 2
            finally:
                cleaned.append(True)

        def peek() -> Iterator[int]:
            stream = generator()
            next(stream)
            kept.append(stream)
            return stream

        kept: list[Any] = []
        stream: Any = metrics.track_inference(model="m")(peek)()
        stream.close()
        assert [True] == cleaned
        assert {"success": 1} == outcomes(registry)


class TestCoroutines:
    """Coroutines that plain functions return."""

    @pytest.mark.parametrize(
        "through",
        [asyncio.ensure_future, asyncio.create_task, lambda made: made, asyncio.shield],
        ids=["ensure_future", "create_task", "itself", "shield"],
    )
    def test_awaited(
        self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, through: Callable[[Any], Any]
    ) -> None:
        """A recorded coroutine can be awaited in every way, and its call ends when it ends."""

        async def ask() -> str:
            await Pause()
            clock.advance(3)
            return "answer"

        recorded = metrics.track_inference(model="m")(lambda: ask())  # noqa: PLW0108 (a plain function)

        async def main() -> str:
            answer: str = await through(recorded())
            return answer

        assert "answer" == asyncio.run(main())
        assert {"success": 1} == outcomes(registry)
        assert 3 == value(registry, DURATION)

    def test_run(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """`asyncio.run` accepts a recorded coroutine."""

        async def ask() -> str:
            return "answer"

        assert "answer" == asyncio.run(metrics.track_inference(model="m")(lambda: ask())())  # noqa: PLW0108 (as above)
        assert {"success": 1} == outcomes(registry)

    def test_coroutine_that_is_a_context_manager_too(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """What can be awaited *or* entered, as aiohttp's requests can, is returned as it is."""

        class Request(Coroutine[Any, Any, str]):
            def send(self, value: Any) -> Any:
                raise StopIteration("answer")

            def throw(self, *error: Any) -> Any:
                raise error[0]

            def close(self) -> None:
                """Do nothing."""

            def __await__(self) -> Generator[Any, Any, str]:
                return self

            def __iter__(self) -> Self:
                return self

            def __next__(self) -> Any:
                return self.send(None)

            async def __aenter__(self) -> str:
                return "entered"

            async def __aexit__(
                self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
            ) -> None:
                """Do nothing."""

        request = Request()
        recorded = metrics.track_inference(model="m", stream=False)(lambda: request)

        async def main() -> list[str]:
            async with recorded() as entered:
                return [entered, await recorded()]

        assert ["entered", "answer"] == asyncio.run(main())
        assert {"success": 2} == outcomes(registry)


class TestFutures:
    """Futures that plain functions return: the call ends when they are done."""

    @pytest.mark.parametrize("ending", ["success", "failure", "cancelled"])
    def test_asyncio(self, registry: CollectorRegistry, metrics: MLMetrics, ending: str) -> None:
        """The very future is returned; its result, exception or cancellation is the outcome."""

        async def main() -> None:
            future = asyncio.get_running_loop().create_future()
            recorded = metrics.track_inference(model="m")(lambda: future)()
            assert future is recorded
            assert in_progress(registry) == 1
            settle(future, ending)
            await Pause()

        asyncio.run(main())
        assert {ending: 1} == outcomes(registry)
        assert in_progress(registry) == 0

    @pytest.mark.parametrize("ending", ["success", "failure", "cancelled"])
    @pytest.mark.parametrize("early", [False, True])
    def test_concurrent(self, registry: CollectorRegistry, metrics: MLMetrics, ending: str, *, early: bool) -> None:
        """Futures of executors are returned as they are, done or not, and their results are outcomes."""
        future: concurrent.futures.Future[str] = concurrent.futures.Future()
        if early:
            settle(future, ending)
        assert future is metrics.track_inference(model="m")(lambda: future)()
        if not early:
            assert in_progress(registry) == 1
            settle(future, ending)
        assert {ending: 1} == outcomes(registry)
        assert in_progress(registry) == 0

    def test_dropped(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A future that is garbage collected before it is done is cancelled."""
        recorded = metrics.track_inference(model="m")(new_future)
        recorded()
        gc.collect()
        assert {"cancelled": 1} == outcomes(registry)
        assert in_progress(registry) == 0

    def test_done_after_its_loop_is_closed(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A future that is done when its loop is gone can be returned all the same."""

        async def main() -> "asyncio.Future[str]":
            future = asyncio.get_running_loop().create_future()
            future.set_result("value")
            return future

        future = asyncio.run(main())
        assert future is metrics.track_inference(model="m")(lambda: future)()
        assert {"success": 1} == outcomes(registry)

    def test_unretrieved_exception_is_still_reported(self, metrics: MLMetrics) -> None:
        """Asyncio still says that nobody asked for the exception of a recorded future."""
        complaints: list[str] = []

        async def main() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
            future = metrics.track_inference(model="m")(loop.create_future)()
            future.set_exception(KeyError())
            await Pause()
            del future
            gc.collect()

        asyncio.run(main())
        assert ["Future exception was never retrieved"] == complaints

    def test_result_is_read(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The accuracy of a result that a future brings is recorded."""
        future: concurrent.futures.Future[dict[str, float]] = concurrent.futures.Future()
        metrics.track_parsing(doc_type="d")(lambda: future)()
        future.set_result({"confidence": 0.5})
        assert 0.5 == value(registry, "parsing_accuracy_score_sum")
        assert {} == errors(registry)


def new_future() -> concurrent.futures.Future[str]:
    """Return a future that nobody will ever settle."""
    return concurrent.futures.Future()


def settle(future: Any, ending: str) -> None:
    """Bring a future to its ending."""
    if ending == "success":
        future.set_result("value")
    elif ending == "failure":
        future.set_exception(KeyError("the future's own"))
        future.exception()
    else:
        future.cancel()


class TestSecondConsumers:
    """Several consumers of one stream."""

    def test_generator_that_runs_already(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Whoever asks a generator that runs is refused; the stream goes on, and is a success at its end."""
        refused: list[type[BaseException]] = []

        def generator() -> Iterator[int]:
            yield 1
            try:
                next(stream)
            except ValueError as error:
                refused.append(type(error))
            yield 2

        stream = metrics.track_inference(model="m")(lambda: generator())()  # noqa: PLW0108 (a plain function)
        assert [1, 2] == list(stream)
        assert [ValueError] == refused
        assert {"success": 1} == outcomes(registry)

    def test_async_generator_that_runs_already(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """An async generator that runs already refuses a second consumer; the stream goes on."""

        async def generator() -> AsyncIterator[int]:
            await Pause()
            yield 1

        async def main() -> None:
            stream = metrics.track_inference(model="m")(lambda: generator())()  # noqa: PLW0108 (a plain function)
            first = asyncio.create_task(take(stream))
            await Pause()
            with pytest.raises(RuntimeError, match="already running"):
                await anext(stream)
            assert [1] == await first

        asyncio.run(main())
        assert {"success": 1} == outcomes(registry)

    def test_second_iterator(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A second iterator of a response that can be read once fails by itself; the first one's end counts."""

        class Once(Response):
            read = False

            def __iter__(self) -> Iterator[str]:
                if self.read:
                    raise KeyError
                self.read = True
                yield from self.chunks

        stream = metrics.track_inference(model="m", stream=True)(lambda: Once("a", "b"))()
        first, second = iter(stream), iter(stream)
        assert "a" == next(first)
        with pytest.raises(KeyError):
            next(second)
        assert ["b"] == list(first)
        assert {"success": 1} == outcomes(registry)

    def test_after_its_end(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Asking an exhausted stream changes nothing, whatever it raises."""
        answers: list[Any] = [ValueError("over"), StopIteration(), 1]

        class Strict:
            def __iter__(self) -> Self:
                return self

            def __next__(self) -> Any:
                answer = answers.pop()
                if isinstance(answer, Exception):
                    raise answer
                return answer

        stream = metrics.track_inference(model="m")(lambda: Strict())()  # noqa: PLW0108 (a plain function)
        assert [1] == list(stream)
        with pytest.raises(ValueError, match="over"):
            next(stream)
        assert {"success": 1} == outcomes(registry)


async def take(stream: Any) -> list[Any]:
    """Take all of an async stream."""
    return [item async for item in stream]


class Lazy:
    """An awaitable of Python's, as a lazy request is: the work begins when it is awaited."""

    def __init__(self, clock: Any, error: BaseException | None = None) -> None:
        self.clock = clock
        self.error = error

    def __await__(self) -> Generator[Any, Any, str]:
        self.clock.advance(2)
        yield from Pause().__await__()
        if self.error is not None:
            raise self.error
        return "answer"


class Entered(Lazy):
    """One that can be entered instead, as aiohttp's requests can."""

    async def __aenter__(self) -> str:
        return await self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Do nothing."""


class TestAwaitables:
    """Awaitables of classes of Python's that plain functions return."""

    @pytest.mark.parametrize(
        ("error", "outcome"),
        [(None, "success"), (KeyError("its own"), "failure"), (asyncio.CancelledError(), "cancelled")],
    )
    @pytest.mark.parametrize("kind", [Lazy, Entered])
    @pytest.mark.parametrize("entered", [False, True])
    def test_ends_the_call(
        self,
        registry: CollectorRegistry,
        metrics: MLMetrics,
        kind: type[Lazy],
        error: BaseException | None,
        outcome: str,
        *,
        clock: Clock,
        entered: bool,
    ) -> None:
        """Awaiting it is the call: its duration, its outcome, and the very exception."""

        async def main() -> str:
            request: Any = metrics.track_inference(model="m")(lambda: kind(clock, error))()
            assert kind.__name__ == request.__class__.__name__
            assert in_progress(registry) == 0
            if entered and kind is Entered:
                async with request as answer:
                    return str(answer)
            return str(await request)

        with contextlib.nullcontext() if error is None else pytest.raises(type(error)):
            assert "answer" == asyncio.run(main())
        assert {outcome: 1} == outcomes(registry)
        assert (0 if outcome == "cancelled" else 2) == value(registry, DURATION)
        assert in_progress(registry) == 0

    def test_never_awaited(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """What nobody awaits was made all the same: a success that took until it was returned."""

        def ask() -> Lazy:
            clock.advance(1)
            return Lazy(clock)

        request = metrics.track_inference(model="m")(ask)()
        clock.advance(5)
        del request
        assert {"success": 1} == outcomes(registry)
        assert 1 == value(registry, DURATION)


class Refusing(concurrent.futures.Future[str]):
    """A future that takes no callbacks."""

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        """Refuse."""
        raise RuntimeError


def test_future_that_takes_no_callback(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A future that cannot tell when it is done ends its call with the return, once."""
    future = Refusing()
    assert future is metrics.track_inference(model="m")(lambda: future)()
    gc.collect()
    assert {"success": 1} == outcomes(registry)
    assert in_progress(registry) == 0
    assert {"result": 1} == errors(registry)


class TestCoroutinesAsBefore:
    """A coroutine that a plain function returns behaves as a bare one, right or wrong use."""

    async def ask(self) -> str:
        """Answer after a turn."""
        await Pause()
        return "answer"

    def made(self, metrics: MLMetrics) -> Any:
        """Return a recorded one."""
        return metrics.track_inference(model="m")(lambda: self.ask())()  # noqa: PLW0108 (a plain function)

    @pytest.mark.parametrize("recorded", [False, True])
    def test_awaited_twice(self, metrics: MLMetrics, *, recorded: bool) -> None:
        """The second time is an error, and no second call."""

        async def main() -> None:
            coroutine = self.made(metrics) if recorded else self.ask()
            assert "answer" == await coroutine
            with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
                await coroutine

        asyncio.run(main())
        assert ({"success": 1} if recorded else {}) == outcomes(metrics.registry)

    @pytest.mark.parametrize("recorded", [False, True])
    def test_awaited_after_close(self, metrics: MLMetrics, *, recorded: bool) -> None:
        """A closed one cannot be awaited, and was no call."""

        async def main() -> None:
            coroutine = self.made(metrics) if recorded else self.ask()
            coroutine.close()
            with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
                await coroutine

        asyncio.run(main())
        assert {} == outcomes(metrics.registry)
        assert (
            (0 == in_progress(metrics.registry)) if recorded else absent(metrics.registry, "ml_inference_in_progress")
        )

    @pytest.mark.parametrize("recorded", [False, True])
    @pytest.mark.parametrize("through", [take, asyncio.ensure_future], ids=["await", "task"])
    def test_awaited_concurrently(self, metrics: MLMetrics, through: Callable[[Any], Any], *, recorded: bool) -> None:
        """Two that await it at once: the second is refused, the first goes on."""

        async def wait(coroutine: Any) -> str:
            return str(await coroutine)

        async def main() -> None:
            coroutine = self.made(metrics) if recorded else self.ask()
            first = asyncio.ensure_future(wait(coroutine) if through is take else coroutine)
            await Pause()
            with pytest.raises(RuntimeError, match="coroutine is being awaited already"):
                await wait(coroutine)
            assert "answer" == await first

        asyncio.run(main())
        assert ({"success": 1} if recorded else {}) == outcomes(metrics.registry)

    def test_states(self, metrics: MLMetrics) -> None:
        """Its state, frame and code are the coroutine's, from its making to its end."""
        coroutine = self.made(metrics)
        assert inspect.iscoroutine(coroutine)
        assert inspect.isawaitable(coroutine)
        assert inspect.CORO_CREATED == inspect.getcoroutinestate(coroutine)
        assert "ask" == coroutine.cr_code.co_name == coroutine.__name__
        coroutine.send(None)
        assert inspect.CORO_SUSPENDED == inspect.getcoroutinestate(coroutine)
        assert coroutine.cr_await is not None
        with pytest.raises(StopIteration, match="answer"):
            coroutine.send(None)
        assert inspect.CORO_CLOSED == inspect.getcoroutinestate(coroutine)
        assert {"success": 1} == outcomes(metrics.registry)

    def test_never_awaited(self, metrics: MLMetrics) -> None:
        """Python says of it what it says of a bare one, and it was no call."""
        with pytest.warns(RuntimeWarning, match=r"coroutine 'TestCoroutinesAsBefore\.ask' was never awaited"):
            self.made(metrics)
        assert {} == outcomes(metrics.registry)

    def test_gathered(self, metrics: MLMetrics) -> None:
        """`gather` takes several, and the same one twice as one."""

        async def main() -> list[str]:
            coroutine = self.made(metrics)
            return list(await asyncio.gather(coroutine, coroutine, self.made(metrics)))

        assert ["answer"] * 3 == asyncio.run(main())
        assert {"success": 2} == outcomes(metrics.registry)

    @pytest.mark.parametrize("ending", ["success", "failure", "cancelled", "never"])
    def test_generator_that_is_a_coroutine(self, metrics: MLMetrics, ending: str) -> None:
        """What `types.coroutine` makes can be returned and awaited, and stays a generator."""

        @types.coroutine
        def old_style() -> Generator[Any, Any, str]:
            yield
            if ending == "failure":
                raise KeyError
            return "answer"

        coroutine: Any = metrics.track_inference(model="m")(lambda: old_style())()  # noqa: PLW0108 (a plain function)
        assert "generator" == type(coroutine).__name__
        assert [True] == [inspect.isawaitable(each) for each in (coroutine,)]

        async def main() -> str:
            return str(await coroutine)

        if ending == "success":
            assert "answer" == asyncio.run(main())
        elif ending == "failure":
            with pytest.raises(KeyError):
                asyncio.run(main())
        elif ending == "cancelled":
            coroutine.send(None)
        coroutine.close()
        assert ({} if ending == "never" else {ending: 1}) == outcomes(metrics.registry)
        assert in_progress(metrics.registry) == 0


USAGE = "ml_inference_tokens_total"
MISSING = "ml_inference_usage_missing_total"


class TestResultsOfStreams:
    """`usage`, `accuracy` and `score` of a returned stream: what it returns, else its last chunk."""

    def stream(self, metrics: MLMetrics, *chunks: object, returns: object = None, fails: bool = False) -> Any:
        """Return a recorded stream whose usage is its result's."""

        def generator() -> Generator[object, None, object]:
            yield from chunks
            if fails:
                raise KeyError
            return returns

        return metrics.track_inference(model="m", usage=lambda result: result)(lambda: generator())()  # noqa: PLW0108 (a plain function)

    def test_last_chunk(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The last chunk has the usage of a stream that returns nothing."""
        list(self.stream(metrics, "text", {"input": 3, "output": 4}))
        assert 7 == value(registry, USAGE)
        assert absent(registry, MISSING)

    def test_return_value(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """What a generator returns is its result before any chunk."""
        list(self.stream(metrics, {"input": 3}, returns={"input": 5}))
        assert 5 == value(registry, USAGE)

    def test_no_chunk(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A stream without a chunk has no usage, which is counted as missing."""
        list(self.stream(metrics))
        assert 1 == value(registry, MISSING)
        assert {} == errors(registry)

    def test_left_early(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A stream that fails or is left before its end has used what its chunks said until then, else nobody knows."""
        with pytest.raises(KeyError):
            list(self.stream(metrics, None, fails=True))
        stream = self.stream(metrics, None)
        next(stream)
        stream.close()
        assert {"failure": 1, "cancelled": 1} == outcomes(registry)
        assert 2 == value(registry, MISSING)
        assert absent(registry, USAGE)
        stream = self.stream(metrics, {"input": 3})
        next(stream)
        stream.close()
        assert 3 == value(registry, USAGE)
        assert 2 == value(registry, MISSING)

    def test_async(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The result of an async stream is read in the same way, also if a coroutine function returns it."""

        async def generator() -> AsyncIterator[object]:
            yield "text"
            yield {"input": 3}

        async def ask() -> AsyncIterator[object]:
            return generator()

        async def main() -> None:
            track = metrics.track_inference(model="m", usage=lambda result: result)
            await take(track(lambda: generator())())  # noqa: PLW0108 (a plain function)
            await take(await track(ask)())

        asyncio.run(main())
        assert 6 == value(registry, USAGE)

    @pytest.mark.parametrize("ending", ["return", "early"])
    def test_scores(self, registry: CollectorRegistry, metrics: MLMetrics, ending: str) -> None:
        """Accuracy and score are read at a good end, and of a stream that ended early there is none."""
        chunks = [{"confidence": 0.25}, {"confidence": 0.5}]
        for stream in (
            metrics.track_parsing(doc_type="d")(lambda: map(dict, chunks))(),
            metrics.track_matching(matcher="m", score="confidence")(lambda: map(dict, chunks))(),
        ):
            next(stream)
            if ending == "return":
                list(stream)
        del stream
        expected = 0.5 if ending == "return" else 0
        assert expected == value(registry, "parsing_accuracy_score_sum")
        assert expected == value(registry, "matching_score_distribution_sum")
        assert {} == errors(registry)


def test_awaitable_of_a_stream(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A coroutine that a function returns, and that gives a stream, is one call, which ends with the stream."""

    async def letters() -> Iterator[str]:
        return map(str, "ab")

    stream = asyncio.run(take_result(metrics.track_inference(model="m")(lambda: letters())()))  # noqa: PLW0108 (a plain function)
    gc.collect()
    assert {} == outcomes(registry)
    assert ["a", "b"] == list(stream)
    assert {"success": 1} == outcomes(registry)
    assert 0 == in_progress(registry)


async def take_result(awaitable: Any) -> Any:
    """Return what an awaitable gives."""
    return await awaitable
