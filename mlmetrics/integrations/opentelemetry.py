"""OpenTelemetry: the raw numbers of calls, handed to histograms of the user's meter provider in the background.

Calls append their numbers as always, folds put them into an outbox, and a thread records what is there each second. So
does every collection: an SDK asks observable instruments before it reads its histograms, so a reader gets the sums and
counts that a scrape at that moment would show.
"""

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from itertools import count
from typing import Any
from weakref import WeakSet, ref

from mlmetrics.calls.measures import ANSWERED
from mlmetrics.calls.recorder import Recorder
from mlmetrics.errors import ConfigurationError, shown
from mlmetrics.handle import Instrumentation, Undo
from mlmetrics.integrations.conventions import INSTRUMENTS, OTHER, attributes_of
from mlmetrics.integrations.patches import SDK, Hook, Patching
from mlmetrics.interruption import interrupted
from mlmetrics.recording.cells import Cell, HistogramCell
from mlmetrics.recording.folding import WAIT_SECONDS, hold
from mlmetrics.recording.outbox import Outbox, Parcel
from mlmetrics.recording.store import ERRORS, Store
from mlmetrics.version import __version__

OPENTELEMETRY = SDK("opentelemetry", "opentelemetry-api", "otel", (1, 32), (2,))
"""The OTLP exporter of 1.30 leaves the bounds of instruments out, that of 1.31 gives all those of the first."""
PERIOD_SECONDS = 1.0
PAUSE_SECONDS = 0.0005
"""How long the thread lets others run after each batch, which has the numbers of one fold of one series."""
_serial = count(1)
_exports: "WeakSet[Export]" = WeakSet()


def instrument(recorder: Recorder, meter_provider: Any = None) -> Instrumentation:
    """Record through a meter provider too; see `instrument_opentelemetry`."""
    OPENTELEMETRY.check("instrument_opentelemetry")
    store = recorder.store
    if meter_provider is not None and not callable(getattr(meter_provider, "get_meter", None)):
        raise ConfigurationError(
            f"instrument_opentelemetry(meter_provider={shown(meter_provider)}): expected a MeterProvider of "
            "OpenTelemetry, or None for the one that set_meter_provider() was given"
        )
    if store.host is not None:
        raise ConfigurationError(
            "instrument_opentelemetry(): PROMETHEUS_MULTIPROC_DIR is set, so calls add their numbers to files, where "
            "single values are not kept; unset it in a service that sends OTLP: each of its processes exports its own"
        )
    if store.outbox is not None:
        raise ConfigurationError(
            "instrument_opentelemetry(): what this registry records goes to a meter provider already; call "
            "uninstrument() of that handle first"
        )
    module = "opentelemetry.metrics"
    import_module(module)
    return Patching(OPENTELEMETRY, [Hook(module, partial(_begin, store, meter_provider))], store.failed).apply()


def _begin(store: Store, meter_provider: Any, api: Any) -> Undo:
    provider = api.get_meter_provider() if meter_provider is None else meter_provider
    export = Export(store, provider.get_meter("mlmetrics", __version__))
    export.begin()
    return export.end


class Export:
    """The way of one store's numbers to one meter."""

    def __init__(self, store: Store, meter: Any) -> None:
        self._store = store
        self._outbox = Outbox(INSTRUMENTS)
        self._parcels: deque[Parcel] = deque()
        self._attributes: dict[tuple[HistogramCell, str | None], Mapping[str, str]] = {}
        self._answered: tuple[Cell, ...] = ()
        self._lost = 0
        context, trace = import_module("opentelemetry.context"), import_module("opentelemetry.trace")
        # The span that runs where a number is handed over is not that of its call.
        self._context = trace.set_span_in_context(trace.INVALID_SPAN, context.Context())
        made = {
            row.name: meter.create_histogram(
                row.name, row.unit, row.description, explicit_bucket_boundaries_advisory=row.bounds
            )
            for row in INSTRUMENTS.values()
        }
        self._record = {ours: made[row.name].record for ours, row in INSTRUMENTS.items()}
        # It has no values, so nothing of it is exported. A meter keeps its instruments for ever, and the callbacks of
        # the first of a name: hence the number, and the weak reference.
        collected = partial(_collected, ref(self))
        meter.create_observable_gauge(f"mlmetrics.collection.{next(_serial)}", [collected])
        self._renew()

    def _renew(self) -> None:
        # Reentrant: a signal handler may have the provider collect in the middle of a hand-over.
        self._handing = threading.RLock()
        self._forking = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._ended,), name="mlmetrics-opentelemetry", daemon=True
        )

    def begin(self) -> None:
        """Begin with the numbers that are recorded from now on."""
        self._thread.start()
        _exports.add(self)
        atexit.register(self.flush)  # runs before the shutdown of a provider that was made earlier
        hold(self._store.fold_pending)
        self._store.outbox = self._outbox

    def end(self) -> None:
        """Hand over what waits, and end."""
        self._ended.set()
        _exports.discard(self)
        atexit.unregister(self.flush)
        hold(self._store.fold_pending)
        self._store.outbox = None
        self._guarded()
        if self._thread is not threading.current_thread():
            self._thread.join(WAIT_SECONDS)

    def flush(self) -> None:
        """Fold, and hand over what waits; nothing after the end. Never raises."""
        if not self._ended.is_set():
            self._guarded()

    def _run(self, ended: threading.Event) -> None:
        while not ended.wait(PERIOD_SECONDS):
            self._guarded(PAUSE_SECONDS)

    def _guarded(self, pause_seconds: float = 0.0) -> None:
        try:
            self._hand_over(pause_seconds)
        except Exception as error:  # nothing of ours reaches the reader, nor what ends the program
            if interrupted(error):
                raise
            self._store.failed("opentelemetry", error)

    def _hand_over(self, pause_seconds: float) -> None:
        """Record everything that waits, also what another thread has taken: then all of it is recorded in the end."""
        hold(self._take)
        self._tell_lost()
        while self._deliver_next():
            if pause_seconds:
                time.sleep(pause_seconds)

    def _deliver_next(self) -> bool:
        """Record the next batch, one thread at a time; return whether there was one."""
        if not self._handing.acquire(timeout=WAIT_SECONDS):
            return False
        try:
            if not self._parcels:
                return False
            self._look_who_answered()
            parcel = self._parcels[0]
            self._deliver(*parcel)
            if self._parcels and self._parcels[0] is parcel:  # else a signal handler went on with it meanwhile
                del self._parcels[0]
        finally:
            self._handing.release()
        return True

    def _take(self) -> None:
        if self._store.outbox is self._outbox:
            self._store.fold_pending()
        lost = self._outbox.move_to(self._parcels)
        self._lost += lost

    def _tell_lost(self) -> None:
        lost, self._lost = self._lost, 0
        if lost:
            problem = f"{lost} numbers came faster than the meter provider takes them; they are in our own metrics only"
            self._store.failed("opentelemetry", problem)
            self._store.record(self._store.counter(ERRORS, ("opentelemetry",)), lost - 1)

    def _look_who_answered(self) -> None:
        answered = self._store.families[ANSWERED].cells()
        if len(answered) != len(self._answered):
            self._answered = answered
            self._attributes.clear()

    def _deliver(self, cell: HistogramCell, numbers: deque[float], failed: deque[float]) -> None:
        self._deliver_all(cell, numbers, None)
        while failed:
            seconds = failed.popleft()
            self._deliver_all(cell, deque((float(seconds),)), getattr(seconds, "error_type", OTHER))

    def _deliver_all(self, cell: HistogramCell, numbers: deque[float], error_type: str | None) -> None:
        record, context = self._record[cell.metric.name], self._context
        attributes = self._attributes_of(cell, error_type)
        while numbers:
            number = numbers.popleft()
            try:
                record(number, attributes, context)
            except Exception as error:  # a meter provider of any make
                if interrupted(error):
                    raise
                self._store.failed("opentelemetry", error)

    def _attributes_of(self, cell: HistogramCell, error_type: str | None) -> Mapping[str, str]:
        known = self._attributes.get((cell, error_type))
        return known or self._attributes.setdefault((cell, error_type), attributes_of(cell, error_type, self._answered))

    def before_fork(self) -> None:
        """Wait until no number is being recorded: the locks of the provider's SDK are free in the child then."""
        if self._handing.acquire(timeout=WAIT_SECONDS):
            self._forking = threading.get_ident()

    def after_fork(self) -> None:
        """Go on in the parent."""
        if self._forking == threading.get_ident():  # another thread may have waited in vain while this one forked
            self._forking = 0
            self._handing.release()

    def in_child(self) -> None:
        """Begin anew in a forked child: what waited is the parent's, and the thread exists there only."""
        self._outbox.clear()  # the store has folded by now
        self._parcels.clear()
        self._lost = 0
        self._renew()
        self._thread.start()


def _collected(export: "ref[Export]", _options: object) -> tuple[()]:
    """Hand over what waits before a reader collects; no observation is made."""
    found = export()
    if found is not None:
        found.flush()
    return ()


def _each(act: Callable[[Export], None]) -> None:
    for export in tuple(_exports):
        act(export)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=partial(_each, Export.before_fork),
        after_in_parent=partial(_each, Export.after_fork),
        after_in_child=partial(_each, Export.in_child),
    )
