"""`mlmetrics init` on three projects: services are found, instrumented with the printed lines, and scraped."""

import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from click.testing import CliRunner

from mlmetrics.cli.root import main
from tests.apps import UvicornServer
from tests.cli.init.projects import PROJECTS
from tests.programs import free_port
from tests.servers import Prometheus

names = pytest.mark.parametrize("name", list(PROJECTS))


def run(*arguments: object) -> Any:
    """Run the command; what it prints on standard output is JSON."""
    done = CliRunner().invoke(main, ["init", *map(str, arguments), "--json"])
    assert 0 == done.exit_code, done.output
    return json.loads(done.stdout)


@pytest.fixture
def written(name: str, tmp_path: Path) -> tuple[Path, dict[str, int]]:
    """Return the folder of a project and the ports of its services."""
    root = tmp_path / name
    return root, PROJECTS[name].write(root, free_port)


@names
class TestWithoutQuestions:
    """Without questions, services, names and ports come from the project itself."""

    def test_finds_services(self, name: str, written: tuple[Path, dict[str, int]]) -> None:
        """Each application is found, with a name from the project and the port that it is served on."""
        root, ports = written
        found = {service["name"]: service["target"] for service in run(root)["services"]}
        assert {service: f"127.0.0.1:{port}" for service, port in ports.items()} == found

    def test_writes_everything(self, name: str, written: tuple[Path, dict[str, int]]) -> None:
        """Configuration, rules, dashboards, provisioning and Compose file are written; other files do not change."""
        root, ports = written
        before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        statuses = run(root)["files"]
        assert {"new"} == set(statuses.values())
        assert not [file for file in statuses if not (root / file).is_file()]
        assert before == {path: path.read_bytes() for path in before}
        named = re.findall(r"runbook_url: (\S+)", (root / "monitoring/prometheus/rules/alerts.yml").read_text())
        assert len(named) > 10
        assert not [runbook for runbook in named if not (root / runbook).is_file()]
        scraped = yaml.safe_load((root / "monitoring/prometheus/prometheus.yml").read_text())["scrape_configs"]
        assert {*ports, "node"} == {job["job_name"] for job in scraped}


def instrument(root: Path, service: dict[str, Any]) -> None:
    """Add the printed lines at the printed place."""
    where, _, rest = service["where"].partition(", below line ")
    line = int(rest.partition(",")[0])
    imported, call = service["lines"]
    path = root / where
    lines = path.read_text(encoding="utf-8").splitlines()
    statement = next(text for text in reversed(lines[:line]) if "FastAPI(" in text or "Application(" in text)
    indent = statement[: len(statement) - len(statement.lstrip())]
    future = next((index + 1 for index, text in enumerate(lines) if text.startswith("from __future__")), 0)
    path.write_text("\n".join([*lines[:future], imported, *lines[future:line], indent + call, *lines[line:], ""]))


class TestScraping:
    """The rendered configuration works."""

    def test_rendered_prometheus_scrapes_them(self, tmp_path: Path) -> None:
        """With the printed lines added, each project's Prometheus finds its services up, and their requests."""
        with ExitStack() as started:
            watchers: list[tuple[Prometheus, str]] = []
            for name, project in PROJECTS.items():
                root = tmp_path / name
                ports = project.write(root, free_port)
                for service in run(root)["services"]:
                    instrument(root, service)
                for service, (app, folder, args) in project.starts.items():
                    place = ("--app-dir", str(root / folder), *args)
                    server = UvicornServer(app, port=ports[service], args=place, ready_path="/hello")
                    started.enter_context(server)
                    assert httpx.codes.OK == httpx.get(f"{server.url}/metrics", trust_env=False).status_code
                watcher = started.enter_context(rendered_prometheus(root / "monitoring" / "prometheus"))
                watchers += [(watcher, service) for service in ports]
            for watcher, service in watchers:
                watcher.wait_for(f'up{{job="{service}"}} == 1')
                asked = f'sum(fastapi_requests_total{{service="{service}",job="{service}",route="/hello"}}) >= 1'
                assert watcher.wait_for(asked)


def rendered_prometheus(folder: Path) -> Prometheus:
    """Return a Prometheus that reads a rendered folder."""
    rules = {str(path.relative_to(folder)): path.read_text() for path in folder.glob("rules/*.yml")}
    assert rules
    return Prometheus((folder / "prometheus.yml").read_text(), rules)
