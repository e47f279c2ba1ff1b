"""Timers: `with` and `async with` around a block, reusable in threads, tasks and generators.

A timer is its own call the first time it is entered, which is all that
`with inference_timer(...)` ever needs; when it is entered again, each run gets a `Call` of its own.
`with` hands its exit nothing by which to tell whose it is, so that is found by the frame which entered.
"""

import asyncio
import contextlib
import inspect
import itertools
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FrameType, TracebackType

from ..interruption import interrupted
from ..recording.series import BOUND
from .call import Call, Droppable, look
from .operation import ENDED

_PASSED_ON = frozenset({__name__, contextlib.__name__})
"""Modules that enter and leave for somebody else: `async with` through here, and exit stacks."""
_STAYS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
"""Code whose frames outlive what calls them."""


_Place = tuple[int, CodeType]
"""A frame, and its code: the number alone is given again when a frame is gone."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a timer after the first: its call, and who entered."""

    call: Call
    place: _Place
    runner: tuple[int, object]

    def is_left_elsewhere(self, stack: list[_Place]) -> bool:
        """Whether the frame that entered is gone: something else then leaves in its place."""
        return not self.place[1].co_flags & _STAYS and self.place not in stack


class Timer(Call):
    """A block of code as a call; yields the `Call` to say more of it."""

    __slots__ = ("_entries",)

    def __enter__(self) -> Call:
        # Nothing is called between test and set, so no other thread comes between (CPython
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
        if error is None and self.state:
            # `end` for the common case, written out.
            series = self._series
            self._seconds = seconds = series.clock() - self._start
            series.succeed(seconds)
            self.state = ENDED
            if seconds > series.notice_seconds or len(series.begun) > BOUND:
                look(series, seconds)
        else:
            self._leave().end(error)

    async def __aenter__(self) -> Call:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _enter_again(self) -> Call:
        entry = _Entry(Call(self._series), next(_stack()), _runner())
        with self._series.store.declaring:
            if self.state is not ENDED:
                self.state = False  # from now on the exit asks whose it is
            if not hasattr(self, "_entries"):
                self._entries: list[_Entry] = []
            self._entries.append(entry)
        entry.call.begin()
        return entry.call

    def _leave(self) -> Call:
        """The call whose block ends here.

        The newest that this frame entered; else the newest of this thread and task whose own frame
        is gone, as that of a context manager which enters a timer within itself; else the first,
        of which nobody asked who it was; else any.
        """
        if not hasattr(self, "_entries"):
            return self
        stack, runner = list(_stack()), _runner()
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
    """Where the timer is entered or left, and where that was called, the innermost first."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 (there is no public way that is as cheap)
    while frame is not None:
        if frame.f_globals.get("__name__") not in _PASSED_ON or frame.f_back is None:
            yield id(frame), frame.f_code
        frame = frame.f_back


def _runner() -> tuple[int, object]:
    """Who runs: the thread, and the task where there is one."""
    try:
        task = asyncio.current_task()
    except RuntimeError as error:
        if interrupted(error):
            raise
        task = None
    return threading.get_ident(), task
