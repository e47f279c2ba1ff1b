"""Quantiles of histograms, estimated from the counts of their buckets as Prometheus does it."""

import math
from bisect import bisect_left
from collections.abc import Iterable

from mlmetrics.live.promql.vectors import NAME, Layout
from mlmetrics.live.text import Labels

_TOLERANCE = 1e-12
_SMALLEST_NORMAL = 2.2250738585072014e-308
_FEWEST = 2
Bucket = tuple[float, int]


class Histograms:
    """The histograms of a layout: the bound and the place of each of their buckets, by rising bounds."""

    def __init__(self, layout: Layout) -> None:
        found: dict[Labels, list[Bucket]] = {}
        for place, labels in enumerate(layout.labels):
            bound = _bound(labels)
            if bound is not None:
                key = tuple(pair for pair in labels if pair[0] not in ("le", NAME))
                found.setdefault(key, []).append((bound, place))
        self.layout = Layout(found)
        self.buckets = [sorted(each) for each in found.values()]


def _bound(labels: Labels) -> float | None:
    try:
        return float(dict(labels).get("le", ""))
    except ValueError:
        return None


def quantile(share: float, buckets: Iterable[tuple[float, float | None]], *, forgives: bool) -> float | None:
    """Return a quantile of one histogram, None if it has no bucket, and NaN if it has no observations."""
    bounds: list[float] = []
    counts: list[float] = []
    for bound, count in buckets:
        if count is None:
            continue
        if bounds and bounds[-1] == bound:  # written in two ways, such as 5 and 5.0
            counts[-1] += count
        else:
            bounds.append(bound)
            counts.append(count)
    if not bounds:
        return None
    if math.isnan(share):
        return math.nan
    if not 0 <= share <= 1:
        return math.copysign(math.inf, share)
    if bounds[-1] != math.inf or len(bounds) < _FEWEST:
        return math.nan
    _make_monotonic(counts, forgives=forgives)
    return _interpolated(share, bounds, counts) if counts[-1] else math.nan


def _make_monotonic(counts: list[float], *, forgives: bool) -> None:
    """Raise each count to that of the bucket before: buckets of different scrapes may contradict each other."""
    before = counts[0]
    for place, count in enumerate(counts):
        if count < before or (forgives and count != before and _is_almost(count, before)):
            counts[place] = before
        else:
            before = count


def _is_almost(one: float, other: float) -> bool:
    sum_of_both, difference = abs(one) + abs(other), abs(one - other)
    if not one or not other or sum_of_both < _SMALLEST_NORMAL:
        return difference < _TOLERANCE * _SMALLEST_NORMAL
    return difference / sum_of_both < _TOLERANCE


def _interpolated(share: float, bounds: list[float], counts: list[float]) -> float:
    rank = share * counts[-1]
    if math.isnan(rank):
        return bounds[-2]
    place = bisect_left(counts, rank, 0, len(counts) - 1)
    if place == len(counts) - 1:
        return bounds[-2]
    if not place and bounds[0] <= 0:
        return bounds[0]
    start, count = 0.0, counts[place]
    if place:
        start, count, rank = bounds[place - 1], count - counts[place - 1], rank - counts[place - 1]
    if not count:
        return math.nan if not rank else math.copysign(math.inf, rank)
    return start + (bounds[place] - start) * (rank / count)
