"""The numbers of this process, in mapped files of the directory that all workers of a service share.

A series asks once for the place of each of its values; after that, recording is `view[place] += x`.
A hot word changes by such a statement only: CPython switches threads and runs signal handlers at calls
and backward jumps, none of which stands between its load and its store. For the same reason the view is
read from `Views` after the last call before that statement: growth and forks exchange it.
"""

import mmap
import os
import threading
from collections.abc import Callable
from weakref import WeakSet

from prometheus_client.mmap_dict import mmap_key
from prometheus_client.samples import Exemplar

from mlmetrics.interruption import interrupted
from mlmetrics.workers.directory import EXEMPLARS, start_of, tag_of
from mlmetrics.workers.exemplars import ExemplarFile
from mlmetrics.workers.kinds import KINDS, Kind
from mlmetrics.workers.mapped import Doubles, MappedFile, doubles, private_memory
from mlmetrics.workers.records import PAIR_BYTES, WORD_BYTES, record

OF_CALLS: tuple[Kind, ...] = ("counter", "histogram", "gauge_livesum")
SCRATCH = -2
"""The place of a value that has none: the spare words at the end of every view, which nobody reads."""

_lock = threading.RLock()
_all: "WeakSet[WorkerFiles]" = WeakSet()


class Views:
    """The mapped numbers of this process by kind of file, as memoryviews of doubles; growth replaces them in place.

    Those that each call changes are attributes too.
    """

    __slots__ = ("by_kind", "counter", "gauge_livesum", "histogram")

    counter: Doubles
    histogram: Doubles
    gauge_livesum: Doubles

    def __init__(self) -> None:
        self.by_kind: dict[Kind, Doubles] = {}
        for kind in KINDS:
            self.put(kind, doubles(private_memory(mmap.PAGESIZE)))

    def put(self, kind: Kind, view: Doubles) -> None:
        """Exchange the view of a kind."""
        self.by_kind[kind] = view
        if kind in OF_CALLS:
            setattr(self, kind, view)

    def leave(self) -> None:
        """Exchange every view for private memory of the same length."""
        for kind, view in tuple(self.by_kind.items()):
            self.put(kind, doubles(private_memory(len(view) * WORD_BYTES)))


class WorkerFiles:
    """The files of this process for one service; each is made when the first value of its kind asks for a place.

    In a forked child, `views` is a new object, `generation` is one more, and every place is void: the
    child's values get places in files of its own. The object that `views` was until then leads to private
    memory there, so a call that began in the parent and ends in the child as well is counted by the parent.

    Args:
        directory: what `PROMETHEUS_MULTIPROC_DIR` says.
        service: files of other services in the same directory are left alone.
        failed: told, outside of the lock, of a value that has no place; once for each kind.
    """

    lock = _lock
    """Held across forks, so that a child never gets a file that is half made or half grown."""

    def __init__(self, directory: str, service: str, failed: Callable[[str, object], None]) -> None:
        self.directory = directory
        self.tag = tag_of(service)
        self.views = Views()
        self.generation = 0
        self._failed = failed
        self._told: set[str] = set()
        self._begin()
        with _lock:
            _all.add(self)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._start = start_of(self._pid) or 0
        self._files: dict[Kind, MappedFile] = {}
        self._places: dict[tuple[Kind, str], int] = {}
        self._exemplars: ExemplarFile | None = None

    def place(  # noqa: PLR0917 (the parts of a key in the client's order; whoever makes a series has them all)
        self,
        kind: Kind,
        family: str,
        sample: str,
        names: tuple[str, ...],
        labels: tuple[str, ...],
        help: str,  # noqa: A002 (the field's name)
    ) -> int:
        """Return the index, in the view of this kind, of the value with this key; made at 0 if it is new.

        The next index is that of the timestamp, which counts for a gauge whose processes are not added up.
        A value for which there is no room gets `SCRATCH`, where it is lost and the program goes on.
        """
        key = mmap_key(family, sample, list(names), list(labels), help)
        try:
            with _lock:
                return self._place(kind, key)
        except Exception as error:  # no directory, no right to write, no room
            if interrupted(error):
                raise
            self._tell(kind, error)
            return SCRATCH

    def _place(self, kind: Kind, key: str) -> int:
        # A signal handler may fork in here: what the child then writes goes to these, which it has left. It may also
        # ask for a place; what it has made by then stands, and what is made here is left empty.
        views, files, places = self.views, self._files, self._places
        place = places.get((kind, key))
        if place is None:
            file = files.get(kind)
            if file is None:
                file = files.setdefault(kind, self._make(kind))
            place = _value_of(file, record(key.encode()))
            views.put(kind, file.view)
            place = places.setdefault((kind, key), place)
        return place

    def mark(self, family: str, labels: tuple[str, ...], le: str, exemplar: Exemplar) -> None:
        """Keep an exemplar as the newest of its bucket."""
        try:
            with _lock:
                if self._exemplars is None:
                    self._exemplars = ExemplarFile(self._make(EXEMPLARS))
                self._exemplars.mark((family, *labels, le), exemplar)
        except Exception as error:  # as in `place`
            if interrupted(error):
                raise
            self._tell(EXEMPLARS, error)

    def _make(self, kind: str) -> MappedFile:
        return MappedFile(self.directory, kind, self._pid, self._start, self.tag)

    def _tell(self, kind: str, error: Exception) -> None:
        if kind not in self._told:
            self._told.add(kind)
            self._failed("workers", f"no room for {kind} in {self.directory}: {error!r}")

    def renew(self) -> None:
        """In a forked child: leave the parent's files to the parent."""
        self.views.leave()
        for file in self._files.values():
            file.leave()
        if self._exemplars is not None:
            self._exemplars.file.leave()
        self._begin()
        self.views = Views()
        self._told = set()
        self.generation += 1


def _value_of(file: MappedFile, new: bytes) -> int:
    """Append a record, and return where its value is."""
    return (file.append(new) + len(new) - PAIR_BYTES) // WORD_BYTES


def _renew_all() -> None:
    try:
        for files in tuple(_all):
            files.renew()
    finally:
        # The forking thread holds the lock, in the child as in the parent.
        _lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_renew_all)
