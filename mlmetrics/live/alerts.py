"""One alerting rule and its alerts: which are pending or firing, what it compares, and how the page shows that."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import promql_parser as promql

from mlmetrics.live.data import Moment, PromQLError, Results
from mlmetrics.live.numbers import rounded
from mlmetrics.live.promql.operating import COMPARISONS
from mlmetrics.live.promql.vectors import NAME
from mlmetrics.live.text import Labels
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import parse_seconds
from mlmetrics.monitoring.rules.alerts import alert_rows
from mlmetrics.monitoring.rules.model import AlertingRule
from mlmetrics.monitoring.verify.files.promql import bare, parse

MOST_INSTANCES = 50
PENDING, FIRING = "pending", "firing"
NOT_ALL = "The limit is passed, but the rule asks for more, such as enough calls."
_UNITS = {"seconds": "s", "US dollars": "currencyUSD"}
_TEMPLATE = re.compile(r"\{\{\s*(?:\$labels\.(\w+)|\$value\s*\|\s*(humanizePercentage|printf \"%\.4g\"))\s*\}\}")


@dataclass(frozen=True, slots=True)
class Threshold:
    """What an alert compares: the query of the value, how it is compared, and with which number."""

    query: str
    operator: str
    value: float


@dataclass(frozen=True, slots=True)
class Alert:
    """One series for which the condition of a rule holds: since when, and its value. `texts` are those of a server."""

    state: str
    since: int
    value: float
    texts: Mapping[str, str] | None = None


@dataclass(slots=True)
class Rule:
    """An alerting rule and its alerts. `why` says why it was not evaluated; `nearest` is what is nearest to firing."""

    rule: AlertingRule
    threshold: Threshold | None
    unit: str
    why: str = ""
    alerts: dict[Labels, Alert] = field(default_factory=dict)
    nearest: tuple[Labels, float] | None = None

    @property
    def key(self) -> tuple[str, Labels]:
        """What names the rule: several have one name, and differ in their labels."""
        return self.rule.name, tuple(sorted(self.rule.labels.items()))

    def shift(self, milliseconds: int) -> None:
        """Move the times of the alerts, because the clock has jumped."""
        self.alerts = {
            labels: replace(alert, since=alert.since + milliseconds) for labels, alert in self.alerts.items()
        }

    def evaluate(self, moment: Moment) -> None:
        """Bring the alerts to a moment; where that fails they stay as they are, and the reason is told."""
        try:
            results = moment.results(self.rule.expression)
            self.compare(moment)
        except PromQLError as error:
            self.why = str(error)
            return
        self.why = ""
        now, wait_ms = moment.milliseconds, parse_seconds(self.rule.wait) * 1000
        found = {}
        for labels, value in results:
            key = tuple(pair for pair in labels if pair[0] != NAME)
            before = self.alerts.get(key)
            since = before.since if before else now
            found[key] = Alert(FIRING if now - since >= wait_ms else PENDING, since, value)
        self.alerts = found

    def compare(self, moment: Moment) -> None:
        """See which series is nearest to firing.

        Raises:
            PromQLError: The query of the value cannot be evaluated.
        """
        self.nearest = _nearest(self.threshold, moment.results(self.threshold.query)) if self.threshold else None

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of the feed: one for each alert, what fires first, or one for the rule if there is none."""
        ordered = sorted(self.alerts.items(), key=lambda each: (each[1].state != FIRING, each[1].since))
        for labels, alert in ordered[:MOST_INSTANCES]:
            yield self._row(labels, alert)
        if not ordered:
            yield self._row(self.nearest[0] if self.nearest else (), None)

    def _row(self, labels: Labels, alert: Alert | None) -> dict[str, Any]:
        found = {name: text for name, text in labels if name != NAME}
        own = {name: text for name, text in self.rule.labels.items() if name != "severity"}
        nearest = self.nearest[1] if self.nearest else None
        return {
            "name": self.rule.name,
            "state": alert.state if alert else "unknown" if self.why else "inactive",
            "severity": self.rule.labels.get("severity", ""),
            "labels": {**found, **own},
            "value": rounded(alert.value if alert else nearest),
            "threshold": rounded(self.threshold.value) if self.threshold else None,
            "operator": self.threshold.operator if self.threshold else "",
            "unit": self.unit,
            "for": parse_seconds(self.rule.wait),
            "since": alert.since if alert else None,
            "summary": self._text("summary", found, alert) if alert else NOT_ALL if self._is_passed() else "",
            "description": self._text("description", found, alert) if alert else "",
            "why": self.why,
        }

    def _text(self, name: str, labels: Mapping[str, str], alert: Alert) -> str:
        if alert.texts is not None:
            return alert.texts.get(name, "")
        return written(self.rule.annotations.get(name, ""), labels, alert.value)

    def _is_passed(self) -> bool:
        """Whether the nearest value passes the threshold."""
        if self.threshold is None or self.nearest is None:
            return False
        return COMPARISONS[self.threshold.operator](self.nearest[1], self.threshold.value)


def made(rule: AlertingRule, config: Config, why: str = "") -> Rule:
    """Return a rule that has not been evaluated yet."""
    threshold = threshold_of(rule.expression)
    return Rule(rule, threshold, _unit(rule, threshold, config), why)


def _unit(rule: AlertingRule, threshold: Threshold | None, config: Config) -> str:
    """Return the unit of what an alert compares."""
    settings = config.alerts.get(rule.name)
    if "objective" in rule.labels or (settings is not None and settings.share is not None):
        return "percentunit"
    if threshold is not None and "time()" in threshold.query:
        return "s"  # an age
    told = next((row.unit for row in alert_rows(config.operations) if row.name == rule.name), "")
    return _UNITS.get(told, "short")


def threshold_of(query: str) -> Threshold | None:
    """Return what decides about an alert: the outermost comparison with a number, on the left of `and` and `or`."""
    node = bare(parse(query))
    while True:
        match node:
            case promql.BinaryExpr() if str(node.op) in ("and", "or", "unless"):
                node = bare(node.lhs)
            case promql.BinaryExpr() if str(node.op) in COMPARISONS and isinstance(
                bare(node.rhs), promql.NumberLiteral
            ):
                return Threshold(node.lhs.prettify(), str(node.op), float(bare(node.rhs).val))  # type: ignore[attr-defined]  # a number
            case promql.Call() if node.func.name == "label_replace":
                node = bare(node.args[0])
            case _:
                return None


def _nearest(threshold: Threshold | None, results: Results) -> tuple[Labels, float] | None:
    """Return the series that is nearest to firing."""
    numbers = [(labels, value) for labels, value in results if value == value]  # noqa: PLR0124 - NaN
    if threshold is None or not numbers:
        return None
    pick = min if threshold.operator in ("<", "<=", "==") else max
    return pick(numbers, key=lambda each: each[1])


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
