"""A registry that was cleared, as test suites do between two tests: what is recorded is exposed again."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry, Counter, generate_latest

from mlmetrics import MLMetrics, PrometheusMiddleware, RegistrationError
from mlmetrics.catalog import INFERENCE
from mlmetrics.exposition.text import render
from mlmetrics.recording.collector import store_for
from tests.recorded import outcomes, samples, value

TOTAL = "ml_inference_total"


def clear(registry: CollectorRegistry) -> None:
    """Unregister everything."""
    for collector in list(registry._collector_to_names):
        registry.unregister(collector)
    assert b"" == generate_latest(registry)


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own, which is the service's."""
    return MLMetrics(service="s", registry=registry)


AGAIN: list[Callable[[MLMetrics], Any]] = [
    lambda metrics: metrics.instrument(FastAPI()),
    lambda metrics: metrics.track_inference(model="m"),
    lambda metrics: metrics.inference_timer(model="new"),
    lambda metrics: metrics.track_matching_score("m", 0.5),
    lambda metrics: metrics.track_model_load("m", 1.0),
    lambda metrics: metrics.metrics_app(),
    lambda metrics: asyncio.run(metrics.metrics_endpoint()),
    lambda metrics: render(metrics.registry),
    lambda metrics: store_for(metrics.registry),
    lambda metrics: PrometheusMiddleware(None, registry=metrics.registry),
    lambda metrics: MLMetrics(service="s", registry=metrics.registry).track_inference(model="m"),
]


@pytest.mark.parametrize("again", AGAIN)
def test_exposes_again(registry: CollectorRegistry, metrics: MLMetrics, again: Callable[[MLMetrics], Any]) -> None:
    """Each way to declare, to record or to scrape registers again; calls before, meanwhile and after are all there."""
    function = metrics.track_inference(model="m")(lambda: None)
    function()
    clear(registry)
    function()
    again(metrics)
    function()
    assert {"success": 3} == outcomes(registry)
    assert 1 == len(list(samples(registry, TOTAL, model="m", outcome="success")))


def test_again_and_again(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """Between tests, any number of times."""
    for number in range(1, 4):
        clear(registry)
        metrics.track_inference(model="m")(lambda: None)()
        assert {"success": number} == outcomes(registry)


def test_an_application_that_goes_on(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A running application's next scrape has its requests."""
    app = FastAPI()
    metrics.instrument(app)
    client = TestClient(app)
    client.get("/missing")
    clear(registry)
    client.get("/missing")
    assert 'route="unmatched",service="s",status="404"} 2.0' in client.get("/metrics").text


def test_names_that_are_taken_meanwhile(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """Metrics of our names that somebody else registered meanwhile are refused as ever, and not touched."""
    metrics.track_inference(model="m")
    clear(registry)
    theirs = Counter(TOTAL, "Written by hand.", registry=registry)
    theirs.inc(5)
    with pytest.raises(RegistrationError, match="the registry already holds metrics under names of mlmetrics"):
        metrics.track_inference(model="m")
    assert 5 == value(registry, TOTAL)
    registry.unregister(theirs)
    metrics.track_inference(model="m")(lambda: None)()
    assert {"success": 1} == outcomes(registry)


def test_cells_by_kind(registry: CollectorRegistry) -> None:
    """A cell is asked for by its kind, and a metric of another kind is refused by its name."""
    store = store_for(registry)
    histogram = store.histogram_cell("ml_inference_duration_seconds", ("s", "m", ""))
    assert histogram is store.histogram_cell("ml_inference_duration_seconds", ("s", "m", ""))
    number = store.number_cell("ml_inference_total", ("s", "m", "", "success"))
    assert number is store.number_cell("ml_inference_total", ("s", "m", "", "success"))
    with pytest.raises(TypeError, match="ml_inference_total is a counter, whose cells are of NumberCell"):
        store.histogram_cell("ml_inference_total", ("s", "m", "", "success"))
    with pytest.raises(TypeError, match="ml_inference_duration_seconds is a histogram, whose cells are of Histogram"):
        store.number_cell("ml_inference_duration_seconds", ("s", "m", ""))
    series: Any = store.histogram("ml_inference_total", ("s", "m", "", "success"))
    with pytest.raises(TypeError, match="ml_inference_total is a counter"):
        series.prepare()


def test_what_is_declared_is_named(registry: CollectorRegistry) -> None:
    """A store names what rooms above have declared in it, each of which knows its store."""
    metrics = MLMetrics(service="s", registry=registry)
    metrics.track_inference(model="m")(len)("ab")
    calls = metrics.calls(INFERENCE)
    assert {"inference": calls} == metrics.store.declared
    assert metrics.store is calls.store
