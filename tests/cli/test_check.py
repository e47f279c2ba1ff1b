"""`mlmetrics check`: what it prints, its JSON document, and its exit codes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.cli.root import main
from tests.monitoring.configurations import ONE_SERVICE
from tests.servers import ThreadServer, free_port

SHOP = """
# TYPE shop_orders_total counter
shop_orders_total{country="fr"} 8
# TYPE shop_seconds histogram
shop_seconds_bucket{le="0.5"} 3
shop_seconds_bucket{le="2.0"} 7
shop_seconds_bucket{le="+Inf"} 8
shop_seconds_sum 9
shop_seconds_count 8
"""
RULES = """
groups:
- name: shop
  rules:
  - {record: "shop:orders:rate5m", expr: "sum by (country) (rate(shop_orders_total[5m]))"}
  - {alert: NoOrders, expr: "shop:orders:rate5m == 0", annotations: {summary: "{{ $labels.country }}"}}
"""
PLANTED = """
groups:
- name: planted
  rules:
  - {alert: Metric, expr: "rate(shop_order_total[5m]) > 1"}
  - {alert: Label, expr: "sum by (land) (shop_orders_total) > 1"}
  - {alert: Shown, expr: "sum(shop_orders_total) > 1", annotations: {summary: "{{ $labels.country }}"}}
  - {alert: Bucket, expr: 'rate(shop_seconds_bucket{le="1.0"}[5m]) > 1'}
  - {alert: Comparison, expr: "histogram_quantile(0.9, rate(shop_seconds_bucket[5m])) > 2"}
  - {alert: Match, expr: "sum by (country) (shop_orders_total) / sum(shop_orders_total) > 0.5"}
  - {alert: Parse, expr: "sum by country (shop_orders_total)"}
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Write a small configuration that tells somebody of alerts."""
    path = tmp_path / "mlmetrics.toml"
    path.write_text(f'{ONE_SERVICE}\n[notify]\npage = "http://hooks/page"\nticket = "http://hooks/ticket"\n')
    return str(path)


@pytest.fixture
def shop() -> Iterator[str]:
    """Serve the page of a shop, at `/metrics` beneath the address."""
    app = FastAPI()
    app.get("/metrics", response_class=PlainTextResponse)(lambda: SHOP)
    with ThreadServer(app) as server:
        yield server.url


@pytest.fixture
def service() -> Iterator[str]:
    """Serve the page of a service with mlmetrics that has had one inference."""
    metrics, app = MLMetrics(service="solo", registry=CollectorRegistry()), FastAPI()
    metrics.instrument(app, service_name="solo")
    with metrics.inference_timer(model="m"):
        pass
    with ThreadServer(app) as server:
        yield server.url


def run(*arguments: str) -> tuple[int, str]:
    """Return the exit code and the output of the command."""
    result = CliRunner().invoke(main, ["check", *arguments])
    return result.exit_code, result.output


def written(tmp_path: Path, name: str, text: str) -> str:
    """Write a file, and return its path."""
    path = tmp_path / name
    path.write_text(text)
    return str(path)


class TestPages:
    """The pages of services."""

    def test_healthy(self, service: str, config: str) -> None:
        """A page whose alerts wait for their first event has notes only; with --strict these are errors."""
        code, output = run(service, "--config", config)
        assert (0, True) == (code, "waits        UsageMissing" in output)
        assert 1 == run(service, "--config", config, "--strict")[0]

    def test_json(self, service: str, config: str) -> None:
        """The document has the same keys in each row, and the address that answered."""
        unreachable = f"http://127.0.0.1:{free_port()}/metrics"
        code, output = run(service, unreachable, "--config", config, "--json")
        rows = json.loads(output)
        assert 2 == code
        assert {("level", "kind", "subject", "text", "url")} == {tuple(row) for row in rows}
        assert {unreachable} == {row["url"] for row in rows if row["level"] == "error"}

    def test_several(self, service: str, shop: str, config: str) -> None:
        """Each finding about one page says which, if there are several."""
        broken = SHOP + "shop_seconds_sum NaN\n"
        app = FastAPI()
        app.get("/metrics", response_class=PlainTextResponse)(lambda: broken)
        with ThreadServer(app) as server:
            code, output = run(service, shop, server.url, "--config", config)
        assert 1 == code
        assert f"{server.url}/metrics: shop_seconds_sum{{}} is NaN, and will stay NaN" in output
        assert "SlowMLInference" not in output

    def test_no_metrics(self, config: str) -> None:
        """A page that is no metrics is one error, and the exit code is 1."""
        with ThreadServer(FastAPI()) as server:
            code, output = run(f"{server.url}/openapi.json", "--config", config)
        assert 1 == code
        assert "has no metrics but application/json" in output
        assert "1 errors, 0 notes" in output

    def test_nothing_to_look_at(self, config: str) -> None:
        """Without a page and without a Prometheus there is nothing to check."""
        code, output = run("--config", config)
        assert 2 == code
        assert "give the URL" in output

    def test_unreachable(self, config: str) -> None:
        """A service that does not answer gives exit code 2, and one line that says so."""
        code, output = run(f"http://127.0.0.1:{free_port()}/metrics", "--config", config)
        assert 2 == code
        assert "the connection was refused" in output
        assert 2 == len(output.splitlines())

    def test_no_configuration(self, service: str, tmp_path: Path) -> None:
        """Without a configuration, alerts of ours cannot be checked."""
        code, output = run(service, "--config", str(tmp_path / "none.toml"))
        assert 2 == code
        assert "none.toml" in output


class TestFiles:
    """Rule files and dashboards, whoever wrote them; no configuration is needed."""

    def test_right(self, shop: str, tmp_path: Path) -> None:
        """Files that ask for what is there have no finding."""
        panel = {"title": "Orders", "targets": [{"expr": "shop:orders:rate5m", "legendFormat": "{{country}}"}]}
        board = written(tmp_path, "board.json", json.dumps({"panels": [panel]}))
        code, output = run(shop, "--rules", written(tmp_path, "rules.yml", RULES), "--dashboard", board)
        assert (0, ["2 rules and 1 queries of dashboards were read", "0 errors, 0 notes"]) == (
            code,
            output.splitlines(),
        )

    def test_planted(self, shop: str, tmp_path: Path) -> None:
        """Each kind of defect is found, once."""
        code, output = run(shop, "--rules", written(tmp_path, "planted.yml", PLANTED), "--json")
        rows = json.loads(output)
        assert 1 == code
        assert {
            "planted.yml: Metric": "metric",
            "planted.yml: Label": "label",
            "planted.yml: Shown": "label",
            "planted.yml: Bucket": "bucket",
            "planted.yml: Comparison": "comparison",
            "planted.yml: Match": "match",
            "planted.yml: Parse": "parse",
        } == {row["subject"]: row["kind"] for row in rows}
        assert 7 == len(rows)
        assert {"error"} == {row["level"] for row in rows}

    def test_several_files(self, shop: str, tmp_path: Path) -> None:
        """Files are given as the shell writes them, before or after the address."""
        one, two = written(tmp_path, "one.yml", RULES), written(tmp_path, "two.yml", PLANTED)
        for arguments in (["--rules", one, two, shop], [shop, "--rules", one, "--rules", two]):
            code, output = run(*arguments)
            assert 1 == code
            assert "9 rules and 0 queries" in output
            assert "7 errors, 0 notes" in output
        assert 7 == len(json.loads(run("--rules", one, two, "--json", shop)[1]))

    def test_target_label(self, shop: str, tmp_path: Path) -> None:
        """A label that Prometheus adds is named, and then known."""
        rules = written(tmp_path, "rules.yml", RULES.replace("sum by (country)", "sum by (country, rack)"))
        assert 1 == run(shop, "--rules", rules)[0]
        assert 0 == run(shop, "--rules", rules, "--target-label", "rack")[0]

    def test_file_that_is_none(self, shop: str, tmp_path: Path) -> None:
        """A missing file is an error of usage; one that holds something else is a finding."""
        assert 2 == run(shop, "--rules", str(tmp_path / "none.yml"))[0]
        code, output = run(shop, "--dashboard", written(tmp_path, "board.json", "{}"))
        assert 1 == code
        assert "board.json: has no panels" in output

    def test_no_page_to_check_by(self, tmp_path: Path) -> None:
        """Without any page, nothing is said about the files."""
        gone = f"http://127.0.0.1:{free_port()}"
        code, output = run(gone, "--rules", written(tmp_path, "planted.yml", PLANTED))
        assert 2 == code
        assert "1 errors, 0 notes" in output

    def test_panels_are_of_the_project(self, shop: str, tmp_path: Path) -> None:
        """`--panels` runs the project's own dashboards, so it does not go with files."""
        rules = written(tmp_path, "rules.yml", RULES)
        code, output = run("--rules", rules, "--prometheus", shop, "--panels")
        assert 2 == code
        assert "leave it out with --rules" in output
