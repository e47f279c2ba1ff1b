"""Ctrl-C is handled at safe places: the handler only sets a flag, so that no start or end is interrupted."""

import signal
import time
from types import FrameType

POLL_SECONDS = 0.1


class Interrupted(Exception):
    """The user, or the system, wants the demo to end."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.exit_code = 128 + signal_number


class Interrupts:
    """Notes SIGINT, SIGTERM and SIGHUP; `check` raises once one has come."""

    def __init__(self) -> None:
        self.came: int | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.came = self.came or number

    def check(self) -> None:
        """Raise `Interrupted` if a signal has come."""
        if self.came is not None:
            raise Interrupted(self.came)

    def pause(self) -> None:
        """Wait a moment, then check."""
        time.sleep(POLL_SECONDS)
        self.check()
