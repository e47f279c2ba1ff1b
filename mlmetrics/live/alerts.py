"""Which of the project's rules are pending or firing on the data at hand, and how far their values are from firing.

Rules that record are evaluated first, in their order, as in Prometheus. A rule that looks back further than what is
kept cannot be evaluated: its state is unknown, and a Prometheus is needed.
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import promql_parser as promql

from mlmetrics.live.data import Moment, PromQLError, Results
from mlmetrics.live.numbers import rounded
from mlmetrics.live.reading import metrics_of, seconds_back
from mlmetrics.live.text import Labels
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import parse_seconds
from mlmetrics.monitoring.prometheus.files import rule_groups
from mlmetrics.monitoring.rules.alerts import alert_rows
from mlmetrics.monitoring.rules.model import AlertingRule, RecordingRule
from mlmetrics.monitoring.verify.files.promql import bare, parse

NEEDS_PROMETHEUS = "needs --prometheus"
MOST_INSTANCES = 50
_NEVER_SHOWN = "none"
_UNITS = {"seconds": "s", "US dollars": "currencyUSD"}
_ALWAYS_THERE = {"up", "scrape_duration_seconds"}
_TEMPLATE = re.compile(r"\{\{\s*(?:\$labels\.(\w+)|\$value\s*\|\s*(humanizePercentage|printf \"%\.4g\"))\s*\}\}")
_COMPARISONS = {">", "<", ">=", "<=", "=="}
Record = Callable[[RecordingRule, Results], None]


@dataclass(frozen=True, slots=True)
class Threshold:
    """What an alert compares: the query of the value, how it is compared, and with which number."""

    query: str
    operator: str
    value: float


@dataclass(slots=True)
class Rule:
    """An alerting rule and the state of each of its alerts: since when it is active."""

    rule: AlertingRule
    for_ms: int
    threshold: Threshold | None
    unit: str
    why: str = ""
    now: int = 0
    active: dict[Labels, int] = field(default_factory=dict)
    values: dict[Labels, float] = field(default_factory=dict)
    nearest: tuple[Labels, float] | None = None

    @property
    def key(self) -> tuple[str, Labels]:
        """What names the rule: several have one name, and differ in their labels."""
        return self.rule.name, tuple(sorted(self.rule.labels.items()))


class Rules:
    """The rules of a configuration, evaluated at one moment after the other."""

    def __init__(self, config: Config, kept_seconds: float) -> None:
        every = [rule for groups in rule_groups(config).values() for group in groups for rule in group.rules]
        recording = [rule for rule in every if isinstance(rule, RecordingRule)]
        reach = _reach(recording)
        fits = [rule for rule in recording if reach.get(rule.name, 0.0) <= kept_seconds]
        self.recording = fits
        self._recorded = {rule.name for rule in recording}
        self.alerting: list[Rule] = []
        for rule in every:
            if isinstance(rule, AlertingRule) and rule.labels.get("severity") != _NEVER_SHOWN:
                inner = max((reach.get(name, 0.0) for name in metrics_of(rule.expression)), default=0.0)
                fits_in = seconds_back(rule.expression) + inner <= kept_seconds
                self.alerting.append(_made(rule, config, "" if fits_in else NEEDS_PROMETHEUS))

    def take_over(self, before: "Rules") -> None:
        """Keep the state of rules that were there before."""
        known = {each.key: each for each in before.alerting}
        for each in self.alerting:
            if each.key in known:
                each.active = known[each.key].active

    def shift(self, milliseconds: int) -> None:
        """Move the times of the alerts, because the clock has jumped."""
        for each in self.alerting:
            each.active = {labels: since + milliseconds for labels, since in each.active.items()}
            each.now += milliseconds

    def record(self, moment: Moment, record: Record) -> None:
        """Evaluate the recording rules; `record` keeps what they give, so that it can be read at once."""
        for rule in self.recording:
            with contextlib.suppress(PromQLError):  # as in Prometheus, the others go on
                record(rule, moment.results(rule.expression))

    def evaluate(self, moment: Moment) -> None:
        """Evaluate the alerting rules."""
        for each in self.alerting:
            if not each.why:
                _evaluate(each, moment)

    def queries(self) -> list[str]:
        """Return what the alerting rules ask for."""
        shown = [each for each in self.alerting if not each.why]
        thresholds = [each.threshold.query for each in shown if each.threshold is not None]
        return [*(each.rule.expression for each in shown), *thresholds]

    def samples(self) -> Mapping[tuple[str, Labels], float]:
        """Return the samples of ALERTS that Prometheus would write."""
        found = {}
        for each in self.alerting:
            for labels, state in _states(each):
                own = {**dict(labels), **each.rule.labels, "alertname": each.rule.name, "alertstate": state}
                found["ALERTS", tuple(sorted(own.items()))] = 1.0
        return found

    def shown(self, has: Callable[[str], bool]) -> list[dict[str, Any]]:
        """Return the alerts as the feed has them; those on metrics that nobody records are left out."""
        return [row for each in self.alerting if self._is_recorded(each, has) for row in _rows(each)]

    def _is_recorded(self, each: Rule, has: Callable[[str], bool]) -> bool:
        metrics = metrics_of(each.rule.expression)
        return all(name in _ALWAYS_THERE or name in self._recorded or has(name) for name in metrics)


def _reach(recording: Iterable[RecordingRule]) -> dict[str, float]:
    """Return how far back each recorded metric reads, together with what it is made from."""
    found: dict[str, float] = {}
    for rule in recording:
        inner = max((found.get(name, 0.0) for name in metrics_of(rule.expression)), default=0.0)
        found[rule.name] = max(found.get(rule.name, 0.0), seconds_back(rule.expression) + inner)
    return found


def _made(rule: AlertingRule, config: Config, why: str) -> Rule:
    return Rule(rule, round(parse_seconds(rule.wait) * 1000), threshold_of(rule.expression), _unit(rule, config), why)


def _unit(rule: AlertingRule, config: Config) -> str:
    """Return the unit of what an alert compares."""
    settings = config.alerts.get(rule.name)
    if "objective" in rule.labels or (settings is not None and settings.share is not None):
        return "percentunit"
    told = next((row.unit for row in alert_rows(config.operations) if row.name == rule.name), "")
    return _UNITS.get(told, "short")


def threshold_of(query: str) -> Threshold | None:
    """Return what decides about an alert: the outermost comparison with a number, on the left of `and` and `or`."""
    node = bare(parse(query))
    while True:
        match node:
            case promql.BinaryExpr() if str(node.op) in ("and", "or", "unless"):
                node = bare(node.lhs)
            case promql.BinaryExpr() if str(node.op) in _COMPARISONS and isinstance(
                bare(node.rhs), promql.NumberLiteral
            ):
                return Threshold(node.lhs.prettify(), str(node.op), float(bare(node.rhs).val))  # type: ignore[attr-defined]  # a number
            case promql.Call() if node.func.name == "label_replace":
                node = bare(node.args[0])
            case _:
                return None


def _evaluate(each: Rule, moment: Moment) -> None:
    """Bring the state of a rule to a moment; one that cannot be evaluated is unknown from then on."""
    each.now = moment.milliseconds
    try:
        results = moment.results(each.rule.expression)
        near = moment.results(each.threshold.query) if each.threshold is not None else []
    except PromQLError as error:
        each.why = str(error)
        return
    each.values = {tuple(pair for pair in labels if pair[0] != "__name__"): value for labels, value in results}
    each.active = {labels: each.active.get(labels, moment.milliseconds) for labels in each.values}
    each.nearest = _nearest(each.threshold, near)


def _nearest(threshold: Threshold | None, results: Results) -> tuple[Labels, float] | None:
    """Return the series that is nearest to firing."""
    numbers = [(labels, value) for labels, value in results if value == value]  # noqa: PLR0124 - NaN
    if threshold is None or not numbers:
        return None
    pick = min if threshold.operator in ("<", "<=", "==") else max
    return pick(numbers, key=lambda each: each[1])


def _states(each: Rule) -> Iterator[tuple[Labels, str]]:
    """Yield each active alert of a rule, and whether it has been active long enough."""
    for labels, since in each.active.items():
        yield labels, "firing" if each.now - since >= each.for_ms else "pending"


def _rows(each: Rule) -> Iterator[dict[str, Any]]:
    states = list(_states(each))
    # What fires stands before what waits.
    states.sort(key=lambda state: (state[1] != "firing", each.active[state[0]]))
    for labels, state in states[:MOST_INSTANCES]:
        yield _row(each, state, labels, each.values.get(labels), each.active[labels])
    if not states:
        labels, value = each.nearest or ((), None)
        yield _row(each, "unknown" if each.why else "inactive", labels, value, None)


def _row(each: Rule, state: str, labels: Labels, value: float | None, since: int | None) -> dict[str, Any]:
    found = {name: text for name, text in labels if name != "__name__"}
    own = {name: text for name, text in each.rule.labels.items() if name != "severity"}
    is_active = state in ("pending", "firing")
    text = each.rule.annotations.get("summary", "")
    return {
        "name": each.rule.name,
        "state": state,
        "severity": each.rule.labels.get("severity", ""),
        "labels": {**found, **own},
        "value": rounded(value),
        "threshold": rounded(each.threshold.value) if each.threshold else None,
        "operator": each.threshold.operator if each.threshold else "",
        "unit": each.unit,
        "for": each.for_ms / 1000,
        "since": since,
        "summary": written(text, found, value) if is_active else "",
        "description": written(each.rule.annotations.get("description", ""), found, value) if is_active else "",
        "why": each.why,
    }


def written(template: str, labels: Mapping[str, str], value: float | None) -> str:
    """Return the text of a template of the rules.

    >>> written('{{ $labels.model }}: {{ $value | humanizePercentage }}', {"model": "gpt-4"}, 0.0712)
    'gpt-4: 7.12%'
    """

    def filled(match: re.Match[str]) -> str:
        if match[1]:
            return labels.get(match[1], "")
        if value is None:
            return "?"
        return f"{value * 100:.4g}%" if match[2] == "humanizePercentage" else f"{value:.4g}"

    return _TEMPLATE.sub(filled, template)
