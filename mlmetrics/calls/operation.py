"""The three operations, and the series that all calls with the same labels share."""

from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from mlmetrics.recording.cells import Write, moved, plus
from mlmetrics.recording.series import BOUND, CounterSeries, HistogramSeries, Lists
from mlmetrics.recording.store import RawLabels, Store


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of work: its name in log events, its metrics' prefix, its labels after `service`.

    `subject` is the label that a declaration may leave out; its value is then the function's name.
    `slow_is_told` says whether calls that took longer than `slow_seconds` are logged.
    """

    name: str
    labels: tuple[str, ...]
    subject: str
    slow_is_told: bool = True

    @property
    def prefix(self) -> str:
        """The first part of its metrics' names."""
        return f"ml_{self.name}"


INFERENCE = Operation("inference", ("model", "operation"), "model")
PARSING = Operation("parsing", ("parser", "doc_type"), "doc_type")
MATCHING = Operation("matching", ("matcher",), "matcher")


T = TypeVar("T")


class Appended(list[T]):
    """A list that a wrapper appends to; unpickled in another process, it is the list of the series there."""

    __slots__ = ("_name", "_series")

    def __init__(self, series: "CallSeries", name: str) -> None:
        super().__init__()
        self._series = series
        self._name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._series, self._name)


ENDED: Final = 0
"""The state of a call that has its outcome; it is false, so that `if state` means running on the fast path."""


class Open(Protocol):
    """A call that may be garbage collected before it ends, such as a timer whose block is never left."""

    state: int | None

    def let_go(self) -> None:
        """The series no longer holds the call; if it is garbage collected before it ends, it counts as cancelled."""


class CallSeries(Lists):
    """The calls of one operation with one set of labels, as lists that calls append to.

    The end of a call appends its seconds to the list of its outcome. In progress are the calls that
    have begun and not ended. `begun` holds a timer's call itself until the next fold, so that only calls
    that are still running then get a finalizer. `aside` counts calls that left `begun` without an outcome:
    the function returned a stream, which begins as a call of its own when it is first iterated.
    """

    __slots__ = (
        *("_cells", "aside", "begin", "begun", "cancelled", "clock", "exemplars", "failed", "labels"),
        *("notice_seconds", "operation", "store", "succeed", "succeeded"),
    )

    def __init__(self, store: Store, operation: Operation, labels: RawLabels) -> None:
        self.store = store
        self.operation = operation
        self.labels = labels
        self.clock = store.clock
        self.begun: Appended[Open | None] = Appended(self, "begun")
        self.succeeded: Appended[float] = Appended(self, "succeeded")
        self.failed: list[float] = []
        self.cancelled: list[float] = []
        self.aside: list[None] = []
        self.exemplars: list[Any] = []
        super().__init__(self.succeeded, self.failed, self.cancelled, self.aside, self.begun, self.exemplars)
        # Bound once, because the hot path calls only these two.
        self.begin = self.begun.append
        self.succeed = self.succeeded.append
        # Calls that took longer take the slow path; the first one always does, to check for tracing.
        self.notice_seconds = -1.0
        self._cells: _Cells | None = None

    @property
    def full(self) -> bool:
        """Whether there are enough calls to fold."""
        return len(self.begun) > BOUND

    def prepare(self) -> None:
        """Create the metrics at 0, and update from which duration on calls take the slow path."""
        if self._cells is None:
            self._cells = _Cells(self)
        self.notice_seconds = self.store.notice_seconds()
        self._let_go()

    def _let_go(self) -> None:
        """Release held calls before anything is counted; a call that nothing else refers to then ends as cancelled.

        They stay in the list until all have been told, so that an interrupted fold can start again.
        """
        count = len(self.begun)
        if self.begun.count(None) != count:
            held, nothing = self.begun[:count], [None] * count
            for call in held:
                if call is not None and call.state is not ENDED:
                    call.let_go()
            self.begun[:count] = nothing

    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Compute the new values: outcomes, calls in progress, and durations of calls that were not cancelled."""
        cells = self._cells or _Cells(self)
        succeeded, failed, cancelled, aside, begun, exemplars = counts
        change = begun - succeeded - failed - cancelled - aside
        if change:
            writes.append(moved(cells.in_progress, change))
        if succeeded or failed:
            finished = self.succeeded[:succeeded]
            cells.duration.add(writes, finished + self.failed[:failed] if failed else finished)
        if succeeded:
            writes.append(plus(cells.success, succeeded))
        if failed:
            writes.append(plus(cells.failure, failed))
        if cancelled:
            writes.append(plus(cells.cancelled, cancelled))
        if exemplars:
            cells.duration.mark(writes, self.exemplars[:exemplars])

    def forget(self) -> None:
        """Set the number in progress to 0: the calls of the parent do not run in a forked child."""
        if self._cells is not None:
            self._cells.in_progress.set(0.0)

    def counter(self, suffix: str, *more: str) -> CounterSeries:
        """A further counter of the operation, such as its tokens by type."""
        return self.store.counter(f"{self.operation.prefix}_{suffix}", (*self.labels, *more))

    def histogram(self, name: str) -> HistogramSeries:
        """A histogram with the labels of this series."""
        return self.store.histogram(name, self.labels)


class _Cells:
    """The values that the lists of a `CallSeries` are added to."""

    __slots__ = ("cancelled", "duration", "failure", "in_progress", "success")

    def __init__(self, series: CallSeries) -> None:
        prefix, labels = series.operation.prefix, series.labels
        cell = series.store.number_cell
        self.duration = series.store.histogram_cell(f"{prefix}_duration_seconds", labels)
        self.success = cell(f"{prefix}_total", (*labels, "success")).value
        self.failure = cell(f"{prefix}_total", (*labels, "failure")).value
        self.cancelled = cell(f"{prefix}_total", (*labels, "cancelled")).value
        self.in_progress = cell(f"{prefix}_in_progress", labels).value
