"""What was found in a project: its applications with their names and ports, and the ports of its other containers."""

from dataclasses import dataclass
from pathlib import Path

from mlmetrics.cli.init.names import name_services
from mlmetrics.cli.init.operations import Reading, read_operations
from mlmetrics.cli.init.ports import Port, Ports
from mlmetrics.cli.init.reading.applications import App, Applications
from mlmetrics.cli.init.reading.instrumented import with_instrumentation
from mlmetrics.cli.init.reading.source import Source
from mlmetrics.cli.init.reading.values import Values


@dataclass(frozen=True, slots=True)
class Survey:
    """The applications, and by the key of each its name and its port; `foreign` are ports of other containers.

    `recorded` are the operations that the source records.
    """

    apps: list[App]
    names: dict[str, str]
    ports: dict[str, Port]
    foreign: dict[int, str]
    recorded: Reading


def survey(directory: Path) -> Survey:
    """Read a project; nothing of it is imported or run."""
    source = Source(directory)
    applications, values = Applications(source), Values(source)
    apps = with_instrumentation(applications, values)
    ports = Ports(applications, values)
    titles = {key: values.find(title, module) for key, (module, title) in applications.titles.items()}
    known = {key: str(found.value) for key, found in titles.items() if found is not None}
    own = {container.name for app in apps if (container := ports.container_of(app)) is not None}
    foreign = {
        host: f"{container.name} of docker compose ({container.place(host)})"
        for container in ports.containers
        if container.name not in own
        for host in container.published.values()
    }
    return Survey(
        apps,
        name_services(apps, known, directory.resolve().name),
        {app.key: ports.of(app) for app in apps},
        foreign,
        read_operations(source),
    )
