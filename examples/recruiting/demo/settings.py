"""The settings of the demo from the environment, and the check that its ports are free."""

import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from examples.recruiting.addresses import HOST, STARTED

PROMETHEUS_PORT = 9090
LIVE_PORT = 5080


class DemoFailure(Exception):
    """The demo cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`DURATION` (seconds of traffic), `KEEP` (stay up afterwards), the ports of Prometheus and of the live page."""

    duration_seconds: float
    keep: bool
    prometheus_port: int
    live_port: int


def read_settings() -> Settings:
    """Read the environment; `PORTS=free` moves every server to a free port."""
    if os.environ.get("PORTS") == "free":
        move_to_free_ports()
    for service in STARTED:
        _number(service.port_variable, service.default_port)
    duration = _number("DURATION", 40)
    if duration <= 0:
        raise DemoFailure(f"DURATION={duration:g}: expected a number of seconds above 0.")
    keep = os.environ.get("KEEP", "") not in ("", "0")
    return Settings(
        duration,
        keep,
        prometheus_port=int(_number("PROMETHEUS_PORT", PROMETHEUS_PORT)),
        live_port=int(_number("LIVE_PORT", LIVE_PORT)),
    )


def _number(variable: str, default: float) -> float:
    text = os.environ.get(variable) or str(default)
    try:
        return float(text) if variable == "DURATION" else int(text)
    except ValueError:
        raise DemoFailure(f"{variable}={text}: expected a number.") from None


def free_ports(count: int) -> list[int]:
    """Return ports on which nothing listens now, all different."""
    with ExitStack() as probes:
        sockets = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in sockets]


def move_to_free_ports() -> None:
    """Give every server a port of its own on which nothing listens now."""
    variables = [*(service.port_variable for service in STARTED), "PROMETHEUS_PORT", "LIVE_PORT"]
    for variable, port in zip(variables, free_ports(len(variables)), strict=True):
        os.environ[variable] = str(port)


def is_free(port: int) -> bool:
    """Say whether a server could listen on the port."""
    with socket.socket() as probe:
        # As servers do, so that connections of a previous run in TIME_WAIT do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port_for(name: str, variable: str, wanted: int, tell: Callable[[str], None]) -> int:
    """Return the wanted port, or tell that it is taken and return a free one."""
    if is_free(wanted):
        return wanted
    (port,) = free_ports(1)
    tell(f"Port {wanted} is taken, so this demo's {name} listens on {port} ({variable}).")
    return port


def check_ports() -> None:
    """Raise a `DemoFailure` that names every port that is taken."""
    taken = [service for service in STARTED if not is_free(service.port)]
    if taken:
        lines = [
            f"Port {service.port} of {service.name} is taken; "
            f"choose another, for example {service.port_variable}={service.port + 1000}."
            for service in taken
        ]
        raise DemoFailure("\n".join([*lines, "Or let the demo pick free ports: make demo PORTS=free"]))
