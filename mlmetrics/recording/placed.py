"""Series of one of several processes: numbers are added in place, in the mapped files of this process.

A number changes only by `view[index] += amount`. CPython switches threads and runs signal handlers
only at calls, at backward jumps and at the entry of a function, so nothing comes between reading and
writing. There is nothing to fold, and a process that is killed loses only the calls that were running.
"""

import time
from bisect import bisect_left
from typing import Any

from mlmetrics.catalog.metric import NEWEST
from mlmetrics.recording.host import Host
from mlmetrics.recording.labels import RawLabels
from mlmetrics.recording.series import Entry
from mlmetrics.workers.files import Views
from mlmetrics.workers.kinds import mode_of


class Spot:
    """Where one number of a series stands."""

    __slots__ = ("index", "views")

    def __init__(self, views: Views, index: int) -> None:
        self.views = views
        self.index = index


class GaugeSpot(Spot):
    """Where a gauge stands, and in which kind of file.

    The timestamp beside the number says that something has been recorded. It is that of the last value if the
    newest value counts, else that of the first one.
    """

    __slots__ = ("kind", "newest")

    def __init__(self, host: Host, name: str, labels: RawLabels) -> None:
        super().__init__(host.files.views, host.number_place(name, labels))
        self.kind = host.kind(name)
        self.newest = mode_of(self.kind) in NEWEST
        now, place = time.time(), self.index + 1
        view = self.views.by_kind[self.kind]
        if not (self.newest or view[place]):
            view[place] = now


class HistogramSpot:
    """Where the numbers of a histogram stand: the count of each bucket, and the sum."""

    __slots__ = ("buckets", "sum", "uppers", "views")

    def __init__(self, host: Host, name: str, labels: RawLabels) -> None:
        self.views = host.files.views
        self.uppers = host.bounds(name).uppers
        self.buckets, self.sum = host.histogram_place(name, labels)

    def bucket(self, number: float) -> int:
        """Return the place of the bucket of a number."""
        return self.buckets[bisect_left(self.uppers, number)]


class PlacedSeries:
    """What the three kinds share: a place that is found when it is first needed, and again in a forked child."""

    __slots__ = ("_host", "_labels", "_name", "spot")
    pending: tuple[()] = ()

    def __init__(self, host: Host, name: str, labels: RawLabels) -> None:
        self._host = host
        self._name = name
        self._labels = labels
        self.spot: Any = None

    def place(self) -> Any:
        """Find the place of its number, made at 0 if there is none; once, if several threads begin together."""
        with self._host.placing:
            if self.spot is None:
                found = self._found()
                if self.spot is None:  # else a signal handler has found it meanwhile
                    self.spot = found
            return self.spot

    def _found(self) -> Any:
        host = self._host
        return Spot(host.files.views, host.number_place(self._name, self._labels))

    def prepare(self) -> None:
        """Create the number, at 0."""
        if self.spot is None:
            self.place()

    def batch(self, _outbox: object = None, /) -> None:
        """Nothing is to be folded."""
        self.prepare()

    def forget(self) -> None:
        """Find its places again at the next number: the files of a forked child begin empty."""
        self.spot = None


class PlacedCounter(PlacedSeries):
    """Amounts to add."""

    __slots__ = ()

    def record(self, amount: float) -> None:
        """Add an amount."""
        spot = self.spot or self.place()
        spot.views.counter[spot.index] += amount


class PlacedGauge(PlacedSeries):
    """Values to set, and changes; how those of several processes are joined is the gauge's to say."""

    __slots__ = ("_made",)

    def __init__(self, host: Host, name: str, labels: RawLabels) -> None:
        super().__init__(host, name, labels)
        self._made = False

    def _found(self) -> GaugeSpot:
        return GaugeSpot(self._host, self._name, self._labels)

    def prepare(self) -> None:
        """Create the number, at 0, as one in which nothing has been recorded."""
        if not self._made and self.spot is None:
            self._host.number_place(self._name, self._labels)
            self._made = True

    def forget(self) -> None:
        """Find its place again at the next number."""
        super().forget()
        self._made = False

    def record(self, entry: Entry) -> None:
        """Set the value, or change it."""
        spot = self.spot or self.place()
        if entry.__class__ is tuple:
            spot.views.by_kind[spot.kind][spot.index] += entry[0]
        elif spot.newest:
            now, index = time.time(), spot.index
            view = spot.views.by_kind[spot.kind]
            view[index] = entry
            view[index + 1] = now
        else:
            spot.views.by_kind[spot.kind][spot.index] = entry


class PlacedHistogram(PlacedSeries):
    """Numbers to place in buckets."""

    __slots__ = ()

    def take(self, numbers: list[float]) -> None:
        """Record several numbers, and empty their list."""
        while numbers:
            self.record(numbers.pop())

    def _found(self) -> HistogramSpot:
        return HistogramSpot(self._host, self._name, self._labels)

    def record(self, number: float) -> None:
        """Count the number in its bucket, and add it to the sum."""
        spot = self.spot or self.place()
        bucket, view = spot.buckets[bisect_left(spot.uppers, number)], spot.views.histogram
        view[bucket] += 1.0
        view[spot.sum] += number
