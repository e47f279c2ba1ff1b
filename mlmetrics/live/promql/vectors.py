"""Results of expressions: the labels of series, which stay the same for many evaluations, and one value for each.

A series without a value is left in its place with None, so that what was worked out about labels can be kept.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeVar

from mlmetrics.live.text import Labels

_Plan = TypeVar("_Plan")
NAME = "__name__"
Values = list[float | None]


class Layout:
    """The labels of the series of a result, and what was worked out about them."""

    __slots__ = ("_joined", "_kept", "labels")

    def __init__(self, labels: Iterable[Labels]) -> None:
        self.labels = tuple(labels)
        self._kept: dict[Hashable, Any] = {}
        self._joined: dict[object, tuple[Layout, Any]] = {}

    def kept(self, key: Hashable, make: Callable[[], _Plan]) -> _Plan:
        """Return what was worked out under a key, or work it out."""
        found: _Plan | None = self._kept.get(key)
        if found is None:
            found = self._kept[key] = make()
        return found

    def joined(self, node: object, other: "Layout", make: Callable[[], _Plan]) -> _Plan:
        """Return what a node has worked out about this layout and another one, or work it out."""
        kept = self._joined.get(node)
        if kept is None or kept[0] is not other:
            kept = self._joined[node] = other, make()
        plan: _Plan = kept[1]
        return plan

    def without_name(self) -> "Layout":
        """Return the same series without the names of metrics."""
        return self.kept(NAME, lambda: Layout(tuple(p for p in each if p[0] != NAME) for each in self.labels))


class Vector:
    """A value, or None, for each series of a layout."""

    __slots__ = ("layout", "values")

    def __init__(self, layout: Layout, values: Values) -> None:
        self.layout = layout
        self.values = values

    def items(self) -> Iterator[tuple[Labels, float]]:
        """Yield the series that have a value."""
        for labels, value in zip(self.layout.labels, self.values, strict=True):
            if value is not None:
                yield labels, value


Value = Vector | float
