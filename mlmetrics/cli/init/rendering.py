"""What `mlmetrics init` writes into a project: `mlmetrics.toml`, and everything that is rendered from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlmetrics.cli.init.objectives import objectives_text
from mlmetrics.cli.init.operations import Recorded, toml_lines
from mlmetrics.cli.init.proposal import Proposal, slug
from mlmetrics.cli.init.reading.applications import App
from mlmetrics.cli.init.receivers import notify_text
from mlmetrics.cli.init.requests import InRequests, requests_lines
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.deploy.compose import LOOPBACK, PORTS, refuse_clashes
from mlmetrics.monitoring.loading import load, parse
from mlmetrics.monitoring.notify import Receivers
from mlmetrics.monitoring.reference import REFERENCE, project_reference
from mlmetrics.monitoring.runbooks.pages import runbook_files
from mlmetrics.monitoring.schema import SCHEMA, SCHEMA_PATH
from mlmetrics.monitoring.targets import FOLDERS, Target, project_files, target_files
from mlmetrics.monitoring.text import toml_value

FOLDER = "monitoring"
"""Where a project's monitoring is written if its configuration does not name another folder."""
_TARGETS: tuple[Target, ...] = ("prometheus", "grafana", "compose")
_NOTHING_YET = "# The code records HTTP requests only. Run `mlmetrics init` again when it records more."


@dataclass(frozen=True, slots=True)
class Rendering:
    """What is rendered besides the usual: for one target only, with labels of Kubernetes, with promtool's tests.

    `configured` changes the configuration, as options of a command do.
    """

    target: Target | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    tests: bool = False
    configured: Callable[[Config], Config] = lambda config: config

    def filter(self, config: Config, folder: str) -> Callable[[str], bool]:
        """Return what tells whether a file is of the one target that is rendered, or that there is no such target."""
        if self.target is None:
            return lambda _: True
        inner = FOLDERS[self.target]
        if inner:
            return lambda name: name.startswith(f"{folder}/{inner}/")
        return {f"{folder}/{name}" for name in target_files(config, self.target)}.__contains__


def toml_text(
    project: str,
    title: str,
    services: Sequence[Proposal],
    *,
    receivers: Receivers,
    operations: Sequence[Recorded],
    requests: InRequests,
    apps: Sequence[App],
    folder: str,
    runbooks: str,
) -> str:
    """Return a configuration for these services; a guess is marked as one.

    `receivers` are told of alerts, `operations` and `requests` are what the services record, `apps` every application
    of the project; `runbooks` is the address at which the runbooks can be read.
    """
    lines = [
        f"#:schema ./{folder}/{SCHEMA}",
        f"# `mlmetrics render` makes {folder}/ from this file, as `mlmetrics init` does; edit it and run one of them.",
        "# In CI, `mlmetrics render --check` exits with 1 if a file is out of date.",
        *([] if operations else [_NOTHING_YET, "operation = []"]),
        "",
        "[project]",
        f"name = {toml_value(slug(project) or 'project')}",
        f"title = {toml_value(title)}",
        f"output = {toml_value(folder)}",
        f"runbooks = {toml_value(runbooks or f'{folder}/runbooks')}",
        'grafana = "http://localhost:3001"',
    ]
    for service in services:
        lines += ["", "[[service]]", f"name = {toml_value(service.name)}", f"targets = [{toml_value(service.target)}]"]
        if not service.confirmed:
            lines.append("# The address is a guess. Correct it, and delete this line and the next.")
            lines.append("confirmed = false")
    lines += [*requests_lines(requests), *toml_lines(operations)]
    for table, server in (("host", "node-exporter"), ("alertmanager", "alertmanager")):
        lines += ["", f"[{table}]", f'targets = ["{LOOPBACK}:{PORTS[server]}"]']
    return "\n".join([*lines, "", notify_text(receivers), "", objectives_text(services, operations, apps)])


def read_configuration(path: Path, text: str | None) -> Config:
    """Return the configuration in a text for a file or, without a text, in the file itself.

    Raises:
        ConfigurationError: It cannot work; the message names the file.
    """
    if text is None:
        return _without_clashes(path, load(path))
    try:
        config = parse(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    return _without_clashes(path, config)


def _without_clashes(path: Path, config: Config) -> Config:
    try:
        refuse_clashes(config)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    return config


def rendered_files(config: Config, folder: str, rendering: Rendering, written: Sequence[str]) -> dict[str, str]:
    """Return what is rendered, by its path in the project, and the schema of the configuration.

    Args:
        config: the configuration.
        folder: the folder to write to, from that of the project.
        rendering: what is rendered besides the usual.
        written: the files that earlier runs have written; manifests of Kubernetes stay if they were asked for once.
    """
    asked = rendering.target == "kubernetes" or any(name.startswith(f"{folder}/kubernetes/") for name in written)
    targets: tuple[Target, ...] = (*_TARGETS, "kubernetes") if asked else _TARGETS
    schema = {SCHEMA: SCHEMA_PATH.read_text(encoding="utf-8")}
    files = project_files(config, targets, labels=rendering.labels, tests=rendering.tests)
    pages = {f"runbooks/{name}": text for name, text in runbook_files(config).items()}
    pages[REFERENCE] = project_reference(config)
    return {f"{folder}/{name}": text for name, text in {**files, **pages, **schema}.items()}
