"""What is rendered for each target: Prometheus, Grafana, Docker Compose, Kubernetes."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.deploy.compose import compose_files
from mlmetrics.monitoring.deploy.kubernetes import manifests
from mlmetrics.monitoring.grafana.provisioning import grafana_files
from mlmetrics.monitoring.prometheus.files import server_files, test_files
from mlmetrics.monitoring.rules.alert import DASHBOARDS
from mlmetrics.monitoring.text import HEADER

Target = Literal["prometheus", "grafana", "compose", "kubernetes"]
TARGETS: tuple[Target, ...] = get_args(Target)
# The folder of a target's files in a project; empty if they are in the project's folder itself.
FOLDERS: Mapping[Target, str] = {
    "prometheus": "prometheus",
    "grafana": "grafana",
    "compose": "",
    "kubernetes": "kubernetes",
}
# Files that are removed when the configuration no longer renders them, such as the rules of an objective.
_REMOVABLE_FILES: Mapping[Target, str] = {"prometheus": "rules/*.yml", "kubernetes": "*.yaml"}


def target_files(
    config: Config, target: Target, *, labels: Mapping[str, str] | None = None, tests: bool = False
) -> dict[str, str]:
    """Return the texts of a target's files by their path in its folder.

    Args:
        config: the configuration to render.
        target: what the files are for.
        labels: labels of Kubernetes resources, beside those of the configuration.
        tests: whether to add promtool's unit tests of the rules.
    """
    match target:
        case "prometheus":
            return server_files(config) | (test_files(config) if tests else {})
        case "grafana":
            return grafana_files(config)
        case "compose":
            return compose_files(config)
        case "kubernetes":
            return manifests(config, labels or {})


def project_files(
    config: Config, targets: Iterable[Target], *, labels: Mapping[str, str] | None = None, tests: bool = False
) -> dict[str, str]:
    """Return the texts of several targets' files by their path in a project, each target in its folder."""
    return {
        str(Path(FOLDERS[target], name)): text
        for target in targets
        for name, text in target_files(config, target, labels=labels, tests=tests).items()
    }


def obsolete_files(folder: Path, target: Target) -> Iterator[str]:
    """Yield the paths of files in a target's folder that were rendered before and may no longer be."""
    for path in folder.glob(_REMOVABLE_FILES[target]) if target in _REMOVABLE_FILES else ():
        if path.read_text(encoding="utf-8", errors="replace").startswith(HEADER):
            yield str(path.relative_to(folder))
    if target == "grafana":  # JSON has no header; the names are ours
        dashboards = (f"dashboards/{uid}.json" for uid in DASHBOARDS.values())
        yield from (name for name in dashboards if (folder / name).is_file())
