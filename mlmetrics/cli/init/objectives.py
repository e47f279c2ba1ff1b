"""The objectives that `mlmetrics init` writes: of each service, for its requests and for what it records."""

from collections.abc import Sequence

from mlmetrics.cli.init.operations import Recorded
from mlmetrics.cli.init.owners import owners_of
from mlmetrics.cli.init.proposal import Proposal
from mlmetrics.cli.init.reading.applications import App
from mlmetrics.monitoring.starter import starter_objectives


def objectives_text(services: Sequence[Proposal], operations: Sequence[Recorded], apps: Sequence[App]) -> str:
    """Return `[[objective]]` sections; an operation is that of the service in whose folder the code records it.

    Args:
        services: the services that are written.
        operations: what is recorded.
        apps: every application of the project, also those that are left out or not settled.
    """
    return "\n".join(
        starter_objectives(
            [each.operation for each in operations if each.calls and _records(service, services, each, apps)],
            [service.name],
        )
        for service in services
    )


def _records(service: Proposal, services: Sequence[Proposal], recorded: Recorded, apps: Sequence[App]) -> bool:
    """Whether an operation is that of a service; what is nobody's is that of the only one."""
    owners = [owners_of(path, apps) for path in recorded.files]
    if any(each == [service.app] for each in owners):
        return True
    is_shared = not owners or service.app is None or any(not each or service.app in each for each in owners)
    return len(services) == 1 and is_shared
