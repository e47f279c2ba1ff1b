"""Calls that return before they are over: streams, coroutines, awaitables, futures.

A function may return something that is still running, such as a generator. The call then ends when
that ends. Only its type is inspected, so that a lazy object is not evaluated by being returned.
"""

import asyncio
import concurrent.futures
import inspect
import types
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any

from mlmetrics.calls.iteration import (
    AsyncGeneratorIteration,
    AsyncIteration,
    Awaiting,
    CoroutineSteps,
    GeneratorIteration,
    Iteration,
    drive,
)
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.plan import Plan
from mlmetrics.calls.progress import Progress, StreamProgress
from mlmetrics.calls.results import After
from mlmetrics.calls.standins import StandIn, class_for, find
from mlmetrics.calls.streams import Run
from mlmetrics.interruption import interrupted

BUILTIN_TYPES = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict, set})
PLAIN_TYPES: set[type] = set(BUILTIN_TYPES)
"""Types of results that are known not to be streams, so that one look-up is enough."""

MOST_PLAIN_TYPES = 4096
"""The set must not grow without limit in a program that keeps creating classes."""

FUTURES = (asyncio.Future, concurrent.futures.Future)
LAZY_BUILTINS = (map, filter, zip)
NOT_RUN = (Generator, AsyncGenerator, Coroutine)
"""Types whose objects do not run until they are started."""
PREFIXES = {types.GeneratorType: "gi", types.CoroutineType: "cr", types.AsyncGeneratorType: "ag"}
C_METHODS = (types.WrapperDescriptorType, types.MethodDescriptorType, types.BuiltinFunctionType, type(None))


class UnfinishedResults:
    """What a wrapper does with a result that is not a plain value."""

    __slots__ = ("_plan", "plain")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        # With `stream=` given, a type may be a stream that is none by default; so the set is not shared.
        self.plain = PLAIN_TYPES if plan.stream is None else set(BUILTIN_TYPES)

    def __reduce__(self) -> tuple[Any, ...]:
        """Unpickled in another process, it starts with the types known there."""
        return UnfinishedResults, (self._plan,)

    @property
    def after(self) -> After | None:
        """What reads the result of a call."""
        return self._plan.after

    def replace(self, series: CallSeries, start: float, result: Any) -> Any:
        """Return what replaces the result if the call is still running; None if the call is over."""
        try:
            return self._replacement(series, start, result)
        except Exception as error:  # any attribute of a result may raise
            if interrupted(error):
                raise
            series.store.failed("result", error)
            return None

    def _replacement(self, series: CallSeries, start: float, result: Any) -> Any:
        kind = type(result)
        if issubclass(kind, FUTURES):
            return self._await_future(series, start, result)
        replacement = self._stand_in(series, start, result)
        if replacement is not None:
            series.leave(None)
            if series.full:
                series.store.fold(series)
        elif len(self.plain) < MOST_PLAIN_TYPES:
            self.plain.add(kind)
        return replacement

    def _stand_in(self, series: CallSeries, start: float, result: Any) -> Any:
        """Return the stand-in for a result that is still running; None for any other result."""
        kind = type(result)
        if kind.__module__ == "unittest.mock":
            return None  # a mock has every method, and tests expect the same object back
        if kind is types.GeneratorType and result.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE:
            return _drive_generator(Progress(series, start, self, ran=False), result)
        parts = parts_of(kind, self._plan.stream)
        if not parts:
            return None
        made = class_for(kind, parts)
        progress = StreamProgress if any(issubclass(part, STREAMS) for part in parts) else Progress
        return made(result, progress(series, start, self, ran=not issubclass(kind, NOT_RUN) or under_way(result)))

    def _await_future(self, series: CallSeries, start: float, future: Any) -> Any:
        """End the call when the future is done, by a callback. Garbage collection before that counts as cancelled."""
        run = Run(series, start, started=True)

        def done(future: Any) -> None:
            try:
                self._end(run, series, future)
            except Exception as error:  # any method of a subclass may raise
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
        error = future._exception  # noqa: SLF001 (no public way reads it without marking it)
        seconds = run.seconds
        if self.after is not None and error is None:
            self.after(series, future.result())  # before `end`, so that an interruption here cannot end the call twice
        run.end(error, seconds)


STREAMS = (Iteration, AsyncIteration)


def parts_of(kind: type, told: bool | None) -> tuple[type[StandIn], ...]:  # noqa: FBT001 (as the user said it)
    """Return the parts of the stand-in for a result of this type; none if the result is returned as it is.

    Of types written in C, only those that are known to be streams have parts: cursors and files are
    not only iterated, and code that checks their exact type would refuse a stand-in. `told` is the
    user's `stream=`: if it is true, anything that can be iterated is a stream.
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
    """Whether this type has this special method, and it is written in Python."""
    return not isinstance(find(kind, method), C_METHODS)


def under_way(result: Any) -> bool:
    """Whether the function has already started the generator or coroutine that it returned."""
    prefix = PREFIXES.get(type(result))
    if prefix is None:
        return False
    # Python 3.11 does not say of an async generator whether it is suspended.
    return getattr(result, f"{prefix}_suspended", False) or getattr(result, f"{prefix}_frame") is None


@types.coroutine
def _drive_generator(progress: Progress, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Replace a generator that runs as a coroutine (`types.coroutine`) by one of the same type, as Python requires."""
    return (yield from drive(progress, generator, generator))
