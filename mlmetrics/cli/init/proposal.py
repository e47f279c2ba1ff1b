"""Proposed services: a name and an address, the application behind it, and whether the address is a guess."""

import re
import unicodedata
from dataclasses import dataclass

from mlmetrics.cli.init.reading.applications import App
from mlmetrics.cli.init.reading.evidence import LAST_PORT
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.deploy.compose import LOOPBACK

ANSWERED = "given"
"""Where the port is from if the user has said it."""
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A service: its name, its target, the application behind it if one was found, and where the port is from."""

    name: str
    target: str
    app: App | None = None
    confirmed: bool = True
    why: str = ""

    @property
    def port(self) -> int:
        """The port of the target."""
        return int(self.target.rpartition(":")[2])

    @property
    def is_local(self) -> bool:
        """Whether the target is on this machine."""
        return self.target.rpartition(":")[0] in (LOOPBACK, "localhost")


def parse_service(text: str) -> Proposal:
    """Return the service that NAME=PORT or NAME=HOST:PORT names.

    Raises:
        ConfigurationError: The text has another form.
    """
    name, equals, address = text.rpartition("=")
    host, _, port = address.rpartition(":")
    if not equals or not port.isdecimal() or not 0 < int(port) <= LAST_PORT:
        raise ConfigurationError(f"--service = {text!r}: expected NAME=PORT or NAME=HOST:PORT, such as billing=8000")
    return Proposal(check_name(name), f"{host or LOOPBACK}:{int(port)}", why=ANSWERED)


def is_name(name: str) -> bool:
    """Tell whether a name is valid for containers, pods and addresses."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> str:
    """Return a service's name if it is valid for containers, pods and addresses.

    Raises:
        ConfigurationError: The name is not valid; the message proposes a valid one.
    """
    if not is_name(name):
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
