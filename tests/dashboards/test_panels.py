"""Every query of every dashboard on a real Prometheus, and the main panels against numbers made by hand."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mlmetrics.monitoring.grafana.provisioning import dashboard_texts
from mlmetrics.monitoring.verify.interpolation import Choice, interpolate
from mlmetrics.monitoring.verify import panels as probe
from mlmetrics.monitoring.verify.panels import Answer, Server
from tests.dashboards import scripted
from tests.dashboards.stage import RATE_SECONDS, TRAFFIC_SECONDS, Stage

# How long an answer takes is the command's to say: a test machine does other things too.
HOWEVER_LONG = 60_000
# Nothing is wrong on the stage, and its processes have no limit unless the machine's own cgroup has one.
MAY_BE_EMPTY = {
    "@ Firing alerts",
    "@ Restarts",
    "Burning budgets",
    "Firing alerts",
    "Instances that do not answer",
    "Memory in use",
    "Processor in use",
}


def boards(stage: Stage) -> list[dict[str, Any]]:
    """Return the dashboards as Grafana reads them."""
    return [json.loads(text) for text in dashboard_texts(stage.config).values()]


def server(stage: Stage) -> Server:
    """Return the stage's Prometheus, asked over the time of its traffic."""
    return Server(stage.prometheus.url, TRAFFIC_SECONDS, f"{RATE_SECONDS}s")


class TestEveryQuery:
    """What Grafana would ask is asked, and answered."""

    @pytest.mark.parametrize("pick", [False, True], ids=["all", "each value by name"])
    def test_parses_and_returns_data(self, stage: Stage, *, pick: bool) -> None:
        """Every panel and variable has data, or is among those that may be empty and say why."""
        answers = [answer for board in boards(stage) for answer in probe.probe(server(stage), board, pick=pick)]
        assert len(answers) > 100
        assert not [(a.panel, a.query, a.complaint(HOWEVER_LONG)) for a in answers if a.complaint(HOWEVER_LONG)]
        assert {a.panel for a in answers if not a.series and not _has_sibling(a, answers)} <= MAY_BE_EMPTY

    def test_command(self, stage: Stage, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
        """The command prints panel, series and milliseconds, and says by its exit code whether all is well."""
        path = tmp_path / "board.json"
        path.write_text(json.dumps(boards(stage)[0]))
        arguments = [stage.prometheus.url, str(path), "--span", "24", "--rate-interval", "15s"]
        arguments += ["--limit", str(HOWEVER_LONG)]
        assert 0 == probe.main(arguments)
        assert "Response time (95th percentile)" in capsys.readouterr().out
        assert 1 == probe.main([*arguments[:-1], "0"])
        assert "slower than 0 ms" in capsys.readouterr().out
        path.write_text(path.read_text().replace("fastapi_requests_total", "fastapi_request_total"))
        assert 1 == probe.main([*arguments, "--json"])
        wrong = [row for row in json.loads(capsys.readouterr().out) if row["panel"] == "API request rate"]
        assert 0 == wrong[0]["series"]


def _has_sibling(answer: Answer, answers: Sequence[Answer]) -> bool:
    """Tell whether another query of the same panel has data: limits beside what is in use."""
    same = [a for a in answers if (a.dashboard, a.panel) == (answer.dashboard, answer.panel)]
    return any(other.series for other in same)


class TestMainPanels:
    """The six panels that the first users named agree with what was sent."""

    @pytest.fixture
    def ask(self, stage: Stage) -> Callable[[str, int], list[dict[str, Any]]]:
        """Return a function that asks a panel's query about the scripted service, at the end of its traffic."""
        panels = {panel["title"]: panel for panel in boards(stage)[0]["panels"]}
        choices: dict[str, Choice] = {
            **server(stage).intervals(),
            **dict.fromkeys(("job", "instance", "model"), ".+"),
            "service": [scripted.NAME],
        }

        def answer(title: str, index: int = 0) -> list[dict[str, Any]]:
            query = interpolate(panels[title]["targets"][index]["expr"], choices)
            body = stage.prometheus.get("/api/v1/query", query=query, time=f"{stage.end:.3f}").json()
            found: list[dict[str, Any]] = body["data"]["result"]
            return found

        return answer

    def test_request_rate(self, stage: Stage, ask: Callable[..., list[dict[str, Any]]]) -> None:
        """Requests a second are those that were answered in the window."""
        expected = stage.window().total() / RATE_SECONDS
        assert expected == pytest.approx(value(ask("API request rate")), rel=0.1)

    def test_response_time(self, stage: Stage, ask: Callable[..., list[dict[str, Any]]]) -> None:
        """Of 100 requests 10 sleep into the bucket from 0.25 to 0.5 s, so the 95th is in its middle."""
        slow = share(stage, lambda number: number % 10 == 7)
        expected = 0.25 + 0.25 * (slow - 0.05) / slow
        assert expected == pytest.approx(value(ask("Response time (95th percentile)")), abs=0.05)

    def test_inference_duration(self, stage: Stage, ask: Callable[..., list[dict[str, Any]]]) -> None:
        """Of 100 inferences 10 take 7 s, in the bucket from 5 to 10 s; the others 0.3 s, in that from 0.25 to 0.5 s."""
        slow = share(stage, lambda number: number % 10 == 5)
        expected = {"p95": 5 + 5 * (slow - 0.05) / slow, "p50": 0.25 + 0.25 * 0.5 / (1 - slow)}
        for index, name in enumerate(expected):
            models = {row["metric"]["model"]: row for row in ask("Inference duration", index)}
            assert expected[name] == pytest.approx(value([models[scripted.MODEL]]), abs=0.5 if name == "p95" else 0.02)

    def test_inference_success_rate(self, stage: Stage, ask: Callable[..., list[dict[str, Any]]]) -> None:
        """Of 100 inferences 20 fail."""
        expected = share(stage, lambda number: number % 5 != 0)
        models = {row["metric"]["model"]: row for row in ask("Inference success rate")}
        assert expected == pytest.approx(value([models[scripted.MODEL]]), abs=0.03)

    def test_accuracy_scores(self, stage: Stage, ask: Callable[..., list[dict[str, Any]]]) -> None:
        """A quarter of the documents lies in each of four buckets."""
        cumulated = {float(row["metric"]["le"]): value([row]) for row in ask("Distribution of accuracy scores")}
        for le in (0.5, 0.6, 0.75, 0.95, 0.99, 1.0):
            low = {number for number in range(scripted.CYCLE) if scripted.ACCURACIES[number % 4] <= le}
            expected = share(stage, low.__contains__)
            assert expected == pytest.approx(cumulated[le] / cumulated[float("inf")], abs=0.03)

    def test_error_rate(self, stage: Stage, ask: Callable[..., list[dict[str, Any]]]) -> None:
        """Of 100 requests 10 are answered by 500."""
        expected = share(stage, lambda number: number % 10 == 3)
        assert expected == pytest.approx(value(ask("Error rate per service")), abs=0.02)


def value(vector: Sequence[dict[str, Any]]) -> float:
    """Return the value of the one series."""
    assert 1 == len(vector), vector
    return float(vector[0]["value"][1])


def share(stage: Stage, which: Callable[[int], bool]) -> float:
    """Return the share of requests in the window that have a number of this kind."""
    sent = stage.window()
    return sum(count for number, count in sent.items() if which(number)) / sent.total()
