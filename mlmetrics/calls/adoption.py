"""Calls that return before they are over: streams, coroutines, awaitables, futures.

A function may hand out something that goes on instead of a result. The call then ends when that
ends. What does is told by its type alone, so that a lazy object is not evaluated by being returned.
"""

import asyncio
import concurrent.futures
import inspect
import types
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any

from ..interruption import interrupted
from .iteration import (
    AsyncGeneratorIteration,
    AsyncIteration,
    Awaiting,
    CoroutineSteps,
    GeneratorIteration,
    Iteration,
    drive,
)
from .operation import CallSeries
from .plan import Plan
from .progress import Progress, StreamProgress
from .results import After
from .standins import StandIn, class_for, find
from .streams import Run

BUILTIN_TYPES = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict, set})
PLAIN_TYPES: set[type] = set(BUILTIN_TYPES)
"""Types of results that are known to be no stream: one look-up instead of many."""

MOST_PLAIN_TYPES = 4096
"""A program that makes classes without end must not grow the set without end."""

FUTURES = (asyncio.Future, concurrent.futures.Future)
LAZY_BUILTINS = (map, filter, zip)
NOT_RUN = (Generator, AsyncGenerator, Coroutine)
"""What has not run before somebody starts it."""
PREFIXES = {types.GeneratorType: "gi", types.CoroutineType: "cr", types.AsyncGeneratorType: "ag"}
C_METHODS = (types.WrapperDescriptorType, types.MethodDescriptorType, types.BuiltinFunctionType, type(None))


class Adoption:
    """What a wrapper does with a result that is not a plain value."""

    __slots__ = ("_plan", "plain")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        # What is plain to one that looks may be a stream to one that was told.
        self.plain = PLAIN_TYPES if plan.stream is None else set(BUILTIN_TYPES)

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process, it looks at the types there for itself."""
        return Adoption, (self._plan,)

    @property
    def after(self) -> After | None:
        """What reads the result of a call."""
        return self._plan.after

    def adopt(self, series: CallSeries, start: float, result: Any) -> Any:
        """What to return in place of the result if the call goes on; None if it is over."""
        try:
            return self._adopt(series, start, result)
        except Exception as error:  # a result may raise whatever it is asked
            if interrupted(error):
                raise
            series.store.failed("result", error)
            return None

    def _adopt(self, series: CallSeries, start: float, result: Any) -> Any:
        kind = type(result)
        if issubclass(kind, FUTURES):
            return self._await_future(series, start, result)
        adopted = self._stand_in(series, start, result)
        if adopted is not None:
            series.aside.append(None)
            if series.full:
                series.store.fold(series)
        elif len(self.plain) < MOST_PLAIN_TYPES:
            self.plain.add(kind)
        return adopted

    def _stand_in(self, series: CallSeries, start: float, result: Any) -> Any:
        """What stands for a result that goes on; None for one that does not."""
        kind = type(result)
        if kind.__module__ == "unittest.mock":
            return None  # would say that it is a stream, and a test asks for the very mock it gave
        if kind is types.GeneratorType and result.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE:
            return _drive_generator(Progress(series, start, self, ran=False), result)
        parts = parts_of(kind, self._plan.stream)
        if not parts:
            return None
        made = class_for(kind, parts)
        progress = StreamProgress if any(issubclass(part, STREAMS) for part in parts) else Progress
        return made(result, progress(series, start, self, ran=not issubclass(kind, NOT_RUN) or under_way(result)))

    def _await_future(self, series: CallSeries, start: float, future: Any) -> Any:
        """End the call when the future is done; its own callbacks tell. One that is dropped was given up."""
        run = Run(series, start, begun=True)

        def done(future: Any) -> None:
            try:
                self._end(run, series, future)
            except Exception as error:  # a subclass may raise whatever it is asked
                if interrupted(error):
                    raise
                run.leave()
                series.store.failed("result", error)

        try:
            if future.done():
                done(future)
            else:
                future.add_done_callback(done)
        except Exception as error:
            if run.disown() or interrupted(error):
                raise
        return future

    def _end(self, run: Run, series: CallSeries, future: Any) -> None:
        if future.cancelled():
            run.leave()
            return
        # Not `exception()`: that would mark it as retrieved, and asyncio's own warning would be lost.
        error = future._exception  # noqa: SLF001 (there is no public way to look and leave no trace)
        seconds = run.seconds
        if self.after is not None and error is None:
            self.after(series, future.result())  # before the end: interrupted here, the call has not ended twice
        run.end(error, seconds)


STREAMS = (Iteration, AsyncIteration)


def parts_of(kind: type, told: bool | None) -> tuple[type[StandIn], ...]:  # noqa: FBT001 (as the user said it)
    """What is recorded of a result of this type; nothing of one that is handed back as it is.

    Of what is written in C, only what is known to go on: cursors and files are used in other ways
    than by iterating, and what asks for their exact type would refuse a stand-in. `told` is what
    the user said of `stream`: then `iter()` decides.
    """
    parts: list[type[StandIn]] = []
    if issubclass(kind, Coroutine):
        parts.append(CoroutineSteps)
    elif in_python(kind, "__await__"):
        parts.append(Awaiting)
    if told is not False:
        if issubclass(kind, Generator):
            parts.append(GeneratorIteration)
        elif issubclass(kind, LAZY_BUILTINS) or in_python(kind, "__next__"):
            parts.append(Iteration)
        if issubclass(kind, AsyncGenerator):
            parts.append(AsyncGeneratorIteration)
        elif in_python(kind, "__anext__"):
            parts.append(AsyncIteration)
    if told and not any(issubclass(part, STREAMS) for part in parts):
        asynchronous, synchronous = find(kind, "__aiter__"), find(kind, "__iter__")
        parts += [AsyncIteration] if asynchronous is not None else [Iteration] if synchronous is not None else []
    return tuple(parts)


def in_python(kind: type, method: str) -> bool:
    """Whether objects of this type have this special method, written in Python."""
    return not isinstance(find(kind, method), C_METHODS)


def under_way(result: Any) -> bool:
    """Whether the function has begun the generator or coroutine that it returned."""
    prefix = PREFIXES.get(type(result))
    if prefix is None:
        return False
    # Python 3.11 does not say of an async generator whether it is suspended.
    return getattr(result, f"{prefix}_suspended", False) or getattr(result, f"{prefix}_frame") is None


@types.coroutine
def _drive_generator(progress: Progress, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """A generator that runs as a coroutine, in place of one that does: of the very same type, as Python asks."""
    return (yield from drive(progress, generator, generator))
