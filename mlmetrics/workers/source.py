"""One file that is read again and again: mapped, parsed as far as it has grown, its values taken by known indexes."""

import mmap
import os
from collections.abc import Callable
from operator import itemgetter
from typing import Any

from mlmetrics.workers.mapped import Doubles, doubles
from mlmetrics.workers.records import HEADER_BYTES, WORD_BYTES, UnreadableError, records, used_bytes

LEFT_OUT = -1
"""The number of a key that goes nowhere."""


class Source:
    """A file of a worker, or the merged one of the dead, and where each of its values goes.

    Values are read from the map, each of them whole, while the worker goes on writing.
    """

    __slots__ = ("_indexes", "_position", "_take", "_view", "inode", "memory", "numbers")

    def __init__(self, inode: int) -> None:
        self.inode = inode
        self.memory: mmap.mmap | None = None
        self.numbers: list[int] = [0]
        """The number of what each value is added to; the first is that of the header, which is none."""
        self._indexes: list[int] = [0]
        self._position = HEADER_BYTES
        self._take: Callable[[Doubles], Any] | None = None
        self._view: Doubles = doubles(b"")

    def refresh(self, path: str, size: int, number_of: Callable[[bytes], int]) -> None:
        """Map what the file has become, and parse what was added to it.

        Raises:
            UnreadableError: it is not one of ours, or no longer what it was.
            OSError: it cannot be opened or mapped.
        """
        if self.memory is None or len(self.memory) != size:
            self.release()
            self._map(path)
        used = used_bytes(self.memory or b"")
        if used < self._position:
            raise UnreadableError("it has become shorter")
        if used > self._position:
            self._parse(used, number_of)

    def _map(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if status.st_ino != self.inode:
                raise FileNotFoundError(f"{path} has been replaced")
            if status.st_size < HEADER_BYTES:
                raise UnreadableError(f"it has {status.st_size} bytes, less than a header")
            memory = mmap.mmap(descriptor, status.st_size, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)
        view = doubles(memoryview(memory)[: len(memory) // WORD_BYTES * WORD_BYTES])
        self.memory, self._view = memory, view

    def _parse(self, used: int, number_of: Callable[[bytes], int]) -> None:
        indexes, numbers = [*self._indexes], [*self.numbers]
        for key, index in records(self.memory or b"", self._position, used):
            number = number_of(key)
            if number != LEFT_OUT:
                indexes.append(index)
                numbers.append(number)
        take = itemgetter(*indexes) if len(indexes) > 1 else None
        # Together, so that an interrupted read has parsed all of it or nothing.
        self._indexes, self.numbers, self._take, self._position = indexes, numbers, take, used

    def values(self) -> tuple[float, ...]:
        """Return the values now, in the order of `numbers`."""
        return () if self._take is None else self._take(self._view)

    def timestamps(self) -> tuple[float, ...]:
        """Return the timestamps of the values; that of the header is none."""
        view = self._view
        return tuple([view[index + 1] for index in self._indexes])

    def release(self) -> None:
        """Give back the map; what was parsed is kept."""
        self.memory, self._view = None, doubles(b"")
