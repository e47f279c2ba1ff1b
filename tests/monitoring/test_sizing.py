"""What the plan says a pod exposes, against the pages of real services."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from mlmetrics import MLMetrics
from mlmetrics.calls.call import Call
from mlmetrics.calls.surroundings import record_attempt, record_limits
from mlmetrics.catalog import AGENT, BY_NAME, INFERENCE, MATCHING, OPERATIONS, PARSING, TOOL, Operation
from mlmetrics.catalog.own import own_operation
from mlmetrics.catalog.surroundings import LIMITS
from mlmetrics.exposition.text import render
from mlmetrics.monitoring.operations import ALL_OF_REQUESTS, metrics_in_use
from mlmetrics.monitoring.sizing import (
    CLIENT_SERIES,
    EXTRAPOLATED_PODS,
    LARGEST_MEASURED_SERIES,
    NOTHING,
    Pod,
    exposed_by_pod,
    load,
    plan_for,
)


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
        for operation in pod.operations:
            if not operation.ships:
                self._call_own(operation)
            elif operation is PARSING:
                self._parse()
            elif operation is MATCHING:
                self._match()
            elif operation in {TOOL, AGENT}:
                self._call_by_agent(operation)
            else:
                for model in self._each("model"):
                    self._infer(model, operation.parts)

    def _each(self, label: str) -> list[str]:
        return [f"{label}-{number}" for number in range(self._pod.values(label))]

    def _request(self) -> None:
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        self._metrics.instrument(app, service_name="solo")
        routes = self._each("route")
        for route in routes:
            app.get(f"/{route}")(lambda: Response(status_code=200))
        with TestClient(app) as client:
            for route in routes:
                client.get(f"/{route}")

    def _infer(self, model: str, parts: frozenset[str]) -> None:
        if "streams" in parts:
            list(self._metrics.track_inference(model=model)(words)())
        with self._metrics.inference_timer(model=model) as call:
            if "tokens" in parts:
                call.tokens(input=3, output=2, cache_read=1, cache_write=1, reasoning=1)
                call.cost(0.1)
            if "score" in parts:
                call.score(0.7)
        if "tokens" in parts:
            self._metrics.track_inference(model=model, usage=lambda _: None)(lambda: "answer")()
        if "batches" in parts:
            call.batch(8)
            with call.waiting():
                call.queued(0.1)
        if "retries" in parts:
            self._surround(call)
        if "classes" in parts:
            self._predict(model)
        for error in self._each("error_type"):
            with self._metrics.inference_timer(model=model) as call:
                call.fail(error)

    def _surround(self, call: Call) -> None:
        series = call._series
        record_attempt(series, "timeout", again=True)
        record_limits(series, dict.fromkeys(LIMITS, (100.0, 10.0)))
        call.cached(hit=True)
        for fallback in self._each("fallback"):
            call.fell_back(fallback)
        for guardrail in self._each("guardrail"):
            call.blocked(guardrail)
        for reason in self._each("finish_reason"):
            call.finish_reason(reason)

    def _call_by_agent(self, operation: Operation) -> None:
        metrics = self._metrics
        for name in self._each(operation.subject):
            for error in self._each("error_type"):
                with metrics.tool_timer(tool=name) if operation is TOOL else metrics.agent_timer(agent=name) as call:
                    call.fail(error)

    def _predict(self, model: str) -> None:
        for each in self._each("predicted_class"):
            self._metrics.track_prediction(model, each)
        for good in (True, False):
            self._metrics.track_feedback(model, good=good)
        self._metrics.track_prediction_error(model, 0.5)
        self._metrics.track_model_load(model, 1.5, version="1")

    def _parse(self) -> None:
        for doc_type in self._each("doc_type"):
            with self._metrics.parsing_timer(doc_type=doc_type) as call:
                call.score(0.9)
        for file_type in self._each("file_type"):
            self._metrics.track_file_processing(file_type, "solo", 2048)

    def _match(self) -> None:
        for matcher in self._each("matcher"):
            with self._metrics.matching_timer(matcher=matcher) as call:
                call.score(0.9)

    def _call_own(self, row: Operation) -> None:
        operation = self._metrics.operation(row.name, row.labels, score=row.score is not None)
        values = product(*(self._each(label) for label in row.labels))
        for labels in (dict(zip(row.labels, each, strict=True)) for each in values):
            with operation.timer(**labels) as call:
                if row.score is not None:
                    call.score(0.5)
            for error in self._each("error_type"):
                with operation.timer(**labels) as call:
                    call.fail(error)

    def series(self) -> Counter[str]:
        """Return how many series each family has."""
        families = text_string_to_metric_families(render(self._registry).decode())
        return Counter({family.name: len(family.samples) for family in families})


def inferring(*parts: str) -> tuple[Operation, ...]:
    """Return the operations of a service whose models record these parts."""
    return (INFERENCE.recording(frozenset(parts)),)


# Pricing counts the one and dates its tables in the other, and no call here asks for a price.
NOT_MADE_HERE = {"ml_inference_unpriced_total", "mlmetrics_price_table_timestamp_seconds"}
RETRIEVAL = own_operation("retrieval", ("index", "tenant"), score=True)
PODS = {
    "requests": Pod((), {"route": 3}),
    "models": Pod(inferring(), {"route": 1, "model": 4}),
    "models that stream": Pod(
        inferring("streams", "tokens", "cost", "lengths", "batches", "queue"), {"route": 0, "model": 2}
    ),
    "models that predict": Pod(
        inferring("score", "classes", "feedback", "prediction_error", "loading"),
        {"route": 1, "model": 2, "predicted_class": 5, "error_type": 1},
    ),
    "models, and what surrounds their calls": Pod(
        inferring("retries", "fallbacks", "rate_limits", "cache", "guardrails", "finish_reasons"),
        {"route": 1, "model": 2, "guardrail": 2},
    ),
    "agents": Pod((TOOL, AGENT), {"route": 1, "tool": 3, "agent": 2}),
    "documents": Pod((PARSING, MATCHING), {"route": 2, "doc_type": 3, "matcher": 2, "file_type": 2, "error_type": 0}),
    "operations of a project's own": Pod(
        (RETRIEVAL, own_operation("reranking")), {"route": 1, "index": 3, "tenant": 2}
    ),
}


class TestExposedByPod:
    """`exposed_by_pod` counts what a real page holds."""

    @pytest.mark.parametrize("name", PODS)
    def test_each_family(self, name: str) -> None:
        """Every metric of the operations has on a real page the series that are planned, and no other is there."""
        pod = PODS[name]
        found = Busy(pod).series()
        planned = {
            metric.name.removesuffix("_total"): pod.series(metric)
            for metric in metrics_in_use(pod.operations).values()
            if metric.name not in NOT_MADE_HERE
        }
        assert {family: count for family, count in planned.items() if count} == dict(found)

    @pytest.mark.parametrize("name", PODS)
    def test_page(self, name: str) -> None:
        """A whole page is within two parts in a hundred, the client's own included."""
        client = sum(len(family.samples) for family in REGISTRY.collect() if family.name.startswith(("python", "proc")))
        found = Busy(PODS[name]).series().total() + client
        assert found == pytest.approx(exposed_by_pod(PODS[name]), rel=0.02)

    def test_client(self) -> None:
        """What prometheus_client writes of the process itself is counted."""
        own = [family for family in REGISTRY.collect() if family.name.startswith(("python_", "process_"))]
        assert CLIENT_SERIES == sum(len(family.samples) for family in own)

    def test_own_bounds(self) -> None:
        """Fewer buckets make fewer series: the bounds of the configuration are those that count."""
        pod = Pod(inferring(), {"route": 0, "model": 10})
        fewer = len(BY_NAME["ml_inference_duration_seconds"].buckets) - 2
        bounds = {"ml_inference_duration_seconds": (1.0, 2.0)}
        assert 10 * fewer == exposed_by_pod(pod) - exposed_by_pod(pod, bounds)

    def test_sizes(self) -> None:
        """The sizes of bodies make two histograms for each route; the routes of WebSockets are not known."""
        pod = Pod((), {"route": 3})
        histogram = len(BY_NAME["fastapi_request_size_bytes"].buckets) + 3
        assert 2 * 3 * histogram == exposed_by_pod(replace(pod, requests=ALL_OF_REQUESTS)) - exposed_by_pod(pod)

    def test_nothing(self) -> None:
        """What a pod has no value of makes no series: with all operations and no value, there are the requests'."""
        assert exposed_by_pod(Pod()) == exposed_by_pod(Pod(OPERATIONS, NOTHING))


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
