"""One alert: its row in the table, and the alert with the numbers of a configuration, which renders the rule."""

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote as url_quote

from mlmetrics.monitoring.config import AlertSettings, Config
from mlmetrics.monitoring.rules.conditions import Condition
from mlmetrics.monitoring.rules.model import AlertingRule

DASHBOARDS = {
    "main": "mlmetrics-performance",
    "models": "mlmetrics-models",
    "quality": "mlmetrics-quality",
    "operations": "mlmetrics-operations",
    "objectives": "mlmetrics-objectives",
    "fleet": "mlmetrics-fleet",
}
PERCENT = "{{ $value | humanizePercentage }}"
VALUE = '{{ $value | printf "%.4g" }}'
BuildCondition = Callable[[Config, AlertSettings], Condition]


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert with the numbers of a configuration, the condition that they make, and its texts."""

    name: str
    settings: AlertSettings
    condition: Condition
    summary: str
    description: str
    dashboard: str
    labels: dict[str, str] = field(default_factory=dict)

    def rule(self, config: Config) -> AlertingRule:
        """Return the alerting rule, with the labels and links that every alert has."""
        return AlertingRule(
            self.name,
            self.condition.expression(config.span(self.settings.window_seconds or 0)),
            config.span(self.settings.for_seconds),
            {"severity": self.settings.severity, **self.labels, **config.rule_labels},
            {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{config.runbooks}/{url_quote(self.name)}.md",
                "dashboard_url": f"{config.grafana}/d/{DASHBOARDS[self.dashboard]}",
            },
        )


@dataclass(frozen=True, slots=True)
class AlertDefinition:
    """A row of the table. In `description`, `<threshold>` and `<window>` stand for the numbers of the configuration.

    `unit` is that of the threshold. An alert with a rule for processes and one for hosts has a `scope` in each.
    """

    name: str
    defaults: AlertSettings
    condition: BuildCondition
    summary: str
    description: str
    dashboard: str
    unit: str = ""
    scope: str = ""

    def configured(self, config: Config) -> Alert:
        """Return the alert with the numbers of a configuration."""
        settings = config.alerts[self.name]
        window = config.span(settings.window_seconds or 0.0)
        description = self.description.replace("<threshold>", f"{settings.threshold or 0:g}")
        return Alert(
            self.name,
            settings,
            self.condition(config, settings),
            self.summary,
            description.replace("<window>", window),
            self.dashboard,
            {"scope": self.scope} if self.scope else {},
        )
