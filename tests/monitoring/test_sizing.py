"""What the plan says a pod exposes, against the pages of real services."""

from collections import Counter
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from mlmetrics import MLMetrics
from mlmetrics.catalog import BY_NAME, METRICS
from mlmetrics.exposition.text import render
from mlmetrics.monitoring.loading import parse
from mlmetrics.monitoring.sizing import (
    CLIENT_SERIES,
    EXTRAPOLATED_PODS,
    LARGEST_MEASURED_SERIES,
    Pod,
    configured_pod,
    exposed_by_pod,
    exposed_series,
    load,
    plan_for,
)
from tests.monitoring.configurations import ONE_SERVICE

OBJECTIVE = '[[objective]]\nname = "o"\nservice = "solo"\noperation = "{}"\ntarget = 0.9\n'


def words() -> Iterator[str]:
    """Stream two words."""
    yield from ("so", "be it")


class Busy:
    """A service that has done everything that a pod is planned to do, on a registry of its own."""

    def __init__(self, pod: Pod) -> None:
        self._registry = CollectorRegistry()
        self._metrics = MLMetrics(service="solo", registry=self._registry)
        self._pod = pod
        self._request()
        for number in range(pod.models):
            self._infer(f"model-{number}")
        self._parse_and_match()

    def _request(self) -> None:
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        self._metrics.instrument(app, service_name="solo")
        for number in range(self._pod.routes):
            app.get(f"/route-{number}")(lambda: Response(status_code=200))
        with TestClient(app) as client:
            for number in range(self._pod.routes):
                client.get(f"/route-{number}")

    def _infer(self, model: str) -> None:
        if self._pod.streams:
            list(self._metrics.track_inference(model=model)(words)())
        with self._metrics.inference_timer(model=model) as call:
            if self._pod.usage:
                call.tokens(input=3, output=2, cache_read=1, cache_write=1, reasoning=1)
                call.cost(0.1)
        if self._pod.usage:
            self._metrics.track_inference(model=model, usage=lambda _: None)(lambda: "answer")()
            if self._pod.batches:
                call.batch(8)
                call.queued(0.1)
        for number in range(self._pod.error_types):
            with self._metrics.inference_timer(model=model) as call:
                call.fail(f"error-{number}")

    def _parse_and_match(self) -> None:
        for number in range(self._pod.doc_types):
            with self._metrics.parsing_timer(doc_type=f"type-{number}") as call:
                call.score(0.9)
        for number in range(self._pod.matchers):
            with self._metrics.matching_timer(matcher=f"matcher-{number}") as call:
                call.score(0.9)
        for number in range(self._pod.file_types):
            self._metrics.track_file_processing(f"type-{number}", "solo", 2048)

    def series(self) -> Counter[str]:
        """Return how many series each family has."""
        families = text_string_to_metric_families(render(self._registry).decode())
        return Counter({family.name: len(family.samples) for family in families})


# Pricing counts the one, which no call here asks for; the other has a series for each label that is limited.
NOT_MADE_HERE = {"ml_inference_unpriced_total", "mlmetrics_label_overflow_total"}
PODS = {
    "requests": Pod(routes=3),
    "models": Pod(routes=1, models=4),
    "models that stream": Pod(routes=0, models=2, streams=True, usage=True, batches=True),
    "documents": Pod(routes=2, doc_types=3, matchers=2, file_types=2, error_types=0),
}


class TestExposedByPod:
    """`exposed_by_pod` counts what a real page holds."""

    @pytest.mark.parametrize("name", PODS)
    def test_each_family(self, name: str) -> None:
        """Every metric of the catalogue has on a real page the series that are planned, and no other is there."""
        pod = PODS[name]
        found = Busy(pod).series()
        planned = {
            metric.name.removesuffix("_total"): exposed_series(metric, pod.values())
            for metric in METRICS
            if pod.uses(metric) and metric.name not in NOT_MADE_HERE
        }
        found.pop("mlmetrics_label_overflow", None)
        assert {family: count for family, count in planned.items() if count} == dict(found)

    @pytest.mark.parametrize("name", PODS)
    def test_page(self, name: str) -> None:
        """A whole page is within two parts in a hundred, overflow series and the client's own included."""
        client = sum(len(family.samples) for family in REGISTRY.collect() if family.name.startswith(("python", "proc")))
        found = Busy(PODS[name]).series().total() + client
        assert found == pytest.approx(exposed_by_pod(PODS[name]), rel=0.02)

    def test_client(self) -> None:
        """What prometheus_client writes of the process itself is counted."""
        own = [family for family in REGISTRY.collect() if family.name.startswith(("python_", "process_"))]
        assert CLIENT_SERIES == sum(len(family.samples) for family in own)

    def test_own_bounds(self) -> None:
        """Fewer buckets make fewer series: the bounds of the configuration are those that count."""
        pod = Pod(routes=0, models=10)
        fewer = len(BY_NAME["ml_inference_duration_seconds"].buckets) - 2
        bounds = {"ml_inference_duration_seconds": (1.0, 2.0)}
        assert 10 * fewer == exposed_by_pod(pod) - exposed_by_pod(pod, bounds)

    def test_every_label_of_the_catalogue_has_a_number(self) -> None:
        """A new label must be given a number of values before a plan can count it."""
        everything = Pod(1, 1, 1, 1, 1, 1, streams=True, usage=True, batches=True)
        known = {"metric", "label", *everything.values()}
        assert {label for metric in METRICS if everything.uses(metric) for label in metric.labels} <= known


class TestConfiguredPod:
    """`configured_pod` reads what a pod does from the objectives."""

    @pytest.mark.parametrize(
        ("operation", "expected"),
        [
            ("inference", Pod(models=1)),
            ("parsing", Pod(doc_types=1)),
            ("matching", Pod(matchers=1)),
            ("request", Pod()),
        ],
    )
    def test_objectives(self, operation: str, expected: Pod) -> None:
        """An objective about an operation says that the pods do it."""
        config = parse(ONE_SERVICE + OBJECTIVE.format(operation))
        assert expected == configured_pod(config)


class TestPlan:
    """`plan_for` and `load` multiply it."""

    def test_load(self) -> None:
        """Series by pods with the five of each scrape, and samples by the interval."""
        found = load(exposed=1995, pods=200, interval_seconds=10.0)
        assert 400_000 == found.series
        assert 40_000 == found.samples_per_second
        assert 20 == found.scrapes_per_second

    def numbers(self) -> Iterator[int]:
        """Yield numbers of pods that are not in every plan."""
        yield from (1, 10, 57, 1_000)

    def test_compares(self) -> None:
        """Ten and a thousand pods stand beside those that were asked for, and a hundred thousand as a last line."""
        for pods in self.numbers():
            found = [each.pods for each in plan_for(100, pods, 10.0).loads]
            assert sorted({10, pods, 1_000, EXTRAPOLATED_PODS}) == found

    def test_says_what_is_extrapolated(self) -> None:
        """What is beyond the largest run that was measured is labelled."""
        edge = LARGEST_MEASURED_SERIES // 1_000
        assert not load(995, edge, 10.0).extrapolated
        assert load(995, edge + 1, 10.0).extrapolated
        assert plan_for(995, 10, 10.0).loads[-1].extrapolated
