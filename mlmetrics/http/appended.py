"""Requests of a program with one process: each appends its numbers to lists, which are folded later."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

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
from mlmetrics.recording.cells import HistogramCell, Numbers, Write, moved, plus
from mlmetrics.recording.series import Lists
from mlmetrics.recording.store import Store


class AppendedMethod(MethodSeries, Lists):
    """The requests of one method that have begun and ended."""

    __slots__ = ("_in_progress", "_labels", "_store", "begin", "end", "ended", "started")

    def __init__(self, store: Store, service: str | None, method: str) -> None:
        self.started: list[None] = []
        self.ended: list[None] = []
        super().__init__(self.ended, self.started)
        self.begin = self.started.append
        self.end = self.ended.append
        self._store = store
        self._labels = (service, method)
        self._in_progress: Numbers = []

    def prepare(self) -> None:
        """Create the gauge, at 0."""
        if not self._in_progress:
            self._in_progress = self._store.number_cell(IN_PROGRESS, self._labels).numbers

    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Compute how many requests are in progress."""
        ended, begun = counts
        if begun != ended:
            writes.append(moved(self._in_progress, begun - ended))

    def forget(self) -> None:
        """Set the number in progress to 0: the requests of the parent do not run in a forked child."""
        if self._in_progress:
            self._in_progress[0] = 0.0


class AppendedRoute(RouteSeries, Lists):
    """The finished requests of one method and one route."""

    __slots__ = (
        *("_counts", "_durations", "exemplars", "failures", "finish", "finished"),
        *("labels", "mark", "own", "requests", "sizes"),
    )

    def __init__(self, requests: Requests, method: str, route: str, own: tuple[str, ...] = ()) -> None:
        self.requests = requests
        self.labels = (requests.service, method, route)
        self.own = own
        self.failures = LimitedKinds()
        self.finished: list[Finished] = []
        self.finish = self.finished.append
        self.exemplars: list[Any] = []
        self.mark = self.exemplars.append
        super().__init__(self.finished, self.exemplars)
        self.sizes = None
        self._counts: dict[str, Numbers | None] = {}
        self._durations: tuple[HistogramCell, HistogramCell] | None = None

    def declare(self, *statuses: int) -> None:
        """Create the series of these statuses at 0 from the next scrape on, so that `rate` sees the first request."""
        names = map(declared_label, statuses)
        self._counts.update({name: None for name in names if name not in self._counts})

    def prepare(self) -> None:
        """Create the number of requests at 0 for every declared status; the durations come with the first request."""
        for name, count in tuple(self._counts.items()):
            if count is None:
                self._count(name)
        self.requests.traced = self.requests.store.looks_for_traces

    def _histograms(self) -> tuple[HistogramCell, HistogramCell]:
        """Return the durations to the last byte and to the first, found when they are first needed."""
        if self._durations is None:
            cell, labels = self.requests.store.histogram_cell, (*self.labels, *self.own)
            self._durations = cell(DURATION, labels), cell(FIRST_BYTE, labels)
        return self._durations

    def _count(self, name: str) -> Numbers:
        labels = (*self.labels, name, *self.own)
        numbers = self._counts[name] = self.requests.store.number_cell(TOTAL, labels).numbers
        return numbers

    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Compute the new values of counters and buckets."""
        duration, to_first_byte = self._histograms()
        if finished := self.finished[: counts[0]]:
            statuses, durations, first_bytes = zip(*finished, strict=True)
            self._absorb_statuses(writes, statuses)
            if first_bytes == durations and duration.bounds.uppers == to_first_byte.bounds.uppers:
                duration.add(writes, durations, to_first_byte)  # as for bodies that are sent in one piece
            else:
                duration.add(writes, durations)
                if had_one := [first_byte for first_byte in first_bytes if first_byte is not None]:
                    to_first_byte.add(writes, had_one)
        if counts[1]:
            duration.mark(writes, self.exemplars[: counts[1]])

    def _absorb_statuses(self, writes: list[Write], statuses: Iterable[int]) -> None:
        by_name: dict[str, int] = {}  # several statuses may go to `other`
        for status, number in Counter(statuses).items():
            name = status_label(self.requests, self.labels, self._counts, status)
            by_name[name] = by_name.get(name, 0) + number
        for name, number in by_name.items():
            writes.append(plus(self._counts.get(name) or self._count(name), 0, number))

    def forget(self) -> None:
        """Limit the log events of a forked child apart from those of its parent."""
        self.failures.forget()
