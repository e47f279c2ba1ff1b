"""Series of calls that record nothing, for a program that is switched off."""

from collections.abc import Mapping
from math import inf
from typing import Any

from mlmetrics.calls.appended import AppendedCalls
from mlmetrics.catalog import Operation
from mlmetrics.recording.labels import RawLabels
from mlmetrics.recording.store import Store


def _ignore(_anything: object) -> None:
    """Record nothing."""


class _AllCancelled(dict[Any, None]):
    """Says of every type of exception that it means cancelled, because of a cancellation nothing is told."""

    def __missing__(self, kind: object) -> None:
        return None


class _NoTokens:
    """Counts no tokens."""

    pair = None
    priced = False

    def count(self, _tokens: Mapping[str, Any]) -> dict[str, float]:
        """Count none."""
        return {}

    def measure(self, counted: Mapping[str, float], seconds: float | None) -> None:
        """Measure nothing."""


class IdleCalls(AppendedCalls):
    """A series whose calls are not recorded; they are timed, because a program may read their duration."""

    __slots__ = ()

    def __init__(self, store: Store, operation: Operation, labels: RawLabels) -> None:
        super().__init__(store, operation, labels)
        self.begin = self.succeed = self.fail = self.cancel = self.leave = self.mark = _ignore
        self.notice_seconds = inf
        self.error_types = _AllCancelled()
        self.tokens = _NoTokens()
