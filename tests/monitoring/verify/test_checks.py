"""`mlmetrics check` on live pages and on a real Prometheus."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.prometheus.files import server_files
from mlmetrics.monitoring.verify.checks import check_pages, check_prometheus, page_losses
from mlmetrics.monitoring.verify.finding import Finding
from mlmetrics.monitoring.verify.pages import read_pages
from tests.monitoring.configurations import ONE_SERVICE
from tests.servers import Prometheus, ThreadServer

CONFIG = parse(ONE_SERVICE)
BROKEN = 'a 1\n# TYPE b histogram\nb_bucket{le="+Inf"} 1\nb_sum NaN\nb_count 1\nb_count 1\n'


def service(**options: Any) -> tuple[MLMetrics, FastAPI]:
    """Return a toolkit of its own and an application that exposes it."""
    metrics = MLMetrics(service="solo", registry=CollectorRegistry(), **options)
    app = FastAPI()
    metrics.instrument(app, service_name="solo")
    return metrics, app


@pytest.fixture
def silent() -> Iterator[str]:
    """Serve a page of a service whose model has buckets without the alert's threshold."""
    metrics, app = service(buckets={"ml_inference_duration_seconds": (0.5, 1.0)})
    for model in ("gpt-4", "someone@example.org"):
        with metrics.inference_timer(model=model):
            pass
    with ThreadServer(app) as server:
        yield f"{server.url}/metrics"


def texts_of(findings: list[Finding], level: str, kind: str) -> dict[str, str]:
    """Return the texts of findings by subject."""
    return {finding.subject: finding.text for finding in findings if (finding.level, finding.kind) == (level, kind)}


class TestCheckPage:
    """`check_page` finds alerts that can never fire, labels with too many values, and malformed samples."""

    def test_threshold_that_is_no_bound(self, silent: str) -> None:
        """A histogram without the threshold's bucket is an error, because its alert could never fire."""
        errors = texts_of(check_page(CONFIG, silent), "error", "never fires")
        assert {
            "SlowMLInference": "ml_inference_duration_seconds_bucket has no bucket bound 30, but 0.5, 1, inf"
        } == errors

    def test_absent_metric(self, silent: str) -> None:
        """An absent metric is a note, because not every service has every metric."""
        notes = texts_of(check_page(CONFIG, silent), "note", "never fires")
        assert "parsing_accuracy_score_count is not on the page" == notes["LowParsingAccuracy"]
        assert "HighMLFailureRate" not in notes

    def test_label_that_grows(self, silent: str) -> None:
        """A label whose values look like ids is an error."""
        errors = texts_of(check_page(CONFIG, silent), "error", "label grows")
        assert "1 of 2 values look like ids" == errors["ml_inference_total{model}"]

    def test_label_with_many_values(self) -> None:
        """A label with more than a hundred values is an error."""
        metrics, app = service()
        for number in range(101):
            metrics.track_ml_inference(f"model-{number}", "solo", 0.1)
        with ThreadServer(app) as server:
            errors = texts_of(check_page(CONFIG, f"{server.url}/metrics"), "error", "label grows")
        assert "101 values" == errors["ml_inference_total{model}"]

    def test_malformed_page(self) -> None:
        """Errors of a page are named: no type, a sum that is NaN, a series that appears twice."""
        app = FastAPI()
        app.get("/metrics", response_class=PlainTextResponse)(lambda: BROKEN)
        with ThreadServer(app) as server:
            findings = check_page(CONFIG, f"{server.url}/metrics")
        texts = {finding.text for finding in findings if finding.kind == "malformed"}
        assert {"a has no TYPE", "b_sum{} is NaN, and will stay NaN", "b_count{} appears twice"} == texts

    @pytest.mark.parametrize("url", ["file:///etc/passwd", "http://127.0.0.1:1/metrics", "localhost:80"])
    def test_nothing_there(self, url: str) -> None:
        """An address that does not answer or is invalid is named."""
        with pytest.raises(ConfigurationError, match=url.rsplit("//", maxsplit=1)[-1]):
            check_page(CONFIG, url)


class TestCheckPrometheus:
    """`check_prometheus` checks the targets and rules of a running Prometheus."""

    def test_shipped_rules_are_healthy(self) -> None:
        """If all targets are up and all rules are loaded, there are no findings."""
        _, app = service()
        with ThreadServer(app) as server:
            config = parse(ONE_SERVICE.replace("solo:80", f"127.0.0.1:{server.port}")).scaled(1 / 60)
            files = server_files(config)
            with Prometheus(files.pop("prometheus.yml"), files) as prometheus:
                prometheus.wait_for("up == 1")
                prometheus.wait_for('ALERTS{alertname="Watchdog", alertstate="firing"}')
                assert [] == check_prometheus(config, prometheus.url)

    def test_lost_targets_and_rules(self) -> None:
        """A target that is down, a service that is not scraped and rules that were not loaded are named."""
        jobs = (
            "scrape_configs:\n- {job_name: other, scrape_interval: 500ms, static_configs: [{targets: ['127.0.0.1:1']}]}"
        )
        with Prometheus(jobs) as prometheus:
            prometheus.wait_for("up == 0")
            findings = check_prometheus(CONFIG, prometheus.url)
        targets = texts_of(findings, "error", "target")
        assert "is not scraped" == targets["solo"]
        assert "is down" in targets["other"]
        assert {"HighErrorRate", "ServiceDown", "Watchdog"} <= set(texts_of(findings, "error", "rule"))
