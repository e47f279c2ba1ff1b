"""A clock of the user's, which may break: what it raises reaches no call that it was to time."""

from collections.abc import Callable
from math import isfinite
from time import perf_counter

from ..interruption import interrupted


def guarded(clock: Callable[[], float], failed: Callable[[str, object], None]) -> Callable[[], float]:
    """The clock, and from its first failure on `perf_counter`, which goes on from its last reading.

    A clock fails when it raises or gives no finite number. It is not asked again: readings of
    two clocks in turn would make durations that nobody has waited.

    Args:
        clock: seconds as a monotonic float.
        failed: is told the place, `clock`, and what was wrong.
    """
    last = 0.0
    offset: float | None = None

    def read() -> float:
        nonlocal last, offset
        if offset is None:
            try:
                now = clock()
                if isfinite(now):
                    last = float(now)
                    return last
                problem: object = f"no finite number: {now!r:.100}"
            except Exception as error:  # the user's code, run on behalf of a measurement
                if interrupted(error):
                    raise
                problem = error
            offset = last - perf_counter()
            failed("clock", problem)
        return offset + perf_counter()

    return read
