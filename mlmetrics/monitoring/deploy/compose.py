"""`docker-compose.yml`: the servers, and the services that name a module to run.

All of them share the host's network and listen on loopback only, so that one `prometheus.yml`
serves containers and processes alike, and nothing is reachable from outside.
"""

from urllib.parse import urlsplit

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.deploy.containers import HARDENED, LOOPBACK, PORTS, VOLUMES, Container, health, servers
from mlmetrics.monitoring.text import yaml_text

ENVIRONMENT = """\
# Copy to .env, and choose a password of your own wherever others can reach this machine.
GRAFANA_ADMIN_USER=admin
GRAFANA_ADMIN_PASSWORD=admin123
"""
_GRAFANA_PORT = 3001


def compose_text(config: Config) -> str:
    """Return the file.

    Raises:
        ConfigurationError: Two programs want one port, or a port is no number.
    """
    refuse_clashes(config)
    containers = servers(config, grafana_port(config))
    for service in config.services:
        if service.module:
            containers[service.name] = _service(service.module, service.targets[0])
    for container in containers.values():
        container["network_mode"] = "host"
    return yaml_text({"name": config.name, "services": containers, "volumes": VOLUMES})


def grafana_port(config: Config) -> int:
    """Return the port of Grafana's address in the configuration."""
    try:
        return urlsplit(config.grafana).port or _GRAFANA_PORT
    except ValueError as error:
        message = f"project.grafana = {config.grafana!r}: {error}; expected an address such as http://localhost:3001"
        raise ConfigurationError(message) from error


def refuse_clashes(config: Config) -> None:
    """Raise if two programs of this machine want one port."""
    taken = {port: name for name, port in PORTS.items()} | {grafana_port(config): "grafana"}
    for service in config.services:
        for target in service.targets:
            host, _, text = target.rpartition(":")
            if not text.isdecimal():
                message = f"service.targets = {target!r}: expected host:port with a number"
                raise ConfigurationError(message)
            if host not in (LOOPBACK, "localhost"):
                continue
            if int(text) in taken:
                message = f"port {text} is wanted by {taken[int(text)]} and by {service.name}: expected one for each"
                raise ConfigurationError(message)
            taken[int(text)] = service.name


def _service(module: str, target: str) -> Container:
    asked = f"import urllib.request as u; u.urlopen('http://{target}/metrics', timeout=3)"
    return {
        "build": ".",
        **HARDENED,
        "tmpfs": ["/tmp"],  # noqa: S108 - a mount of the container
        "command": ["python", "-m", module],
        "healthcheck": health(["python", "-c", asked]) | {"start_period": "60s"},
    }
