"""`mlmetrics init` on five projects laid out as real ones are: what it renders scrapes them and shows requests."""

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from mlmetrics.monitoring.loading import load
from mlmetrics.monitoring.verify.panel_queries import QueryResult, query_panels
from tests.cli.init.layouts import LAYOUTS
from tests.cli.init.projects import Project
from tests.cli.init.test_differences import render
from tests.cli.init.test_foreign_projects import instrument, rendered_prometheus, run
from tests.programs import HOST, Program, free_port
from tests.servers import NodeExporter

names = pytest.mark.parametrize("name", list(LAYOUTS))
GUESSES = {"chat": {"monitor"}}
SCALE = "0.1"
"""Prometheus scrapes every second then."""
_ADVICE = {
    "chat": {
        "controller": ("server/controller.py", 6),
        "worker-base": ("server/worker_base.py", 3),
        "openai-api-server": ("server/openai_api_server.py", 7),
        "monitor": ("server/monitor/leaderboard.py", 3),
    },
    "side-by-side": {
        "billing": ("services/billing/app/main.py", 2),
        "search": ("services/search/app/main.py", 2),
    },
    "full-stack": {"shop-front": ("backend/app/main.py", 8)},
    "iris": {"iris": ("serve.py", 5)},
    "ledger-service": {"ledger": ("src/ledger/api.py", 6)},
}
_SOURCES = {
    ("chat", "controller"): "a default in server/controller.py:17",
    ("chat", "openai-api-server"): "a default in server/settings.py:2",
    ("chat", "worker-base"): "a default in server/model_worker.py:10",
    ("chat", "monitor"): "made up; the project does not say it",
    ("side-by-side", "billing"): "published by billing of docker compose in docker-compose.yml:5",
    ("side-by-side", "search"): "published by search of docker compose in docker-compose.yml:11",
    ("full-stack", "shop-front"): "published by backend of docker compose in compose.override.yml:5",
    ("iris", "iris"): "a default in serve.py:15",
    ("ledger-service", "ledger"): "a default in src/ledger/settings.py:16",
}


class Service(Program):
    """A service of a project, started as its own code or its container does."""

    ready_path = "/hello"

    def __init__(self, root: Path, start: tuple[str, str, tuple[str, ...]], port: int) -> None:
        super().__init__(port=port, env={"PYTHONPATH": str(root / start[1])})
        self._root, self._start_of = root, start

    def command(self, directory: Path) -> list[str]:
        """Return the command line."""
        program, folder, arguments = self._start_of
        if ":" in program:
            place = ("--host", HOST, "--port", str(self.port), "--app-dir", str(self._root / folder))
            return [sys.executable, "-m", "uvicorn", program, *place, *arguments]
        file = str(self._root / program) if program.endswith(".py") else program
        return [sys.executable, file, *arguments]


@pytest.fixture
def written(name: str, tmp_path: Path) -> tuple[Path, dict[str, int]]:
    """Return the folder of a project and the ports of its services."""
    root = tmp_path / name
    return root, LAYOUTS[name].write(root, free_port)


@names
class TestWithoutQuestions:
    """Without questions, everything comes from the project itself."""

    def test_names_and_ports(self, name: str, written: tuple[Path, dict[str, int]]) -> None:
        """Each service has its name and its port; only what the project does not say is a guess."""
        root, ports = written
        found = {service["name"]: service for service in run(root)["services"]}
        assert set(ports) == set(found)
        assert GUESSES.get(name, set()) == {each for each, service in found.items() if not service["confirmed"]}
        sure = {each: f"127.0.0.1:{port}" for each, port in ports.items() if found[each]["confirmed"]}
        assert sure == {each: found[each]["target"] for each in sure}
        assert {each: _SOURCES[name, each] for each in found} == {each: found[each]["why"] for each in found}

    def test_advice(self, name: str, written: tuple[Path, dict[str, int]]) -> None:
        """The lines to add belong below the one that makes the application, and are not printed again."""
        root, _ = written
        services = run(root)["services"]
        for service in services:
            path, line = _ADVICE[name][service["name"]]
            assert service["where"].startswith(f"{path}, below line {line}")
            instrument(root, service)
        again = run(root)["services"]
        assert [[]] * len(services) == [service["lines"] for service in again]
        assert [service["name"] for service in services] == [service["name"] for service in again]

    def test_no_problem(self, name: str, written: tuple[Path, dict[str, int]]) -> None:
        """There is no clash to settle."""
        assert [] == run(written[0])["problems"]


@contextmanager
def traffic(urls: Sequence[str]) -> Iterator[None]:
    """Send requests to every service as long as the block lasts."""
    ended = threading.Event()

    def send() -> None:
        with httpx.Client(trust_env=False) as client:
            while not ended.wait(0.1):
                for url in urls:
                    client.get(f"{url}/hello")

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        ended.set()
        sender.join()


def set_up(root: Path, project: Project, ports: Mapping[str, int], started: ExitStack) -> list[str]:
    """Add the printed lines, settle what is a guess, render, and start the services; return their addresses."""
    for service in run(root)["services"]:
        instrument(root, service)
    found = run(root)["services"]
    guesses = [(service["name"], ports[service["name"]]) for service in found if not service["confirmed"]]
    if guesses:
        run(root, *(f"--service={guess}={port}" for guess, port in guesses))
    exporter = started.enter_context(NodeExporter())
    path = root / "mlmetrics.toml"
    path.write_text(path.read_text().replace("127.0.0.1:9100", f"127.0.0.1:{exporter.port}"))
    done = render(root, "--time-scale", SCALE)
    assert 0 == done.exit_code, done.output
    services = [Service(root, start, ports[name]) for name, start in project.starts.items()]
    return [started.enter_context(service).url for service in services]


@names
def test_rendered_monitoring_works(name: str, written: tuple[Path, dict[str, int]]) -> None:
    """The rendered Prometheus finds every target up at the port that was found, and the panels show the requests."""
    root, ports = written
    with ExitStack() as started:
        urls = set_up(root, LAYOUTS[name], ports, started)
        prometheus = started.enter_context(rendered_prometheus(root / "monitoring" / "prometheus"))
        started.enter_context(traffic(urls))
        for service in ports:
            prometheus.wait_for(f'up{{job="{service}"}} == 1')
            rate = (
                f'rate(fastapi_requests_total{{service="{service}",job="{service}",route="/hello",status="200"}}[6s])'
            )
            prometheus.wait_for(f"{rate} > 0")
        prometheus.wait_for('up{job="node"} == 1')
        assert {*ports, "node"} == {target["labels"]["job"] for target in prometheus.targets()}
        assert {"up"} == {target["health"] for target in prometheus.targets()}
        prometheus.wait_for('rate(node_cpu_seconds_total{mode="user"}[6s])')
        results = query_panels(load(root / "mlmetrics.toml").scaled(float(SCALE)), prometheus.url)
    assert len(results) > 20
    assert [] == [(each.panel, each.error) for each in results if each.error]
    assert [] == [(each.panel, each.query) for each in results if _is_empty(each)]


def _is_empty(result: QueryResult) -> bool:
    return bool(result.problem(float("inf")))
