"""The raw numbers of folds, for an instrument that wants them beside their buckets, such as that of OpenTelemetry.

A fold puts them here together with the new values of its cells, and may be repeated after an interruption: each batch
has a key of its own, so that it is here once however often it was written. All of it happens in the turn of a fold.
"""

from collections import deque
from collections.abc import Collection, Sequence
from itertools import count
from typing import Self

from mlmetrics.recording.cells import HistogramCell, Write

MOST_WAITING = 1 << 17
"""The most numbers that wait, here or where they were moved to; further ones are lost to that, and counted."""
_WAITING, _LOST = 0, 1

Parcel = tuple[HistogramCell, deque[float], deque[float]]
"""Numbers of one fold with the cell that they were added to: those of failed calls stand apart.

Whoever has it takes one number after the other from it, so that the rest is still there after an interruption.
"""


class FailedSeconds(float):
    """The seconds of a failed call, with its error type as a label; kept only where somebody takes raw numbers."""

    __slots__ = ("error_type",)
    error_type: str

    def __new__(cls, seconds: float, error_type: str) -> Self:
        """Make the number, which is added up as any other."""
        made = super().__new__(cls, seconds)
        made.error_type = error_type
        return made


class Outbox:
    """What waits to be taken: the numbers of the histograms with these names."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._keys = count()
        self._parcels: dict[int, Parcel] = {}
        self._numbers = [0, 0]

    def put(
        self, writes: list[Write], cell: HistogramCell, numbers: Sequence[float], failed: Sequence[float] = ()
    ) -> None:
        """Have a fold put its numbers here when it writes the new values of the cell; count those that find no room."""
        amount = len(numbers) + len(failed)
        if not amount or cell.metric.name not in self._names:
            return
        place = _WAITING if self._numbers[_WAITING] + amount <= MOST_WAITING else _LOST
        writes.append((self._numbers, place, self._numbers[place] + amount))
        if place == _WAITING:
            writes.append((self._parcels, next(self._keys), (cell, deque(numbers), deque(failed))))

    def move_to(self, taken: deque[Parcel]) -> int:
        """Put what waits at the end of what was taken before, and return how many numbers were lost.

        The caller has the turn of a fold. What is still in `taken` takes up room, so that it has a bound, too.
        """
        waiting = list(self._parcels.values())
        self._parcels = {}  # nothing comes between these two, so that an interruption neither loses nor doubles any
        taken.extend(waiting)
        lost = self._numbers[_LOST]
        self._numbers[:] = (sum(len(numbers) + len(failed) for _, numbers, failed in tuple(taken)), 0)
        return lost

    def clear(self) -> None:
        """Forget what waits: in a forked child it is the parent's."""
        self._parcels.clear()
        self._numbers[:] = (0, 0)
