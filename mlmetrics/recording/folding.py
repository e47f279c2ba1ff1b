"""Who may fold: one thread at a time, and never one that would have to wait for itself.

A call that records may run anywhere: in a signal handler, in `__del__`, in the middle of
another fold of its own thread. So the hot path only ever *attempts* the lock; a scrape
waits for it a little, unless its own thread holds it, and otherwise reads what is folded.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakSet

WAIT_SECONDS = 2.0


class _State:
    """The lock and the thread that holds it; one object, so that a forked child can renew both."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.owner = 0


_state = _State()
_forked: "WeakSet[Forked]" = WeakSet()


class Forked:
    """What has numbers to fold before the process is copied, and locks of its own to renew after it."""

    __slots__ = ("__weakref__", "_fold", "renew")

    def __init__(self, fold: Callable[[], None], renew: Callable[[], None]) -> None:
        self._fold = fold
        self.renew = renew
        _forked.add(self)

    def fold(self) -> None:
        """Fold everything; the fold lock is held."""
        self._fold()


def attempt() -> bool:
    """Take the lock if nobody has it; the caller then owes a `release`."""
    taken = _state.lock.acquire(blocking=False)
    if taken:
        _state.owner = threading.get_ident()
    return taken


def release() -> None:
    """Give the lock back."""
    _state.owner = 0
    _state.lock.release()


def wait() -> bool:
    """Take the lock, waiting for another thread but never for this one."""
    if _state.owner == threading.get_ident():
        return False
    taken = _state.lock.acquire(timeout=WAIT_SECONDS)
    if taken:
        _state.owner = threading.get_ident()
    return taken


@contextmanager
def folding() -> Iterator[bool]:
    """Hold the lock for a block; yields whether it was to be had."""
    held = wait()
    try:
        yield held
    finally:
        if held:
            release()


class _Fork:
    """Holds the lock across `fork`, so that no child inherits a half-done fold."""

    def __init__(self) -> None:
        self._held = False

    def before(self) -> None:
        self._held = wait()
        if self._held:
            for forked in tuple(_forked):
                forked.fold()

    def in_parent(self) -> None:
        if self._held:
            self._held = False
            release()

    def in_child(self) -> None:
        # A fold of the forking thread itself goes on in the child, which then releases what it
        # took; a fold of a thread that is not there any more would hold its lock for ever.
        if self._held or _state.owner != threading.get_ident():
            self._held = False
            _state.__init__()  # type: ignore[misc]  # the same object anew: everybody refers to it
        for forked in tuple(_forked):
            forked.renew()


_fork = _Fork()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_fork.before, after_in_parent=_fork.in_parent, after_in_child=_fork.in_child)
