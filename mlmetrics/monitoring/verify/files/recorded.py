"""What the recording rules of the given files record: the labels, the bounds and the range of each name."""

from collections.abc import Callable, Sequence

import promql_parser as promql

from mlmetrics.monitoring.verify.files.labels import Flow
from mlmetrics.monitoring.verify.files.promql import RELABELLING, matchers_of, name_of, parse, parts, selectors
from mlmetrics.monitoring.verify.files.ranges import Ranges
from mlmetrics.monitoring.verify.files.rule_files import FileRule
from mlmetrics.monitoring.verify.files.selection import Selection
from mlmetrics.monitoring.verify.files.series import ANY, Known, Labels, Metric, matches
from mlmetrics.monitoring.verify.finding import Level


def recorded_metrics(rules: Sequence[FileRule], known: Known) -> dict[str, Callable[[], Metric]]:
    """Return what each recorded name is: the labels and the range of its expression, with the labels of its rule."""
    by_name: dict[str, list[FileRule]] = {}
    for rule in rules:
        if not rule.alert:
            by_name.setdefault(rule.name, []).append(rule)
    return {name: _metric_of(recording, known) for name, recording in by_name.items()}


def _metric_of(rules: Sequence[FileRule], known: Known) -> Callable[[], Metric]:
    def look_up() -> Metric:
        try:
            metrics = [_result(rule, known) for rule in rules]
        except ValueError:
            return Metric(ANY)  # the rule itself is reported
        labels, values = metrics[0].labels, metrics[0].values_between
        for metric in metrics[1:]:
            labels, values = labels.either(metric.labels), values.either(metric.values_between)
        series = [each for metric in metrics for each in metric.series]
        return Metric(labels, series, None, values)

    return look_up


def _result(rule: FileRule, known: Known) -> Metric:
    tree = parse(rule.query.text)
    labels = Flow(Selection(known, _to_nobody), _to_nobody).of(tree)
    bounds = _bounds(tree, known) if labels.has("le") else set()
    with_own = Labels(labels.may | rule.labels, labels.always | rule.labels, labels.open)
    return Metric(with_own, [{"le": text} for text in sorted(bounds)], None, Ranges(known).of(tree))


def _to_nobody(_level: Level, _kind: str, _text: str) -> None:
    """Leave a problem to the check of the rule itself."""


def _bounds(tree: promql.Expr, known: Known) -> set[str]:
    """Return the bounds that a result has, as they are written; none if the rule writes others or one is not known."""
    found: set[str] = set()
    for part in parts(tree):
        if isinstance(part, promql.Call) and part.func.name in RELABELLING and part.args[1].val == "le":
            return set()
    for selector in selectors(tree):
        metric = known.metric(name_of(selector)) if name_of(selector) else None
        if metric is None or (metric.labels.has("le") and not metric.bounds):
            return set()
        asked = [(operator, text) for label, operator, text in matchers_of(selector) if label == "le"]
        found |= {text for text in metric.values("le") if all(matches(*each, text) for each in asked)}
    return found
