"""The state of a result that runs after the function has returned, and the outcome of its call.

A generator, async generator or coroutine that is never started has not run, and is no call. Any
other iterator or awaitable was made by code that did run. If it is never iterated or awaited, the
call is a success whose duration ends at the return; it is recorded when the result is closed or
garbage collected. Neither counts as in progress before it is started.
"""

import weakref
from collections.abc import Collection
from typing import Any, Protocol

from mlmetrics.calls.answers import Answer
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.results import After, NoResult
from mlmetrics.calls.runs import Chunks, KeptChunks, Run
from mlmetrics.calls.saying import Saying
from mlmetrics.calls.told import end_answered
from mlmetrics.responses.said import ANSWER


class ResultHandler(Protocol):
    """What decides whether a result goes on, and what reads one that does not."""

    @property
    def plain(self) -> Collection[type]:
        """The types whose values do not."""

    def after(self, saying: Saying | None) -> After | None:
        """Return what reads the result of a call, of which its code has said something."""

    @property
    def after_stream(self) -> After | None:
        """What reads the result of a call that is a stream."""

    def answer(self, series: CallSeries) -> Answer | None:
        """Return what reads the answer of a call, if anything does."""

    def replace(self, series: CallSeries, start: float, result: Any, saying: Saying | None = None) -> Any:
        """Return what replaces the result if the call goes on; None if the call is over."""


class Progress(Run):
    """The state of one such result: not begun, running, or ended with one outcome."""

    __slots__ = ("_busy", "_consumer", "_results", "_unused_seconds")

    def __init__(self, series: CallSeries, start: float, results: ResultHandler, *, ran: bool) -> None:
        super().__init__(series, start, results.answer(series))
        self._results = results
        self._busy = False
        self._consumer: weakref.ref[Any] | None = None
        # The duration of the call if its result is never used; None if nothing has run then.
        self._unused_seconds = series.clock() - start if ran else None

    @property
    def started(self) -> bool:
        """Whether it has been started."""
        return self._begun

    def step(self, consumer: object) -> bool:
        """Start a step, and begin if needed. True if no other step is running; then the caller must call `rest`."""
        if not self._begun and not self._ended:
            self._consumer = weakref.ref(consumer)
            self.begin()
        if self._busy:
            return False
        self._busy = True
        return True

    def rest(self) -> None:
        """End the step."""
        self._busy = False

    def fail(self, error: BaseException, consumer: object, *, alone: bool) -> None:
        """End the call because a step raised, unless the step was of a second consumer beside the first."""
        first = None if self._consumer is None else self._consumer()
        if alone and (first is None or first is consumer):
            self.end(error)

    def end(self, error: BaseException | None = None, result: Any = NoResult) -> None:
        """End the call; only the first end counts."""
        if self._ended:
            return
        if self._begun:
            seconds = self.seconds
            super().end(error, seconds)
            self._read(error, result, seconds)
            return
        self._ended = True
        if self._unused_seconds is not None:
            self._series.begin(None)
            end_answered(self._series, self._start, None, self._unused_seconds, None, self.saying)
            self._read(None, NoResult, self._unused_seconds)
        elif self.saying is not None:
            self.saying.settle(self.counted_on, None)  # what was said by the function that made it

    def finished(self, result: Any) -> Any:
        """Return the result of an await, or a stand-in if the result is still running, such as a stream."""
        if self._ended:
            return result
        if type(result) not in self._results.plain:
            replacement = self._results.replace(self._series, self._start, result, self.saying)
            if replacement is not None:
                self._ended = True
                return replacement
        if self.answer is not None:
            self.answer.whole(result)
        self.end(None, result)
        return result

    def _read(self, error: BaseException | None, result: Any, seconds: float) -> None:
        after = self._results.after(self.saying)
        if after is not None and error is None:
            after(self.counted_on, result, seconds)

    def __del__(self) -> None:
        if not self._ended:
            self.leave()


class StreamProgress(Chunks, Progress):
    """As `Progress`, for a stream and its chunks; its result is what it returns, else its last chunk."""

    __slots__ = (*Chunks.SLOTS, "_after", "_item", "_last")

    def __init__(self, series: CallSeries, start: float, results: ResultHandler, *, ran: bool) -> None:
        super().__init__(series, start, results, ran=ran)
        self.keep_chunks(KeptChunks(series))
        self._after = results.after_stream
        self._item: Any = NoResult
        self._last: float | None = None

    def chunk(self, item: Any) -> None:
        """Record the time of a chunk that has content, and read what it says."""
        if self._ended:
            return
        answer = self.answer
        content = ANSWER if answer is None or type(item) in answer.silent else answer.chunk(item)
        if content:
            self._last = self.timed(content, self._last)
        if self._after is not None:
            self._item = item

    def exhausted(self, thrown: tuple[Any, ...], returned: Any = None) -> None:
        """End the call after the last chunk; it is cancelled if the stream ended because of a `GeneratorExit`."""
        if self.answer is not None and returned is not None:
            self.answer.returned(returned)
        self.end(exit_of(thrown), self._item if returned is None else returned)

    def _read(self, error: BaseException | None, result: Any, seconds: float) -> None:
        if self._after is not None:
            self._after(self.counted_on, result if error is None else NoResult, seconds)


def exit_of(thrown: tuple[Any, ...]) -> GeneratorExit | None:
    """Return a `GeneratorExit` if one was thrown: a stream that ends because of it was not exhausted."""
    for each in thrown:
        if isinstance(each, GeneratorExit) or each is GeneratorExit:
            return GeneratorExit()
    return None
