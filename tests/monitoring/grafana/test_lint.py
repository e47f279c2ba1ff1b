"""The rules of Grafana's dashboard linter, and our own: names, traffic of zero, ids. Exceptions have reasons."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import units

from mlmetrics.catalog import OPERATIONS
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana.provisioning import dashboard_texts
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.prometheus.files import rule_groups
from mlmetrics.monitoring.rules.model import RecordingRule
from tests.promql import RANGE, RATE_INTERVAL, Selector, listed_labels, operations, selectors

ROOT = Path(__file__).parents[3]
EXTRA = '[[operation]]\nname = "retrieval"\nlabels = ["index", "tenant"]\nscore = true\n'
OF_REQUESTS = "[requests]\nbody_sizes = true\nwebsockets = true\n"
NAMED = re.compile(r"\[\[operation\]\]\n(?:.+\n)*")
TEXT = NAMED.sub("", (ROOT / "mlmetrics.toml").read_text())
CONFIG = parse(TEXT + OF_REQUESTS + "".join(f'[[operation]]\nname = "{each.name}"\n' for each in OPERATIONS) + EXTRA)
GROUPED = replace(CONFIG, grouping=("cluster", "namespace"))
BOARDS: dict[str, dict[str, Any]] = {uid: json.loads(text) for uid, text in dashboard_texts(CONFIG).items()}
OTHERS = {
    "ALERTS": {"alertname", "alertstate", "service"},
    "up": set(),
    "process_start_time_seconds": set(),
    "process_resident_memory_bytes": set(),
    "process_cpu_seconds_total": set(),
    "process_open_fds": set(),
    "process_max_fds": set(),
    "scrape_duration_seconds": set(),
    "scrape_samples_scraped": set(),
    "node_memory_MemTotal_bytes": set(),
    "node_memory_MemAvailable_bytes": set(),
    "node_cpu_seconds_total": {"mode"},
}
# The metrics that queries may read without one of the linter's matchers, and why.
WITHOUT_TARGET = {
    "ALERTS": "an alert of a service names no target",
    "mlmetrics:": "what rules record is of a service, over all its targets",
    "job": "what rules record of a job is of all its instances",
    "node_": "a host is no instance of a service; its job is fixed",
}

boards = pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels of a dashboard, without rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def targets(board: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the title and the query of each target."""
    return [(panel["title"], target["expr"]) for panel in panels(board) for target in panel["targets"]]


def selectors_of(board: dict[str, Any]) -> Iterator[tuple[str, Selector]]:
    """Yield the title and each selector of each target."""
    return ((title, each) for title, query in targets(board) for each in selectors(query))


def variables(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the variables by name."""
    return {variable["name"]: variable for variable in board["templating"]["list"]}


@boards
class TestLinter:
    """The linter's rules, under the names that they have there."""

    def test_template_datasource_rule(self, board: dict[str, Any]) -> None:
        """The data source is a variable with the usual name."""
        found = [each for each in board["templating"]["list"] if each["type"] == "datasource"]
        assert [("datasource", "Data source", "prometheus")] == [(v["name"], v["label"], v["query"]) for v in found]

    @pytest.mark.parametrize("name", ["job", "instance", "service", "model"])
    def test_template_job_and_instance_rules(self, board: dict[str, Any], name: str) -> None:
        """Job and instance, and our service and model, are queries with several choices and `.+` for all."""
        variable = variables(board)[name]
        assert name.capitalize() == variable["label"]
        assert ("query", True, True, ".+") == tuple(
            variable[key] for key in ("type", "multi", "includeAll", "allValue")
        )
        assert "${datasource}" == variable["datasource"]["uid"]

    def test_template_label_promql_rule(self, board: dict[str, Any]) -> None:
        """Every variable's query is a function of the data source over a selector."""
        queries = [v["query"]["query"] for v in board["templating"]["list"] if v["type"] == "query"]
        assert all(re.fullmatch(r"label_values\(.+, \w+\)", query) for query in queries)
        assert all(list(selectors(query.removeprefix("label_values(").rpartition(",")[0])) for query in queries)

    def test_template_on_time_change_reload_rule(self, board: dict[str, Any]) -> None:
        """Variables are read again when the time range changes."""
        assert {2} == {v["refresh"] for v in board["templating"]["list"] if v["type"] == "query"}

    def test_panel_datasource_rule(self, board: dict[str, Any]) -> None:
        """Every panel, target and annotation reads the chosen data source."""
        places = [*panels(board), *board["annotations"]["list"]]
        places += [target for panel in panels(board) for target in panel["targets"]]
        assert {"${datasource}"} == {place["datasource"]["uid"] for place in places}

    def test_panel_title_description_rule(self, board: dict[str, Any]) -> None:
        """Every panel has a title and a description of at least a clause."""
        assert not [panel for panel in panels(board) if not panel["title"] or len(panel["description"]) < 15]

    def test_panel_units_rule(self, board: dict[str, Any]) -> None:
        """Every panel has a unit that Grafana knows."""
        known = {value for value in vars(units).values() if isinstance(value, str)}
        assert {panel["fieldConfig"]["defaults"]["unit"] for panel in panels(board)} <= known

    def test_panel_no_targets_rule(self, board: dict[str, Any]) -> None:
        """Every dashboard has panels, and every panel asks something."""
        assert panels(board)
        assert all(panel["targets"] for panel in panels(board))

    def test_target_promql_rule(self, board: dict[str, Any]) -> None:
        """Every target is PromQL that selects series."""
        assert [] == [title for title, query in targets(board) if not list(selectors(query))]

    def test_target_rate_interval_rule(self, board: dict[str, Any]) -> None:
        """Every range is the variable of Grafana for rates or, of a sum, that for the range of the panel."""
        queries = [query for _, query in targets(board)] + [each["expr"] for each in board["annotations"]["list"]]
        ranged = [each for query in queries for each in selectors(query) if each.window]
        assert {RATE_INTERVAL} >= {each.window for each in ranged if each.function != "increase"}
        assert {RANGE} >= {each.window for each in ranged if each.function == "increase"}

    def test_target_counter_agg_rule(self, board: dict[str, Any]) -> None:
        """Every counter is read through `rate` or `increase`."""
        counters = [
            (title, each) for title, each in selectors_of(board) if each.metric.endswith(("_total", "_bucket", "_sum"))
        ]
        assert not [(title, each) for title, each in counters if each.function not in {"rate", "increase"}]

    @pytest.mark.parametrize("label", ["job", "instance"])
    def test_target_job_and_instance_rules(self, board: dict[str, Any], label: str) -> None:
        """Every selector matches job and instance, except of metrics that do not have them."""
        matcher = (label, "=~", f"${label}")
        missing = {each.metric for _, each in selectors_of(board) if matcher not in each.matchers}
        assert not {metric for metric in missing if not metric.startswith(tuple(WITHOUT_TARGET))}

    def test_sums_of_a_range_are_tables(self, board: dict[str, Any]) -> None:
        """A sum of the whole range is asked for once, at its end: as a line, each point would have a sum of its own."""
        summing = [panel for panel in panels(board) if "increase(" in str(panel["targets"])]
        assert {"table"} >= {panel["type"] for panel in summing}

    def test_uneditable_rule(self, board: dict[str, Any]) -> None:
        """Dashboards cannot be edited in the browser."""
        assert board["editable"] is False


@boards
class TestOurs:
    """Rules that the linter does not have."""

    def test_metrics_and_labels_exist(self, board: dict[str, Any]) -> None:
        """Every metric is in the catalogue, recorded by a rule, or well known; every label is one of its own."""
        known = known_labels()
        common = {"job", "instance", "le"}
        for title, query in targets(board):
            for each in selectors(query):
                assert each.metric in known, (title, each.metric)
                assert each.labels() <= known[each.metric] | common, (title, each)
            labels = set().union(*(known[each.metric] for each in selectors(query)))
            assert listed_labels(query) <= labels | common, (title, query)

    def test_ratios_are_safe(self, board: dict[str, Any]) -> None:
        """Every divisor is above 0, or 1 minus a target that the configuration keeps below 1."""
        for title, query in targets(board):
            divisions = list(operations(query, "/"))
            assert query.count(" / ") == len(divisions), title
            for division in divisions:
                assert is_above_zero(division.rhs) or is_budget(division.rhs), (title, division.rhs.prettify())

    def test_quantiles_are_safe(self, board: dict[str, Any]) -> None:
        """A quantile has a value only if something was observed; otherwise it would be NaN."""
        for title, query in targets(board):
            guarded = [each for each in operations(query, "and") if is_above_zero(each.rhs)]
            observed = [each for each in guarded if "_count{" in each.rhs.prettify()]
            assert query.count("histogram_quantile(") == len(observed), title

    def test_ids(self, board: dict[str, Any]) -> None:
        """Panels and rows have different ids, and the targets of a panel different letters."""
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        assert min(ids) > 0
        for panel in panels(board):
            letters = [target["refId"] for target in panel["targets"]]
            assert [chr(ord("A") + index) for index in range(len(letters))] == letters

    def test_titles_are_unique(self, board: dict[str, Any]) -> None:
        """Ids are computed from titles, so titles are unique."""
        titles = [panel["title"] for panel in panels(board)]
        assert len(set(titles)) == len(titles)

    def test_panels_do_not_overlap(self, board: dict[str, Any]) -> None:
        """Panels do not overlap, and none is outside the grid."""
        places = [
            (x, y)
            for panel in board["panels"]
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        ]
        assert len(set(places)) == len(places)
        assert 23 == max(x for x, _ in places)

    def test_refreshes_and_links(self, board: dict[str, Any]) -> None:
        """Dashboards refresh every 30 s, and link to each other with time and variables."""
        assert "30s" == board["refresh"]
        assert ["mlmetrics"] == board["tags"] == board["links"][0]["tags"]
        assert (True, True) == (board["links"][0]["includeVars"], board["links"][0]["keepTime"])

    def test_annotations(self, board: dict[str, Any]) -> None:
        """Firing alerts and restarts are marked."""
        assert ["Firing alerts", "Restarts"] == [each["name"] for each in board["annotations"]["list"]]

    def test_fits_the_types(self, board: dict[str, Any]) -> None:
        """The JSON read by Grafana's own types and written again is the same."""
        register_default_plugins()
        again = models.Dashboard.from_json(json.loads(json.dumps(board)))
        assert board == json.loads(json.dumps(again, cls=JSONEncoder))


def is_above_zero(node: promql.Expr) -> bool:
    """Tell whether an expression is `(... > 0)`."""
    if not isinstance(node, promql.ParenExpr) or not isinstance(node.expr, promql.BinaryExpr):
        return False
    comparison = node.expr
    bound = comparison.rhs
    return str(comparison.op) == ">" and isinstance(bound, promql.NumberLiteral) and bound.val == 0


def is_budget(node: promql.Expr) -> bool:
    """Tell whether an expression is 1 minus the target of an objective."""
    return node.prettify().startswith("(1 - mlmetrics:slo_target:ratio{")


def known_labels() -> dict[str, set[str]]:
    """Return the labels of every metric that may be asked for."""
    known = {sample: set(metric.labels) for metric in CONFIG.metrics.values() for sample in metric.sample_names}
    labels = {label for operation in CONFIG.operations for metric in operation.metrics for label in metric.labels}
    for groups in rule_groups(CONFIG).values():
        for rule in (rule for group in groups for rule in group.rules if isinstance(rule, RecordingRule)):
            known.setdefault(rule.name, {*labels, "objective"}).update(rule.labels)
            known[rule.name] |= listed_labels(rule.expression)
    return known | OTHERS


class TestContents:
    """The dashboards show what users asked for."""

    def test_main_panels(self) -> None:
        """The first users' six panels are on the dashboard of their name."""
        main = BOARDS["mlmetrics-performance"]
        assert "Nexten ML/AI Performance Dashboard" == main["title"]
        assert {
            "API request rate",
            "Response time (95th percentile)",
            "Inference duration",
            "Inference success rate",
            "Distribution of accuracy scores",
            "Error rate per service",
        } <= {panel["title"] for panel in panels(main)}

    def test_thresholds_are_the_alerts(self) -> None:
        """A line is at the threshold of the configuration; a disabled alert has no line."""
        assert 5.0 == line(CONFIG, "Response time (95th percentile)")
        slower = replace(CONFIG.alerts["HighAPIResponseTime"], threshold=10.0)
        alerts = {**CONFIG.alerts, "HighAPIResponseTime": slower}
        assert 10.0 == line(replace(CONFIG, alerts=alerts), "Response time (95th percentile)")
        alerts["HighAPIResponseTime"] = replace(slower, enabled=False)
        assert line(replace(CONFIG, alerts=alerts), "Response time (95th percentile)") is None
        assert 0.9 == line(CONFIG, "Inference success rate")

    def test_runbooks(self) -> None:
        """Panels with an alert's line name its runbook, and link to it if a browser can open the address."""
        remote = replace(CONFIG, runbooks="https://docs.example/runbooks")
        panel = panel_of(remote, "Inference duration")
        assert "https://docs.example/runbooks/SlowMLInference.md" == panel["links"][0]["url"]
        assert panel["description"].endswith("https://docs.example/runbooks/SlowMLInference.md")
        local = panel_of(CONFIG, "Inference duration")
        assert "links" not in local
        assert (ROOT / local["description"].rpartition(" ")[2]).name == "SlowMLInference.md"

    @pytest.mark.parametrize(("title", "alert"), [("Memory", "HighMemoryUsage"), ("Processor", "HighCPUUsage")])
    def test_shares_of_a_limit(self, title: str, alert: str) -> None:
        """Use is absolute, so the share of the limit above which the alert fires is told in words, while it is on."""
        lowered = replace(CONFIG.alerts[alert], share=0.125)
        remote = replace(CONFIG, runbooks="https://docs.example/runbooks", alerts={**CONFIG.alerts, alert: lowered})
        panel = panel_of(remote, title)
        page = f"https://docs.example/runbooks/{alert}.md"
        assert panel["description"].endswith(f" {alert} fires above 12.5 % of the limit; runbook: {page}")
        assert page == panel["links"][0]["url"]
        assert line(remote, title) is None
        off = replace(CONFIG, alerts={**CONFIG.alerts, alert: replace(lowered, enabled=False)})
        assert alert not in panel_of(off, title)["description"]

    def test_grouping(self) -> None:
        """Configured grouping labels are variables, which every selector with a target matches."""
        for text in dashboard_texts(GROUPED).values():
            board = json.loads(text)
            assert ["datasource", "cluster", "namespace", "job"] == list(variables(board))[:4]
            ours = [
                each
                for _, each in selectors_of(board)
                if not each.metric.startswith(("ALERTS", "node_", "mlmetrics:slo_target"))
            ]
            assert ours
            assert all({"cluster", "namespace"} <= each.labels() for each in ours)


def panel_of(config: Config, title: str) -> dict[str, Any]:
    """Return a panel of the main dashboard."""
    main: dict[str, Any] = json.loads(dashboard_texts(config)["mlmetrics-performance"])
    found: dict[str, Any] = next(panel for panel in main["panels"] if panel["title"] == title)
    return found


def line(config: Config, title: str) -> float | None:
    """Return the value at which a panel draws its line."""
    field = panel_of(config, title)["fieldConfig"]["defaults"]
    drawn = field["custom"]["thresholdsStyle"]["mode"] == "dashed"
    value: float = field["thresholds"]["steps"][-1].get("value")
    return value if drawn else None
