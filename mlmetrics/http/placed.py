"""Requests of one of several processes: each adds its numbers in place, in the mapped files of this process."""

from collections.abc import Sequence

from prometheus_client.samples import Exemplar

from mlmetrics.http.series import (
    DURATION,
    FIRST_BYTE,
    IN_PROGRESS,
    TOTAL,
    Finished,
    MethodSeries,
    Requests,
    RouteSeries,
    declared_label,
    status_label,
)
from mlmetrics.logs import LimitedKinds
from mlmetrics.recording.host import Host
from mlmetrics.recording.placed import HistogramSpot, PlacedSeries, Spot


class PlacedMethod(MethodSeries, PlacedSeries):
    """The requests of one method that have begun and ended, in the files of this process."""

    __slots__ = ()

    def __init__(self, host: Host, service: str | None, method: str) -> None:
        super().__init__(host, IN_PROGRESS, (service, method))

    def begin(self, _nothing: None) -> None:
        """Begin a request."""
        spot: Spot = self.spot or self.place()
        spot.views.gauge_livesum[spot.index] += 1.0

    def end(self, _nothing: None) -> None:
        """End a request."""
        spot: Spot = self.spot or self.place()
        spot.views.gauge_livesum[spot.index] -= 1.0


class RouteSpot:
    """Where the numbers of a route stand; `counts` has the places by status, found when a status first occurs."""

    __slots__ = ("counts", "durations", "first_bytes", "views")

    def __init__(self, host: Host, labels: tuple[str | None, ...]) -> None:
        self.durations = HistogramSpot(host, DURATION, labels)
        self.first_bytes = HistogramSpot(host, FIRST_BYTE, labels)
        self.views = self.durations.views
        self.counts: dict[int, int] = {}


class PlacedRoute(RouteSeries):
    """The finished requests of one method and one route, in the files of this process."""

    __slots__ = ("_host", "_names", "_spot", "failures", "labels", "own", "requests", "sizes")
    finished: Sequence[Finished] = ()

    def __init__(self, requests: Requests, host: Host, method: str, route: str, own: tuple[str, ...] = ()) -> None:
        self.requests = requests
        self.labels = (requests.service, method, route)
        self.own = own
        self.failures = LimitedKinds()
        self._host = host
        self._names: set[str] = set()
        self._spot: RouteSpot | None = None
        self.sizes = None

    def declare(self, *statuses: int) -> None:
        """Create the series of these statuses at 0 from the next scrape on, so that `rate` sees the first request."""
        self._names.update(map(declared_label, statuses))

    def prepare(self) -> None:
        """Create the number of requests at 0 for every declared status; the durations come with the first request."""
        for name in tuple(self._names):
            self._count(name)
        self.requests.traced = self.requests.store.looks_for_traces

    def batch(self, _outbox: object = None, /) -> None:
        """Nothing is to be folded."""
        self.prepare()

    def forget(self) -> None:
        """Find its places again at the next request: the files of a forked child begin empty."""
        self._spot = None
        self.failures.forget()

    def finish(self, request: Finished) -> None:
        """Record a finished request."""
        status, seconds, first_byte = request
        spot = self._spot
        if spot is None:
            spot = self._spot = RouteSpot(self._host, (*self.labels, *self.own))
        place = spot.counts.get(status)
        if place is None:
            place = spot.counts[status] = self._place(status)
        durations, first_bytes, views = spot.durations, spot.first_bytes, spot.views
        # The places are found first: nothing comes between the additions.
        bucket = durations.bucket(seconds)
        first = None if first_byte is None else first_bytes.bucket(first_byte)
        views.histogram[bucket] += 1.0
        views.histogram[durations.sum] += seconds
        if first_byte is not None and first is not None:
            views.histogram[first] += 1.0
            views.histogram[first_bytes.sum] += first_byte
        views.counter[place] += 1.0

    def mark(self, exemplar: Exemplar) -> None:
        """Keep an exemplar for the bucket of its value."""
        self._host.mark(DURATION, (*self.labels, *self.own), exemplar)

    def _place(self, status: int) -> int:
        name = status_label(self.requests, self.labels, self._names, status)
        self._names.add(name)
        return self._count(name)

    def _count(self, name: str) -> int:
        return self._host.number_place(TOTAL, (*self.labels, name, *self.own))
