"""The recipes of CONTRIBUTING.md, each followed in a copy of the repository."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.monitoring.tools import PROMTOOL, run_tool
from tests.test_house import files, text_of

ROOT = Path(__file__).parents[1]
RECIPES = "## How to add something\n"
RENDER = ("mlmetrics.monitoring.schema", "mlmetrics.cli render", "tests.monitoring.shipped")

METRIC = """        Metric("ml_inference_repeats_total", "counter", "Repeated calls of a model.", ("service", "model")),
"""
RECORD_METRIC = '''def track_repeat(store: Store, service: str | None, model: object) -> None:
    """Record that a call of a model was repeated."""
    name = "ml_inference_repeats_total"
    labels = store.admit(name, store.admit_service(name, service), (model,))
    store.record(store.counter(name, labels), 1)


'''
METRIC_METHOD = '''    def track_inference_retry(self, model: str) -> None:
        """Record that a call of a model was repeated."""
        track_repeat(self.store, self.service, model)

'''
RECORD_TWICE = """
from prometheus_client import CollectorRegistry, generate_latest
from mlmetrics import MLMetrics
metrics = MLMetrics(service="copy", registry=CollectorRegistry())
metrics.track_inference_retry("gpt-4")
metrics.track_inference_retry("gpt-4")
print(generate_latest(metrics.registry).decode())
"""
OPERATION = """EMBEDDING = Operation("embedding", ("model",), "model")
"""
IMPORT = """from mlmetrics.catalog import EMBEDDING

"""
TIMER = '''    def embedding_timer(self, *, model: str = DEFAULT) -> Timer:
        """Record a block as an embedding."""
        return Timer(self._timed(EMBEDDING, None, model))

'''
DECORATOR = '''    def track_embedding(self, *, model: Label | None = None) -> Callable[[F], F]:
        """Record every call of a function as an embedding."""
        declaration = Declaration(self.calls(EMBEDDING), self.named(None), (model,), None, None, None, scored=False)
        return decorate(declaration, None)

'''
CALL = """
from prometheus_client import CollectorRegistry, generate_latest
from mlmetrics import MLMetrics
metrics = MLMetrics(service="copy", registry=CollectorRegistry())
with metrics.embedding_timer(model="e5"):
    pass
metrics.track_embedding(model="e5")(lambda: 1)()
print(generate_latest(metrics.registry).decode())
"""
ALERT = """    AlertDefinition(
        "UsageUnknown",
        AlertSettings("info", 0.0, 3.0, window_seconds=HOUR_SECONDS),
        growth("ml_inference_usage_missing_total", "service", "model"),
        f"{MODEL} does not report its tokens",
        f"{VALUE} answers in the last <window> did not say how many tokens they took.",
        "models",
        "answers",
    ),
"""
PANEL = """        panels.timeseries(
            "Requests in progress",
            "Requests being served at this moment, by service.",
            panels.COUNT,
            Query(f"sum by (service) ({queries.select('fastapi_requests_in_progress')})", "{{service}}"),
        ),
"""
KEY = """    scrape_timeout_seconds: Window = key(
        "How long a service may take to answer a scrape.", name="scrape_timeout", default="10s", validate_default=True
    )
"""


def recipes() -> dict[str, str]:
    """Return the rows of the table: what is added, and the files to change."""
    section = text_of(ROOT / "CONTRIBUTING.md").partition(RECIPES)[2]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| a")]
    return {cells[0].strip(): cells[1] for cells in rows}


def named_files(recipe: str) -> set[str]:
    """Return the paths that a recipe names."""
    found = re.findall(r"`([\w/]+\.(?:py|md))`", recipe)
    return {path if path.startswith(("docs/", "tests/")) else f"mlmetrics/{path}" for path in found}


class Copy:
    """A copy of the repository, in which a recipe is followed and its programs are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.changed: set[str] = set()
        for path in files():
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)

    def insert(self, name: str, text: str, *, before: str) -> None:
        """Insert a text before another text, which must occur once."""
        path = self.folder / name
        present = path.read_text(encoding="utf-8")
        assert 1 == present.count(before), f"{name}: {before!r}"
        path.write_text(present.replace(before, text + before), encoding="utf-8")
        self.changed.add(name)

    def write(self, name: str, text: str) -> None:
        """Write a new file."""
        assert not (self.folder / name).exists()
        (self.folder / name).write_text(text, encoding="utf-8")
        self.changed.add(name)

    def read(self, name: str) -> str:
        """Return the text of a file."""
        return (self.folder / name).read_text(encoding="utf-8")

    def run(self, *arguments: str) -> str:
        """Return what Python prints when it runs on the package of the copy."""
        environment = {name: text for name, text in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**environment, "PYTHONPATH": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def render(self) -> None:
        """Do what `make render` does."""
        for module in RENDER:
            self.run("-m", *module.split())

    def assert_follows(self, recipe: str, names: Mapping[str, str]) -> None:
        """Assert that the changed files are those that the recipe names; `names` replace its placeholders."""
        text = recipes()[recipe]
        for placeholder, name in names.items():
            text = text.replace(placeholder, name)
        assert named_files(text) == self.changed


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """Make a copy of the repository."""
    return Copy(tmp_path)


class TestRecipes:
    """The table "How to add something"."""

    def test_each_is_followed(self) -> None:
        """There is a test for every recipe of the table."""
        assert {"a metric", "an operation", "an alert", "a panel", "a configuration key"} == set(recipes())

    def test_metric(self, copy: Copy) -> None:
        """A metric with the row, the function and the method is recorded and exposed."""
        copy.insert(
            "mlmetrics/catalog/models.py",
            METRIC,
            before='        Metric(\n            "ml_model_load_duration_seconds"',
        )
        copy.insert("mlmetrics/calls/direct.py", RECORD_METRIC, before="def track_size(")
        copy.insert(
            "mlmetrics/calls/timing.py",
            "from mlmetrics.calls.direct import track_repeat\n",
            before="from mlmetrics.calls.labels import",
        )
        copy.insert("mlmetrics/calls/timing.py", METRIC_METHOD, before="    def track_model_load(")
        copy.assert_follows("a metric", {})
        page = copy.run("-c", RECORD_TWICE)
        assert '\nml_inference_repeats_total{model="gpt-4",service="copy"} 2.0\n' in page

    def test_operation(self, copy: Copy) -> None:
        """An operation with its row, timer and decorator is recorded, configured, and described."""
        copy.insert("mlmetrics/catalog/models.py", OPERATION, before="INFERENCE = Operation(")
        copy.insert("mlmetrics/catalog/__init__.py", "EMBEDDING, ", before="INFERENCE, PARSING, MATCHING, ")
        copy.insert("mlmetrics/catalog/__init__.py", "EMBEDDING, ", before="INFERENCE, TOKEN_TYPES")
        for name, method, before in (
            ("timing", TIMER, "    def _timed(self"),
            ("tracking", DECORATOR, "    @overload\n    def track_parsing(self, function: F"),
        ):
            copy.insert(f"mlmetrics/calls/{name}.py", method, before=before)
            copy.insert(
                f"mlmetrics/calls/{name}.py", IMPORT, before="F = TypeVar(" if name == "tracking" else "DEFAULT = "
            )
        copy.assert_follows("an operation", {})
        page = copy.run("-c", CALL)
        assert '\nml_embedding_total{model="e5",outcome="success",service="copy"} 2.0\n' in page
        configuration = copy.folder / "mlmetrics.toml"
        named = f'{configuration.read_text()}\n[[operation]]\nname = "embedding"\n'
        objective = '[[objective]]\nname = "e"\nservice = "api"\noperation = "embedding"\ntarget = 0.9\n'
        configuration.write_text(named + objective)
        copy.render()
        assert "ml_embedding_total" in copy.read("prometheus/rules/objective-4-e.yml")
        assert "| `ml_embedding_duration_seconds` |" in copy.read("docs/metrics.md")

    def test_alert(self, copy: Copy) -> None:
        """An alert with its row and pages is rendered, passes its unit tests, and passes all tests of alerts."""
        runbook = copy.read("docs/runbooks/Unpriced.md").replace("Unpriced", "UsageUnknown")
        copy.insert(
            "mlmetrics/monitoring/rules/rows/models.py", ALERT, before='    AlertDefinition(\n        "Unpriced"'
        )
        copy.write("docs/runbooks/UsageUnknown.md", runbook)
        copy.insert("docs/runbooks/README.md", "- [UsageUnknown](UsageUnknown.md)\n", before="- [Unpriced]")
        copy.insert(
            "docs/alerts.md", "| UsageUnknown | over 3 answers, in 1h | | | info |\n", before="| Unpriced | a call's "
        )
        cause = '    "UsageUnknown": "synthetic exporter",\n'
        copy.insert("tests/integration/alert_rehearsal.py", cause, before='    "Unpriced": ')
        copy.assert_follows("an alert", {"rows/NAME": "rows/models", "NAME": "UsageUnknown"})
        copy.render()
        copy.run("-m", "mlmetrics.cli", "render", "--target", "prometheus", "--output", "rendered", "--tests")
        for folder in ("prometheus", "rendered"):
            groups = yaml.safe_load(copy.read(f"{folder}/rules/alerts.yml"))["groups"]
            assert "UsageUnknown" in [rule["alert"] for group in groups for rule in group["rules"]]
        code, output = run_tool(
            PROMTOOL, "test", "rules", "UsageUnknown.test.yml", folder=copy.folder / "rendered" / "rules"
        )
        assert code == 0, output
        missing_nowhere = ("test_no_alert_is_left_out", "test_one_page_an_alert", "test_sections")
        copy.run(
            *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", " or ".join(missing_nowhere)),
            *("tests/integration/test_alerts_rehearsal.py", "tests/monitoring/test_runbooks.py"),
        )

    def test_panel(self, copy: Copy) -> None:
        """A panel in the module of its dashboard is rendered, also into the package."""
        board = "mlmetrics/monitoring/grafana/boards/performance.py"
        copy.insert(board, PANEL, before='        panels.timeseries(\n            "Error rate per service"')
        copy.assert_follows("a panel", {"NAME": "performance"})
        copy.render()
        for folder in ("grafana", "mlmetrics/monitoring/shipped"):
            dashboard = json.loads(copy.read(f"{folder}/dashboards/mlmetrics-performance.json"))
            assert "Requests in progress" in [panel["title"] for panel in dashboard["panels"]]

    def test_configuration_key(self, copy: Copy) -> None:
        """A key in its section and in `Config` is read, used, described and completed."""
        config, scrape = "mlmetrics/monitoring/config.py", "mlmetrics/monitoring/prometheus/scrape.py"
        copy.insert(config, KEY, before="    external_labels: Labels")
        copy.insert(config, "    scrape_timeout_seconds: float\n", before="    time_scale: float = 1.0")
        used = '                "scrape_timeout": config.span(config.scrape_timeout_seconds),\n'
        copy.insert(scrape, used, before='                "static_configs": [targets],')
        copy.assert_follows("a configuration key", {})
        (copy.folder / "mlmetrics.toml").write_text(
            copy.read("mlmetrics.toml").replace("[project]\n", '[project]\nscrape_timeout = "7s"\n', 1)
        )
        copy.render()
        jobs = yaml.safe_load(copy.read("prometheus/prometheus.yml"))["scrape_configs"]
        assert {"7s"} == {job["scrape_timeout"] for job in jobs if job["job_name"] != "node"}
        assert '| `scrape_timeout` | duration |  | `"10s"` |' in copy.read("docs/configuration.md")
        schema = json.loads(copy.read("mlmetrics/monitoring/mlmetrics.schema.json"))
        assert "10s" == schema["$defs"]["Project"]["properties"]["scrape_timeout"]["default"]


def test_paths_of_the_map_exist() -> None:
    """Every file that CONTRIBUTING.md names as part of the package is there."""
    text = text_of(ROOT / "CONTRIBUTING.md")
    names = {name for name in named_files(text) if "NAME" not in name}
    assert names
    assert not [name for name in names if not (ROOT / name).exists() and not (ROOT / name.partition("/")[2]).exists()]
