"""The Compose file: valid, pinned, hardened and on loopback; clashes of ports are refused."""

import json
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.config import Service
from mlmetrics.monitoring.deploy.compose import PORTS, compose_files, compose_text
from mlmetrics.monitoring.loading import load
from tests.monitoring.configurations import CONFIGURATIONS

ROOT = Path(__file__).parents[3]
CONFIG = load(ROOT / "mlmetrics.toml")
TEXT = compose_text(CONFIG)
DOCUMENT: dict[str, Any] = yaml.safe_load(TEXT)
CONTAINERS: dict[str, dict[str, Any]] = DOCUMENT["services"]
SERVERS = {"prometheus", "alertmanager", "node-exporter", "grafana"}

containers = pytest.mark.parametrize("container", CONTAINERS.values(), ids=list(CONTAINERS))


def schema() -> dict[str, Any]:
    """Return the Compose specification's own schema, as check-jsonschema ships it."""
    path = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


class TestSchema:
    """The file is valid by the Compose specification."""

    def test_fits(self) -> None:
        """Every key and value is allowed."""
        validator = jsonschema.validators.validator_for(schema())(schema())
        assert [] == list(validator.iter_errors(DOCUMENT))

    def test_schema_refuses(self) -> None:
        """The schema refuses a key that Compose does not know."""
        broken = {**DOCUMENT, "services": {"x": {"image": "y", "health_check": {}}}}
        with pytest.raises(jsonschema.ValidationError, match="health_check"):
            jsonschema.validate(broken, schema())


class TestContainers:
    """Every container is pinned and hardened, and listens on loopback."""

    def test_all_are_there(self) -> None:
        """The four servers and the four services."""
        assert SERVERS | {service.name for service in CONFIG.services} == set(CONTAINERS)

    @containers
    def test_is_hardened(self, container: dict[str, Any]) -> None:
        """Containers are read-only, without capabilities or new privileges, and have a healthcheck."""
        assert container["read_only"] is True
        assert ["ALL"] == container["cap_drop"]
        assert ["no-new-privileges:true"] == container["security_opt"]
        assert {"test", "interval", "timeout", "retries"} <= set(container["healthcheck"])

    @containers
    def test_is_not_root(self, container: dict[str, Any]) -> None:
        """No container runs as root: servers have a user of their own, services that of the image."""
        users = re.findall(r"^USER (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        user = container.get("user", users[-1])
        assert int(user.partition(":")[0]) > 0

    @containers
    def test_is_pinned(self, container: dict[str, Any]) -> None:
        """Images have a full version, and so has the base image of the services."""
        base = re.findall(r"^FROM (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        assert re.search(r":v?\d+\.\d+", container.get("image", base[0]))

    @containers
    def test_listens_on_loopback(self, container: dict[str, Any]) -> None:
        """Containers share the host's network, so that all listen on 127.0.0.1, and no port is published."""
        assert "host" == container["network_mode"]
        assert "ports" not in container
        listened = [word for word in container.get("command", []) if "listen-address=" in word]
        told = [word for word in listened if not word.endswith("cluster.listen-address=")]
        assert all("=127.0.0.1:" in word for word in told)

    def test_prometheus(self) -> None:
        """Prometheus keeps metrics for 30 days, and stores exemplars."""
        command = CONTAINERS["prometheus"]["command"]
        assert "--storage.tsdb.retention.time=30d" in command
        assert "--enable-feature=exemplar-storage" in command

    def test_mounts_exist(self) -> None:
        """Every file and folder that is mounted is committed."""
        mounts = [volume for each in CONTAINERS.values() for volume in each.get("volumes", [])]
        sources = [mount.partition(":")[0] for mount in mounts]
        assert not [source for source in sources if source.startswith("./") and not (ROOT / source).exists()]
        named = {source for source in sources if not source.startswith((".", "/"))}
        assert set(DOCUMENT["volumes"]) == named

    def test_grafana(self) -> None:
        """Grafana listens on 3001; without a password in the environment it does not start."""
        environment = CONTAINERS["grafana"]["environment"]
        assert ("127.0.0.1", "3001") == (environment["GF_SERVER_HTTP_ADDR"], environment["GF_SERVER_HTTP_PORT"])
        assert environment["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_ADMIN_PASSWORD:?")
        assert "GRAFANA_ADMIN_PASSWORD=" in compose_files(CONFIG)[".env.example"]
        assert "ADMIN_PASSWORD=" not in TEXT

    def test_files_with_secrets(self) -> None:
        """Alertmanager alone sees each file at its own path, to read; Compose expands nothing in the path."""
        config = CONFIGURATIONS["clusters"]
        document = yaml.safe_load(compose_text(replace(config, services=())))
        jsonschema.validate(document, schema())
        mounts = [each for each in document["services"]["alertmanager"]["volumes"] if isinstance(each, dict)]
        assert config.receivers.files() == [each["target"].replace("$$", "$") for each in mounts]
        assert all(each["source"] == each["target"] and each["read_only"] for each in mounts)
        assert not any(each["bind"]["create_host_path"] for each in mounts)
        assert "/run/secrets" not in json.dumps({**document["services"], "alertmanager": {}})

    def test_text_of_the_configuration_stays_text(self) -> None:
        """Dollar signs and quotes in names and addresses are neither replaced nor read as YAML."""
        odd = "http://localhost:3001/$loopback: 'x' # y"
        service = Service(name="$prometheus: [1]", targets=("127.0.0.1:5099",), module="a.$target")
        document = yaml.safe_load(compose_text(replace(CONFIG, name="$grafana", grafana=odd, services=(service,))))
        assert "$grafana" == document["name"]
        assert odd == document["services"]["grafana"]["environment"]["GF_SERVER_ROOT_URL"]
        assert ["python", "-m", "a.$target"] == document["services"]["$prometheus: [1]"]["command"]

    @pytest.mark.parametrize("name", PORTS)
    def test_servers_listen_where_they_are_asked(self, name: str) -> None:
        """The port of a server is the port of its healthcheck."""
        container = CONTAINERS[name]
        assert f"--web.listen-address=127.0.0.1:{PORTS[name]}" in container["command"]
        assert container["healthcheck"]["test"][-1].startswith(f"http://127.0.0.1:{PORTS[name]}/")

    def test_services_run_what_is_there(self) -> None:
        """Each service's module exists, and serves on the address that is scraped."""
        for service in CONFIG.services:
            container = CONTAINERS[service.name]
            assert ["python", "-m", service.module] == container["command"]
            assert (ROOT / (service.module.replace(".", "/") + ".py")).is_file()
            assert f"http://{service.targets[0]}/metrics" in container["healthcheck"]["test"][-1]


class TestDockerfile:
    """The image of the services."""

    def test_copies_what_is_there(self) -> None:
        """Every file and folder that is copied into the image is committed."""
        copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        assert copied
        assert not [name for names in copied for name in names.split() if not (ROOT / name).exists()]


class TestBadInput:
    """Configurations whose servers could not start are refused."""

    @pytest.mark.parametrize("target", ["127.0.0.1:5050", "localhost:9090", "127.0.0.1:3001"])
    def test_ports_that_clash(self, target: str) -> None:
        """If two programs use one port, the message names the port and both programs."""
        services = (*CONFIG.services, Service(name="late", targets=(target,)))
        with pytest.raises(ConfigurationError, match=rf"port {target.rpartition(':')[2]} is used by \S+ and by late"):
            compose_text(replace(CONFIG, services=services))

    def test_same_port_elsewhere(self) -> None:
        """The same port on another machine is allowed."""
        services = (*CONFIG.services, Service(name="far", targets=("10.0.0.7:5050",)))
        assert "far" not in compose_text(replace(CONFIG, services=services))

    @pytest.mark.parametrize("target", ["127.0.0.1:http", "127.0.0.1:"])
    def test_port_that_is_no_number(self, target: str) -> None:
        """A target without a port number is named."""
        with pytest.raises(ConfigurationError, match="expected host:port"):
            compose_text(replace(CONFIG, services=(Service(name="odd", targets=(target,)),)))

    def test_address_of_grafana(self) -> None:
        """An invalid address is named."""
        with pytest.raises(ConfigurationError, match=r"project\.grafana"):
            compose_text(replace(CONFIG, grafana="http://localhost:99999999"))
