"""The distances that drift rules record, computed from shares, and the expectations that they have these values."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import log
from typing import Any

from mlmetrics.monitoring.rules.drift import record_name
from mlmetrics.monitoring.rules.promql import number, series_of

_TOLERANCE = 1e-9


def psi(then: Sequence[float], now: Sequence[float], then_samples: float, now_samples: float) -> float:
    """Return the population stability index of two distributions, with half an observation of the smaller side."""
    half = 0.5 / min(then_samples, now_samples)
    return sum(((b - a) * log((b + half) / (a + half)) for a, b in zip(then, now, strict=True)), start=0.0)


def wasserstein(then: Sequence[float], now: Sequence[float], bounds: Sequence[float]) -> float:
    """Return the area between two cumulative distributions."""
    widths = [upper - lower for lower, upper in pairwise((0.0, *bounds))]
    return sum(width * abs(a - b) for width, a, b in zip(widths, then, now, strict=True))


def recorded(metric: str, what: str, labels: Mapping[str, str]) -> str:
    """Return a series that drift rules record."""
    return series_of(record_name(metric, what), labels)


def recorded_values(
    metric: str, labels: Mapping[str, str], measured: Mapping[tuple[str, str], float], evaluated_at: str
) -> Iterator[dict[str, Any]]:
    """Yield the expectations that the rules have recorded these values, by what they are and by reference."""
    for (what, reference), value in measured.items():
        found = recorded(metric, what, {"reference": reference})
        sample = {"labels": series_of("", {**labels, "reference": reference}), "value": 1}
        expression = f"abs({found} - {number(value)}) < bool {_TOLERANCE}"
        yield {"expr": expression, "eval_time": evaluated_at, "exp_samples": [sample]}
