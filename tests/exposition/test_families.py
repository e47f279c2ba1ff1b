"""The text of our families is, byte for byte, what prometheus_client writes of their samples."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.samples import Exemplar

from mlmetrics.catalog import METRICS
from mlmetrics.exposition.families import write_family
from mlmetrics.recording.cells import Write
from mlmetrics.recording.collector import store_for
from mlmetrics.recording.family import ExposedFamily

CLIENT: dict[bool, Any] = {False: generate_latest, True: generate_openmetrics}
LABELS = st.text(st.characters(codec="utf-8"), max_size=8)
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
        write_family(family, lines, openmetrics=openmetrics)
    return ("".join(lines) + ("# EOF\n" if openmetrics else "")).encode()


def write(writes: list[Write]) -> None:
    """Do the steps of a fold."""
    for target, place, new in writes:
        target[place] = new


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
