"""Functions of instants: numbers, times, absence, labels and quantiles."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mlmetrics.live.promql.evaluating import Instant, Node
from mlmetrics.live.promql.matching import compiled
from mlmetrics.live.promql.operating import scalar
from mlmetrics.live.promql.quantiles import Histograms, quantile
from mlmetrics.live.promql.semantics import PromQLError
from mlmetrics.live.promql.vectors import Layout, Value, Vector
from mlmetrics.live.text import Labels

_REFERENCE = re.compile(r"\$(?:\{(\w+)\}|(\w+)|(\$))")


def _logarithm(value: float) -> float:
    if value > 0:
        return math.log(value) if value != math.inf else math.inf
    return -math.inf if value == 0 else math.nan


def _root(value: float) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


MAPPED: Mapping[str, Callable[[float], float]] = {"abs": abs, "ln": _logarithm, "sqrt": _root}


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """A function of each value."""

    function: str
    of: Node

    def value(self, at: Instant) -> Value:
        """Return the values."""
        series, compute = at.vector(self.of), MAPPED[self.function]
        return Vector(series.layout.without_name(), [None if each is None else compute(each) for each in series.values])


@dataclass(frozen=True, slots=True, eq=False)
class ClampMin:
    """Values, none of them below a number."""

    of: Node
    least: Node

    def value(self, at: Instant) -> Value:
        """Return the values."""
        series, least = at.vector(self.of), scalar(at, self.least)
        values = [None if each is None else max(each, least) for each in series.values]
        return Vector(series.layout.without_name(), values)


class Time:
    """The time of the evaluation, in seconds."""

    def value(self, at: Instant) -> Value:
        """Return the time."""
        return at.milliseconds / 1000


@dataclass(frozen=True, slots=True, eq=False)
class OneSeries:
    """A number as a series without labels."""

    of: Node

    def value(self, at: Instant) -> Value:
        """Return the series."""
        return Vector(_ONE, [scalar(at, self.of)])


_ONE = Layout(((),))


@dataclass(frozen=True, slots=True, eq=False)
class Absent:
    """1 if there are no series, with the labels that the selector requires."""

    of: Node
    layout: Layout

    def value(self, at: Instant) -> Value:
        """Return one series, or none."""
        is_there = any(each is not None for each in at.vector(self.of).values)
        return Vector(self.layout, [None if is_there else 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class LabelReplace:
    """Series with a label that is written from another one, where that matches."""

    of: Node
    target: str
    replacement: str
    source: str
    pattern: str

    def value(self, at: Instant) -> Value:
        """Return the series.

        Raises:
            PromQLError: Two series with a value would have the same labels.
        """
        series = at.vector(self.of)
        key = (LabelReplace, self.target, self.replacement, self.source, self.pattern)
        layout = series.layout.kept(key, lambda: self._replaced(series.layout, dot_is_any=at.semantics.dot_is_any))
        found = [labels for labels, value in zip(layout.labels, series.values, strict=True) if value is not None]
        if len(set(found)) != len(found):
            raise PromQLError(f"label_replace gives several series the same labels, with the new {self.target}")
        return Vector(layout, series.values)

    def _replaced(self, layout: Layout, *, dot_is_any: bool) -> Layout:
        pattern = compiled(self.pattern, dot_is_any=dot_is_any)
        return Layout(self._of(labels, pattern) for labels in layout.labels)

    def _of(self, labels: Labels, pattern: re.Pattern[str]) -> Labels:
        found = dict(labels)
        match = pattern.fullmatch(found.get(self.source, ""))
        if match is None:
            return labels
        text = _REFERENCE.sub(lambda reference: _referred(reference, match), self.replacement)
        found.pop(self.target, None)
        return tuple(sorted([*found.items(), *([(self.target, text)] if text else [])]))


def _referred(reference: re.Match[str], match: re.Match[str]) -> str:
    if reference[3]:
        return "$"
    name = reference[1] or reference[2]
    try:
        return match[int(name) if name.isdigit() else name] or ""
    except IndexError:
        return ""


@dataclass(frozen=True, slots=True, eq=False)
class HistogramQuantile:
    """A quantile of histograms, from their buckets."""

    share: Node
    of: Node

    def value(self, at: Instant) -> Value:
        """Return a value for each histogram."""
        share, series = scalar(at, self.share), at.vector(self.of)
        histograms: Histograms = series.layout.kept(Histograms, lambda: Histograms(series.layout))
        values = [
            quantile(share, [(bound, series.values[place]) for bound, place in buckets], forgives=at.semantics.forgives)
            for buckets in histograms.buckets
        ]
        return Vector(histograms.layout, values)
