"""The sources of the demo's numbers: Prometheus, or the services' own `/metrics` if there is no Prometheus.

A condition maps labels to regular expressions that must match in full; a leading `!` negates.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

import httpx
from prometheus_client.parser import text_string_to_metric_families

from examples.recruiting.addresses import SERVICES

Labels = tuple[str, ...]
Values = dict[Labels, float]
Condition = dict[str, str]
EVERYTHING: Condition = {}


class Figures(Protocol):
    """The numbers that the tables read."""

    def up(self) -> dict[str, bool]:
        """Say for each service whether its metrics can be scraped."""
        ...

    def count(self, sample: str) -> int:
        """Return the number of series of a sample name."""
        ...

    def total(self, sample: str, by: Labels, where: Condition = EVERYTHING) -> Values:
        """Add up a sample by some labels."""
        ...

    def quantile(self, quantile: float, histogram: str, by: Labels, where: Condition = EVERYTHING) -> Values:
        """Estimate a quantile from a histogram's buckets by some labels."""
        ...


class PrometheusFigures:
    """Asks a Prometheus server."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/v1/query"

    def up(self) -> dict[str, bool]:
        """Read `up` of the four jobs."""
        values = self._query("up", ("job",))
        return {service.name: values.get((service.name,)) == 1 for service in SERVICES}

    def count(self, sample: str) -> int:
        """Ask for `count(...)`."""
        return int(self._query(f"count({sample})", ()).get((), 0))

    def total(self, sample: str, by: Labels, where: Condition = EVERYTHING) -> Values:
        """Ask for `sum by (...)`; the processes started with the demo, so totals are those of the demo."""
        return self._query(f"sum by ({', '.join(by)}) ({sample}{_selector(where)})", by)

    def quantile(self, quantile: float, histogram: str, by: Labels, where: Condition = EVERYTHING) -> Values:
        """Ask for `histogram_quantile`."""
        buckets = f"sum by ({', '.join((*by, 'le'))}) ({histogram}_bucket{_selector(where)})"
        return self._query(f"histogram_quantile({quantile}, {buckets})", by)

    def scraped_since(self, moment: float) -> bool:
        """Say whether every service has been scraped after a moment (seconds since the epoch)."""
        stamps = self._query("timestamp(up)", ("job",))
        return all(self.up().values()) and all(stamps.get((service.name,), 0.0) > moment for service in SERVICES)

    def _query(self, query: str, by: Labels) -> Values:
        answer = httpx.get(self._url, params={"query": query}, timeout=10.0, trust_env=False)
        answer.raise_for_status()
        rows = answer.json()["data"]["result"]
        return {tuple(row["metric"].get(label, "") for label in by): float(row["value"][1]) for row in rows}


class ScrapedFigures:
    """Reads `/metrics` of the four services once, and computes the numbers from them."""

    def __init__(self) -> None:
        self._up: dict[str, bool] = {}
        self._samples: dict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
        for service in SERVICES:
            answer = httpx.get(f"{service.url}/metrics", timeout=10.0, trust_env=False)
            self._up[service.name] = answer.is_success
            for family in text_string_to_metric_families(answer.text):
                for sample in family.samples:
                    self._samples[sample.name].append((sample.labels, sample.value))

    def up(self) -> dict[str, bool]:
        """Say which services answered."""
        return self._up

    def count(self, sample: str) -> int:
        """Count what was scraped."""
        return len(self._samples[sample])

    def total(self, sample: str, by: Labels, where: Condition = EVERYTHING) -> Values:
        """Add up what was scraped."""
        totals: Values = defaultdict(float)
        for labels, value in self._samples[sample]:
            if all(_holds(labels.get(label, ""), pattern) for label, pattern in where.items()):
                totals[tuple(labels.get(label, "") for label in by)] += value
        return dict(totals)

    def quantile(self, quantile: float, histogram: str, by: Labels, where: Condition = EVERYTHING) -> Values:
        """Interpolate within the bucket that holds the quantile, as `histogram_quantile` does."""
        buckets: dict[Labels, list[tuple[float, float]]] = defaultdict(list)
        for (*labels, bound), value in self.total(f"{histogram}_bucket", (*by, "le"), where).items():
            buckets[tuple(labels)].append((float(bound), value))
        return {labels: interpolate(quantile, sorted(rows)) for labels, rows in buckets.items()}


def interpolate(quantile: float, buckets: Iterable[tuple[float, float]]) -> float:
    """Estimate a quantile from cumulative buckets, (upper bound, count) ascending."""
    rows = list(buckets)
    rank = quantile * rows[-1][1]
    if not rank:
        return math.nan
    low, below = 0.0, 0.0
    for bound, count in rows:
        if count >= rank:
            return low if math.isinf(bound) else low + (bound - low) * (rank - below) / (count - below)
        low, below = bound, count
    return low


def _selector(where: Condition) -> str:
    conditions = (f'{label}{_operator(pattern)}"{pattern.lstrip("!")}"' for label, pattern in where.items())
    return f"{{{', '.join(conditions)}}}"


def _operator(pattern: str) -> str:
    return "!~" if pattern.startswith("!") else "=~"


def _holds(value: str, pattern: str) -> bool:
    return bool(re.fullmatch(pattern.lstrip("!"), value)) != pattern.startswith("!")
