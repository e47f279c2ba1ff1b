"""Everything that is recorded for one registry: families, series and recording errors.

There is one store per `CollectorRegistry`, even if several toolkits or applications share it.
"""

import os
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from prometheus_client.samples import Exemplar

from mlmetrics import exemplars, logs
from mlmetrics.errors import ConfigurationError
from mlmetrics.interruption import interrupted
from mlmetrics.pricing.prices import Prices
from mlmetrics.pricing.table import Table
from mlmetrics.recording import folding
from mlmetrics.recording.admitting import Admitting
from mlmetrics.recording.cells import HistogramCell, NumberCell
from mlmetrics.recording.clock import guarded
from mlmetrics.recording.declaring import Group
from mlmetrics.recording.family import Family
from mlmetrics.recording.folding import Foldable
from mlmetrics.recording.host import Host, directory
from mlmetrics.recording.labels import RawLabels
from mlmetrics.recording.placed import PlacedCounter, PlacedGauge, PlacedHistogram
from mlmetrics.recording.series import (
    BOUND,
    CounterSeries,
    GaugeSeries,
    HistogramSeries,
    Lists,
    NumberSeries,
    RunningSeries,
)
from mlmetrics.workers.directory import VARIABLE

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from mlmetrics.catalog import Operation
    from mlmetrics.recording.outbox import Outbox

DEFAULT_SLOW_SECONDS = 30.0
ERRORS = "mlmetrics_recording_errors_total"
C = TypeVar("C", NumberCell, HistogramCell)


class Declared(Protocol):
    """What a room above has declared in a store: the calls of an operation, or the requests of a service."""

    store: "Store"


class Store(Admitting):
    """The recorded data of one registry; made by `collector.store_for`.

    `host` is set if `PROMETHEUS_MULTIPROC_DIR` is: then all numbers stand in files of this process, and
    every scrape reads those of all processes. Otherwise they stand in memory.
    """

    def __init__(self) -> None:
        super().__init__()
        self.slow_seconds = DEFAULT_SLOW_SECONDS
        self.log_interval_seconds = logs.INTERVAL_SECONDS
        self.traced = False
        self.trace_ids: exemplars.TraceIds | None = None
        """What tells the ids of the current trace; None if they are those of OpenTelemetry's current span."""
        self._traced_elsewhere = False
        self._probing = False
        self.clock: Callable[[], float] = perf_counter
        self.collectors: list[Collector] = []
        """What the registry holds: that of the catalogue, and one for each group of metrics that a project declared."""
        self.given_clock: Callable[[], float] = perf_counter
        self.declared: dict[str, Declared] = {}
        self.plain: dict[tuple[str, str | None], object] = {}
        """A project's own counters, gauges and histograms, by name and service."""
        self.prices: Prices | None = None
        """What tokens cost; made when something is to be priced, or when the project's own prices are configured."""
        self.operations: dict[str, Operation] = {}
        """The operations of the project's own that are declared, by name."""
        self.direct: dict[Hashable, Any] = {}  # what direct functions record in, by the texts that came
        self.counted: dict[Hashable, float] = {}
        """When the tokens of a response were counted last, by what identifies it."""
        self.outbox: Outbox | None = None  # where folds put the raw numbers as well, if somebody wants them
        self._foldables: list[Foldable] = []
        self._by_labels: dict[tuple[str, RawLabels], Any] = {}
        self.host: Host | None = None
        self.renew_lock()
        self.shared = bool(os.environ.get(VARIABLE))
        """Whether a directory for several processes was named when the store was made, usable or not."""
        self.host = self._shared()
        folding.act_at_forks(self)

    def _shared(self) -> Host | None:
        """Return what has the files of this process, if there may be several processes."""
        shared = directory(self.failed)
        return None if shared is None else Host(shared, self.settle_service, self.families, self.failed)

    def renew_lock(self) -> None:
        """Make the lock for rare operations, such as creating a series; a forked child needs a new one."""
        # Reentrant: a series may be declared in a signal handler that interrupted a declaration.
        self.declaring = threading.RLock()

    def counter(self, name: str, labels: RawLabels = ()) -> NumberSeries:
        """Return the series of a counter."""
        return self._series(CounterSeries, PlacedCounter, name, labels)

    def gauge(self, name: str, labels: RawLabels = ()) -> NumberSeries:
        """Return the series of a gauge that is set."""
        return self._series(GaugeSeries, PlacedGauge, name, labels)

    def running(self, name: str, labels: RawLabels) -> Any:
        """Return the series of a gauge of what runs now, which records changes: a number in a tuple."""
        return self._series(RunningSeries, PlacedGauge, name, labels)

    def histogram(self, name: str, labels: RawLabels = ()) -> NumberSeries:
        """Return the series of a histogram."""
        return self._series(HistogramSeries, PlacedHistogram, name, labels)

    def _series(self, appended: Any, placed: Any, name: str, labels: RawLabels) -> NumberSeries:
        series = self._by_labels.get((name, labels))
        if series is None:
            with self.declaring:
                series = self._by_labels.get((name, labels))
                if series is None:
                    if self.host is None:
                        series = appended(lambda: self._cell(appended.CELL, name, labels))
                    else:
                        series = placed(self.host, name, labels)
                    self.add(series, name)  # first: a signal handler may raise in between
                    series = self._by_labels.setdefault((name, labels), series)  # a handler may have made it, too
        return cast("NumberSeries", series)

    def add(self, foldable: Foldable, name: str) -> None:
        """Include it in every fold; to be called before anything is appended to it, so that nothing is lost.

        `name` is one of the metrics that it is folded into.
        """
        self._foldables.append(foldable)
        group = self.own.get(name)
        if group is not None:
            group.foldables.append(foldable)

    def number_cell(self, name: str, labels: RawLabels) -> NumberCell:
        """Return the cell of a counter or a gauge, the service filled in where it is missing."""
        return self._cell(NumberCell, name, labels)

    def histogram_cell(self, name: str, labels: RawLabels) -> HistogramCell:
        """Return the cell of a histogram, the service filled in where it is missing."""
        return self._cell(HistogramCell, name, labels)

    def _cell(self, kind: type[C], name: str, labels: RawLabels) -> C:
        family = self.families[name]
        if kind is not family.kind:
            raise TypeError(f"{name} is a {family.metric.kind}, whose cells are of {family.kind.__name__}")
        return cast("C", family.cell(tuple(self.settle_service() if label is None else label for label in labels)))

    def check_tracing(self) -> None:
        """Check whether tracing is on; done once for all series, because the check costs time."""
        self.traced = self._traced_elsewhere or self.trace_ids is not None or exemplars.tracing()

    @property
    def looks_for_traces(self) -> bool:
        """Whether tracing is on; during a scrape also whether it may be, so that the next call looks for a span."""
        return self.traced or self._probing

    def exemplar(self, value: float) -> Exemplar | None:
        """Return an exemplar of the current trace, and note whether tracing is on.

        Raises:
            Exception: whatever the tracer raises.
        """
        self.check_tracing()
        found = exemplars.current(value, self.trace_ids)
        if found is not None and not self.traced:
            self._traced_elsewhere = self.traced = True
        return found

    def notice_seconds(self) -> float:
        """Return the seconds above which a call takes the slow path; while tracing is on, every call takes it."""
        return -1.0 if self.looks_for_traces else self.slow_seconds

    def record(self, series: NumberSeries, number: float) -> None:
        """Append a number, and fold if there are many."""
        series.record(number)
        if len(series.pending) > BOUND:
            self.fold(series)

    def fold(self, foldable: Any) -> None:
        """Fold one series and those beside it, unless a fold is running: then the next fold takes the numbers."""
        folding.attempt(self._fold, (foldable, *foldable.beside))

    def fold_all(self) -> None:
        """Fold every series; the caller has the turn."""
        self._probing = exemplars.possible()
        try:
            self._fold(tuple(self._foldables))
        finally:
            self._probing = False

    def fold_group(self, group: Group) -> None:
        """Fold the series of a group; the caller has the turn."""
        self._fold(tuple(group.foldables))

    def fold_pending(self) -> None:
        """Fold what waits; create nothing at 0, because the service may be named later; the caller has the turn."""
        self._fold(tuple(each for each in self._foldables if isinstance(each, Lists) and any(each.lists)))

    def _fold(self, foldables: Iterable[Foldable]) -> None:
        self.check_tracing()
        for foldable in foldables:
            try:
                folding.fold(foldable, self.outbox)
            except Exception as error:
                if interrupted(error):
                    raise
                self.failed("fold", error)  # a full disk must not reach the user's call

    def exposed_families(self) -> Sequence[Family]:
        """Return the families that have series, the catalogue's first; with a host, those of all its processes."""
        if self.host:
            return self.host.collect()
        return [family for family in tuple(self.families.values()) if not family.empty]

    def renew(self) -> None:
        """Start anew in a forked child: the calls in progress, and what stands in files, are the parent's."""
        self.renew_lock()
        if self.host is not None:
            self.host.renew()
        self.fold_pending()
        for foldable in self._foldables:
            foldable.forget()

    def failed(self, where: str, problem: object, series: Mapping[str, str] | None = None) -> None:
        """Count a measurement that could not be recorded; log the first of each place, with its series if known.

        `where` is one of the catalogue's `RECORDING_PLACES`, whose series exist at 0 before the first error.
        """
        try:
            self.record(self.counter(ERRORS, (where,)), 1)
            if where not in self._failed_places:
                self._failed_places.add(where)
                logs.logger().warning("recording.failed", where=where, problem=str(problem), **(series or {}))
        except Exception as error:  # a logger or a `__str__` that raises: the error has been counted already
            if interrupted(error):
                raise

    def set_prices(self, own: Table | None) -> Prices:
        """Price by a project's own table from now on, and then by genai-prices if it is installed."""
        self.prices = prices = Prices(own, failed=self.failed)
        return prices

    def set_clock(self, clock: Callable[[], float]) -> None:
        """Use this clock; to be called before anything is declared, because declarations keep the clock they find."""
        if clock is self.given_clock:
            return
        if self.declared:
            raise ConfigurationError(
                "clock=... came after something was declared on this registry, whose durations are of another clock; "
                "set it before the first decorator, timer or middleware"
            )
        self.given_clock = clock
        self.clock = clock if clock is perf_counter else guarded(clock, self.failed)
