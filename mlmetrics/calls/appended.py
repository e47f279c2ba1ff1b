"""Calls of a program with one process: each appends its numbers to lists, which are folded later."""

from typing import Any, TypeVar

from mlmetrics.calls.failures import NOT_SEEN
from mlmetrics.calls.operation import ENDED, CallSeries, Open
from mlmetrics.catalog import Operation
from mlmetrics.recording.cells import Write, moved, plus
from mlmetrics.recording.labels import RawLabels
from mlmetrics.recording.outbox import Outbox
from mlmetrics.recording.series import Lists
from mlmetrics.recording.store import Store

T = TypeVar("T")
_ONE = (None,)


class Appended(list[T]):
    """A list that a wrapper appends to; unpickled in another process, it is the list of the series there."""

    __slots__ = ("_name", "_series")

    def __init__(self, series: CallSeries, name: str) -> None:
        super().__init__()
        self._series = series
        self._name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._series, self._name)


class AppendedCalls(CallSeries, Lists):
    """A series of calls in memory: lists that calls append to.

    The end of a call appends its seconds to the list of its outcome. `started` holds a timer's call itself
    until the next fold, so that only calls that are still running then get a finalizer.
    """

    __slots__ = (
        *("_cells", "begin", "beside", "cancel", "cancelled", "classes", "clock", "error_types", "exemplars", "fail"),
        *("failed", "labels", "leave", "left", "mark", "notice_seconds", "operation", "scores", "seldom", "sizes"),
        *("started", "store", "succeed", "succeeded", "tokens"),
    )
    spot = None

    def __init__(self, store: Store, operation: Operation, labels: RawLabels) -> None:
        self.store = store
        self.operation = operation
        self.labels = labels
        self.clock = store.clock
        self.started: Appended[Open | None] = Appended(self, "started")
        self.succeeded: Appended[float] = Appended(self, "succeeded")
        self.failed: list[float] = []
        self.cancelled: list[float] = []
        self.left: list[None] = []
        self.exemplars: list[Any] = []
        super().__init__(self.succeeded, self.failed, self.cancelled, self.left, self.started, self.exemplars)
        # Bound once, because the hot path calls them.
        self.begin = self.started.append
        self.succeed = self.succeeded.append
        self.fail = self.failed.append
        self.cancel = self.cancelled.append
        self.leave = self.left.append
        self.mark = self.exemplars.append
        self.notice_seconds = -1.0
        self.classes = self.scores = self.sizes = self.tokens = None
        self.beside = ()
        self.error_types = NOT_SEEN
        self.seldom = None
        self._cells: _Cells | None = None

    def prepare(self) -> None:
        """Create the metrics at 0, and update from which duration on calls take the slow path."""
        if self._cells is None:
            self._cells = _Cells(self)
        self.update_notice()
        self._let_go()

    def _let_go(self) -> None:
        """Release held calls before anything is counted; a call that nothing else refers to then ends as cancelled.

        They stay in the list until all have been told, so that an interrupted fold can start again.
        """
        count = len(self.started)
        if self.started.count(None) != count:
            held, nothing = self.started[:count], [None] * count
            for call in held:
                if call is not None and call.state is not ENDED:
                    call.let_go()
            self.started[:count] = nothing

    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Compute the new values: outcomes, calls in progress, and durations of calls that were not cancelled."""
        cells = self._cells or _Cells(self)
        succeeded, failed, cancelled, left, started, exemplars = counts
        change = started - succeeded - failed - cancelled - left
        if change:
            writes.append(moved(cells.in_progress, change))
        if succeeded or failed:
            finished = self.succeeded[:succeeded]
            cells.duration.add(writes, finished + self.failed[:failed] if failed else finished)
        if succeeded:
            writes.append(plus(cells.success, 0, succeeded))
        if failed:
            writes.append(plus(cells.failure, 0, failed))
        if cancelled:
            writes.append(plus(cells.cancelled, 0, cancelled))
        if exemplars:
            cells.duration.mark(writes, self.exemplars[:exemplars])

    def hand_on(self, outbox: Outbox, writes: list[Write], counts: list[int]) -> None:
        """Put the durations of calls that were not cancelled into an outbox, those of failed calls apart."""
        cells = self._cells or _Cells(self)
        outbox.put(writes, cells.duration, self.succeeded[: counts[0]], self.failed[: counts[1]])

    def end_for(self, began_on: "AppendedCalls", outcome: int, seconds: float) -> None:
        """End a call that began on another series, and count it on this one."""
        left, started, ended, entry = began_on.left, self.started, self.lists[outcome], (seconds,)
        # No call comes between: no fold and no signal handler sees it in progress twice, or not at all.
        left += _ONE
        started += _ONE
        ended += entry

    def forget(self) -> None:
        """Set the number in progress to 0: the calls of the parent do not run in a forked child."""
        if self._cells is not None:
            self._cells.in_progress[0] = 0.0
        if self.seldom is not None:
            self.seldom.forget()


class _Cells:
    """The values that the lists of a `CallSeries` are added to."""

    __slots__ = ("cancelled", "duration", "failure", "in_progress", "success")

    def __init__(self, series: AppendedCalls) -> None:
        prefix, labels = series.operation.prefix, series.labels
        cell = series.store.number_cell
        self.duration = series.store.histogram_cell(f"{prefix}_duration_seconds", labels)
        self.success = cell(f"{prefix}_total", (*labels, "success")).numbers
        self.failure = cell(f"{prefix}_total", (*labels, "failure")).numbers
        self.cancelled = cell(f"{prefix}_total", (*labels, "cancelled")).numbers
        self.in_progress = cell(f"{prefix}_in_progress", labels).numbers
