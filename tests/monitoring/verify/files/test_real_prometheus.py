"""What is claimed of queries, against what a real Prometheus returns; and queries that it refuses or that are empty."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from mlmetrics.monitoring.verify.files.check import Files, check_files
from mlmetrics.monitoring.verify.files.intervals import Interval
from mlmetrics.monitoring.verify.files.labels import Flow
from mlmetrics.monitoring.verify.files.promql import parse
from mlmetrics.monitoring.verify.files.ranges import Ranges
from mlmetrics.monitoring.verify.files.selection import Selection
from mlmetrics.monitoring.verify.files.series import Known, Labels
from mlmetrics.monitoring.verify.finding import Finding
from mlmetrics.monitoring.verify.metrics_page import read_page
from mlmetrics.monitoring.verify.prometheus_api import PrometheusAPI
from tests.monitoring.verify.files.shop import Shop, shop_page
from tests.servers import Prometheus, ThreadServer

SCRAPED = """
scrape_configs:
- job_name: shop
  scrape_interval: 500ms
  static_configs: [{targets: ['127.0.0.1:PORT'], labels: {rack: '7'}}]
"""
RATES = "rate(shop_orders_total[5m])"
QUERIES = (
    "shop_orders_total",
    "shop_stock",
    "up",
    "scrape_duration_seconds",
    "sum(shop_orders_total)",
    "sum by (country) (shop_orders_total)",
    "sum without (country) (shop_orders_total)",
    "avg by (job, nothing) (shop_stock)",
    "count by (code) (shop_orders_total)",
    "group by (country) (shop_orders_total)",
    "stddev(shop_stock)",
    "topk(1, shop_stock)",
    "bottomk by (item) (1, shop_stock)",
    "quantile(0.5, shop_stock)",
    'count_values("value", shop_orders_total)',
    RATES,
    "increase(shop_orders_total[5m])",
    "changes(shop_stock[5m])",
    "delta(shop_stock[5m])",
    "avg_over_time(shop_stock[5m])",
    "sum_over_time(up[5m])",
    "count_over_time(up[5m])",
    "max_over_time((shop_stock * 2)[5m:1s])",
    "absent(shop_nothing)",
    'absent(shop_orders_total{country="nl", code=~"2.."})',
    "present_over_time(shop_stock[5m])",
    "abs(shop_stock)",
    "ceil(shop_stock / 5)",
    "floor(shop_stock / 5)",
    "clamp(shop_stock, 0, 5)",
    "clamp_min(shop_stock, 1)",
    "clamp_max(shop_stock, 1)",
    "sgn(shop_stock)",
    "-shop_stock",
    "shop_stock * -2 + 1",
    "shop_stock ^ 2",
    "shop_stock % 5",
    "1 / shop_stock",
    "shop_stock > 5",
    "5 < shop_stock",
    "shop_stock == 12",
    "shop_stock > bool 5",
    "vector(3)",
    "time() - shop_queue",
    "hour()",
    "minute(shop_queue)",
    "timestamp(shop_queue)",
    'sum by (country) (shop_orders_total{code="500"}) / sum by (country) (shop_orders_total)',
    '100 * sum(rate(shop_orders_total{code="500"}[5m])) / sum(rate(shop_orders_total[5m]))',
    f"sum by (country) ({RATES}) or sum by (code) ({RATES})",
    "shop_orders_total and on (job) shop_queue",
    "shop_orders_total unless on (job) shop_nothing",
    "shop_orders_total * on (job) group_left (version, rack) shop_build_info",
    "shop_queue * on (job, instance) shop_build_info",
    'shop_orders_total{code="200"} / ignoring (code) shop_orders_total{code="500"}',
    "shop_queue > on (job) shop_build_info",
    'label_replace(shop_stock, "to", "$1", "item", "(.).*")',
    'label_join(shop_stock, "to", "-", "item", "job")',
    "histogram_quantile(0.9, shop_order_seconds_bucket)",
    "histogram_quantile(0.9, sum by (le, country) (shop_order_seconds_bucket))",
    "histogram_quantile(0.01, shop_order_seconds_bucket) * 1000",
    'shop_order_seconds_bucket{le="0.5"} / ignoring (le) shop_order_seconds_count',
    "scalar(shop_queue) + shop_stock",
    "sort_desc(shop_stock)",
    "last_over_time(shop_stock[5m]) - shop_stock",
)


@dataclass(frozen=True)
class Running:
    """A Prometheus that scrapes the shop."""

    prometheus: Prometheus

    @property
    def url(self) -> str:
        """Its address."""
        return self.prometheus.url


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """Serve the shop's page, and scrape it a few times."""
    app = FastAPI()
    app.get("/metrics", response_class=PlainTextResponse)(Shop().text_after_orders)
    with ThreadServer(app) as server, Prometheus(SCRAPED.replace("PORT", str(server.port))) as prometheus:
        prometheus.wait_for("count_over_time(shop_queue[1m]) > 3")
        yield Running(prometheus)


def nobody(level: str, kind: str, text: str) -> None:
    """Take no note of problems."""


class TestClaims:
    """Labels and ranges hold for what Prometheus returns, whether they are told from the page or from Prometheus."""

    @pytest.mark.parametrize("query", QUERIES)
    def test_hold(self, running: Running, query: str) -> None:
        """Every series has all labels that are said to be always there and no others than it may have."""
        found = running.prometheus.wait_for(query)
        for pages, prometheus in (([shop_page()], None), ([], running.url), ([shop_page()], running.url)):
            known = Known(pages, PrometheusAPI(prometheus) if prometheus else None, frozenset({"rack"}))
            labels = Flow(Selection(known, nobody), nobody).of(parse(query))
            between = Ranges(known).of(parse(query))
            for series in found:
                self._holds(series["metric"], float(series["value"][1]), labels, between)

    def _holds(self, metric: dict[str, str], value: float, labels: Labels, between: Interval) -> None:
        own = set(metric) - {"__name__"}
        assert labels.always <= own
        assert labels.open or own <= labels.may
        assert between.low - 1e-9 <= value <= between.high + 1e-9

    def test_labels_of_prometheus_are_certain(self, running: Running) -> None:
        """Where Prometheus has a metric, the labels of targets are those that it has, and no others may be."""
        known = Known([], PrometheusAPI(running.url))
        (metric,) = (known.metric("shop_queue"),)
        assert metric is not None
        assert {"job", "instance", "rack"} == metric.labels.may == metric.labels.always
        assert {"job", "instance", "rack"} == known.metric("up").labels.may  # type: ignore[union-attr]


class TestAnswers:
    """Queries of files, sent to a Prometheus."""

    def found(
        self, running: Running, tmp_path: Path, *, rules: str = "", panels: tuple[str, ...] = ()
    ) -> list[Finding]:
        """Return the findings of files with these rules and panels, known from Prometheus alone."""
        rule_file, dashboard = tmp_path / "rules.yml", tmp_path / "board.json"
        rule_file.write_text(f"groups: [{{name: x, rules: [{rules}]}}]")
        variables = [
            {"name": "country", "type": "query", "query": "label_values(shop_orders_total, country)"},
            {"name": "code", "type": "query", "query": 'label_values(shop_orders_total{country="$country"}, code)'},
            {"name": "all", "type": "query", "query": "label_values(shop_stock, item)", "includeAll": True},
        ]
        queries = [{"title": f"P{number}", "targets": [{"expr": text}]} for number, text in enumerate(panels)]
        dashboard.write_text(json.dumps({"panels": queries, "templating": {"list": variables}}))
        files = Files([rule_file] if rules else [], [dashboard] if panels else [])
        return check_files(files, {}, running.url).findings

    def test_data(self, running: Running, tmp_path: Path) -> None:
        """Rules and panels that return data, through variables, have no finding."""
        panels = (
            'shop_orders_total{country="$country",code="${code}"}',
            'shop_stock{item=~"$all"}',
            "rate(shop_orders_total[$__rate_interval])",
            "shop_stock{rack=~'.+'}",
        )
        rule = "{record: a, expr: sum(shop_orders_total)}, {alert: A, expr: a > 1e9}, {alert: B, expr: up == 0}"
        assert [] == self.found(running, tmp_path, rules=rule, panels=panels)

    def test_dashboards_of_one_name(self, running: Running, tmp_path: Path) -> None:
        """Each has the values of its own variables, also if their files have the same name in two folders."""
        paths = []
        for folder, metric, label in (("a", "shop_orders_total", "country"), ("b", "shop_stock", "item")):
            paths.append(tmp_path / folder / "board.json")
            paths[-1].parent.mkdir()
            variable = {"name": "x", "type": "query", "query": f"label_values({metric}, {label})"}
            panels = [{"title": "P", "targets": [{"expr": f'{metric}{{{label}="$x"}}'}]}]
            paths[-1].write_text(json.dumps({"panels": panels, "templating": {"list": [variable]}}))
        assert [] == check_files(Files([], paths), {}, running.url).findings

    def test_nothing(self, running: Running, tmp_path: Path) -> None:
        """A panel or a recording rule that returns nothing is a note that names what has no series."""
        panels = (
            'shop_orders_total{country="nl"} or shop_orders_total{code="404"}',
            "shop_stock > 100",
            "shop_queue * NaN",
        )
        found = self.found(running, tmp_path, rules="{record: a, expr: shop_queue > 100}", panels=panels)
        empty = {finding.subject: finding.text for finding in found if finding.kind == "empty"}
        assert {
            "rules.yml: a": "returns nothing now, although all that it selects has series",
            "board.json: P0": 'returns nothing in the last hour: no series of shop_orders_total{country="nl"}; '
            'shop_orders_total{code="404"}',
            "board.json: P1": "returns nothing in the last hour, although all that it selects has series",
            "board.json: P2": "returns only NaN in the last hour, as 0 / 0 is",
        } == empty
        assert {"note"} == {finding.level for finding in found}
        assert {running.url} == {finding.url for finding in found if finding.kind == "empty"}

    def test_refused(self, running: Running, tmp_path: Path) -> None:
        """A query that the parser reads and this Prometheus refuses is an error, in its words."""
        many = "shop_orders_total / on (job) shop_orders_total"
        (finding,) = [each for each in self.found(running, tmp_path, panels=(many,)) if each.kind == "query"]
        assert "error" == finding.level
        assert "many-to-many matching not allowed" in finding.text

    def test_missing(self, running: Running, tmp_path: Path) -> None:
        """A metric or a label that Prometheus does not have is an error, and the query is not sent."""
        panels = ("shop_order_total", 'shop_queue{namespace="x"}')
        found = self.found(running, tmp_path, panels=panels)
        assert ["metric", "label"] == [finding.kind for finding in found]

    def test_what_is_not_scraped(self, running: Running) -> None:
        """A metric of a page that Prometheus does not scrape is known all the same."""
        known = Known(
            [read_page("# TYPE other gauge\nother 1\n", "text/plain")], PrometheusAPI(running.url), frozenset()
        )
        assert known.metric("other") is not None
        assert known.metric("another") is None
