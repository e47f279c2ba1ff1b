"""What becomes of the files of dead workers: their numbers are added to one file for each kind, and they go.

The steps are in an order in which nobody who dies between two of them loses or doubles a number: a
new merged file, which lists what it includes, takes the place of the last one; then the included files
go; then the list is cleared. The next reaper goes on with the list that it finds.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from itertools import groupby

from mlmetrics.interruption import interrupted
from mlmetrics.workers import exemplars, merged
from mlmetrics.workers.directory import (
    EXEMPLARS,
    File,
    contents,
    dead_name,
    files_of,
    is_alive,
    is_held,
    locked,
    set_aside,
    tag_of,
    tags_of,
)
from mlmetrics.workers.kinds import MERGED_KINDS, Kind, is_live, join_of
from mlmetrics.workers.records import UnreadableError


def reap(directory: str, service: str) -> int:
    """Add up and remove the files of workers that have died; returns how many workers.

    Does nothing while another process does it. What cannot be read is set aside, for whoever reads the
    directory to report; files for whose sum there is no room wait for the next time.
    """
    return _reap_alone(directory, tag_of(service))


def reap_all(directory: str) -> int:
    """Reap the dead workers of every service: a parent does not know how its workers call theirs."""
    try:
        return sum(_reap_alone(directory, tag) for tag in tags_of(os.listdir(directory)))
    except OSError as error:
        if interrupted(error):
            raise
        return 0


def _reap_alone(directory: str, tag: str) -> int:
    try:
        with locked(os.path.join(directory, f"reaper-{tag}-ml.lock"), wait=False) as mine:
            return _reap(directory, tag) if mine else 0
    except OSError as error:  # no directory, no right to write, no room
        if interrupted(error):
            raise
        return 0


def _reap(directory: str, tag: str) -> int:
    dead = files_of_dead(directory, files_of(os.listdir(directory), tag))
    whole = [file for file in dead if not file.partial]
    _remove(directory, (file.name for file in dead if file.partial or is_live(file.kind)))
    for kind in MERGED_KINDS:
        _compact(directory, tag, kind, [file.name for file in whole if file.kind == kind])
    _keep_exemplars(directory, tag, [file.name for file in whole if file.kind == EXEMPLARS])
    return len({(file.pid, file.start) for file in dead})


def files_of_dead(directory: str, files: Iterable[File]) -> list[File]:
    """Those of these files whose worker has died: it is not seen here, and does not hold its file elsewhere."""
    by_worker = groupby(sorted(files, key=_worker), _worker)
    unseen = [file for worker, theirs in by_worker if not is_alive(*worker) for file in theirs]
    return [file for file in unseen if not is_held(os.path.join(directory, file.name))]


def _worker(file: File) -> tuple[int, int]:
    return file.pid, file.start


def _compact(directory: str, tag: str, kind: Kind, names: list[str]) -> None:
    """Add these files to the merged one of their kind."""
    pid = os.getpid()
    path = os.path.join(directory, dead_name(kind, tag))
    sums = merged.Sums(join_of(kind))
    done = _included(sums, path)
    _remove(directory, done)
    added = [name for name in names if _added(sums, os.path.join(directory, name))]
    if os.getpid() != pid:  # a signal handler has forked, and the parent may have removed what was to be added
        return
    if added:
        merged.replace(path, sums, added)
        _remove(directory, added)
    if added or done:
        merged.clear(path)


def _included(sums: merged.Sums, path: str) -> list[str]:
    """Begin with the last merged file; returns what it includes and may not have been removed."""
    try:
        data = contents(path)
        names = merged.included(data)
        sums.add(data)
    except FileNotFoundError:
        return []
    except UnreadableError:
        set_aside(path)
        return []
    return names


def _added(sums: merged.Sums, path: str) -> bool:
    """Add a file to the sums, if it is there and can be read."""
    try:
        sums.add(contents(path))
    except FileNotFoundError:
        return False
    except UnreadableError:
        set_aside(path)
        return False
    return True


def _remove(directory: str, names: Iterable[str]) -> None:
    for name in names:
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(directory, name))


def _keep_exemplars(directory: str, tag: str, names: list[str]) -> None:
    """Keep the newest exemplars of the dead; doing so twice changes nothing, so no list is needed."""
    if not names:
        return
    path = os.path.join(directory, dead_name(EXEMPLARS, tag))
    newest: exemplars.Newest = {}
    for each in (path, *(os.path.join(directory, name) for name in names)):
        with suppress(FileNotFoundError, UnreadableError):
            for record in exemplars.records(contents(each)):
                bucket, exemplar = exemplars.read(record.text)
                newest[bucket] = exemplars.newer(newest.get(bucket), exemplar)
    merged.put(path, exemplars.whole_file(newest))
    _remove(directory, names)
