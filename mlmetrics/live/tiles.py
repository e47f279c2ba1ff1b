"""The tiles of the page: which panels of the dashboards are shown, in which order, and what their queries are.

A tile is a panel of a dashboard; a few numbers of the first row stand on the page only. A tile is shown when the
targets record what its queries read.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlmetrics.live.reading import metrics_of
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana import panels
from mlmetrics.monitoring.grafana.boards.fleet import fleet_rows
from mlmetrics.monitoring.grafana.boards.models import model_rows
from mlmetrics.monitoring.grafana.boards.operations import operation_rows
from mlmetrics.monitoring.grafana.boards.performance import performance_rows
from mlmetrics.monitoring.grafana.boards.quality import quality_rows
from mlmetrics.monitoring.grafana.layout import Row
from mlmetrics.monitoring.grafana.panels import Panel
from mlmetrics.monitoring.grafana.queries import Queries
from mlmetrics.monitoring.rules.cost import SPENT, TOKENS
from mlmetrics.monitoring.verify.interpolation import Choice, interpolate

NOW = "Now"
_NOT_SLUG = re.compile(r"[^a-z0-9]+")
_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_SHOWN: Mapping[str, tuple[str, ...]] = {
    "API": ("API request rate", "Response time (95th percentile)", "Error rate per service"),
    "Models": (
        "Latency percentiles",
        "Outcomes",
        "Success rate by model",
        "Failures by error type",
        "First chunk",
        "Gaps between chunks",
        "Latency",
    ),
    "Tokens and cost": ("Tokens", "Tokens per call", "Cost an hour by model"),
    "Scores": (
        "Distribution of accuracy scores",
        "Distribution of matching scores",
        "Confidence",
        "Median accuracy by document type",
        "Predicted classes",
    ),
    "Memory and processor": ("Memory", "Processor"),
}
"""The panels that are shown, by the rows of the page."""
_NOW = ("Requests", "Errors", "Response time p95", "Inferences", "Inference success")


@dataclass(frozen=True, slots=True)
class TileQuery:
    """A query of a tile with everything filled in, the metrics that it reads, and the legend of its series."""

    text: str
    legend: str
    metrics: frozenset[str]


@dataclass(frozen=True, slots=True)
class Tile:
    """A panel with its queries, those that have nothing to read left out."""

    id: str
    panel: Panel
    queries: tuple[TileQuery, ...]

    def declaration(self) -> dict[str, Any]:
        """Return the tile as the layout has it."""
        panel = self.panel
        return {
            "id": self.id,
            "kind": panel.kind,
            "title": panel.title,
            "description": panel.description,
            "unit": panel.unit,
            "threshold": _threshold(panel),
            "queries": len(panel.queries),
            "empty": panel.empty,
            "stacked": panel.stacked,
        }


def _threshold(panel: Panel) -> dict[str, Any] | None:
    """Return the alert of a panel and its threshold; `of_limit` is a share of the limits that the panel draws."""
    found = panel.threshold
    if found is None:
        return None
    return {"alert": found.alert, "value": found.value, "above": not found.low, "of_limit": found.of_limit}


TileRow = tuple[str, tuple[Tile, ...]]


def tile_rows(config: Config, choices: Mapping[str, Choice], has: Callable[[str], bool]) -> list[TileRow]:
    """Return the rows of the page, with the tiles that have something to read.

    Args:
        config: thresholds, services and operations.
        choices: what the variables of the dashboards stand for.
        has: whether a metric is recorded.
    """
    rows = []
    for title, shown in page_rows(config):
        tiles = [tile for panel in shown if (tile := _tile(panel, choices, has)) is not None]
        if tiles:
            rows.append((title, tuple(tiles)))
    return rows


def page_rows(config: Config) -> Iterator[tuple[str, tuple[Panel, ...]]]:
    """Yield the rows of the page with all panels that may be shown."""
    boards = (performance_rows(config), model_rows(config), quality_rows(config), fleet_rows(config))
    by_title: dict[str, Panel] = {}
    for panel in (panel for rows in boards for row in rows for panel in row.panels):
        by_title.setdefault(panel.title, panel)
    yield NOW, (*(by_title[title] for title in _NOW), *_of_the_page(Queries(config)))
    for title, shown in _SHOWN.items():
        yield title, tuple(by_title[each] for each in shown if each in by_title)
    yield from ((row.title, row.panels) for row in _named(operation_rows(config)))


def _named(rows: tuple[Row, ...]) -> Iterator[Row]:
    """Yield rows of operations; a table has no place here, for it has no history."""
    for row in rows:
        yield Row(row.title, tuple(panel for panel in row.panels if panel.kind != "table"))


def _of_the_page(queries: Queries) -> tuple[Panel, ...]:
    """Return the numbers that only this page shows."""
    running = f"sum({queries.select('ml_inference_in_progress')})"
    return (
        panels.stat("In progress", "Model calls that run now.", panels.COUNT, running),
        panels.stat("Tokens a second", "Tokens of all types.", panels.PER_SECOND, queries.per_second([], TOKENS)),
        panels.stat(
            "Cost an hour", "What an hour costs at the present rate.", panels.DOLLARS, queries.per_hour([], SPENT)
        ),
    )


def _tile(panel: Panel, choices: Mapping[str, Choice], has: Callable[[str], bool]) -> Tile | None:
    queries = []
    for query in panel.queries:
        text = interpolate(query.text, choices)
        metrics = metrics_of(text)
        if all(has(name) for name in metrics):
            queries.append(TileQuery(text, query.legend, metrics))
    return Tile(slug(panel.title), panel, tuple(queries)) if queries else None


def slug(title: str) -> str:
    """Return a title as an id.

    >>> slug("Response time (95th percentile)")
    'response-time-95th-percentile'
    """
    return _NOT_SLUG.sub("-", title.lower()).strip("-")


def series_name(legend: str, labels: Mapping[str, str]) -> str:
    """Return the name of a series by its legend; without one, its labels.

    >>> series_name("p95 {{model}} · {{service}}", {"model": "gpt-4", "service": "cv"})
    'p95 gpt-4 · cv'
    """
    if legend:
        return _LABEL.sub(lambda match: labels.get(match[1], ""), legend)
    return ", ".join(f"{name}={text}" for name, text in labels.items() if name != "__name__") or "value"


def choices_of(
    config: Config, service: str, model: str, *, rate_seconds: float, range_seconds: float
) -> dict[str, Choice]:
    """Return what the variables of the dashboards stand for in a view; an empty choice is all."""
    return {
        **dict.fromkeys(config.grouping, ".*"),
        "job": ".+",
        "instance": ".+",
        "service": [service] if service else ".+",
        "model": [model] if model else ".+",
        "__rate_interval": f"{rate_seconds:g}s",
        "__interval": f"{rate_seconds:g}s",
        "__range": f"{range_seconds:g}s",
    }
