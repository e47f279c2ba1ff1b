"""A series: one metric with all its label values bound, and the numbers not folded yet.

Recording is `list.append`: atomic, without a lock, safe in a signal handler, in `__del__`
and in a GC callback. A fold takes what has been appended so far; appends that happen
meanwhile go behind it and wait for the next one.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from ..interruption import interrupted
from .cells import HistogramCell, NumberCell, Write, plus
from .folding import Batch

BOUND = 1024
"""Appended numbers that a series holds before a recording call folds them."""


C = TypeVar("C", NumberCell, HistogramCell)


class Lists:
    """What a store folds: lists that only grow, and the values that their numbers end up in.

    The lists are counted in their order: a call that has ended when it is counted had begun before
    that, so what has ended stands before what has begun, and in progress is never below the truth.
    """

    __slots__ = ("lists",)

    def __init__(self, *lists: list[Any]) -> None:
        self.lists = lists

    def batch(self) -> Batch | None:
        """What was appended, and the values that it makes; nothing is changed yet."""
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
        except (ArithmeticError, TypeError, ValueError) as error:
            if not interrupted(error):  # what cannot be added up now never can, and would stand in the way
                for pending, count in sources:
                    del pending[:count]
            raise
        return sources, writes

    def prepare(self) -> None:
        """Have the values stand at least at 0."""
        raise NotImplementedError

    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Work out the values, each at most once, of so many numbers of each list."""
        raise NotImplementedError

    def drop(self) -> None:
        """Forget what was appended."""
        for pending in self.lists:
            pending.clear()

    def forget(self) -> None:
        """Forget what is in progress: in a forked child it does not go on."""


class Series(Lists, Generic[C]):
    """What the three kinds share: a pending list, and a cell that is found when first needed."""

    __slots__ = ("_cell", "_find", "pending", "record")

    def __init__(self, find: Callable[[], C]) -> None:
        self.pending: list[float] = []
        super().__init__(self.pending)
        self.record = self.pending.append
        self._find: Callable[[], C] = find
        self._cell: C | None = None

    def prepare(self) -> None:
        """Find the cell that this series folds into."""
        self.cell()

    def cell(self) -> C:
        """The cell that this series folds into, found when it is first needed."""
        if self._cell is None:
            self._cell = self._find()
        return self._cell


class CounterSeries(Series[NumberCell]):
    """Amounts to add."""

    __slots__ = ()
    CELL = NumberCell

    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Add them up."""
        writes.append(plus(self.cell().value, sum(self.pending[: counts[0]])))


class GaugeSeries(Series[NumberCell]):
    """States, of which the last counts."""

    __slots__ = ()
    CELL = NumberCell

    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Keep the last."""
        value = self.cell().value
        writes.append((partial(value.set, timestamp=time.time()), self.pending[counts[0] - 1], value.get()))


class HistogramSeries(Series[HistogramCell]):
    """Numbers to place in buckets."""

    __slots__ = ()
    CELL = HistogramCell

    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Place them."""
        self.cell().add(writes, self.pending[: counts[0]])
