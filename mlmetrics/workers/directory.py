"""What stands in the directory that the workers share: how files are named, whose they are, and who is alive.

A file of a worker has the worker's pid and start time in its name, since pids are used again, and a
tag of its service, so that services which share a directory by mistake stay apart. Other files, such
as those of the user's own metrics, have other names and are never touched.
"""

import hashlib
import os
import re
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from mlmetrics.interruption import interrupted
from mlmetrics.workers.kinds import KINDS

if sys.platform != "win32":  # Windows has no such locks of files
    import fcntl

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that names the directory, as prometheus_client reads it."""
EXEMPLARS = "exemplars"
PARTIAL = ".tmp"
UNREADABLE = ".unreadable"

_NAME = re.compile(
    rf"({'|'.join(KINDS)}|{EXEMPLARS})_(\d+)-(\d+)-([0-9a-f]{{8}})(?:-\d+)?-ml\.(?:db|bin)({re.escape(PARTIAL)})?"
)
_PROC = "/proc"
_MOST_OF_PROC_BYTES = 4096
_DEAD_STATES = "ZXx"
_START_FIELD = 19  # counted from the state, which follows the program's name in brackets

_forking = threading.RLock()
if hasattr(os, "register_at_fork"):
    # A child has what its parent has open, and with it the file locks that the parent holds.
    os.register_at_fork(before=_forking.acquire, after_in_parent=_forking.release, after_in_child=_forking.release)
_held: set[str] = set()
"""The files that this process has locked; a second lock of the same file would wait for the first."""


class File(NamedTuple):
    """A file of a worker."""

    name: str
    kind: str
    pid: int
    start: int
    partial: bool


def tag_of(service: str) -> str:
    """Return what stands for the service in names of files, which may not hold everything that a service's name may."""
    return hashlib.sha256(service.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def file_name(kind: str, pid: int, start: int, tag: str, number: int = 1) -> str:
    """Return the name of a worker's file; the number tells apart several of one process."""
    return f"{kind}_{pid}-{start}-{tag}{f'-{number}' if number > 1 else ''}-ml.{_ending(kind)}"


def dead_name(kind: str, tag: str) -> str:
    """Return the name of the file in which the numbers of all dead workers are added up."""
    return f"{kind}_dead-{tag}-ml.{_ending(kind)}"


def _ending(kind: str) -> str:
    """Return how a file of this kind ends; the client reads every file that ends in `.db`."""
    return "bin" if kind == EXEMPLARS else "db"


def files_of(names: Iterable[str], tag: str) -> list[File]:
    """Return the files of a service's workers, dead ones included, among the names of all that the directory holds."""
    matches = map(_NAME.fullmatch, names)
    return [
        File(match[0], match[1], int(match[2]), int(match[3]), bool(match[5]))
        for match in matches
        if match and match[4] == tag
    ]


def tags_of(names: Iterable[str]) -> set[str]:
    """Return the services whose workers have files, dead ones included."""
    return {match[4] for match in map(_NAME.fullmatch, names) if match}


def set_aside(path: str) -> None:
    """Give what cannot be read a name under which nobody reads it, neither we nor the client."""
    os.replace(path, path + UNREADABLE)


def unreadable(names: Iterable[str], tag: str) -> list[str]:
    """Return the files of a service that were set aside."""
    return [name for name in names if name.endswith(f"-{tag}-ml.db{UNREADABLE}")]


def contents(path: str, most: int | None = None) -> bytes:
    """Return what a file holds, read from its beginning: a process that is forked meanwhile shares its position.

    Raises:
        OSError: there is no such file, or no right to read it.
    """
    with open(path, "rb", buffering=0) as file:
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size if most is None else most, 0)


def start_of(pid: int) -> int | None:
    """When a process started, in ticks since the machine did; None if there is none that runs.

    Without /proc it is 0 for every process that runs, so that a pid which is used again is not noticed.
    """
    if not os.path.isdir(f"{_PROC}/self"):
        return 0 if _signalled(pid) else None
    try:
        fields = contents(f"{_PROC}/{pid}/stat", _MOST_OF_PROC_BYTES).rpartition(b")")[2].split()
    except OSError as error:
        if interrupted(error):
            raise
        return None
    return None if fields[0].decode() in _DEAD_STATES else int(fields[_START_FIELD])


def _signalled(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_alive(pid: int, start: int) -> bool:
    """Whether the worker with this pid that started then still runs, as far as this process can see."""
    return start_of(pid) == start


def is_held(path: str) -> bool:
    """Whether a process has this file of its own open, even one that is not seen here, as in another container.

    A worker keeps a lock on each file that it writes, and the lock ends with it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that two who look at the same time do not take each other for the worker.
        return not _lock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:  # a file system without locks: pids must do
        if interrupted(error):
            raise
        return False
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: str, *, wait: bool) -> Iterator[bool]:
    """Hold a file lock between processes; says whether it could be had. No fork happens while it is held.

    It cannot be had, even by waiting, by a signal handler or a finalizer that interrupts its holder: that
    one goes on only after it.
    """
    with _forking:
        if path in _held:
            yield False
            return
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        _held.add(path)
        try:
            yield _lock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            _held.discard(path)
            os.close(descriptor)


def _lock(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation)
    except BlockingIOError:
        return False
    return True
