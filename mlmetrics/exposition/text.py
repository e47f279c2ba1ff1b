"""A registry as text: byte for byte what prometheus_client writes, but faster, by joining prepared strings.

mlmetrics' own families are written by `families`; all others by the client's functions.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from time import perf_counter
from typing import cast

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from mlmetrics.exposition.families import write_family
from mlmetrics.exposition.host import HostCollector
from mlmetrics.recording.collector import store_for
from mlmetrics.recording.family import ExposedFamily
from mlmetrics.recording.folding import steadily
from mlmetrics.recording.store import Store

END = "# EOF\n"


class Collected(Collector):
    """Collected families, in the form that the client's functions take."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> tuple[Metric, ...]:
        """Return the families."""
        return self._families


def render(registry: CollectorRegistry, *, openmetrics: bool = False, names: Collection[str] = ()) -> bytes:
    """Write what a registry holds, in the text format 0.0.4 or in OpenMetrics 1.0.0.

    Args:
        registry: the registry to write; mlmetrics' own metrics are registered in it if they are not yet.
        openmetrics: whether to write OpenMetrics.
        names: if given, only families with samples of these names are written.

    Metrics: `mlmetrics_scrape_duration_seconds` (from the next scrape on), `mlmetrics_scrape_errors_total`.
    """
    store = store_for(registry)
    began = perf_counter()
    try:
        text = write(source(registry, store, names), openmetrics=openmetrics)
    except Exception:
        store.counter("mlmetrics_scrape_errors_total").record(1)
        raise
    store.gauge("mlmetrics_scrape_duration_seconds").record(perf_counter() - began)
    return text


def source(registry: CollectorRegistry, store: Store, names: Collection[str]) -> Collector:
    """Return what a scrape collects: the registry, or all processes of the host if several share a directory."""
    if store.host is not None:
        return HostCollector(registry, store, store.host, names)
    return registry.restricted_registry(names) if names else registry


def write(collector: Collector, *, openmetrics: bool) -> bytes:
    """Write what a collector yields."""
    families = list(collector.collect())
    # Collecting has folded; no further fold may run in the middle of a histogram.
    lines = steadily(lambda: lines_of(families, openmetrics=openmetrics))
    if openmetrics:
        lines.append(END)
    return "".join(lines).encode("utf-8")


def lines_of(families: Iterable[Metric], *, openmetrics: bool) -> list[str]:
    """Return the text of families, in their order."""
    lines: list[str] = []
    for ours, group in groupby(families, lambda family: isinstance(family, ExposedFamily)):
        if not ours:
            lines.append(foreign(group, openmetrics=openmetrics))
            continue
        for family in cast("Iterator[ExposedFamily]", group):
            write_family(family, lines, openmetrics=openmetrics)
    return lines


def foreign(families: Iterable[Metric], *, openmetrics: bool) -> str:
    """Return the text of families that are not mlmetrics' own, as the client writes it."""
    collected = Collected(families)
    text: bytes = generate_openmetrics(collected) if openmetrics else generate_latest(collected)
    return text.decode("utf-8").removesuffix(END)
