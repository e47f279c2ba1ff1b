"""The collector that mlmetrics registers in a registry, and the store that it reads.

It yields ordinary families, so `generate_latest`, `push_to_gateway` and all other
exporters work as usual.
"""

import os
import threading
from collections.abc import Iterable, Iterator
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as ClientMetric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from mlmetrics import logs
from mlmetrics.catalog import BY_NAME, RECORDING_PLACES, Metric
from mlmetrics.catalog.own import all_names
from mlmetrics.errors import RegistrationError
from mlmetrics.recording import limits
from mlmetrics.recording.declaring import Group
from mlmetrics.recording.family import ExposedFamily, Family
from mlmetrics.recording.folding import hold
from mlmetrics.recording.idle import IdleStore
from mlmetrics.recording.store import ERRORS, Store
from mlmetrics.switch import DISABLED
from mlmetrics.version import __version__

HELD = "_collector_to_names"
"""The attribute in which a registry has its collectors."""
SETTLE_SECONDS = 1.0
"""A scrape waits so long for costs whose rates are being looked up; the next one has them otherwise."""
_stores: "WeakKeyDictionary[CollectorRegistry, Store]" = WeakKeyDictionary()
_registering = threading.RLock()
if hasattr(os, "register_at_fork"):
    # The thread that registers while another one forks does not exist in the child.
    _renew = _registering._at_fork_reinit  # type: ignore[attr-defined]  # noqa: SLF001 (as `threading` does with its own)
    os.register_at_fork(after_in_child=_renew)


class StoreCollector(Collector):
    """Folds a store and yields the catalogue's families, whenever the registry is collected."""

    of_mlmetrics = True  # by this a second import of this module recognizes collectors of the first

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self) -> Iterator[ClientMetric]:
        """Every family of the catalogue, so that a name that is already used is found when registering."""
        return (family.expose() for family in self._store.families.values() if family.metric.name in BY_NAME)

    def collect(self) -> Iterator[ExposedFamily]:
        """Yield the families that have series; none if a `MultiProcessCollector` beside us reads the same files.

        Of a project's own, only those that another process has declared: an `OwnCollector` yields the others.
        """
        if not merged_beside(self._store):
            yield from (each for each in self.families() if each.family.metric.name not in self._store.own)

    def families(self) -> Iterator[ExposedFamily]:
        """Yield all families of the store that have series, the catalogue's first."""
        store = self._store
        observe_process(store)
        hold(store.fold_all)
        for family in store.exposed_families():
            if family.metric.name in store.families or not self._is_taken(family.metric):
                yield family.expose()

    def _is_taken(self, metric: Metric) -> bool:
        """Whether somebody else has the name of a metric that other processes had declared."""
        taken = getattr(registry_of(self._store), "_names_to_collectors", {})
        return not all_names(metric).isdisjoint(taken)


class OwnCollector(Collector):
    """Yields the families that a project has declared together, when they are all that is asked for, and otherwise.

    A registry gives a collector no further names, so each declaration registers a collector for its own.
    """

    of_mlmetrics = True

    def __init__(self, store: Store, group: Group) -> None:
        self.group = group
        self._store = store

    def describe(self) -> Iterator[ClientMetric]:
        """Every family of the group."""
        return (Family(metric).expose() for metric in self.group.metrics.values())

    def collect(self) -> Iterator[ExposedFamily]:
        """Yield the families that have series; none if a `MultiProcessCollector` beside us reads the same files."""
        store, names = self._store, self.group.metrics
        if not merged_beside(store):
            hold(store.fold_group, self.group)
            found = store.exposed_families() if store.host else [store.families[name] for name in names]
            yield from (family.expose() for family in found if family.metric.name in names and not family.empty)


def merged_beside(store: Store) -> bool:
    """Whether a `MultiProcessCollector` in the registry of the store yields what stands in its files."""
    registry = registry_of(store) if store.host is not None else None
    return any(isinstance(each, MultiProcessCollector) for each in collectors_of(registry))


def collectors_of(registry: CollectorRegistry | None) -> tuple[Collector, ...]:
    """Return the collectors of a registry."""
    # There is no public way to ask; without the private attribute, none is known.
    return tuple(getattr(registry, HELD, ()))


def observe_process(store: Store) -> None:
    """Record the version and the limits of the process."""
    store.gauge("mlmetrics_build_info", (__version__,)).record(1)
    store.gauge("mlmetrics_memory_limit_bytes").record(limits.memory_limit_bytes())
    store.gauge("mlmetrics_cpu_limit_cores").record(limits.cpu_limit_cores())
    if store.prices is not None:
        store.prices.settle(SETTLE_SECONDS)
        observe_prices(store)


def observe_prices(store: Store) -> None:
    """Record of when the prices in use are."""
    for table, seconds in store.prices.tables().items() if store.prices is not None else ():
        store.gauge("mlmetrics_price_table_timestamp_seconds", (table,)).record(seconds)


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
            store = IdleStore() if DISABLED else Store()
            _register(store, registry)
            declare_own(store)
            _stores[registry] = store
        elif not holds(registry, store) and not DISABLED:
            _register(store, registry)
        return store


def store_of(registry: CollectorRegistry) -> Store | None:
    """Return the store of a registry; None if it has none."""
    return _stores.get(registry)


def registry_of(store: Store) -> CollectorRegistry | None:
    """Return the registry of a store; None if it no longer exists."""
    return next((registry for registry, known in tuple(_stores.items()) if known is store), None)


def declare(store: Store, metrics: Iterable[Metric]) -> None:
    """Have a project's own metrics in a store and in its registry; those that it has already stay as they are.

    All of them are there afterwards, or, if one is refused, none. `mlmetrics_recording_errors_total` stands
    at 0 from then on for each of their labels.

    Raises:
        DeclarationError: another metric of the store has the name of one, or has it with another row.
        RegistrationError: the registry has another metric with such a name.
    """
    rows = tuple(metrics)
    with _registering:
        group = store.group(rows)
        if group is not None:
            _add(store, group)
        for label in dict.fromkeys(label for row in rows for label in row.labels):
            if label != "outcome":  # its values are ours
                store.counter(ERRORS, (f"label.{label}",))


def _add(store: Store, group: Group) -> None:
    collector, registry = OwnCollector(store, group), registry_of(store)
    try:
        store.include(group)
        store.collectors.append(collector)
        if registry is not None:
            _register_one(collector, registry)
    except BaseException:
        if collector not in collectors_of(registry):  # a signal handler may raise after it was registered
            store.collectors[:] = [each for each in store.collectors if each is not collector]
            store.exclude(group)
        raise


def _take_over(registry: CollectorRegistry, store: Store) -> None:
    """Unregister the collectors of an earlier import, after `sys.modules` was emptied and mlmetrics imported again.

    Counters then start at 0, as after a restart. Functions that were decorated by the earlier
    import still record, but nothing exposes it: each import has its own locks.
    """
    held = [each for each in collectors_of(registry) if getattr(each, "of_mlmetrics", False)]
    foreign = [each for each in held if each not in store.collectors]
    if foreign:
        logs.logger().warning("collector.replaced", why="mlmetrics was imported again")
    for each in foreign:
        registry.unregister(each)


def holds(registry: CollectorRegistry, store: Store) -> bool:
    """Whether the registry still has the collectors of this store; clearing a registry notifies nobody.

    That of the catalogue's families is registered after all others, so it stands for them.
    """
    # There is no public way to ask. Without this private attribute, we assume that it still has the collector.
    return store.collectors[0] in getattr(registry, HELD, store.collectors)


def _register(store: Store, registry: CollectorRegistry) -> None:
    _take_over(registry, store)
    if not store.collectors:
        store.collectors.append(StoreCollector(store))
    held = collectors_of(registry)
    for collector in reversed(store.collectors):
        if collector not in held:
            _register_one(collector, registry)


def _register_one(collector: Collector, registry: CollectorRegistry) -> None:
    try:
        registry.register(collector)
        if DISABLED:
            registry.unregister(collector)  # whether its names were free has been checked by then
    except ValueError as error:
        if isinstance(collector, OwnCollector):
            raise RegistrationError(
                f"{', '.join(collector.group.metrics)}: the registry already holds a metric of such a name, which "
                f"mlmetrics did not declare: {error}. Choose another name, or remove the other metric"
            ) from error
        raise RegistrationError(
            f"the registry already holds metrics under names of mlmetrics: {error}. "
            "Remove the hand-written metrics of these names, or give mlmetrics a registry "
            "of its own: MLMetrics(registry=CollectorRegistry())"
        ) from error
    except BaseException:
        # A signal handler may raise while the client notes the names, one by one; they would be taken for ever.
        names = getattr(registry, "_names_to_collectors", {})
        for name in [name for name, held in tuple(names.items()) if held is collector]:
            if collector not in collectors_of(registry):
                del names[name]
        raise


def declare_own(store: Store) -> None:
    """Create the series about mlmetrics itself at 0, so that `increase` sees the first error."""
    store.counter("mlmetrics_scrape_errors_total")
    store.gauge("mlmetrics_scrape_duration_seconds")
    for place in RECORDING_PLACES:
        store.counter(ERRORS, (place,))
