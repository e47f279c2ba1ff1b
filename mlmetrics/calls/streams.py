"""Generators and async generators: first chunk, gaps, and exactly one outcome.

A wrapper passes on what the consumer sends or throws, `GeneratorExit` included, to the inner
generator unchanged. So the inner generator has cleaned up when `close` or `aclose` returns, and
the consumer gets what the inner generator returns or raises.
"""

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from mlmetrics.calls.call import raised, succeeded
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.plan import Function, Plan
from mlmetrics.calls.results import NoResult
from mlmetrics.calls.templates import write
from mlmetrics.catalog.models import STREAMS
from mlmetrics.recording.series import BOUND, NumberSeries


class Run:
    """A call that outlives its function; begins and ends once. Garbage collection counts as cancelled."""

    __slots__ = ("_begun", "_ended", "_series", "_spot", "_start")

    def __init__(self, series: CallSeries, start: float, *, started: bool = False) -> None:
        self._series = series
        self._start = start
        self._begun = started
        self._ended = False
        self._spot = series.spot

    def begin(self) -> None:
        """Begin the call, if it has not begun."""
        if not self._begun:
            self._begun = True
            self._series.begin(None)
            self._spot = self._series.spot

    @property
    def seconds(self) -> float:
        """Seconds since it was called."""
        return self._series.clock() - self._start

    def end(self, error: BaseException | None = None, seconds: float | None = None) -> None:
        """End the call, with its error if it raised; only the first end counts, and only if the call has begun."""
        if not self._begun or self._ended:
            return
        seconds = self.seconds if seconds is None else seconds
        self._ended = True
        if self._series.spot is not self._spot:
            return  # it began in the process that this one was forked from, which records it
        if error is None:
            succeeded(self._series, seconds)
        else:
            raised(self._series, error, seconds)

    def disown(self) -> bool:
        """Record nothing of it from now on; False if it has been recorded."""
        recorded, self._ended = self._ended, True
        return not recorded

    def leave(self) -> None:
        """End the call as cancelled: its consumer stopped early."""
        self.end(GeneratorExit())

    def __del__(self) -> None:
        if self._begun and not self._ended:
            self.leave()


def chunk_recorders(
    series: CallSeries,
    stream: bool | None = None,  # noqa: FBT001 (a template passes what the user said)
) -> tuple[Callable[[float], object], NumberSeries, Callable[[float], object]]:
    """Return the recorders of a stream's first chunk and gaps; most operations have no metrics for them."""
    if STREAMS not in series.operation.parts or stream is False:
        return _ignore, _UNUSED, _ignore
    prefix = series.operation.prefix
    first = series.histogram(f"{prefix}_first_chunk_seconds")
    gaps = series.histogram(f"{prefix}_chunk_interval_seconds")
    return lambda seconds: series.store.record(first, seconds), gaps, gaps.record


def _ignore(_seconds: float) -> None:
    """Record nothing."""


class _Unused:
    """The series of gaps that are not recorded: one for all streams, with nothing to fold."""

    record = staticmethod(_ignore)
    pending = ()


_UNUSED = _Unused()


def _first(inner: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """Start an async generator without registering it with the event loop.

    When the loop shuts down, it closes all registered async generators at the same time: it would
    close the inner one while the outer one is already closing it.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=None, finalizer=None)
    try:
        return inner.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


GENERATOR = """
def wrapper({{declared}}):
    {{prepare}}
    record_first, gaps, record_gap = recorders(series, {stream})
    thrown = []
    closing = False
    item = NoResult
    start = clock()
    run = Run(series, start)
    try:
        run.begin()
        inner = function({{passed}})
        item = next(inner)
        last = clock()
        record_first(last - start)
        while True:
            try:
                sent = yield item
            except BaseException as error:  # handed on below
                thrown.append(error)
            if thrown:
                # Outside of the `except` above: what the inner generator raises was not
                # raised "during the handling" of what it has been thrown.
                closing = isinstance(thrown[0], GeneratorExit)
                item = inner.throw(thrown.pop())
            elif sent is None:
                item = next(inner)  # `send` would take one level more of the stack
            else:
                item = inner.send(sent)
            now = clock()
            record_gap(now - last)
            last = now
            if len(gaps.pending) > {bound}:
                series.store.fold(gaps)
    except StopIteration as stop:
        run.end(GeneratorExit() if closing else None)
        {ended}
        return stop.value
    except BaseException as error:
        run.end(error)
        {left}
        raise
"""

ASYNC_GENERATOR = """
async def wrapper({{declared}}):
    {{prepare}}
    record_first, gaps, record_gap = recorders(series, {stream})
    thrown = []
    closing = False
    item = NoResult
    start = clock()
    run = Run(series, start)
    try:
        run.begin()
        inner = function({{passed}})
        send = inner.asend
        item = await first(inner)
        last = clock()
        record_first(last - start)
        while True:
            try:
                sent = yield item
            except BaseException as error:  # handed on below
                thrown.append(error)
            if thrown:
                closing = isinstance(thrown[0], GeneratorExit)
                item = await inner.athrow(thrown.pop())
            else:
                item = await send(sent)
            now = clock()
            record_gap(now - last)
            last = now
            if len(gaps.pending) > {bound}:
                series.store.fold(gaps)
    except StopAsyncIteration:
        run.end(GeneratorExit() if closing else None)
        {ended}
    except BaseException as error:
        run.end(error)
        {left}
        raise
"""
CELLS: dict[str, Any] = {
    **{each.__name__: each for each in (BaseException, GeneratorExit, StopAsyncIteration, StopIteration)},
    **{each.__name__: each for each in (NoResult, Run, isinstance, len, next)},
    "recorders": chunk_recorders,
}


def wrap_generator(function: Function, plan: Plan) -> Function:
    """Record a generator function; its result is what it returns, else its last chunk."""
    result = "NoResult if closing else item if stop.value is None else stop.value"
    return write(_filled(GENERATOR, plan, result), function, plan, CELLS)


def wrap_async_generator(function: Function, plan: Plan) -> Function:
    """Record an async generator function; its result is its last chunk."""
    result = "NoResult if closing else item"
    return write(_filled(ASYNC_GENERATOR, plan, result), function, plan, {**CELLS, "first": _first})


def _filled(template: str, plan: Plan, result: str) -> str:
    """Fill in the template for this plan."""
    reads = plan.after is not None
    ended, left = f"after(series, {result})" if reads else "", "after(series, NoResult)" if reads else ""
    return template.format(stream=plan.stream, bound=BOUND, ended=ended, left=left)
