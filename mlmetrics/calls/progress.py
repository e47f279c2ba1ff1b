"""How far what a function handed out has come, and which outcome that is.

A generator, async generator or coroutine that nobody starts has not run, and is no call. Any
other iterator or awaitable was made by code that did run: never used, or used otherwise than by
iterating or awaiting it, it is a success that took until it was returned, recorded when it is
closed or dropped. Neither is in progress before it is begun.
"""

import weakref
from collections.abc import Collection
from typing import Any, Protocol

from ..recording.series import BOUND
from .call import succeeded
from .operation import CallSeries
from .results import After, NoResult
from .streams import Run, chunk_recorders


class Adopter(Protocol):
    """What decides whether a result goes on, and what reads one that does not."""

    @property
    def plain(self) -> Collection[type]:
        """The types whose values do not."""

    @property
    def after(self) -> After | None:
        """What reads the result of a call."""

    def adopt(self, series: CallSeries, start: float, result: Any) -> Any:
        """What to return in place of the result if the call goes on; None if it is over."""


class Progress(Run):
    """Where something handed out is: not begun, under way, or ended with one outcome."""

    __slots__ = ("_adoption", "_after", "_busy", "_consumer", "_unused_seconds")

    def __init__(self, series: CallSeries, start: float, adoption: Adopter, *, ran: bool) -> None:
        super().__init__(series, start)
        self._adoption = adoption
        self._after = adoption.after
        self._busy = False
        self._consumer: weakref.ref[Any] | None = None
        # What the call takes if nobody uses what it returned; None if nothing has run then.
        self._unused_seconds = series.clock() - start if ran else None

    @property
    def begun(self) -> bool:
        """Whether somebody has asked for something."""
        return self._begun

    def step(self, consumer: object) -> bool:
        """Somebody wants more: begin. True for one that is alone with it, who then owes `rest`."""
        if not self._begun and not self._ended:
            self._consumer = weakref.ref(consumer)
            self.begin()
        if self._busy:
            return False
        self._busy = True
        return True

    def rest(self) -> None:
        """The step is over."""
        self._busy = False

    def fail(self, error: BaseException, consumer: object, *, alone: bool) -> None:
        """A step raised: that ends the call, but for the error of a second consumer beside the first."""
        first = None if self._consumer is None else self._consumer()
        if alone and (first is None or first is consumer):
            self.end(error)

    def end(self, error: BaseException | None = None, result: Any = NoResult) -> None:
        """It is over, or raised; heard once."""
        if self._ended:
            return
        if self._begun:
            super().end(error)
            self._read(error, result)
            return
        self._ended = True
        if self._unused_seconds is not None:
            self._series.begin(None)
            succeeded(self._series, self._unused_seconds)
            self._read(None, NoResult)

    def finished(self, result: Any) -> Any:
        """It has been awaited: what to give in place of the result, which may go on as a stream does."""
        if self._ended:
            return result
        if type(result) not in self._adoption.plain:
            adopted = self._adoption.adopt(self._series, self._start, result)
            if adopted is not None:
                self._ended = True
                return adopted
        self.end(None, result)
        return result

    def _read(self, error: BaseException | None, result: Any) -> None:
        if self._after is not None and error is None:
            self._after(self._series, result)

    def __del__(self) -> None:
        if not self._ended:
            self.leave()


class StreamProgress(Progress):
    """The same of a stream, with its chunks; its result is what it returns, else its last chunk."""

    __slots__ = ("_gap", "_gaps", "_item", "_last", "_record_first")

    def __init__(self, series: CallSeries, start: float, adoption: Adopter, *, ran: bool) -> None:
        super().__init__(series, start, adoption, ran=ran)
        self._item: Any = NoResult
        self._last: float | None = None
        self._record_first, self._gaps, self._gap = chunk_recorders(series)

    def chunk(self, item: Any) -> None:
        """A chunk has come."""
        if self._ended:
            return
        now = self._series.clock()
        if self._last is None:
            self._record_first(now - self._start)
        else:
            self._gap(now - self._last)
            if len(self._gaps.pending) > BOUND:
                self._series.store.fold(self._gaps)
        self._last = now
        if self._after is not None:
            self._item = item

    def exhausted(self, thrown: tuple[Any, ...], returned: Any = None) -> None:
        """It has no more chunks; not by itself, if it was told to exit."""
        self.end(exit_of(thrown), self._item if returned is None else returned)

    def _read(self, error: BaseException | None, result: Any) -> None:
        if self._after is not None:
            self._after(self._series, result if error is None else NoResult)


def exit_of(thrown: tuple[Any, ...]) -> GeneratorExit | None:
    """The `GeneratorExit` among what was thrown: a stream that ends upon it was not exhausted."""
    for each in thrown:
        if isinstance(each, GeneratorExit) or each is GeneratorExit:
            return GeneratorExit()
    return None
