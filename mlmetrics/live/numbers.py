"""Numbers as the feed writes them: five digits are enough for a line, three for a shade, and no number is null."""

import math

_EXACT = 1e15
FOR_SHADES = 3


def rounded(value: float | None, digits: int = 5) -> float | int | None:
    """Return a number with so many significant digits, None if it is none.

    >>> rounded(0.0123456), rounded(3.0), rounded(float("nan")), rounded(0.0123456, FOR_SHADES)
    (0.012346, 3, None, 0.0123)
    """
    if value is None or not math.isfinite(value):
        return None
    found = float(f"{value:.{digits}g}")
    return int(found) if abs(found) < _EXACT and found.is_integer() else found
