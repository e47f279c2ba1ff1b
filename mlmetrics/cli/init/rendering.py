"""What `mlmetrics init` writes into a project: `mlmetrics.toml`, and everything that is rendered from it."""

import json
from collections.abc import Sequence
from pathlib import Path

from mlmetrics.cli.init.proposal import Proposal, slug
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.deploy.compose import LOOPBACK, PORTS, refuse_clashes
from mlmetrics.monitoring.loading import load, parse
from mlmetrics.monitoring.reference import REFERENCE, project_reference
from mlmetrics.monitoring.runbooks.pages import runbook_files
from mlmetrics.monitoring.schema import SCHEMA, SCHEMA_PATH
from mlmetrics.monitoring.targets import project_files

FOLDER = "monitoring"


def toml_text(project: str, title: str, services: Sequence[Proposal]) -> str:
    """Return a configuration for these services."""
    lines = [
        f"#:schema ./{FOLDER}/{SCHEMA}",
        f"# `mlmetrics init` renders {FOLDER}/ from this file; edit it and run that command again.",
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


def rendered_files(config: Config) -> dict[str, str]:
    """Return what is rendered, by its path in the project, and the schema of the configuration."""
    schema = {SCHEMA: SCHEMA_PATH.read_text(encoding="utf-8")}
    pages = {f"runbooks/{name}": text for name, text in runbook_files(config).items()}
    pages[REFERENCE] = project_reference(config)
    files = {**project_files(config, ("prometheus", "grafana", "compose")), **pages, **schema}
    return {f"{FOLDER}/{name}": text for name, text in files.items()}


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string, except for one character that TOML requires to be escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
