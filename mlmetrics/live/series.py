"""One series and the source that it is read from: what changed, at which scrapes, and when the series was there.

A scrape has a number and a time, which its source keeps. A sample that was there and did not change is not kept: the
value of a series at a scrape is that of its last change until then.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlmetrics.live.text import Labels

NEVER = 1 << 62
"""A number that no scrape has."""
MOST_SCRAPES = 60_000
"""From this number on, the scrapes of a source are numbered anew, so that a number takes two bytes."""
_LARGEST = (1 << 32) - 1
_NO_CHANGES: array[Any] = array("H")
"""What a series has that has not changed yet."""


class Series:
    """The samples of one series.

    It is there from scrape `born` until before scrape `gone`, and was so in earlier `spans`. From scrape `steady` on it
    has been there, its value has not fallen and is a finite number: a window that begins there needs only the first and
    the last value.
    """

    __slots__ = (
        "_scrapes",
        "_values",
        "born",
        "changed",
        "gone",
        "labels",
        "last",
        "name",
        "source",
        "spans",
        "steady",
    )

    def __init__(self, name: str, labels: Labels, source: Source, scrape: int, value: float) -> None:
        self.name = name
        self.labels = labels
        self.source = source
        self._scrapes = self._values = _NO_CHANGES
        self.last = value
        self.changed = self.born = scrape
        self.steady = scrape if math.isfinite(value) else NEVER
        self.gone = NEVER
        self.spans: list[tuple[int, int]] | None = None

    @property
    def kept(self) -> int:
        """The number of samples that are kept."""
        return len(self._scrapes) or 1

    def add(self, scrape: int, value: float) -> bool:
        """Add the sample of a scrape; return whether it is a change."""
        last = self.last
        if value == last:
            return False
        if value < last:
            self.steady = scrape
        elif not value > last:  # one of the two is NaN
            if not math.isnan(value):
                self.steady = scrape
            elif math.isnan(last):
                return False
        if not -math.inf < value < math.inf:
            self.steady = NEVER
        elif self.steady == NEVER:
            self.steady = scrape
        self._append(scrape, value)
        self.last = value
        self.changed = scrape
        return True

    def _append(self, scrape: int, value: float) -> None:
        """Keep a change; whole numbers take half the room, until the first other number comes."""
        scrapes, values = self._scrapes, self._values
        if not scrapes:
            self._scrapes = scrapes = array("H", (self.changed,))
            values = array("I", (int(self.last),)) if _is_small(self.last) else array("d", (self.last,))
            self._values = values
        scrapes.append(scrape)
        if values.typecode == "I":
            if 0 <= value <= _LARGEST and (whole := int(value)) == value:
                values.append(whole)
                return
            self._values = values = array("d", values)
        values.append(value)

    def end(self, scrape: int) -> None:
        """Note that the series is not there at a scrape."""
        self.gone = scrape

    def begin_again(self, scrape: int) -> None:
        """Note that the series is there again."""
        self.spans = [*(self.spans or ()), (self.born, self.gone)]
        self.born, self.gone = scrape, NEVER
        self.steady = scrape if math.isfinite(self.last) else NEVER

    def at(self, scrape: int) -> float | None:
        """Return the value at a scrape, None if the series was not there."""
        if self.born <= scrape:
            there = scrape < self.gone
        else:
            there = any(born <= scrape < gone for born, gone in self.spans or ())
        return self.value_at(scrape) if there else None

    def value_at(self, scrape: int) -> float:
        """Return the value at a scrape at which the series was there."""
        if scrape >= self.changed:
            return self.last
        return float(self._values[bisect_right(self._scrapes, scrape) - 1])

    def presence(self, low: int, high: int) -> list[tuple[int, int]]:
        """Return the stretches of the scrapes from `low` to `high` in which the series was there, ends included."""
        spans = (*(self.spans or ()), (self.born, self.gone))
        cut = ((max(low, born), min(high, gone - 1)) for born, gone in spans)
        return [(first, last) for first, last in cut if first <= last]

    def changes(self, after: int, until: int) -> Iterator[float]:
        """Yield the values that the series got after a scrape and until another."""
        first, last = bisect_right(self._scrapes, after), bisect_right(self._scrapes, until)
        return map(float, self._values[first:last])

    def trim(self, scrape: int) -> int:
        """Forget what was before a scrape; return the number of samples that were forgotten."""
        if self.spans is not None:
            self.spans = [span for span in self.spans if span[1] > scrape] or None
        extra = bisect_right(self._scrapes, scrape) - 1
        if extra <= 0:
            return 0
        del self._scrapes[:extra]
        del self._values[:extra]
        return extra

    def renumber(self, by: int) -> None:
        """Take a number off those of all scrapes; scrapes before it are no longer told apart."""
        self.born, self.changed = max(0, self.born - by), max(0, self.changed - by)
        if self.gone != NEVER:
            self.gone = max(0, self.gone - by)
        if self.steady != NEVER:
            self.steady = max(0, self.steady - by)
        if self.spans is not None:
            self.spans = [(max(0, born - by), max(0, gone - by)) for born, gone in self.spans]
        if self._scrapes:
            self._scrapes = array("H", [max(0, scrape - by) for scrape in self._scrapes])


def _is_small(value: float) -> bool:
    return 0 <= value <= _LARGEST and int(value) == value


@dataclass(eq=False, slots=True)
class Source:
    """What is read at the same instants: the times of its scrapes, and its series.

    `has_pages` says that it is a target and no rule. `base` is the number of the first scrape whose time is kept.
    `refused` is the number of series of its last page that were over the limit, and `unreadable` that of those with too
    long a label. `shortened` says that older samples were dropped because there were too many.
    """

    name: str
    has_pages: bool = False
    times: list[int] = field(default_factory=list)
    base: int = 0
    failures: list[int] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    samples: int = 0
    refused: int = 0
    unreadable: int = 0
    shortened: bool = False

    @property
    def next(self) -> int:
        """The number of the next scrape."""
        return self.base + len(self.times)

    def between(self, start: int, end: int, *, closed: bool) -> tuple[int, int]:
        """Return the first and the last scrape of a time; its left edge belongs to it if `closed`."""
        times = self.times
        low = bisect_left(times, start) if closed else bisect_right(times, start)
        return self.base + low, self.base + bisect_right(times, end) - 1

    def newest(self, at: int, oldest: int, *, closed: bool) -> int | None:
        """Return the last scrape until a time, None if a later one failed or it is not younger than `oldest`."""
        index = bisect_right(self.times, at) - 1
        if index < 0:
            return None
        time = self.times[index]
        if time < oldest or (time == oldest and not closed):
            return None
        failed = bisect_right(self.failures, at)
        return None if failed and self.failures[failed - 1] > time else self.base + index

    def renumber(self) -> None:
        """Give the scrapes new numbers, from 0 for the first that is kept."""
        for series in self.series:
            series.renumber(self.base)
        self.base = 0

    def time(self, scrape: int) -> int:
        """Return the time of a scrape, in milliseconds."""
        return self.times[scrape - self.base]
