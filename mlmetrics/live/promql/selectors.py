"""The parts of a query that read the history: instant selectors, and functions of a window."""

from dataclasses import dataclass

from mlmetrics.live.promql.evaluating import Instant
from mlmetrics.live.promql.matching import Matcher
from mlmetrics.live.promql.vectors import Value


@dataclass(frozen=True, slots=True, eq=False)
class Select:
    """The series of a name that match, with their present values."""

    name: str
    matchers: tuple[Matcher, ...]
    offset_ms: int

    def value(self, at: Instant) -> Value:
        """Return the values."""
        return at.instant(self.name, self.matchers, self.offset_ms)


@dataclass(frozen=True, slots=True, eq=False)
class OfWindow:
    """What a function says of the samples in a window."""

    function: str
    name: str
    matchers: tuple[Matcher, ...]
    range_ms: int
    offset_ms: int

    def value(self, at: Instant) -> Value:
        """Return the values."""
        return at.window(self.name, self.matchers, self.function, self.range_ms, self.offset_ms)
