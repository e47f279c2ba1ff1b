"""Which series of two sides belong together: worked out once for two layouts, checked at every evaluation."""

from collections.abc import Iterator
from dataclasses import dataclass

from mlmetrics.live.promql.semantics import PromQLError
from mlmetrics.live.promql.vectors import NAME, Layout, Values
from mlmetrics.live.text import Labels


@dataclass(frozen=True, slots=True)
class Matching:
    """The labels by which series are matched: `on` these, or ignoring them.

    `many` is the side that may have several series of one match, `left` or `right`; they get the labels in `include`
    of the other side.
    """

    labels: frozenset[str] = frozenset()
    on: bool = False
    many: str = ""
    include: tuple[str, ...] = ()


@dataclass(slots=True)
class Join:
    """The pairs of two sides, and the labels of the results.

    Of each of the `rivals`, places of the side that has one series for a match, one may have a value; so it is with
    `doubles`, results with the same labels.
    """

    layout: Layout
    left: list[int]
    right: list[int]
    rivals: list[list[int]]
    doubles: list[list[int]]
    one: str

    def pairs(self, left: Values, right: Values) -> Iterator[tuple[float | None, float | None]]:
        """Yield the values that belong together.

        Raises:
            PromQLError: Several series of the side that is to have one match.
        """
        values = left if self.one == "left" else right
        if any(_several(values, places) for places in self.rivals):
            raise PromQLError(f"several series of the {self.one} side have the same labels to match by; expected one")
        return zip((left[place] for place in self.left), (right[place] for place in self.right), strict=True)

    def check(self, values: Values) -> None:
        """Raise a PromQLError if several results have the same labels."""
        if any(_several(values, places) for places in self.doubles):
            raise PromQLError("several series match one of the other side; expected group_left or group_right")


def _several(values: Values, places: list[int]) -> bool:
    return sum(values[place] is not None for place in places) > 1


def signatures(layout: Layout, matching: Matching) -> list[object]:
    """Return what each series is matched by."""
    key = ("signatures", matching.labels, matching.on)
    return layout.kept(key, lambda: [_signature(labels, matching) for labels in layout.labels])


def _signature(labels: Labels, matching: Matching) -> object:
    if matching.on:
        return tuple([pair for pair in labels if pair[0] in matching.labels and pair[1]])
    return tuple([pair for pair in labels if pair[0] not in matching.labels and pair[0] != NAME])


def join(left: Layout, right: Layout, matching: Matching, *, keeps_name: bool) -> Join:
    """Return how the series of two sides are joined; the results have the labels of the side with many."""
    of_left, of_right = (_places(each, matching) for each in (left, right))
    pairs = [(one, other) for key, ones in of_left.items() for one in ones for other in of_right.get(key, ())]
    labels = [_result(left.labels[one], right.labels[other], matching, keeps_name=keeps_name) for one, other in pairs]
    results: dict[Labels, list[int]] = {}
    for place, each in enumerate(labels):
        results.setdefault(each, []).append(place)
    return Join(
        Layout(labels),
        [one for one, _ in pairs],
        [other for _, other in pairs],
        [places for places in (of_left if matching.many == "right" else of_right).values() if len(places) > 1],
        [places for places in results.values() if len(places) > 1],
        "left" if matching.many == "right" else "right",
    )


def _places(layout: Layout, matching: Matching) -> dict[object, list[int]]:
    found: dict[object, list[int]] = {}
    for place, key in enumerate(signatures(layout, matching)):
        found.setdefault(key, []).append(place)
    return found


def _result(left: Labels, right: Labels, matching: Matching, *, keeps_name: bool) -> Labels:
    many, one = (right, left) if matching.many == "right" else (left, right)
    kept = many if keeps_name else tuple(pair for pair in many if pair[0] != NAME)
    if not matching.many:
        return tuple(pair for pair in kept if (pair[0] in matching.labels) == matching.on)
    if not matching.include:
        return kept
    included = dict(one)
    others = [pair for pair in kept if pair[0] not in matching.include]
    return tuple(sorted([*others, *((name, included[name]) for name in matching.include if included.get(name))]))
