"""The toolkit that is measured: it has its own registry, folds everything, and returns what it counted."""

from prometheus_client import CollectorRegistry

from benchmarks.timing import NotTheSameError
from mlmetrics import MLMetrics
from mlmetrics.recording.folding import hold

SERVICE = "benchmark"


class Toolkit:
    """An `MLMetrics` of its own."""

    def __init__(self, max_label_values: int = 200, slow_seconds: float = 30) -> None:
        self.registry = CollectorRegistry()
        self.metrics = MLMetrics(SERVICE, self.registry, max_label_values=max_label_values, slow_seconds=slow_seconds)

    def fold(self) -> None:
        """Fold what has been appended, as a scrape does, because this work is part of the cost."""
        hold(self.metrics.store.fold_all)

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of all samples of this name that have these labels."""
        return sum(
            sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def calls(self, model: str) -> float:
        """Return the successful calls of a model, as `calls_of`."""
        return self.calls_of("inference", model=model)

    def calls_of(self, operation: str, **labels: str) -> float:
        """Return the successful calls with these labels; check that durations and outcomes agree, and nothing else.

        Raises:
            NotTheSameError: they disagree, or a call failed or is still in progress.
        """
        succeeded = self.value(f"ml_{operation}_total", outcome="success", **labels)
        timed = self.value(f"ml_{operation}_duration_seconds_count", **labels)
        running = self.value(f"ml_{operation}_in_progress", **labels)
        all_outcomes = self.value(f"ml_{operation}_total", **labels)
        if not (succeeded == timed == all_outcomes and running == 0):
            raise NotTheSameError(
                f"{operation} {labels}: {succeeded} succeeded, {timed} timed, {all_outcomes} in all, {running} running"
            )
        return succeeded
