"""Calls that return before they are over: streams, coroutines, awaitables, futures.

A function may return something that is still running, such as a generator. The call then ends when
that ends. Only its type is inspected, so that a lazy object is not evaluated by being returned.
"""

import asyncio
import concurrent.futures
import inspect
import types
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, TypeVar

from mlmetrics.calls.answers import Answer
from mlmetrics.calls.inner import Asking, Inner, InnerRun, manager_of, measured, stream_of
from mlmetrics.calls.iteration import drive
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.parts import STREAMS, parts_of, under_way
from mlmetrics.calls.plan import Plan
from mlmetrics.calls.progress import Progress, StreamProgress
from mlmetrics.calls.results import After
from mlmetrics.calls.runs import Run
from mlmetrics.calls.saying import Saying
from mlmetrics.calls.standins import class_for
from mlmetrics.calls.told import Told
from mlmetrics.interruption import interrupted
from mlmetrics.responses.kinds import MARKS, hearing

BUILTIN_TYPES = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict, set})
PLAIN_TYPES: set[type] = set(BUILTIN_TYPES)
"""Types of results that are known not to be streams, so that one look-up is enough."""
SILENT_TYPES: set[type] = {*BUILTIN_TYPES} - {dict}
"""Those that are known to say nothing of usage either, where responses of known providers are read."""

MOST_PLAIN_TYPES = 4096
"""The set must not grow without limit in a program that keeps creating classes."""

FUTURES = (asyncio.Future, concurrent.futures.Future)
NOT_RUN = (Generator, AsyncGenerator, Coroutine)
"""Types whose objects do not run until they are started."""


class UnfinishedResults:
    """What a wrapper does with a result that is not a plain value."""

    __slots__ = ("_asks", "_judged", "_plan", "_whole", "plain")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._asks = plan.reads is not None and plan.reads.failure is not None
        self._judged = plan.reads is not None and plan.reads.judges
        self._whole: set[type] = set()
        """Types of results that are known not to be streams, and are read."""
        shared = (PLAIN_TYPES, SILENT_TYPES)[self._judged]
        # With `stream=` given, a type may be a stream that is none by default; so the set is not shared.
        self.plain = set() if self._asks else shared
        if plan.stream is not None and self.plain is shared:
            self.plain = shared & BUILTIN_TYPES

    def __reduce__(self) -> tuple[Any, ...]:
        """Unpickled in another process, it starts with the types known there."""
        return UnfinishedResults, (self._plan,)

    def after(self, saying: Saying | None) -> After | None:
        """Return what reads the result of a call: its usage only if its code has not told the tokens."""
        plan = self._plan
        if saying is None:
            return plan.after
        if saying.counts:
            return plan.after_stream
        return plan.after_costed if saying.costed else plan.after

    @property
    def after_stream(self) -> After | None:
        """What reads the result of a call that is a stream."""
        return self._plan.after_stream

    def answer(self, series: CallSeries) -> Answer | None:
        """Return what reads the answer of a call, if anything does."""
        return None if self._plan.reads is None else Answer(series, self._plan.reads)

    def told(self, series: CallSeries, start: float, seconds: float, result: Any, saying: Saying | None) -> Any:
        """Return what replaces the result if the call is still running, else how it ends; None for a plain success."""
        kind = type(result)
        if kind is dict and saying is None and not self._asks and result.keys().isdisjoint(MARKS):
            return None  # a model's own dictionary, which costs no more than this
        replacement = None if kind in self._whole else self.replace(series, start, result, saying)
        if replacement is not None or not (self._judged or saying is not None):
            return replacement
        answer = self.answer(series) if self._judged else None
        if answer is not None:
            answer.whole(result)
        return Told(series, start, seconds, answer, saying, self.after(saying))

    def replace(self, series: CallSeries, start: float, result: Any, saying: Saying | None = None) -> Any:
        """Return what replaces the result if the call is still running; None if the call is over."""
        try:
            return self._replacement(series, start, result, saying)
        except Exception as error:  # any attribute of a result may raise
            if interrupted(error):
                raise
            series.store.failed("result", error)
            return None

    def _replacement(self, series: CallSeries, start: float, result: Any, saying: Saying | None) -> Any:
        kind = type(result)
        if kind in BUILTIN_TYPES:
            return None
        if issubclass(kind, FUTURES):
            return self._await_future(series, start, result, saying)
        if self._plan.stream is not False and self._goes_on_inside(series, start, result, saying):
            return result
        replacement = self._stand_in(series, start, result, saying)
        if replacement is not None:
            series.leave(None)
            if series.full:
                series.store.fold(series)
        else:
            self._learn(kind)
        return replacement

    def _goes_on_inside(self, series: CallSeries, start: float, result: Any, saying: Saying | None) -> bool:
        """Measure a stream on its inner iterator, if it is of a type that has one."""
        kind = type(result)
        inner = stream_of(kind)
        if inner is not None:
            run = self._inner_run(inner, series, start, saying)
            goes_on = False
            try:
                goes_on = measured(result, inner, run)
            finally:
                if not goes_on:
                    run.disown()  # the object has other internals than we know; the call ends here
            return goes_on
        attribute = manager_of(kind)
        ask = None if attribute is None else getattr(result, attribute, None)
        if attribute is None or ask is None:
            return False

        def begin() -> tuple[InnerRun, Callable[[Any], None]]:
            inner = Inner("")
            series.begin(None)
            run = self._inner_run(inner, series, series.clock(), saying)

            def go_on(stream: Any) -> None:
                found = stream_of(type(stream))
                if found is None or not measured(stream, found, run):
                    run.end()

            return run, go_on

        setattr(result, attribute, Asking(ask, begin))
        series.leave(None)  # the provider is asked when the manager is entered
        return True

    def _inner_run(self, inner: Inner, series: CallSeries, start: float, saying: Saying | None) -> InnerRun:
        run = InnerRun(series, start, self.answer(series), started=True)
        run.prepare(inner)
        return _said(run, saying)

    def _learn(self, kind: type) -> None:
        """Note that results of this type are no streams, so that one look-up is enough from now on."""
        reads = self._plan.reads
        read = self._asks or (reads is not None and reads.known and hearing(kind) is not None)
        known = self._whole if read else self.plain
        if len(known) < MOST_PLAIN_TYPES:
            known.add(kind)

    def _stand_in(self, series: CallSeries, start: float, result: Any, saying: Saying | None) -> Any:
        """Return the stand-in for a result that is still running; None for any other result."""
        kind = type(result)
        if kind.__module__ == "unittest.mock":
            return None  # a mock has every method, and tests expect the same object back
        if kind is types.GeneratorType and result.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE:
            return _drive_generator(_said(Progress(series, start, self, ran=False), saying), result)
        parts = parts_of(kind, self._plan.stream)
        if not parts:
            return None
        made = class_for(kind, parts)
        progress = StreamProgress if any(issubclass(part, STREAMS) for part in parts) else Progress
        ran = not issubclass(kind, NOT_RUN) or under_way(result)
        return made(result, _said(progress(series, start, self, ran=ran), saying))

    def _await_future(self, series: CallSeries, start: float, future: Any, saying: Saying | None) -> Any:
        """End the call when the future is done, by a callback. Garbage collection before that counts as cancelled."""
        run = _said(Run(series, start, self.answer(series) if self._judged else None, started=True), saying)

        def done(future: Any) -> None:
            try:
                self._end(run, future)
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

    def _end(self, run: Run, future: Any) -> None:
        if future.cancelled():
            run.leave()
            return
        # Not `exception()`: that would mark it as retrieved, and asyncio's own warning would be lost.
        error = future._exception  # noqa: SLF001 (no public way reads it without marking it)
        seconds = run.seconds
        if run.answer is not None and error is None:
            run.answer.whole(future.result())
        after = self.after(run.saying)
        if after is not None and error is None:
            after(
                run.counted_on, future.result(), seconds
            )  # before `end`: an interruption here cannot end the call twice
        run.end(error, seconds)


R = TypeVar("R", bound=Run)


def _said(run: R, saying: Saying | None) -> R:
    """Let a run go on with what the function has said of its call."""
    run.saying = saying
    return run


@types.coroutine
def _drive_generator(progress: Progress, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Replace a generator that runs as a coroutine (`types.coroutine`) by one of the same type, as Python requires."""
    return (yield from drive(progress, generator, generator))
