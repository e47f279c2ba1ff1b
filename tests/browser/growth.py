"""What two scrapes of services say about the time between them: the numbers that the live page then has to show.

It is computed from the raw pages with prometheus_client's own parser, and with nothing of what the page computes by.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping

from prometheus_client.parser import text_string_to_metric_families

from examples.recruiting.demo.figures import interpolate

Labels = Mapping[str, str]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples_of(page: str) -> Samples:
    """Return the samples of a page."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


class Growth:
    """How much the counters of services have grown between two scrapes."""

    def __init__(self, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        self.after = {service: samples_of(page) for service, page in after.items()}
        self._grown: Samples = defaultdict(float)
        for service, page in before.items():
            old = samples_of(page)
            for key, value in self.after[service].items():
                self._grown[key] += value - old.get(key, 0.0)

    def _found(self, name: str, labels: Labels) -> Iterator[tuple[dict[str, str], float]]:
        for (sample, pairs), value in self._grown.items():
            if sample == name and labels.items() <= dict(pairs).items():
                yield dict(pairs), value

    def total(self, name: str, **labels: str) -> float:
        """Return how much a counter has grown, all series with these labels together."""
        return sum(value for _, value in self._found(name, labels))

    def groups(self, name: str, *by: str) -> set[tuple[str, ...]]:
        """Return the values that these labels of a counter have."""
        return {tuple(found[label] for label in by) for found, _ in self._found(name, {})}

    def share(self, name: str, **labels: str) -> float:
        """Return the share of calls that succeeded, of those that were not cancelled."""
        good, bad = (self.total(name, outcome=outcome, **labels) for outcome in ("success", "failure"))
        return good / (good + bad)

    def quantile(self, quantile: float, histogram: str, **labels: str) -> float:
        """Return a quantile of what a histogram has observed."""
        buckets: dict[float, float] = defaultdict(float)
        for found, value in self._found(f"{histogram}_bucket", labels):
            buckets[float(found["le"])] += value
        return interpolate(quantile, sorted(buckets.items()))


_PREFIXES = {"": 1.0, "k": 1e3, "M": 1e6}
_UNITS = {
    "%": 0.01,
    " s": 1.0,
    " ms": 1e-3,
    " µs": 1e-6,
    " min": 60.0,
    **{f"{prefix}{per}": factor for prefix, factor in _PREFIXES.items() for per in ("", "/s")},
}
NOTHING = "\N{EN DASH}"


def number(text: str) -> float:
    """Return the number that a text of the page shows, such as `38.6/s`, `$1.38k` or `243 ms`.

    >>> number("38.6/s"), number("$1.38k"), number("0%"), number("12 ms")
    (38.6, 1380.0, 0.0, 0.012)
    """
    if text == NOTHING:
        return math.nan
    digits = text.removeprefix("$").rstrip("/%µkMimns ")
    return float(digits) * _UNITS[text.removeprefix("$")[len(digits) :]]
