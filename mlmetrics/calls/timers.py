"""Timers: `with` and `async with` around a block, reusable in threads and tasks.

A timer is its own call the first time it is entered, which is all that
`with inference_timer(...)` ever needs; when it is entered again, each run gets a `Call`
of its own, found again at the exit by thread and task.
"""

import asyncio
import threading
from types import TracebackType

from ..interruption import interrupted
from ..recording.series import BOUND
from .call import Call, look

_Runner = tuple[int, object]
_FIRST: _Runner = (0, None)
"""Stands for whoever entered the timer first: nobody asked who it was."""


class Timer(Call):
    """A block of code as a call; yields the `Call` to say more of it."""

    __slots__ = ("_open",)

    def __enter__(self) -> Call:
        # Nothing is called between test and set, so no other thread comes between (CPython
        # switches threads at calls and backward jumps only).
        if self._plain is not None:
            return self._enter_again()
        self._plain = True
        series = self._series
        self._start = series.clock()
        series.begin(None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None and self._plain:
            # `end` for the common case, written out.
            series = self._series
            self._seconds = seconds = series.clock() - self._start
            series.succeed(seconds)
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
        call = Call(self._series)
        with self._series.store.declaring:
            self._plain = False  # from now on the exit asks whose it is
            if not hasattr(self, "_open"):
                self._open: dict[_Runner, list[Call]] = {_FIRST: [self]}
            self._open.setdefault(_runner(), []).append(call)
        call.begin()
        return call

    def _leave(self) -> Call:
        """The newest open call of this thread and task; else the first one; else any.

        A block may be left in another thread than it was entered in, as a generator may be.
        """
        with self._series.store.declaring:
            calls = getattr(self, "_open", {})
            for runner in (_runner(), _FIRST, *calls):
                while mine := calls.get(runner):
                    call: Call = mine.pop()
                    if not mine:
                        del calls[runner]
                    if call._ended is None:  # noqa: SLF001 (a timer is a call)
                        return call
        return self


def _runner() -> _Runner:
    """Who runs: the thread, and the task where there is one."""
    try:
        task = asyncio.current_task()
    except RuntimeError as error:
        if interrupted(error):
            raise
        task = None
    return threading.get_ident(), task
