"""What all workers of a service have recorded: read from their files, as often as somebody scrapes.

A file is parsed once; later reads parse only what was added to it. A worker that dies and is reaped
during a read is neither counted twice nor left out: if a merged file was replaced meanwhile, the read
begins again.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from time import monotonic

from prometheus_client.samples import Exemplar

from mlmetrics.interruption import interrupted
from mlmetrics.workers import exemplars, merged
from mlmetrics.workers.directory import (
    EXEMPLARS,
    KINDS,
    File,
    Kind,
    contents,
    dead_name,
    files_of,
    is_alive,
    is_held,
    tag_of,
    unreadable,
)
from mlmetrics.workers.exemplars import Bucket
from mlmetrics.workers.reaper import MERGED_KINDS, reap
from mlmetrics.workers.records import UnreadableError
from mlmetrics.workers.source import Source
from mlmetrics.workers.totals import FindSlot, Totals

REAP_SECONDS = 5.0
"""The least time between two looks for dead workers."""
MOST_TRIES = 10
"""How often a read begins again. After that, the slots keep what the last one found, as a scrape must not hang."""
_KINDS: dict[str, Kind] = {kind: kind for kind in KINDS}
MOST_MAPS = 256
"""How many files stay mapped between reads, since each costs a descriptor."""


class Reader:
    """Reads the files of all workers of a service into the slots that it is given.

    One read at a time: the caller holds a lock over `read` and what it does with the slots.

    Args:
        directory: what `PROMETHEUS_MULTIPROC_DIR` says.
        service: files of other services in the same directory are left alone.
        slot: asked once for each key that is new in any file.
        failed: told once of each file that cannot be read.
        told: the files that it has been told of before, by another reader.
    """

    def __init__(
        self,
        directory: str,
        service: str,
        slot: FindSlot,
        failed: Callable[[str, object], None],
        told: set[str] | None = None,
    ) -> None:
        self._directory = directory
        self._service = service
        self._tag = tag_of(service)
        self._failed = failed
        self._totals = Totals(slot, failed)
        self._sources: dict[str, Source] = {}
        self._exemplars: dict[bytes, tuple[Bucket, Exemplar]] = {}
        self._told: set[str] = set() if told is None else told
        self._reaped_at = -REAP_SECONDS

    def read(self) -> None:
        """Set every slot to what all workers have now: live ones, dead ones, and those that were reaped.

        Calls in progress are those of live workers only. Where the directory cannot be read, the slots
        stay as they are.
        """
        if monotonic() - self._reaped_at >= REAP_SECONDS:
            self._reaped_at = monotonic()
            reap(self._directory, self._service)
        try:
            for _ in range(MOST_TRIES):
                if self._attempt():
                    self._totals.publish()
                    return
        except OSError as error:
            if interrupted(error):
                raise
            self._tell(self._directory, error)

    def _attempt(self) -> bool:
        """Add up all files; returns whether no merged file was replaced meanwhile."""
        self._totals.begin()
        # Before the directory is listed: whoever removes a file has replaced the merged one before.
        before = self._inodes()
        listed = {name for kind in MERGED_KINDS for name in self._add_merged(kind)}
        names = os.listdir(self._directory)
        for name in unreadable(names, self._tag):
            self._tell(name, "it could not be read, and was set aside")
        files = [file for file in files_of(names, self._tag) if not file.partial and file.name not in listed]
        for file in files:
            self._add_file(file)
        if before != self._inodes():
            return False
        self._forget({*(file.name for file in files), *(dead_name(kind, self._tag) for kind in MERGED_KINDS)})
        return True

    def _inodes(self) -> list[int | None]:
        """Which merged files stand in the directory; while one is mapped, no other file gets its number."""
        return [_inode(self._path(dead_name(kind, self._tag))) for kind in MERGED_KINDS]

    def _add_merged(self, kind: Kind) -> list[str]:
        """Add the file of the dead; returns the names of the files that it includes."""
        name = dead_name(kind, self._tag)
        source = self._source(name, kind)
        if source is None:
            return []
        try:
            names = merged.included(source.memory or b"")
        except UnreadableError as error:
            self._tell(name, error)
            return []
        self._totals.add(kind, source)
        return names

    def _add_file(self, file: File) -> None:
        """Add the file of a worker."""
        kind = _KINDS.get(file.kind)
        if kind is None or (kind == "gauge_livesum" and not self._lives(file)):
            return
        source = self._source(file.name, kind)
        if source is None:
            return
        self._totals.add(kind, source)
        if len(self._sources) > MOST_MAPS:
            source.release()

    def _lives(self, file: File) -> bool:
        return is_alive(file.pid, file.start) or is_held(self._path(file.name))

    def _source(self, name: str, kind: Kind) -> Source | None:
        """Return a file as it is now, if it is there and can be read."""
        path = self._path(name)
        try:
            status = os.stat(path)
            source = self._sources.get(name)
            if source is None or source.inode != status.st_ino:
                source = self._sources[name] = Source(status.st_ino)
            source.refresh(path, status.st_size, lambda key: self._totals.number(kind, key))
        except FileNotFoundError:  # it has been reaped meanwhile
            return None
        except (OSError, UnreadableError) as error:
            if interrupted(error):
                raise
            self._sources.pop(name, None)
            self._tell(name, error)
            return None
        return source

    def _forget(self, names: set[str]) -> None:
        """Give back what belongs to files that are gone."""
        for name in [name for name in self._sources if name not in names]:
            del self._sources[name]

    def exemplars(self) -> Mapping[Bucket, Exemplar]:
        """Return the newest exemplar of each bucket, by the family, the values of its labels and its upper bound."""
        newest: exemplars.Newest = {}
        texts: dict[bytes, tuple[Bucket, Exemplar]] = {}
        for text in self._exemplar_texts():
            try:
                bucket, exemplar = texts[text] = self._exemplars.get(text) or exemplars.read(text)
            except UnreadableError as error:
                self._tell(EXEMPLARS, error)
                continue
            newest[bucket] = exemplars.newer(newest.get(bucket), exemplar)
        self._exemplars = texts
        return newest

    def _exemplar_texts(self) -> Iterator[bytes]:
        """Return the text of every exemplar in the files of all workers, and in that of the dead."""
        try:
            files = files_of(os.listdir(self._directory), self._tag)
        except OSError as error:
            if interrupted(error):
                raise
            self._tell(self._directory, error)
            return
        names = [file.name for file in files if file.kind == EXEMPLARS and not file.partial]
        for name in (*names, dead_name(EXEMPLARS, self._tag)):
            try:
                yield from [record.text for record in exemplars.records(contents(self._path(name)))]
            except FileNotFoundError:  # there is none of the dead, or it has been reaped meanwhile
                continue
            except (OSError, UnreadableError) as error:
                if interrupted(error):
                    raise
                self._tell(name, error)

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)

    def _tell(self, name: str, problem: object) -> None:
        """Count a file that cannot be read, once."""
        if name not in self._told:
            self._told.add(name)
            self._failed("workers", f"{name}: {problem}")


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None
