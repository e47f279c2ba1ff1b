"""The rows of numbers: every public recorder has one, and each way records what it says."""

from collections.abc import Iterator
from inspect import getmembers, isfunction

import pytest

from benchmarks.by_hand import ByHand
from benchmarks.numbers import looped
from benchmarks.ours import Toolkit
from benchmarks.results import TARGETS
from benchmarks.timing import Side, prove
from benchmarks.ways import RECORDERS, ways
from mlmetrics import Call, Counter, Gauge, Histogram, MLMetrics, OwnOperation

NO_RECORDERS = {
    *("Call.begin", "Call.end", "Call.let_go"),
    *("Counter.count_exceptions", "Gauge.time", "Gauge.track_inprogress", "Histogram.time"),
}
"""Methods that record no number of their own, or are blocks around others."""


def recorders() -> Iterator[str]:
    """Yield every public method by which a number is recorded."""
    for kind in (Call, OwnOperation, Counter, Gauge, Histogram):
        own = {name for base in kind.__mro__[:-1] if base.__name__ != "Labelled" for name in vars(base)}
        yield from (
            f"{kind.__name__}.{name}" for name, _ in getmembers(kind, isfunction) if name in own and name[0] != "_"
        )
    for name, _ in getmembers(MLMetrics, isfunction):
        if name.startswith("track_") or name.endswith("_timer"):
            yield f"MLMetrics.{name}"


def test_every_recorder_has_a_row() -> None:
    """A public recorder that nobody measures is refused."""
    assert sorted(set(recorders()) - NO_RECORDERS) == sorted(RECORDERS)


def test_rows_are_measured() -> None:
    """The rows that recorders name are measured, and have their place in the table."""
    names = set(ways(Toolkit().metrics, ByHand()))
    assert set(RECORDERS.values()) <= names
    assert not {f"number/{name}" for name in names} - set(TARGETS)


@pytest.mark.parametrize("name", list(ways(Toolkit().metrics, ByHand())))
def test_way_records(name: str) -> None:
    """Each way records one number each time; what is written by hand runs, too."""
    toolkit, hand = Toolkit(), ByHand()
    way = ways(toolkit.metrics, hand)[name]
    way.by_hand()
    prove(
        [Side(name, looped(way.ours, toolkit.fold, *way.arguments), lambda: toolkit.value(way.counted, **way.labels))],
        30,
    )
