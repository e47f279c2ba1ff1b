"""The evaluation of queries at one instant: every part of a query is evaluated once, for all that ask for it."""

from collections.abc import Callable, Mapping
from typing import Protocol

from mlmetrics.live.history import History
from mlmetrics.live.promql.matching import Matcher
from mlmetrics.live.promql.selecting import Selection, Selector
from mlmetrics.live.promql.semantics import LOOKBACK_MS, PROMETHEUS_3, PromQLError, Semantics
from mlmetrics.live.promql.vectors import Layout, Value, Values, Vector
from mlmetrics.live.promql.windows import Window, growths, instants, samples

_NOTHING = Vector(Layout(()), [])


class Node(Protocol):
    """A part of a query, ready to be evaluated; nodes of the same text are the same object."""

    def value(self, at: "Instant", /) -> Value:
        """Return the result at an instant."""


class Evaluator:
    """Evaluates queries over a history. Nodes are made by `compiling`, once for each text."""

    def __init__(self, history: History, semantics: Semantics = PROMETHEUS_3) -> None:
        self.history = history
        self.semantics = semantics
        self.selector = Selector(history, semantics)
        self.nodes: dict[str, Node] = {}

    def at(self, milliseconds: int) -> "Instant":
        """Return the evaluation at a time."""
        return Instant(self, milliseconds)


class Instant:
    """An evaluation at one time, with what was evaluated already."""

    def __init__(self, evaluator: Evaluator, milliseconds: int) -> None:
        self.milliseconds = milliseconds
        self.semantics = evaluator.semantics
        self._selector = evaluator.selector
        self._results: dict[Node, Value] = {}
        self._columns: dict[tuple[str, object, str, int, int], tuple[Selection, Values]] = {}

    def value(self, node: Node) -> Value:
        """Return the result of a part of a query."""
        found = self._results.get(node)
        if found is None:
            found = self._results[node] = node.value(self)
        return found

    def vector(self, node: Node) -> Vector:
        """Return the result of a part that has series."""
        found = self.value(node)
        if not isinstance(found, Vector):
            raise PromQLError(f"expected series, and not the number {found:g}")
        return found

    def instant(self, name: str, matchers: tuple[Matcher, ...], offset_ms: int) -> Vector:
        """Return the present values of the series that are selected, with their names."""
        at = self.milliseconds - offset_ms

        def compute(selection: Selection) -> Values:
            return instants(selection, at, at - LOOKBACK_MS, self.semantics)

        found = self._column(name, matchers, ("instant", 0, offset_ms), compute)
        return Vector(found[0].named(), found[1]) if found else _NOTHING

    def window(self, name: str, matchers: tuple[Matcher, ...], function: str, range_ms: int, offset_ms: int) -> Vector:
        """Return the results of a function of windows for the series that are selected."""
        end = self.milliseconds - offset_ms
        window = Window(end - range_ms, end, self.semantics)

        def compute(selection: Selection) -> Values:
            if function in ("rate", "increase"):
                return growths(selection, window, per_second=function == "rate")
            return samples(selection, window, PICKS[function])

        found = self._column(name, matchers, (function, range_ms, offset_ms), compute)
        if found is None:
            return _NOTHING
        selection, values = found
        return Vector(selection.named() if function == "last_over_time" else selection.layout, values)

    def _column(
        self,
        name: str,
        matchers: tuple[Matcher, ...],
        what: tuple[str, int, int],
        compute: Callable[[Selection], Values],
    ) -> tuple[Selection, Values] | None:
        """Return a column of values; where it is known for all series of the name, it is picked from there."""
        selection = self._selector.select(name, matchers)
        if selection is None:
            return None
        key = (name, selection, *what)
        known = self._columns.get(key)
        if known is None:
            known = self._columns[key] = selection, self._picked(name, selection, what) or compute(selection)
        return known

    def _picked(self, name: str, selection: Selection, what: tuple[str, int, int]) -> Values | None:
        if selection.is_whole:
            return None
        whole = self._columns.get((name, self._selector.whole(name), *what))
        return [whole[1][position] for position in selection.positions] if whole else None


def _largest(values: list[float]) -> float:
    return max((value for value in values if value == value), default=values[0])  # noqa: PLR0124 - NaN


def _smallest(values: list[float]) -> float:
    return min((value for value in values if value == value), default=values[0])  # noqa: PLR0124 - NaN


PICKS: Mapping[str, Callable[[list[float]], float]] = {
    "max_over_time": _largest,
    "min_over_time": _smallest,
    "last_over_time": lambda values: values[-1],
    "present_over_time": lambda _values: 1.0,
}
WINDOWED = {"rate", "increase", *PICKS}
"""The functions of windows that are evaluated."""
