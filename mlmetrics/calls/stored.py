"""The series of the calls of one operation in one store, whatever declares them."""

from typing import Any, cast

from mlmetrics.calls.appended import AppendedCalls
from mlmetrics.calls.idle import IdleCalls
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.placed import PlacedCalls
from mlmetrics.catalog import Operation
from mlmetrics.interruption import interrupted
from mlmetrics.recording.store import Store
from mlmetrics.switch import DISABLED


class Calls:
    """The series of one operation in one store, by labels."""

    def __init__(self, store: Store, operation: Operation) -> None:
        self.store = store
        self.operation = operation
        self.optional = [label for label in operation.labels if label != operation.subject]
        """The labels that may be empty."""
        self.known: dict[Any, CallSeries] = {}

    def series(self, service: str | None, values: tuple[object, ...]) -> CallSeries:
        """Return the series of these label values, which may be any objects; they are cleaned and limited."""
        try:
            return self.known[service, *values]
        except Exception as error:  # new, unhashable or hostile values
            if interrupted(error):
                raise
            return self._admit(service, values)

    def _admit(self, service: object, values: tuple[object, ...]) -> CallSeries:
        store, metric = self.store, f"{self.operation.prefix}_total"
        labels = store.admit(metric, store.admit_service(metric, service), values, self.optional)
        series = self.known.get(labels)
        if series is None:
            series = self._declare(labels)
        return series

    def _declare(self, labels: tuple[str | None, ...]) -> CallSeries:
        store, operation = self.store, self.operation
        series: AppendedCalls | PlacedCalls
        if DISABLED:
            series = IdleCalls(store, operation, labels)
        elif store.host is None:
            series = AppendedCalls(store, operation, labels)
        else:
            series = PlacedCalls(store, store.host, operation, labels)
        # First: a signal handler may raise in between, and what is known must be folded.
        self.store.add(series, operation.finished)
        return self.known.setdefault(labels, series)


def calls_of(store: Store, operation: Operation) -> Calls:
    """Return the one `Calls` of a store and an operation, however many toolkits share the store."""
    known = store.declared.get(operation.name)
    if isinstance(known, Calls):
        return known
    return cast("Calls", store.declared.setdefault(operation.name, Calls(store, operation)))
