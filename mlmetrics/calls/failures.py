"""What the failures of a series need, found once for each of their types: a counter, a text, and a limit of events.

An outage is when every call fails, so a failure must not cost more than a success: the type of what was raised
leads to all of this by one look-up.
"""

from bisect import bisect_left
from math import inf
from typing import TYPE_CHECKING, cast

from mlmetrics.calls.operation import CallSeries
from mlmetrics.logs import Limited
from mlmetrics.recording.cells import NumberCell, plus
from mlmetrics.recording.folding import Batch
from mlmetrics.recording.labels import RawLabels

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_EXCEPTION_TYPES = 64
"""The most exception types that a series remembers, because what it remembers is kept alive."""
EXEMPLAR_SECONDS = 1.0
"""The least time between two exemplars of a bucket."""


class ErrorType(Limited):
    """The failures of a series with one error type: `count` are those of this process.

    In memory, a fold adds to the counter what has been counted since the last one. In files, `record` adds in place.
    """

    __slots__ = ("_cell", "_folded", "_series", "labels", "name", "record")

    def __init__(self, series: CallSeries, labels: RawLabels) -> None:
        super().__init__()
        self.name = str(labels[-1])
        self.labels = labels
        self._series = series
        self._cell: NumberCell | None = None
        self._folded = [0.0]
        store, metric = series.store, series.operation.errors
        self.record: Callable[[float], object] | None = None
        if store.host is not None:
            self.record = store.counter(metric, labels).record

    def batch(self, _outbox: object = None, /) -> Batch | None:
        """Return what has been counted since the last fold, and the value that it leads to."""
        if self._cell is None:
            self._cell = self._series.store.number_cell(self._series.operation.errors, self.labels)
        count, folded = self.count, self._folded[0]
        return ([], [plus(self._cell.numbers, 0, count - folded), (self._folded, 0, count)]) if count > folded else None


class Seldom:
    """What few calls of a series need: its error types by their texts, and the limits of events and of exemplars."""

    __slots__ = ("_exemplars_due", "_uppers", "error_types", "slow")

    def __init__(self, series: CallSeries) -> None:
        self.error_types: dict[str, ErrorType] = {}
        self.slow = Limited()
        self._uppers = series.store.families[f"{series.operation.prefix}_duration_seconds"].bounds.uppers
        self._exemplars_due = [-inf] * (len(self._uppers) + 1)

    def wants_exemplar(self, seconds: float, now: float) -> bool:
        """Whether the bucket of this duration has had no exemplar for some time."""
        return now >= self._exemplars_due[bisect_left(self._uppers, seconds)]

    def has_exemplar(self, seconds: float, now: float) -> None:
        """Note that the bucket of this duration has one now."""
        self._exemplars_due[bisect_left(self._uppers, seconds)] = now + EXEMPLAR_SECONDS

    def forget(self) -> None:
        """Start anew in a forked child: what was left out before is for the parent to tell."""
        for each in (*self.error_types.values(), self.slow):
            each.forget()


def seldom_of(series: CallSeries) -> Seldom:
    """Return what few calls of a series need, made for the first of them."""
    found = series.seldom
    if found is None:
        made = Seldom(series)
        if series.seldom is None:  # else another thread or a signal handler has made it meanwhile
            series.seldom = made
        found = series.seldom
    return cast("Seldom", found)


def error_type_of(series: CallSeries, text: object) -> ErrorType:
    """Return what failures of this type need; those beyond the limit of label values are of the type `other`."""
    known = seldom_of(series).error_types
    found = known.get(text) if type(text) is str else None
    if found is None:
        labels = series.store.admit(series.operation.errors, series.labels, (text,))
        found = known.get(str(labels[-1])) or _made(series, labels)
    return found


def _made(series: CallSeries, labels: RawLabels) -> ErrorType:
    made = ErrorType(series, labels)
    if series.store.host is None:
        series.store.add(made, series.operation.errors)  # first: a signal handler may raise in between
    return seldom_of(series).error_types.setdefault(made.name, made)


def remember(series: CallSeries, kind: type[BaseException], found: ErrorType | None) -> None:
    """Keep what failures with this type of exception need; None if it means cancelled.

    Of a group, it is its exceptions that say whether it means that.
    """
    if issubclass(kind, BaseExceptionGroup):
        return
    if series.error_types is NOT_SEEN:
        series.error_types = {}
    if len(series.error_types) >= MOST_EXCEPTION_TYPES:
        series.error_types.clear()
    series.error_types[kind] = found


NOT_SEEN: dict[type[BaseException], ErrorType | None] = {}
"""The exception types of a series that has not seen any, as most series have not: always empty."""
