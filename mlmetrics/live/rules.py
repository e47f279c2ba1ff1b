"""The rules of a configuration on the data at hand: those that record, in their order, and then those that alert.

A rule that looks back further than what is kept cannot be evaluated: its state is unknown, and a Prometheus is needed.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mlmetrics.live.alerts import Rule, made
from mlmetrics.live.data import Moment, PromQLError, Results
from mlmetrics.live.reading import metrics_of, seconds_back
from mlmetrics.live.text import Labels
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.prometheus.files import rule_groups
from mlmetrics.monitoring.rules.model import AlertingRule, RecordingRule
from mlmetrics.monitoring.rules.model import Rule as AnyRule

NEEDS_PROMETHEUS = "needs --prometheus"
_NEVER_SHOWN = "none"
_MISSED_BY_NOBODY = {"up", "scrape_duration_seconds", "process_start_time_seconds"}
"""What every target has, and the time of its start, without which rules look at what has grown alone."""
Record = Callable[[RecordingRule, Results], None]


class Rules:
    """The rules of a configuration, or `every` one of a server, evaluated at one moment after the other."""

    def __init__(self, config: Config, kept_seconds: float, every: Sequence[AnyRule] | None = None) -> None:
        if every is None:
            every = [rule for groups in rule_groups(config).values() for group in groups for rule in group.rules]
        recording = [rule for rule in every if isinstance(rule, RecordingRule)]
        reach = _reach(recording)
        self.recording = [rule for rule in recording if reach.get(rule.name, 0.0) <= kept_seconds]
        self._made_from = _made_from(recording)
        self.alerting: list[Rule] = []
        for rule in every:
            if isinstance(rule, AlertingRule) and rule.labels.get("severity") != _NEVER_SHOWN:
                inner = max((reach.get(name, 0.0) for name in metrics_of(rule.expression)), default=0.0)
                fits_in = seconds_back(rule.expression) + inner <= kept_seconds
                self.alerting.append(made(rule, config, "" if fits_in else NEEDS_PROMETHEUS))

    def take_over(self, before: "Rules") -> None:
        """Keep the alerts of rules that were there before."""
        known = {each.key: each for each in before.alerting}
        for each in self.alerting:
            if each.key in known:
                each.alerts = known[each.key].alerts

    def shift(self, milliseconds: int) -> None:
        """Move the times of the alerts, because the clock has jumped."""
        for each in self.alerting:
            each.shift(milliseconds)

    def record(self, moment: Moment, record: Record) -> None:
        """Evaluate the recording rules; `record` keeps what they give, so that it can be read at once."""
        for rule in self.recording:
            with contextlib.suppress(PromQLError):  # as in Prometheus, the others go on
                record(rule, moment.results(rule.expression))

    def evaluate(self, moment: Moment) -> None:
        """Evaluate the alerting rules that look back no further than what is kept."""
        for each in self.alerting:
            if each.why != NEEDS_PROMETHEUS:
                each.evaluate(moment)

    def samples(self) -> Mapping[tuple[str, Labels], float]:
        """Return the samples of ALERTS that Prometheus would write."""
        found = {}
        for each in self.alerting:
            for labels, alert in each.alerts.items():
                own = {**dict(labels), **each.rule.labels, "alertname": each.rule.name, "alertstate": alert.state}
                found["ALERTS", tuple(sorted(own.items()))] = 1.0
        return found

    def shown(self, has: Callable[[str], bool]) -> list[dict[str, Any]]:
        """Return the alerts as the feed has them; those on metrics that nobody records are left out."""
        return [row for each in self.alerting if self.is_recorded(each, has) for row in each.rows()]

    def is_recorded(self, each: Rule, has: Callable[[str], bool]) -> bool:
        """Whether there is what a rule reads, or what that is made from."""
        names = metrics_of(each.rule.expression)
        sources = frozenset().union(*(self._made_from.get(name, {name}) for name in names))
        return all(name in _MISSED_BY_NOBODY or has(name) for name in sources)


def _made_from(recording: Iterable[RecordingRule]) -> dict[str, frozenset[str]]:
    """Return the metrics of targets that each recorded metric is made from."""
    found: dict[str, frozenset[str]] = {}
    for rule in recording:
        names = metrics_of(rule.expression)
        sources = frozenset().union(*(found.get(name, {name}) for name in names))
        found[rule.name] = found.get(rule.name, frozenset()) | sources
    return found


def _reach(recording: Iterable[RecordingRule]) -> dict[str, float]:
    """Return how far back each recorded metric reads, together with what it is made from."""
    found: dict[str, float] = {}
    for rule in recording:
        inner = max((found.get(name, 0.0) for name in metrics_of(rule.expression)), default=0.0)
        found[rule.name] = max(found.get(rule.name, 0.0), seconds_back(rule.expression) + inner)
    return found
