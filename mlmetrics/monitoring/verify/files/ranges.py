"""Between which numbers the values of a query lie, and the comparisons in it that can therefore never be true."""

import math
from collections.abc import Callable, Iterator

import promql_parser as promql

from mlmetrics.monitoring.verify.files.intervals import (
    ALL,
    COMPARISONS,
    POSITIVE,
    SHARE,
    Interval,
    combined,
    filtered,
    never,
    point,
)
from mlmetrics.monitoring.verify.files.promql import (
    GROWTH,
    SETS,
    Report,
    bare,
    children,
    is_scalar,
    name_of,
    selectors,
    text_of,
)
from mlmetrics.monitoring.verify.files.series import Known
from mlmetrics.monitoring.verify.files.shares import is_part, share_of

_OF_TARGETS = {"up": SHARE, "scrape_duration_seconds": POSITIVE, "scrape_samples_scraped": POSITIVE}
_FIXED = {
    "absent": point(1),
    "absent_over_time": point(1),
    "present_over_time": point(1),
    "count_over_time": Interval(1.0),
    "changes": POSITIVE,
    "resets": POSITIVE,
    "abs": POSITIVE,
    "sqrt": POSITIVE,
    "exp": POSITIVE,
    "stddev_over_time": POSITIVE,
    "stdvar_over_time": POSITIVE,
    "histogram_fraction": SHARE,
    "sgn": Interval(-1.0, 1.0),
    "time": POSITIVE,
    "hour": Interval(0, 23),
    "minute": Interval(0, 59),
    "day_of_week": Interval(0, 6),
    "day_of_month": Interval(1, 31),
    "day_of_year": Interval(1, 366),
    "days_in_month": Interval(28, 31),
    "month": Interval(1, 12),
}
_SAME = {
    *("avg_over_time", "min_over_time", "max_over_time", "last_over_time", "quantile_over_time"),
    *("sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "label_replace", "label_join", "scalar", "vector"),
}
_CLAMPS = {"clamp", "clamp_min", "clamp_max"}
_ROUNDED: dict[str, Callable[[float], int]] = {"ceil": math.ceil, "floor": math.floor}
_MIRRORED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "==", "!=": "!="}
_SUMS = {"sum", "sum_over_time"}
_OF_AGGREGATES = {
    "count": Interval(1.0),
    "count_values": Interval(1.0),
    "group": point(1),
    "stddev": POSITIVE,
    "stdvar": POSITIVE,
}
_SAME_AGGREGATE = {"avg", "min", "max", "quantile", "topk", "bottomk", "limitk", "limit_ratio"}


class Ranges:
    """Works out intervals, of recorded metrics too."""

    def __init__(self, known: Known) -> None:
        self._known = known

    def of(self, node: promql.Expr) -> Interval:
        """Return an interval that has every value of an expression; `ALL` if nothing is known."""
        found = ALL
        match node:
            case promql.NumberLiteral():
                found = point(node.val)
            case promql.ParenExpr() | promql.SubqueryExpr():
                found = self.of(node.expr)
            case promql.UnaryExpr():
                found = self.of(node.expr).negative()
            case promql.MatrixSelector():
                found = self._selected(node.vector_selector)
            case promql.VectorSelector():
                found = self._selected(node)
            case promql.AggregateExpr():
                found = self._aggregated(node)
            case promql.BinaryExpr():
                found = self._compared(node) if str(node.op) in COMPARISONS else self._operated(node)
            case promql.Call():
                found = self._called(node)
        return found

    def _selected(self, selector: promql.VectorSelector) -> Interval:
        name = name_of(selector)
        if name in _OF_TARGETS:
            return _OF_TARGETS[name]
        if name == "ALERTS":
            return point(1)
        metric = self._known.metric(name) if name else None
        if metric is None:
            return ALL
        return metric.values_between if metric.values_between.known else POSITIVE if metric.counter else ALL

    def _aggregated(self, node: promql.AggregateExpr) -> Interval:
        operator, inner = str(node.op), self.of(node.expr)
        if operator in _SUMS:
            return _summed(inner)
        return inner if operator in _SAME_AGGREGATE else _OF_AGGREGATES.get(operator, ALL)

    def _called(self, node: promql.Call) -> Interval:
        name, arguments = node.func.name, list(node.args)
        found = _FIXED.get(name, ALL)
        if name in _SAME:
            inner = [each for each in arguments if not isinstance(each, promql.StringLiteral)]
            found = self.of(inner[-1]) if inner else ALL
        elif name in GROWTH:
            found = POSITIVE if self.of(arguments[0]).low >= 0 else ALL
        elif name in _SUMS:
            found = _summed(self.of(arguments[0]))
        elif name in _CLAMPS:
            found = self._clamped(name, arguments)
        elif name in _ROUNDED:
            within = self.of(arguments[0])
            ends = (_ROUNDED[name](end) if math.isfinite(end) else end for end in (within.low, within.high))
            found = Interval(*ends)
        elif name == "histogram_quantile":
            found = self._quantile(arguments)
        return found

    def _clamped(self, name: str, arguments: list[promql.Expr]) -> Interval:
        inner, limits = self.of(arguments[0]), [self.of(each) for each in arguments[1:]]
        low = limits[0].low if name in {"clamp", "clamp_min"} else -math.inf
        high = limits[-1].high if name in {"clamp", "clamp_max"} else math.inf
        return Interval(min(max(inner.low, low), high), max(min(inner.high, high), low))

    def _quantile(self, arguments: list[promql.Expr]) -> Interval:
        """Return the finite bounds: a quantile lies between them, and one in the last bucket is the last of them."""
        share = bare(arguments[0])
        if not isinstance(share, promql.NumberLiteral) or not 0 <= share.val <= 1:
            return ALL
        bounds = self.bounds(arguments[1])
        return Interval(min(0.0, *bounds), max(bounds)) if bounds else ALL

    def bounds(self, node: promql.Expr) -> set[float]:
        """Return the finite bounds of the buckets that an expression reads; empty if any of them is not known."""
        found: set[float] = set()
        for selector in selectors(node):
            metric = self._known.metric(name_of(selector)) if name_of(selector) else None
            bounds = metric.bounds if metric is not None else set()
            if not bounds:
                return set()
            found |= {bound for bound in bounds if math.isfinite(bound)}
        return found

    def _compared(self, node: promql.BinaryExpr) -> Interval:
        operator, left, right = str(node.op), self.of(node.lhs), self.of(node.rhs)
        if node.modifier is not None and node.modifier.return_bool:
            return SHARE
        if is_scalar(node.lhs) and not is_scalar(node.rhs):
            return filtered(_MIRRORED[operator], right, left)
        return filtered(operator, left, right)

    def _operated(self, node: promql.BinaryExpr) -> Interval:
        operator, left, right = str(node.op), self.of(node.lhs), self.of(node.rhs)
        factor = share_of(node.lhs, node.rhs) if operator == "/" else None
        if factor is not None:
            found = combined("*", SHARE, point(factor))
        elif operator == "-" and is_part(node.rhs, node.lhs) and left.low >= 0:
            found = Interval(0.0, left.high)
        elif operator in SETS:
            found = left.either(right) if operator == "or" else left
        else:
            found = combined(operator, left, right)
        return found


def _summed(inner: Interval) -> Interval:
    """Return the interval of a sum of one or more numbers."""
    if inner.low >= 0:
        return Interval(inner.low)
    return Interval(-math.inf, inner.high) if inner.high <= 0 else ALL


def check_comparisons(node: promql.Expr, ranges: Ranges, report: Report) -> None:
    """Report the comparisons in an expression that are never true, and the quantiles that are none."""
    if isinstance(node, promql.BinaryExpr):
        if str(node.op) in COMPARISONS:
            _check_comparison(node, ranges, report)
        if str(node.op) == "and":
            _check_conjunction(node, report)
    if isinstance(node, promql.Call) and node.func.name == "histogram_quantile":
        share = bare(node.args[0])
        if isinstance(share, promql.NumberLiteral) and not 0 <= share.val <= 1:
            report("error", "comparison", f"{text_of(node)} is infinite: {share.val:g} is no quantile, 0 to 1")
    for child in children(node):
        check_comparisons(child, ranges, report)


def _check_comparison(node: promql.BinaryExpr, ranges: Ranges, report: Report) -> None:
    left, right, operator = ranges.of(node.lhs), ranges.of(node.rhs), str(node.op)
    if not never(operator, left, right):
        return
    subject, interval = (node.rhs, right) if is_scalar(node.lhs) else (node.lhs, left)
    last = " (the last finite bucket bound)" if _is_quantile(subject) else ""
    report("error", "comparison", f"{text_of(node)} is never true: {text_of(subject)} is {interval.text}{last}")


def _is_quantile(node: promql.Expr) -> bool:
    node = bare(node)
    return isinstance(node, promql.Call) and node.func.name == "histogram_quantile"


def _check_conjunction(node: promql.BinaryExpr, report: Report) -> None:
    """Report conditions on one expression that exclude each other, such as `x > 5 and x < 1`."""
    limits: dict[str, tuple[float, bool, float, bool]] = {}
    for subject, operator, number in _conditions(node):
        low, low_open, high, high_open = limits.get(subject, (-math.inf, False, math.inf, False))
        if operator in {">", ">=", "=="} and number >= low:
            low, low_open = number, operator == ">" or (low_open and number == low)
        if operator in {"<", "<=", "=="} and number <= high:
            high, high_open = number, operator == "<" or (high_open and number == high)
        limits[subject] = low, low_open, high, high_open
        if low > high or (low == high and (low_open or high_open)):
            report("error", "comparison", f"{text_of(node)} is never true: the conditions exclude each other")
            return


def _conditions(node: promql.Expr) -> Iterator[tuple[str, str, float]]:
    """Yield the comparisons with a number that must all hold, as (text of what is compared, operator, number)."""
    node = bare(node)
    if not isinstance(node, promql.BinaryExpr):
        return
    if str(node.op) == "and":
        yield from _conditions(node.lhs)
        yield from _conditions(node.rhs)
    elif str(node.op) in COMPARISONS and not (node.modifier and node.modifier.return_bool):
        left, right = bare(node.lhs), bare(node.rhs)
        if isinstance(right, promql.NumberLiteral):
            yield str(left), str(node.op), right.val
        elif isinstance(left, promql.NumberLiteral):
            yield str(right), _MIRRORED[str(node.op)], left.val
