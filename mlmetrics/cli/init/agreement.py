"""Whether an edited configuration and the source of the project name the same services and operations."""

from collections.abc import Iterator, Sequence

from mlmetrics.catalog import OPERATIONS, Operation
from mlmetrics.cli.init.draft import Draft
from mlmetrics.cli.init.operations import Recorded, toml_lines
from mlmetrics.cli.init.proposal import Proposal
from mlmetrics.cli.init.requests import KEYS, InRequests
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.operations import Requests


def disagreements(configured: Sequence[Operation], recorded: Sequence[Recorded]) -> Iterator[str]:
    """Yield what is recorded and not configured, and the reverse, each with what to do.

    Args:
        configured: the operations that the configuration has in use.
        recorded: those that were found in the source.

    Raises:
        ConfigurationError: an operation of the project's own has other labels in the source; its series would
            fit no rule.
    """
    if tuple(configured) == OPERATIONS and recorded:
        lines = "\n".join(f"    {line}" for line in toml_lines(recorded) if line)
        yield f"the configuration does not say what is recorded, so everything is rendered; add\n{lines}"
        return
    by_name = {operation.name: operation for operation in configured}
    for each in recorded:
        operation = by_name.get(each.row.name)
        if operation is None:
            lines = "\n".join(f"    {line}" for line in toml_lines([each]) if line)
            yield f"the code records {each.row.name}, which the configuration does not name; add\n{lines}"
        elif not each.row.ships:
            _refuse_other_labels(operation, each)
        elif missing := sorted(each.parts - operation.parts):
            records = ", ".join(f'"{part}"' for part in sorted(operation.parts | each.parts))
            yield (
                f"the code records {', '.join(missing)} of {each.row.name}, which the configuration leaves out; "
                f"write records = [{records}]"
            )
    found = {each.row.name for each in recorded}
    for operation in configured:
        if operation.name not in found:
            yield (
                f"the configuration names {operation.name}, which nothing in the code records: its alerts cannot fire "
                "and its panels stay empty; remove its [[operation]], unless a service elsewhere records it"
            )


def other_requests(configured: Requests, found: InRequests) -> Iterator[str]:
    """Yield what is recorded of requests and not configured, and the reverse, each with what to do."""
    for key in KEYS:
        is_configured = bool(getattr(configured, key))
        if key in found and not is_configured:
            files = ", ".join(sorted(path.as_posix() for path in found[key]))
            yield (
                f"the code records {key} ({files}), which the configuration leaves out; "
                f"write {key} = true in [requests]"
            )
        elif is_configured and key not in found:
            yield (
                f"[requests] says {key} = true, and nothing in the code records them: their panels stay empty; "
                "remove the key, unless a service elsewhere records them"
            )


def _refuse_other_labels(operation: Operation, recorded: Recorded) -> None:
    source, configured = recorded.row, operation
    if set(source.labels) != set(configured.labels) or (source.score is None) != (configured.score is None):
        files = ", ".join(str(path) for path in sorted(recorded.files))
        raise ConfigurationError(
            f"operation {source.name}: the configuration and the code ({files}) declare it differently: "
            f"labels {list(configured.labels)} and {list(source.labels)}, "
            f"score {_yes_or_no(configured)} and {_yes_or_no(source)}; make them the same"
        )


def _yes_or_no(operation: Operation) -> str:
    return "no" if operation.score is None else "yes"


def with_apps(config: Config, drafted: Draft) -> list[Proposal]:
    """Return the services, each with the application that was found by its name or its port."""
    found = [*drafted.services, *(each.proposal for each in drafted.questions)]
    by_name = {each.name: each for each in reversed(found)}
    by_target = {each.target: each for each in reversed(found)}
    services: list[Proposal] = []
    for service in config.services:
        target = service.targets[0]
        near = by_target.get(target) or by_name.get(service.name)
        same = near is not None and near.target == target and near.confirmed == service.confirmed
        why = near.why if near is not None and same else ""
        services.append(Proposal(service.name, target, near.app if near is not None else None, service.confirmed, why))
    return services


def unnamed(config: Config, drafted: Draft, file: str) -> Iterator[str]:
    """Yield the applications that an edited configuration does not name."""
    targets = {target for service in config.services for target in service.targets}
    for each in drafted.services:
        if each.app is not None and each.target not in targets and each.name not in config.jobs:
            place = f"{each.app.path.as_posix()}:{each.app.line}"
            yield f"{each.name} ({place}) is not in {file}, which you edited; add a [[service]] if it is to be watched"


def renamed(config: Config, drafted: Draft, file: str) -> Iterator[str]:
    """Yield the services that an edited configuration names otherwise than their code does."""
    for service in with_apps(config, drafted):
        app = service.app
        if app is not None and app.service and app.service not in config.jobs:
            yield (
                f"{service.name} is {app.service} in the code ({app.path.as_posix()}:{app.line}), a name that {file} "
                "does not have: objectives of its calls never fire; give both the same name"
            )
