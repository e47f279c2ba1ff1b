"""Selections of series: worked out once for a name and matchers, until the set of series of the name changes."""

from collections.abc import Sequence

from mlmetrics.live.history import Family, History
from mlmetrics.live.promql.matching import Matcher, tests
from mlmetrics.live.promql.semantics import Semantics
from mlmetrics.live.promql.vectors import NAME, Layout
from mlmetrics.live.series import Series, Source

_FORGOTTEN_AFTER = 512


class Selection:
    """Series of one name in blocks by their source, and where each stands in the selection of all of the name."""

    __slots__ = ("_name", "blocks", "family", "is_whole", "layout", "positions", "version")

    def __init__(self, name: str, family: Family, blocks: Sequence[tuple[Source, list[Series]]]) -> None:
        self._name = name
        self.family = family
        self.version = family.version
        self.blocks = blocks
        self.layout = Layout(each.labels for _, block in blocks for each in block)
        self.positions: list[int] = []
        self.is_whole = False

    def named(self) -> Layout:
        """Return the labels with the name of the metric."""
        pair = (NAME, self._name)
        return self.layout.kept("named", lambda: Layout((pair, *each) for each in self.layout.labels))


class Selector:
    """Selects series of a history, and remembers what it has selected."""

    def __init__(self, history: History, semantics: Semantics) -> None:
        self._history = history
        self._semantics = semantics
        self._kept: dict[tuple[str, tuple[Matcher, ...]], Selection] = {}

    def whole(self, name: str) -> Selection | None:
        """Return all series of a name, None if there are none."""
        return self.select(name, ())

    def select(self, name: str, matchers: tuple[Matcher, ...]) -> Selection | None:
        """Return the series of a name that match, None if there are none of the name."""
        family = self._history.families.get(name)
        if family is None:
            return None
        kept = self._kept.get((name, matchers))
        if kept is None or kept.family is not family or kept.version != family.version:
            if len(self._kept) > _FORGOTTEN_AFTER:
                self._kept.clear()
            kept = self._kept[name, matchers] = self._made(name, family, matchers)
        return kept

    def _made(self, name: str, family: Family, matchers: tuple[Matcher, ...]) -> Selection:
        if not matchers:
            by_source: dict[Source, list[Series]] = {}
            for series in family.series:
                by_source.setdefault(series.source, []).append(series)
            whole = Selection(name, family, list(by_source.items()))
            whole.is_whole = True
            return whole
        every = self.select(name, ())
        assert every is not None  # noqa: S101 - the family is there
        return self._narrowed(name, every, matchers)

    def _narrowed(self, name: str, every: Selection, matchers: tuple[Matcher, ...]) -> Selection:
        checks = tests(matchers, dot_is_any=self._semantics.dot_is_any)
        blocks: list[tuple[Source, list[Series]]] = []
        positions: list[int] = []
        position = 0
        for source, block in every.blocks:
            chosen = []
            for series in block:
                labels = dict(series.labels)
                if all(test(labels.get(label, "")) for label, test in checks):
                    chosen.append(series)
                    positions.append(position)
                position += 1
            if chosen:
                blocks.append((source, chosen))
        if len(positions) == position:
            return every
        found = Selection(name, every.family, blocks)
        found.positions = positions
        return found
