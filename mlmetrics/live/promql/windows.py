"""Functions of windows: how much counters grew, and the largest, smallest and last samples.

What depends on a source alone is worked out once for all its series. A series that did not change within the window
costs one comparison. Growth is extrapolated to the edges of the window as Prometheus does it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mlmetrics.live.promql.selecting import Selection
from mlmetrics.live.promql.semantics import Semantics
from mlmetrics.live.promql.vectors import Values
from mlmetrics.live.series import Series, Source

_NEAR = 1.1
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class Window:
    """A time, its ends included or not as the semantics say."""

    start: int
    end: int
    semantics: Semantics

    def scrapes(self, source: Source) -> tuple[int, int]:
        """Return the first and the last scrape of a source in the window."""
        return source.between(self.start, self.end, closed=self.semantics.left_closed)

    @property
    def seconds(self) -> float:
        """The length of the window."""
        return (self.end - self.start) / 1000


class Extrapolation:
    """How the growth between two scrapes is extrapolated to a window; `factor` holds if zero is not in the way."""

    __slots__ = ("_after", "_divisor", "_limit", "_near", "_sampled", "_step", "_zero_first", "factor")

    def __init__(self, window: Window, first: int, last: int, samples: int, *, per_second: bool) -> None:
        sampled = (last - first) / 1000
        step = sampled / (samples - 1)
        near = step * _NEAR
        before, after = (first - window.start) / 1000, (window.end - last) / 1000
        self._sampled, self._step, self._near = sampled, step, near
        self._zero_first = window.semantics.zero_first
        self._after = after if after < near else step / 2
        extended = before if before < near else step / 2
        self._limit = before if self._zero_first else extended
        self._divisor = window.seconds if per_second else 1.0
        self.factor = self._factor(extended)

    def _factor(self, extended: float) -> float:
        return (self._sampled + extended + self._after) / self._sampled / self._divisor

    def grown(self, first: float, growth: float) -> float:
        """Return the growth in the window, from the first value and the growth between the scrapes."""
        if growth > 0 and first >= 0:
            to_zero = self._sampled * (first / growth)
            if to_zero < self._limit:
                near = to_zero < self._near or not self._zero_first
                return growth * self._factor(to_zero if near else self._step / 2)
        return growth * self.factor


def growths(selection: Selection, window: Window, *, per_second: bool) -> Values:
    """Return how much each counter grew in a window, in all or each second."""
    values: Values = []
    for source, block in selection.blocks:
        low, high = window.scrapes(source)
        if high - low < _FEWEST - 1:
            values += [None] * len(block)
        else:
            _grown_block(source, block, window, (low, high), values.append, per_second=per_second)
    return values


def _grown_block(
    source: Source,
    block: list[Series],
    window: Window,
    edges: tuple[int, int],
    append: Callable[[float | None], None],
    *,
    per_second: bool,
) -> None:
    low, high = edges
    whole = Extrapolation(window, source.time(low), source.time(high), high - low + 1, per_second=per_second)
    grown = whole.grown
    parts: dict[tuple[int, int, int], Extrapolation] = {}
    for series in block:
        if series.steady <= low and high < series.gone:
            if series.changed <= low:
                append(0.0)
            else:
                first = series.value_at(low)
                append(grown(first, series.value_at(high) - first))
            continue
        found = _part(series, low, high)
        if found is None:
            append(None)
            continue
        extrapolation = parts.get(found)
        if extrapolation is None:
            begin, end, samples = found
            extrapolation = parts[found] = Extrapolation(
                window, source.time(begin), source.time(end), samples, per_second=per_second
            )
        append(extrapolation.grown(series.value_at(found[0]), _growth(series, found[0], found[1])))


def _part(series: Series, low: int, high: int) -> tuple[int, int, int] | None:
    """Return the first and last scrape of a window at which a series was there, and at how many it was there."""
    stretches = series.presence(low, high)
    samples = sum(last - first + 1 for first, last in stretches)
    return (stretches[0][0], stretches[-1][1], samples) if samples >= _FEWEST else None


def _growth(series: Series, begin: int, end: int) -> float:
    """Return how much a counter grew between two scrapes, where it may have begun again at 0."""
    first = before = series.value_at(begin)
    fallen = 0.0
    for value in series.changes(begin, end):
        if value < before:
            fallen += before
        before = value
    return before - first + fallen


def samples(selection: Selection, window: Window, pick: Callable[[list[float]], float]) -> Values:
    """Return what a function picks of the samples that each series had in a window."""
    values: Values = []
    for source, block in selection.blocks:
        low, high = window.scrapes(source)
        for series in block:
            stretches = series.presence(low, high) if low <= high else []
            if not stretches:
                values.append(None)
                continue
            begin, end = stretches[0][0], stretches[-1][1]
            values.append(pick([series.value_at(begin), *series.changes(begin, end)]))
    return values


def instants(selection: Selection, at: int, oldest: int, semantics: Semantics) -> Values:
    """Return the value of each series at a time, None where it is not there any more."""
    values: Values = []
    for source, block in selection.blocks:
        scrape = source.newest(at, oldest, closed=semantics.left_closed)
        if scrape is None:
            values += [None] * len(block)
        else:
            values += [
                series.last if series.born <= scrape < series.gone and scrape >= series.changed else series.at(scrape)
                for series in block
            ]
    return values
