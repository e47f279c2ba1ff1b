"""What was recorded of the calls of watched models, in one dictionary; and an input that cancels them."""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry

from tests import recorded

NAMES = {
    "calls": "ml_inference_total",
    "timed": "ml_inference_duration_seconds_count",
    "batches": "ml_inference_batch_size_count",
    "items": "ml_inference_batch_size_sum",
    "scores": "ml_inference_score_count",
    "errors": "ml_inference_errors_total",
}


class Cancelling:
    """Rows that the program no longer waits for: who reads them is cancelled."""

    shape = (1, 3)
    dtype = np.dtype(float)

    def __len__(self) -> int:
        return 1

    def __array__(self, *_args: Any, **_kwargs: Any) -> Any:
        raise asyncio.CancelledError


def calls_of(registry: CollectorRegistry, operation: str, model: str = "m") -> dict[str, float]:
    """Return the counts of one operation that are not 0; no call may be in progress."""
    labels = {"model": model, "operation": operation, "service": "tests"}
    assert not any(sample.value for sample in recorded.samples(registry, "ml_inference_in_progress"))
    counts = {
        name: sum(sample.value for sample in recorded.samples(registry, metric, **labels))
        for name, metric in NAMES.items()
    }
    return {name: count for name, count in counts.items() if count}


def expected(calls: int, items: int, scores: int = 0) -> dict[str, float]:
    """Return the counts of successful calls with this many items in all."""
    counts = {"calls": calls, "timed": calls, "batches": calls, "items": items, "scores": scores}
    return {name: float(count) for name, count in counts.items() if count}


def failed(calls: int) -> dict[str, float]:
    """Return the counts of calls that raised."""
    return {"calls": float(calls), "timed": float(calls), "errors": float(calls)}


def operations(registry: CollectorRegistry) -> dict[str, float]:
    """Return the number of all calls by operation, without those that are 0."""
    return dict(_sums(registry, "ml_inference_total", "operation"))


def classes(registry: CollectorRegistry) -> dict[str, float]:
    """Return how often each class was predicted."""
    return dict(_sums(registry, "ml_prediction_total", "predicted_class"))


def error_types(registry: CollectorRegistry) -> dict[str, float]:
    """Return the number of failed calls by the type of their error."""
    return dict(_sums(registry, "ml_inference_errors_total", "error_type"))


def _sums(registry: CollectorRegistry, name: str, label: str) -> Iterator[tuple[str, float]]:
    for value in recorded.label_values(registry, name, label):
        total = recorded.value(registry, name, **{label: value})
        if total:
            yield value, total
