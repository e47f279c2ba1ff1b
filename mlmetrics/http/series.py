"""The recorded data of requests: lists by method and by route, and how they are folded."""

from typing import Any, cast

from mlmetrics import exemplars
from mlmetrics.recording.cells import HistogramCell, Value, Write, moved, plus
from mlmetrics.recording.labels import COMBINATION, OTHER, clean
from mlmetrics.recording.series import Lists
from mlmetrics.recording.store import Store

TOTAL = "fastapi_requests_total"
DURATION = "fastapi_request_duration_seconds"
FIRST_BYTE = "fastapi_request_first_byte_seconds"
IN_PROGRESS = "fastapi_requests_in_progress"

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
UNMATCHED = "unmatched"
STATUSES = range(100, 600)
"""The statuses that HTTP allows; an application may send any number."""
MOST_OWN_ROUTES = 10_000
"""The most routes without limit, for programs that keep creating applications."""

Finished = tuple[int, float, float | None]
"""Status, seconds to the last byte, seconds to the first byte of the body if there was one."""


class MethodSeries(Lists):
    """The requests of one method that have begun and ended."""

    __slots__ = ("_labels", "_store", "_value", "begin", "begun", "end", "ended")

    def __init__(self, store: Store, service: str | None, method: str) -> None:
        self.begun: list[None] = []
        self.ended: list[None] = []
        super().__init__(self.ended, self.begun)
        self.begin = self.begun.append
        self.end = self.ended.append
        self._store = store
        self._labels = (service, method)
        self._value: Value | None = None

    def prepare(self) -> None:
        """Create the gauge, at 0."""
        if self._value is None:
            self._value = self._store.number_cell(IN_PROGRESS, self._labels).value

    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Compute how many requests are in progress."""
        ended, begun = counts
        if begun != ended:
            writes.append(moved(self._value, begun - ended))

    def forget(self) -> None:
        """Set the number in progress to 0: the requests of the parent do not run in a forked child."""
        if self._value is not None:
            self._value.set(0.0)


class RouteSeries(Lists):
    """The finished requests of one method and one route."""

    __slots__ = ("_counts", "_durations", "exemplars", "finish", "finished", "labels", "requests")

    def __init__(self, requests: "Requests", method: str, route: str) -> None:
        self.requests = requests
        self.labels = (requests.service, method, route)
        self.finished: list[Finished] = []
        self.finish = self.finished.append
        self.exemplars: list[Any] = []
        super().__init__(self.finished, self.exemplars)
        self._counts: dict[str, Value | None] = {}
        requests.store.heed_overflow(TOTAL, ("status", COMBINATION))
        self._durations: tuple[HistogramCell, HistogramCell] | None = None

    def declare(self, *statuses: int) -> None:
        """Create the series of these statuses at 0 from the next scrape on, so that `rate` sees the first request."""
        names = [str(status) if status in STATUSES else OTHER for status in statuses]
        self._counts.update({name: None for name in names if name not in self._counts})

    def prepare(self) -> None:
        """Create the metrics at 0, with every declared status."""
        self._histograms()
        for name, count in tuple(self._counts.items()):
            if count is None:
                self._count(name)
        self.requests.traced = self.requests.store.traced

    def _histograms(self) -> tuple[HistogramCell, HistogramCell]:
        """Return the durations to the last byte and to the first, found when they are first needed."""
        if self._durations is None:
            cell = self.requests.store.histogram_cell
            self._durations = cell(DURATION, self.labels), cell(FIRST_BYTE, self.labels)
        return self._durations

    def _count(self, name: str) -> Value:
        value = self._counts[name] = self.requests.store.number_cell(TOTAL, (*self.labels, name)).value
        return value

    def _named(self, status: int) -> str:
        """Return the status as a label; `other` if HTTP does not allow it, or if the limit is reached."""
        name, store = str(status), self.requests.store
        if name in self._counts:
            return name
        if status not in STATUSES:
            names = ("service", "method", "route")
            series = {name: label or store.service for name, label in zip(names, self.labels, strict=True)}
            problem = f"{name[:20]} is no status of HTTP, whose are 100 to 599"
            store.failed("label.status", problem, {"metric": TOTAL, **series, "status": OTHER})
            return OTHER
        return str(store.admit(TOTAL, self.labels, (name,))[-1])

    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Compute the new values of counters and buckets."""
        duration, to_first_byte = self._histograms()
        finished = self.finished[: counts[0]]
        numbers: dict[int, int] = {}
        for status, _, _ in finished:
            numbers[status] = numbers.get(status, 0) + 1
        by_name: dict[str, int] = {}  # several statuses may go to `other`
        for status, number in numbers.items():
            name = self._named(status)
            by_name[name] = by_name.get(name, 0) + number
        for name, number in by_name.items():
            writes.append(plus(self._counts.get(name) or self._count(name), number))
        if finished:
            duration.add(writes, [seconds for _, seconds, _ in finished])
        if first_bytes := [first_byte for _, _, first_byte in finished if first_byte is not None]:
            to_first_byte.add(writes, first_bytes)
        if counts[1]:
            duration.mark(writes, self.exemplars[: counts[1]])


class Method:
    """One method within one application: its own series, and those of its routes by endpoint."""

    __slots__ = ("begin", "end", "name", "routes", "series")

    def __init__(self, name: str, series: MethodSeries) -> None:
        self.name = name
        self.series = series
        self.begin = series.begin
        self.end = series.end
        self.routes: dict[int, RouteSeries] = {}


class Requests:
    """All requests that one store records for one service, even of several applications."""

    def __init__(self, store: Store, service: str | None) -> None:
        self.store = store
        self.service = service
        self.traced = exemplars.tracing()
        self._methods: dict[str, MethodSeries] = {}
        self._routes: dict[tuple[str, str], RouteSeries] = {}
        self._own: set[str] = set()

    def method(self, name: str) -> MethodSeries:
        """Return the series of a method; `OTHER` for unknown methods."""
        name = name if name in METHODS else OTHER.upper()
        series = self._methods.get(name)
        if series is None:
            series = MethodSeries(self.store, self.service, name)
            self.store.add(series)
            series = self._methods.setdefault(name, series)
        return series

    def route(self, method: str, template: str, *, own: bool = False) -> RouteSeries:
        """Return the series of a method and a route template; the application's own templates are not limited."""
        method = method if method in METHODS else OTHER.upper()
        free = template == UNMATCHED or (own and self._owns(template))
        route = template if free else str(self.store.admit(TOTAL, (self.service, method), (template,))[-1])
        series = self._routes.get((method, route))
        if series is None:
            series = RouteSeries(self, method, route)
            self.store.add(series)
            series = self._routes.setdefault((method, route), series)
        return series

    def _owns(self, template: str) -> bool:
        """Whether a template is exempt from the limit; one that is not valid label text is not."""
        if len(self._own) < MOST_OWN_ROUTES and clean(template) == (template, None):
            self._own.add(template)
        return template in self._own


def requests_of(store: Store, service: str | None) -> Requests:
    """Return the one `Requests` of a store and a service: an application that is built again continues its series."""
    (service,) = store.admit_service(TOTAL, service)
    key = f"requests of {service!r}"
    known = store.declared.get(key)
    if isinstance(known, Requests):
        return known
    return cast("Requests", store.declared.setdefault(key, Requests(store, service)))
