"""Every file that Prometheus and Alertmanager get, as texts, and their way onto the disk."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.alert_rules import alert_group
from mlmetrics.monitoring.alertmanager import alertmanager_document
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.drift import drift_group
from mlmetrics.monitoring.kubernetes import prometheus_rule
from mlmetrics.monitoring.proofs import proof_files
from mlmetrics.monitoring.rules import Group
from mlmetrics.monitoring.scraping import prometheus_document
from mlmetrics.monitoring.settings import DRIFT_HISTOGRAMS
from mlmetrics.monitoring.slo import objective_file, objective_group
from mlmetrics.monitoring.text import HEADER, yaml_text

BASELINES = "rules/baselines/*.yml"


def rule_groups(config: Config) -> dict[str, tuple[Group, ...]]:
    """Return the groups of rules by the file that holds them."""
    drifts = tuple(drift_group(config, name) for name in DRIFT_HISTOGRAMS if config.alerts[name].enabled)
    objectives = {objective_file(config, each): (objective_group(config, each),) for each in config.objectives}
    files = {"drift": drifts, **objectives, "alerts": (alert_group(config),)}
    return {name: groups for name, groups in files.items() if any(group.rules for group in groups)}


def plain_files(config: Config) -> dict[str, str]:
    """Return the files for a Prometheus and an Alertmanager that read folders; proofs only in real time."""
    groups = rule_groups(config)
    rules = {f"rules/{name}.yml": yaml_text(_rule_file(found)) for name, found in groups.items()}
    files = {
        "prometheus.yml": yaml_text(prometheus_document(config, [*rules, BASELINES])),
        "alertmanager.yml": yaml_text(alertmanager_document(config)),
        **rules,
    }
    if config.time_scale == 1:
        files |= {f"rules/{name}": yaml_text(document) for name, document in proof_files(config).items()}
    return files


def kubernetes_files(config: Config, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the rules as `PrometheusRule` resources."""
    return {
        f"mlmetrics-{name}.yaml": yaml_text(prometheus_rule(config, name, groups, labels))
        for name, groups in rule_groups(config).items()
    }


def _rule_file(groups: tuple[Group, ...]) -> dict[str, object]:
    return {"groups": [group.document() for group in groups]}


def write_files(files: Mapping[str, str], directory: Path) -> list[str]:
    """Write files into a folder and remove the rendered ones that are no longer wanted.

    All of them are written to a temporary folder first, so an error leaves the folder as it was.

    Returns:
        The names that are new or have changed, and those removed.

    Raises:
        ConfigurationError: The folder cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        changed = stale_files(files, directory)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".render-") as scratch:
            _write_all(files, Path(scratch))
            _move_all(files, changed, Path(scratch), directory)
    except OSError as error:
        message = f"{directory}: cannot be written ({error}); expected a folder of yours"
        raise ConfigurationError(message) from error
    return changed


def stale_files(files: Mapping[str, str], directory: Path) -> list[str]:
    """Return the names of files in a folder that differ from what would be written there."""
    differing = [name for name, text in files.items() if _read(directory / name) != text]
    gone = [str(path.relative_to(directory)) for path in _rendered(directory)]
    return sorted({*differing, *(name for name in gone if name not in files)})


def _rendered(directory: Path) -> list[Path]:
    """Return the files in a folder that a rendering wrote, baselines excepted."""
    found = [path for pattern in ("*.y*ml", "rules/*.yml") for path in directory.glob(pattern)]
    return [path for path in found if (_read(path) or "").startswith(HEADER)]


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _write_all(files: Mapping[str, str], directory: Path) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _move_all(files: Mapping[str, str], changed: list[str], source: Path, target: Path) -> None:
    for name in changed:
        if name in files:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).replace(target / name)
        else:
            (target / name).unlink()
