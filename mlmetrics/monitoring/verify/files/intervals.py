"""Intervals of numbers, and what arithmetic and the functions of PromQL make of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """All numbers from `low` to `high`, both included."""

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if math.isnan(self.low) or math.isnan(self.high):
            object.__setattr__(self, "low", -math.inf)
            object.__setattr__(self, "high", math.inf)

    @property
    def known(self) -> bool:
        """Whether it says anything."""
        return self.low > -math.inf or self.high < math.inf

    @property
    def text(self) -> str:
        """The interval in words."""
        if self.low == self.high:
            return f"always {self.low:g}"
        if self.high == math.inf:
            return f"at least {self.low:g}"
        return f"at most {self.high:g}" if self.low == -math.inf else f"between {self.low:g} and {self.high:g}"

    def either(self, other: "Interval") -> "Interval":
        """Return the smallest interval around both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))

    def both(self, other: "Interval") -> "Interval":
        """Return what both have in common; of two that have nothing, this one."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Interval(low, high) if low <= high else self

    def negative(self) -> "Interval":
        """Return the interval mirrored at 0."""
        return Interval(-self.high, -self.low)


ALL = Interval()
POSITIVE = Interval(0.0)
SHARE = Interval(0.0, 1.0)


def point(number: float) -> Interval:
    """Return an interval of one number."""
    return Interval(number, number)


def _of_corners(left: Interval, right: Interval, combine: Callable[[float, float], float]) -> Interval:
    corners = [combine(one, other) for one in (left.low, left.high) for other in (right.low, right.high)]
    return ALL if any(map(math.isnan, corners)) else Interval(min(corners), max(corners))


def _product(one: float, other: float) -> float:
    return 0.0 if 0.0 in {one, other} else one * other


def _divided(left: Interval, right: Interval) -> Interval:
    if right.low > 0 or right.high < 0:
        return _of_corners(left, Interval(1 / right.high, 1 / right.low), _product)
    # Near a divisor of 0 the result is as large as one likes; the sign is known at most.
    if right.low >= 0 and left.low >= 0:
        return POSITIVE
    return Interval(-math.inf, 0.0) if right.low >= 0 and left.high <= 0 else ALL


def combined(operator: str, left: Interval, right: Interval) -> Interval:
    """Return the interval of an arithmetic operation."""
    found = ALL
    match operator:
        case "+":
            found = Interval(left.low + right.low, left.high + right.high)
        case "-":
            found = Interval(left.low - right.high, left.high - right.low)
        case "*":
            found = _of_corners(left, right, _product)
        case "/":
            found = _divided(left, right)
        case "%" if left.low >= 0 and right.low >= 0:
            found = Interval(0.0, min(left.high, right.high))
        case "^" if left.low >= 0 and right.low >= 0:
            found = POSITIVE
    return found


_NEVER: dict[str, Callable[[Interval, Interval], bool]] = {
    ">": lambda left, right: left.high <= right.low,
    ">=": lambda left, right: left.high < right.low,
    "<": lambda left, right: left.low >= right.high,
    "<=": lambda left, right: left.low > right.high,
    "==": lambda left, right: left.high < right.low or left.low > right.high,
    "!=": lambda left, right: left.low == left.high == right.low == right.high,
}
COMPARISONS = frozenset(_NEVER)


def never(operator: str, left: Interval, right: Interval) -> bool:
    """Tell whether a comparison holds for no pair of numbers of two intervals.

    >>> never(">", SHARE, point(1)), never(">=", SHARE, point(1))
    (True, False)
    """
    return _NEVER[operator](left, right)


def filtered(operator: str, left: Interval, right: Interval) -> Interval:
    """Return the interval of what a comparison lets through."""
    match operator:
        case ">" | ">=":
            return left.both(Interval(right.low))
        case "<" | "<=":
            return left.both(Interval(-math.inf, right.high))
        case "==":
            return left.both(right)
        case _:
            return left
