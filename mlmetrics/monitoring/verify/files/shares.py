"""Which expressions are a part of others: the failed calls of all calls, or the calls within a bucket of all calls."""

import promql_parser as promql

from mlmetrics.monitoring.verify.files.promql import GROWTH, bare, matchers_of, name_of


def share_of(part: promql.Expr, whole: promql.Expr) -> float | None:
    """Return by what the share of a part in the whole is multiplied, such as 100 for percent; None if it is no share.

    The part may also be what is left of the whole without another part.
    """
    factor, part, whole = *_scaled(part), _unfiltered(whole)
    if isinstance(part, promql.BinaryExpr) and str(part.op) == "-":
        found = _same(part.lhs, whole) and is_part(part.rhs, whole)
    else:
        found = is_part(part, whole)
    return factor if found else None


def _scaled(node: promql.Expr) -> tuple[float, promql.Expr]:
    """Return the number that an expression is multiplied by, and the rest."""
    node = bare(node)
    if isinstance(node, promql.BinaryExpr) and str(node.op) == "*":
        for number, rest in ((bare(node.lhs), node.rhs), (bare(node.rhs), node.lhs)):
            if isinstance(number, promql.NumberLiteral):
                return number.val, bare(rest)
    return 1.0, node


def is_part(part: promql.Expr, whole: promql.Expr) -> bool:
    """Tell whether an expression sums counters of some of the series that another sums, in the same way."""
    part, whole = bare(part), _unfiltered(whole)
    if isinstance(part, promql.AggregateExpr) and isinstance(whole, promql.AggregateExpr):
        return (
            str(part.op) == str(whole.op) == "sum"
            and _grouping(part) == _grouping(whole)
            and is_part(part.expr, whole.expr)
        )
    if isinstance(part, promql.Call) and isinstance(whole, promql.Call):
        return part.func.name == whole.func.name and part.func.name in GROWTH and is_part(part.args[0], whole.args[0])
    if isinstance(part, promql.MatrixSelector) and isinstance(whole, promql.MatrixSelector):
        return bool(part.range == whole.range) and _selects_less(part.vector_selector, whole.vector_selector)
    return False


def _unfiltered(node: promql.Expr) -> promql.Expr:
    """Return an expression without `> 0` after it."""
    node = bare(node)
    if not isinstance(node, promql.BinaryExpr) or str(node.op) not in {">", ">=", "!="}:
        return node
    return bare(node.lhs) if isinstance(bare(node.rhs), promql.NumberLiteral) else node


def _same(one: promql.Expr, other: promql.Expr) -> bool:
    return str(bare(one)) == str(bare(other))


def _grouping(node: promql.AggregateExpr) -> tuple[str, frozenset[str]]:
    modifier = node.modifier
    return (str(modifier.type), frozenset(modifier.labels)) if modifier else ("", frozenset())


def _selects_less(part: promql.VectorSelector, whole: promql.VectorSelector) -> bool:
    if (str(part.offset), str(part.at)) != (str(whole.offset), str(whole.at)):
        return False
    matched, all_matched = set(matchers_of(part)), set(matchers_of(whole))
    bucket, count = name_of(part), name_of(whole)
    if bucket.endswith("_bucket") and count == f"{bucket.removesuffix('_bucket')}_count":
        one_bound = any(label == "le" and operator == "=" for label, operator, _ in matched)
        return one_bound and {each for each in matched if each[0] != "le"} >= all_matched
    return bool(bucket) and bucket == count and not bucket.endswith("_bucket") and matched >= all_matched
