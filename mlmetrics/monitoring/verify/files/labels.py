"""The labels of a query's result, and the labels that it uses although no series has them.

Labels are followed from the selectors outward, as Prometheus does: an aggregation keeps some, a comparison of two sides
needs the same on both. What is not known is open, and nothing is said about it.
"""

from collections.abc import Iterable

import promql_parser as promql

from mlmetrics.monitoring.verify.files.promql import (
    ABSENT,
    RELABELLING,
    SETS,
    VARIABLE,
    Report,
    bare,
    is_scalar,
    matchers_of,
    text_of,
)
from mlmetrics.monitoring.verify.files.selection import Selection
from mlmetrics.monitoring.verify.files.series import ANY, Labels, matches

_NONE = Labels()
_KEEP_INPUT = {"topk", "bottomk", "limitk", "limit_ratio"}
_WITHOUT_INPUT = {"vector", "time", "pi", "scalar"}
_MOST_NAMED = 8


def named(labels: Iterable[str]) -> str:
    """Return label names as text, shortened if there are many."""
    found = sorted(labels)
    more = f", … ({len(found)} labels)" if len(found) > _MOST_NAMED else ""
    return ", ".join(found[:_MOST_NAMED]) + more if found else "no labels"


class Flow:
    """Follows labels through an expression, and reports those that are nowhere."""

    def __init__(self, selection: Selection, report: Report) -> None:
        self._selection = selection
        self._report = report

    def of(self, node: promql.Expr) -> Labels:
        """Return the labels of an expression's result."""
        found = _NONE
        match node:
            case promql.VectorSelector():
                found = self._selection.labels(node)
            case promql.MatrixSelector():
                found = self._selection.labels(node.vector_selector)
            case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
                found = self.of(node.expr)
            case promql.AggregateExpr():
                found = self._aggregated(node)
            case promql.BinaryExpr():
                found = self._combined(node)
            case promql.Call():
                found = self._called(node)
        return found

    def _label_error(self, text: str) -> None:
        self._report("error", "label", text)

    def _own_labels(self, labels: Labels) -> str:
        """Return the labels of series as text, without those that targets may have."""
        return named(label for label in labels.may if not self._selection.is_of_target(label) or label in labels.always)

    def _aggregated(self, node: promql.AggregateExpr) -> Labels:
        inner, operator = self.of(node.expr), str(node.op)
        modifier = node.modifier
        listed = [label for label in modifier.labels if VARIABLE not in label] if modifier else []
        varying = modifier is not None and len(listed) < len(modifier.labels)
        by = modifier is not None and modifier.type == promql.AggModifierType.By
        for label in listed:
            if not inner.has(label):
                self._lost(label, inner, node, by=by)
        if operator in _KEEP_INPUT:
            return inner
        if varying:
            return ANY
        found = inner.only(listed) if by else inner.without(listed) if modifier else _NONE
        if operator == "count_values" and isinstance(node.param, promql.StringLiteral):
            return found.plus([node.param.val])
        return found

    def _lost(self, label: str, inner: Labels, node: promql.AggregateExpr, *, by: bool) -> None:
        kind = "by" if by else "without"
        text = f"{kind} ({label}): no series of {text_of(node.expr)} has it, but {self._own_labels(inner)}"
        self._report("error" if by else "note", "label", text)

    def _called(self, node: promql.Call) -> Labels:
        name, arguments = node.func.name, list(node.args)
        if name in _WITHOUT_INPUT or not arguments:
            return _NONE
        if name in ABSENT:
            return self._absent(arguments[0])
        if name in RELABELLING:
            return self._relabelled(name, arguments)
        inner = self.of(next((each for each in arguments if not _is_plain(each)), arguments[-1]))
        if name in {"histogram_quantile", "histogram_fraction"}:
            self._check_buckets(node, inner)
            return inner.without(["le"])
        return ANY if name == "info" else inner

    def _absent(self, argument: promql.Expr) -> Labels:
        self.of(argument)
        argument = bare(argument)
        selector = argument.vector_selector if isinstance(argument, promql.MatrixSelector) else argument
        if not isinstance(selector, promql.VectorSelector):
            return _NONE
        equal = frozenset(label for label, operator, _ in matchers_of(selector) if operator == "=")
        return Labels(equal, equal)

    def _relabelled(self, name: str, arguments: list[promql.Expr]) -> Labels:
        inner = self.of(arguments[0])
        texts = [argument.val for argument in arguments[1:] if isinstance(argument, promql.StringLiteral)]
        if len(texts) < len(arguments) - 1 or any(VARIABLE in text for text in texts):
            return ANY
        target, sources = texts[0], [texts[2]] if name == "label_replace" else texts[2:]
        # The empty text is what a missing label is; who matches that asks for it.
        wanted = name == "label_join" or not matches("=~", texts[3], "")
        for source in sources:
            if source and wanted and not inner.has(source):
                self._report(
                    "error" if name == "label_replace" else "note",
                    "label",
                    f'{name} reads "{source}", which no series of {text_of(arguments[0])} has, but '
                    f"{self._own_labels(inner)}",
                )
        return inner.plus([target])

    def _check_buckets(self, node: promql.Call, inner: Labels) -> None:
        """Buckets need `le` to be told apart; histograms of the native kind have no name that ends so."""
        if not inner.has("le") and self._selection.reads_buckets(node):
            self._label_error(f'{text_of(node)} has no result: "le" is aggregated away; add it to `by`')

    def _combined(self, node: promql.BinaryExpr) -> Labels:
        left, right = self.of(node.lhs), self.of(node.rhs)
        if is_scalar(node.lhs) or is_scalar(node.rhs):
            return right if is_scalar(node.lhs) else left
        if str(node.op) == "or":
            return left.either(right)
        matching = node.modifier.matching if node.modifier else None
        listed = list(matching.labels) if matching else []
        if any(VARIABLE in label for label in listed):
            return ANY
        on = matching is not None and matching.type == promql.LabelModifierType.Include
        if on:
            self._check_on(node, listed, left, right)
        else:
            self._check_all(node, left.without(listed), right.without(listed))
        if str(node.op) in SETS:
            return left
        if node.modifier and node.modifier.card != promql.VectorMatchCardinality.OneToOne:
            return self._grouped(node, node.modifier, left, right)
        if left.open or right.open:
            both = Labels(left.may | right.may, frozenset(), open=True)
        else:
            both = Labels(left.may & right.may, left.always | right.always)
        return both.only(listed) if on else both.without(listed)

    def _grouped(self, node: promql.BinaryExpr, modifier: promql.BinModifier, left: Labels, right: Labels) -> Labels:
        """Return the labels of the side of many, with those that are copied from the other side."""
        left_is_many = modifier.card == promql.VectorMatchCardinality.ManyToOne
        many, one = (left, right) if left_is_many else (right, left)
        copied = [label for label in modifier.group_labels or [] if VARIABLE not in label]
        for label in copied:
            if not one.has(label):
                self._label_error(f"group_left or group_right ({label}): the other side of {text_of(node)} has none")
        return many.plus(label for label in copied if one.has(label))

    def _check_on(self, node: promql.BinaryExpr, listed: list[str], left: Labels, right: Labels) -> None:
        for label in listed:
            sides = [side for side, labels in (("left", left), ("right", right)) if not labels.has(label)]
            if len(sides) == 2:  # noqa: PLR2004 - both
                self._label_error(f"on ({label}): neither side of {text_of(node)} has it")
            elif sides and label in (right if sides == ["left"] else left).always:
                self._label_error(f"on ({label}): the {sides[0]} side of {text_of(node)} has no such label")

    def _check_all(self, node: promql.BinaryExpr, left: Labels, right: Labels) -> None:
        """Two sides match if all their labels are equal, so a label that one side never has keeps them apart."""
        for side, own, other in (("left", left, right), ("right", right, left)):
            if other.open:
                continue
            only = own.always - other.may
            if only:
                self._report(
                    "note" if str(node.op) == "unless" else "error",
                    "match",
                    f"the sides of {text_of(node)} never match: only the {side} one has {named(only)}; add on (…) or "
                    "ignoring (…)",
                )
                return


def _is_plain(node: promql.Expr) -> bool:
    return isinstance(node, promql.StringLiteral) or is_scalar(node)
