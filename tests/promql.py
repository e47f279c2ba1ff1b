"""PromQL as its parser reads it: each selector with its matchers and the function around it, labels, and divisors."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import promql_parser as promql

# Stands for `$__rate_interval`, which Grafana replaces before Prometheus parses the query.
RATE_INTERVAL = timedelta(minutes=11)
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
    return promql.parse(query.replace("$__rate_interval", f"{RATE_INTERVAL.seconds}s"))


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
            raise NotImplementedError(type(node))


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
