"""Exactly one outcome when something breaks into the recording itself: signals, deep stacks, exits."""

import asyncio
import gc
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics, arg
from tests.recorded import in_progress, outcomes, value

ROOT = Path(__file__).parents[2]


class Interrupted(BaseException):
    """What a signal handler raises, as a soft time limit does."""


class RingingClock:
    """A clock at whose n-th reading a signal comes in."""

    def __init__(self, rings_at: int) -> None:
        self.rings_at = rings_at
        self.readings = 0

    def __call__(self) -> float:
        """Read it."""
        self.readings += 1
        if self.readings == self.rings_at:
            signal.raise_signal(signal.SIGALRM)
        return 0.0


@pytest.fixture
def raising_signal() -> Iterator[None]:
    """Let SIGALRM raise `Interrupted`."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGALRM, interrupt)
    yield
    signal.signal(signal.SIGALRM, before)


async def coroutine(model: str) -> None:
    """Do nothing."""


def call_function(metrics: MLMetrics) -> None:
    """Call a recorded function."""
    metrics.track_inference(model="m")(lambda: None)()


def call_with_argument(metrics: MLMetrics) -> None:
    """Call a recorded function with a computed label."""
    metrics.track_inference(model=arg("model"))(lambda model: None)("m")


def call_coroutine(metrics: MLMetrics) -> None:
    """Await a recorded coroutine function."""
    asyncio.run(metrics.track_inference(model="m")(coroutine)("m"))


def call_generator(metrics: MLMetrics) -> None:
    """Exhaust a recorded generator."""

    def numbers() -> Iterator[int]:
        yield from range(3)

    list(metrics.track_inference(model="m")(numbers)())


def call_async_generator(metrics: MLMetrics) -> None:
    """Exhaust a recorded async generator."""

    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            yield number

    async def main() -> None:
        async for _ in metrics.track_inference(model="m")(numbers)():
            pass

    asyncio.run(main())


@pytest.mark.usefixtures("raising_signal")
@pytest.mark.parametrize("reading", range(1, 7))
@pytest.mark.parametrize(
    "run", [call_function, call_with_argument, call_coroutine, call_generator, call_async_generator]
)
def test_signal_that_raises_while_a_call_is_recorded(
    registry: CollectorRegistry, run: Callable[[MLMetrics], None], reading: int
) -> None:
    """Wherever a signal handler raises in a wrapper, begun calls have one outcome and none stays in progress."""
    clock = RingingClock(reading)
    metrics = MLMetrics(service="s", registry=registry, clock=clock)
    interrupted = False
    try:
        run(metrics)
    except Interrupted:
        interrupted = True
    gc.collect()  # a stream that was interrupted while it recorded its end ends with its frame
    assert interrupted == (clock.readings >= reading)
    assert (0 if interrupted and reading == 1 else 1) == sum(outcomes(registry).values())
    assert in_progress(registry) == 0


@pytest.mark.parametrize("room", [400, 401])  # the stack is full in the function, or in the wrapper
@pytest.mark.parametrize("kind", ["function", "argument", "coroutine"])
def test_recursion_to_the_limit(registry: CollectorRegistry, kind: str, room: int) -> None:
    """A recorded function that calls itself until the stack is full leaves no call in progress."""
    metrics = MLMetrics(service="s", registry=registry)
    entered = []

    @metrics.track_inference(model="function")
    def function() -> None:
        entered.append(1)
        function()

    @metrics.track_inference(model=arg("model"))
    def argument(model: str = "argument") -> None:
        entered.append(1)
        argument(model)

    @metrics.track_inference(model="coroutine")
    async def coroutine() -> None:
        entered.append(1)
        await coroutine()

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(room)
    try:
        with pytest.raises(RecursionError):  # noqa: PT012 (all of the block is what raises)
            if kind == "coroutine":
                coroutine().send(None)
            else:
                {"function": function, "argument": argument}[kind]()
    finally:
        sys.setrecursionlimit(limit)
    failures = outcomes(registry)
    assert {"failure"} == set(failures)
    assert len(entered) <= failures["failure"] <= len(entered) + 1
    assert in_progress(registry) == 0


@pytest.mark.parametrize("holder", ["kept", "sys.kept", "builtins.kept"])
@pytest.mark.parametrize("made", ["generator()", "iterator()", "future()", "asynchronous()"])
def test_streams_that_are_open_when_the_interpreter_ends(holder: str, made: str) -> None:
    """An interpreter that ends with open streams, held anywhere, says nothing about them."""
    script = f"""
import builtins, sys
from concurrent.futures import Future
from prometheus_client import CollectorRegistry
from mlmetrics import MLMetrics
track = MLMetrics(service="s", registry=CollectorRegistry()).track_inference(model="m")

@track
def generator():
    yield 1
    yield 2

@track
def iterator():
    return map(int, "12")

@track
def future():
    return Future()

@track
async def asynchronous():
    yield 1
    yield 2

stream = {made}
if hasattr(stream, "__next__"):
    next(stream)
elif hasattr(stream, "__anext__"):
    try:
        stream.asend(None).send(None)
    except StopIteration:
        pass
{holder} = stream
del stream
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_base_exceptions_of_a_call(registry: CollectorRegistry) -> None:
    """`KeyboardInterrupt` and `SystemExit` out of a call are failures of these types, and go on."""

    def leave(error: type[BaseException]) -> Any:
        raise error

    recorded = MLMetrics(service="s", registry=registry).track_inference(model="m")(leave)
    for error in (KeyboardInterrupt, SystemExit):
        with pytest.raises(error):
            recorded(error)
        assert 1 == value(registry, "ml_inference_errors_total", error_type=error.__name__)
    assert {"failure": 2} == outcomes(registry)
