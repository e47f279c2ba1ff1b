"""Where each value of the files goes, and the sum of what all files have for it."""

from collections.abc import Callable, Mapping

from mlmetrics.interruption import interrupted
from mlmetrics.workers.directory import KINDS, Kind
from mlmetrics.workers.records import parsed
from mlmetrics.workers.source import LEFT_OUT, Source

Slot = tuple[list[float], int]
"""A list, and the index in it."""
FindSlot = Callable[[Kind, str, str, Mapping[str, str], str], Slot | None]
"""Asked with the kind, the family, the name of the sample, its labels and the help text; None leaves the key out."""


class Totals:
    """The values of all slots: added up apart, and then written to the slots, which never show a part of a sum."""

    def __init__(self, find: FindSlot, failed: Callable[[str, object], None]) -> None:
        self._find = find
        self._failed = failed
        self._slots: list[Slot] = [([0.0], 0)]  # number 0 takes what the header of a file is as a double
        self._by_slot: dict[tuple[int, int], int] = {}
        self._by_key: dict[Kind, dict[bytes, int]] = {kind: {} for kind in KINDS}
        self.begin()

    def begin(self) -> None:
        """Set every sum to 0."""
        self._sums = [0.0] * len(self._slots)
        self._times = [0.0] * len(self._slots)

    def number(self, kind: Kind, key: bytes) -> int:
        """Return the number of the slot of a key; the slot is asked for once.

        Raises:
            UnreadableError: it is no key of the client's format.
        """
        known = self._by_key[kind]
        number = known.get(key)
        if number is None:
            number = known[key] = self._new(kind, key)
        return number

    def _new(self, kind: Kind, key: bytes) -> int:
        family, sample, labels, text = parsed(key)
        try:
            slot = self._find(kind, family, sample, labels, text)
        except Exception as error:  # a key of a version that had other labels, or a mistake of ours
            if interrupted(error):
                raise
            self._failed("workers", f"{kind} {key!r:.200}: {error!r}")
            return LEFT_OUT
        return LEFT_OUT if slot is None else self._numbered(slot)

    def _numbered(self, slot: Slot) -> int:
        """Keys of several help texts may lead to one slot."""
        numbers, place = slot
        number = self._by_slot.get((id(numbers), place))
        if number is None:
            number = len(self._slots)
            self._sums.append(0.0)
            self._times.append(0.0)
            self._slots.append(slot)
            self._by_slot[id(numbers), place] = number
        return number

    def add(self, kind: Kind, source: Source) -> None:
        """Add the values of a file, in the way of its kind."""
        if kind == "gauge_livesum":
            self._add_calls_in_progress(source)
        elif kind == "gauge_mostrecent":
            self._keep_newest(source)
        else:
            sums = self._sums
            for number, value in zip(source.numbers, source.values(), strict=False):
                sums[number] += value

    def _add_calls_in_progress(self, source: Source) -> None:
        """Add gauges of a worker, none below 0: a call may have ended that began in the parent of a forked process."""
        sums = self._sums
        for number, value in zip(source.numbers, source.values(), strict=False):
            sums[number] += max(0.0, value)

    def _keep_newest(self, source: Source) -> None:
        sums, times = self._sums, self._times
        for number, value, timestamp in zip(source.numbers, source.values(), source.timestamps(), strict=False):
            if timestamp > times[number]:
                sums[number], times[number] = value, timestamp

    def publish(self) -> None:
        """Write the sums to the slots."""
        for (numbers, place), value in zip(self._slots, self._sums, strict=True):
            numbers[place] = value
