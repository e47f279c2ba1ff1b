"""What the page is made from: results of queries at one time, from samples in memory or from a Prometheus."""

from typing import Protocol

from mlmetrics.live.history import History
from mlmetrics.live.promql.compiling import compile_query
from mlmetrics.live.promql.evaluating import Evaluator, Instant, Node
from mlmetrics.live.promql.semantics import PROMETHEUS_3, PromQLError, Semantics
from mlmetrics.live.promql.vectors import Vector
from mlmetrics.live.text import Labels

Results = list[tuple[Labels, float]]
_MOST_QUERIES = 4096


class Moment(Protocol):
    """One time at which queries are answered."""

    @property
    def milliseconds(self) -> int:
        """The time."""

    def results(self, query: str, /) -> Results:
        """Return the series of a query that have a value.

        Raises:
            PromQLError: The query cannot be evaluated.
        """


def results_of(moment: Moment, query: str) -> Results:
    """Return the results of a query; one without an answer has none, as in a panel with an error."""
    try:
        return moment.results(query)
    except PromQLError:
        return []


class Memory:
    """Answers queries from a history."""

    def __init__(self, history: History, semantics: Semantics = PROMETHEUS_3) -> None:
        self.history = history
        self._evaluator = Evaluator(history, semantics)
        self._nodes: dict[str, Node] = {}

    def at(self, milliseconds: int) -> "MemoryMoment":
        """Return the moment at a time."""
        return MemoryMoment(self._evaluator.at(milliseconds), self)

    def node(self, query: str) -> Node:
        """Return a query, ready to be evaluated; each is read once."""
        found = self._nodes.get(query)
        if found is None:
            if len(self._nodes) > _MOST_QUERIES:  # those of views that nobody watches any more
                self._nodes.clear()
            found = self._nodes[query] = compile_query(self._evaluator, query)
        return found


class MemoryMoment:
    """One time of a history; what queries have in common is evaluated once."""

    def __init__(self, instant: Instant, memory: Memory) -> None:
        self._instant = instant
        self._memory = memory

    @property
    def milliseconds(self) -> int:
        """The time."""
        return self._instant.milliseconds

    def results(self, query: str) -> Results:
        """Return the series of a query that have a value."""
        found = self._instant.value(self._memory.node(query))
        if not isinstance(found, Vector):
            return [((), found)]
        return list(found.items())


__all__ = ["Memory", "MemoryMoment", "Moment", "PromQLError", "Results", "results_of"]
