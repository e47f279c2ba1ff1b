"""Who may fold, and how a fold is done so that it may be interrupted anywhere and done again.

One thread folds at a time, and never one that would have to wait for itself: a call that
records may run in a signal handler, in `__del__`, in the middle of another fold of its own
thread. So the hot path only ever attempts to fold; a scrape waits a little for another thread.

A signal handler may raise wherever CPython runs one: after a call, at a jump backwards, at the
entry of a function. Between two such places nothing comes, no other thread either, and all that
must not be divided stands between two of them. That is why a list with one token serves as the
lock, taken and put back by statements: of a lock that is acquired by a call, nobody would know
after an exception whether it is held.

A fold first works out what every value will be, then publishes that with one assignment, then
writes, then forgets the numbers it was made of. Interrupted before it was published, it has
changed nothing; interrupted later, the next fold does it again to the same result.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from ..interruption import interrupted
from .cells import Write, in_files

T = TypeVar("T")

WAIT_SECONDS = 2.0
POLL_SECONDS = 0.0005
_TOKEN = (None,)


Batch = tuple[list[tuple[list[Any], int]], list[Write]]
"""What a fold takes, and what writing it down comes to: lists of appended numbers with how many of
each are taken, and the values to set, each once, all of them known before the first is written."""


class Turn:
    """The right to fold, the thread that has it, and the batch that is being written.

    A forked child has a turn of its own. A fold that was under way in the forking thread finds
    that out, and leaves the rest to it.
    """

    __slots__ = ("batch", "owner", "token")

    def __init__(self, batch: Batch | None = None) -> None:
        self.token: list[None] = [*_TOKEN]
        self.owner = 0
        self.batch = batch

    def finish(self) -> None:
        """Write the published batch and forget its numbers; of an error that is ours, nothing remains written."""
        if self.batch is None:
            return
        (sources, writes), state, written = self.batch, _state, 0
        try:
            for write, new, _ in writes:
                if state.turn is not self:
                    return
                write(new)
                written += 1
        except Exception as error:
            if not interrupted(error):
                for write, _, old in writes[:written]:
                    write(old)
                self.batch = None
            raise
        if state.turn is self:
            del writes[:]  # from here on there is only to forget
        while sources and state.turn is self:
            pending, count = sources[-1]
            # One step: nothing is called between the two.
            del pending[:count]
            del sources[-1]
        self.batch = None


class Foldable(Protocol):
    """What can be folded."""

    def batch(self) -> Batch | None:
        """What there is to fold, if anything."""


class Forks(Protocol):
    """What a fork concerns: it folds before the process is copied, and goes on anew in the child."""

    def fold_all(self) -> None:
        """Fold everything; the caller has the turn."""

    def renew(self) -> None:
        """Go on in a child; the caller has the turn."""


class _State:
    """The turn, and the thread that forks now, for which all folds stand still."""

    def __init__(self) -> None:
        self.turn = Turn()
        self.forking: list[int] = []


_state = _State()
_forks: "WeakSet[Forks]" = WeakSet()
heed = _forks.add
"""Tell of forks from now on, as long as it exists."""


def attempt(work: Callable[..., object], *args: Any) -> bool:
    """Do the work if nobody folds; says whether it was done."""
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
    """Do the work, waiting for another thread but never for this one; says whether it was done."""
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
    """Read while nobody folds; where that is not to be had, read all the same."""
    found: list[T] = []
    if hold(lambda: found.append(read())):
        return found[0]
    return read()


def fold(foldable: Foldable) -> None:
    """Fold one series, after what an interrupted fold has left; the caller has the turn."""
    turn = _state.turn
    if turn.batch is not None:
        turn.finish()
    batch = foldable.batch()
    if batch is not None:
        turn.batch = batch
        turn.finish()


def _before_fork() -> None:
    hold(_stand_still)


def _stand_still() -> None:
    """Fold everything, and let nobody begin another fold until the process has been copied."""
    for each in tuple(_forks):
        each.fold_all()
    _state.forking[:] = (threading.get_ident(),)


def _in_child() -> None:
    """Take over what a fold has left that does not go on here, unless it goes to the files of the parent."""
    _state.turn = Turn(None if in_files() else _state.turn.batch)
    for each in tuple(_forks):
        attempt(each.renew)


if hasattr(os, "register_at_fork"):
    # `clear` is no Python function, at whose entry a signal handler could raise and leave all folds standing.
    os.register_at_fork(after_in_parent=_state.forking.clear, after_in_child=_state.forking.clear)
    os.register_at_fork(before=_before_fork, after_in_child=_in_child)
