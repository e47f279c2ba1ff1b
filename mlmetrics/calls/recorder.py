"""What decorators, timers and direct functions need of a toolkit: where to record, and for which service."""

from ..recording.store import Store
from .labels import Calls, calls_of, service_label
from .operation import Operation


class Recorder:
    """Something with a store and a service; `service` is that of what names no other."""

    service: str | None

    @property
    def store(self) -> Store:
        """What is recorded into."""
        raise NotImplementedError

    def calls(self, operation: Operation) -> Calls:
        """The series of one operation."""
        return calls_of(self.store, operation)  # asks the store each time: it sees to a registry that was cleared

    def named(self, service: object) -> str | None:
        """The service of a declaration that names this one, or none."""
        return self.service if service is None else service_label(service)
