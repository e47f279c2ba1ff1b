"""Numbers given by users, checked: what cannot be recorded is counted and does not raise."""

from math import isfinite
from typing import Any

from mlmetrics.catalog import Operation
from mlmetrics.interruption import interrupted
from mlmetrics.recording.store import Store

ROUNDING = 1e-9
"""Rounding errors are accepted: a cosine of 1.0000000000000002 counts as 1."""


def number(store: Store, where: str, value: Any, highest: float = float("inf")) -> float | None:
    """Return the value as a finite float in 0..highest; count any other value under `where`, and return None."""
    try:
        result = float(value)
    except Exception as error:  # any object may come, with any __float__
        if interrupted(error):
            raise
        store.failed(where, f"no number: {type(value).__name__} raised {type(error).__name__}")
        return None
    if isinstance(value, str | bytes) or not isfinite(result) or not -ROUNDING <= result <= highest + ROUNDING:
        limit = f"0..{highest:g}" if isfinite(highest) else "0 or more"
        store.failed(where, f"expected a finite number, {limit}; got {type(value).__name__} {result}")
        return None
    return min(max(result, 0.0), highest)


def ratio(store: Store, where: str, value: Any) -> float | None:
    """Return the value as a float in 0..1; count any other value under `where`, and return None."""
    return number(store, where, value, 1.0)


def score_histogram(store: Store, operation: Operation) -> str | None:
    """Return the histogram of an operation's scores; count under `score` that it has none, and return None."""
    if operation.score is None:
        store.failed("score", f"{operation.name} calls have no score")
        return None
    return operation.score.name


def observe(store: Store, name: str, labels: tuple[str | None, ...], value: float | None) -> None:
    """Record a value in a histogram; None is skipped."""
    if value is not None:
        store.record(store.histogram(name, labels), value)


def count(store: Store, name: str, labels: tuple[str | None, ...], value: float | None) -> None:
    """Add a value to a counter; None is skipped."""
    if value is not None:
        store.record(store.counter(name, labels), value)
