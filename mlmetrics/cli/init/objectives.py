"""The objectives that `mlmetrics init` writes: of each service, for its requests and for what it records."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mlmetrics.cli.init.operations import Recorded
from mlmetrics.cli.init.proposal import Proposal
from mlmetrics.monitoring.starter import starter_objectives


def objectives_text(services: Sequence[Proposal], operations: Sequence[Recorded]) -> str:
    """Return `[[objective]]` sections; an operation is that of the service in whose folder the code records it."""
    return "\n".join(
        starter_objectives([each.operation for each in _recorded_by(service, services, operations)], [service.name])
        for service in services
    )


def _recorded_by(service: Proposal, services: Sequence[Proposal], operations: Sequence[Recorded]) -> Iterator[Recorded]:
    for recorded in operations:
        if not recorded.calls:
            continue
        if len(services) == 1 or any(_owners(path, services) == [service] for path in recorded.files):
            yield recorded


def _owners(path: Path, services: Sequence[Proposal]) -> list[Proposal]:
    """Return the services to which a file belongs: that in the file itself, else those in the nearest folder."""
    own = [each for each in services if each.app is not None and each.app.path == path]
    folders = {each: each.app.path.parent for each in services if each.app is not None}
    around = [each for each in folders if path.is_relative_to(folders[each])]
    nearest = max((len(folders[each].parts) for each in around), default=0)
    return own or [each for each in around if len(folders[each].parts) == nearest]
