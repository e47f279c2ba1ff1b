"""What takes too long for the caller's thread, done by a thread of its own in the order in which it came.

Nothing here waits for a lock, so something may be added in a signal handler or in `__del__`. The thread ends
when nothing is left to do. It is no daemon: an interpreter that ends waits for it, and loses nothing.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from weakref import WeakSet

THREAD = "mlmetrics-prices"
POLL_SECONDS = 0.0005
Work = Callable[[], object]


class Waiting:
    """Work that waits to be done. It must not raise."""

    def __init__(self) -> None:
        self._work: deque[Work] = deque()
        self._threads: set[threading.Thread] = set()
        """Those at work: one, unless two callers have started one at the same moment, which does no harm."""
        _all.add(self)

    def add(self, work: Work) -> None:
        """Have this done soon by another thread."""
        self._work.append(work)
        if not self._threads:
            self._begin()

    def settle(self, timeout_seconds: float) -> bool:
        """Wait until nothing is left to do; return whether that came true in time."""
        deadline = time.monotonic() + timeout_seconds
        while self._work or self._threads:
            if time.monotonic() > deadline or threading.current_thread() in self._threads:
                return False
            if not self._threads:
                self._begin()
            time.sleep(POLL_SECONDS)
        return True

    def renew(self) -> None:
        """Begin anew in a forked child: the thread, and what waits for it, are the parent's."""
        self._work.clear()
        self._threads.clear()

    def _begin(self) -> None:
        thread = threading.Thread(target=self._work_off, name=THREAD, daemon=False)
        try:
            self._threads.add(thread)
            thread.start()
        except RuntimeError:  # no thread can be had: the interpreter ends, or the system has no more
            self._work_off()
        finally:
            if not thread.is_alive():
                self._threads.discard(thread)

    def _work_off(self) -> None:
        me = threading.current_thread()
        try:
            while self._work:
                self._threads.add(me)
                for work in iter(self._next, None):
                    work()
                # Before the last look: whoever adds something after it finds no thread, and starts another one.
                self._threads.discard(me)
        finally:
            self._threads.discard(me)

    def _next(self) -> Work | None:
        try:
            return self._work.popleft()
        except IndexError:
            return None


_all: "WeakSet[Waiting]" = WeakSet()


def _renew_all() -> None:
    for each in tuple(_all):
        each.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
