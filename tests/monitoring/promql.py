"""PromQL as promql-parser reads it: the selectors of an expression, its lists of labels, the labels of its result."""

from collections.abc import Callable, Iterator

import promql_parser as promql

LabelsOf = Callable[[str], set[str]]
_COMPARISONS = {"==", "!=", ">", "<", ">=", "<="}


def nodes(expression: str) -> list[promql.Expr]:
    """Return every part of an expression, from the outside in."""
    found: list[promql.Expr] = []

    def visit(node: promql.Expr) -> None:
        found.append(node)

    promql.walk(promql.parse(expression), visit)
    return found


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each metric of an expression with the labels that it is matched by."""
    for node in nodes(expression):
        if isinstance(node, promql.VectorSelector):
            yield node.name or "", {matcher.name for matcher in node.matchers.matchers}


def label_lists(expression: str) -> Iterator[set[str]]:
    """Yield the labels of each `by`, `without`, `on`, `ignoring` and `group_left`."""
    for node in nodes(expression):
        if isinstance(node, promql.AggregateExpr) and node.modifier:
            yield set(node.modifier.labels)
        if isinstance(node, promql.BinaryExpr) and node.modifier:
            yield set(node.modifier.matching.labels if node.modifier.matching else ())
            yield set(node.modifier.group_labels or ())


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
    left, right = (result_labels(side, labels_of) for side in (expression.lhs, expression.rhs))
    operator, modifier = str(expression.op), expression.modifier
    if isinstance(expression.lhs, promql.NumberLiteral):
        return right
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


def _called(expression: promql.Call, labels_of: LabelsOf) -> set[str]:
    first = expression.args[0]
    if expression.func.name == "absent":
        return {matcher.name for matcher in first.matchers.matchers if matcher.op == promql.MatchOp.Equal}
    if expression.func.name == "label_replace":
        return result_labels(first, labels_of) | {expression.args[1].val}
    return result_labels(first, labels_of)
