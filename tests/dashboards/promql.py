"""Enough of PromQL's grammar to look at its selectors: each metric with its matchers and what stands around it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_WORDS = {"by", "without", "on", "ignoring", "group_left", "group_right", "or", "and", "unless", "offset", "bool"}
_MATCHER = re.compile(r"""(\w+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*")""")
_LISTS = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")


@dataclass(frozen=True)
class Selector:
    """A metric in a query: its matchers as (label, operator, text), its range, and the function called on it."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]
    window: str
    function: str

    def labels(self) -> set[str]:
        """Return the labels that are matched."""
        return {label for label, _, _ in self.matchers}


def selectors(query: str) -> Iterator[Selector]:
    """Yield the selectors of a query."""
    bare = _LISTS.sub("", query)
    for match in re.finditer(
        r"((?<![\w.])[a-zA-Z_:][\w:]*)?\s*(\{(?:[^{}\"]|\"(?:[^\"\\]|\\.)*\")*\})?\s*(\[[^\]]*\])?", bare
    ):
        name, braces, window = match.groups()
        if not name and not braces:
            continue
        if name and (name in _WORDS or _is_called(bare, match.end(1)) or _is_inside_text(bare, match.start())):
            continue
        before = re.search(r"([a-z_]+)\s*\(\s*$", bare[: match.start()])
        yield Selector(name or "", tuple(_MATCHER.findall(braces or "")), window or "", before[1] if before else "")


def grouped_by(query: str) -> set[str]:
    """Return every label that stands in a list of labels."""
    return {label.strip() for _, names in _LISTS.findall(query) for label in names.split(",") if label.strip()}


def _is_called(query: str, end: int) -> bool:
    return query[end:].lstrip().startswith("(")


def _is_inside_text(query: str, start: int) -> bool:
    return query[:start].count('"') % 2 == 1
