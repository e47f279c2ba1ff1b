"""A series: one metric with all its label values bound, and the numbers not folded yet.

Recording is `list.append`: atomic, without a lock, safe in a signal handler, in `__del__`
and in a GC callback. A fold takes what has been appended so far; appends that happen
meanwhile go behind it and wait for the next one.
"""

import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from .cells import HistogramCell, NumberCell

T = TypeVar("T")
C = TypeVar("C", NumberCell, HistogramCell)

BOUND = 1024
"""Appended numbers that a series holds before a recording call folds them."""


class Foldable(Protocol):
    """What a store folds: it moves its numbers into cells."""

    def fold(self) -> None:
        """Move what was appended into the cells, which from then on stand at least at 0."""


def take(pending: list[T]) -> list[T]:
    """Remove and return what is in the list now; each step is atomic beside appends."""
    if not pending:
        return []
    count = len(pending)
    batch = pending[:count]
    del pending[:count]
    return batch


class Series(Generic[T, C]):
    """What the three kinds share: a pending list, and a cell that is found when first needed."""

    __slots__ = ("_cell", "_find", "pending", "record")

    def __init__(self, find: Callable[[], Any]) -> None:
        self.pending: list[T] = []
        self.record = self.pending.append
        self._find = find
        self._cell: C | None = None

    def open(self) -> C:
        """The cell that this series folds into."""
        if self._cell is None:
            self._cell = self._find()
        return self._cell

    def fold(self) -> None:
        """Move what was appended into the cell."""
        cell = self.open()
        if batch := take(self.pending):
            self.absorb(cell, batch)

    def absorb(self, cell: C, batch: list[T]) -> None:
        """Put a batch into the cell, as the kind has it."""
        raise NotImplementedError


class CounterSeries(Series[float, NumberCell]):
    """Amounts to add."""

    __slots__ = ()

    def absorb(self, cell: NumberCell, batch: list[float]) -> None:
        """Add them up."""
        cell.value.inc(sum(batch))


class GaugeSeries(Series[float, NumberCell]):
    """States, of which the last counts."""

    __slots__ = ()

    def absorb(self, cell: NumberCell, batch: list[float]) -> None:
        """Keep the last."""
        cell.value.set(batch[-1], timestamp=time.time())


class HistogramSeries(Series[float, HistogramCell]):
    """Numbers to place in buckets."""

    __slots__ = ()

    def absorb(self, cell: HistogramCell, batch: list[float]) -> None:
        """Place them."""
        cell.add(batch)
