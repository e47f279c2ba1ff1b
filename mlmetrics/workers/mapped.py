"""A file that this process alone writes, mapped into memory: made whole, grown ahead of use, left by a forked child."""

import errno
import mmap
import os
import sys
from contextlib import suppress
from itertools import count
from typing import TypeAlias

from mlmetrics.interruption import interrupted
from mlmetrics.workers.directory import PARTIAL, file_name
from mlmetrics.workers.records import HEADER_BYTES, MOST_BYTES, PAIR_BYTES, header

if sys.platform != "win32":  # Windows has no such locks of files
    import fcntl

FIRST_BYTES = 1 << 16
SPARE_BYTES = PAIR_BYTES
"""What is kept free at the end of a map, for numbers that have no place of their own."""

Doubles: TypeAlias = "memoryview[float]"
_NOT_KNOWN_HERE = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


def doubles(memory: bytes | memoryview | mmap.mmap) -> Doubles:
    """Memory as doubles, which are read and written whole."""
    return memoryview(memory).cast("d")


def private_memory(size: int) -> mmap.mmap:
    """Memory that no file and no other process has."""
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


class MappedFile:
    """A file, its map, and how much of both is in use.

    A record is written first, and then the number of bytes in use by one aligned store, which
    makes it visible: whoever dies in between has written nothing.
    """

    __slots__ = ("_descriptor", "_used_word", "memory", "size", "used", "view")

    def __init__(self, directory: str, kind: str, pid: int, start: int, tag: str) -> None:
        """Make the file under another name and rename it, so that nobody sees it empty or half made.

        Raises:
            OSError: there is no such directory, no right to write or no room in it.
        """
        self._descriptor = -1
        path, self._descriptor = _claim(directory, kind, pid, start, tag)
        try:
            self._begin()
            os.rename(path + PARTIAL, path)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(path + PARTIAL)
            self._close()
            raise

    def _begin(self) -> None:
        self.size = self.used = 0
        _hold(self._descriptor)
        self._reserve(FIRST_BYTES)
        self.used = HEADER_BYTES
        self.memory[:HEADER_BYTES] = header(HEADER_BYTES)

    def _reserve(self, size: int) -> None:
        """Make the file this long and map it anew; the old map stays valid for whoever still writes to it.

        The room is taken from the disk here, where its lack is an error: later it would be the signal SIGBUS.
        """
        if size > MOST_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        _allocate(self._descriptor, self.size, size)
        memory = mmap.mmap(self._descriptor, size)
        view, used_word = doubles(memory), memoryview(memory)[:4].cast("i")
        self.memory, self.view, self._used_word, self.size = memory, view, used_word, size

    def append(self, record: bytes) -> int:
        """Write a record behind the last one, and return its position.

        Raises:
            OSError: there is no room.
        """
        length = len(record)
        while self.used + length + SPARE_BYTES > self.size:
            self._reserve(self.size * 2)
        # No call stands from here on, so that no signal handler comes in between and takes the same place.
        position = self.used
        end = position + length
        self.memory[position:end] = record
        self._used_word[0] = self.used = end
        return position

    def leave(self) -> None:
        """In a forked child: write to private memory from now on, since the file is the parent's."""
        memory = private_memory(self.size)
        view, used_word = doubles(memory), memoryview(memory)[:4].cast("i")
        self.memory, self.view, self._used_word = memory, view, used_word
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self._close()


def _claim(directory: str, kind: str, pid: int, start: int, tag: str) -> tuple[str, int]:
    """Return the first name that is free, and its file, open under the name of a file that is being made."""
    for number in count(1):
        path = os.path.join(directory, file_name(kind, pid, start, tag, number))
        try:
            descriptor = os.open(path + PARTIAL, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            continue
        if not os.path.exists(path):
            return path, descriptor
        os.unlink(path + PARTIAL)
        os.close(descriptor)
    raise AssertionError("unreachable: there is always another number")


def _hold(descriptor: int) -> None:
    """Keep a lock on the file until this process ends, which processes see that do not see this one."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:  # a file system without locks: pids must do
        if interrupted(error):
            raise


def _allocate(descriptor: int, size: int, larger: int) -> None:
    """Take room from the disk; only that which is new, because some systems write to it."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, size, larger - size)
        except OSError as error:
            if error.errno not in _NOT_KNOWN_HERE:
                raise
        else:
            return
    os.ftruncate(descriptor, larger)
