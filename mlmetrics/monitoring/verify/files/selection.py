"""What the selectors of a query select: metrics that are nowhere, missing labels, and bounds that are no bucket's."""

from collections.abc import Iterator

import promql_parser as promql

from mlmetrics.monitoring.verify.files.promql import (
    ABSENT,
    VARIABLE,
    Report,
    children,
    matchers_of,
    name_of,
    selectors,
    text_of,
)
from mlmetrics.monitoring.verify.files.series import ANY, Known, Labels, Metric, matches, number_of
from mlmetrics.monitoring.verify.finding import Level

_MOST_VALUES = 8


def missing_metrics(node: promql.Expr, known: Known) -> dict[str, bool]:
    """Return the metrics of a query that are nowhere, and whether the query can do without each of them.

    It can do without one side of `or` if the other is there, and without what `unless` takes away, and `absent` asks
    for what is not there.
    """
    match node:
        case promql.VectorSelector():
            return dict.fromkeys(_missing_names(node, known), False)
        case promql.MatrixSelector():
            return missing_metrics(node.vector_selector, known)
        case promql.Call() if node.func.name in ABSENT:
            return dict.fromkeys(missing_metrics(node.args[0], known), True)
        case promql.BinaryExpr() if str(node.op) == "unless":
            right = dict.fromkeys(missing_metrics(node.rhs, known), True)
            return right | missing_metrics(node.lhs, known)
        case promql.BinaryExpr() if str(node.op) == "or":
            return _missing_of_either(node, known)
    found: dict[str, bool] = {}
    for child in children(node):
        for name, spared in missing_metrics(child, known).items():
            found[name] = found.get(name, True) and spared
    return found


def _missing_of_either(node: promql.BinaryExpr, known: Known) -> dict[str, bool]:
    left, right = missing_metrics(node.lhs, known), missing_metrics(node.rhs, known)
    if all(left.values()) or all(right.values()):
        return dict.fromkeys([*left, *right], True)
    return left | right


def _missing_names(selector: promql.VectorSelector, known: Known) -> Iterator[str]:
    name = name_of(selector)
    if name:
        if VARIABLE not in name and known.metric(name) is None:
            yield name
        return
    for matcher in selector.matchers.matchers:
        named = matcher.name == "__name__" and matcher.op == promql.MatchOp.Re and VARIABLE not in matcher.value
        if named and not known.matching(matcher.value):
            yield f'{{__name__=~"{matcher.value}"}}'


class Selection:
    """Looks up what selectors select, and reports labels and bounds that are not there."""

    def __init__(self, known: Known, report: Report) -> None:
        self._known = known
        self._report = report
        self._told: set[str] = set()

    def labels(self, selector: promql.VectorSelector) -> Labels:
        """Return the labels of the selected series."""
        metrics = [metric for name in self._names(selector) if (metric := self._known.metric(name)) is not None]
        if not metrics:
            return ANY
        labels = metrics[0].labels
        for metric in metrics[1:]:
            labels = labels.either(metric.labels)
        for label, operator, text in matchers_of(selector):
            self._check(selector, metrics, labels, (label, operator, text))
        return labels

    def is_of_target(self, label: str) -> bool:
        """Tell whether Prometheus may add a label to what it scrapes."""
        return self._known.is_of_target(label)

    def reads_buckets(self, node: promql.Expr) -> bool:
        """Tell whether everything that an expression selects is buckets."""
        names = [name_of(selector) for selector in selectors(node)]
        return bool(names) and all(name.endswith("_bucket") for name in names)

    def _names(self, selector: promql.VectorSelector) -> list[str]:
        name = name_of(selector)
        if name:
            return [] if VARIABLE in name else [name]
        patterns = [matcher for matcher in selector.matchers.matchers if matcher.name == "__name__"]
        if len(patterns) != 1 or patterns[0].op != promql.MatchOp.Re or VARIABLE in patterns[0].value:
            return []
        return sorted(self._known.matching(patterns[0].value))

    def _check(
        self,
        selector: promql.VectorSelector,
        metrics: list[Metric],
        labels: Labels,
        matcher: tuple[str, str, str],
    ) -> None:
        label, operator, text = matcher
        shown = f'{label}{operator}"{text}"' if VARIABLE not in text else label
        if not labels.has(label):
            self._missing_label(selector, labels, matcher, shown)
        elif VARIABLE in text or labels.open or any(not metric.series for metric in metrics):
            return
        elif label == "le":
            self._check_bound(selector, metrics, operator, text)
        elif operator in {"=", "=~"} and not self._known.is_of_target(label):
            self._check_value(selector, metrics, matcher, shown)

    def _missing_label(
        self, selector: promql.VectorSelector, labels: Labels, matcher: tuple[str, str, str], shown: str
    ) -> None:
        name = name_of(selector) or "the selected metrics"
        own = sorted(label for label in labels.may if label in labels.always or not self._known.is_of_target(label))
        has = f"it has {', '.join(own)}" if own else "it has none"
        if VARIABLE not in matcher[2] and matches(*matcher[1:], ""):
            self._once("note", "label", f"{name} has no label {matcher[0]}, so {shown} selects all of it; {has}")
        else:
            self._once("error", "label", f"{name} has no label {matcher[0]}, so {shown} selects nothing; {has}")

    def _check_bound(self, selector: promql.VectorSelector, metrics: list[Metric], operator: str, text: str) -> None:
        texts = {value for metric in metrics for value in metric.values("le")}
        if operator not in {"=", "=~"} or not texts or any(matches(operator, text, value) for value in texts):
            return
        bounds = sorted({bound for metric in metrics for bound in metric.bounds})
        found = ", ".join(f"{bound:g}" for bound in bounds)
        wanted, name = number_of(text), name_of(selector) or text_of(selector)
        if wanted is None or wanted not in bounds:
            self._once("error", "bucket", f'{name} has no bucket bound le{operator}"{text}", but {found}')
            return
        written = next(value for value in sorted(texts) if number_of(value) == wanted)
        # Prometheus 3 writes every bound as a float; earlier ones keep what the page says.
        normal = written if "." in written or "e" in written else f"{written}.0"
        if text == normal:
            self._once("note", "bucket", f'{name}: le="{text}" is "{written}" on the page, and in Prometheus before 3')
        else:
            self._once("error", "bucket", f'{name} has the bucket bound {wanted:g} as le="{written}", not "{text}"')

    def _check_value(
        self, selector: promql.VectorSelector, metrics: list[Metric], matcher: tuple[str, str, str], shown: str
    ) -> None:
        label, operator, text = matcher
        values = {value for metric in metrics for value in metric.values(label)}
        if not values or matches(operator, text, "") or any(matches(operator, text, value) for value in values):
            return
        found = ", ".join(sorted(values)[:_MOST_VALUES]) + (", …" if len(values) > _MOST_VALUES else "")
        self._once("note", "value", f"{name_of(selector)} has no series with {shown} now, but {label} is {found}")

    def _once(self, level: Level, kind: str, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._report(level, kind, text)
