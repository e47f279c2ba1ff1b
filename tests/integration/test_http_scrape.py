"""What real servers make of what is served: Prometheus, and its own checker."""

import subprocess

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from mlmetrics.exposition.negotiation import OPENMETRICS
from tests.servers import Prometheus, UvicornServer, find_program

SERVICE = "tests.integration.http_service:app"
SCRAPE = """
global: {scrape_interval: 1s}
scrape_configs:
- job_name: served
  metrics_path: %s
  static_configs: [{targets: ["127.0.0.1:%d"]}]
"""
ROUTE = 'route="/items/{item}"'


def use(server: UvicornServer) -> None:
    """Send a few requests of every kind."""
    for number in range(5):
        httpx.get(f"{server.url}/items/{number}")
    httpx.get(f"{server.url}/raises")
    httpx.get(f"{server.url}/nowhere")


@pytest.mark.parametrize("path", ["/metrics", "/text"])
def test_prometheus_reads_both_formats(path: str) -> None:
    """Prometheus reads the same samples from OpenMetrics, which it negotiates, and from text."""
    with UvicornServer(SERVICE) as server:
        use(server)
        with Prometheus(SCRAPE % (path, server.port)) as prometheus:
            prometheus.wait_for("up == 1")
            prometheus.wait_for("mlmetrics_scrape_duration_seconds > 0")
            assert 5 == prometheus.query_value(f'fastapi_requests_total{{{ROUTE},status="200"}}')
            assert 1 == prometheus.query_value('fastapi_requests_total{route="/raises",status="500"}')
            assert 1 == prometheus.query_value('fastapi_requests_total{route="unmatched",status="404"}')
            assert 5 == prometheus.query_value(
                f'fastapi_request_duration_seconds_bucket{{{ROUTE},service="served",le=~"5(\\\\.0)?"}}'
            )
            assert 0 == prometheus.query_value("max(mlmetrics_scrape_errors_total)")
            assert "" == prometheus.targets()[0]["lastError"]


def test_the_first_failure_is_an_increase() -> None:
    """Pitfall 19: a failure after the first scrape is seen, because its series was 0 before."""
    with UvicornServer(SERVICE) as server, Prometheus(SCRAPE % ("/metrics", server.port)) as prometheus:
        prometheus.wait_for('count_over_time(fastapi_requests_total{route="/raises",status="500"}[1m]) >= 2')
        httpx.get(f"{server.url}/raises")
        prometheus.wait_for('increase(fastapi_requests_total{route="/raises",status="500"}[1m]) > 0')


def test_promtool_has_nothing_to_say() -> None:
    """Pitfall 24: promtool reads the text format and reports nothing."""
    promtool = find_program("promtool", package="prometheus")
    with UvicornServer(SERVICE) as server:
        use(server)
        text = server.get("/text").content
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, check=False)
    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("side", ["inside", "outside"])
def test_trace_ids_reach_prometheus(side: str) -> None:
    """The trace id of a recording span is on the bucket of its request, whoever started the span."""
    with UvicornServer(SERVICE, env={"TRACED": side}) as server:
        use(server)
        answer = httpx.get(f"{server.url}/metrics", headers={"Accept": "application/openmetrics-text"})
        assert OPENMETRICS == answer.headers["content-type"]
        ids = {
            sample.exemplar.labels["trace_id"]
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
            if sample.exemplar and sample.labels["route"] == "/items/{item}"
        }
        flags = ["--enable-feature=exemplar-storage"]
        with Prometheus(SCRAPE % ("/metrics", server.port), args=flags) as prometheus:
            prometheus.wait_for(f"fastapi_request_duration_seconds_count{{{ROUTE}}} == 5")
            query = {"query": f"fastapi_request_duration_seconds_bucket{{{ROUTE}}}", "start": "0", "end": "9999999999"}
            stored = prometheus.get("/api/v1/query_exemplars", **query).json()["data"]
    assert ids
    assert ids == {exemplar["labels"]["trace_id"] for series in stored for exemplar in series["exemplars"]}
