"""`mlmetrics check` on live pages and on a real Prometheus."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.prometheus.files import server_files
from mlmetrics.monitoring.verify.checks import check_pages, check_prometheus, page_losses
from mlmetrics.monitoring.verify.finding import Finding
from mlmetrics.monitoring.verify.metrics_page import read_page
from mlmetrics.monitoring.verify.pages import fetch, read_pages
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


def check(*urls: str) -> list[Finding]:
    """Return the findings of pages."""
    pages = read_pages(urls)
    assert not pages.unreachable
    return check_pages(CONFIG, pages.read)


class TestCheckPages:
    """`check_pages` finds alerts that can never fire, lost measurements, labels that grow, and malformed samples."""

    def test_threshold_that_is_no_bound(self, silent: str) -> None:
        """A histogram without the threshold's bucket is an error, because its alert could never fire."""
        errors = texts_of(check(silent), "error", "never fires")
        assert {
            "SlowMLInference": "ml_inference_duration_seconds_bucket has no bucket bound 30, but 0.5, 1, inf; "
            "the last one is 1"
        } == errors

    def test_absent_while_healthy(self, silent: str) -> None:
        """What comes with an event that has not happened waits; operations that the service lacks are not recorded."""
        found = check(silent)
        waiting, absent = texts_of(found, "note", "waits"), texts_of(found, "note", "not recorded")
        money = {"UsageMissing", "Unpriced", "CostBudget", "DailySpend", "MonthlyBudget"}
        quality = {"LowConfidence", "BadFeedback", "InferenceScoreDrift", "PredictedClassDrift"}
        around = {"RetryStorm", "FallbacksExhausted", "AuthenticationOrQuotaFailures", "ModelLoadFailed"}
        assert {"SlowFirstChunk", "SlowChunks", *money, *quality, *around} == set(waiting)
        assert (
            "parsing_accuracy_score_count is on no page; the services have no such calls, or had none yet"
            == (absent["LowParsingAccuracy"])
        )
        assert "HighMLFailureRate" not in {*waiting, *absent}

    def test_service_of_another_name(self, silent: str) -> None:
        """A service that the configuration calls otherwise has objectives that select nothing."""
        pages = read_pages([silent]).read
        assert {} == texts_of(check_pages(CONFIG, pages), "error", "service")
        renamed = parse(ONE_SERVICE.replace('"solo"', '"single"'))
        (text,) = texts_of(check_pages(renamed, pages), "error", "service").items()
        assert ("solo", "single") == (text[0], text[1].partition("but ")[2].partition(":")[0])

    def test_labels_of_an_own_operation(self) -> None:
        """Labels that the code does not declare are an error; none is known before the first call."""
        declared = parse(f'{ONE_SERVICE}\n[[operation]]\nname = "retrieval"\nlabels = ["idx"]\n')
        metrics, app = service()
        retrieval = metrics.operation("retrieval", labelnames=("index",))
        with ThreadServer(app) as server:
            assert {} == texts_of(check_pages(declared, read_pages([server.url]).read), "error", "label")
            retrieval.record(0.1, index="docs")
            found = texts_of(check_pages(declared, read_pages([server.url]).read), "error", "label")
        assert ["ml_retrieval_total"] == list(found)
        assert found["ml_retrieval_total"].startswith("has no label idx, but index")

    def test_page_of_another(self) -> None:
        """A page that is not of mlmetrics has no alert that never fires."""
        app = FastAPI()
        app.get("/metrics", response_class=PlainTextResponse)(lambda: "# TYPE up_ gauge\nup_ 1\n")
        with ThreadServer(app) as server:
            found = check(f"{server.url}/metrics")
        assert {"not recorded"} == {finding.kind for finding in found}

    def test_renamed(self, silent: str) -> None:
        """A metric that comes with each call, and is gone beside the others, was renamed: its alert never fires."""
        text, content_type = fetch(silent)
        page = read_page(text.replace("ml_inference_duration_seconds", "model_duration_seconds"), content_type)
        errors = texts_of(check_pages(CONFIG, {silent: page}), "error", "never fires")
        assert {"SlowMLInference": "ml_inference_duration_seconds_count is on no page; ml_inference_total is there: "
                "was it renamed?"} == errors  # fmt: skip

    def test_silent_on_no_page_only(self, silent: str) -> None:
        """An alert whose samples are on any of the pages is not silent; bounds are those of each page."""
        metrics, app = service()
        with metrics.parsing_timer(parser="p", doc_type="cv"):
            pass
        with ThreadServer(app) as server:
            url = f"{server.url}/metrics"
            found = check(silent, url)
        assert "LowParsingAccuracy" in texts_of(found, "note", "waits")
        assert [silent] == [each.url for each in found if each.kind == "never fires"]

    def test_losses(self) -> None:
        """Recording errors and overflow that a page tells are errors."""
        metrics, app = service(max_series=5)
        for number in range(8):
            metrics.track_ml_inference(f"m{number}", "solo", 0.1)
        metrics.track_ml_inference("m", "solo", float("nan"))
        with ThreadServer(app) as server:
            pages = read_pages([f"{server.url}/metrics"]).read
        found = list(page_losses(pages))
        assert {"error"} == {finding.level for finding in found}
        recording = {finding.subject: finding.text for finding in found if finding.kind == "recording"}
        assert {
            'mlmetrics_recording_errors_total{where="duration"}': "1 measurements could not be recorded at this place"
        } == recording
        assert any("ml_inference_total" in finding.subject for finding in found if finding.kind == "overflow")

    def test_label_that_grows(self, silent: str) -> None:
        """A label whose values look like ids is an error."""
        errors = texts_of(check(silent), "error", "label grows")
        assert "1 of 2 values look like ids" == errors["ml_inference_total{model}"]

    def test_label_with_many_values(self) -> None:
        """A label with more than a hundred values is an error."""
        metrics, app = service()
        for number in range(101):
            metrics.track_ml_inference(f"model-{number}", "solo", 0.1)
        with ThreadServer(app) as server:
            errors = texts_of(check(f"{server.url}/metrics"), "error", "label grows")
        assert "101 values" == errors["ml_inference_total{model}"]

    def test_malformed_page(self) -> None:
        """Errors of a page are named: no type, a sum that is NaN, a series that appears twice."""
        app = FastAPI()
        app.get("/metrics", response_class=PlainTextResponse)(lambda: BROKEN)
        with ThreadServer(app) as server:
            findings = check(f"{server.url}/metrics")
        texts = {finding.text for finding in findings if finding.kind == "malformed"}
        assert {"a has no TYPE", "b_sum{} is NaN, and will stay NaN", "b_count{} appears twice"} == texts


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
