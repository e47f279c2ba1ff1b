"""The API of Prometheus, and the error if another server answers."""

import time

import pytest
from fastapi import FastAPI

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.verify.prometheus_api import PrometheusAPI
from tests.servers import Prometheus, ThreadServer


def test_asks_a_prometheus() -> None:
    """The API returns query results, label values, targets and rules of a running Prometheus."""
    with Prometheus(
        "scrape_configs:\n- {job_name: a, scrape_interval: 500ms, static_configs: [{targets: ['127.0.0.1:1']}]}"
    ) as server:
        server.wait_for("up == 0")
        prometheus = PrometheusAPI(server.url + "/")
        assert ["a"] == [series["metric"]["job"] for series in prometheus.query("up", time.time())]
        assert ["a"] == prometheus.label_values("job", "up", 0.0)
        assert ["a"] == [target["labels"]["job"] for target in prometheus.targets()]
        assert [] == prometheus.rule_groups()
        with pytest.raises(ConfigurationError, match="cannot be read"):
            prometheus.query("sum(", time.time())


def test_another_server() -> None:
    """The response of another server is an error that says so."""
    app = FastAPI()
    app.get("/api/v1/query")(lambda: ["something else"])
    with ThreadServer(app) as server, pytest.raises(ConfigurationError, match="is not a response of Prometheus"):
        PrometheusAPI(server.url).query("up", time.time())
