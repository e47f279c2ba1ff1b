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
        """Return the successful calls of a model; check that durations and outcomes agree, and nothing else is there.

        Raises:
            NotTheSameError: they disagree, or a call failed or is still in progress.
        """
        succeeded = self.value("ml_inference_total", model=model, outcome="success")
        timed = self.value("ml_inference_duration_seconds_count", model=model)
        running = self.value("ml_inference_in_progress", model=model)
        all_outcomes = self.value("ml_inference_total", model=model)
        if not (succeeded == timed == all_outcomes and running == 0):
            raise NotTheSameError(
                f"{model}: {succeeded} succeeded, {timed} timed, {all_outcomes} in all, {running} running"
            )
        return succeeded
