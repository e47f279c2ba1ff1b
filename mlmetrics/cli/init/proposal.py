"""Proposed services: a name and an address for each application that was found."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from mlmetrics.cli.init.discovery import App
from mlmetrics.cli.init.ports import PortUse, port_of
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.deploy.compose import GRAFANA_PORT, LOOPBACK, PORTS

_FIRST_PORT, _LAST_PORT = 8000, 65535
_GENERIC_FOLDERS = {
    "api",
    "app",
    "application",
    "apps",
    "asgi",
    "backend",
    "main",
    "packages",
    "server",
    "services",
    "src",
}
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A service: its name, its target, and the application behind it if one was found."""

    name: str
    target: str
    app: App | None = None


def propose(apps: Sequence[App], uses: list[PortUse], project: str) -> list[Proposal]:
    """Return a proposal for each application, with different names and ports."""
    known = {port for app in apps if (port := port_of(app, uses)) is not None}
    taken = {*PORTS.values(), GRAFANA_PORT, *known}
    free = iter(port for port in range(_FIRST_PORT, _LAST_PORT) if port not in taken)
    proposals: list[Proposal] = []
    for app in apps:
        name = _unique(_name(app, project), {each.name for each in proposals})
        port = port_of(app, uses) or next(free)
        proposals.append(Proposal(name, f"{LOOPBACK}:{port}", app))
    return proposals


def parse_service(text: str) -> Proposal:
    """Return the service that NAME=PORT or NAME=HOST:PORT names.

    Raises:
        ConfigurationError: The text has another form.
    """
    name, equals, address = text.rpartition("=")
    host, _, port = address.rpartition(":")
    if not equals or not port.isdecimal() or not 0 < int(port) <= _LAST_PORT:
        raise ConfigurationError(f"--service = {text!r}: expected NAME=PORT or NAME=HOST:PORT, such as billing=8000")
    return Proposal(check_name(name), f"{host or LOOPBACK}:{int(port)}")


def check_name(name: str) -> str:
    """Return a service's name if it is valid for containers, pods and addresses.

    Raises:
        ConfigurationError: The name is not valid; the message proposes a valid one.
    """
    if _NAME.fullmatch(name) is None:
        raise ConfigurationError(
            f"service name {name!r}: expected 1 to 63 letters without accents, digits, '.', '_' and '-'; "
            f"for example {slug(name) or 'my-service'!r}"
        )
    return name


def slug(text: str) -> str:
    """Return a text as a service's name.

    >>> slug("Service de Facturation (été)")
    'service-de-facturation-ete'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:63].rstrip("-")


def _name(app: App, project: str) -> str:
    if _NAME.fullmatch(app.service):
        return app.service  # the label `service` of its metrics
    folders = list(app.path.parents)[:-1]
    own = [folder.name for folder in folders if folder.name not in _GENERIC_FOLDERS]
    return slug(app.title) or slug(own[0] if own else "") or slug(project) or "service"


def _unique(name: str, taken: set[str]) -> str:
    names = [name, *(f"{name}-{number}" for number in range(2, len(taken) + 2))]
    return next(each for each in names if each not in taken)
