"""Folds add up: whatever is appended ends in its bucket, its count and its sum."""

import math
import warnings
from bisect import bisect_left
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mlmetrics.catalog.metric import Metric
from mlmetrics.recording.cells import Bounds, HistogramCell, NumberCell, Write
from mlmetrics.recording.folding import fold, hold
from mlmetrics.recording.series import CounterSeries

NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.integers(min_value=-(2**53), max_value=2**53).map(float),
)


def put(cell: HistogramCell, numbers: list[float]) -> None:
    """Fold numbers into a cell."""
    writes: list[Write] = []
    cell.add(writes, numbers)
    for target, place, new in writes:
        target[place] = new


@given(
    uppers=st.lists(NUMBERS, min_size=1, max_size=8, unique=True).map(sorted),
    numbers=st.lists(NUMBERS, max_size=60),
    cuts=st.lists(st.integers(min_value=0, max_value=60), max_size=5),
)
def test_fold_equals_reference(uppers: list[float], numbers: list[float], cuts: list[int]) -> None:
    """However numbers are split into folds, bounds among them, buckets, count and sum are those of one by one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cell = HistogramCell(Metric("x", "histogram", "X.", ()), (), Bounds(uppers))
        edges = [0, *sorted(cuts), len(numbers)]
        for start, end in pairwise(edges):
            if numbers[start:end]:
                put(cell, numbers[start:end])
    expected = [0] * (len(uppers) + 1)
    for number in numbers:
        expected[bisect_left(uppers, number)] += 1
    samples = list(cell.samples())
    buckets = [sample.value for sample in samples if sample.name == "x_bucket"]
    assert [sum(expected[: place + 1]) for place in range(len(expected))] == buckets
    assert len(numbers) == samples[-2].value
    # Large numbers of both signs cancel out: what is lost is measured by what was added.
    lost = 1e-9 * math.fsum(map(abs, numbers))
    assert math.isclose(math.fsum(numbers), samples[-1].value, rel_tol=1e-9, abs_tol=lost)


@given(st.floats(min_value=0, max_value=1e6))
def test_a_bound_holds_its_own_value(bound: float) -> None:
    """A number that equals a bound is in the bucket of that bound: `le` means less or equal."""
    cell = HistogramCell(Metric("x", "histogram", "X.", ()), (), Bounds([bound]))
    put(cell, [bound])
    assert 1 == next(cell.samples()).value


class Busy(list[int]):
    """A list to which somebody appends while it is being copied."""

    def __getitem__(self, key: Any) -> Any:
        copied = super().__getitem__(key)
        self.append(-1)
        return copied


@given(st.lists(st.integers(min_value=0, max_value=1000)))
def test_take(numbers: list[int]) -> None:
    """What a fold takes is what was there; what comes meanwhile stays for the next time."""
    series = CounterSeries(lambda: NumberCell(Metric("x_total", "counter", "X.", ()), ()))
    pending: Any = Busy(numbers)
    series.pending, series.lists = pending, (pending,)
    assert hold(fold, series)
    cell: Any = series._cell
    assert sum(numbers) == cell.numbers[0]
    assert ([-1] if numbers else []) == list(pending)  # an empty list is not copied, so nothing comes meanwhile
