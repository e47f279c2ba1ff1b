"""The recorded data of requests by method and by route, wherever it is kept."""

from collections.abc import Callable, Collection, Sized
from typing import Any, Protocol

from prometheus_client.samples import Exemplar

from mlmetrics.logs import LimitedKinds
from mlmetrics.recording.labels import OTHER, RawLabels
from mlmetrics.recording.series import NumberSeries
from mlmetrics.recording.store import Store

TOTAL = "fastapi_requests_total"
DURATION = "fastapi_request_duration_seconds"
FIRST_BYTE = "fastapi_request_first_byte_seconds"
IN_PROGRESS = "fastapi_requests_in_progress"
REQUEST_SIZE, RESPONSE_SIZE = "fastapi_request_size_bytes", "fastapi_response_size_bytes"

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
UNMATCHED = "unmatched"
STATUSES = range(100, 600)
"""The statuses that HTTP allows; an application may send any number."""

Finished = tuple[int, float, float | None]
"""Status, seconds to the last byte, seconds to the first byte of the body if there was one."""


class Requests(Protocol):
    """What the series of a route needs of the requests that one store records for one service."""

    store: Store
    service: str | None
    traced: bool


class MethodSeries:
    """The requests of one method that have begun and ended."""

    __slots__ = ()

    begin: Callable[[None], object]
    end: Callable[[None], object]


class RouteSeries:
    """The finished requests of one method and one route."""

    __slots__ = ()

    requests: Requests
    labels: RawLabels
    """Service, method and route."""
    own: tuple[str, ...]
    """The values of the application's own labels, which come after those of the catalogue."""
    finished: Sized
    """What the next fold has to take."""
    finish: Callable[[Finished], object]
    mark: Callable[[Exemplar], object]
    failures: LimitedKinds
    """The log events of failed requests, by status and error type."""

    declare: Callable[..., None]
    """Create the series of these statuses at 0 from the next scrape on, so that `rate` sees the first request."""
    sizes: tuple[NumberSeries, NumberSeries] | None
    """Those of the bodies of requests and of responses; None before the first is recorded."""

    def weigh(self, received: int, sent: int | None) -> None:
        """Record how many bytes of the bodies of a request and of its response have passed."""
        store, sizes = self.requests.store, self.sizes
        if sizes is None:
            labels = (*self.labels, *self.own)
            sizes = store.histogram(REQUEST_SIZE, labels), store.histogram(RESPONSE_SIZE, labels)
            self.sizes = sizes  # type: ignore[misc]  # the slot is that of each kind
        store.record(sizes[0], received)
        if sent is not None:
            store.record(sizes[1], sent)


class Labelled(Protocol):
    """The finished requests of one method and one route, by the application's own labels."""

    def of(self, scope: Any) -> RouteSeries:
        """Return the series of a request."""


class Method:
    """One method within one application: its own series, and those of its routes by endpoint.

    An application with labels of its own has `labelled` in place of `routes`.
    """

    __slots__ = ("begin", "end", "labelled", "name", "routes", "series")

    def __init__(self, name: str, series: MethodSeries) -> None:
        self.name = name
        self.series = series
        self.begin = series.begin
        self.end = series.end
        self.routes: dict[int, RouteSeries] = {}
        self.labelled: dict[int, Labelled] = {}


def declared_label(status: int) -> str:
    """Return the label of a status that is declared."""
    return str(status) if status in STATUSES else OTHER


def status_label(requests: Requests, labels: RawLabels, known: Collection[str], status: int) -> str:
    """Return the status as a label; `other` if HTTP does not allow it, or if the limit is reached."""
    name, store = str(status), requests.store
    if name in known:
        return name
    if status not in STATUSES:
        names = ("service", "method", "route")
        series = {name: label or store.service for name, label in zip(names, labels, strict=True)}
        problem = f"{name[:20]} is no status of HTTP, whose are 100 to 599"
        store.failed("label.status", problem, {"metric": TOTAL, **series, "status": OTHER})
        return OTHER
    return str(store.admit(TOTAL, labels, (name,))[-1])
