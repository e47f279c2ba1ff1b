"""Recorded generators behave as undecorated ones, whatever is sent, thrown or closed, and in whatever order."""

import asyncio
import contextlib
import contextvars
import gc
import sys
import threading
import warnings
import weakref
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests.conftest import Clock
from tests.contract.kinds import Pause
from tests.recorded import absent, in_progress, outcomes, value

FIRST = "ml_inference_first_chunk_seconds"
GAPS = "ml_inference_chunk_interval_seconds"

# A program for a generator's body: what it does each time it gets control.
STEPS = st.lists(
    st.sampled_from(["yield", "raise", "return", "swallow", "swallow all", "ignore exit", "translate"]), max_size=6
)
OPERATIONS = st.lists(
    st.sampled_from(["next", "send", "throw", "throw exit", "throw stop", "throw cancelled", "close"]), max_size=8
)
THROWN: dict[str, type[BaseException]] = {
    "throw": KeyError,
    "throw exit": GeneratorExit,
    "throw stop": StopIteration,
    "throw cancelled": asyncio.CancelledError,
}
CAUGHT: dict[str, type[BaseException]] = {
    "yield": ZeroDivisionError,  # that is: nothing which anybody throws
    "swallow": KeyError,
    "swallow all": Exception,
    "ignore exit": GeneratorExit,
    "translate": KeyError,
}


def body(steps: list[str], seen: list[object]) -> Generator[int, Any, str]:
    """Do as the steps say, and note what was sent and thrown."""
    for number, step in enumerate(steps):
        if step == "raise":
            raise LookupError(number)
        if step == "return":
            break
        try:
            seen.append((yield number))
        except CAUGHT[step] as error:
            seen.append(type(error))
            if step == "translate":
                raise OSError(number) from error
        finally:
            seen.append("cleaned up")
    return "the end"


async def async_body(steps: list[str], seen: list[object]) -> AsyncGenerator[int, Any]:
    """Do the same, with pauses."""
    for number, step in enumerate(steps):
        if step == "raise":
            raise LookupError(number)
        if step == "return":
            break
        try:
            seen.append((yield number))
        except CAUGHT[step] as error:
            await Pause()
            seen.append(type(error))
            if step == "translate":
                raise OSError(number) from error
        finally:
            seen.append("cleaned up")


def told(error: BaseException) -> tuple[object, ...]:
    """Return all that a caller can tell of an exception: type, text, cause and context."""
    chain = (error.__cause__, error.__context__)
    return (type(error), str(error), *(None if each is None else told(each) for each in chain))


def play(make: Callable[..., Any], steps: list[str], operations: list[str]) -> list[object]:
    """Return what consumer and body saw while the operations were done to a generator."""
    seen: list[object] = []
    stream = make(steps, seen)
    for operation in operations:
        try:
            if operation == "next":
                seen.append(next(stream))
            elif operation == "send":
                seen.append(stream.send("sent"))
            elif operation == "close":
                seen.append(stream.close())
            else:
                seen.append(stream.throw(THROWN[operation]("thrown")))
        except BaseException as error:  # noqa: BLE001 (that is what is compared)
            seen.append((*told(error), getattr(error, "value", None)))
    finish(stream, seen)
    return seen


def finish(stream: Any, seen: list[object]) -> None:
    """End a generator that still ignores its exit, so that it is not left to the collector."""
    for _ in range(10):
        with contextlib.suppress(BaseException):
            stream.close()
            return
    seen.append("never ends")


async def aplay(make: Callable[..., Any], steps: list[str], operations: list[str]) -> list[object]:
    """Return the same for an async generator."""
    seen: list[object] = []
    stream = make(steps, seen)
    for operation in operations:
        try:
            if operation == "next":
                seen.append(await anext(stream))
            elif operation == "send":
                seen.append(await stream.asend("sent"))
            elif operation == "close":
                seen.append(await stream.aclose())
            else:
                seen.append(await stream.athrow(THROWN[operation]("thrown")))
        except BaseException as error:  # noqa: BLE001 (as above)
            seen.append(told(error))
    for _ in range(10):
        with contextlib.suppress(BaseException):
            await stream.aclose()
            break
    return seen


def recorded(function: Any, **options: Any) -> tuple[Any, CollectorRegistry]:
    """Return a function, recorded on a registry of its own."""
    registry = CollectorRegistry()
    return MLMetrics(service="s", registry=registry).track_inference(model="m", **options)(function), registry


@pytest.mark.parametrize("returned", [False, True], ids=["generator function", "returned generator"])
@given(steps=STEPS, operations=OPERATIONS)
def test_generator_side_by_side(steps: list[str], operations: list[str], *, returned: bool) -> None:
    """Every interleaving of next, send, throw and close gives what it gives undecorated; one outcome at most."""
    make, registry = recorded((lambda *args: body(*args)) if returned else body)  # noqa: PLW0108 (no generator function)
    assert play(body, steps, operations) == play(make, steps, operations)
    assert sum(outcomes(registry).values()) <= 1
    assert in_progress(registry) == 0


@pytest.mark.parametrize("returned", [False, True], ids=["generator function", "returned generator"])
@given(steps=STEPS, operations=OPERATIONS)
def test_async_generator_side_by_side(steps: list[str], operations: list[str], *, returned: bool) -> None:
    """The same for asend, athrow and aclose."""
    make, registry = recorded((lambda *args: async_body(*args)) if returned else async_body)  # noqa: PLW0108 (as above)
    expected = asyncio.run(aplay(async_body, steps, operations))
    assert expected == asyncio.run(aplay(make, steps, operations))
    assert sum(outcomes(registry).values()) <= 1
    assert in_progress(registry) == 0


def test_return_value_reaches_yield_from() -> None:
    """`yield from` a recorded generator gives its return value."""

    def inner() -> Generator[int, None, str]:
        yield 1
        return "value"

    make, registry = recorded(inner)

    def outer() -> Generator[int, None, None]:
        got.append((yield from make()))

    got: list[str] = []
    assert [1] == list(outer())
    assert ["value"] == got
    assert {"success": 1} == outcomes(registry)


def test_exception_swallowed_by_the_body_is_no_failure() -> None:
    """What is thrown in, and caught inside, leaves the call what it is: a success."""

    def inner() -> Generator[int, None, None]:
        with contextlib.suppress(KeyError):
            yield 1
        yield 2

    make, registry = recorded(inner)
    stream = make()
    assert 1 == next(stream)
    assert 2 == stream.throw(KeyError())
    assert [] == list(stream)
    assert {"success": 1} == outcomes(registry)


def test_laziness() -> None:
    """Nothing of the body runs, and no call begins, before the first item is asked for."""
    ran = []

    def inner() -> Generator[int, None, None]:
        ran.append(True)
        yield 1

    make, registry = recorded(inner)
    stream = make()
    assert [] == ran
    assert in_progress(registry) == 0
    next(stream)
    assert in_progress(registry) == 1
    del stream
    assert in_progress(registry) == 0


def test_first_chunk_and_gaps(clock: Clock) -> None:
    """The time to the first chunk and between chunks is recorded, the consumer's time among it."""
    registry = CollectorRegistry()
    metrics = MLMetrics(service="s", registry=registry, clock=clock)

    @metrics.track_inference(model="m")
    def stream() -> Generator[int, None, None]:
        clock.advance(3)
        yield 1
        clock.advance(1)
        yield 2
        clock.advance(4)
        yield 3

    for _ in stream():
        clock.advance(10)
    assert 1 == value(registry, f"{FIRST}_count")
    assert 3 == value(registry, f"{FIRST}_sum")
    assert 2 == value(registry, f"{GAPS}_count")
    assert 11 + 14 == value(registry, f"{GAPS}_sum")
    assert 3 + 11 + 14 + 10 == value(registry, "ml_inference_duration_seconds_sum")


def test_only_inferences_have_chunks(registry: CollectorRegistry) -> None:
    """A parsing that yields is one call, and has no metrics of chunks."""
    metrics = MLMetrics(service="s", registry=registry)

    @metrics.track_parsing(doc_type="d")
    def pages() -> Generator[int, None, None]:
        yield from range(3)

    assert [0, 1, 2] == list(pages())
    assert {"success": 1} == outcomes(registry, "parsing")
    assert absent(registry, f"{GAPS}_count")


def test_generator_that_ignores_its_exit() -> None:
    """A body that yields upon `GeneratorExit` raises as ever, and is one cancelled call when it is dropped at last."""

    def inner() -> Generator[int, None, None]:
        while True:
            try:
                yield 1
            except GeneratorExit:
                continue

    make, registry = recorded(inner)
    stream = make()
    next(stream)
    with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
        stream.close()
    told_of = []
    # Python tells this hook of a generator that still ignores its exit when it is collected.
    hook, sys.unraisablehook = sys.unraisablehook, lambda unraisable: told_of.append(unraisable.exc_type)
    try:
        del stream
        gc.collect()
    finally:
        sys.unraisablehook = hook
    assert {RuntimeError} == set(told_of)
    assert {"cancelled": 1} == outcomes(registry)
    assert in_progress(registry) == 0


@pytest.mark.parametrize("returned", [False, True], ids=["generator function", "returned generator"])
def test_generator_that_ends_upon_its_exit(*, returned: bool) -> None:
    """A body that catches `GeneratorExit` and returns was given up all the same: it was not exhausted."""

    def inner() -> Generator[int, None, None]:
        with contextlib.suppress(GeneratorExit):
            yield 1

    async def async_inner() -> AsyncGenerator[int, None]:
        with contextlib.suppress(GeneratorExit):
            yield 1

    make, registry = recorded((lambda: inner()) if returned else inner)  # noqa: PLW0108 (no generator function)
    stream = make()
    next(stream)
    stream.close()
    assert {"cancelled": 1} == outcomes(registry)

    make, registry = recorded((lambda: async_inner()) if returned else async_inner)  # noqa: PLW0108 (as above)

    async def main() -> None:
        stream = make()
        await anext(stream)
        await stream.aclose()

    asyncio.run(main())
    assert {"cancelled": 1} == outcomes(registry)


def test_clean_up_is_done_when_aclose_returns() -> None:
    """The inner async generator has cleaned up, awaits included, when `aclose` returns (pitfall 14)."""
    done = []

    async def inner() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await Pause()
            done.append(True)

    make, registry = recorded(inner)

    async def main() -> None:
        stream = make()
        await anext(stream)
        await stream.aclose()
        assert [True] == done

    asyncio.run(main())
    assert {"cancelled": 1} == outcomes(registry)


def test_sent_values_reach_an_async_generator() -> None:
    """What is sent arrives (pitfall 14)."""

    async def inner() -> AsyncGenerator[Any, Any]:
        received = yield "first"
        while True:
            received = yield received

    make, _ = recorded(inner)

    async def main() -> list[Any]:
        stream = make()
        got = [await anext(stream), await stream.asend("a"), await stream.asend("b")]
        await stream.aclose()
        return got

    assert ["first", "a", "b"] == asyncio.run(main())


def test_cancellation_in_the_middle_of_anext() -> None:
    """A task that is cancelled while it waits for a chunk is a cancelled call, cleaned up at once."""
    done = []

    async def inner() -> AsyncGenerator[int, None]:
        try:
            yield 1
            await asyncio.get_running_loop().create_future()
        finally:
            done.append(True)

    make, registry = recorded(inner)

    async def main() -> None:
        async def consume() -> None:
            async for _ in make():
                pass

        task = asyncio.create_task(consume())
        for _ in range(3):
            await Pause()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [True] == done

    asyncio.run(main())
    assert {"cancelled": 1} == outcomes(registry)


def test_shutdown_of_the_event_loop_closes_each_generator_once() -> None:
    """Async generators that are open when the loop ends are closed without an error, each a cancelled call."""
    done: list[int] = []
    complaints: list[Any] = []
    kept = []

    async def inner(number: int) -> AsyncGenerator[int, None]:
        try:
            yield number
        finally:
            await Pause()
            done.append(number)

    make, registry = recorded(inner)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        for number in range(8):
            stream = make(number)
            kept.append(stream)
            await anext(stream)

    asyncio.run(main())
    assert list(range(8)) == sorted(done)
    assert [] == complaints
    assert {"cancelled": 8} == outcomes(registry)


def test_asyncgen_hooks_are_as_before() -> None:
    """Starting a recorded async generator leaves the thread's hooks alone, and they hear of one generator."""
    heard: list[Any] = []

    async def inner() -> AsyncGenerator[int, None]:
        yield 1

    make, _ = recorded(inner)
    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=heard.append)
    try:
        stream = make()
        with pytest.raises(StopIteration):
            anext(stream).send(None)
        assert heard.append == sys.get_asyncgen_hooks().firstiter
    finally:
        sys.set_asyncgen_hooks(*before)
    assert [stream] == heard


def test_closed_in_another_thread_and_context() -> None:
    """A generator may be closed in another thread and context than it was begun in (pitfall 15)."""
    variable = contextvars.ContextVar("variable", default="outside")

    def inner() -> Generator[str, None, None]:
        yield variable.get()

    make, registry = recorded(inner)
    stream = make()
    context = contextvars.copy_context()
    context.run(variable.set, "inside")
    assert "inside" == context.run(next, stream)
    thread = threading.Thread(target=contextvars.Context().run, args=(stream.close,))
    thread.start()
    thread.join()
    assert {"cancelled": 1} == outcomes(registry)


def test_abandoned_in_a_cycle_is_finished_by_the_collector() -> None:
    """A stream that only the garbage collector can find is cancelled when it does (pitfall 16)."""

    def inner(holder: list[Any]) -> Generator[int, None, None]:
        yield len(holder)

    make, registry = recorded(inner)
    holder: list[Any] = []
    holder.append(make(holder))
    next(holder[0])
    gc.disable()
    try:
        del holder
        assert in_progress(registry) == 1
        gc.collect()
    finally:
        gc.enable()
    assert {"cancelled": 1} == outcomes(registry)


def test_exception_keeps_nothing_alive() -> None:
    """What is thrown into a generator and comes out again is in no reference cycle of ours."""

    class Local:
        pass

    def inner() -> Generator[int, None, None]:
        yield 1

    make, _ = recorded(inner)

    def consume() -> "weakref.ref[Local]":
        local = Local()
        stream = make()
        next(stream)
        with contextlib.suppress(KeyError):
            stream.throw(KeyError(local))
        return weakref.ref(local)

    gc.disable()
    try:
        assert None is consume()()
    finally:
        gc.enable()


def test_generator_based_coroutine_stays_awaitable() -> None:
    """A function made awaitable by `types.coroutine` can be awaited when it is recorded."""
    import types  # noqa: PLC0415 (used here alone)

    @types.coroutine
    def inner() -> Generator[None, None, str]:
        yield
        return "value"

    make, registry = recorded(inner, stream=False)

    async def main() -> Any:
        return await make()

    assert "value" == asyncio.run(main())
    assert {"success": 1} == outcomes(registry)
    assert absent(registry, f"{FIRST}_count")


@pytest.mark.parametrize("ending", ["close", "drop", "cancel"])
def test_unstarted_coroutine_of_a_plain_function_warns_as_before(ending: str) -> None:
    """A coroutine that a plain function returned warns when nobody awaits it, and only then."""

    async def inner() -> None:
        """Do nothing."""

    make, registry = recorded(lambda: inner())  # noqa: PLW0108 (a plain function)

    async def cancel() -> None:
        task = asyncio.create_task(make())
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if ending == "cancel":
            asyncio.run(cancel())
        elif ending == "close":
            make().close()
        else:
            make()
            gc.collect()
    assert (1 if ending == "drop" else 0) == len(caught)
    assert {} == outcomes(registry)
