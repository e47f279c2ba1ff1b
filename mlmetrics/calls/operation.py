"""The three operations, and the series that all calls with the same labels share."""

from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from ..recording.cells import Write, moved, plus
from ..recording.series import BOUND, CounterSeries, HistogramSeries, Lists
from ..recording.store import RawLabels, Store


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of work: its name in log events, its metrics' prefix, its labels after `service`.

    `subject` is the label that a declaration may leave out; the function's name stands in.
    """

    name: str
    labels: tuple[str, ...]
    subject: str

    @property
    def prefix(self) -> str:
        """What the names of its metrics begin with."""
        return f"ml_{self.name}"


INFERENCE = Operation("inference", ("model", "operation"), "model")
PARSING = Operation("parsing", ("parser", "doc_type"), "doc_type")
MATCHING = Operation("matching", ("matcher",), "matcher")


T = TypeVar("T")


class Appended(list[T]):
    """A list that a wrapper appends to; sent to another process it is the list of the series there."""

    __slots__ = ("_name", "_series")

    def __init__(self, series: "CallSeries", name: str) -> None:
        super().__init__()
        self._series = series
        self._name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._series, self._name)


ENDED: Final = 0
"""The state of a call that has its outcome; false, as all but one are."""


class Open(Protocol):
    """A call that may be dropped before it ends, as a timer may be that nobody leaves."""

    state: int | None

    def let_go(self) -> None:
        """The series keeps it no longer: if it is dropped before it ends, it says so itself."""


class CallSeries(Lists):
    """The calls of one operation with one set of labels, as five lists that only grow.

    Ending a call appends its seconds to the list of its outcome; in progress is what has
    begun less what has ended. A timer's call stands in `begun` itself, until a fold lets it go: so
    nothing needs to be watched that ends before. `aside` holds calls that ended without an outcome: a stream
    that was handed out and has not been iterated yet begins when somebody iterates it.
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
        # Bound once: the hot path calls these two and nothing else.
        self.begin = self.begun.append
        self.succeed = self.succeeded.append
        # Seconds above which a call is looked at; the first one is, to see whether anybody traces.
        self.notice_seconds = -1.0
        self._cells: _Cells | None = None

    @property
    def full(self) -> bool:
        """Whether it is time to fold."""
        return len(self.begun) > BOUND

    def prepare(self) -> None:
        """Have the metrics stand at least at 0, and look at calls as the store says by now."""
        if self._cells is None:
            self._cells = _Cells(self)
        self.notice_seconds = self.store.notice_seconds()
        self._let_go()

    def _let_go(self) -> None:
        """Let go of calls before anything is counted: one that was dropped ends by that.

        They stay in the list until each has been told, so that an interrupted fold begins anew.
        """
        count = len(self.begun)
        if self.begun.count(None) != count:
            held, nothing = self.begun[:count], [None] * count
            for call in held:
                if call is not None and call.state is not ENDED:
                    call.let_go()
            self.begun[:count] = nothing

    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Work out what the metrics become: outcomes, and durations of calls that ran to their end."""
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
        """Nothing of the parent's is in progress in a forked child."""
        if self._cells is not None:
            self._cells.in_progress.set(0.0)

    def counter(self, suffix: str, *more: str) -> CounterSeries:
        """A counter beside the operation's own, such as its tokens by type."""
        return self.store.counter(f"{self.operation.prefix}_{suffix}", (*self.labels, *more))

    def histogram(self, name: str) -> HistogramSeries:
        """A histogram with the labels of this series."""
        return self.store.histogram(name, self.labels)


class _Cells:
    """Where the lists of a `CallSeries` end up."""

    __slots__ = ("cancelled", "duration", "failure", "in_progress", "success")

    def __init__(self, series: CallSeries) -> None:
        prefix, labels = series.operation.prefix, series.labels
        cell = series.store.number_cell
        self.duration = series.store.histogram_cell(f"{prefix}_duration_seconds", labels)
        self.success = cell(f"{prefix}_total", (*labels, "success")).value
        self.failure = cell(f"{prefix}_total", (*labels, "failure")).value
        self.cancelled = cell(f"{prefix}_total", (*labels, "cancelled")).value
        self.in_progress = cell(f"{prefix}_in_progress", labels).value
