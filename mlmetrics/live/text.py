"""Reads the text format 0.0.4 of one target, page after page, at the cost of what has changed.

The beginning of a line, up to its value, is its head. Heads of the page before are known, and lines that are as they
were are skipped. Lines of a usual form are read here; anything else is read by the parser of prometheus_client, which
is exact and slow, so that both agree on every line.
"""

import math
import re
from collections.abc import Iterable
from itertools import compress
from operator import ne
from sys import intern

from prometheus_client.parser import text_string_to_metric_families

from mlmetrics.errors import MLMetricsError

Labels = tuple[tuple[str, str], ...]
"""Labels of a series: names and values, ordered by name."""
_LABEL = r'(?!__)[a-zA-Z_][a-zA-Z0-9_]*="[^"\\\n]*"'
_HEAD = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{({_LABEL}(?:,{_LABEL})*)?\}})? ")
_PAIR = re.compile(r'([a-zA-Z0-9_]+)="([^"]*)"')
_COMMENT = re.compile(
    r"#(?: (?:HELP [a-zA-Z_:][a-zA-Z0-9_:]*(?: [^\"]*)?|TYPE [a-zA-Z_:][a-zA-Z0-9_:]* [a-z]+|(?!HELP|TYPE)[^\"]*))?"
)
_SHOWN = 80
_MOST_PAIRS = 500_000


class TextError(MLMetricsError, ValueError):
    """A page is not text of Prometheus."""


class Head:
    """The head of a line: the name and the labels of a sample.

    `length` is that of its text, 0 where the value is not all that follows. `series` is where the reader's owner keeps
    the samples.
    """

    __slots__ = ("labels", "length", "name", "series")

    def __init__(self, length: int, name: str, labels: Labels) -> None:
        self.length = length
        self.name = name
        self.labels = labels
        self.series: object = None


class Reading:
    """What is new on a page: samples, and all its heads if they are not those of the page before."""

    __slots__ = ("changed", "heads")

    def __init__(self, changed: list[tuple[Head, float]], heads: list[Head] | None) -> None:
        self.changed = changed
        self.heads = heads


class Interned:
    """Pairs of a label and its value, each kept once for all series that have it.

    Where values change all the time, those of earlier pages are forgotten; a pair that comes again is then kept twice.
    """

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, str], tuple[str, str]] = {}

    def __len__(self) -> int:
        return len(self._pairs)

    def labels(self, pairs: Iterable[tuple[str, str]]) -> Labels:
        """Return labels in order."""
        kept = self._pairs
        return tuple(sorted(kept.get(pair) or self._keep(pair) for pair in pairs))

    def _keep(self, pair: tuple[str, str]) -> tuple[str, str]:
        if len(self._pairs) >= _MOST_PAIRS:
            self._pairs.clear()
        made = (intern(pair[0]), intern(pair[1]))
        return self._pairs.setdefault(made, made)


class PageReader:
    """Reads the pages of one target; a page that cannot be read leaves it as it was."""

    def __init__(self, interned: Interned) -> None:
        self._interned = interned
        self._lines: list[str] = []
        self._rows: list[Head | None] = []

    def read(self, page: str) -> Reading:
        """Return what is new on a page.

        Raises:
            TextError: A line is not text of Prometheus.
        """
        lines = page.split("\n")
        if len(lines) == len(self._lines):
            changed = self._changed(lines)
            if changed is not None:
                self._lines = lines
                return Reading(changed, None)
        return self._whole(lines)

    def forget(self) -> None:
        """Forget the page before, so that all heads of the next one are told."""
        self._lines, self._rows = [], []

    def _changed(self, lines: list[str]) -> list[tuple[Head, float]] | None:
        """Return the samples that changed, None if a line has another head than before."""
        found = []
        before = self._lines
        for line, old, head in compress(zip(lines, before, self._rows, strict=True), map(ne, lines, before)):
            if head is None or not (length := head.length) or line[:length] != old[:length]:
                return None
            rest = line[length:]
            try:
                value = float(rest)
            except ValueError:
                return None
            if "_" in rest:
                return None
            found.append((head, value))
        return found

    def _whole(self, lines: list[str]) -> Reading:
        """Read every line; of several lines with one head, the first counts, as in Prometheus."""
        known: dict[str, Head] = {}
        odd: dict[tuple[str, Labels], Head] = {}
        for line, head in zip(self._lines, self._rows, strict=True):
            if head is not None:
                if head.length:
                    known[line[: head.length]] = head
                else:
                    odd[head.name, head.labels] = head
        rows: list[Head | None] = []
        found: dict[Head, float] = {}
        for number, line in enumerate(lines, 1):
            text = line[: line.rfind(" ") + 1]
            head = known.get(text)
            if head is not None:
                value = _value(number, line, line[head.length :])
            else:
                read = self._unknown(number, line, odd)
                if read is None:
                    rows.append(None)
                    continue
                head, value = read
                if head.length:
                    known[text] = head
            # A second line of a head has no row, so that a change of it has the whole page read again.
            rows.append(None if head in found else head)
            found.setdefault(head, value)
        self._lines, self._rows = lines, rows
        return Reading(list(found.items()), list(found))

    def _unknown(self, number: int, line: str, odd: dict[tuple[str, Labels], Head]) -> tuple[Head, float] | None:
        """Read a line with an unknown head, None if it has no sample."""
        if not line or _COMMENT.fullmatch(line):
            return None
        match, cut = _HEAD.match(line), line.rfind(" ") + 1
        if match is not None and match.end() == cut:
            pairs = _PAIR.findall(match[2] or "")
            if len(dict(pairs)) == len(pairs):
                value = _value(number, line, line[cut:])
                return Head(cut, intern(match[1]), self._interned.labels(pairs)), value
        if not line.strip() or line.lstrip().startswith("#"):
            _check_comment(number, line)
            return None
        name, labels, value, is_at_end = _exact(number, line)
        ordered = self._interned.labels(labels.items())
        if is_at_end:
            return Head(cut, intern(name), ordered), value
        key = (intern(name), ordered)
        return odd.setdefault(key, Head(0, *key)), value


def _value(number: int, line: str, rest: str) -> float:
    try:
        if "_" not in rest:
            return float(rest)
    except ValueError:
        pass
    return _exact(number, line)[2]


def _exact(number: int, line: str) -> tuple[str, dict[str, str], float, bool]:
    """Return name, labels and value of a sample, and whether the value is all that follows the last space.

    A time after the value is left out: the sample counts for when its page was read.
    """
    try:
        (family,) = text_string_to_metric_families(line)
        (sample,) = family.samples
        value = float(sample.value)
    except (ValueError, IndexError, OverflowError) as error:
        raise _refused(number, line) from error
    before, _, rest = line.rpartition(" ")
    is_at_end = sample.timestamp is None and before.rstrip().endswith("}") and _is_float(rest, value)
    return sample.name, sample.labels, value, is_at_end


def _is_float(text: str, value: float) -> bool:
    try:
        read = float(text)
    except ValueError:
        return False
    return len(text.split()) == 1 and (read == value or (math.isnan(read) and math.isnan(value)))


def _check_comment(number: int, line: str) -> None:
    try:
        list(text_string_to_metric_families(line))
    except (ValueError, IndexError) as error:
        raise _refused(number, line) from error


def _refused(number: int, line: str) -> TextError:
    shown = line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
    return TextError(f'line {number} is not text of Prometheus: {shown!r}; expected such as name{{label="value"}} 1')
