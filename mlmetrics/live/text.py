"""Reads the text format 0.0.4 of one target, page after page, at the cost of what has changed.

The beginning of a line, up to its value, is its head. Heads are remembered, and lines that are as they were are
skipped. Lines of a usual form are read here; anything else is read by the parser of prometheus_client, which is exact
and slow, so that both agree on every line.
"""

import math
import re
from collections.abc import Collection, Iterable
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


class TextError(MLMetricsError, ValueError):
    """A page is not text of Prometheus."""


class Head:
    """The head of a line: the name and the labels of a sample. `series` is where the reader of the page keeps it."""

    __slots__ = ("labels", "name", "series", "text")

    def __init__(self, text: str, name: str, labels: Labels) -> None:
        self.text = text
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
    """Pairs of a label and its value, each kept once for all series that have it."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, str], tuple[str, str]] = {}

    def labels(self, pairs: Iterable[tuple[str, str]]) -> Labels:
        """Return labels in order."""
        kept = self._pairs
        return tuple(sorted(kept.get(pair) or self._keep(pair) for pair in pairs))

    def _keep(self, pair: tuple[str, str]) -> tuple[str, str]:
        made = (intern(pair[0]), intern(pair[1]))
        return self._pairs.setdefault(made, made)


class PageReader:
    """Reads the pages of one target; a page that cannot be read leaves it as it was."""

    def __init__(self, interned: Interned) -> None:
        self._interned = interned
        self._lines: list[str] = []
        self._rows: list[Head | None] = []
        self._known: dict[str, Head] = {}
        self._odd: dict[tuple[str, Labels], Head] = {}

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

    def forget(self, ended: Collection[object]) -> None:
        """Forget the heads of series that no page has any more."""
        self._known = {text: head for text, head in self._known.items() if head.series not in ended}
        self._odd = {key: head for key, head in self._odd.items() if head.series not in ended}

    def _changed(self, lines: list[str]) -> list[tuple[Head, float]] | None:
        """Return the samples that changed, None if a line has another head than before."""
        found = []
        for line, head in compress(zip(lines, self._rows, strict=True), map(ne, lines, self._lines)):
            if head is None or not head.text or not line.startswith(head.text):
                return None
            rest = line[len(head.text) :]
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
        rows: list[Head | None] = []
        found: dict[Head, float] = {}
        known = self._known
        for number, line in enumerate(lines, 1):
            head = known.get(line[: line.rfind(" ") + 1])
            if head is None:
                read = self._unknown(number, line)
                if read is None:
                    rows.append(None)
                    continue
                head, value = read
            else:
                value = self._value(number, line, line[len(head.text) :])
            # A second line of a head has no row, so that a change of it has the whole page read again.
            rows.append(None if head in found else head)
            found.setdefault(head, value)
        self._lines, self._rows = lines, rows
        return Reading(list(found.items()), list(found))

    def _value(self, number: int, line: str, rest: str) -> float:
        try:
            if "_" not in rest:
                return float(rest)
        except ValueError:
            pass
        return _exact(number, line)[2]

    def _unknown(self, number: int, line: str) -> tuple[Head, float] | None:
        """Read a line with an unknown head, None if it has no sample."""
        if not line or _COMMENT.fullmatch(line):
            return None
        match, cut = _HEAD.match(line), line.rfind(" ") + 1
        if match is not None and match.end() == cut:
            pairs = _PAIR.findall(match[2] or "")
            if len(dict(pairs)) == len(pairs):
                value = self._value(number, line, line[cut:])
                return self._remembered(line[:cut], match[1], self._interned.labels(pairs)), value
        if not line.strip() or line.lstrip().startswith("#"):
            _check_comment(number, line)
            return None
        name, labels, value, is_at_end = _exact(number, line)
        ordered = self._interned.labels(labels.items())
        if is_at_end:
            return self._remembered(line[:cut], name, ordered), value
        key = (intern(name), ordered)
        return self._odd.setdefault(key, Head("", *key)), value

    def _remembered(self, text: str, name: str, labels: Labels) -> Head:
        return self._known.setdefault(text, Head(text, intern(name), labels))


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
