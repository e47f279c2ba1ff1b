"""The collector that mlmetrics registers in a registry, and the store that it reads.

It yields ordinary families, so `generate_latest`, `push_to_gateway` and all other
exporters work as usual.
"""

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import Metric as ClientMetric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from mlmetrics import logs
from mlmetrics.catalog import RECORDING_PLACES
from mlmetrics.errors import RegistrationError
from mlmetrics.recording import limits
from mlmetrics.recording.family import ExposedFamily
from mlmetrics.recording.folding import hold
from mlmetrics.recording.store import ERRORS, Store
from mlmetrics.version import __version__

_stores: "WeakKeyDictionary[CollectorRegistry, Store]" = WeakKeyDictionary()
_registering = threading.RLock()
if hasattr(os, "register_at_fork"):
    # The thread that registers while another one forks does not exist in the child.
    _renew = _registering._at_fork_reinit  # type: ignore[attr-defined]  # noqa: SLF001 (as `threading` does with its own)
    os.register_at_fork(after_in_child=_renew)


class StoreCollector(Collector):
    """Folds a store and yields its families, whenever the registry is collected."""

    of_mlmetrics = True  # by this a second import of this module recognizes collectors of the first

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> Iterator[ClientMetric]:
        """Every family of the catalogue, so that a name that is already used is found when registering."""
        return (family.expose() for family in self._store.families.values())

    def collect(self) -> Iterator[ExposedFamily]:
        """Yield the families that have series; none if a `MultiProcessCollector` beside us reads the same files."""
        registry = registry_of(self._store) if self._store.host is not None else None
        if not any(isinstance(each, MultiProcessCollector) for each in collectors_of(registry)):
            yield from self.families()

    def families(self) -> Iterator[ExposedFamily]:
        """Yield the families that have series, in the order of the catalogue."""
        store = self._store
        observe_process(store)
        hold(store.fold_all)
        for family in store.exposed_families():
            yield family.expose()


def collectors_of(registry: CollectorRegistry | None) -> tuple[Collector, ...]:
    """Return the collectors of a registry."""
    # There is no public way to ask; without the private attribute, none is known.
    return tuple(getattr(registry, "_collector_to_names", ()))


def observe_process(store: Store) -> None:
    """Record the version and the limits of the process."""
    store.gauge("mlmetrics_build_info", (__version__,)).record(1)
    store.gauge("mlmetrics_memory_limit_bytes").record(limits.memory_limit_bytes())
    store.gauge("mlmetrics_cpu_limit_cores").record(limits.cpu_limit_cores())


def store_for(registry: CollectorRegistry) -> Store:
    """Return the store of a registry; registered at the first request, and again after the registry was cleared.

    A registry that has been cleared, as test suites do, gets the same store again, so no
    recorded value is lost.

    Raises:
        RegistrationError: the registry already has another metric with a name of the catalogue.
    """
    with _registering:
        store = _stores.get(registry)
        if store is None:
            store = Store()
            _register(store, registry)
            declare_own(store)
            _stores[registry] = store
        elif not holds(registry, store):
            _register(store, registry)
        return store


def store_of(registry: CollectorRegistry) -> Store | None:
    """Return the store of a registry; None if it has none."""
    return _stores.get(registry)


def registry_of(store: Store) -> CollectorRegistry | None:
    """Return the registry of a store; None if it no longer exists."""
    return next((registry for registry, known in tuple(_stores.items()) if known is store), None)


def _take_over(registry: CollectorRegistry) -> None:
    """Unregister the collector of an earlier import, after `sys.modules` was emptied and mlmetrics imported again.

    Counters then start at 0, as after a restart. Functions that were decorated by the earlier
    import still record, but nothing exposes it: each import has its own locks.
    """
    # There is no public way to find the collector of a name.
    held: Any = getattr(registry, "_names_to_collectors", {}).get("mlmetrics_build_info")
    if getattr(held, "of_mlmetrics", False):
        logs.logger().warning("collector.replaced", why="mlmetrics was imported again")
        registry.unregister(held)


def holds(registry: CollectorRegistry, store: Store) -> bool:
    """Whether the registry still has the collector of this store; clearing a registry notifies nobody."""
    # There is no public way to ask. Without this private attribute, we assume that it still has the collector.
    held = getattr(registry, "_collector_to_names", None)
    return held is None or store.collector in held


def _register(store: Store, registry: CollectorRegistry) -> None:
    _take_over(registry)
    collector = StoreCollector(store)
    try:
        registry.register(collector)
    except ValueError as error:
        raise RegistrationError(
            f"the registry already holds metrics under names of mlmetrics: {error}. "
            "Remove the hand-written metrics of these names, or give mlmetrics a registry "
            "of its own: MLMetrics(registry=CollectorRegistry())"
        ) from error
    store.collector = collector


def declare_own(store: Store) -> None:
    """Create the series about mlmetrics itself at 0, so that `increase` sees the first error."""
    store.counter("mlmetrics_scrape_errors_total")
    store.gauge("mlmetrics_scrape_duration_seconds")
    for place in RECORDING_PLACES:
        store.counter(ERRORS, (place,))


class _Default:
    """How to find the store that is used if no registry is given; by default that of prometheus_client's `REGISTRY`."""

    def __init__(self) -> None:
        self.find: Callable[[], Store] = lambda: store_for(REGISTRY)
        self.asked = False


_default = _Default()


def default_store() -> Store:
    """Return the store that is used if no registry is given."""
    _default.asked = True
    return _default.find()


def follow(find: Callable[[], Store]) -> None:
    """Have what names no registry record where a toolkit does.

    What was made before the toolkit was loaded has a store by now: the toolkit settles on it,
    and refuses to go to another registry, as if it had been there from the start.
    """
    _default.find = find
    if _default.asked:
        find()
