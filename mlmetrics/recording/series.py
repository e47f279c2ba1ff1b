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

C = TypeVar("C", NumberCell, HistogramCell)

BOUND = 1024
"""Appended numbers that a series holds before a recording call folds them."""


class Lists:
    """What a store folds: lists that only grow, and the values that their numbers end up in.

    The lists are read in their order: a call that ends before it is read has also begun before
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
        read = [pending[:] for pending in self.lists]
        sources = [(pending, len(taken)) for pending, taken in zip(self.lists, read, strict=True) if taken]
        writes: list[Write] = []
        try:
            self.absorb(writes, read)
        except (ArithmeticError, TypeError, ValueError) as error:
            if not interrupted(error):  # what cannot be added up now never can, and would stand in the way
                for pending, count in sources:
                    del pending[:count]
            raise
        return Batch(sources, writes)

    def prepare(self) -> None:
        """Have the values stand at least at 0."""
        raise NotImplementedError

    def absorb(self, writes: list[Write], read: list[list[Any]]) -> None:
        """Work out the values, each at most once."""
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

    def __init__(self, find: Callable[[], Any]) -> None:
        self.pending: list[float] = []
        super().__init__(self.pending)
        self.record = self.pending.append
        self._find = find
        self._cell: C | None = None

    def prepare(self) -> None:
        """Find the cell that this series folds into."""
        if self._cell is None:
            self._cell = self._find()

    def absorb(self, writes: list[Write], read: list[list[Any]]) -> None:
        """Put a batch into the cell, as the kind has it."""
        if self._cell is not None:
            self.put(writes, self._cell, read[0])

    def put(self, writes: list[Write], cell: C, batch: list[float]) -> None:
        """Work out the values of the cell."""
        raise NotImplementedError


class CounterSeries(Series[NumberCell]):
    """Amounts to add."""

    __slots__ = ()

    def put(self, writes: list[Write], cell: NumberCell, batch: list[float]) -> None:
        """Add them up."""
        writes.append(plus(cell.value, sum(batch)))


class GaugeSeries(Series[NumberCell]):
    """States, of which the last counts."""

    __slots__ = ()

    def put(self, writes: list[Write], cell: NumberCell, batch: list[float]) -> None:
        """Keep the last."""
        writes.append((partial(cell.value.set, timestamp=time.time()), batch[-1], cell.value.get()))


class HistogramSeries(Series[HistogramCell]):
    """Numbers to place in buckets."""

    __slots__ = ()

    def put(self, writes: list[Write], cell: HistogramCell, batch: list[float]) -> None:
        """Place them."""
        cell.add(writes, batch)
