"""The numbers of all processes of a service on this host: places for those of this one, and all of them merged.

Used if `PROMETHEUS_MULTIPROC_DIR` is set when a store is made.
"""

import os
import sys
import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping
from tempfile import NamedTemporaryFile

from prometheus_client.samples import Exemplar

from mlmetrics.catalog.metric import OF_EACH, Metric
from mlmetrics.interruption import interrupted
from mlmetrics.recording.cells import Bounds
from mlmetrics.recording.family import EXPOSED_NAME_SUFFIX, Family
from mlmetrics.recording.labels import UNKNOWN, RawLabels
from mlmetrics.recording.merged import WORKER, Merged, kind_of
from mlmetrics.workers.detection import tell
from mlmetrics.workers.directory import VARIABLE
from mlmetrics.workers.files import SCRATCH, WorkerFiles
from mlmetrics.workers.kinds import Kind
from mlmetrics.workers.reading import Reader
from mlmetrics.workers.slots import Worker, live_workers, slot_of_this_process

_files: dict[tuple[str, str], WorkerFiles] = {}
"""By directory and service. A process has one file of each kind, whatever registries it has: as prometheus_client's."""
_opening = threading.RLock()
if hasattr(os, "register_at_fork"):
    _renew = _opening._at_fork_reinit  # type: ignore[attr-defined]  # noqa: SLF001 (as `threading` does with its own)
    os.register_at_fork(after_in_child=_renew)

Failed = Callable[[str, object], None]
PROBE = ".mlmetrics-probe-"


def directory(failed: Failed) -> str | None:
    """Return the directory that the processes of a service share; None if there is none that can be used.

    A directory that cannot be used is counted and logged, and each process then counts alone.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    if sys.platform == "win32":
        tell(failed, f"{VARIABLE} is set, and each process counts alone: Windows has no locks of files as needed here")
        return None
    try:
        with NamedTemporaryFile(dir=path, prefix=PROBE):
            return path
    except OSError as error:
        if interrupted(error):
            raise
        tell(failed, f"{VARIABLE}={path} cannot be used, so each process counts alone: {error}")
        return None


def program() -> str:
    """Return what tells this program from others that have the same directory by mistake.

    It must be the same in all its processes, whenever they first record: so it is the service of the
    environment, or else the working directory, and not a service that the code names at some time.
    """
    named = os.environ.get("MLMETRICS_SERVICE") or os.environ.get("OTEL_SERVICE_NAME")
    if named:
        return named
    try:
        return os.getcwd()  # noqa: PTH109 (a text)
    except OSError as error:  # it has been removed
        if interrupted(error):
            raise
        return ""


class Host:
    """Where one store keeps its numbers, and reads those of all processes.

    Args:
        directory: the shared directory.
        service: gives the service of series that do not name one.
        families: the families of the store, by name.
        failed: counts what cannot be recorded.
    """

    def __init__(
        self, directory: str, service: Callable[[], str], families: Mapping[str, Family], failed: Failed
    ) -> None:
        self.directory = directory
        self._service = service
        self._program = program()
        self._families = families
        self._failed = failed
        self._files: WorkerFiles | None = None
        self._generation = 0
        self._reader: Reader | None
        self._merged: Merged
        self._placed: set[str] = set()
        self._worker = UNKNOWN
        self._told: set[str] = set()
        self.unreadable: set[str] = set()
        self.renew()

    def renew(self) -> None:
        """Begin anew in a forked child, where another thread may have held a lock or been in the middle of a read."""
        self.placing = threading.RLock()
        self._scraping = threading.RLock()
        self._reader = None
        self._outdated = False

    def look_again(self) -> None:
        """Ask again, at the next read, where the numbers of each key belong: there are new families."""
        self._outdated = True

    @property
    def files(self) -> WorkerFiles:
        """The files of this process; made when they are first needed, because the service is named late."""
        files = self._files
        if files is None or files.generation != self._generation:
            key = (self.directory, self._program)
            with _opening:
                files = _files.get(key)
                if files is None:
                    files = _files.setdefault(key, WorkerFiles(*key, self._failed))
            self._files, self._generation = files, files.generation
            self._take_slot()
        return files

    def number_place(self, name: str, labels: RawLabels) -> int:
        """Return the place of a counter or a gauge in its view."""
        metric, files = self._families[name].metric, self.files
        self._placed.add(name)
        names, settled = metric.labels, self._settled(labels)
        if metric.multiprocess_mode in OF_EACH:
            names, settled = (*names, WORKER), (*settled, self._worker)
        return files.place(kind_of(metric), _family_name(metric), name, names, settled, metric.help)

    def kind(self, name: str) -> Kind:
        """Return the kind of file of a counter or a gauge."""
        return kind_of(self._families[name].metric)

    def histogram_place(self, name: str, labels: RawLabels) -> tuple[tuple[int, ...], int]:
        """Return the places of a histogram's buckets, and of its sum."""
        family = self._families[name]
        self._placed.add(name)
        metric, place = family.metric, self.files.place
        names, settled = (*metric.labels, "le"), self._settled(labels)
        buckets = tuple(
            place("histogram", name, f"{name}_bucket", names, (*settled, le), metric.help) for le in family.bounds.texts
        )
        total = place("histogram", name, f"{name}_sum", metric.labels, settled, metric.help)
        if SCRATCH in (*buckets, total):  # no room for all of it: half a histogram would be wrong
            return (SCRATCH,) * len(buckets), SCRATCH
        return buckets, total

    def has(self, name: str) -> bool:
        """Whether this process has a series of the metric."""
        return name in self._placed

    def mark(self, name: str, labels: RawLabels, exemplar: Exemplar) -> None:
        """Keep an exemplar for the bucket of its value."""
        bounds = self._families[name].bounds
        self.files.mark(name, self._settled(labels), bounds.texts[bisect_left(bounds.uppers, exemplar.value)], exemplar)

    def bounds(self, name: str) -> Bounds:
        """Return the bounds of a histogram."""
        return self._families[name].bounds

    def _settled(self, labels: RawLabels) -> tuple[str, ...]:
        """Return the labels with the service."""
        return tuple(self._service() if label is None else label for label in labels)

    def collect(self) -> list[Family]:
        """Return the families of all processes that have series: those of the store in its order, then others."""
        with self._scraping:
            reader = self._reader
            if reader is None or self._outdated:
                reader = self._new_reader()
            reader.read()
            if reader.lacks_gauges:  # their workers have ended: the series go
                reader = self._new_reader()
                reader.read()
            for (name, *labels, le), exemplar in reader.exemplars().items():
                self._merged.keep(name, tuple(labels), le, exemplar)
            return self._merged.families()

    def _new_reader(self) -> Reader:
        self._outdated = False
        self._merged = merged = Merged(self._families, self._failed, self._told)
        self._reader = reader = Reader(self.directory, self._program, merged.slot, self._failed, self._told)
        return reader

    def workers(self) -> list[Worker]:
        """Return the processes of this service that run; this one is listed since it has files."""
        return live_workers(self.directory, self._program)

    def _take_slot(self) -> None:
        """Have this process listed as a worker."""
        try:
            self._worker = str(slot_of_this_process(self.directory, self._program))
        except OSError as error:  # no directory, no right to write, no room
            if interrupted(error):
                raise
            self._failed("workers", error)


def _family_name(metric: Metric) -> str:
    return metric.name.removesuffix(EXPOSED_NAME_SUFFIX) if metric.kind == "counter" else metric.name
