"""Recording and alerting rules as Prometheus reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """A recording rule: the result of an expression is stored under a name."""

    name: str
    expression: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the rule as YAML wants it."""
        rule: dict[str, Any] = {"record": self.name, "expr": self.expression}
        return rule | ({"labels": dict(self.labels)} if self.labels else {})


@dataclass(frozen=True, slots=True)
class AlertingRule:
    """An alerting rule."""

    name: str
    expression: str
    wait: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def document(self) -> dict[str, Any]:
        """Return the rule as YAML wants it."""
        rule: dict[str, Any] = {"alert": self.name, "expr": self.expression}
        if self.wait != "0s":
            rule["for"] = self.wait
        return rule | {"labels": dict(self.labels), "annotations": dict(self.annotations)}


Rule = RecordingRule | AlertingRule


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated in order; later ones read what earlier ones recorded.

    `interval` is the time between two evaluations; if empty, Prometheus's own.
    """

    name: str
    rules: tuple[Rule, ...]
    interval: str = ""

    def document(self) -> dict[str, Any]:
        """Return the group as YAML wants it."""
        interval = {"interval": self.interval} if self.interval else {}
        return {"name": self.name, **interval, "rules": [rule.document() for rule in self.rules]}
