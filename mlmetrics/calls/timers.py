"""Timers: `with` and `async with` around a block, reusable in threads, tasks and generators, and decorators.

The first time a timer is entered, the timer itself is the call, which is enough for
`with inference_timer(...)`. When it is entered again, each run gets its own `Call`. Python does not
tell `__exit__` to which `__enter__` it belongs; that is found by the frame that entered.
"""

import contextlib
import inspect
import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType, FrameType, TracebackType
from typing import Any, TypeVar

from mlmetrics.calls.call import Call, Droppable
from mlmetrics.calls.decorators import Declaration
from mlmetrics.calls.money import settle_pair
from mlmetrics.calls.operation import BOTH, ENDED, KEPT, TOLD
from mlmetrics.calls.outcome import raised, slow_path
from mlmetrics.calls.saying import record_kept
from mlmetrics.calls.stored import calls_of
from mlmetrics.loops import current_runner
from mlmetrics.recording.series import BOUND

F = TypeVar("F", bound=Callable[..., Any])
_PASSED_ON = frozenset({__name__, contextlib.__name__})
"""Modules whose frames are skipped, because they enter and leave for their caller: this one, and exit stacks."""
_STAYS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
"""Flags of code whose frames can continue after their caller has returned."""


_Place = tuple[int, CodeType]
"""The id of a frame, and its code, because ids are reused when a frame is gone."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a timer after the first: its call, and the frame, thread and task that entered."""

    call: Call
    place: _Place
    runner: tuple[int, object]

    def is_left_elsewhere(self, stack: list[_Place]) -> bool:
        """Whether the frame that entered is gone, so that another frame leaves in its place."""
        return not self.place[1].co_flags & _STAYS and self.place not in stack


class Timer(Call):
    """A block of code as a call; yields the `Call`, for further measurements. Also a decorator."""

    __slots__ = ("_entries",)

    def __enter__(self) -> Call:
        # There is no call between test and set, so no other thread runs between them (CPython
        # switches threads at calls and backward jumps only).
        if self.state is not None:
            return self._enter_again()
        self.state = True
        series = self._series
        self._start = series.clock()
        series.begin(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.state:
            # The same as `end`, without its calls, for the common case: nothing was said of the call.
            series = self._series
            now = series.clock()
            self._seconds = seconds = now - self._start
            if error is not None:
                self.state = ENDED
                raised(series, error, seconds, now)
                return
            series.succeed(seconds)
            self.state = ENDED
            if seconds > series.notice_seconds or len(series.started) > BOUND:
                slow_path(series, seconds, now)
        elif error is None and ((state := self.state) is TOLD or state is KEPT or state is BOTH):
            series = self._series
            now = series.clock()
            self._seconds = seconds = now - self._start
            series.succeed(seconds)
            self.state = ENDED
            if seconds > series.notice_seconds or len(series.started) > BOUND:
                slow_path(series, seconds, now)
            if state is not TOLD:
                record_kept(series, self._kept)
            if state is not KEPT:
                prompt, answer = self._prompt, self._answer
                if seconds > 0:
                    pair = series.tokens.pair
                    append = pair.prompt
                    append(prompt)
                    append = pair.answer
                    append(answer)
                    append = pair.speed
                    append(answer / seconds)
                if seconds <= 0 or series.tokens.priced or series.store.prices is not None:
                    settle_pair(series, prompt, answer, seconds)
        else:
            self._leave().end(error)

    def __call__(self, function: F) -> F:
        """Record every run of a function as a call of its own, with the labels of the timer.

        It may be of any kind that `track_inference` takes, and keeps its kind and its signature; a stream is one call.
        As of a block, nothing is read from its result: `track_inference` and its relatives do that.

        Raises:
            DeclarationError: it cannot be called.
        """
        series = self._series
        service, *labels = series.labels
        calls = calls_of(series.store, series.operation)
        decorated: F = Declaration(calls, service, tuple(labels), None, None, None).decorate(function)
        return decorated

    async def __aenter__(self) -> Call:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _enter_again(self) -> Call:
        entry = _Entry(Call(self._series), next(_stack()), current_runner())
        with self._series.store.declaring:
            if self.state is not ENDED:
                self._hold()  # from now on `__exit__` must find the call that it ends
            if not hasattr(self, "_entries"):
                self._entries: list[_Entry] = []
            self._entries.append(entry)
        entry.call.begin()
        return entry.call

    def _leave(self) -> Call:
        """Return the call whose block ends here.

        It is the newest that this frame entered; else the newest of this thread and task whose own frame
        is gone, as when the timer is entered inside the `__enter__` of another context manager; else the
        first call, whose frame is not known; else, if that has ended, the newest of all.
        """
        if not hasattr(self, "_entries"):
            return self
        stack, runner = list(_stack()), current_runner()
        with self._series.store.declaring:
            newest = self._entries[::-1]
            here = (each for each in newest if each.place == stack[0])
            mine = (each for each in newest if each.runner == runner and each.is_left_elsewhere(stack))
            anybodys = iter(newest if self.state is ENDED else ())
            entry = next(itertools.chain(here, mine, anybodys), None)
            if entry is None:
                return self
            self._entries.remove(entry)
            return entry.call


class _DroppableTimer(Droppable, Timer):
    """A timer that its series has let go."""

    __slots__ = ()


Timer.droppable = _DroppableTimer


def _stack() -> Iterator[_Place]:
    """Yield the frame in which the timer is entered or left, and its callers, the innermost first."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 (there is no public way that is as cheap)
    while frame is not None:
        if frame.f_globals.get("__name__") not in _PASSED_ON or frame.f_back is None:
            yield id(frame), frame.f_code
        frame = frame.f_back
