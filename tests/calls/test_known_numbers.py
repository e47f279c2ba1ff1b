"""What a call says beside its tokens and scores: what it has said before is one look-up and an append."""

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.recording.series import BOUND
from tests.calls.test_hot_path import calls_made
from tests.recorded import errors, value

INFERENCE = {"service": "s", "model": "m", "operation": ""}
SAID: dict[str, tuple[Callable[[Any], object], str, dict[str, str], float]] = {
    "batch": (lambda call: call.batch(8), "batch_size_sum", {}, 8.0),
    "queued": (lambda call: call.queued(0.5), "queue_duration_seconds_sum", {}, 0.5),
    "cost": (lambda call: call.cost(0.25), "cost_usd_total", {}, 0.25),
    "hit": (lambda call: call.cached(hit=True), "cache_lookups_total", {"result": "hit"}, 1.0),
    "miss": (lambda call: call.cached(hit=False), "cache_lookups_total", {"result": "miss"}, 1.0),
    "blocked": (lambda call: call.blocked("pii"), "guardrail_blocks_total", {"guardrail": "pii"}, 1.0),
    "finish": (lambda call: call.finish_reason("stop"), "finish_reasons_total", {"finish_reason": "stop"}, 1.0),
    "fell_back": (lambda call: call.fell_back("o"), "fallbacks_total", {"fallback": "o"}, 1.0),
}
"""What is said, the metric that it goes to, its last label, and how much is added."""


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own."""
    return MLMetrics(service="s", registry=registry)


def said(metrics: MLMetrics, say: Callable[[Any], object]) -> None:
    """Say something within a call."""
    with metrics.inference_timer(model="m") as call:
        say(call)


@pytest.mark.parametrize("name", SAID)
def test_counts_exactly(registry: CollectorRegistry, metrics: MLMetrics, name: str) -> None:
    """The first number, those after it, and those after a fold at the bound are all there."""
    say, suffix, labels, amount = SAID[name]
    with metrics.inference_timer(model="m") as call:
        for _ in range(BOUND + 3):
            say(call)
    said(metrics, say)
    assert (BOUND + 4) * amount == value(registry, f"ml_inference_{suffix}", **INFERENCE, **labels)


@pytest.mark.in_memory
@pytest.mark.parametrize("name", ["hit", "blocked", "finish"])
def test_looks_nothing_else_up(metrics: MLMetrics, name: str) -> None:
    """What has been said before needs neither its labels admitted nor its series found by them."""
    say = SAID[name][0]
    said(metrics, say)
    assert {"admit", "_series", "counter"}.isdisjoint(calls_made(lambda: said(metrics, say)))


@pytest.mark.parametrize(
    ("say", "where"),
    [
        (lambda call, wrong: call.batch(wrong), "batch"),
        (lambda call, wrong: call.queued(wrong), "queued"),
        (lambda call, wrong: call.cost(wrong), "cost"),
    ],
)
@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "8", None, [8], pytest.param(10**400, id="huge")])
def test_wrong_number_after_a_good_one(
    registry: CollectorRegistry, metrics: MLMetrics, say: Callable[[Any, object], object], where: str, wrong: object
) -> None:
    """A value that is no number is counted as a mistake, also where the series is known."""
    said(metrics, lambda call: say(call, 1))
    said(metrics, lambda call: say(call, wrong))
    assert {where: 1} == errors(registry)


@pytest.mark.parametrize("number", [True, 1, 1.0])
def test_numbers_of_other_types(registry: CollectorRegistry, metrics: MLMetrics, number: float) -> None:
    """A flag and a whole number count as the same float."""
    for _ in range(2):
        said(metrics, lambda call: call.batch(number))
    assert 2.0 == value(registry, "ml_inference_batch_size_sum", **INFERENCE)


def test_values_beyond_the_limit(registry: CollectorRegistry) -> None:
    """A value that became `other` stays it, and one that was recorded as it came does as well."""
    metrics = MLMetrics(service="s", registry=registry, max_label_values=2)
    for reason in ("stop", "length", "filter", "stop", "filter", "other"):
        with metrics.inference_timer(model="m") as call:
            call.finish_reason(reason)
    counted = {
        reason: value(registry, "ml_inference_finish_reasons_total", **INFERENCE, finish_reason=reason)
        for reason in ("stop", "length", "other")
    }
    assert {"stop": 2.0, "length": 1.0, "other": 3.0} == counted


def test_of_calls_that_record_no_such_thing(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A parsing has no finish reason, however often it says one."""
    for _ in range(2):
        with metrics.parsing_timer(doc_type="pdf") as call:
            call.finish_reason("stop")
    assert {"finish_reason": 2} == errors(registry)
