"""Arithmetic, comparisons and set operators between series and numbers."""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlmetrics.live.promql.evaluating import Instant, Node
from mlmetrics.live.promql.joining import Matching, join, signatures
from mlmetrics.live.promql.semantics import PromQLError
from mlmetrics.live.promql.vectors import Layout, Value, Values, Vector


def _divided(left: float, right: float) -> float:
    """Divide as processors do: by 0, the result is infinite or no number."""
    if right:
        return left / right
    if not left or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def _power(left: float, right: float) -> float:
    """Raise to a power as processors do: what is too large is infinite, and what is no real number is NaN."""
    try:
        return math.pow(left, right)
    except OverflowError:
        return -math.inf if left < 0 and right % 2 == 1 else math.inf
    except ValueError:
        return math.nan if left else math.inf


ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divided,
    "^": _power,
}
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """Arithmetic or a comparison. A comparison keeps the left value where it holds; with `as_bool`, it is 1 or 0."""

    operator: str
    left: Node
    right: Node
    matching: Matching
    as_bool: bool

    def value(self, at: Instant) -> Value:
        """Return the result, a number if both sides are numbers."""
        left, right = at.value(self.left), at.value(self.right)
        if isinstance(left, Vector):
            if isinstance(right, Vector):
                return self._of_series(left, right)
            return self._with_number(left, right, is_left=False)
        if isinstance(right, Vector):
            return self._with_number(right, left, is_left=True)
        return self._of_numbers(left, right)

    @property
    def _keeps_name(self) -> bool:
        return self.operator in COMPARISONS and not self.as_bool

    def _of_numbers(self, left: float, right: float) -> float:
        if self.operator in ARITHMETIC:
            return ARITHMETIC[self.operator](left, right)
        return float(COMPARISONS[self.operator](left, right))

    def _with_number(self, series: Vector, number: float, *, is_left: bool) -> Vector:
        values: Values
        if self._keeps_name:
            holds = COMPARISONS[self.operator]
            if is_left:
                values = [each if each is not None and holds(number, each) else None for each in series.values]
            else:
                values = [each if each is not None and holds(each, number) else None for each in series.values]
            return Vector(series.layout, values)
        compute: Callable[[float, float], float] = ARITHMETIC.get(self.operator) or COMPARISONS[self.operator]
        if is_left:
            values = [None if each is None else float(compute(number, each)) for each in series.values]
        else:
            values = [None if each is None else float(compute(each, number)) for each in series.values]
        return Vector(series.layout.without_name(), values)

    def _of_series(self, left: Vector, right: Vector) -> Vector:
        joined = left.layout.joined(
            self, right.layout, lambda: join(left.layout, right.layout, self.matching, keeps_name=self._keeps_name)
        )
        values: Values = []
        if self._keeps_name:
            holds = COMPARISONS[self.operator]
            for one, other in joined.pairs(left.values, right.values):
                values.append(one if one is not None and other is not None and holds(one, other) else None)
        else:
            compute: Callable[[float, float], float] = ARITHMETIC.get(self.operator) or COMPARISONS[self.operator]
            for one, other in joined.pairs(left.values, right.values):
                values.append(None if one is None or other is None else float(compute(one, other)))
        joined.check(values)
        return Vector(joined.layout, values)


@dataclass(frozen=True, slots=True, eq=False)
class SetOperation:
    """`and`, `or` and `unless`: the series of one side by what the other side has."""

    operator: str
    left: Node
    right: Node
    matching: Matching

    def value(self, at: Instant) -> Value:
        """Return the series."""
        left, right = at.vector(self.left), at.vector(self.right)
        of_left, of_right = (signatures(each.layout, self.matching) for each in (left, right))
        if self.operator == "or":
            return self._either(left, right, of_left, of_right)
        there = {key for key, value in zip(of_right, right.values, strict=True) if value is not None}
        is_and = self.operator == "and"
        values = [
            value if value is not None and (key in there) == is_and else None
            for key, value in zip(of_left, left.values, strict=True)
        ]
        return Vector(left.layout, values)

    def _either(self, left: Vector, right: Vector, of_left: list[object], of_right: list[object]) -> Vector:
        there = {key for key, value in zip(of_left, left.values, strict=True) if value is not None}
        more = [
            None if value is None or key in there else value for key, value in zip(of_right, right.values, strict=True)
        ]
        layout = left.layout.joined(self, right.layout, lambda: Layout((*left.layout.labels, *right.layout.labels)))
        return Vector(layout, [*left.values, *more])


@dataclass(frozen=True, slots=True, eq=False)
class Negative:
    """Series or a number with the other sign."""

    of: Node

    def value(self, at: Instant) -> Value:
        """Return the result."""
        found = at.value(self.of)
        if not isinstance(found, Vector):
            return -found
        return Vector(found.layout.without_name(), [None if each is None else -each for each in found.values])


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """A number that is written in a query."""

    number: float

    def value(self, _at: Instant) -> Value:
        """Return the number."""
        return self.number


def scalar(at: Instant, node: Node) -> float:
    """Return the result of a part that is a number."""
    found = at.value(node)
    if isinstance(found, Vector):
        raise PromQLError("expected a number, and not series")
    return found
