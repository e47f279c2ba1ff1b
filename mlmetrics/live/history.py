"""The samples of the last 15 minutes, in memory: what was read at the same instant shares its time.

A source is one target, what Prometheus would add about it, or one rule. Its scrapes are numbered; their times are
whole milliseconds and stand once for all its series. How much is kept has limits, and what is over a limit is refused
and can be asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlmetrics.live.series import MOST_SCRAPES, NEVER, Series, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlmetrics.live.text import Labels, Reading

KEPT_SECONDS = 15 * 60
_SLACK_MS = 60_000
"""Kept beyond the 15 minutes, so that the sample before a window's beginning is there."""
SWEEP_SCRAPES = 30
MAX_SERIES = 200_000
MAX_SAMPLES = 30_000_000
"""Changed samples. One takes 6 bytes where the numbers are whole, else 10; with the room that the allocator leaves
between them 13 were measured. So all of them take 400 MB, and the most series 200 MB more."""
MAX_CHARACTERS = 100_000_000
"""Of the labels of all series together, which may be that many bytes."""
LONGEST_LABEL = 1000
"""A series with a longer text is refused: nobody can read it, and every viewer would be sent it."""
MOST_ENDED = 10_000
"""Series of one target that have ended: with labels that change at every scrape, they would slow every tick."""
_FEWEST_SCRAPES = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a history keeps: series, changed samples, and characters of labels.

    Each source that has pages may use its share of the samples. Half of the series are shared in the same way, so that
    a target with too many leaves room for the others; the other half is for whoever comes first.
    """

    series: int = MAX_SERIES
    samples: int = MAX_SAMPLES
    characters: int = MAX_CHARACTERS


@dataclass(eq=False, slots=True)
class Family:
    """All series of one name. `version` changes whenever a series is added or removed."""

    series: list[Series] = field(default_factory=list)
    version: int = 0


class History:
    """The samples of all sources."""

    def __init__(self, limits: Limits | None = None, kept_seconds: float = KEPT_SECONDS) -> None:
        self.limits = limits or Limits()
        self.families: dict[str, Family] = {}
        self.sources: list[Source] = []
        self.series = 0
        self._characters = 0
        self._pages = self._beyond = 0
        self._kept_ms = round(kept_seconds * 1000) + _SLACK_MS

    def source(self, name: str, *, has_pages: bool = False) -> Source:
        """Add a source; those that have pages share the samples that may be kept."""
        made = Source(name, has_pages)
        self.sources.append(made)
        self._count()
        return made

    def read(self, source: Source, time: int, reading: Reading, target: Labels = ()) -> None:
        """Add a page of a target, whose labels every series gets."""
        scrape = self._begin(source, time)
        if reading.heads is not None:
            self._match(source, scrape, reading, target)
        added = 0
        for head, value in reading.changed:
            series = head.series
            if series is not None and value != series.last:  # type: ignore[attr-defined]  # a series, or None
                added += series.add(scrape, value)  # type: ignore[attr-defined]
        source.samples += added
        self._tidy(source)

    def record(self, source: Source, time: int, samples: Mapping[tuple[str, Labels], float]) -> None:
        """Add what a rule has recorded, or what is known about a target; other series of the source end."""
        scrape = self._begin(source, time)
        known = {(each.name, each.labels): each for each in source.series}
        for key, value in samples.items():
            series = known.pop(key, None)
            if series is None:
                self._add(source, key, scrape, value)
            else:
                if series.gone != NEVER:
                    series.begin_again(scrape)
                source.samples += series.add(scrape, value)
        for series in known.values():
            if series.gone == NEVER:
                series.end(scrape)
        if source.next % SWEEP_SCRAPES == 0:
            self.sweep(source)

    def fail(self, source: Source, time: int) -> None:
        """Note that a scrape failed: from then on the series of the source have no value."""
        source.failures.append(time)

    def shift(self, milliseconds: int) -> None:
        """Move all times, because the clock that they were read from was wrong."""
        for source in self.sources:
            source.times = [time + milliseconds for time in source.times]
            source.failures = [time + milliseconds for time in source.failures]

    def drop(self, source: Source) -> None:
        """Forget a source and all its series."""
        self.sources.remove(source)
        self._remove(source.series)
        self._count()

    def has(self, name: str) -> bool:
        """Whether a series of this name is there, or was in the time that is kept."""
        return name in self.families

    def values(self, name: str, label: str) -> set[str]:
        """Return the values of a label of all series of a name."""
        found = self.families.get(name)
        return {text for each in found.series for key, text in each.labels if key == label} if found else set()

    def labels(self, name: str) -> list[str]:
        """Return the labels that series of a name have."""
        found = self.families.get(name)
        return list(dict.fromkeys(label for each in found.series for label, _ in each.labels)) if found else []

    def _begin(self, source: Source, time: int) -> int:
        """Add the time of a scrape, which is later than that of the one before; return its number."""
        if source.times and time <= source.times[-1]:
            time = source.times[-1] + 1
        if source.next > MOST_SCRAPES:
            source.renumber()
        source.times.append(time)
        return source.next - 1

    def _match(self, source: Source, scrape: int, reading: Reading, target: Labels) -> None:
        """Bring the series of a source in line with the heads of a page."""
        first = dict(reading.changed)
        known = {(each.name, each.labels): each for each in source.series}
        present: set[Series] = set()
        source.refused = source.unreadable = 0
        for head in reading.heads or ():
            series = head.series
            if series is None:
                key = head.name, with_target(head.labels, target)
                series = known.get(key) or self._add(source, key, scrape, first[head])
            if series is None:
                continue
            if series not in present:  # of two heads of a series, such as with labels in another order, one counts
                present.add(series)  # type: ignore[arg-type]  # a series
                head.series = series
            else:
                head.series = None
        for series in source.series:
            if series in present:
                if series.gone != NEVER:
                    series.begin_again(scrape)
            elif series.gone == NEVER:
                series.end(scrape)
        ended = sum(series.gone != NEVER for series in source.series)
        if source.refused or ended > MOST_ENDED:  # what has ended makes room for the next page
            self._forget_ended(source, NEVER - 1)

    def has_room(self, source: Source) -> bool:
        """Whether a source may have one more series."""
        if self._characters >= self.limits.characters:
            return False
        return len(source.series) < self._own or self._beyond < self.limits.series // 2

    @property
    def _own(self) -> int:
        """How many series each source may have, however many the others have."""
        return self.limits.series // (2 * max(1, self._pages))

    def _add(self, source: Source, key: tuple[str, Labels], scrape: int, value: float) -> Series | None:
        name, labels = key
        if any(len(text) > LONGEST_LABEL for _, text in labels):
            source.unreadable += 1
            return None
        if not self.has_room(source):
            source.refused += 1
            return None
        made = Series(name, labels, source, scrape, value)
        self._beyond += len(source.series) >= self._own
        source.series.append(made)
        family = self.families.get(name)
        if family is None:
            family = self.families[name] = Family()
        family.series.append(made)
        family.version += 1
        self.series += 1
        self._characters += _characters(made)
        source.samples += 1
        return made

    def _tidy(self, source: Source) -> None:
        """Sweep a source from time to time, and at once if it has more samples than its share."""
        share = self.limits.samples // max(1, self._pages)
        while source.samples > share and len(source.times) > _FEWEST_SCRAPES:
            source.shortened = True
            self._trim(source, source.base + max(1, len(source.times) // 10))
        if source.next % SWEEP_SCRAPES == 0:
            self.sweep(source)

    def sweep(self, source: Source) -> None:
        """Forget what is older than is kept, and series that have ended before."""
        oldest = source.times[-1] - self._kept_ms
        source.failures = [time for time in source.failures if time >= oldest]
        if source.times[0] < oldest:
            self._trim(source, source.between(oldest, oldest, closed=True)[0])

    def _trim(self, source: Source, scrape: int) -> None:
        del source.times[: scrape - source.base]
        source.base = scrape
        source.samples -= sum(series.trim(scrape) for series in source.series)
        self._forget_ended(source, scrape)

    def _forget_ended(self, source: Source, scrape: int) -> None:
        """Forget the series of a source that ended at a scrape or before."""
        ended = [series for series in source.series if series.gone <= scrape]
        if ended:
            source.series = [series for series in source.series if series.gone > scrape]
            source.samples -= sum(series.kept for series in ended)
            self._remove(ended)

    def _remove(self, ended: Iterable[Series]) -> None:
        by_name: dict[str, set[Series]] = {}
        for series in ended:
            by_name.setdefault(series.name, set()).add(series)
        for name, gone in by_name.items():
            family = self.families[name]
            family.series = [series for series in family.series if series not in gone]
            family.version += 1
            self.series -= len(gone)
            self._characters -= sum(map(_characters, gone))
            if not family.series:
                del self.families[name]
        self._count()

    def _count(self) -> None:
        """See how many sources share, and how many series they have beyond what each may have."""
        self._pages = sum(source.has_pages for source in self.sources)
        self._beyond = sum(max(0, len(source.series) - self._own) for source in self.sources)


def _characters(series: Series) -> int:
    return sum(len(text) for _, text in series.labels)


def with_target(labels: Labels, target: Labels) -> Labels:
    """Return labels with those of the target; a label of the page of the same name gets `exported_` before it.

    A label with an empty text is none, as in Prometheus.
    """
    labels = tuple([pair for pair in labels if pair[1]])
    if not target:
        return labels
    names = {name for name, _ in target}
    if any(name in names for name, _ in labels):
        labels = tuple((f"exported_{name}" if name in names else name, text) for name, text in labels)
    return tuple(sorted((*labels, *target)))
