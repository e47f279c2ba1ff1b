"""Only what is recorded is rendered: alerts, panels, rows, dashboards, variables, runbooks and the reference."""

import json
import re
from itertools import pairwise
from typing import Any

import pytest

from mlmetrics.catalog import METRICS
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana.provisioning import dashboard_texts
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.prometheus import files
from mlmetrics.monitoring.prometheus.files import rule_groups
from mlmetrics.monitoring.recorded import Recorded
from mlmetrics.monitoring.reference import project_reference, shipped_reference
from mlmetrics.monitoring.rules.model import AlertingRule, RecordingRule
from mlmetrics.monitoring.runbooks.pages import runbook_files
from mlmetrics.monitoring.schema import METRICS_PATH
from tests.monitoring.configurations import CONFIGURATIONS, FEW, ONE_SERVICE
from tests.promql import selectors

EVERY = CONFIGURATIONS | FEW
KNOWN = {name for metric in METRICS for name in metric.sample_names}
FLEET = {
    *("HighAPIResponseTime", "HighErrorRate", "RecordingErrors", "LabelOverflow", "ServiceDown", "InstanceDown"),
    *("SlowScrape", "HighMemoryUsage", "HighCPUUsage", "Watchdog"),
}
INFERENCES = {"SlowMLInference", "HighMLFailureRate"}
MONEY = {"PriceTableOld", "UsageMissing", "Unpriced", "CostBudget", "DailySpend", "MonthlyBudget"}
RETRIEVAL = {"SlowRetrieval", "HighRetrievalFailureRate", "LowRetrievalScore", "RetrievalScoreDrift"}
REWRITING = {"SlowQueryRewriting", "HighQueryRewritingFailureRate"}
ALERTS = {
    "chat": {*FLEET, *INFERENCES, "SlowFirstChunk", "SlowChunks", *MONEY},
    "classifier": {*FLEET, *INFERENCES, "LowConfidence", "InferenceScoreDrift", "PredictedClassDrift"},
    "gateway": {
        *(*FLEET, *INFERENCES),
        *("RetryStorm", "AuthenticationOrQuotaFailures", "FallbacksExhausted", "ModelLoadFailed"),
    },
    "requests": FLEET,
    "sizes and WebSockets": FLEET,
    "own operations": {*FLEET, *RETRIEVAL, *REWRITING, "ErrorBudgetBurn"},
}
ROWS = {
    "chat": {
        "mlmetrics-performance": ["Now", "API", "Models", "Saturation and alerts"],
        "mlmetrics-models": ["Calls", "Latency", "Streams", "Tokens and cost"],
        "mlmetrics-fleet": ["Instances", "Memory and processor", "Measuring"],
    },
    "classifier": {
        "mlmetrics-performance": ["Now", "API", "Models", "Saturation and alerts"],
        "mlmetrics-models": ["Calls", "Latency"],
        "mlmetrics-quality": ["Predictions", "Drift of inference scores", "Drift of classes"],
        "mlmetrics-fleet": ["Instances", "Memory and processor", "Measuring"],
    },
    "gateway": {
        "mlmetrics-performance": ["Now", "API", "Models", "Saturation and alerts"],
        "mlmetrics-models": [
            *("Calls", "Latency", "Attempts and fallbacks", "Answers", "Batches, queues and loading"),
        ],
        "mlmetrics-fleet": ["Instances", "Memory and processor", "Measuring"],
    },
    "requests": {
        "mlmetrics-performance": ["Now", "API", "Saturation and alerts"],
        "mlmetrics-fleet": ["Instances", "Memory and processor", "Measuring"],
    },
    "sizes and WebSockets": {
        "mlmetrics-performance": ["Now", "API", "Bodies", "WebSockets", "Saturation and alerts"],
        "mlmetrics-fleet": ["Instances", "Memory and processor", "Measuring"],
    },
    "own operations": {
        "mlmetrics-performance": ["Now", "API", "Saturation and alerts"],
        "mlmetrics-operations": ["Retrieval", "Query rewriting"],
        "mlmetrics-objectives": ["Budget", "Burn rate, 1 being what 30 days allow", "Alerts"],
        "mlmetrics-fleet": ["Instances", "Memory and processor", "Measuring"],
    },
}

every = pytest.mark.parametrize("name", EVERY)
few = pytest.mark.parametrize("name", FEW)


def boards(config: Config) -> dict[str, dict[str, Any]]:
    """Return the dashboards of a configuration by their uid."""
    return {uid: json.loads(text) for uid, text in dashboard_texts(config).items()}


def panels(config: Config) -> list[dict[str, Any]]:
    """Return the panels of all dashboards of a configuration, without rows."""
    return [panel for board in boards(config).values() for panel in board["panels"] if panel["type"] != "row"]


def titles(config: Config) -> set[str]:
    """Return the titles of all panels of a configuration."""
    return {panel["title"] for panel in panels(config)}


def alerts(config: Config) -> set[str]:
    """Return the names of the alerts that a configuration renders."""
    groups = (group for groups in rule_groups(config).values() for group in groups)
    return {rule.name for group in groups for rule in group.rules if isinstance(rule, AlertingRule)}


def readable(config: Config) -> set[str]:
    """Return every name that may be read: what services expose, what rules record, what other programs expose."""
    exposed = {name for metric in config.metrics.values() for name in metric.sample_names}
    groups = (group for groups in rule_groups(config).values() for group in groups)
    return exposed | {rule.name for group in groups for rule in group.rules if isinstance(rule, RecordingRule)}


def is_foreign(name: str) -> bool:
    """Tell whether neither a service with mlmetrics nor a rule of it writes a metric."""
    return name not in KNOWN and not name.startswith(("mlmetrics", "ml_")) and ":" not in name


class TestAlerts:
    """Rules are rendered if their condition reads what is recorded."""

    @few
    def test_are_those_of_what_is_recorded(self, name: str) -> None:
        """A chat has tokens, streams and cost, a classifier its confidence, and nothing else is there."""
        assert ALERTS[name] == alerts(FEW[name])

    @every
    def test_read_what_is_recorded(self, name: str) -> None:
        """Every rule reads samples that are exposed or recorded by another rule."""
        config = EVERY[name]
        known = readable(config)
        for rule in (rule for groups in rule_groups(config).values() for group in groups for rule in group.rules):
            read = {each.metric for each in selectors(rule.expression)}
            missing = {each for each in read - known if not is_foreign(each) and ":baseline_" not in each}
            assert not missing, rule.name

    def test_have_unit_tests(self) -> None:
        """There are unit tests for the rendered alerts and for no other."""
        for name, config in FEW.items():
            found = {path.removeprefix("rules/").partition(".")[0] for path in files.test_files(config)}
            known = {each for each in found if not each.startswith(("cost-", "fleet", "drift-", "objective-"))}
            assert alerts(config) - {"ErrorBudgetBurn"} == known, name

    def test_may_be_configured_without_being_rendered(self) -> None:
        """The numbers of an alert whose operation is not in use are accepted, and change nothing."""
        config = parse("operation = []\n" + ONE_SERVICE + "[alert.SlowMLInference]\nthreshold = 60\n")
        assert 60 == config.alerts["SlowMLInference"].threshold
        assert FLEET == alerts(config)


class TestDashboards:
    """Queries, panels, rows, variables and dashboards follow what is recorded."""

    @few
    def test_rows(self, name: str) -> None:
        """A row without panels is not there, and neither is a dashboard without rows."""
        found = {
            uid: [each["title"] for each in board["panels"] if each["type"] == "row"]
            for uid, board in boards(FEW[name]).items()
        }
        assert ROWS[name] == found

    @every
    def test_no_row_is_empty(self, name: str) -> None:
        """A panel follows on each row."""
        for board in boards(EVERY[name]).values():
            kinds = [each["type"] for each in board["panels"]]
            assert "row" == kinds[0]
            assert "row" != kinds[-1]
            assert ("row", "row") not in set(pairwise(kinds))

    @every
    def test_panels_read_what_is_recorded(self, name: str) -> None:
        """Every panel has queries, and each of them reads what is there."""
        config = EVERY[name]
        known = readable(config)
        for panel in panels(config):
            assert panel["targets"]
            read = {each.metric for target in panel["targets"] for each in selectors(target["expr"])}
            assert not {each for each in read - known if not is_foreign(each) and each != "ALERTS"}, panel["title"]

    @every
    def test_variables_have_values(self, name: str) -> None:
        """There is no variable without a metric, and every variable of a query is there."""
        config = EVERY[name]
        for board in boards(config).values():
            variables = {each["name"] for each in board["templating"]["list"]}
            models = any("model" in operation.labels for operation in config.operations)
            assert models == ("model" in variables)
            queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
            named = {variable for query in queries for variable in re.findall(r"\$(\w+)", query)}
            assert named & {"service", "job"}
            assert named <= variables | {"__rate_interval", "__range"}

    def test_models_of_own_operations(self) -> None:
        """An own operation with the label model brings the variable of that name, with its values."""
        own = '[[operation]]\nname = "transcription"\nlabels = ["model"]\n'
        for text, counters in (
            (own, "ml_transcription_total{"),
            ('[[operation]]\nname = "inference"\n' + own, '{__name__=~"ml_inference_total|ml_transcription_total",'),
        ):
            board = boards(parse(ONE_SERVICE + text))["mlmetrics-operations"]
            (variable,) = (each for each in board["templating"]["list"] if each["name"] == "model")
            assert variable["query"]["query"].startswith(f"label_values({counters}")

    @every
    def test_lines_are_of_alerts_that_are_there(self, name: str) -> None:
        """A panel names the runbook of an alert that is rendered."""
        named = {found for panel in panels(EVERY[name]) for found in re.findall(r"/(\w+)\.md$", panel["description"])}
        assert named
        assert named <= alerts(EVERY[name])

    def test_a_query_alone_is_left_out(self) -> None:
        """A panel keeps the queries that can be answered, and loses the line of an alert that is gone."""
        config = parse(ONE_SERVICE + '[[operation]]\nname = "inference"\nrecords = ["cost"]\n')
        (panel,) = (each for each in panels(config) if each["title"] == "Unknown usage and price")
        (target,) = panel["targets"]
        assert "ml_inference_unpriced_total" in target["expr"]
        assert "runbook" not in panel["description"]

    @pytest.mark.parametrize(("key", "row"), [("body_sizes", "Bodies"), ("websockets", "WebSockets")])
    def test_a_part_of_requests_alone(self, key: str, row: str) -> None:
        """Sizes and WebSockets come each with its own row, and each with its own metrics."""
        config = parse(f"{ONE_SERVICE}[requests]\n{key} = true\n")
        board = boards(config)["mlmetrics-performance"]
        rows = {each["title"] for each in board["panels"] if each["type"] == "row"}
        assert {row} == rows & {"Bodies", "WebSockets"}
        assert ("body_sizes" == key) == ("fastapi_request_size_bytes" in config.metrics)
        assert ("websockets" == key) == ("fastapi_websockets_total" in config.metrics)

    def test_a_disabled_alert_records_no_drift(self) -> None:
        """Panels of what the rules of a disabled alert would record are left out."""
        text = "[alert.MatchingScoreDrift]\nenabled = false\n"
        assert "PSI of matching scores" in titles(parse(ONE_SERVICE))
        assert "PSI of matching scores" not in titles(parse(ONE_SERVICE + text))

    def test_what_is_left_fills_the_row(self) -> None:
        """Panels are as wide as the row where others are left out, and the last rows of panels end at its edge."""
        board = boards(FEW["chat"])["mlmetrics-performance"]
        now = [each["gridPos"]["w"] for each in board["panels"] if each["type"] == "stat"]
        assert [3] * 7 == now
        board = boards(FEW["own operations"])["mlmetrics-performance"]
        assert [4] * 5 == [each["gridPos"]["w"] for each in board["panels"] if each["type"] == "stat"]


class TestOwnOperations:
    """The dashboard of a project's own operations."""

    def test_panels(self) -> None:
        """Each operation has its row; scores are shown where there are any."""
        shown = [panel["title"] for panel in boards(FEW["own operations"])["mlmetrics-operations"]["panels"]]
        calls = ["calls", "outcomes", "failures", "failures by error type"]
        times = ["durations", "percentiles of durations", "in progress"]
        scores = ["scores", "median score", "low scores", "drift of scores"]
        assert [
            *("Retrieval", *(f"Retrieval: {each}" for each in (*calls, *times, *scores))),
            *("Query rewriting", *(f"Query rewriting: {each}" for each in (*calls, *times))),
        ] == shown

    def test_alerts_lead_there(self) -> None:
        """The alerts of an operation link to the dashboard, with a text that names its labels."""
        groups = rule_groups(FEW["own operations"])["alerts"]
        rules = {rule.name: rule for rule in groups[0].rules if isinstance(rule, AlertingRule)}
        for name in (*RETRIEVAL, *REWRITING):
            assert rules[name].annotations["dashboard_url"].endswith("/d/mlmetrics-operations")
        assert (
            "Retrieval (tenant {{ $labels.tenant }}) in {{ $labels.service }} is slow"
            == rules["SlowRetrieval"].annotations["summary"]
        )
        assert (
            "Query rewriting in {{ $labels.service }} fails"
            == rules["HighQueryRewritingFailureRate"].annotations["summary"]
        )
        assert "critical" == rules["SlowRetrieval"].labels["severity"]

    def test_are_not_there_without_one(self) -> None:
        """A project without own operations, tools and agents has no such dashboard."""
        assert {"own operations", "one service", "clusters", "awkward names"} == {
            name for name, config in EVERY.items() if "mlmetrics-operations" in boards(config)
        }

    def test_tools_and_agents(self) -> None:
        """Tools and agents have their rows there, without lines, because they have no alerts."""
        config = parse(ONE_SERVICE + '[[operation]]\nname = "tool"\n[[operation]]\nname = "agent"\n')
        board = boards(config)["mlmetrics-operations"]
        assert ["Tool", "Agent"] == [panel["title"] for panel in board["panels"] if panel["type"] == "row"]
        assert not [panel["title"] for panel in board["panels"] if "runbook" in panel.get("description", "")]


class TestRunbooks:
    """The pages of the alerts that are rendered."""

    @every
    def test_a_page_for_each_alert(self, name: str) -> None:
        """Every alert has its page, every page its alert, and the list names them."""
        pages = runbook_files(EVERY[name])
        index = pages.pop("README.md")
        assert {f"{alert}.md" for alert in alerts(EVERY[name])} == set(pages)
        assert set(pages) == set(re.findall(r"\((\w+\.md)\)", index))

    @every
    def test_queries_read_what_is_recorded(self, name: str) -> None:
        """A page has no query of what nothing records; those that are left are numbered."""
        config = EVERY[name]
        recorded = Recorded.of(config)
        for page, text in runbook_files(config).items():
            queries = re.findall(r"```promql\n(.+?)```", text, re.DOTALL)
            assert all(recorded.has(query) for query in queries), page
            assert [str(number + 1) for number in range(len(queries))] == re.findall(r"^(\d)\. ", text, re.MULTILINE)
            assert ("First three queries" in text) == (len(queries) == 3)

    def test_without_a_part(self) -> None:
        """Of an alert whose page also asks for what is not recorded, the rest of the page stays."""
        config = parse(ONE_SERVICE + '[[operation]]\nname = "inference"\nrecords = []\n')
        page = runbook_files(config)["SlowMLInference.md"]
        assert "ml_inference_duration_seconds_bucket" in page
        assert "ml_inference_tokens_total" not in page
        assert "ml_model_info" not in page
        requests = runbook_files(FEW["requests"])["HighMemoryUsage.md"]
        assert "file_processing_size_bytes" not in requests


class TestReference:
    """The page of all metrics."""

    def test_is_up_to_date(self) -> None:
        """The page in docs agrees with the catalogue; `python -m mlmetrics.monitoring.schema` writes it."""
        assert shipped_reference() == METRICS_PATH.read_text(encoding="utf-8")
        assert {metric.name for metric in METRICS} == set(
            re.findall(r"^\| `(\w+)` \|", shipped_reference(), re.MULTILINE)
        )

    @every
    def test_lists_what_may_be_exposed(self, name: str) -> None:
        """Every metric of the project has its row, and no other."""
        config = EVERY[name]
        assert set(config.metrics) == set(re.findall(r"^\| `(\w+)` \|", project_reference(config), re.MULTILINE))

    def test_rows(self) -> None:
        """A row says kind, labels, meaning and the buckets of the project."""
        page = project_reference(FEW["own operations"])
        assert (
            "| `ml_retrieval_score` | histogram | `service`, `index`, `tenant` | Scores of retrieval results, 0 to 1. "
            "| 0.25, 0.5, 1 |"
        ) in page
        assert "## Query rewriting" in page
