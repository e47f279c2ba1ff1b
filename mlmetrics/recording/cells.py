"""The folded numbers of one series.

A scrape reads while no fold is running (`folding`), so it does not see a histogram that is partly
written. The text of a series is written by `mlmetrics.exposition`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client.samples import Exemplar, Sample
from prometheus_client.utils import floatToGoString

from mlmetrics.catalog.metric import Metric

Numbers = list[float]

Write = tuple[Any, int, Any]
"""One step of a fold, which may be repeated: a list or dictionary, the place in it, and the new value there."""


def plus(numbers: Numbers, place: int, amount: float) -> Write:
    """Add an amount."""
    return numbers, place, numbers[place] + amount


def moved(numbers: Numbers, change: int) -> Write:
    """Change the number in progress, not below 0: in a forked child, calls may end that began in its parent."""
    return numbers, 0, max(0.0, numbers[0] + change)


class NumberCell:
    """The value of one counter or gauge series: `numbers` holds it alone."""

    __slots__ = ("labels", "metric", "numbers")

    def __init__(self, metric: Metric, labels: tuple[str, ...]) -> None:
        self.metric = metric
        self.labels = labels
        self.numbers: Numbers = [0.0]

    def samples(self) -> Iterator[Sample]:
        """Yield the series as prometheus_client's samples."""
        metric = self.metric
        yield Sample(metric.name, dict(zip(metric.labels, self.labels, strict=True)), self.numbers[0])


class Bounds:
    """The upper bounds of one histogram, as numbers and as both formats write them."""

    __slots__ = ("texts", "uppers")

    def __init__(self, uppers: Sequence[float]) -> None:
        self.uppers = tuple(uppers)
        self.texts = tuple(floatToGoString(upper) for upper in (*self.uppers, float("inf")))


class HistogramCell:
    """One histogram series: `numbers` holds the count of each bucket, not cumulative, and then the sum.

    `exemplars` has the newest exemplar of each bucket by its place.
    """

    __slots__ = ("bounds", "exemplars", "labels", "metric", "numbers")

    def __init__(self, metric: Metric, labels: tuple[str, ...], bounds: Bounds) -> None:
        self.metric = metric
        self.labels = labels
        self.bounds = bounds
        self.numbers: Numbers = [0.0] * (len(bounds.texts) + 1)
        self.exemplars: dict[int, Exemplar] = {}

    def add(self, writes: list[Write], batch: Sequence[float], *alike: "HistogramCell") -> None:
        """Count the numbers per bucket, and add once to each that gets any; also to `alike`, of the same bounds.

        Where they are not all in one bucket, they are sorted, so that each bound is searched once instead of each
        number.
        """
        uppers = self.bounds.uppers
        only, total = _only_bucket(uppers, batch), sum(batch, 0.0)
        counts = _counts_of(uppers, batch) if only is None else [(only, len(batch))]
        for cell in (self, *alike):
            numbers = cell.numbers
            for place, count in counts:
                writes.append((numbers, place, numbers[place] + count))
            writes.append((numbers, -1, numbers[-1] + total))

    def mark(self, writes: list[Write], exemplars: Iterable[Exemplar]) -> None:
        """Give each exemplar to the bucket of its value; a bucket keeps the newest one."""
        writes.extend((self.exemplars, bisect_left(self.bounds.uppers, each.value), each) for each in exemplars)

    def samples(self) -> Iterator[Sample]:
        """Yield the series as prometheus_client's samples, with cumulative buckets."""
        name, labels = self.metric.name, dict(zip(self.metric.labels, self.labels, strict=True))
        totals = list(accumulate(self.numbers[:-1]))
        for place, (le, total) in enumerate(zip(self.bounds.texts, totals, strict=True)):
            yield Sample(f"{name}_bucket", {**labels, "le": le}, total, None, self.exemplars.get(place))
        yield Sample(f"{name}_count", labels, totals[-1])
        yield Sample(f"{name}_sum", labels, self.numbers[-1])


def _only_bucket(uppers: Sequence[float], batch: Sequence[float]) -> int | None:
    """Return the bucket that all numbers are in; None if there are several.

    Three of them mostly show that there are several. Otherwise the highest and the lowest decide, which takes a third
    of the time of sorting, or no time at all where all are equal, as batch sizes are.
    """
    first = batch[0]
    bucket = bisect_left(uppers, first)
    if bucket != bisect_left(uppers, batch[-1]) or bucket != bisect_left(uppers, batch[len(batch) // 2]):
        return None
    if first == batch[-1] and batch.count(first) == len(batch):
        return bucket
    if bucket != bisect_left(uppers, max(batch)) or (bucket and bucket != bisect_left(uppers, min(batch))):
        return None
    return bucket


def _counts_of(uppers: Sequence[float], batch: Sequence[float]) -> list[tuple[int, int]]:
    """Return how many numbers each bucket gets, of those that get any."""
    ascending, counts = sorted(batch), []
    last, before = bisect_left(uppers, ascending[-1]), 0
    for place in range(bisect_left(uppers, ascending[0]), last):
        until = bisect_right(ascending, uppers[place])
        if until > before:
            counts.append((place, until - before))
        before = until
    counts.append((last, len(ascending) - before))
    return counts


Cell = NumberCell | HistogramCell
