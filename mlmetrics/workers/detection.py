"""Whether this process is one of several that serve one address, while nothing brings their numbers together.

The sign is a socket. Workers of one server accept connections of the same address, on a socket that they got
from the process which started them. So children of our parent that hold a socket on which we listen are
workers of our server, whatever the server is called and however it was told to start them. A shell, a test
runner or a supervisor that starts several servers is not mistaken for one of them.

Not seen are workers that open sockets of their own at the same port (`SO_REUSEPORT`), that run as another user
than this process, that serve nothing (Celery), and all of them where there is no /proc.
"""

import os
import socket
import stat
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from glob import glob
from typing import Protocol
from weakref import WeakSet

from mlmetrics import logs
from mlmetrics.interruption import Tolerating, interrupted
from mlmetrics.workers.directory import VARIABLE, start_of

TOO_LATE = (
    f"{VARIABLE} was set after the first metric had been made, so this process counts alone. Set it before Python "
    "starts, and not in Python; `mlmetrics run -- COMMAND` does that"
)


class Store(Protocol):
    """What counts the mistake; weakly kept, so that each store counts it once."""

    def failed(self, where: str, problem: object) -> None:
        """Count it, and log it."""


_warned: "WeakSet[Store]" = WeakSet()


def warn_about_workers(store: Store, *, merged: bool) -> None:
    """Warn if this process counts alone, and should not; once for each start of a server.

    To be called when the server starts, and again at its first request: then all workers have been started.

    Args:
        store: where the mistake is counted.
        merged: whether the numbers of this store are brought together with those of other processes, or it has
            been said why they are not.
    """
    if merged or store in _warned:
        return
    try:
        problem = TOO_LATE if os.environ.get(VARIABLE) else several_workers()
        if problem is None:
            return
        _warned.add(store)
        if _is_first_of_its_server():
            tell(store.failed, problem)
    except Exception as error:
        if interrupted(error):
            raise
        store.failed("workers", error)


def tell(failed: Callable[[str, object], None], problem: str) -> None:
    """Count and log a problem of several workers, and write it to standard error if nobody reads the log."""
    failed("workers", problem)
    if not logs.heard():  # most servers configure no logging but their own, and this must be seen
        sys.stderr.write(f"mlmetrics: {problem}\n")


def several_workers() -> str | None:
    """Say that this process is one of several workers, and what to do; None if it is the only one or cannot tell."""
    pids = _workers()
    if len(pids) < 2:  # noqa: PLR2004 (several)
        return None
    shown = ", ".join(map(str, pids))
    return (
        f"this server has {len(pids)} workers (processes {shown}), and each of them counts alone: a scrape gets the "
        "numbers of one of them, and counters seem to run backwards. Start the server by `mlmetrics run -- COMMAND`, "
        f"or set {VARIABLE} to an empty directory before it starts"
    )


def _workers() -> list[int]:
    """Return the processes that listen where this one does, if they have the same parent; this one is among them."""
    listening = _listening()
    if not listening:
        return []
    return sorted(pid for pid in _children(os.getppid()) if not listening.isdisjoint(_sockets(pid)))


def _listening() -> set[int]:
    """Return the inodes of the sockets of this process that have an address on which it waits for connections.

    granian hands out a socket with that address, and listens on one of its own.
    """
    inodes: dict[object, set[int]] = defaultdict(set)
    awaited = set()
    for descriptor, inode in _open_sockets("self"):
        with Tolerating(OSError), socket.socket(fileno=os.dup(descriptor)) as opened:
            inodes[opened.getsockname()].add(inode)
            if opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                awaited.add(opened.getsockname())
    return set().union(*(inodes[address] for address in awaited))


def _sockets(pid: int) -> set[int]:
    return {inode for _, inode in _open_sockets(pid)}


def _open_sockets(pid: int | str) -> Iterator[tuple[int, int]]:
    """Yield the descriptors of a process that are sockets, each with the inode that its copies elsewhere share."""
    for path in glob(f"/proc/{pid}/fd/*"):
        with Tolerating(OSError):
            status = os.stat(path)
            if stat.S_ISSOCK(status.st_mode):
                yield int(os.path.basename(path)), status.st_ino


def _children(parent: int) -> Iterator[int]:
    for path in glob(f"/proc/{parent}/task/*/children"):
        with Tolerating(OSError), open(path, encoding="ascii") as file:
            yield from map(int, file.read().split())


def _is_first_of_its_server() -> bool:
    """Whether no other worker of this server has warned; known by a file in the temporary directory."""
    if len(_workers()) < 2:  # noqa: PLR2004 (several)
        return True
    parent = os.getppid()
    _remove_old_marks()
    try:
        os.close(os.open(_mark(parent, start_of(parent)), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    except OSError:  # better told by each worker than by none
        return True
    return True


def _mark(pid: object, start: object) -> str:
    return os.path.join(tempfile.gettempdir(), f"mlmetrics-workers-of-{pid}-{start}")


def _remove_old_marks() -> None:
    """Remove those of servers that have ended."""
    for path in glob(_mark("*", "*")):
        pid, _, start = path.rpartition("-of-")[2].partition("-")
        if pid.isdecimal() and str(start_of(int(pid))) != start:
            with Tolerating(OSError):  # somebody else's
                os.unlink(path)
