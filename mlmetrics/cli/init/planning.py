"""Plans what is written: finds services, renders the files, and compares them with those in the project."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mlmetrics.cli.init.discovery import find_apps
from mlmetrics.cli.init.ports import find_ports
from mlmetrics.cli.init.proposal import Proposal, parse_service, propose
from mlmetrics.cli.init.rendering import FOLDER, RUNBOOKS, read_configuration, rendered_files, toml_text
from mlmetrics.cli.init.repository import address_of
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.loading import CONFIGURATION, PYPROJECT, find_configuration
from mlmetrics.monitoring.notify import Receivers
from mlmetrics.monitoring.output import Change, Manifest, plan, read_text

MANIFEST = f"{FOLDER}/.mlmetrics.json"
Review = Callable[[Sequence[Proposal]], list[Proposal]]


@dataclass(frozen=True, slots=True)
class ProjectPlan:
    """The configuration, its services with the applications behind them, and the change of each file."""

    config: Config
    services: list[Proposal]
    changes: list[Change]
    manifest: Manifest


def plan_project(
    directory: Path,
    named: Sequence[str],
    title: str | None,
    review: Review,
    receivers: Callable[[Path], Receivers],
    *,
    notified: bool = False,
) -> ProjectPlan:
    """Return what would be written; write nothing.

    Args:
        directory: the root of the project.
        named: services as NAME=[HOST:]PORT, which replace those that are found.
        title: the title of the main dashboard.
        review: returns the services to use, of those that were found; it may ask the user.
        receivers: returns who is told of alerts, given the configuration that is replaced; it may ask the user.
        notified: whether the user has named receivers, which an edited configuration does not take.

    Raises:
        ConfigurationError: There is nothing to monitor, or the configuration cannot work.
    """
    if not directory.is_dir():
        raise ConfigurationError(f"{directory}: is not a folder; expected the root of a project")
    found = propose(find_apps(directory), find_ports(directory), directory.resolve().name)
    manifest = Manifest.read(directory, MANIFEST)
    source = find_configuration(directory)
    shared = source.name == PYPROJECT
    kept = shared or _is_edited(source, manifest)
    if kept and (named or title or notified):
        why = "holds [tool.mlmetrics]" if shared else "was edited"
        raise ConfigurationError(
            f"{source}: {why}, and --service, --title and --notify would overwrite that; change the file instead"
        )
    text = None
    if not kept:
        services = _services(directory, named, [] if named else review(found))
        project = directory.resolve().name
        text = toml_text(
            project,
            title or f"{project} ML/AI Performance",
            services,
            receivers(source),
            address_of(directory / RUNBOOKS),
        )
    config = read_configuration(source, text)
    files = rendered_files(config) if text is None else {CONFIGURATION: text, **rendered_files(config)}
    changes = plan(directory, files, manifest.is_unedited, manifest.hashes)
    return ProjectPlan(config, _with_apps(config, found), changes, manifest)


def _is_edited(path: Path, manifest: Manifest) -> bool:
    """Tell whether there is a configuration that was changed since it was written."""
    text = read_text(path)
    return text is not None and not manifest.is_unedited(CONFIGURATION, text)


def _services(directory: Path, named: Sequence[str], reviewed: list[Proposal]) -> list[Proposal]:
    services = [parse_service(each) for each in named] or reviewed
    if not services:
        raise ConfigurationError(
            f"{directory}: no FastAPI application found; expected a `FastAPI(...)` in some .py file, "
            "or services by name: --service NAME=PORT"
        )
    return services


def _with_apps(config: Config, found: Sequence[Proposal]) -> list[Proposal]:
    """Return the services, each with the application that was found by its name or its port."""
    services = [Proposal(service.name, service.targets[0]) for service in config.services]
    by_name = {each.name: each.app for each in found}
    by_target = {each.target: each.app for each in found}
    return [replace(each, app=by_target.get(each.target) or by_name.get(each.name)) for each in services]
