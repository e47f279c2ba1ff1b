"""From the text of a query to nodes that can be evaluated; what is not evaluated here is refused by its name."""

import math
from collections.abc import Callable, Mapping
from datetime import timedelta

import promql_parser as promql

from mlmetrics.live.promql.aggregating import OPERATORS, Aggregate
from mlmetrics.live.promql.calling import (
    MAPPED,
    Absent,
    ClampMin,
    HistogramQuantile,
    LabelReplace,
    Map,
    OneSeries,
    Time,
)
from mlmetrics.live.promql.evaluating import WINDOWED, Evaluator, Node
from mlmetrics.live.promql.joining import Matching
from mlmetrics.live.promql.matching import Matcher, compiled
from mlmetrics.live.promql.operating import ARITHMETIC, COMPARISONS, Negative, Number, Operation, SetOperation
from mlmetrics.live.promql.selectors import OfWindow, Select
from mlmetrics.live.promql.semantics import PromQLError, Semantics
from mlmetrics.live.promql.vectors import Layout
from mlmetrics.monitoring.verify.files.promql import OPERATORS as MATCH_OPERATORS
from mlmetrics.monitoring.verify.files.promql import bare, is_scalar, parse, text_of

SETS = {"and", "or", "unless"}
_MOST_NODES = 20_000


def compile_query(evaluator: Evaluator, query: str) -> Node:
    """Return a query, ready to be evaluated.

    Raises:
        PromQLError: The query is wrong, or has a construct that is not evaluated here.
    """
    try:
        tree = parse(query)
    except ValueError as error:
        raise PromQLError(f"{query}: {error}") from error
    try:
        return _Compiler(evaluator).node(tree)
    except PromQLError as error:
        raise PromQLError(f"{error}; in {' '.join(query.split())}") from error


class _Compiler:
    """Makes nodes, one for each text."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._nodes = evaluator.nodes
        self._semantics: Semantics = evaluator.semantics

    def node(self, tree: promql.Expr) -> Node:
        """Return the node of an expression."""
        tree = bare(tree)
        text = tree.prettify()  # other than str(), it escapes texts
        if len(self._nodes) > _MOST_NODES:  # queries of views that nobody watches any more
            self._nodes.clear()
        found = self._nodes.get(text)
        if found is None:
            found = self._nodes[text] = self._made(tree)
        return found

    def _made(self, tree: promql.Expr) -> Node:
        match tree:
            case promql.NumberLiteral():
                return Number(float(tree.val))
            case promql.VectorSelector():
                name, matchers, offset = self._selected(tree)
                return Select(name, matchers, offset)
            case promql.AggregateExpr():
                return self._aggregate(tree)
            case promql.BinaryExpr():
                return self._binary(tree)
            case promql.UnaryExpr():
                return Negative(self.node(tree.expr))
            case promql.Call():
                return self._call(tree)
        raise _not_evaluated(_KINDS.get(type(tree).__name__, type(tree).__name__), tree)

    def _selected(self, tree: promql.VectorSelector) -> tuple[str, tuple[Matcher, ...], int]:
        """Return the name, the other matchers and the offset in milliseconds of a selector."""
        if tree.at is not None:
            raise _not_evaluated("the modifier @", tree)
        if tree.matchers.or_matchers:
            raise _not_evaluated("`or` between matchers", tree)
        found = [(each.name, MATCH_OPERATORS[str(each.op)], each.value) for each in tree.matchers.matchers]
        names = [text for label, operator, text in found if (label, operator) == ("__name__", "=")]
        name = tree.name or (names[0] if len(names) == 1 else "")
        matchers = tuple(each for each in found if each[0] != "__name__")
        if not name or len(found) - len(matchers) > (not tree.name):
            raise _not_evaluated("a selector without one name", tree)
        for _, operator, text in matchers:
            if operator.endswith("~"):
                compiled(text, dot_is_any=self._semantics.dot_is_any)
        return name, matchers, _milliseconds(tree.offset, tree)

    def _aggregate(self, tree: promql.AggregateExpr) -> Node:
        operator = str(tree.op)
        if operator not in OPERATORS:
            raise _not_evaluated(f"the aggregation {operator}", tree)
        modifier = tree.modifier
        labels = frozenset(modifier.labels) if modifier else frozenset()
        without = modifier is not None and modifier.type == promql.AggModifierType.Without
        return Aggregate(operator, self.node(tree.expr), labels, without)

    def _binary(self, tree: promql.BinaryExpr) -> Node:
        operator, modifier = str(tree.op), tree.modifier
        left, right, matching = self.node(tree.lhs), self.node(tree.rhs), _matching(tree)
        if operator in SETS:
            return SetOperation(operator, left, right, matching)
        if operator not in ARITHMETIC and operator not in COMPARISONS:
            raise _not_evaluated(f"the operator {operator}", tree)
        as_bool = modifier is not None and bool(modifier.return_bool)
        if operator in COMPARISONS and not as_bool and is_scalar(tree.lhs) and is_scalar(tree.rhs):
            raise PromQLError(f"numbers are compared with `{operator} bool`: {text_of(tree)}")
        return Operation(operator, left, right, matching, as_bool)

    def _call(self, tree: promql.Call) -> Node:
        name, arguments = str(tree.func.name), list(tree.args)
        if name in WINDOWED:
            return self._windowed(name, arguments[0])
        if name in MAPPED:
            return Map(name, self.node(arguments[0]))
        if name == "absent":
            return Absent(self.node(arguments[0]), _layout_of_absence(bare(arguments[0])))
        make = _CALLS.get(name)
        if make is None:
            raise _not_evaluated(f"the function {name}", tree)
        return make(self, arguments)

    def _windowed(self, name: str, argument: promql.Expr) -> Node:
        argument = bare(argument)
        if not isinstance(argument, promql.MatrixSelector):
            raise _not_evaluated("a subquery", argument)
        metric, matchers, offset = self._selected(argument.vector_selector)
        return OfWindow(name, metric, matchers, _milliseconds(argument.range, argument), offset)

    def label_replace(self, arguments: list[promql.Expr]) -> Node:
        """Return the node of `label_replace`."""
        target, replacement, source, pattern = (
            each.val for each in arguments[1:] if isinstance(each, promql.StringLiteral)
        )
        compiled(pattern, dot_is_any=self._semantics.dot_is_any)
        return LabelReplace(self.node(arguments[0]), target, replacement, source, pattern)


_CALLS: Mapping[str, Callable[[_Compiler, list[promql.Expr]], Node]] = {
    "time": lambda _of, _arguments: Time(),
    "vector": lambda of, arguments: OneSeries(of.node(arguments[0])),
    "clamp_min": lambda of, arguments: ClampMin(of.node(arguments[0]), of.node(arguments[1])),
    "histogram_quantile": lambda of, arguments: HistogramQuantile(of.node(arguments[0]), of.node(arguments[1])),
    "label_replace": _Compiler.label_replace,
}
_KINDS = {"SubqueryExpr": "a subquery", "MatrixSelector": "a range by itself", "StringLiteral": "a text by itself"}


def _not_evaluated(what: str, tree: promql.Expr) -> PromQLError:
    return PromQLError(f"{what} is not evaluated here, only by Prometheus itself: {text_of(tree)}")


def _milliseconds(duration: timedelta | None, tree: promql.Expr) -> int:
    """Return a duration; one below 0 is an offset to the future."""
    seconds = duration.total_seconds() if duration is not None else 0.0
    if seconds < 0 or not math.isfinite(seconds):
        raise _not_evaluated("an offset to the future", tree)
    return round(seconds * 1000)


def _matching(tree: promql.BinaryExpr) -> Matching:
    modifier = tree.modifier
    if modifier is None:
        return Matching()
    if getattr(modifier, "fill_values", None) and any(
        getattr(modifier.fill_values, side, None) is not None for side in ("lhs", "rhs")
    ):
        raise _not_evaluated("fill of missing series", tree)
    matching = modifier.matching
    labels = frozenset(matching.labels) if matching else frozenset()
    on = matching is not None and matching.type == promql.LabelModifierType.Include
    many = {"ManyToOne": "left", "OneToMany": "right"}.get(str(modifier.card).rpartition(".")[2], "")
    return Matching(labels, on, many, tuple(modifier.group_labels or ()))


def _layout_of_absence(tree: promql.Expr) -> Layout:
    """Return the labels that `absent` gives its series: those that the selector requires, each with one text."""
    if not isinstance(tree, promql.VectorSelector):
        return Layout(((),))
    found: dict[str, list[tuple[str, str]]] = {}
    for each in tree.matchers.matchers:
        found.setdefault(each.name, []).append((MATCH_OPERATORS[str(each.op)], each.value))
    pairs = ((label, tests[0][1]) for label, tests in found.items() if len(tests) == 1 and tests[0][0] == "=")
    return Layout((tuple(sorted((label, text) for label, text in pairs if text and label != "__name__")),))
