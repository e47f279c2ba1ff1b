"""What decorators, timers and direct functions need of a toolkit: where to record, and for which service."""

from ..recording.store import Store
from .labels import Calls, calls_of, service_label
from .operation import Operation


class Recorder:
    """Something with a store and a service; `service` is that of what names no other."""

    service: str | None

    def __init__(self) -> None:
        self._calls: dict[str, Calls] = {}

    @property
    def store(self) -> Store:
        """What is recorded into."""
        raise NotImplementedError

    def calls(self, operation: Operation) -> Calls:
        """The series of one operation."""
        calls = self._calls.get(operation.name)
        if calls is None:
            calls = self._calls[operation.name] = calls_of(self.store, operation)
        return calls

    def named(self, service: object) -> str | None:
        """The service of a declaration that names this one, or none."""
        return self.service if service is None else service_label(service)
