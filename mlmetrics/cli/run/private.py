"""The private directory of one `mlmetrics run`: made before the server starts, removed after it has ended.

`mlmetrics run` locks the directory with `flock`, and its server inherits the lock. The kernel drops the lock
when the last of them has ended, however it ended. So whoever gets the lock knows that nobody uses the directory,
also if a process id has been used again or belongs to another container. Nobody else may lock the directory
itself. Processes that do not inherit descriptors, such as those that `multiprocessing` spawns, lock the files
that they write; as long as one of these is locked, the directory is in use too.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mlmetrics.workers.directory import is_held

PREFIX = "mlmetrics-run-"
MEMORY = Path("/dev/shm")  # noqa: S108 (the directory made in it is private)


class UnusableDirectoryError(Exception):
    """The directory cannot hold the files of the processes; the text says why."""


def parents() -> Iterator[Path]:
    """Where a private directory may be made, the best place first.

    The first two are in memory: the kernel does not write the files to a disk again and again, and they are
    never on a network. The temporary directory may be on a disk, but it always exists.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    places = [MEMORY, *([Path(runtime)] if runtime else []), Path(tempfile.gettempdir())]
    yield from (place for place in places if place.is_dir() and os.access(place, os.W_OK | os.X_OK))


def check_directory(directory: Path) -> None:
    """Refuse a path at which the processes cannot make their files.

    Raises:
        UnusableDirectoryError: it does not exist, is no directory, or cannot be written.
    """
    if not directory.exists():
        raise UnusableDirectoryError(f"the directory {directory} does not exist; make it before the start")
    if not directory.is_dir():
        raise UnusableDirectoryError(f"{directory} is not a directory")
    try:
        # Only an attempt tells: root may write where the file system is read-only or full.
        with tempfile.TemporaryFile(dir=directory) as file:
            os.posix_fallocate(file.fileno(), 0, 1)
    except OSError as error:
        raise UnusableDirectoryError(f"cannot write in the directory {directory}: {error.strerror}") from error


class PrivateDirectory:
    """A new directory that only this user can read, and the lock on it.

    Raises:
        UnusableDirectoryError: it cannot be made.
    """

    def __init__(self, parent: Path) -> None:
        check_directory(parent)
        lock = None
        while lock is None:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            try:
                lock = locked(self.path, fcntl.LOCK_EX)
            except OSError as error:
                self.path.rmdir()
                raise UnusableDirectoryError(f"cannot lock a directory in {parent}: {error.strerror}") from error
        self.lock = lock

    def end(self) -> bool:
        """Remove the directory if nobody uses it any more; return whether it was removed."""
        os.close(self.lock)
        return remove_unused(self.path)


def locked(directory: Path, how: int) -> int | None:
    """Return a descriptor of the directory that holds its lock; None if the directory is removed meanwhile."""
    with suppress(FileNotFoundError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, how)
            if os.path.samestat(os.fstat(descriptor), directory.lstat()):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    return None


def remove_unused(directory: Path) -> bool:
    """Remove a private directory that nobody has locked; return whether it no longer exists."""
    try:
        lock = locked(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    if lock is not None:
        if not any(is_held(str(path)) for path in directory.glob("*-ml.*")):
            shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)
    return not directory.exists()


def remove_leftovers(parent: Path) -> None:
    """Remove the private directories of this user that a killed `mlmetrics run` has left in a directory."""
    for path in parent.glob(f"{PREFIX}*"):
        with suppress(FileNotFoundError):  # another `mlmetrics run` removes it now
            if path.lstat().st_uid == os.geteuid():
                remove_unused(path)
