"""The reference of metrics: every metric that the services of a project may expose, by what it measures."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from mlmetrics.catalog import OPERATIONS, Metric, Operation
from mlmetrics.catalog.measuring import MEASURING
from mlmetrics.catalog.requests import WEBSOCKETS
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.operations import ALL_OF_REQUESTS, Requests
from mlmetrics.monitoring.rules.promql import number
from mlmetrics.monitoring.text import table_row

REFERENCE = "metrics.md"
_COLUMNS = ("metric", "kind", "labels", "meaning", "buckets")
_INTRODUCTION = """\
A histogram has the samples `_bucket`, `_count` and `_sum`; its buckets are upper bounds, and `+Inf` is added.
Prometheus adds the labels `job` and `instance` when it scrapes. Not listed are those of the process (`process_*`), and
counters, gauges and histograms that a project declares by itself.
"""


def shipped_reference() -> str:
    """Return the page of all metrics that mlmetrics ships, with their default buckets."""
    written = "<!-- Written by `python -m mlmetrics.monitoring.schema` from mlmetrics/catalog. -->"
    return _page(written, ALL_OF_REQUESTS, OPERATIONS, {})


def project_reference(config: Config) -> str:
    """Return the page of the metrics that the services of a project may expose, with its buckets."""
    written = "<!-- Rendered by mlmetrics from mlmetrics.toml; change that and render again. -->"
    return _page(written, config.requests, config.operations, config.bounds)


def _page(
    written: str, requests: Requests, operations: Iterable[Operation], bounds: Mapping[str, Sequence[float]]
) -> str:
    of_requests = [metric for metric in requests.metrics if metric not in WEBSOCKETS]
    sizes = "The sizes of bodies are recorded with `body_sizes=True`.\n" if requests.body_sizes else ""
    parts = ["# Metrics\n", f"{written}\n", _INTRODUCTION, *_section("HTTP requests", sizes, of_requests, bounds)]
    if requests.websockets:
        parts += _section("WebSockets", "", WEBSOCKETS, bounds)
    for operation in operations:
        title = operation.noun.capitalize()
        metrics = operation.metrics
        if not operation.ships:  # whether it has scores is a key of its own, no part
            metrics = tuple(replace(metric, part="") for metric in metrics)
        parts += _section(title, _of_parts(operation), metrics, bounds)
    parts += _section("The recording itself", "", MEASURING, bounds)
    return "\n".join(parts)


def _of_parts(operation: Operation) -> str:
    """Return the sentence about the metrics that not every service records."""
    parts = ", ".join(f"`{part}`" for part in sorted(operation.parts))
    return f"Recorded beside the calls: {parts}.\n" if parts and operation.ships else ""


def _section(title: str, words: str, metrics: Iterable[Metric], bounds: Mapping[str, Sequence[float]]) -> Iterator[str]:
    yield f"## {title}\n"
    if words:
        yield words
    rows = (
        (
            f"`{metric.name}`",
            metric.kind,
            ", ".join(f"`{label}`" for label in metric.labels),
            metric.help + (f" Part `{metric.part}`." if metric.part else ""),
            ", ".join(number(bound) for bound in bounds.get(metric.name, metric.buckets)),
        )
        for metric in metrics
    )
    yield "\n".join((table_row(_COLUMNS), table_row(["---"] * len(_COLUMNS)), *(table_row(row) for row in rows), ""))
