"""All that one registry records: families, series, limits, and the errors met on the way.

There is one store per `CollectorRegistry`, however many toolkits, apps or reloads share it.
"""

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from time import perf_counter
from typing import Any, TypeVar, cast

from .. import exemplars, logs
from ..catalog import METRICS
from ..errors import ConfigurationError
from ..interruption import interrupted
from . import folding
from .cells import Cell, in_files
from .family import Family
from .labels import OTHER, UNKNOWN, Limits, clean
from .series import BOUND, CounterSeries, GaugeSeries, HistogramSeries, Lists

RawLabels = tuple[str | None, ...]
"""Label values whose first may be None: the service, where it is not known yet."""

DEFAULT_SLOW_SECONDS = 30.0
S = TypeVar("S", CounterSeries, GaugeSeries, HistogramSeries)


class Store:
    """Where the recordings of one registry end up; made by `collector.store_for`."""

    def __init__(self) -> None:
        self.families = {metric.name: Family(metric) for metric in METRICS}
        self.limits = Limits()
        self.configured_service: str | None = None
        self.middleware_service: str | None = None
        self.slow_seconds = DEFAULT_SLOW_SECONDS
        self.traced = False
        self.clock: Callable[[], float] = perf_counter
        self.operations: dict[str, Any] = {}  # what the calls room keeps, one each for its operations
        self._service: str | None = None
        self._foldables: list[Lists] = []
        self._by_labels: dict[tuple[str, RawLabels], Any] = {}
        self._failed_places: set[str] = set()
        self.renew_lock()
        folding.heed(self)

    def renew_lock(self) -> None:
        """Make the lock of rare things, such as a new series; a forked child needs its own."""
        # Reentrant: a series may be declared in a signal handler that interrupted a declaration.
        self.declaring = threading.RLock()

    @property
    def service(self) -> str:
        """The service of series that name none; fixed when a sample first needs it.

        The order is that of `configure`, the middleware's `service_name`, `MLMETRICS_SERVICE`,
        `OTEL_SERVICE_NAME`, `default`. It is read late because an app names itself after its
        functions were decorated.
        """
        if self._service is not None:
            return self._service
        named = self.configured_service or self.middleware_service
        return named or os.environ.get("MLMETRICS_SERVICE") or os.environ.get("OTEL_SERVICE_NAME") or "default"

    def name_service(self, name: str, *, configured: bool) -> None:
        """Name the service; the first middleware and the last `configure` are heard."""
        if configured:
            self.configured_service = name
        else:
            self.middleware_service = self.middleware_service or name
        if self._service is not None and self._service != (self.configured_service or self.middleware_service):
            logs.logger().warning("service.named_late", service=name, recorded_as=self._service)

    def counter(self, name: str, labels: RawLabels = ()) -> CounterSeries:
        """The series of a counter."""
        return self._series(CounterSeries, name, labels)

    def gauge(self, name: str, labels: RawLabels = ()) -> GaugeSeries:
        """The series of a gauge that is set."""
        return self._series(GaugeSeries, name, labels)

    def histogram(self, name: str, labels: RawLabels = ()) -> HistogramSeries:
        """The series of a histogram."""
        return self._series(HistogramSeries, name, labels)

    def _series(self, kind: type[S], name: str, labels: RawLabels) -> S:
        series = self._by_labels.get((name, labels))
        if series is None:
            with self.declaring:
                series = self._by_labels.get((name, labels))
                if series is None:
                    series = self._by_labels[name, labels] = kind(lambda: self.cell(name, labels))
                    self._foldables.append(series)
        return cast("S", series)

    def add(self, foldable: Lists) -> None:
        """Fold this too, from now on; before anything is appended to it, so that nothing is lost."""
        self._foldables.append(foldable)

    def cell(self, name: str, labels: RawLabels) -> Cell:
        """The cell of a metric, the service filled in where it is missing."""
        if None in labels:
            self._service = self.service
        return self.families[name].cell(tuple(self.service if label is None else label for label in labels))

    def heed_tracing(self) -> None:
        """See whether somebody traces by now; asked once for all series, since asking costs."""
        self.traced = exemplars.tracing()

    def notice_seconds(self) -> float:
        """Seconds above which a finished call is looked at: all of them while somebody traces."""
        return -1.0 if self.traced else self.slow_seconds

    def record(self, series: CounterSeries | GaugeSeries | HistogramSeries, number: float) -> None:
        """Append a number, and fold when there are many."""
        series.record(number)
        if len(series.pending) > BOUND:
            self.fold(series)

    def fold(self, foldable: Lists) -> None:
        """Fold one series unless somebody is folding: the numbers then wait for the next time."""
        folding.attempt(self._fold, (foldable,))

    def fold_all(self) -> None:
        """Fold every series; the caller has the turn."""
        self._fold(tuple(self._foldables))

    def _fold(self, foldables: Iterable[Lists]) -> None:
        self.heed_tracing()
        for foldable in foldables:
            try:
                folding.fold(foldable)
            except Exception as error:
                if interrupted(error):
                    raise
                self.failed("fold", error)  # a full disk must not reach the user's call

    def renew(self) -> None:
        """Go on in a forked child, which has none of the calls that were in progress.

        Values in files are those of the parent, and so is what waits to be added to them; the
        child's own files begin with nothing. Values in memory were copied, and are the child's.
        """
        self.renew_lock()
        if in_files():
            for foldable in self._foldables:
                foldable.drop()
            return
        self.fold_all()
        for foldable in self._foldables:
            foldable.forget()

    def failed(self, where: str, problem: object) -> None:
        """Count a measurement that could not be recorded; log the first of each place."""
        try:
            self.record(self.counter("mlmetrics_recording_errors_total", (where,)), 1)
            if where not in self._failed_places:
                self._failed_places.add(where)
                logs.logger().warning("recording.failed", where=where, problem=str(problem))
        except Exception as error:  # a logger or a text that raises: the count above says it
            if interrupted(error):
                raise

    def admit(self, metric: str, label: str, value: object) -> str:
        """A label value as it may be recorded: cleaned, and `other` beyond the limit."""
        try:
            text, problem = clean(value)
        except Exception as error:  # a value may raise whatever it is asked
            if interrupted(error):
                raise
            text, problem = UNKNOWN, f"a label value that raised {type(error).__name__}"
        if problem is not None:
            self.failed(f"label.{label}", problem)
        with self.declaring:
            if self.limits.admit(metric, label, text):
                return text
        self.record(self.counter("mlmetrics_label_overflow_total", (metric, label)), 1)
        return OTHER

    def set_buckets(self, buckets: Mapping[str, Sequence[float]]) -> None:
        """Replace default buckets; before the first sample of the metric."""
        if not isinstance(buckets, Mapping):
            raise ConfigurationError(f"buckets={buckets!r:.100}: expected upper bounds by histogram name")
        families = {name: self._with_buckets(name, bounds) for name, bounds in buckets.items()}
        self.families.update(families)

    def _with_buckets(self, name: str, bounds: Sequence[float]) -> Family:
        family = self.families.get(name)
        if family is None or family.metric.kind != "histogram":
            known = ", ".join(name for name, family in self.families.items() if family.metric.kind == "histogram")
            raise ConfigurationError(f"buckets: {name!r} is no histogram of mlmetrics; there are {known}")
        try:
            uppers = tuple(float(bound) for bound in bounds)
        except (TypeError, ValueError):
            uppers = ()
        if not uppers or any(not isfinite(upper) for upper in uppers) or list(uppers) != sorted(set(uppers)):
            raise ConfigurationError(
                f"buckets: the bounds of {name!r} must be finite and ascending, each once (+Inf is added); "
                f"got {bounds!r:.200}"
            )
        if family.bounds.uppers == uppers:
            return family
        if not family.empty:
            raise ConfigurationError(f"buckets: {name!r} already has samples; set its buckets before the first call")
        return Family(replace(family.metric, buckets=uppers))
