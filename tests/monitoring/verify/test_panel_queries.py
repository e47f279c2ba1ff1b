"""Every query of every dashboard on a real Prometheus, sent as Grafana sends it."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from click.testing import CliRunner

from mlmetrics.cli.root import main
from mlmetrics.monitoring.grafana.provisioning import dashboard_texts
from mlmetrics.monitoring.verify.panel_queries import PanelProbe, QueryResult, panel_findings, results_text
from mlmetrics.monitoring.verify.prometheus_api import PrometheusAPI
from tests.monitoring.grafana.stage import HOWEVER_LONG, MAY_BE_EMPTY, RATE_SECONDS, TRAFFIC_SECONDS, Stage


def probe(stage: Stage, *, by_name: bool = False) -> PanelProbe:
    """Return a probe of the stage's Prometheus over the time of its traffic."""
    prometheus = PrometheusAPI(stage.prometheus.url)
    return PanelProbe(prometheus, TRAFFIC_SECONDS, f"{RATE_SECONDS}s", by_name, clock=lambda: stage.end)


@pytest.mark.parametrize("by_name", [False, True], ids=["all", "each value by name"])
def test_parses_and_returns_data(stage: Stage, *, by_name: bool) -> None:
    """Every panel and variable has data, or is among those that may be empty and say why."""
    boards = [json.loads(text) for text in dashboard_texts(stage.config).values()]
    results = [result for board in boards for result in probe(stage, by_name=by_name).results(board)]
    assert len(results) > 100
    problems = [(result.panel, result.query, result.problem(HOWEVER_LONG)) for result in results]
    assert not [each for each in problems if each[-1]]
    assert {each.panel for each in results if not each.series and not _has_sibling(each, results)} <= MAY_BE_EMPTY


def _has_sibling(result: QueryResult, results: Sequence[QueryResult]) -> bool:
    """Tell whether another query of the same panel has data, as in panels that show use and limit."""
    same = [each for each in results if (each.dashboard, each.panel) == (result.dashboard, result.panel)]
    return any(other.series for other in same)


def test_misspelt_metric_is_an_error(stage: Stage) -> None:
    """A panel without data and without a reason is an error, and so is a query that Prometheus refuses."""
    text = dashboard_texts(stage.config)["mlmetrics-performance"]
    for wrong, problem in (("fastapi_request_total", "no data"), ("fastapi requests", "cannot be read")):
        board = json.loads(text.replace("fastapi_requests_total", wrong))
        results = [each for each in probe(stage).results(board) if each.panel == "API request rate"]
        (finding,) = panel_findings(results, HOWEVER_LONG)
        assert ("error", "panel") == (finding.level, finding.kind)
        assert finding.subject.endswith(", API request rate")
        assert problem in finding.text


class TestFindings:
    """Findings and texts for results."""

    RESULTS = (
        QueryResult("Main", "Rate", "up", 3, 12.0),
        QueryResult("Main", "Slow", "up", 1, 300.0),
        QueryResult("Main", "Streams", "up", 0, 9.0, "No model streamed"),
        QueryResult("Main", "Nothing", "up", 0, 9.0),
    )

    def test_levels(self) -> None:
        """No data is a note if the panel says why; no data without a reason, and slow queries, are errors."""
        expected = [
            ("error", "Main, Slow", "slower than 200 ms"),
            ("note", "Main, Streams", "is empty: No model streamed"),
            ("error", "Main, Nothing", "no data"),
        ]
        assert expected == [(each.level, each.subject, each.text) for each in panel_findings(self.RESULTS, 200)]

    def test_results_text(self) -> None:
        """Each panel is a line with its series and milliseconds, beneath its dashboard."""
        lines = results_text(self.RESULTS).splitlines()
        assert ["", "Main"] == lines[:2]
        assert ["Rate", "3", "series", "12.0", "ms"] == lines[2].split()
        assert "4 queries, the slowest in 300 ms" == lines[-1]


class TestCommand:
    """`mlmetrics check --panels`."""

    @pytest.fixture
    def config(self, stage: Stage, tmp_path: Any) -> str:
        """Write the configuration of the stage's services."""
        services = [
            f'[[service]]\nname = "{each.name}"\ntargets = ["{each.targets[0]}"]' for each in stage.config.services
        ]
        path = tmp_path / "mlmetrics.toml"
        path.write_text("\n".join(services))
        return str(path)

    def test_prints_panels_and_says_if_all_is_well(self, stage: Stage, config: str) -> None:
        """The command prints panels, series and milliseconds; notes name only panels that may be empty."""
        arguments = ["check", "--config", config, "--prometheus", stage.prometheus.url, "--panels", "--slow"]
        done = CliRunner().invoke(main, [*arguments, str(HOWEVER_LONG), "--by-name"])
        assert "  Response time (95th percentile)" in done.stdout
        assert "error  panel" not in done.stdout
        done = CliRunner().invoke(main, [*arguments, "0", "--json"])
        assert 1 == done.exit_code
        findings = [each for each in json.loads(done.stdout) if each["kind"] == "panel"]
        assert {"slower than 0 ms"} == {each["text"] for each in findings}

    def test_needs_a_prometheus(self, config: str) -> None:
        """`--panels` without `--prometheus` is an error."""
        done = CliRunner().invoke(main, ["check", "http://127.0.0.1:1/metrics", "--config", config, "--panels"])
        assert 2 == done.exit_code
        assert "give --prometheus URL too" in done.stderr
