"""Plans what is written: finds services, renders the files, and compares them with those in the project."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlmetrics.cli.init.agreement import disagreements, other_requests, renamed, unnamed, with_apps
from mlmetrics.cli.init.answers import Answers
from mlmetrics.cli.init.draft import Draft, draft
from mlmetrics.cli.init.jobs import job_problems
from mlmetrics.cli.init.operations import Reading
from mlmetrics.cli.init.proposal import Proposal, parse_service
from mlmetrics.cli.init.receivers import chosen_receivers
from mlmetrics.cli.init.recorded import recorded_operations
from mlmetrics.cli.init.rendering import FOLDER, Rendering, read_configuration, rendered_files, toml_text
from mlmetrics.cli.init.repository import address_of
from mlmetrics.cli.init.survey import Survey, survey
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.deploy.compose import PORTS, grafana_port
from mlmetrics.monitoring.loading import CONFIGURATION, PYPROJECT, find_configuration, load
from mlmetrics.monitoring.output import MANIFEST, Change, Manifest, plan, read_text

Review = Callable[[Draft], Mapping[str, Proposal | None]]


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks for.

    `named` are services as NAME=[HOST:]PORT, `left_out` the names of some, `forced` files that are overwritten although
    they were edited, `notified` those who are told of alerts, as values of `--notify`. `review` asks the user about
    guesses and clashes, and `ask_receivers` who is told. `urls` are pages of running services, which say what these
    record.
    """

    named: Sequence[str] = ()
    left_out: Sequence[str] = ()
    title: str | None = None
    forced: Sequence[Path] = ()
    notified: Sequence[str] = ()
    review: Review | None = None
    ask_receivers: Callable[[], list[str]] | None = None
    urls: Sequence[str] = ()
    rendering: Rendering = field(default_factory=Rendering)

    @property
    def changes_configuration(self) -> bool:
        """Whether it says something that stands in the configuration."""
        return bool(self.named or self.left_out or self.title or self.notified or self.urls)


@dataclass(frozen=True, slots=True)
class ProjectPlan:
    """The configuration, its services with the applications behind them, and the change of each file.

    `problems` are services that are not written and names that do not fit; each says what settles it. `is_kept` says
    that the configuration is the user's own.
    """

    config: Config
    services: list[Proposal]
    changes: list[Change]
    manifest: Manifest
    problems: list[str]
    is_kept: bool

    @property
    def differences(self) -> list[Change]:
        """The files whose text is not what would be rendered; the configuration itself may be edited."""
        return [
            change
            for change in self.changes
            if change.status not in ("unchanged", "skipped")
            and not (change.status == "edited" and (change.rendered is None or change.name == CONFIGURATION))
        ]


def is_project(path: Path) -> bool:
    """Tell whether a configuration is that of a project which `mlmetrics init` has set up."""
    if path.name not in (CONFIGURATION, PYPROJECT) or not path.exists():
        return False
    if (path.parent / FOLDER / MANIFEST).exists():
        return True
    try:
        return bool(load(path).output)
    except ConfigurationError:
        return False  # who renders it says what is wrong


def plan_project(directory: Path, request: Request) -> ProjectPlan:
    """Return what would be written; write nothing.

    Raises:
        ConfigurationError: There is nothing to monitor, or the configuration cannot work.
    """
    if not directory.is_dir():
        raise ConfigurationError(f"{directory}: is not a folder; expected the root of a project")
    source = _configuration_of(directory)
    manifest = Manifest.read(directory, f"{_folder_of(source)}/{MANIFEST}")
    forced = [_name_of(path, directory) for path in request.forced]
    found = survey(directory)
    is_kept = _is_kept(source, manifest, forced)
    if is_kept:
        _refuse_changes(source, request)
        drafted, text = draft(found, Answers({})), None
        config = read_configuration(source, None)
        reading = found.recorded
        problems = [
            *unnamed(config, drafted, source.name),
            *renamed(config, drafted, source.name),
            *disagreements(config.operations, reading.operations),
            *other_requests(config.requests, reading.requests),
        ]
    else:
        drafted, text, manifest, reading, problems = _proposed(directory, source, found, manifest, request)
        config = read_configuration(source, text)
    config = request.rendering.configured(config)
    texts = rendered_files(config, manifest.folder, request.rendering, list(manifest.hashes))
    if text is not None:
        texts[CONFIGURATION] = text
    changes = _changes(directory, texts, manifest, forced, request.rendering.filter(config, manifest.folder))
    problems += [*reading.problems, *job_problems(config, changes), *_server_clashes(config, found)]
    return ProjectPlan(config, with_apps(config, drafted), changes, manifest, problems, is_kept)


def _configuration_of(directory: Path) -> Path:
    """Return the file that configures the project; a `pyproject.toml` that is half written is no missing one."""
    source, shared = find_configuration(directory), directory / PYPROJECT
    if not source.exists() and "tool.mlmetrics" in (read_text(shared) or ""):
        load(shared)
        return shared
    return source


def _folder_of(source: Path) -> str:
    try:
        return load(source).output or FOLDER
    except ConfigurationError:
        return FOLDER  # reading it again says what is wrong, unless it is written anew


def _is_kept(source: Path, manifest: Manifest, forced: Sequence[str]) -> bool:
    """Tell whether the configuration is the user's own: in `pyproject.toml`, or edited since it was written."""
    if source.name == PYPROJECT:
        return True
    text = read_text(source)
    return text is not None and CONFIGURATION not in forced and not manifest.is_unedited(CONFIGURATION, text)


def _refuse_changes(source: Path, request: Request) -> None:
    if request.changes_configuration:
        why = "holds [tool.mlmetrics]" if source.name == PYPROJECT else "was edited"
        raise ConfigurationError(
            f"{source}: {why}, and --service, --leave-out, --title, --notify and --url would "
            "overwrite that; change the file instead"
        )


def _proposed(
    directory: Path, source: Path, found: Survey, manifest: Manifest, request: Request
) -> tuple[Draft, str, Manifest, Reading, list[str]]:
    """Return the services, the configuration for them, the manifest with the answers, and what is recorded."""
    answers, drafted = _answered(found, Answers.read(manifest.answers), request)
    _refuse_nothing(directory, drafted)
    asked = None if answers.nobody_told else request.ask_receivers
    told = chosen_receivers(request.notified, source, asked or list)
    if asked is not None and not any(told.named()):
        answers = replace(answers, nobody_told=True)
    answers, reading = recorded_operations(found, answers, request.urls)
    project, folder = directory.resolve().name, manifest.folder
    text = toml_text(
        project,
        answers.title or f"{project} ML/AI Performance",
        drafted.services,
        receivers=told,
        operations=reading.operations,
        requests=reading.requests,
        apps=found.apps,
        folder=folder,
        runbooks=address_of(directory / folder / "runbooks"),
    )
    problems = [*drafted.problems, *(_replaced(found) if answers.alone and request.named else ())]
    return drafted, text, replace(manifest, answers=answers.data(manifest.answers)), reading, problems


def _answered(found: Survey, answers: Answers, request: Request) -> tuple[Answers, Draft]:
    """Return the answers with those of the flags and of the user, and the services that follow from them."""
    named = [parse_service(each) for each in request.named]
    answers = answers.with_flags(named, request.left_out, draft(found, answers).keys)
    answers = replace(answers, title=request.title or answers.title)
    drafted = draft(found, answers)
    while request.review is not None and drafted.questions:
        answers = answers.with_services(request.review(drafted))
        drafted = draft(found, answers)
    return answers, drafted


def _refuse_nothing(directory: Path, drafted: Draft) -> None:
    if not drafted.services and drafted.problems:
        raise ConfigurationError(f"{directory}: no service is without a clash: {'; '.join(drafted.problems)}")
    if not drafted.services:
        raise ConfigurationError(
            f"{directory}: no FastAPI application found; expected a `FastAPI(...)` in some .py file, "
            "or services by name: --service NAME=PORT"
        )


def _changes(
    directory: Path,
    texts: Mapping[str, str],
    manifest: Manifest,
    forced: Sequence[str],
    is_about: Callable[[str], bool],
) -> list[Change]:
    """Return the change of each file; `skipped` is that of a file that this run is not about."""

    def may_be_written(name: str, present: str, rendered: str | None) -> bool:
        return name in forced or manifest.is_unedited(name, present, rendered)

    changes = plan(directory, texts, may_be_written, manifest.hashes)
    known = {change.name for change in changes}
    for name in forced:
        if name not in known:
            raise ConfigurationError(f"--force = {name!r}: expected a file that `mlmetrics init` writes")
    return [change if is_about(change.name) else replace(change, status="skipped") for change in changes]


def _name_of(path: Path, directory: Path) -> str:
    """Return the path of a file in the project; it is given from there or from the current folder."""
    root = directory.resolve()
    given = path.resolve()
    inside = given.is_relative_to(root) and (given.exists() or not (directory / path).exists())
    return (given.relative_to(root) if inside else path).as_posix()


def _replaced(found: Survey) -> Iterator[str]:
    """Yield the applications that services which are given by name replace."""
    for app in found.apps:
        name = found.names.get(app.key, app.service)
        yield f"{name} ({app.path.as_posix()}:{app.line}) is left out, since --service names others than what is found"


def _server_clashes(config: Config, found: Survey) -> Iterator[str]:
    """Yield the servers of the rendered composition whose ports other containers of the project publish."""
    for name, port in {**PORTS, "grafana": grafana_port(config)}.items():
        if port in found.foreign:
            settled = "set [project] grafana to another port" if name == "grafana" else "run one of the two"
            yield f"port {port} of the rendered {name} is published by {found.foreign[port]} too; {settled}"
