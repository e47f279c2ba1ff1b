"""Only what is recorded: whether a query reads what the services of a project expose, or what its rules record.

Dashboards and runbooks ask here for each query, so that nothing is rendered that would stay empty.
"""

import re
from dataclasses import dataclass
from typing import Self

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.operations import not_recorded
from mlmetrics.monitoring.prometheus.files import rule_groups
from mlmetrics.monitoring.rules.model import AlertingRule

_NAME = re.compile(r"[a-zA-Z_:][\w:]*")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_ALERT = re.compile(r'alertname="(\w+)"')


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a configuration records: the names of its rules and alerts, and what mlmetrics ships and it lacks."""

    missing: frozenset[str]
    rules: frozenset[str]
    alerts: frozenset[str]

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return what a configuration records."""
        rules = [rule for groups in rule_groups(config).values() for group in groups for rule in group.rules]
        alerts = frozenset(rule.name for rule in rules if isinstance(rule, AlertingRule))
        recorded = frozenset(rule.name for rule in rules) - alerts
        return cls(not_recorded(config.metrics.values()), recorded, alerts)

    def has(self, text: str) -> bool:
        """Whether everything is recorded that a text names: samples of mlmetrics, of its rules, and alerts."""
        names = set(_NAME.findall(_TEXT.sub("", text)))
        of_rules = {name for name in names if ":" in name.strip(":")}
        return of_rules <= self.rules and set(_ALERT.findall(text)) <= self.alerts and self.missing.isdisjoint(names)
