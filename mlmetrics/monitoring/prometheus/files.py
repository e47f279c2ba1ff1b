"""The files that Prometheus and Alertmanager read, as texts by file name."""

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.prometheus.alertmanager import alertmanager_document
from mlmetrics.monitoring.prometheus.scrape import prometheus_document
from mlmetrics.monitoring.promtool.alerts import proof_files
from mlmetrics.monitoring.rules.alert_rules import alert_group
from mlmetrics.monitoring.rules.drift import drift_group
from mlmetrics.monitoring.rules.model import Group
from mlmetrics.monitoring.rules.slo import objective_file, objective_group
from mlmetrics.monitoring.settings import DRIFT_HISTOGRAMS
from mlmetrics.monitoring.text import yaml_text

BASELINES = "rules/baselines/*.yml"


def rule_groups(config: Config) -> dict[str, tuple[Group, ...]]:
    """Return the groups of rules by the file that holds them."""
    drifts = tuple(drift_group(config, name) for name in DRIFT_HISTOGRAMS if config.alerts[name].enabled)
    objectives = {objective_file(config, each): (objective_group(config, each),) for each in config.objectives}
    files = {"drift": drifts, **objectives, "alerts": (alert_group(config),)}
    return {name: groups for name, groups in files.items() if any(group.rules for group in groups)}


def plain_files(config: Config) -> dict[str, str]:
    """Return the files for a Prometheus and an Alertmanager that read folders."""
    groups = rule_groups(config)
    rules = {f"rules/{name}.yml": yaml_text(_rule_file(found)) for name, found in groups.items()}
    return {
        "prometheus.yml": yaml_text(prometheus_document(config, [*rules, BASELINES])),
        "alertmanager.yml": yaml_text(alertmanager_document(config)),
        **rules,
    }


def test_files(config: Config) -> dict[str, str]:
    """Return promtool's unit tests of the rules, to stand beside them; they hold in real time only."""
    return {f"rules/{name}": yaml_text(document) for name, document in proof_files(config).items()}


def _rule_file(groups: tuple[Group, ...]) -> dict[str, object]:
    return {"groups": [group.document() for group in groups]}
