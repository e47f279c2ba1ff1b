"""How many series there can be: values of each label, combinations of all labels, statuses, services."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mlmetrics import ConfigurationError, MLMetrics, PrometheusMiddleware, arg
from mlmetrics.catalog import BY_NAME
from mlmetrics.http.requests import requests_of
from mlmetrics.recording.collector import store_for
from tests.recorded import errors, label_values, outcomes, samples, value

TOTAL = "ml_inference_total"
REQUESTS = "fastapi_requests_total"
OVERFLOW = "mlmetrics_label_overflow_total"
TOGETHER = "all labels together"


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own."""
    return MLMetrics(service="s", registry=registry)


def request(registry: CollectorRegistry, *statuses: int, route: str = "/x", service: str = "s") -> None:
    """Record requests that ended with these statuses."""
    series = requests_of(store_for(registry), service).route("GET", route)
    for status in statuses:
        series.finish((status, 1.0, None))


class TestCombinations:
    """The combinations of all labels of a metric."""

    def test_the_default_limit(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Two labels of 200 values make 2,000 series of each outcome, not 40,000; every call counts."""
        ask = metrics.track_inference(model=arg("model"), operation=arg("kind"))(lambda model, kind: None)
        for number in range(100 * 30):
            ask(f"m{number % 100}", f"k{number // 100}")
        assert 2000 + 1 == len(list(samples(registry, TOTAL, outcome="success")))
        assert {"success": 3000} == outcomes(registry)
        assert 1000 == value(registry, TOTAL, model="other", operation="other", service="s", outcome="success")
        assert 1000 == value(registry, OVERFLOW, metric=TOTAL, label=TOGETHER)
        assert 1000 == value(registry, OVERFLOW)

    def test_what_is_kept_of_them(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """What is kept for calls of new combinations is as much as the limit allows, scraped or not."""
        metrics.configure(max_series=10)
        ask = metrics.track_inference(model=arg("model"), operation=arg("kind"))(lambda model, kind: None)
        for number in range(400):
            ask(f"m{number % 20}", f"k{number // 20}")
        kept: list[Any] = [each for each in metrics.store._foldables if hasattr(each, "succeeded")]
        assert 10 + 1 == len(kept)

    def test_a_combination_that_is_in_stays_in(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Known combinations go on; a label that is not used stays unused."""
        metrics.configure(max_series=2)
        for model in ("a", "b", "c", "a"):
            with metrics.inference_timer(model=model):
                pass
        assert {"success": 2} == outcomes(registry, model="a")
        assert 1 == value(registry, TOTAL, model="other", operation="", outcome="success")
        assert 1 == value(registry, OVERFLOW, label=TOGETHER)

    def test_error_types_keep_the_labels_of_their_calls(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Error types beyond the limit are `other` of the same model, so that errors and failures agree."""
        metrics.configure(max_series=5)
        for number in range(9):
            with metrics.inference_timer(model=f"m{number % 3}") as call:
                call.fail(f"error-{number}")
        for model in ("m0", "m1", "m2"):
            assert 3 == value(registry, "ml_inference_errors_total", model=model)
        assert 4 == value(registry, "ml_inference_errors_total", error_type="other")
        assert 4 == value(registry, OVERFLOW, metric="ml_inference_errors_total", label=TOGETHER)

    @pytest.mark.parametrize("name", ["parsing_accuracy_score", "file_processing_size_bytes", "ml_model_info"])
    def test_direct_functions(self, registry: CollectorRegistry, metrics: MLMetrics, name: str) -> None:
        """The metrics of direct functions have the same limit."""
        metrics.configure(max_series=7)
        for number in range(100):
            metrics.track_parsing_accuracy(f"p{number % 10}", f"d{number // 10}", 0.5)
            metrics.track_file_processing(f"p{number % 10}", f"s{number // 10}", 10)
            metrics.track_model_load(f"m{number % 10}", 1.0, version=f"v{number // 10}")
        suffix = "_count" if BY_NAME[name].kind == "histogram" else ""
        services = 10 if name.startswith("file") else 1
        assert 7 < len(list(samples(registry, f"{name}{suffix}"))) <= 7 + services
        assert 0 < value(registry, OVERFLOW, metric=name, label=TOGETHER)

    @pytest.mark.parametrize("most", [0, -1, True, 2.5, "9"])
    def test_limits_that_cannot_work(self, most: Any) -> None:
        """The limit is a whole number of 1 or more."""
        with pytest.raises(ConfigurationError, match=rf"max_series={most!r}: expected a whole number, 1 or more"):
            MLMetrics(registry=CollectorRegistry(), max_series=most)


class TestStatuses:
    """The `status` label."""

    @pytest.mark.parametrize("status", [99, 600, 0, -1, 10**30])
    def test_no_status_of_http(self, registry: CollectorRegistry, status: int) -> None:
        """What HTTP has no status for counts as `other`, and as a mistake that is logged with its series."""
        with capture_logs() as logs:
            request(registry, 200, status, status)
            assert 2 == value(registry, REQUESTS, status="other", route="/x")
        assert ["200", "other"] == label_values(registry, REQUESTS, "status")
        assert ["label.status"] == list(errors(registry))
        (log,) = logs
        assert {"metric": REQUESTS, "service": "s", "method": "GET", "route": "/x", "status": "other"}.items() <= (
            log.items()
        )

    def test_three_thousand(self, registry: CollectorRegistry) -> None:
        """However many numbers an application sends, there are 200 statuses, and every request counts."""
        request(registry, *range(3000))
        assert 3000 == value(registry, REQUESTS)
        assert 200 + 1 == len(label_values(registry, REQUESTS, "status"))
        assert 500 - 200 == value(registry, OVERFLOW, metric=REQUESTS, label="status")

    def test_several_in_one_fold_go_to_other(self, registry: CollectorRegistry) -> None:
        """Statuses that share `other` add up, in one fold and in several."""
        MLMetrics(registry=registry, max_label_values=1).store.fold_all()
        for _ in range(2):
            request(registry, 200, 201, 202, 203, 700, 701)
            assert value(registry, REQUESTS, status="other") % 5 == 0
        assert 10 == value(registry, REQUESTS, status="other")

    def test_declared_statuses_have_no_limit(self, registry: CollectorRegistry) -> None:
        """What the routes themselves declare stands at 0 under its own name, however full the metric is."""
        MLMetrics(registry=registry, max_series=1).store.fold_all()
        requests = requests_of(store_for(registry), "s")
        requests.route("GET", "/x").declare(200, 500)
        request(registry, 500, 404)
        assert 1 == value(registry, REQUESTS, status="500")
        assert {"200", "500"} <= set(label_values(registry, REQUESTS, "status"))

    def test_combinations(self, registry: CollectorRegistry) -> None:
        """Routes times statuses have the metric's limit; the requests of a route still add up."""
        MLMetrics(registry=registry, max_series=20).store.fold_all()
        for number in range(10):
            request(registry, *range(400, 410), route=f"/{number}")
        assert len(list(samples(registry, REQUESTS))) <= 20 + 10
        assert 10 == value(registry, REQUESTS, route="/0") == value(registry, REQUESTS, route="/9")
        assert 100 - 20 == value(registry, OVERFLOW, metric=REQUESTS, label=TOGETHER)


class TestServices:
    """The `service` label, whoever names it."""

    def test_of_direct_functions(self, registry: CollectorRegistry) -> None:
        """A thousand toolkits make as many series as the limit allows."""
        for number in range(300):
            metrics = MLMetrics(service=f"s{number}", registry=registry)
            metrics.track_matching_score("m", 0.5)
            metrics.track_model_load("m", 1.0)
        assert 201 == len(label_values(registry, "matching_score_distribution_count", "service"))
        assert 201 == len(label_values(registry, "ml_model_info", "service"))
        assert 201 == len(label_values(registry, "ml_model_load_duration_seconds", "service"))

    def test_of_middleware(self, registry: CollectorRegistry) -> None:
        """A thousand middlewares make as many series as the limit allows."""
        for number in range(300):
            middleware = PrometheusMiddleware(None, service_name=f"s{number}", registry=registry)
            middleware.requests.route("GET", "/x").finish((200, 1.0, None))
        assert 201 == len(label_values(registry, REQUESTS, "service"))
        assert 100 == value(registry, REQUESTS, service="other")


class TestEvents:
    """What is logged of values that were cut or replaced."""

    def test_with_the_series_it_now_is(self, metrics: MLMetrics) -> None:
        """The first value of each place is logged with the metric and labels that it went to."""
        with capture_logs() as logs:
            for _ in range(2):
                with metrics.inference_timer(model="x" * 300, operation="chat") as call:
                    call.fail("\ud800")
        first, second = (log for log in logs if log["event"] == "recording.failed")
        labels = {"service": "s", "model": "x" * 200, "operation": "chat"}
        assert {"where": "label.model", "problem": "300 characters, cut to 200", "metric": TOTAL, **labels}.items() <= (
            first.items()
        )
        expected = {"where": "label.error_type", "metric": "ml_inference_errors_total", "error_type": "?", **labels}
        assert expected.items() <= second.items()

    def test_overflow(self, metrics: MLMetrics) -> None:
        """The first overflow of each label of each metric is logged, with the series that takes what is too many."""
        metrics.configure(max_label_values=1, max_series=2)
        with capture_logs() as logs:
            for number in range(3):
                metrics.track_matching_score(f"m{number}", 0.5)
                metrics.track_parsing_accuracy("p", f"d{number}", 0.5)
        event = {"event": "label.overflow", "log_level": "warning", "service": "s"}
        assert [
            {**event, "metric": "matching_score_distribution", "label": "matcher", "matcher": "other"},
            {**event, "metric": "parsing_accuracy_score", "label": "doc_type", "parser": "p", "doc_type": "other"},
        ] == logs


class TestAtZero:
    """Overflows that have not happened."""

    def test_stand_at_zero_from_the_first_series(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Each label that could overflow has its series at 0 beside the metric's first one, so the first is seen."""
        metrics.track_matching_score("m", 0.5)
        request(registry, 404)
        found = {
            (sample.labels["metric"], sample.labels["label"]): sample.value for sample in samples(registry, OVERFLOW)
        }
        score = "matching_score_distribution"
        expected = [(score, "service"), (score, "matcher"), (score, TOGETHER)]
        expected += [(REQUESTS, label) for label in ("service", "route", "status", TOGETHER)]
        assert dict.fromkeys(expected, 0.0) == found
