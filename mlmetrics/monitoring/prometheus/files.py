"""The files that Prometheus and Alertmanager read, as texts by file name."""

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.prometheus.alertmanager import alertmanager_text
from mlmetrics.monitoring.prometheus.scrape import prometheus_document
from mlmetrics.monitoring.promtool.alerts import alert_test_files
from mlmetrics.monitoring.promtool.cost import cost_test_files
from mlmetrics.monitoring.promtool.drift import drift_test_files
from mlmetrics.monitoring.promtool.fleet import fleet_test_files
from mlmetrics.monitoring.promtool.slo import objective_test_files
from mlmetrics.monitoring.rules.alert import Alert
from mlmetrics.monitoring.rules.alerts import alert_group, drift_alerts
from mlmetrics.monitoring.rules.class_drift import class_drift_group
from mlmetrics.monitoring.rules.conditions import Drifted
from mlmetrics.monitoring.rules.cost import cost_group
from mlmetrics.monitoring.rules.drift import WEEK_SECONDS
from mlmetrics.monitoring.rules.fleet import fleet_group
from mlmetrics.monitoring.rules.model import Group
from mlmetrics.monitoring.rules.score_drift import score_drift_group
from mlmetrics.monitoring.rules.slo import objective_file, objective_group
from mlmetrics.monitoring.text import yaml_text

BASELINES = "rules/baselines/*.yml"


def rule_groups(config: Config) -> dict[str, tuple[Group, ...]]:
    """Return the groups of rules by the file that holds them."""
    drifts = tuple(_drift_group(config, alert, drifted) for alert, drifted in drift_alerts(config))
    objectives = {objective_file(config, each): (objective_group(config, each),) for each in config.objectives}
    recorded = {"cost": (cost_group(config),), "fleet": (fleet_group(config),)}
    files = {"drift": drifts, **objectives, **recorded, "alerts": (alert_group(config),)}
    return {name: groups for name, groups in files.items() if any(group.rules for group in groups)}


def _drift_group(config: Config, alert: Alert, drifted: Drifted) -> Group:
    window, week = (config.span(seconds) for seconds in (alert.settings.window_seconds or 0.0, WEEK_SECONDS))
    if not drifted.bounds:
        return class_drift_group(config.grouping, window=window, week=week)
    scores = config.metrics[drifted.metric]
    return score_drift_group(scores, config.grouping, drifted.bounds, window=window, week=week)


def server_files(config: Config) -> dict[str, str]:
    """Return the files that Prometheus and Alertmanager read from their folders."""
    groups = rule_groups(config)
    rules = {f"rules/{name}.yml": yaml_text(_rule_file(found)) for name, found in groups.items()}
    return {
        "prometheus.yml": yaml_text(prometheus_document(config, [*rules, BASELINES])),
        "alertmanager.yml": alertmanager_text(config),
        **rules,
    }


def test_files(config: Config) -> dict[str, str]:
    """Return the unit tests of the rules, for `promtool test rules`; they stand beside the files that they test.

    Raises:
        ConfigurationError: The configuration is scaled; the tests are written for real time.
    """
    if config.time_scale != 1:
        raise ConfigurationError(
            f"time scale = {config.time_scale:g}: expected 1, for unit tests of rules are written in real time"
        )
    documents = alert_test_files(config) | drift_test_files(config) | objective_test_files(config)
    documents |= cost_test_files(config) | fleet_test_files(config)
    return {f"rules/{name}": yaml_text(document) for name, document in documents.items()}


def _rule_file(groups: tuple[Group, ...]) -> dict[str, object]:
    return {"groups": [group.document() for group in groups]}
