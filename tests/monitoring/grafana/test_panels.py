"""The main panels on a real Prometheus, compared with numbers that were computed by hand."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mlmetrics.monitoring.grafana.provisioning import dashboard_texts
from mlmetrics.monitoring.verify.interpolation import Choice, interpolate
from tests.monitoring.grafana import scripted
from tests.monitoring.grafana.history import CLASSES
from tests.monitoring.grafana.stage import RATE_SECONDS, Stage

ALL_SECONDS = 3600
"""Longer than the stage has been up."""
Ask = Callable[..., list[dict[str, Any]]]


def asker(stage: Stage, dashboard: str) -> Ask:
    """Return a function that runs a panel's query for the scripted service, at the end of its traffic."""
    board: dict[str, Any] = json.loads(dashboard_texts(stage.config)[dashboard])
    panels = {panel["title"]: panel for panel in board["panels"]}
    choices: dict[str, Choice] = {
        "__rate_interval": f"{RATE_SECONDS}s",
        "__range": f"{ALL_SECONDS}s",
        **dict.fromkeys(("job", "instance", "model"), ".+"),
        "service": [scripted.NAME],
    }

    def answer(title: str, index: int = 0) -> list[dict[str, Any]]:
        query = interpolate(panels[title]["targets"][index]["expr"], choices)
        body = stage.prometheus.get("/api/v1/query", query=query, time=f"{stage.end:.3f}").json()
        found: list[dict[str, Any]] = body["data"]["result"]
        return found

    return answer


class TestMainPanels:
    """The six panels that the first users asked for show what was sent."""

    @pytest.fixture
    def ask(self, stage: Stage) -> Ask:
        """Return a function that runs a panel's query of the main dashboard."""
        return asker(stage, "mlmetrics-performance")

    def test_request_rate(self, stage: Stage, ask: Ask) -> None:
        """The request rate is that of the requests that were answered in the window."""
        expected = stage.window().total() / RATE_SECONDS
        assert expected == pytest.approx(value(ask("API request rate")), rel=0.1)

    def test_response_time(self, stage: Stage, ask: Ask) -> None:
        """Of 100 requests 10 sleep into the bucket from 0.25 to 0.5 s, so the 95th is in its middle."""
        slow = share(stage, lambda number: number % 10 == 7)
        expected = 0.25 + 0.25 * (slow - 0.05) / slow
        assert expected == pytest.approx(value(ask("Response time (95th percentile)")), abs=0.05)

    def test_inference_duration(self, stage: Stage, ask: Ask) -> None:
        """Of 100 inferences 10 take 7 s, in the bucket from 5 to 10 s; the others 0.3 s, in that from 0.25 to 0.5 s."""
        slow = share(stage, lambda number: number % 10 == 5)
        expected = {"p95": 5 + 5 * (slow - 0.05) / slow, "p50": 0.25 + 0.25 * 0.5 / (1 - slow)}
        for index, name in enumerate(expected):
            models = {row["metric"]["model"]: row for row in ask("Inference duration", index)}
            assert expected[name] == pytest.approx(value([models[scripted.MODEL]]), abs=0.5 if name == "p95" else 0.02)

    def test_inference_success_rate(self, stage: Stage, ask: Ask) -> None:
        """Of 100 inferences 20 fail."""
        expected = share(stage, lambda number: number % 5 != 0)
        models = {row["metric"]["model"]: row for row in ask("Inference success rate")}
        assert expected == pytest.approx(value([models[scripted.MODEL]]), abs=0.03)

    def test_accuracy_scores(self, stage: Stage, ask: Ask) -> None:
        """A quarter of the documents lies in each of four buckets."""
        cumulated = {float(row["metric"]["le"]): value([row]) for row in ask("Distribution of accuracy scores")}
        for le in (0.5, 0.6, 0.75, 0.95, 0.99, 1.0):
            low = {number for number in range(scripted.CYCLE) if scripted.ACCURACIES[number % 4] <= le}
            expected = share(stage, low.__contains__)
            assert expected == pytest.approx(cumulated[le] / cumulated[float("inf")], abs=0.03)

    def test_error_rate(self, stage: Stage, ask: Ask) -> None:
        """Of 100 requests 10 are answered by 500."""
        expected = share(stage, lambda number: number % 10 == 3)
        assert expected == pytest.approx(value(ask("Error rate per service")), abs=0.02)

    def test_memory_and_processor(self, stage: Stage, ask: Ask) -> None:
        """Use is shown whatever the limit; a limit is shown where there is one, as the service reports it."""
        for title, sample, most in (
            ("Memory", "mlmetrics_memory_limit_bytes", 1e10),
            ("Processor", "mlmetrics_cpu_limit_cores", 64),
        ):
            assert 0 < value(of_job(ask(title), scripted.NAME)) < most
            reported = stage.prometheus.get("/api/v1/query", query=sample, time=f"{stage.end:.3f}").json()
            limit = value(of_job(reported["data"]["result"], scripted.NAME))
            assert ([limit] if limit else []) == [value([row]) for row in of_job(ask(title, 1), scripted.NAME)]


class TestRequests:
    """The panels of what may be recorded of requests besides."""

    @pytest.fixture
    def ask(self, stage: Stage) -> Ask:
        """Return a function that runs a panel's query of the main dashboard."""
        return asker(stage, "mlmetrics-performance")

    def test_sizes(self, stage: Stage, ask: Ask) -> None:
        """Requests are in the bucket from 256 to 1,024 bytes; a tenth of the responses is in that from 64 to 256 kB."""
        large = share(stage, lambda number: number % 10 == 0)
        assert 256 + 768 * 0.95 == pytest.approx(value(ask("Size of requests")))
        assert 256 + 768 * 0.5 == pytest.approx(value(ask("Size of requests", 1)))
        expected = 65536 + 196608 * (large - 0.05) / large
        assert expected == pytest.approx(value(ask("Size of responses")), rel=0.1)
        assert 64 + 192 * 0.5 / (1 - large) == pytest.approx(value(ask("Size of responses", 1)), rel=0.02)

    def test_bytes(self, stage: Stage, ask: Ask) -> None:
        """Every request has 1,000 bytes, and every tenth response 100,000, the others 200."""
        each_second = stage.window().total() / RATE_SECONDS
        large = share(stage, lambda number: number % 10 == 0)
        sent = large * scripted.LARGE_RESPONSE_BYTES + (1 - large) * scripted.RESPONSE_BYTES
        assert each_second * scripted.REQUEST_BYTES == pytest.approx(value(ask("Bytes of bodies")), rel=0.1)
        assert each_second * sent == pytest.approx(value(ask("Bytes of bodies", 1)), rel=0.2)

    def test_websockets(self, stage: Stage, ask: Ask) -> None:
        """Between two requests none is open; they end within a tenth of a second, a fifth by the application."""
        (row,) = ask("WebSockets open")
        assert (scripted.ROUTE, 0.0) == (row["metric"]["route"], value([row]))
        closed = share(stage, lambda number: number % 5 == 0)
        ended = {row["metric"]["close"]: value([row]) for row in ask("WebSockets ended")}
        each_second = sum(ended.values())
        assert stage.window().total() / RATE_SECONDS == pytest.approx(each_second, rel=0.1)
        assert closed == pytest.approx(ended[f"{scripted.CLOSED}"] / each_second, abs=0.03)
        assert 1 - closed == pytest.approx(ended[f"{scripted.LEFT}"] / each_second, abs=0.03)
        messages = {row["metric"]["direction"]: value([row]) for row in ask("Messages of WebSockets")}
        assert {"received": 2.0, "sent": 2 - closed} == pytest.approx(
            {direction: number / each_second for direction, number in messages.items()}, rel=0.05
        )
        assert 0.095 == pytest.approx(value(ask("Length of WebSockets")))
        assert 0.05 == pytest.approx(value(ask("Length of WebSockets", 1)))


class TestModels:
    """The panels of what models cost, and who answered."""

    @pytest.fixture
    def ask(self, stage: Stage) -> Ask:
        """Return a function that runs a panel's query of the dashboard of models."""
        return asker(stage, "mlmetrics-models")

    @pytest.mark.parametrize(
        "title",
        ["Spent in this time", "Spent today", "Daily spending", "Monthly spending", "Cost an hour by service"],
    )
    def test_spent(self, stage: Stage, ask: Ask, title: str) -> None:
        """All windows hold all requests up to now, each of the same price; the rate is that of the window."""
        asked = sum(at <= stage.end for at, _ in stage.sent)
        hourly = 3600 * stage.window().total() / RATE_SECONDS
        expected = (hourly if "hour" in title else asked) * scripted.DOLLARS
        # The first scrape may come after some of the requests.
        assert expected == pytest.approx(value(ask(title)), rel=0.1)

    def test_days_to_the_budget(self, stage: Stage, ask: Ask) -> None:
        """All that was spent was spent in the last day."""
        spent = value(ask("Monthly spending"))
        expected = ((stage.config.alerts["MonthlyBudget"].threshold or 0) - spent) / spent
        assert expected == pytest.approx(value(ask("Days to the monthly budget")), rel=0.01)

    def test_tokens_per_call(self, ask: Ask) -> None:
        """Half of the calls of the talker are streams, which report no tokens."""
        found = {
            row["metric"]["token_type"]: value([row])
            for row in ask("Tokens per call")
            if row["metric"]["model"] == scripted.TALKER
        }
        expected = {name: count / 2 for name, count in scripted.TOKENS.items()}
        assert expected == {name: pytest.approx(number, rel=0.05) for name, number in found.items() if number}

    def test_reasoning(self, ask: Ask) -> None:
        """All of it begins after 0.3 s, in the bucket from 0.25 to 0.5 s."""
        assert 0.25 + 0.25 * 0.95 == pytest.approx(value(ask("First chunk of the reasoning")))
        assert 0.25 + 0.25 * 0.5 == pytest.approx(value(ask("First chunk of the reasoning", 1)))

    def test_who_answered(self, ask: Ask) -> None:
        """The model that was asked for, and the one that the provider says has answered."""
        (row,) = ask("Models that answered")
        assert {
            "service": scripted.NAME,
            "model": scripted.TALKER,
            "provider": "scripted",
            "response_model": f"{scripted.TALKER}-2026-01",
        } == row["metric"]

    def test_cancelled(self, ask: Ask) -> None:
        """No call is cancelled, so the share is 0 and not missing."""
        assert {0.0} == {value([row]) for row in ask("Cancelled calls")}


class TestSurroundings:
    """The panels of what surrounds the calls of models."""

    @pytest.fixture
    def ask(self, stage: Stage) -> Ask:
        """Return a function that runs a panel's query of the dashboard of models."""
        return asker(stage, "mlmetrics-models")

    def test_attempts(self, stage: Stage, ask: Ask) -> None:
        """Every second call is tried again once, so a third of all attempts are retries."""
        again = share(stage, lambda number: number % 2 == 0)
        assert again / (1 + again) == pytest.approx(of_model(ask("Share of retries"), scripted.ASKED), abs=0.03)
        each_second = again * stage.window().total() / RATE_SECONDS
        for title in ("Failed attempts", "Retries"):
            reasons = {row["metric"]["reason"]: value([row]) for row in ask(title)}
            assert each_second == pytest.approx(reasons.pop("rate_limit"), rel=0.1)
            assert {0.0} == set(reasons.values())

    def test_fallbacks(self, stage: Stage, ask: Ask) -> None:
        """A tenth of the calls goes on to another model, and fails; the guardrail blocks as many."""
        each_second = share(stage, lambda number: number % 10 == 0) * stage.window().total() / RATE_SECONDS
        (row,) = ask("Fallbacks")
        assert scripted.FALLBACK == row["metric"]["fallback"]
        for vector in ([row], ask("Fallbacks", 1), ask("Guardrail blocks")):
            assert each_second == pytest.approx(value(vector), rel=0.2)

    def test_headroom(self, ask: Ask) -> None:
        """A quarter of the requests that the provider allows is left."""
        (row,) = ask("Rate-limit headroom")
        assert "requests" == row["metric"]["limit"]
        assert scripted.REMAINING / scripted.LIMIT == value([row])

    def test_answers(self, stage: Stage, ask: Ask) -> None:
        """A quarter of the lookups hits, and a fifth of the answers is cut off."""
        hits = share(stage, lambda number: number % 4 == 0)
        assert hits == pytest.approx(value(ask("Cache hit rate")), abs=0.03)
        reasons = {row["metric"]["finish_reason"]: value([row]) for row in ask("Finish reasons")}
        cut = share(stage, lambda number: number % 5 == 0)
        assert cut == pytest.approx(reasons["length"] / sum(reasons.values()), abs=0.03)

    @pytest.mark.parametrize(("title", "bounds"), [("Prompt tokens", (64, 128)), ("Answer tokens", (16, 64))])
    def test_lengths(self, ask: Ask, title: str, bounds: tuple[float, float]) -> None:
        """All prompts have 120 tokens, and all answers 48."""
        cumulated = {float(row["metric"]["le"]): value([row]) for row in ask(title)}
        assert 0 == cumulated[bounds[0]]
        assert cumulated[float("inf")] == cumulated[bounds[1]] > 0

    def test_attainment(self, ask: Ask) -> None:
        """Every word comes in time."""
        for title in ("First chunks in time", "Chunks in time"):
            assert 1.0 == value(ask(title))

    def test_waiting(self, ask: Ask) -> None:
        """Between two requests no call waits and none runs."""
        assert 0.0 == value(ask("Waiting and running"))
        assert 0.0 == value(ask("Waiting and running", 1))

    def test_loads_and_tokens(self, stage: Stage, ask: Ask) -> None:
        """Each request loads a model, and uses the same number of tokens."""
        asked = sum(at <= stage.end for at, _ in stage.sent)
        found = [row for row in ask("Model loads") if row["metric"]["model"] == scripted.ASKED]
        loads = {row["metric"]["outcome"]: value([row]) for row in found}
        assert asked == pytest.approx(loads["success"], rel=0.1)
        assert 0.0 == loads["failure"]
        tokens = {row["metric"]["token_type"]: value([row]) for row in ask("Daily tokens")}
        for name, count in scripted.TOKENS.items():
            assert asked * count == pytest.approx(tokens[name], rel=0.1)


class TestAgents:
    """The panels of tools and agents are those of operations."""

    def test_failures(self, stage: Stage) -> None:
        """A fifth of the calls of the tool fails, and a tenth of the runs of the agent."""
        ask = asker(stage, "mlmetrics-operations")
        assert share(stage, lambda number: number % 5 == 0) == pytest.approx(value(ask("Tool: failures")), abs=0.03)
        assert share(stage, lambda number: number % 10 == 0) == pytest.approx(value(ask("Agent: failures")), abs=0.03)


class TestPredictions:
    """The panels of predictions show what was predicted, and what became known of it."""

    @pytest.fixture
    def ask(self, stage: Stage) -> Ask:
        """Return a function that runs a panel's query of the dashboard of quality."""
        return asker(stage, "mlmetrics-quality")

    def test_confidence(self, stage: Stage, ask: Ask) -> None:
        """A quarter of the scores is 0.35, in the bucket to 0.4; the others are 0.85, in that from 0.8 to 0.9."""
        rare = share(stage, lambda number: number % 4 == 0)
        assert 0.8 + 0.1 * (0.5 - rare) / (1 - rare) == pytest.approx(value(ask("Median confidence")), abs=0.005)
        assert rare == pytest.approx(value(ask("Low confidence by model")), abs=0.03)
        cumulated = {float(row["metric"]["le"]): value([row]) for row in ask("Confidence")}
        assert rare == pytest.approx(cumulated[0.4] / cumulated[1.0], abs=0.03)
        assert 0 == cumulated[0.3]

    def test_classes(self, stage: Stage, ask: Ask) -> None:
        """A quarter of the predictions is of the rare class; all shares make 1."""
        rare = share(stage, lambda number: number % 4 == 0)
        classes = {row["metric"]["predicted_class"]: value([row]) for row in ask("Predicted classes")}
        assert {"rare": rare, "common": 1 - rare} == pytest.approx(classes, abs=0.03)

    def test_drift_of_classes(self, stage: Stage, ask: Ask) -> None:
        """Against a week ago, a class is gone and the common one took most of its place and of the rare one's."""
        shares = {row["metric"]["predicted_class"]: value([row]) for row in ask("Classes a week ago")}
        assert CLASSES == pytest.approx(shares)
        classes = {row["metric"]["predicted_class"]: value([row]) for row in ask("Classes now")}
        assert {"rare": 0.25, "common": 0.75} == pytest.approx(classes, abs=0.03)
        assert 0.5 < value(ask("PSI of classes"))
        assert value(ask("PSI of classes")) > value(ask("PSI of classes", 1))

    def test_what_became_known(self, stage: Stage, ask: Ask) -> None:
        """A fifth of the verdicts is bad; half of the errors is 1.5 and half 3, in the bucket from 2.5 to 5."""
        assert share(stage, lambda number: number % 5 == 0) == pytest.approx(value(ask("Bad feedback")), abs=0.03)
        large = share(stage, lambda number: number % 2 == 1)
        assert 1.5 + 1.5 * large == pytest.approx(value(ask("Error of predicted numbers")), abs=0.05)
        expected = 2.5 + 2.5 * (large - 0.05) / large
        assert expected == pytest.approx(value(ask("Error of predicted numbers", 1)), abs=0.05)


def value(vector: Sequence[dict[str, Any]]) -> float:
    """Return the value of the one series."""
    assert 1 == len(vector), vector
    return float(vector[0]["value"][1])


def of_model(vector: Sequence[dict[str, Any]], model: str) -> float:
    """Return the value of the series of a model."""
    return value([row for row in vector if row["metric"]["model"] == model])


def of_job(vector: Sequence[dict[str, Any]], job: str) -> list[dict[str, Any]]:
    """Return the series of a job."""
    return [row for row in vector if row["metric"]["job"] == job]


def share(stage: Stage, which: Callable[[int], bool]) -> float:
    """Return the share of requests in the window that have a number of this kind."""
    sent = stage.window()
    return sum(count for number, count in sent.items() if which(number)) / sent.total()
