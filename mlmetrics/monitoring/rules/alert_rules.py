"""All alerts of a configuration, and the group of rules that they make; objectives have groups of their own."""

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.rules.alert import Alert
from mlmetrics.monitoring.rules.alerts_of_calls import alerts_of_calls
from mlmetrics.monitoring.rules.alerts_of_targets import alerts_of_targets
from mlmetrics.monitoring.rules.model import Group


def enabled_alerts(config: Config) -> tuple[Alert, ...]:
    """Return the alerts that the configuration wants."""
    found = (*alerts_of_calls(config), *alerts_of_targets(config))
    return tuple(alert for alert in found if alert.settings.enabled)


def alert_group(config: Config) -> Group:
    """Return the group of alerting rules."""
    return Group("mlmetrics-alerts", tuple(alert.rule(config) for alert in enabled_alerts(config)))
