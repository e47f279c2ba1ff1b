"""What `mlmetrics init` writes into a project: `mlmetrics.toml`, and all that is rendered from it."""

import json
from collections.abc import Sequence
from pathlib import Path

from mlmetrics.cli.init.proposal import Proposal, slug
from mlmetrics.cli.init.runbooks import runbook_texts
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.deploy.compose import refuse_clashes
from mlmetrics.monitoring.deploy.containers import LOOPBACK, PORTS
from mlmetrics.monitoring.deploy.render import stack_files
from mlmetrics.monitoring.loading import load, parse
from mlmetrics.monitoring.prometheus.files import plain_files
from mlmetrics.monitoring.schema import SCHEMA, SCHEMA_PATH

FOLDER = "monitoring"


def toml_text(project: str, title: str, services: Sequence[Proposal]) -> str:
    """Return a configuration for these services."""
    lines = [
        f"#:schema ./{FOLDER}/{SCHEMA}",
        f"# What `mlmetrics init` makes {FOLDER}/ from; edit it and run that again.",
        "",
        "[project]",
        f"name = {_quoted(slug(project) or 'project')}",
        f"title = {_quoted(title)}",
        f'runbooks = "{FOLDER}/runbooks"',
        'grafana = "http://localhost:3001"',
    ]
    for service in services:
        lines += ["", "[[service]]", f"name = {_quoted(service.name)}", f"targets = [{_quoted(service.target)}]"]
    for table, server in (("host", "node-exporter"), ("alertmanager", "alertmanager")):
        lines += ["", f"[{table}]", f'targets = ["{LOOPBACK}:{PORTS[server]}"]']
    return "\n".join([*lines, ""])


def read_configuration(path: Path, text: str | None) -> Config:
    """Return the configuration that a text for a file holds, or without a text the file itself.

    Raises:
        ConfigurationError: It cannot work; the message names the file.
    """
    if text is None:
        return _without_clashes(path, load(path))
    try:
        config = parse(text)
    except ConfigurationError as error:
        message = f"{path}: {error}"
        raise ConfigurationError(message) from error
    return _without_clashes(path, config)


def _without_clashes(path: Path, config: Config) -> Config:
    try:
        refuse_clashes(config)
    except ConfigurationError as error:
        message = f"{path}: {error}"
        raise ConfigurationError(message) from error
    return config


def project_files(config: Config) -> dict[str, str]:
    """Return what is rendered, by its path in the project, and the schema of the configuration."""
    prometheus = {f"prometheus/{name}": body for name, body in plain_files(config).items()}
    runbooks = {f"runbooks/{name}": body for name, body in runbook_texts().items()}
    schema = {SCHEMA: SCHEMA_PATH.read_text(encoding="utf-8")}
    files = {**prometheus, **stack_files(config), **runbooks, **schema}
    return {f"{FOLDER}/{name}": body for name, body in files.items()}


def _quoted(text: str) -> str:
    # JSON's texts are TOML's basic strings, but for the one sign that TOML wants escaped too.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
