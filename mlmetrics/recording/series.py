"""A series: one metric with all its label values, and the numbers that are not folded yet.

Recording is `list.append`: atomic, without a lock, safe in a signal handler, in `__del__`
and in a GC callback. A fold takes the numbers that have been appended so far; numbers that are
appended during the fold are taken by the next one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sized
from operator import itemgetter
from typing import Any, Generic, Protocol, TypeVar

from mlmetrics.interruption import interrupted
from mlmetrics.recording.cells import HistogramCell, NumberCell, Write, moved, plus
from mlmetrics.recording.folding import Batch
from mlmetrics.recording.outbox import Outbox

BOUND = 1024
"""The most numbers that a series holds; a recording call that makes it more folds them."""


C = TypeVar("C", NumberCell, HistogramCell)


class NumberSeries(Protocol):
    """A counter, gauge or histogram with all its label values."""

    @property
    def record(self) -> Callable[[float], object]:
        """Record a number."""

    @property
    def pending(self) -> Sized:
        """What the next fold has to take."""


class Lists(ABC):
    """What a store folds: lists that calls append to, and the values that their numbers are added to.

    The lengths of the lists are read in order. The lists of ended calls come before that of begun
    calls: an ended call has always begun, so the number in progress is never too low.
    """

    __slots__ = ("lists",)
    beside: tuple[Any, ...] = ()
    """What is folded whenever this is folded because it is full: it grows no faster, and is not asked itself."""

    def __init__(self, *lists: list[Any]) -> None:
        self.lists = lists

    def batch(self, outbox: Outbox | None = None, /) -> Batch | None:
        """Return the appended numbers and the values that they lead to; nothing is changed yet.

        An outbox gets the numbers themselves when the values are written.
        """
        self.prepare()
        if not any(self.lists):
            return None
        counts: list[int] = []
        sources: list[tuple[list[Any], int]] = []
        writes: list[Write] = []
        for pending in self.lists:
            count = len(pending)
            counts.append(count)
            if count:
                sources.append((pending, count))
        try:
            self.absorb(writes, counts)
            if outbox is not None:
                self.hand_on(outbox, writes, counts)
        except (ArithmeticError, TypeError, ValueError) as error:
            if not interrupted(error):  # these numbers can never be added up, and would block later ones
                for pending, count in sources:
                    del pending[:count]
            raise
        return sources, writes

    @abstractmethod
    def prepare(self) -> None:
        """Create the values, at 0."""

    @abstractmethod
    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Compute the new values from the first `counts` numbers of each list, each value at most once."""

    def hand_on(self, outbox: Outbox, writes: list[Write], counts: list[int]) -> None:  # noqa: B027 (only for buckets)
        """Put the first `counts` numbers of each list into an outbox, if they are those of a histogram."""

    def forget(self) -> None:  # noqa: B027 (only calls have a number in progress)
        """Set the number in progress to 0: the calls of the parent do not run in a forked child."""


class Series(Lists, Generic[C]):
    """What the three kinds share: a list of pending numbers, and a cell that is looked up when first needed."""

    __slots__ = ("_cell", "_find", "pending", "record")

    def __init__(self, find: Callable[[], C]) -> None:
        self.pending: list[Any] = []
        super().__init__(self.pending)
        self.record = self.pending.append
        self._find: Callable[[], C] = find
        self._cell: C | None = None

    def batch(self, outbox: Outbox | None = None, /) -> Batch | None:
        """Return the appended numbers and the new values; most series have none at most scrapes."""
        return super().batch(outbox) if self.pending or self._cell is None else None

    def prepare(self) -> None:
        """Find the cell that this series folds into."""
        self.cell()

    def cell(self) -> C:
        """Return the cell that this series folds into, found when it is first needed."""
        if self._cell is None:
            self._cell = self._find()
        return self._cell


class CounterSeries(Series[NumberCell]):
    """Amounts to add."""

    __slots__ = ()
    CELL = NumberCell

    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Add them up, as floats: whole numbers could become too large to be one."""
        writes.append(plus(self.cell().numbers, 0, sum(self.pending[: counts[0]], 0.0)))


_FIRST = itemgetter(0)
Entry = float | tuple[float]
"""What is recorded in a gauge: a value to set, or a change in a tuple. Their order counts, so they share one list."""


class GaugeSeries(Series[NumberCell]):
    """Values to set and changes, in their order."""

    __slots__ = ()
    CELL = NumberCell

    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Set the last value, and add the changes after it."""
        entries: list[Any] = self.pending[: counts[0]]
        after = 0 if {*map(type, entries)} == {tuple} else _after_the_last_value(entries)
        numbers = self.cell().numbers
        before = float(entries[after - 1]) if after else numbers[0]
        writes.append((numbers, 0, sum(map(_FIRST, entries[after:]), before)))


def _after_the_last_value(entries: list[Any]) -> int:
    """Return where the changes begin that follow the last value."""
    place = len(entries)
    while place and type(entries[place - 1]) is tuple:
        place -= 1
    return place


class RunningSeries(GaugeSeries):
    """Changes of how many run now, never below 0; none of the parent's runs in a forked child."""

    __slots__ = ()

    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Add the changes."""
        writes.append(moved(self.cell().numbers, sum(map(_FIRST, self.pending[: counts[0]]))))

    def forget(self) -> None:
        """Set the number to 0."""
        if self._cell is not None:
            self._cell.numbers[0] = 0.0


class HistogramSeries(Series[HistogramCell]):
    """Numbers to place in buckets."""

    __slots__ = ()
    CELL = HistogramCell

    def take(self, numbers: list[float]) -> None:
        """Record several numbers, and empty their list."""
        pending = self.pending
        # No call comes between: a signal handler that raises finds them here or there.
        pending += numbers
        del numbers[:]

    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Add them to their buckets."""
        self.cell().add(writes, self.pending[: counts[0]])

    def hand_on(self, outbox: Outbox, writes: list[Write], counts: list[int]) -> None:
        """Put them into the outbox."""
        outbox.put(writes, self.cell(), self.pending[: counts[0]])
