"""PromQL as its parser reads it: selectors with the function around them, operations, and labels of results."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import promql_parser as promql

LabelsOf = Callable[[str], set[str]]
# Stand for `$__rate_interval` and `$__range`, which Grafana replaces before Prometheus parses the query.
RATE_INTERVAL, RANGE = timedelta(minutes=11), timedelta(minutes=13)
_COMPARISONS = {"==", "!=", ">", "<", ">=", "<="}
_OPERATORS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}


@dataclass(frozen=True)
class Selector:
    """A metric in a query: its matchers as (label, operator, text), its range, and the function called on it."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]
    window: timedelta | None
    function: str

    def labels(self) -> set[str]:
        """Return the labels that are matched."""
        return {label for label, _, _ in self.matchers}


def parse(query: str) -> promql.Expr:
    """Return a query as a tree; raises ValueError if it is not PromQL."""
    replaced = query.replace("$__rate_interval", f"{RATE_INTERVAL.seconds}s")
    return promql.parse(replaced.replace("$__range", f"{RANGE.seconds}s"))


def nodes(expression: promql.Expr) -> list[promql.Expr]:
    """Return an expression and everything in it."""
    found: list[promql.Expr] = []
    promql.walk(expression, found.append)
    return found


def selectors(query: str) -> Iterator[Selector]:
    """Yield the selectors of a query."""
    return _selectors(parse(query), "")


def _selectors(node: promql.Expr, function: str) -> Iterator[Selector]:
    match node:
        case promql.VectorSelector():
            yield _selector(node, None, function)
        case promql.MatrixSelector():
            yield _selector(node.vector_selector, node.range, function)
        case promql.Call():
            for argument in node.args:
                yield from _selectors(argument, node.func.name)
        case promql.BinaryExpr():
            yield from _selectors(node.lhs, "")
            yield from _selectors(node.rhs, "")
        case promql.AggregateExpr() | promql.ParenExpr() | promql.UnaryExpr():
            yield from _selectors(node.expr, "")
        case promql.NumberLiteral() | promql.StringLiteral():
            return
        case _:
            raise TypeError(f"{type(node).__name__} is no expression that this reads")


def _selector(node: promql.VectorSelector, window: timedelta | None, function: str) -> Selector:
    matchers = tuple((each.name, _OPERATORS[str(each.op)], each.value) for each in node.matchers.matchers)
    return Selector(node.name or "", matchers, window, function)


def listed_labels(query: str) -> set[str]:
    """Return every label in a list of labels: by, without, on, ignoring, group_left, group_right."""
    return {label for node in nodes(parse(query)) for label in _listed(node)}


def _listed(node: promql.Expr) -> Iterator[str]:
    if isinstance(node, promql.AggregateExpr) and node.modifier:
        yield from node.modifier.labels
    if isinstance(node, promql.BinaryExpr) and node.modifier:
        yield from node.modifier.matching.labels if node.modifier.matching else ()
        yield from node.modifier.group_labels or ()


def operations(query: str, operator: str) -> list[promql.BinaryExpr]:
    """Return the operations of a query by their operator, such as `/`."""
    return [node for node in nodes(parse(query)) if isinstance(node, promql.BinaryExpr) and str(node.op) == operator]


def result_labels(expression: promql.Expr, labels_of: LabelsOf) -> set[str]:
    """Return the labels that every series of an expression's result has."""
    match expression:
        case promql.VectorSelector():
            found = labels_of(expression.name or "")
        case promql.MatrixSelector():
            found = result_labels(expression.vector_selector, labels_of)
        case promql.ParenExpr():
            found = result_labels(expression.expr, labels_of)
        case promql.AggregateExpr():
            found = _aggregated(expression, labels_of)
        case promql.BinaryExpr():
            found = _combined(expression, labels_of)
        case promql.Call():
            found = _called(expression, labels_of)
        case _:
            found = set()
    return found


def _aggregated(expression: promql.AggregateExpr, labels_of: LabelsOf) -> set[str]:
    listed = set(expression.modifier.labels) if expression.modifier else set()
    if expression.modifier and expression.modifier.type == promql.AggModifierType.Without:
        return result_labels(expression.expr, labels_of) - listed
    return result_labels(expression.expr, labels_of) & listed


def _combined(expression: promql.BinaryExpr, labels_of: LabelsOf) -> set[str]:
    if _is_scalar(expression.lhs):
        return result_labels(expression.rhs, labels_of)
    left, right = (result_labels(side, labels_of) for side in (expression.lhs, expression.rhs))
    operator, modifier = str(expression.op), expression.modifier
    if operator == "or":
        return left & right
    matching = modifier.matching if modifier else None
    if (
        operator in _COMPARISONS | {"and", "unless"}
        or matching is None
        or (modifier and modifier.group_labels is not None)
    ):
        return left
    listed = set(matching.labels)
    return left & listed if matching.type == promql.LabelModifierType.Include else left - listed


def _is_scalar(expression: promql.Expr) -> bool:
    return isinstance(expression, promql.NumberLiteral) or (
        isinstance(expression, promql.Call) and expression.func.name == "time"
    )


def _called(expression: promql.Call, labels_of: LabelsOf) -> set[str]:
    first = expression.args[0]
    if expression.func.name == "absent":
        return {matcher.name for matcher in first.matchers.matchers if matcher.op == promql.MatchOp.Equal}
    if expression.func.name == "label_replace":
        return result_labels(first, labels_of) | {expression.args[1].val}
    return result_labels(first, labels_of)
