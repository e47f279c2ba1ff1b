"""One alert: its numbers, its shape and its words, and the rule that they make."""

from dataclasses import dataclass, field
from urllib.parse import quote as url_quote

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.rules.conditions import Shape
from mlmetrics.monitoring.rules.model import Alarm
from mlmetrics.monitoring.settings import Settings

DASHBOARDS = {
    "main": "mlmetrics-performance",
    "models": "mlmetrics-models",
    "quality": "mlmetrics-quality",
    "objectives": "mlmetrics-objectives",
    "fleet": "mlmetrics-fleet",
}
PERCENT = "{{ $value | humanizePercentage }}"
PLAIN = '{{ $value | printf "%.4g" }}'


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert with its numbers: what it says, and the shape that decides when."""

    name: str
    settings: Settings
    shape: Shape
    summary: str
    description: str
    dashboard: str
    labels: dict[str, str] = field(default_factory=dict)

    def rule(self, config: Config) -> Alarm:
        """Return the alerting rule."""
        return alarm(self, config, self.shape.expression(config.span(self.settings.window_seconds or 0)))


def alarm(alert: Alert, config: Config, expression: str) -> Alarm:
    """Return an alerting rule with the labels and links that every alert has."""
    dashboard = f"{config.grafana}/d/{DASHBOARDS[alert.dashboard]}"
    return Alarm(
        alert.name,
        expression,
        config.span(alert.settings.for_seconds),
        {"severity": alert.settings.severity, **alert.labels, **config.rule_labels},
        {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": f"{config.runbooks}/{url_quote(alert.name)}.md",
            "dashboard_url": dashboard,
        },
    )
