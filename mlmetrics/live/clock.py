"""The clock of the samples: the time of day, advanced by the monotonic clock.

The time of day may jump, back too. Intervals stay what the monotonic clock measures; when the time of day has jumped,
all times that were taken before move with it.
"""

import time
from collections.abc import Callable

_TOLERATED_SECONDS = 0.5


class Clock:
    """Milliseconds since 1970 for times of the monotonic clock."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()

    def milliseconds(self, monotonic: float) -> int:
        """Return the time of day at a time of the monotonic clock."""
        return round((monotonic + self._offset) * 1000)

    def now(self) -> int:
        """Return the time of day."""
        return self.milliseconds(self._monotonic())

    def jump(self) -> int:
        """Return by how many milliseconds the time of day has jumped, 0 if it has not, and take it over."""
        offset = self._wall() - self._monotonic()
        jumped = offset - self._offset
        if abs(jumped) <= _TOLERATED_SECONDS:
            return 0
        self._offset = offset
        return round(jumped * 1000)
