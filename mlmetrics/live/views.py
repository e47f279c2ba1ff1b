"""A view: the tiles and the table for one choice of service and model, their values at all times that are shown."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from mlmetrics.live.data import Moment, results_of
from mlmetrics.live.models import COLUMNS, ModelQueries
from mlmetrics.live.numbers import FOR_SHADES, rounded
from mlmetrics.live.tiles import Tile, TileRow, series_name

MOST_TIMES = 450
MOST_SERIES = 24
MOST_MODELS = 500
_TIDY_TIMES = 60
Numbers = list[float | int | None]
Buckets = tuple[tuple[str, ...], Numbers]


@dataclass(frozen=True, slots=True)
class View:
    """What a viewer has chosen: a service and a model; an empty text stands for all."""

    service: str = ""
    model: str = ""


@dataclass(slots=True)
class Lines:
    """The values of the series of a tile at the times of its view; `more` is how many series are left out now."""

    count: int = 0
    values: dict[str, Numbers] = field(default_factory=dict)
    more: int = 0

    def add(self, found: Mapping[str, float | int | None]) -> None:
        """Add the values at one more time."""
        new = [name for name in found if name not in self.values]
        room = MOST_SERIES - len(self.values)
        if len(new) > room:  # the largest are chosen, and stay
            new.sort(key=lambda name: -(found[name] or 0))
        for name in new[: max(0, room)]:
            self.values[name] = [None] * self.count
        self.more = max(0, len(new) - room)
        for name, numbers in self.values.items():
            numbers.append(found.get(name))
        self.count += 1

    def trim(self, times: int) -> None:
        """Keep the last times only, and no series without a value in them."""
        kept = {name: numbers[-times:] for name, numbers in self.values.items()}
        self.values = {name: numbers for name, numbers in kept.items() if any(each is not None for each in numbers)}
        self.count = min(self.count, times)

    def data(self, last: int | None) -> dict[str, Any]:
        """Return the values as the feed has them, of all times or of the last only."""
        start = 0 if last is None else -last
        shown = [{"name": name, "values": numbers[start:]} for name, numbers in self.values.items()]
        return {"series": shown, **({"more": self.more} if self.more else {})}


@dataclass(slots=True)
class Heat:
    """The buckets of a heatmap at the times of its view; when bounds change, the earlier times are empty."""

    bounds: tuple[str, ...] = ()
    buckets: list[Numbers] = field(default_factory=list)

    def add(self, found: Buckets) -> None:
        """Add the buckets at one more time."""
        bounds, numbers = found
        if bounds and bounds != self.bounds:
            self.bounds = bounds
            self.buckets = [[] for _ in self.buckets]
        self.buckets.append(numbers if bounds == self.bounds else [])

    def trim(self, times: int) -> None:
        """Keep the last times only."""
        self.buckets = self.buckets[-times:]

    def data(self, last: int | None) -> dict[str, Any]:
        """Return the buckets as the feed has them, of all times or of the last only."""
        return {"bounds": list(self.bounds), "buckets": self.buckets[0 if last is None else -last :]}


class ViewState:
    """The tiles of a view with their values; `tick` adds one time."""

    def __init__(self, view: View, title: str, rows: list[TileRow], models: ModelQueries) -> None:
        self.view = view
        self.title = title
        self.rows = rows
        self.models = models
        self.times: list[int] = []
        self.table: list[dict[str, Any]] = []
        self.more_models = 0
        self.tiles = [tile for _, tiles in rows for tile in tiles]
        self._data: dict[str, Lines | Heat] = {tile.id: _empty(tile) for tile in self.tiles}

    def take_over(self, before: "ViewState") -> None:
        """Keep the values of tiles that were there before."""
        self.times = before.times
        for tile in self.tiles:
            known = before._data.get(tile.id)  # noqa: SLF001 - of the same class
            empty = self._data[tile.id]
            if isinstance(known, type(empty)):
                self._data[tile.id] = known
            else:
                for _ in self.times:
                    empty.add({} if isinstance(empty, Lines) else ((), []))  # type: ignore[arg-type]  # as its kind

    def tick(self, moment: Moment) -> None:
        """Add the values at a moment."""
        self.times.append(moment.milliseconds)
        for tile in self.tiles:
            data = self._data[tile.id]
            if isinstance(data, Heat):
                data.add(_buckets(results_of(moment, tile.queries[0].text)))
            else:
                data.add(_named(tile, moment))
        if len(self.times) > MOST_TIMES + _TIDY_TIMES:
            self.times = self.times[-MOST_TIMES:]
            for each in self._data.values():
                each.trim(MOST_TIMES)

    def queries(self) -> list[str]:
        """Return all queries of the view."""
        return [*(each.text for tile in self.tiles for each in tile.queries), *self.models.keys()]

    def clear(self) -> None:
        """Forget all times."""
        self.times = []
        self._data = {tile.id: _empty(tile) for tile in self.tiles}

    def tabulate(self, moment: Moment, errors: Mapping[tuple[str, ...], str]) -> None:
        """Bring the table to a moment."""
        rows = list(self.models.rows(moment, errors))
        self.table, self.more_models = rows[:MOST_MODELS], max(0, len(rows) - MOST_MODELS)

    def shift(self, milliseconds: int) -> None:
        """Move all times, because the clock has jumped."""
        self.times = [time + milliseconds for time in self.times]

    def data(self, common: Mapping[str, Any], last: int | None = None) -> dict[str, Any]:
        """Return what the feed sends: of all times, or of the last only."""
        if last is None:
            for each in self._data.values():
                each.trim(MOST_TIMES)
            self.times = self.times[-MOST_TIMES:]
        return {
            "times": self.times if last is None else self.times[-last:],
            "tiles": {name: each.data(last) for name, each in self._data.items()},
            "models": self.table,
            **({"more_models": self.more_models} if self.more_models else {}),
            **common,
        }

    def layout(self) -> dict[str, Any]:
        """Return the declarations of the tiles."""
        rows = [{"title": title, "tiles": [tile.declaration() for tile in tiles]} for title, tiles in self.rows]
        columns = [{"id": name, "title": title, "unit": unit} for name, title, unit in COLUMNS if self._has(name)]
        return {"title": self.title, "rows": rows, "columns": columns}

    def _has(self, column: str) -> bool:
        texts = self.models.texts
        return bool(texts) if column in ("model", "service", "operation", "error") else column in texts


def _empty(tile: Tile) -> Lines | Heat:
    return Heat() if tile.panel.kind == "heatmap" else Lines()


def _named(tile: Tile, moment: Moment) -> dict[str, float | int | None]:
    found: dict[str, float | int | None] = {}
    for query in tile.queries:
        for labels, value in results_of(moment, query.text):
            found[series_name(query.legend, dict(labels))] = rounded(value)
    return found


def _buckets(results: Iterable[tuple[tuple[tuple[str, str], ...], float]]) -> Buckets:
    """Return bounds, and what is in each bucket by itself, from counts up to each bound."""
    counts: dict[float, tuple[str, float]] = {}
    for labels, value in results:
        text = dict(labels).get("le", "")
        try:
            bound = float(text)
        except ValueError:
            continue
        counts[bound] = text, value + counts.get(bound, ("", 0.0))[1]
    ordered = [counts[bound] for bound in sorted(counts)]
    own = [upper - lower for (_, lower), (_, upper) in pairwise([("", 0.0), *ordered])]
    return tuple(text for text, _ in ordered), [rounded(max(0.0, each), FOR_SHADES) for each in own]


def encoded(data: object) -> bytes:
    """Return data as JSON that may stand inside a page too."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("</", "<\\/").replace("<!--", "<\\u0021--").encode()
