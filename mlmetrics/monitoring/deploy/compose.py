"""`docker-compose.yml`: the servers, and the services whose configuration names a module to run.

All containers use the host's network and listen on loopback only. So the same `prometheus.yml` works
for containers and for processes, and nothing can be reached from outside.
"""

from importlib.resources import files
from string import Template
from typing import Any
from urllib.parse import urlsplit

import yaml

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana.provisioning import DASHBOARDS_PATH, PROVISIONING_PATH
from mlmetrics.monitoring.text import yaml_text

LOOPBACK = "127.0.0.1"
PORTS = {"prometheus": 9090, "alertmanager": 9093, "node-exporter": 9100}
GRAFANA_PORT = 3001
TEMPLATES = files("mlmetrics.monitoring.deploy") / "templates"

Container = dict[str, Any]


def compose_files(config: Config) -> dict[str, str]:
    """Return the composition and the example of its environment.

    Raises:
        ConfigurationError: Two programs would use the same port, or a port is not a number.
    """
    return {
        "docker-compose.yml": compose_text(config),
        ".env.example": (TEMPLATES / "env.example").read_text(encoding="utf-8"),
    }


def compose_text(config: Config) -> str:
    """Return the composition; raises as `compose_files` does."""
    refuse_clashes(config)
    document = _template(config)
    hardened, healthcheck, skeleton = (document.pop(key) for key in ("x-hardened", "x-healthcheck", "x-service"))
    containers: dict[str, Container] = document["services"]
    containers["grafana"]["environment"]["GF_SERVER_ROOT_URL"] = config.grafana
    containers["alertmanager"]["volumes"] += [_secret_mount(path) for path in config.receivers.files()]
    for service in config.services:
        if service.module:
            containers[service.name] = _service(skeleton, service.module, service.targets[0])
    complete = {name: _complete(container, hardened, healthcheck) for name, container in containers.items()}
    return yaml_text(document | {"name": config.name, "services": complete})


def _template(config: Config) -> dict[str, Any]:
    """Return the template with ports and paths; texts of the configuration are added after parsing."""
    ports = {name.replace("-", "_"): port for name, port in PORTS.items()} | {"grafana": grafana_port(config)}
    paths = {"dashboards": DASHBOARDS_PATH, "provisioning": PROVISIONING_PATH}
    text = (TEMPLATES / "docker-compose.yml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(Template(text).substitute(ports, loopback=LOOPBACK, **paths))
    return document


def _secret_mount(path: str) -> Container:
    """Return the mount of a file with a secret, at its own path; without the file, the container does not start."""
    text = path.replace("$", "$$")  # Compose would expand a name after it
    return {"type": "bind", "source": text, "target": text, "read_only": True, "bind": {"create_host_path": False}}


def _service(skeleton: Container, module: str, target: str) -> Container:
    *words, request = skeleton["healthcheck"]["test"]
    test = [*words, Template(request).substitute(target=target)]
    return skeleton | {
        "command": [*skeleton["command"], module],
        "healthcheck": skeleton["healthcheck"] | {"test": test},
    }


def _complete(container: Container, hardened: Container, healthcheck: Container) -> Container:
    """Return a container with the settings that all containers share, its image first and its network last."""
    first = {key: container[key] for key in ("build", "image", "user") if key in container}
    own = container["healthcheck"]
    complete = {"healthcheck": {"test": own["test"]} | healthcheck | own, "network_mode": "host"}
    return first | hardened | container | complete


def grafana_port(config: Config) -> int:
    """Return the port of Grafana's address in the configuration."""
    try:
        return urlsplit(config.grafana).port or GRAFANA_PORT
    except ValueError as error:
        raise ConfigurationError(
            f"project.grafana = {config.grafana!r}: {error}; expected an address such as http://localhost:3001"
        ) from error


def refuse_clashes(config: Config) -> None:
    """Raise if two programs on this machine would use the same port."""
    taken = {port: name for name, port in PORTS.items()} | {grafana_port(config): "grafana"}
    for service in config.services:
        for target in service.targets:
            host, _, text = target.rpartition(":")
            if not text.isdecimal():
                raise ConfigurationError(f"service.targets = {target!r}: expected host:port with a number")
            if host not in (LOOPBACK, "localhost"):
                continue
            if int(text) in taken:
                raise ConfigurationError(
                    f"port {text} is used by {taken[int(text)]} and by {service.name}: expected a port for each"
                )
            taken[int(text)] = service.name
