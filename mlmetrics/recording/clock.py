"""A clock given by the user, which may fail: what it raises does not reach the calls that it times."""

from collections.abc import Callable
from math import isfinite
from time import perf_counter

from mlmetrics.interruption import interrupted


def guarded(clock: Callable[[], float], failed: Callable[[str, object], None]) -> Callable[[], float]:
    """Return the clock; after its first failure, `perf_counter`, shifted to continue from the clock's last reading.

    A clock fails when it raises or returns no finite number. It is not called again, because the
    difference between readings of two clocks is not a duration.

    Args:
        clock: returns seconds as a monotonic float.
        failed: is called with the place, `clock`, and the problem.
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
