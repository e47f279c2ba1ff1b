"""Aggregations by or without labels. Which series belong together is worked out once for a layout."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlmetrics.live.promql.evaluating import Instant, Node
from mlmetrics.live.promql.vectors import NAME, Layout, Value, Values, Vector

if TYPE_CHECKING:
    from mlmetrics.live.text import Labels


@dataclass(frozen=True, slots=True)
class Groups:
    """The group of each series, and the labels of the groups."""

    layout: Layout
    of: list[int]


def groups(layout: Layout, labels: frozenset[str], *, without: bool) -> Groups:
    """Return which series of a layout belong together."""
    return layout.kept(("groups", labels, without), lambda: _grouped(layout, labels, without=without))


def _grouped(layout: Layout, labels: frozenset[str], *, without: bool) -> Groups:
    numbers: dict[Labels, int] = {}
    left_out = labels | {NAME}
    of = []
    for each in layout.labels:
        if without:
            key = tuple([pair for pair in each if pair[0] not in left_out])
        else:
            # A label without a text is none.
            key = tuple([pair for pair in each if pair[0] in labels and pair[1]])
        of.append(numbers.setdefault(key, len(numbers)))
    return Groups(Layout(numbers), of)


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """An aggregation of series."""

    operator: str
    of: Node
    labels: frozenset[str]
    without: bool

    def value(self, at: Instant) -> Value:
        """Return a value for each group that has one."""
        series = at.vector(self.of)
        grouped = groups(series.layout, self.labels, without=self.without)
        return Vector(grouped.layout, OPERATORS[self.operator](series.values, grouped.of, len(grouped.layout.labels)))


def _sum(values: Values, of: list[int], count: int) -> Values:
    sums = [0.0] * count
    if None not in values:
        for value, group in zip(values, of, strict=True):
            sums[group] += value  # type: ignore[operator]  # none is None
        return sums  # type: ignore[return-value]  # a list of floats
    seen = [False] * count
    for value, group in zip(values, of, strict=True):
        if value is not None:
            sums[group] += value
            seen[group] = True
    return [total if is_there else None for total, is_there in zip(sums, seen, strict=True)]


def _count(values: Values, of: list[int], count: int) -> Values:
    found: Values = [None] * count
    for value, group in zip(values, of, strict=True):
        if value is not None:
            found[group] = (found[group] or 0.0) + 1.0
    return found


def _mean(values: Values, of: list[int], count: int) -> Values:
    totals, counts = _sum(values, of, count), _count(values, of, count)
    return [
        None if total is None or number is None else total / number
        for total, number in zip(totals, counts, strict=True)
    ]


def _max(values: Values, of: list[int], count: int) -> Values:
    found: Values = [None] * count
    for value, group in zip(values, of, strict=True):
        if value is not None:
            known = found[group]
            # Any number takes the place of NaN.
            if known is None or known < value or known != known:  # noqa: PLR0124 - NaN
                found[group] = value
    return found


def _min(values: Values, of: list[int], count: int) -> Values:
    found: Values = [None] * count
    for value, group in zip(values, of, strict=True):
        if value is not None:
            known = found[group]
            if known is None or known > value or known != known:  # noqa: PLR0124 - NaN
                found[group] = value
    return found


OPERATORS: Mapping[str, Callable[[Values, list[int], int], Values]] = {
    "sum": _sum,
    "count": _count,
    "avg": _mean,
    "max": _max,
    "min": _min,
}
"""The aggregations that are evaluated."""
