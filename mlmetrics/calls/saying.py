"""What is said of a call while it runs, kept until it ends: only then is it known by which labels the call is counted.

A call that `label` gives other labels ends on the series that it began on, and is counted on another one.
"""

from collections.abc import Callable, Mapping
from typing import Any

from mlmetrics.calls.money import Spent
from mlmetrics.calls.operation import CANCELLED, FAILED, SUCCEEDED, CallSeries
from mlmetrics.calls.stored import calls_of
from mlmetrics.interruption import interrupted
from mlmetrics.recording.labels import UNKNOWN, cleaned, is_empty
from mlmetrics.recording.series import BOUND

Record = Callable[[CallSeries, Any], object]
"""Records something of a call, which has been checked."""


Kept = list[tuple[Record, Any]]


class Saying:
    """What the code of one call has said of it.

    Most calls that say anything say one thing: what is not said is an attribute of the class, so that none is made.
    """

    verdict: str | None = None
    fell_back = False
    first_chunk = False
    spent: Spent | None = None
    counted_on: CallSeries | None = None
    """The series that the call is counted on, if it is not the one that it began on."""
    kept: Kept | None = None
    over = False
    """Whether the call has ended: what is said from now on is recorded at once."""

    @property
    def counts(self) -> bool:
        """Whether the code has told the tokens itself: then those of the answer are not counted."""
        return self.spent is not None and self.spent.tokens is not None

    def keep(self, series: CallSeries, record: Record, value: Any) -> None:
        """Keep something to record until the call ends; of one that says very much, no more than the latest.

        Args:
            series: the series that the call began on.
            record: records it.
            value: what there is to record.
        """
        if self.over:
            record(self.counted_on or series, value)
            return
        kept = self.kept
        if kept is None:
            kept = self.kept = []
        kept.append((record, value))
        if len(kept) > BOUND:
            self._release(self.counted_on or series)

    def spending(self) -> Spent:
        """Return what the call has spent so far."""
        if self.spent is None:
            self.spent = Spent()
        return self.spent

    def label(self, series: CallSeries, labels: Mapping[str, object]) -> None:
        """Have the call counted by other labels; never raises."""
        try:
            if self.over:
                series.store.failed("label", "the call does not run: its labels can be given only inside of it")
            else:
                self.counted_on = relabelled(self.counted_on or series, labels)
        except Exception as error:  # any object may come
            if interrupted(error):
                raise
            series.store.failed("label", error)

    def ending(self, series: CallSeries) -> CallSeries:
        """Return what the call ends by, as a series: that which it began on, unless it is counted on another one."""
        counted_on = self.counted_on
        return series if counted_on is None or counted_on is series else EndsElsewhere(series, counted_on)

    def settle(self, series: CallSeries, seconds: float | None) -> None:
        """Record what was kept, after the call has ended; never raises.

        Args:
            series: the series that the call is counted on.
            seconds: how long it took, None if that is not known.
        """
        self.over = True
        self._release(series)
        if self.spent is not None:
            self.spent.settle(series, seconds)

    def _release(self, series: CallSeries) -> None:
        kept, self.kept = self.kept, None
        if kept is not None:
            record_kept(series, kept)


def record_kept(series: CallSeries, kept: Kept) -> None:
    """Record what was kept of a call on a series; never raises."""
    try:
        for record, value in kept:
            record(series, value)
    except Exception as error:  # nothing of ours reaches the user's call
        if interrupted(error):
            raise
        series.store.failed("call", error)


def said_after(saying: Saying | None = None) -> Saying:
    """Return what takes what is said of a call that does not run: it is recorded at once."""
    found = Saying() if saying is None else saying
    found.over = True
    return found


def relabelled(series: CallSeries, labels: Mapping[str, object]) -> CallSeries:
    """Return the series with these labels in place of its own; what is no label of the operation, or no text, counts.

    Such a label stays as it was.
    """
    store, operation = series.store, series.operation
    values: dict[str, object] = dict(zip(operation.labels, series.labels[1:], strict=True))
    for name, value in labels.items():
        text, problem = ("", None) if name != operation.subject and is_empty(value) else cleaned(value)
        if name not in values:
            known = ", ".join(operation.labels) or "none"
            store.failed("label", f"{operation.name} calls have no label {name!r:.100}; their labels are: {known}")
        elif problem is not None and text == UNKNOWN:
            store.failed(f"label.{name}", problem)
        else:
            values[name] = value if type(value) is str else text
    return calls_of(store, operation).series(series.labels[0], tuple(values.values()))


class EndsElsewhere(CallSeries):
    """Ends one call on the series that it began on, and counts it on another; all else is that of the other one."""

    __slots__ = (
        *("_began_on", "_counted_on", "beside", "clock", "labels", "mark", "notice_seconds", "operation", "started"),
        "store",
    )

    def __init__(self, began_on: CallSeries, counted_on: CallSeries) -> None:
        self._began_on = began_on
        self._counted_on = counted_on
        self.beside = (counted_on, *counted_on.beside, began_on, *began_on.beside)
        self.clock = counted_on.clock
        self.labels = counted_on.labels
        self.mark = counted_on.mark
        self.notice_seconds = counted_on.notice_seconds
        self.operation = counted_on.operation
        self.started = max(began_on.started, counted_on.started, key=len)
        self.store = counted_on.store

    @property
    def error_types(self) -> Any:  # a slot of every other kind
        """Those of the other series."""
        return self._counted_on.error_types

    @error_types.setter
    def error_types(self, found: Any) -> None:
        self._counted_on.error_types = found

    @property
    def seldom(self) -> Any:
        """That of the other series."""
        return self._counted_on.seldom

    @seldom.setter
    def seldom(self, made: Any) -> None:
        self._counted_on.seldom = made

    def update_notice(self) -> None:
        """Update that of the other series."""
        self._counted_on.update_notice()

    def batch(self, _outbox: object = None, /) -> None:
        """Nothing is folded here: both series are beside it."""

    def succeed(self, seconds: float) -> None:
        """End the call as a success."""
        self._counted_on.end_for(self._began_on, SUCCEEDED, seconds)

    def fail(self, seconds: float) -> None:
        """End the call as a failure."""
        self._counted_on.end_for(self._began_on, FAILED, seconds)

    def cancel(self, seconds: float) -> None:
        """End the call as cancelled."""
        self._counted_on.end_for(self._began_on, CANCELLED, seconds)
