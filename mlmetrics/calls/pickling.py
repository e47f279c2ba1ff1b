"""What a recorded function refers to when it is sent to another process.

joblib and cloudpickle send a function of `__main__` by value, with all that its wrapper refers
to. Recorded numbers are not sent: a series becomes the series of the same labels in the other
process, and each process exposes what it has recorded itself. The store of the default registry
becomes that of the default registry there. Any other store has a token: the other process makes
one registry for each token, and a toolkit that is sent as well uses the same one.
"""

import copyreg
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from weakref import WeakKeyDictionary, WeakValueDictionary

from prometheus_client import REGISTRY, CollectorRegistry

from mlmetrics.calls.appended import AppendedCalls
from mlmetrics.calls.idle import IdleCalls
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.placed import PlacedCalls
from mlmetrics.calls.recorder import declare_operation
from mlmetrics.calls.stored import Calls, calls_of
from mlmetrics.catalog import SHIPPED, Operation
from mlmetrics.catalog.own import own_operation
from mlmetrics.exemplars import TraceIds
from mlmetrics.pricing.table import Table
from mlmetrics.recording.collector import registry_of, store_for, store_of
from mlmetrics.recording.idle import IdleStore
from mlmetrics.recording.labels import RawLabels
from mlmetrics.recording.store import Store

_tokens: "WeakKeyDictionary[Store, str]" = WeakKeyDictionary()
_registries: "WeakValueDictionary[str, CollectorRegistry]" = WeakValueDictionary()
_made: list[CollectorRegistry] = []
"""Keeps the registries that were made for a token alive."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of a store, applied to a store that is created for it in another process."""

    service: str | None
    max_label_values: int
    max_series: int
    slow_seconds: float
    log_interval_seconds: float
    clock: Callable[[], float]
    buckets: Mapping[str, Sequence[float]]
    prices: Table | None
    trace_ids: TraceIds | None

    @classmethod
    def of(cls, store: Store) -> Self:
        """Return the options of a store."""
        buckets = store.configured_buckets()
        service = store.configured_service or store.middleware_service
        limits = store.limits
        times = (store.slow_seconds, store.log_interval_seconds, store.given_clock)
        own_prices = None if store.prices is None else store.prices.own
        return cls(service, limits.max_values, limits.max_series, *times, buckets, own_prices, store.trace_ids)

    def apply(self, store: Store) -> None:
        """Configure a store with these options."""
        if self.service is not None:
            store.name_service(self.service, configured=True)
        store.limits.max_values = self.max_label_values
        store.limits.max_series = self.max_series
        store.slow_seconds = self.slow_seconds
        store.log_interval_seconds = self.log_interval_seconds
        store.set_clock(self.clock)
        store.trace_ids = self.trace_ids
        store.set_buckets(self.buckets, sent=True)
        if self.prices is not None:
            store.set_prices(self.prices)


def send_store(store: Store) -> tuple[Any, ...]:
    """How a store is pickled: by its token and its options."""
    registry = registry_of(store)
    token = None
    if registry is not REGISTRY and registry is not None:
        token = _tokens.setdefault(store, os.urandom(16).hex())
        _registries[token] = registry
    return store_here, (token, Settings.of(store))


def store_here(token: str | None, settings: Settings) -> Store:
    """Return the store in this process that replaces the store of another process."""
    registry = REGISTRY if token is None else _registry_here(token)
    known = store_of(registry)
    store = known or store_for(registry)
    if token is not None:
        _tokens[store] = token  # so that it keeps its token if it is sent on
    if known is None:
        settings.apply(store)
    return store


def _registry_here(token: str) -> CollectorRegistry:
    registry = _registries.get(token)
    if registry is None:
        registry = _registries[token] = CollectorRegistry()
        _made.append(registry)
    return registry


def send_operation(operation: Operation) -> tuple[Any, ...]:
    """How an operation is pickled: by its name, or, a project's own, by what it was declared with."""
    if operation.ships:
        return operation_here, (operation.name,)
    scored = operation.score is not None
    return own_here, (operation.name, operation.labels, scored, operation.subject or None, operation.buckets)


def operation_here(name: str) -> Operation:
    """Return the operation of this name."""
    return SHIPPED[name]


def own_here(*declared: Any) -> Operation:
    """Return the row of an operation of a project's own."""
    name, labels, scored, subject, buckets = declared
    return own_operation(name, labels, score=scored, subject=subject, buckets=buckets)


def calls_here(store: Store, operation: Operation) -> Calls:
    """Return the calls of an operation in a store of this process."""
    if not operation.ships:
        declare_operation(store, operation)
    return calls_of(store, operation)


def series_here(calls: Calls, labels: RawLabels) -> CallSeries:
    """Return the series of these labels in this process."""
    return calls.series(labels[0], labels[1:])


def send_series(series: CallSeries) -> tuple[Any, ...]:
    """How a series is pickled: by its labels."""
    return series_here, (calls_of(series.store, series.operation), series.labels)


copyreg.pickle(Store, send_store)
copyreg.pickle(IdleStore, send_store)
copyreg.pickle(Operation, send_operation)
copyreg.pickle(Calls, lambda calls: (calls_here, (calls.store, calls.operation)))
copyreg.pickle(AppendedCalls, send_series)
copyreg.pickle(PlacedCalls, send_series)
copyreg.pickle(IdleCalls, send_series)
