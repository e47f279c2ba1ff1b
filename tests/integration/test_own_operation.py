"""A project declares an operation: it is recorded, exposed, alerted on, shown, and described, without a line of ours.

The project is a folder with a service and a `mlmetrics.toml`. All files come from the commands that users run; rules
run at a sixtieth of real time.
"""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from mlmetrics.cli.root import main
from mlmetrics.monitoring.verify.panel_queries import PanelProbe, QueryResult
from mlmetrics.monitoring.verify.prometheus_api import PrometheusAPI
from tests.monitoring.tools import PROMTOOL, run_tool
from tests.programs import free_port, wait_until
from tests.servers import Prometheus, UvicornServer

ROOT = Path(__file__).parents[2]
TIME_SCALE = 1 / 60
RATE_SECONDS = 6
SERVICE = """
import asyncio

from fastapi import FastAPI
from mlmetrics import configure, instrument, operation

configure(service="finder")
app = FastAPI()
instrument(app, service_name="finder")
retrieval = operation("retrieval", labelnames=("index", "tenant"), score=True)


@retrieval.track(index="function", score=float)
def function(score):
    return score


@retrieval.track(index="coroutine", score=float)
async def coroutine(score):
    return score


@retrieval.track(index="generator")
def generator():
    yield "a"
    yield "b"


@retrieval.track(index="async generator")
async def async_generator():
    yield "a"
    yield "b"


class Index:
    @retrieval.track(index="method")
    def method(self):
        return self

    @classmethod
    @retrieval.track(index="classmethod")
    def of_class(cls):
        return cls

    @staticmethod
    @retrieval.track(index="staticmethod")
    def static():
        return 0


@app.get("/well")
async def well():
    function(0.9)
    await coroutine(0.8)
    list(generator())
    async for _ in async_generator():
        pass
    Index().method()
    Index.of_class()
    Index.static()
    with retrieval.timer(index="block", tenant="acme") as call:
        call.score(0.7)
    async with retrieval.timer(index="async block"):
        await asyncio.sleep(0)
    retrieval.record(0.1, index="record")
    retrieval.record_score(0.6, index="record")


@app.get("/badly")
async def badly():
    with retrieval.timer(index="bad") as call:
        await asyncio.sleep(0.15)
        call.score(0.1)
        call.fail("Timeout")
    with retrieval.timer(index="bad"):
        await asyncio.sleep(0.15)
"""
CONFIGURATION = """
[project]
name = "finder"
runbooks = "monitoring/runbooks"

[[service]]
name = "finder"
targets = ["127.0.0.1:{port}"]

[[operation]]
name = "retrieval"
labels = ["index", "tenant"]
score = true

[alert.SlowRetrieval]
threshold = 0.1

[[objective]]
name = "retrieval-success"
service = "finder"
operation = "retrieval"
target = 0.99
"""
KINDS = {
    *("function", "coroutine", "generator", "async generator", "method", "classmethod", "staticmethod"),
    *("block", "async block", "record"),
}
ALERTS = {"SlowRetrieval", "HighRetrievalFailureRate", "LowRetrievalScore", "RetrievalScoreDrift"}
# Those of drift need a week; of the others, nothing else can be empty.
MAY_BE_EMPTY = {"Retrieval: drift of scores", "@ Firing alerts", "@ Restarts"}


@dataclass(frozen=True)
class Finder:
    """The project, its running service, and a Prometheus with its rules."""

    project: Path
    service: UvicornServer
    prometheus: Prometheus

    def read(self, name: str) -> str:
        """Return a rendered file."""
        return (self.project / "monitoring" / name).read_text(encoding="utf-8")


def run(*arguments: object) -> None:
    """Run a command of mlmetrics, which must succeed."""
    done = CliRunner().invoke(main, [str(each) for each in arguments])
    assert 0 == done.exit_code, done.output


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finder]:
    """Write the project, render its monitoring, and run its service and a Prometheus at a sixtieth of real time."""
    project, port = tmp_path_factory.mktemp("finder"), free_port()
    (project / "service.py").write_text(SERVICE)
    (project / "mlmetrics.toml").write_text(CONFIGURATION.replace("{port}", str(port)))
    run("init", project, "--no-ask")
    configured = ("--config", project / "mlmetrics.toml", "--target", "prometheus")
    run("render", *configured, "--tests", "--output", project / "tested")
    run("render", *configured, "--time-scale", TIME_SCALE, "--output", project / "scaled")
    files = {
        str(path.relative_to(project / "scaled")): path.read_text()
        for path in (project / "scaled").rglob("*.yml")
        if path.name != "alertmanager.yml"
    }
    text = files.pop("prometheus.yml")
    place = ("--app-dir", str(project))
    with (
        UvicornServer(
            "service:app", port=port, args=place, ready_path="/metrics", env={"PYTHONPATH": str(ROOT)}
        ) as service,
        Prometheus(text, files) as prometheus,
    ):
        prometheus.wait_for("up == 1")
        yield Finder(project, service, prometheus)


class TestOwnOperation:
    """From the declaration in the code, and its four lines in the configuration."""

    def test_every_kind_of_call_is_recorded(self, finder: Finder) -> None:
        """Each kind of call counts one success, has a duration, and is no longer in progress."""
        assert finder.service.get("/well").is_success
        page = finder.service.get("/metrics").text
        counts = dict(re.findall(r'ml_retrieval_total\{index="(.+?)",outcome="success",.*?\} (\S+)', page))
        assert dict.fromkeys(KINDS, "1.0") == {kind: counts[kind] for kind in KINDS}
        timed = set(re.findall(r'ml_retrieval_duration_seconds_count\{index="(.+?)",.*?\} 1\.0', page))
        assert timed >= KINDS
        assert {"0.0"} == set(re.findall(r"ml_retrieval_in_progress\{.+\} (\S+)", page))
        scored = set(re.findall(r'ml_retrieval_score_count\{index="(.+?)",.*?\} 1\.0', page))
        assert {"function", "coroutine", "block", "record"} == scored
        assert 'tenant="acme"' in page

    @pytest.mark.parametrize("alert", [*ALERTS])
    def test_rules_pass_their_unit_tests(self, finder: Finder, alert: str) -> None:
        """The rendered unit tests of each alert pass: it fires, resolves, and is silent where it must be."""
        code, output = run_tool(
            PROMTOOL, "test", "rules", f"{alert}.test.yml", folder=finder.project / "tested" / "rules"
        )
        assert code == 0, output

    def test_alerts_fire(self, finder: Finder) -> None:
        """Failures, slow calls and low scores are told by a real Prometheus, with the labels of the operation."""
        with httpx.Client(base_url=finder.service.url, trust_env=False, timeout=10) as client:
            wait_until(lambda: self._told(finder, client), timeout=90, what=lambda: f"{finder.prometheus.alerts()}")
        firing = {each["labels"]["alertname"]: each for each in finder.prometheus.alerts() if each["state"] == "firing"}
        failures = firing["HighRetrievalFailureRate"]
        assert ("finder", "bad") == (failures["labels"]["service"], failures["labels"]["index"])
        assert "Retrieval (index bad) in finder fails" == failures["annotations"]["summary"]
        assert failures["annotations"]["dashboard_url"].endswith("/d/mlmetrics-operations")
        page = finder.project / failures["annotations"]["runbook_url"]
        assert page.read_text().startswith("# HighRetrievalFailureRate\n")

    def _told(self, finder: Finder, client: httpx.Client) -> bool:
        """Send some calls that end badly; return whether all of it is told."""
        for path in ("/well", "/badly", "/badly", "/badly"):
            client.get(path)
        states = {(each["labels"]["alertname"], each["state"]) for each in finder.prometheus.alerts()}
        return {(alert, "firing") for alert in ALERTS - {"RetrievalScoreDrift"}} <= states

    def test_panels_have_data(self, finder: Finder) -> None:
        """Every query of the dashboard of own operations, as it was rendered, returns data."""
        board = json.loads(finder.read("grafana/dashboards/mlmetrics-operations.json"))
        results = self._after_traffic(finder, board)
        titles = {panel["title"] for panel in board["panels"] if panel["type"] != "row"}
        assert 11 == len(titles)
        assert [] == [(each.panel, each.query, each.error) for each in results if each.error]
        assert {each.panel for each in results if not each.series} <= MAY_BE_EMPTY
        budget = json.loads(finder.read("grafana/dashboards/mlmetrics-objectives.json"))
        promises = [each for each in self._after_traffic(finder, budget) if each.panel == "Errors in 30 days"]
        assert all(each.series for each in promises)

    def _after_traffic(self, finder: Finder, board: dict[str, Any]) -> list[QueryResult]:
        """Return the results of a dashboard's queries at the end of some seconds with calls."""
        end = time.monotonic() + 2 * RATE_SECONDS
        while time.monotonic() < end:
            for path in ("/well", "/badly"):
                finder.service.get(path)
        probe = PanelProbe(PrometheusAPI(finder.prometheus.url), RATE_SECONDS, f"{RATE_SECONDS}s")
        return list(probe.results(board))

    def test_is_described(self, finder: Finder) -> None:
        """Each alert has its runbook, and each metric its row in the reference, with kind, labels and buckets."""
        assert {f"{alert}.md" for alert in ALERTS} <= {
            path.name for path in (finder.project / "monitoring/runbooks").iterdir()
        }
        assert "ml_retrieval_errors_total" in finder.read("runbooks/HighRetrievalFailureRate.md")
        page = finder.read("metrics.md")
        for name in ("total", "errors_total", "in_progress", "duration_seconds", "score"):
            assert f"| `ml_retrieval_{name}` | " in page
        assert "`service`, `index`, `tenant`" in page

    def test_nothing_else_is_rendered(self, finder: Finder) -> None:
        """No file is about models or documents, which this project has not."""
        texts = {
            str(path): path.read_text()
            for path in (finder.project / "monitoring").rglob("*")
            if path.is_file() and path.name != "mlmetrics.schema.json"
        }
        assert texts
        foreign = re.compile(r"ml_inference|ml_parsing|ml_matching|parsing_accuracy|ml_batch_job")
        assert [] == [name for name, text in texts.items() if foreign.search(text)]
