"""PromQL as its parser reads it: a query as a tree, and what a part of it is."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import promql_parser as promql

from mlmetrics.monitoring.verify.finding import Level

VARIABLE = "grafana_variable_"
"""How a name or a text begins that stands for a dashboard variable whose value is not known."""
SETS = {"and", "or", "unless"}
GROWTH = {"rate", "irate", "increase"}
"""The functions of counters."""
ABSENT = {"absent", "absent_over_time"}
RELABELLING = {"label_replace", "label_join"}
OPERATORS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}
_LONGEST_TEXT = 90
# The name before Prometheus 3 of double_exponential_smoothing; a parser that has it refuses a second one.
_SMOOTHING = promql.Function(
    "holt_winters",
    [promql.ValueType.Matrix, promql.ValueType.Scalar, promql.ValueType.Scalar],
    promql.ValueType.Vector,
)
with contextlib.suppress(ValueError):
    promql.register_extra_functions([_SMOOTHING])


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in one query, before it is known whose query it is."""

    level: Level
    kind: str
    text: str


Report = Callable[[Level, str, str], None]


def parse(query: str) -> promql.Expr:
    """Return a query as a tree; raises ValueError if it is not PromQL."""
    found: promql.Expr = promql.parse(query)
    return found


def bare(node: promql.Expr) -> promql.Expr:
    """Return an expression without the parentheses around it."""
    while isinstance(node, promql.ParenExpr):
        node = node.expr
    return node


def text_of(node: promql.Expr) -> str:
    """Return an expression in one line, shortened if it is long."""
    text = " ".join(str(node).replace("{}", "").split())
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def selectors(node: promql.Expr) -> Iterator[promql.VectorSelector]:
    """Yield every selector of an expression."""
    for each in parts(node):
        match each:
            case promql.VectorSelector():
                yield each
            case promql.MatrixSelector():
                yield each.vector_selector


def parts(node: promql.Expr) -> Iterator[promql.Expr]:
    """Yield an expression and all that is in it, the outermost first; a range and its selector are one part."""
    yield node
    for child in children(node):
        yield from parts(child)


def children(node: promql.Expr) -> list[promql.Expr]:
    """Return the expressions directly in an expression."""
    match node:
        case promql.Call():
            return list(node.args)
        case promql.BinaryExpr():
            return [node.lhs, node.rhs]
        case promql.AggregateExpr():
            return [node.expr, *([node.param] if isinstance(node.param, promql.Expr) else [])]
        case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
            return [node.expr]
        case _:
            return []


def name_of(selector: promql.VectorSelector) -> str:
    """Return the name of the metric that is selected, empty if it is not one name."""
    if selector.name:
        return selector.name
    for matcher in selector.matchers.matchers:
        if matcher.name == "__name__" and matcher.op == promql.MatchOp.Equal:
            return str(matcher.value)
    return ""


def matchers_of(selector: promql.VectorSelector) -> list[tuple[str, str, str]]:
    """Return the matchers of a selector as (label, operator, text), without that of the name."""
    return [
        (matcher.name, OPERATORS[str(matcher.op)], matcher.value)
        for matcher in selector.matchers.matchers
        if matcher.name != "__name__"
    ]


def is_scalar(node: promql.Expr) -> bool:
    """Tell whether an expression is a number, not series."""
    node = bare(node)
    match node:
        case promql.NumberLiteral():
            return True
        case promql.UnaryExpr():
            return is_scalar(node.expr)
        case promql.Call():
            return bool(node.func.return_type == promql.ValueType.Scalar)
        case promql.BinaryExpr():
            return is_scalar(node.lhs) and is_scalar(node.rhs)
        case _:
            return False
