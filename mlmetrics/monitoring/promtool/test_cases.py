"""Test cases as promtool reads them: the input series, and the alerts that fire at each step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.operations import metric_of
from mlmetrics.monitoring.promtool.scenarios import StepValues
from mlmetrics.monitoring.rules.model import AlertingRule
from mlmetrics.monitoring.rules.promql import series_of

Values = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class ExpectedAlert:
    """An alert that may fire in a test case.

    `values` holds, by step, the measured value where the condition of the alert holds, and None elsewhere.
    """

    rule: AlertingRule
    labels: dict[str, str]
    values: StepValues
    for_seconds: float

    def firing(self, step_seconds: float) -> list[float | None]:
        """Return, by step, the value with which the alert fires, or None where it does not."""
        since: int | None = None
        firing: list[float | None] = []
        for step, value in enumerate(self.values):
            since = None if value is None else step if since is None else since
            waited = since is not None and (step - since) * step_seconds >= self.for_seconds
            firing.append(value if waited else None)
        return firing


@dataclass(frozen=True, slots=True)
class TestCase:
    """One test case: its series, the alerts named `alert` that may fire in it, and queries with their answers."""

    name: str
    alert: str
    series: dict[str, Values]
    expected: tuple[ExpectedAlert, ...]
    queries: tuple[dict[str, Any], ...] = field(default=())

    def document(self, step_seconds: float) -> dict[str, Any]:
        """Return the test case; alerts are compared where one starts or stops, at the end, and at some other steps."""
        length = max(len(values) for values in self.series.values())
        firing = [(alert, alert.firing(step_seconds)) for alert in self.expected]
        test: dict[str, Any] = {
            "name": self.name,
            "interval": format_seconds(step_seconds),
            "input_series": [
                {"series": name, "values": series_notation(values)} for name, values in self.series.items()
            ],
        }
        if self.alert:
            test["alert_rule_test"] = [
                self._evaluation(step, step_seconds, firing)
                for step in _evaluation_steps([states for _, states in firing], length)
            ]
        if self.queries:
            test["promql_expr_test"] = list(self.queries)
        return test

    def _evaluation(
        self, step: int, step_seconds: float, firing: Sequence[tuple[ExpectedAlert, list[float | None]]]
    ) -> dict[str, Any]:
        alerts = [_alert(alert, states[step]) for alert, states in firing if states[step] is not None]
        evaluation = {"eval_time": format_seconds(step * step_seconds), "alertname": self.alert}
        return evaluation | ({"exp_alerts": alerts} if alerts else {})


def test_document(rule_file: str, step_seconds: float, cases: Iterable[TestCase]) -> dict[str, Any]:
    """Return a file of unit tests of one rule file."""
    return {
        "rule_files": [rule_file],
        "evaluation_interval": format_seconds(step_seconds),
        "tests": [case.document(step_seconds) for case in cases],
    }


def _evaluation_steps(states: Sequence[Sequence[float | None]], length: int) -> list[int]:
    """Return the last step before each change, the first after it, the end, and some steps between."""
    steps = {length - 1, *range(4, length, max(4, length // 8))}
    for state in states:
        for step in range(1, len(state)):
            if (state[step] is None) != (state[step - 1] is None):
                steps |= {step - 1, step}
    return sorted(steps)


def _alert(alert: ExpectedAlert, value: float | None) -> dict[str, Any]:
    return {
        "exp_labels": {**alert.labels, **alert.rule.labels},
        "exp_annotations": {
            name: _expanded(text, alert.labels, value or 0.0) for name, text in alert.rule.annotations.items()
        },
    }


def _expanded(template: str, labels: dict[str, str], value: float) -> str:
    """Return an annotation as Prometheus expands it."""
    text = template.replace("{{ $value | humanizePercentage }}", f"{value * 100:.4g}%")
    text = text.replace('{{ $value | printf "%.4g" }}', f"{value:.4g}")
    for name, label in labels.items():
        text = text.replace(f"{{{{ $labels.{name} }}}}", label)
    return text


def series_name(config: Config, name: str, labels: dict[str, str]) -> str:
    """Return a series with every label of its metric: the given ones, and placeholders for the others."""
    full = {**dict.fromkeys(config.grouping, ""), **target_labels(config)}
    metric = metric_of(config.metrics, name)
    own = metric.labels if metric is not None else ()
    full |= {label: f"a {label}" for label in own}
    full |= {"service": config.services[0].name} if "service" in own else {}
    full |= labels
    return series_of(name, full)


def target_labels(config: Config) -> dict[str, str]:
    """Return the labels that a scrape adds."""
    grouping = {label: f"a {label}" for label in config.grouping}
    return {**grouping, "job": config.services[0].name, "instance": "one:80"}


def placeholder_labels(config: Config, labels: Iterable[str]) -> dict[str, str]:
    """Return the placeholder texts of labels, as `series_name` gives them."""
    known = {**target_labels(config), "service": config.services[0].name}
    return {label: known.get(label, f"a {label}") for label in labels}


def series_notation(values: Values) -> str:
    """Return values in promtool's notation: `0+5x3` is four values, each 5 more than the one before."""
    parts: list[str] = []
    start = 0
    while start < len(values):
        end = _sequence_end(values, start)
        parts.append(_segment(values[start:end]))
        start = end
    return " ".join(parts)


def _sequence_end(values: Values, start: int) -> int:
    """Return where the evenly spaced values that begin at `start` end."""
    first = values[start]
    end = start + 1
    step = _difference(values, start)
    while end < len(values) and ((values[end] is None) == (first is None)) and _difference(values, end - 1) == step:
        end += 1
    return end


def _difference(values: Values, index: int) -> float | None:
    """Return the step from one value to the next, if both have a value."""
    here, there = values[index], values[index + 1] if index + 1 < len(values) else None
    return None if here is None or there is None else round(there - here, 12)


def _segment(values: Values) -> str:
    first = values[0]
    if first is None:
        return " ".join(["stale"] * len(values))
    if len(values) == 1:
        return all_digits(first)
    step = _difference(values, 0) or 0.0
    return f"{all_digits(first)}{'-' if step < 0 else '+'}{all_digits(abs(step))}x{len(values) - 1}"


def all_digits(value: float) -> str:
    """Return a number with all its digits; a shorter one could make a counter seem to fall."""
    return str(int(value)) if float(value).is_integer() else repr(value)
