"""What decorators, timers and direct functions need from a toolkit: its store and its service."""

from mlmetrics.calls.labels import Calls, calls_of, service_label
from mlmetrics.catalog import Operation
from mlmetrics.recording.store import Store


class Recorder:
    """An object with a store and a service; `service` is used where no other is given."""

    service: str | None

    @property
    def store(self) -> Store:
        """The store to record into."""
        raise NotImplementedError

    def calls(self, operation: Operation) -> Calls:
        """Return the series of one operation."""
        return calls_of(
            self.store, operation
        )  # `store` is read each time, because that registers again in a cleared registry

    def named(self, service: object) -> str | None:
        """Return the service of a declaration: the given one, or the toolkit's if it is None."""
        return self.service if service is None else service_label(service)
