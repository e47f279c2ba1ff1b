"""The one collector that a registry holds for us, and the store behind it.

It yields ordinary families, so `generate_latest`, `push_to_gateway` and every other
exporter work as ever.
"""

import os
import threading
from collections.abc import Iterator
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as ClientMetric
from prometheus_client.registry import Collector

from ..errors import RegistrationError
from ..version import __version__
from . import limits
from .family import ExposedFamily
from .folding import hold
from .store import Store

_stores: "WeakKeyDictionary[CollectorRegistry, Store]" = WeakKeyDictionary()
_registering = threading.RLock()
if hasattr(os, "register_at_fork"):
    # The thread that registers while another one forks does not exist in the child.
    _renew = _registering._at_fork_reinit  # type: ignore[attr-defined]  # noqa: SLF001 (as `threading` does with its own)
    os.register_at_fork(after_in_child=_renew)


class StoreCollector(Collector):
    """Folds a store and yields what it has, whenever the registry is collected."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> Iterator[ClientMetric]:
        """Every family of the catalogue, so that a clash of names is found when registering."""
        return (family.expose() for family in self._store.families.values())

    def collect(self) -> Iterator[ExposedFamily]:
        """The families that have series, in the order of the catalogue."""
        store = self._store
        observe_process(store)
        hold(store.fold_all)
        for family in tuple(store.families.values()):
            if not family.empty:
                yield family.expose()


def observe_process(store: Store) -> None:
    """What a scrape says of the process itself."""
    store.gauge("mlmetrics_build_info", (__version__,)).record(1)
    store.gauge("mlmetrics_memory_limit_bytes").record(limits.memory_limit_bytes())
    store.gauge("mlmetrics_cpu_limit_cores").record(limits.cpu_limit_cores())


def store_for(registry: CollectorRegistry) -> Store:
    """The store of a registry, registered with it when first asked for.

    Raises:
        RegistrationError: the registry already has a metric of one of our names.
    """
    with _registering:
        store = _stores.get(registry)
        if store is None:
            store = Store()
            _register(store, registry)
            _stores[registry] = store
        return store


def _register(store: Store, registry: CollectorRegistry) -> None:
    try:
        registry.register(StoreCollector(store))
    except ValueError as error:
        raise RegistrationError(
            f"the registry already holds metrics under names of mlmetrics: {error}. "
            "Remove the hand-written metrics of these names, or give mlmetrics a registry "
            "of its own: MLMetrics(registry=CollectorRegistry())"
        ) from error
    store.counter("mlmetrics_scrape_errors_total")
    store.gauge("mlmetrics_scrape_duration_seconds")
