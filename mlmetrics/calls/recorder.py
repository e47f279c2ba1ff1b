"""What decorators, timers and direct functions need from a toolkit: its store and its service."""

from abc import ABC, abstractmethod

from mlmetrics.calls.labels import service_label
from mlmetrics.calls.stored import Calls, calls_of
from mlmetrics.catalog import Operation
from mlmetrics.errors import DeclarationError
from mlmetrics.recording.collector import declare
from mlmetrics.recording.labels import is_empty
from mlmetrics.recording.store import Store


class Recorder(ABC):
    """An object with a store and a service; `service` is used where no other is given."""

    service: str | None

    @property
    @abstractmethod
    def store(self) -> Store:
        """The store to record into; read for each call, because that registers again in a cleared registry."""

    def calls(self, operation: Operation) -> Calls:
        """Return the series of one operation."""
        return calls_of(self.store, operation)

    def named(self, service: object) -> str | None:
        """Return the service of a declaration: the given one, or the toolkit's if it is None."""
        return self.service if service is None else service_label(service)

    def service_of(self, given: str | None) -> str | None:
        """Return the service of what is recorded directly: the given one, or the toolkit's if it is None or empty."""
        return self.service if given is None or is_empty(given) else given


def declare_operation(store: Store, operation: Operation) -> None:
    """Have an operation of a project's own in a store.

    Raises:
        DeclarationError: it is declared there in another way, or one of its names is taken.
        RegistrationError: one of its names is taken in the registry.
    """
    known = store.operations.get(operation.name, operation)
    if known == operation:
        declare(store, operation.metrics)
        known = store.operations.setdefault(operation.name, operation)
    if known != operation:
        raise DeclarationError(
            f"operation({operation.name!r}): it is declared already, in another way: {_described(known)}; now with "
            f"{_described(operation)}; declare it once, or alike each time"
        )


def _described(operation: Operation) -> str:
    scores = "scores" if operation.score is not None else "no scores"
    return f"the labels {operation.labels}, subject {operation.subject!r}, {scores}, buckets {operation.buckets}"
