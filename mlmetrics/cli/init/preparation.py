"""From a folder and what was asked for to everything that would be written: found, proposed, rendered, compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlmetrics.cli.init.discovery import find_apps
from mlmetrics.cli.init.ports import find_ports
from mlmetrics.cli.init.project import project_files, read_configuration, toml_text
from mlmetrics.cli.init.proposal import Proposal, parse_service, propose
from mlmetrics.cli.init.writing import Change, is_edited, plan
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.loading import CONFIGURATION, PYPROJECT, find_configuration

Review = Callable[[Sequence[Proposal]], list[Proposal]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The configuration, its services with the applications behind them, and what becomes of each file."""

    config: Config
    services: list[Proposal]
    changes: list[Change]


def prepare(directory: Path, named: Sequence[str], title: str | None, review: Review) -> Prepared:
    """Return what would be written; nothing is.

    Args:
        directory: the root of the project.
        named: services as NAME=[HOST:]PORT, instead of those found.
        title: the main dashboard's.
        review: what becomes of the proposals, such as asking somebody.

    Raises:
        ConfigurationError: There is nothing to monitor, or what was asked for cannot work.
    """
    if not directory.is_dir():
        message = f"{directory}: is no folder; expected the root of a project"
        raise ConfigurationError(message)
    found = propose(find_apps(directory), find_ports(directory), directory.resolve().name)
    own = find_configuration(directory)
    shared = own.name == PYPROJECT
    kept = shared or is_edited(directory, CONFIGURATION)
    if kept and (named or title):
        why = "holds [tool.mlmetrics]" if shared else "was edited"
        message = f"{own}: {why}, and --service and --title would undo that; say it there"
        raise ConfigurationError(message)
    text = None if kept else _proposed(directory, named, title, [] if named else review(found))
    config = read_configuration(own, text)
    files = project_files(config) if text is None else {CONFIGURATION: text, **project_files(config)}
    return Prepared(config, _behind(config, found), plan(directory, files))


def _proposed(directory: Path, named: Sequence[str], title: str | None, reviewed: Sequence[Proposal]) -> str:
    services = [parse_service(each) for each in named] or reviewed
    if not services:
        message = (
            f"{directory}: no FastAPI application found; expected a `FastAPI(...)` in some .py file, "
            "or services by name: --service NAME=PORT"
        )
        raise ConfigurationError(message)
    project = directory.resolve().name
    return toml_text(project, title or f"{project} ML/AI Performance", services)


def _behind(config: Config, found: Sequence[Proposal]) -> list[Proposal]:
    """Return the services, each with the application that was found by its name or its port."""
    services = [Proposal(service.name, service.targets[0]) for service in config.services]
    by_name = {each.name: each.app for each in found}
    by_target = {each.target: each.app for each in found}
    return [replace(each, app=by_target.get(each.target) or by_name.get(each.name)) for each in services]
