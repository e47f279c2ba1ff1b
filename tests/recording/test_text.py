"""What our families write is, byte for byte, what prometheus_client writes of them; and folds add up."""

import math
import warnings
from bisect import bisect_left
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.samples import Exemplar

from mlmetrics.catalog import METRICS, Metric
from mlmetrics.recording.cells import Bounds, HistogramCell, NumberCell, Write
from mlmetrics.recording.collector import store_for
from mlmetrics.recording.family import ExposedFamily
from mlmetrics.recording.folding import fold, hold
from mlmetrics.recording.series import CounterSeries

CLIENT: dict[bool, Any] = {False: generate_latest, True: generate_openmetrics}
LABELS = st.text(st.characters(codec="utf-8"), max_size=8)
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.integers(min_value=-(2**53), max_value=2**53).map(float),
)
AMOUNTS = st.one_of(st.floats(min_value=0, max_value=1e300), st.integers(min_value=0, max_value=2**60).map(float))
EXEMPLARS = st.builds(
    lambda text, value, when: Exemplar({"trace_id": text, "a": text}, value, when),
    LABELS,
    AMOUNTS,
    st.floats(min_value=0, max_value=1e10),
)


def written(registry: CollectorRegistry, *, openmetrics: bool) -> bytes:
    """Return what our families write of themselves."""
    lines: list[str] = []
    for family in registry.collect():
        assert isinstance(family, ExposedFamily)
        family.write(lines, openmetrics=openmetrics)
    return ("".join(lines) + ("# EOF\n" if openmetrics else "")).encode()


def write(writes: list[Write]) -> None:
    """Do the steps of a fold."""
    for setter, new, _ in writes:
        setter(new)


def put(cell: HistogramCell, numbers: list[float]) -> None:
    """Fold numbers into a cell."""
    writes: list[Write] = []
    cell.add(writes, numbers)
    write(writes)


@pytest.mark.parametrize("openmetrics", [False, True])
@given(
    labels=st.lists(st.tuples(LABELS, LABELS, LABELS), max_size=3, unique=True),
    amounts=st.lists(AMOUNTS, min_size=1, max_size=8),
    marks=st.lists(EXEMPLARS, max_size=3),
)
def test_byte_for_byte(
    labels: list[tuple[str, str, str]], amounts: list[float], marks: list[Exemplar], *, openmetrics: bool
) -> None:
    """Any labels, any numbers, with exemplars: our text and the client's are the same bytes."""
    registry = CollectorRegistry()
    store = store_for(registry)
    for each in labels:
        for amount in amounts:
            store.counter("ml_inference_cost_usd_total", each).record(amount)
            store.gauge("ml_model_info", each).record(amount)
            store.histogram("ml_inference_duration_seconds", each).record(amount)
        generate_latest(registry)
        cell = store.histogram_cell("ml_inference_duration_seconds", each)
        writes: list[Write] = []
        cell.mark(writes, marks)
        write(writes)
    store.counter("mlmetrics_scrape_errors_total").record(amounts[0])
    assert CLIENT[openmetrics](registry) == written(registry, openmetrics=openmetrics)


@pytest.mark.parametrize("openmetrics", [False, True])
def test_every_metric_byte_for_byte(registry: CollectorRegistry, *, openmetrics: bool) -> None:
    """Every metric of the catalogue, recorded once, is written as the client writes it; OpenMetrics parses strictly."""
    store = store_for(registry)
    for metric in METRICS:
        labels = tuple(f"{label} of it" for label in metric.labels)
        getattr(store, metric.kind)(metric.name, labels).record(0.5)
    text = written(registry, openmetrics=openmetrics)
    assert CLIENT[openmetrics](registry) == text
    if openmetrics:
        exposed = {sample.name for family in parse_openmetrics(text.decode()) for sample in family.samples}
        assert {name for metric in METRICS for name in metric.sample_names} == exposed


def test_no_created_series(registry: CollectorRegistry) -> None:
    """No `_created` series doubles ours (pitfall 22)."""
    store_for(registry).counter("ml_inference_cost_usd_total", ("s", "m", "")).record(1)
    assert b"_created" not in generate_latest(registry) + generate_openmetrics(registry)


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
    samples = list(cell.samples(()))
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
    assert 1 == next(cell.samples(())).value


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
    assert sum(numbers) == cell.value.get()
    assert ([-1] if numbers else []) == list(pending)  # an empty list is not copied, so nothing comes meanwhile
