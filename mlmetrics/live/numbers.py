"""Numbers as the feed writes them: five digits are enough for a picture, and what is no number is null."""

import math

_EXACT = 1e15


def rounded(value: float | None) -> float | int | None:
    """Return a number with five significant digits, None if it is none.

    >>> rounded(0.0123456), rounded(3.0), rounded(float("nan"))
    (0.012346, 3, None)
    """
    if value is None or not math.isfinite(value):
        return None
    found = float(f"{value:.5g}")
    return int(found) if abs(found) < _EXACT and found.is_integer() else found
