"""The main panels on a real Prometheus, compared with numbers that were computed by hand."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mlmetrics.monitoring.grafana.provisioning import dashboard_texts
from mlmetrics.monitoring.verify.interpolation import Choice, interpolate
from tests.monitoring.grafana import scripted
from tests.monitoring.grafana.stage import RATE_SECONDS, Stage


def main_dashboard(stage: Stage) -> dict[str, Any]:
    """Return the main dashboard as Grafana reads it."""
    found: dict[str, Any] = json.loads(dashboard_texts(stage.config)["mlmetrics-performance"])
    return found


class TestMainPanels:
    """The six panels that the first users asked for show what was sent."""

    @pytest.fixture
    def ask(self, stage: Stage) -> Callable[[str, int], list[dict[str, Any]]]:
        """Return a function that runs a panel's query for the scripted service, at the end of its traffic."""
        panels = {panel["title"]: panel for panel in main_dashboard(stage)["panels"]}
        choices: dict[str, Choice] = {
            "__rate_interval": f"{RATE_SECONDS}s",
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
        """The request rate is that of the requests that were answered in the window."""
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
