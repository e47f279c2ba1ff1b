"""Tests that `mlmetrics init` renders for what a project records: by its source, live pages, and its own file."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.loading import load
from tests.cli.init.projects import write
from tests.cli.init.test_differences import edit, render
from tests.cli.init.test_init import run

SHOP = """from fastapi import FastAPI
from mlmetrics import MLMetrics, instrument, track_inference

app = FastAPI()
instrument(app, service_name="shop")
metrics = MLMetrics()
retrieval = metrics.operation("retrieval", labelnames=("index",), score=True)


@retrieval.track(index="docs", score="relevance")
def retrieve(query): ...


@track_inference(model="m", usage=len)
def answer(query):
    yield query
"""
TILL = """import uvicorn
from fastapi import FastAPI
from mlmetrics import track_matching

app = FastAPI(title="till")


@track_matching
def match(one, other): ...


uvicorn.run(app, port=8302)
"""
OWN = '[[operation]]  # shop/main.py\nname = "retrieval"\nlabels = ["index"]\nscore = true\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project of two services that record different operations, with its monitoring."""
    root = tmp_path / "two"
    write(root, {"shop/main.py": SHOP, "till/main.py": TILL})
    assert 0 == run(root).exit_code
    return root


@pytest.fixture
def page() -> Iterator[str]:
    """Yield the address of a running service that records an embedding and the batch size of an inference."""
    metrics = MLMetrics(service="s", registry=CollectorRegistry())
    embedding = metrics.operation("embedding", labelnames=("model_name", "tenant"))
    with embedding.timer(model_name="m", tenant="t"):
        pass
    with metrics.inference_timer(model="m") as call:
        call.batch(2)
    with metrics.start_metrics_server(0) as server:
        yield f"http://127.0.0.1:{server.port}/metrics"


def parts(config: Config) -> dict[str, set[str]]:
    """Return the operations that a configuration has in use, with what they record beside their calls."""
    return {operation.name: set(operation.parts) for operation in config.operations}


class TestSource:
    """What the source records is written into the configuration, and rendered."""

    def test_operations(self, project: Path) -> None:
        """Each operation has its section, with the file in which it is recorded."""
        text = (project / "mlmetrics.toml").read_text()
        assert OWN in text
        expected = {"inference": {"streams", "tokens", "cost", "lengths"}, "matching": set(), "retrieval": {"score"}}
        assert expected == parts(load(project / "mlmetrics.toml"))

    def test_objectives(self, project: Path) -> None:
        """Each service gets an objective for its requests, and for the operations in its own folder."""
        objectives = load(project / "mlmetrics.toml").objectives
        assert {
            ("shop", "request"),
            ("shop", "inference"),
            ("shop", "retrieval"),
            ("till", "request"),
            ("till", "matching"),
        } == {(objective.service, objective.operation) for objective in objectives}

    def test_rendered(self, project: Path) -> None:
        """Rules, runbooks, dashboards and the list of metrics are about these and nothing else."""
        rendered = {path.name: path.read_text() for path in (project / "monitoring").rglob("*.*") if path.is_file()}
        assert "HighRetrievalFailureRate" in rendered["alerts.yml"]
        assert {"HighRetrievalFailureRate.md", "RetrievalScoreDrift.md"} <= set(rendered)
        assert "ml_retrieval_score" in rendered["metrics.md"]
        texts = {name: text for name, text in rendered.items() if name not in {"mlmetrics.schema.json", "README.md"}}
        assert {name for name, text in texts.items() if "ml_parsing" in text or "ml_prediction" in text} == set()

    def test_a_second_run_changes_nothing(self, project: Path) -> None:
        """Both commands find everything up to date, and a new operation is out of date until it is rendered."""
        assert 0 == run(project, "--check").exit_code
        assert 0 == render(project, "--check").exit_code
        edit(project / "till" / "main.py", "def match(one, other)", "def match(one, other, third)")
        assert 0 == run(project, "--check").exit_code
        edit(project / "till" / "main.py", "track_matching", "track_parsing")
        assert 1 == run(project, "--check").exit_code
        assert 0 == render(project).exit_code
        assert "parsing" in parts(load(project / "mlmetrics.toml"))

    def test_nothing_is_recorded_yet(self, tmp_path: Path) -> None:
        """A project without mlmetrics is watched for its requests, and told so."""
        root = tmp_path / "plain"
        write(root, {"main.py": "from fastapi import FastAPI\napp = FastAPI()\n"})
        assert 0 == run(root).exit_code
        text = (root / "mlmetrics.toml").read_text()
        assert "# The code records HTTP requests only." in text
        assert {} == parts(load(root / "mlmetrics.toml"))
        assert not list((root / "monitoring").rglob("mlmetrics-models.json"))

    def test_what_cannot_be_read_is_told(self, project: Path) -> None:
        """An operation whose name is computed is not settled; all else is written."""
        write(project, {"shop/more.py": "from mlmetrics import operation\nrerank = operation(NAME)\n"})
        done = run(project)
        assert 0 == done.exit_code
        assert "not settled: shop/more.py, line 2: " in done.stderr


class TestPages:
    """What a running service exposes is added, and kept."""

    def test_url(self, project: Path, page: str) -> None:
        """The page's operations are rendered beside those of the source, in later runs too."""
        assert 0 == run(project, "--url", page).exit_code
        expected = {
            "inference": {"streams", "tokens", "cost", "lengths", "batches"},
            "matching": set(),
            "retrieval": {"score"},
            "embedding": set(),
        }
        assert expected == parts(load(project / "mlmetrics.toml"))
        assert 0 == render(project).exit_code
        assert expected == parts(load(project / "mlmetrics.toml"))
        (embedding,) = (each for each in load(project / "mlmetrics.toml").operations if each.name == "embedding")
        assert ("model_name", "tenant") == embedding.labels

    def test_nobody_answers(self, project: Path) -> None:
        """A page that cannot be read is an error, and nothing is written."""
        before = (project / "mlmetrics.toml").read_text()
        done = run(project, "--url", "http://127.0.0.1:1/metrics")
        assert 2 == done.exit_code
        assert "http://127.0.0.1:1/metrics" in done.stderr
        assert before == (project / "mlmetrics.toml").read_text()


class TestEdited:
    """A configuration that was edited stays, and what differs from the source is told."""

    def test_both_ways(self, project: Path) -> None:
        """What only the code has, and what only the file has, each with what to do."""
        edit(project / "mlmetrics.toml", OWN, '[[operation]]\nname = "batch_job"\n')
        edit(project / "mlmetrics.toml", 'operation = "retrieval"', 'operation = "request"')
        done = run(project)
        assert 0 == done.exit_code, done.output
        assert "the code records retrieval, which the configuration does not name" in done.stderr
        assert "the configuration names batch_job, which nothing in the code records" in done.stderr
        problems = json.loads(run(project, "--json").stdout)["problems"]
        assert any("retrieval" in problem for problem in problems)

    def test_other_labels(self, project: Path) -> None:
        """Labels that contradict the code are refused, and nothing is written."""
        edit(project / "mlmetrics.toml", 'labels = ["index"]', 'labels = ["shelf"]')
        rules = project / "monitoring" / "prometheus" / "rules" / "alerts.yml"
        before = rules.read_text()
        done = run(project)
        assert 2 == done.exit_code
        assert "declare it differently: labels ['shelf'] and ['index']" in done.stderr
        assert before == rules.read_text()
