"""What one writes by hand with prometheus_client: histograms and counters whose labels are looked up each time."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from benchmarks.ours import SERVICE

MODEL = "gpt-4"
Verb = Callable[[], object]


class ByHand:
    """What is written by hand: histograms and counters of prometheus_client, whose labels are looked up each time."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        names = ("service", "model", "kind")
        self._seconds = Histogram("seconds", "Seconds.", names, registry=self.registry)
        self._calls = Counter("calls", "Calls.", names, registry=self.registry)
        self._numbers = Histogram("numbers", "Numbers.", names, registry=self.registry)
        self._counts = Counter("counts", "Counts.", names, registry=self.registry)
        self._gauges = Gauge("gauges", "Gauges.", names, registry=self.registry, multiprocess_mode="livesum")

    def call(
        self, function: Callable[[], Any], numbers: Sequence[Callable[[Any], float]] = (), counts: int = 0
    ) -> Verb:
        """Return a timed function that observes these numbers of its result, and adds to so many counters."""

        def timed() -> None:
            start = perf_counter()
            result = function()
            self._calls.labels(SERVICE, MODEL, "success").inc()
            self._seconds.labels(SERVICE, MODEL, "").observe(perf_counter() - start)
            for read in numbers:
                self._numbers.labels(SERVICE, MODEL, "number").observe(read(result))
            for _ in range(counts):
                self._counts.labels(SERVICE, MODEL, "count").inc(48)

        return timed

    def observe(self, number: float) -> None:
        """Observe a number."""
        self._numbers.labels(SERVICE, MODEL, "number").observe(number)

    def inc(self, amount: float = 1) -> None:
        """Add to a counter."""
        self._counts.labels(SERVICE, MODEL, "count").inc(amount)

    def set(self, value: float) -> None:
        """Set a gauge."""
        self._gauges.labels(SERVICE, MODEL, "gauge").set(value)
