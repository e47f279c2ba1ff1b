"""Folds: one at a time, and safe to interrupt anywhere, because the next fold can do an interrupted one again.

One thread folds at a time. A call that records may run in a signal handler or in `__del__`, in the
middle of a fold of the same thread, and would then wait for itself. So the hot path never waits for
a fold: it folds or goes on. A scrape waits for another thread, at most `WAIT_SECONDS`.

CPython runs signal handlers, and switches threads, only after a call, at a backward jump and at the
entry of a function. Code between two such places cannot be interrupted, and steps that must happen
together stand between two of them. That is why the lock is a list with one token, which is taken
and put back by statements: if a lock is acquired by a call and an exception follows, it is unknown
whether the lock is held.

A fold first computes all new values, then publishes them with one assignment, then writes them, then
deletes the numbers that they were computed from. If it is interrupted before publishing, nothing has
changed; if it is interrupted later, the next fold repeats it with the same result.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from mlmetrics.recording.cells import Write
from mlmetrics.recording.outbox import Outbox

T = TypeVar("T")

WAIT_SECONDS = 2.0
POLL_SECONDS = 0.0005
_TOKEN = (None,)


Batch = tuple[list[tuple[list[Any], int]], list[Write]]
"""One fold: the lists of appended numbers with how many of each are taken, and the values to set.
Each value is set once, and all are known before the first is written."""


class Turn:
    """The right to fold, the thread that has it, and the batch that is being written.

    A forked child gets a new turn. A fold that was running in the forking thread notices the new
    turn in the child and stops; the new turn finishes the batch.
    """

    __slots__ = ("batch", "owner", "token")

    def __init__(self, batch: Batch | None = None) -> None:
        self.token: list[None] = [*_TOKEN]
        self.owner = 0
        self.batch = batch

    def finish(self) -> None:
        """Write the published batch and delete its numbers."""
        if self.batch is None:
            return
        (sources, writes), state = self.batch, _state
        for target, place, new in writes:
            if state.turn is not self:
                return
            target[place] = new
        if state.turn is self:
            del writes[:]  # all is written: only the numbers remain to be deleted
        while sources and state.turn is self:
            pending, count = sources[-1]
            # These two statements cannot be interrupted: there is no call between them.
            del pending[:count]
            del sources[-1]
        self.batch = None


class Foldable(Protocol):
    """What can be folded."""

    def batch(self, outbox: Outbox | None = None, /) -> Batch | None:
        """Return what there is to fold, for an outbox as well if there is one; None if there is nothing."""

    def forget(self) -> None:
        """Forget in a forked child what belongs to its parent."""


class Forks(Protocol):
    """What must act at a fork: fold everything before the process is copied, and start anew in the child."""

    def fold_pending(self) -> None:
        """Fold everything; the caller has the turn."""

    def renew(self) -> None:
        """Start anew in the child; the caller has the turn."""


class _State:
    """The turn, and the thread that is forking now; no fold starts while there is one."""

    def __init__(self) -> None:
        self.turn = Turn()
        self.forking: list[int] = []


_state = _State()
_forks: "WeakSet[Forks]" = WeakSet()
act_at_forks = _forks.add
"""Have an object act at each fork, as long as it exists."""


def attempt(work: Callable[..., object], *args: Any) -> bool:
    """Do the work if no fold is running; return whether it was done."""
    me = threading.get_ident()
    turn = _state.turn
    if _state.forking:
        return False
    try:
        del turn.token[0]
    except IndexError:
        return False
    try:
        turn.owner = me
        work(*args)
    finally:
        turn.owner = 0
        turn.token[:] = _TOKEN
    return True


def hold(work: Callable[..., object], *args: Any) -> bool:
    """Do the work, after waiting for a fold of another thread if needed; return whether it was done."""
    me = threading.get_ident()
    if _state.turn.owner == me or me in _state.forking:
        return False
    deadline = time.monotonic() + WAIT_SECONDS
    while not attempt(work, *args):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def steadily(read: Callable[[], T]) -> T:
    """Read while no fold is running; if the wait for that takes too long, read anyway."""
    found: list[T] = []
    if hold(lambda: found.append(read())):
        return found[0]
    return read()


def fold(foldable: Foldable, outbox: Outbox | None = None) -> None:
    """Fold one series, after finishing an interrupted fold if there is one; the caller has the turn."""
    turn = _state.turn
    if turn.batch is not None:
        turn.finish()
    batch = foldable.batch(outbox)
    if batch is not None:
        turn.batch = batch
        turn.finish()


def _before_fork() -> None:
    hold(_stand_still)


def _stand_still() -> None:
    """Fold everything, and prevent further folds until the process has been copied."""
    for each in tuple(_forks):
        each.fold_pending()
    _state.forking[:] = (threading.get_ident(),)


def _in_child() -> None:
    """Finish a fold that was interrupted by the fork; the child has its own copy of the values."""
    _state.turn = Turn(_state.turn.batch)
    for each in tuple(_forks):
        attempt(each.renew)


if hasattr(os, "register_at_fork"):
    # `clear` is a C function. At the entry of a Python one a signal handler could raise; no fold would start again.
    os.register_at_fork(after_in_parent=_state.forking.clear, after_in_child=_state.forking.clear)
    os.register_at_fork(before=_before_fork, after_in_child=_in_child)
