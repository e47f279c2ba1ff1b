"""Raw samples of a real Prometheus in a history of ours, and the comparison of what both make of them."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import httpx

from mlmetrics.live.history import History
from mlmetrics.live.promql.compiling import compile_query
from mlmetrics.live.promql.evaluating import Evaluator
from mlmetrics.live.promql.semantics import PROMETHEUS_2
from mlmetrics.live.promql.vectors import Vector
from mlmetrics.live.text import Labels
from tests.servers import Queryable, Series

CLOSE = 1e-9
TINY = 1e-12
"""Where numbers nearly cancel each other, what is left depends on the order of the additions."""


def history_of(server: Queryable, seconds: int) -> History:
    """Return a history of all raw samples of the last seconds, read as `metric[5m]` is."""
    history = History()
    pages: dict[tuple[str, ...], dict[int, dict[tuple[str, Labels], float]]] = defaultdict(lambda: defaultdict(dict))
    for series in server.query(f'{{__name__=~".+"}}[{seconds}s]'):
        labels = dict(series["metric"])
        name = labels.pop("__name__")
        key = name, tuple(sorted(labels.items()))
        page = pages[_source(name, labels)]
        for time, text in series["values"]:
            page[round(time * 1000)][key] = float(text)
    for number, page in pages.items():
        source = history.source(str(number))
        for time in sorted(page):
            history.record(source, time, page[time])
    return history


def _source(name: str, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Return what is read at the same instants: a target, the rules of an objective, or rules of a name."""
    if ":" in name or name.startswith("ALERTS"):
        return (labels.get("objective") or name.removesuffix("_FOR_STATE"),)
    return labels.get("job", ""), labels.get("instance", "")


def times_of(history: History) -> dict[str, list[int]]:
    """Return the times of the samples of each source."""
    return {source.name: source.times for source in history.sources}


@dataclass
class Comparison:
    """What was compared, how far the worst is off, and what differs."""

    series: int = 0
    queries: int = 0
    worst: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def add(self, query: str, at: int, theirs: Iterable[Series], ours: Iterator[tuple[Labels, float]]) -> None:
        """Compare two results of a query."""
        expected = {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in theirs}
        found = [(labels, value) for labels, value in ours]
        self.queries += 1
        self.series += len(expected)
        if len(found) != len(expected) or {labels for labels, _ in found} != set(expected):
            missing = [labels for labels in expected if labels not in dict(found)]
            extra = [labels for labels, _ in found if labels not in expected]
            self.wrong.append(f"{query} at {at}: missing {missing[:2]}, more {extra[:2]}")
            return
        for labels, value in found:
            self._compare(f"{query} at {at} {labels}", expected[labels], value)

    def _compare(self, what: str, expected: float, value: float) -> None:
        if expected == value or (math.isnan(expected) and math.isnan(value)):
            return
        difference = abs(expected - value) / max(abs(expected), abs(value), TINY)
        if not difference <= CLOSE:
            self.wrong.append(f"{what}: expected {expected!r}, not {value!r}")
        else:
            self.worst = max(self.worst, difference)


def compare(server: Queryable, history: History, queries: Iterable[str], instants: Iterable[int]) -> Comparison:
    """Evaluate queries at instants, here and on a Prometheus 2, and compare the results."""
    evaluator, compared = Evaluator(history, PROMETHEUS_2), Comparison()
    nodes = {query: compile_query(evaluator, query) for query in queries}
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
        for at in instants:
            evaluation = evaluator.at(at)
            for query, node in nodes.items():
                found = evaluation.value(node)
                ours = found.items() if isinstance(found, Vector) else iter([((), found)])
                compared.add(query, at, _asked(client, query, at), ours)
    return compared


def _asked(client: httpx.Client, query: str, at: int) -> list[Series]:
    """Return what the server answers; one connection serves for all queries."""
    body = client.post("/api/v1/query", data={"query": query, "time": f"{at / 1000:.3f}"}).json()
    assert body["status"] == "success", f"{query}: {body}"
    data = body["data"]
    return [{"metric": {}, "value": data["result"]}] if data["resultType"] == "scalar" else list(data["result"])
