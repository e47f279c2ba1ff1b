"""The file in which the numbers of a service's dead workers are added up, one for each kind.

It has the client's format. Behind the bytes in use it lists the files that it includes, as long as
these may still stand beside it: whoever reads both leaves the listed ones out. It is made anew under
another name and renamed, and never changes except that its list is cleared in place.
"""

import json
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from mmap import mmap

from mlmetrics.interruption import interrupted
from mlmetrics.workers.directory import PARTIAL
from mlmetrics.workers.kinds import Join, Pair, added
from mlmetrics.workers.records import (
    HEADER_BYTES,
    MOST_BYTES,
    WORD_BYTES,
    Data,
    UnreadableError,
    header,
    record,
    records,
    used_bytes,
)

_LENGTH = struct.Struct("q")
_PAIR = struct.Struct("dd")
NOTHING: Pair = (0.0, 0.0)


class Sums:
    """The value and the timestamp of each key, those of one key joined."""

    def __init__(self, join: Join = added) -> None:
        self.pairs: dict[bytes, Pair] = {}
        self._join = join

    def add(self, data: Data) -> None:
        """Add a file; nothing of it if it cannot be read.

        Raises:
            UnreadableError: it is not one of ours.
        """
        pairs = self.pairs
        for key, place in list(records(data, HEADER_BYTES, used_bytes(data))):
            pairs[key] = self._join(pairs.get(key, NOTHING), _PAIR.unpack_from(data, place * WORD_BYTES))


def included(data: Data) -> list[str]:
    """Return the names of the files that a merged file includes and that may still exist.

    Raises:
        UnreadableError: it is not one of ours.
    """
    start = used_bytes(data)
    if len(data) < start + _LENGTH.size:
        raise UnreadableError("it has no list of what it includes")
    (length,) = _LENGTH.unpack_from(data, start)
    text = bytes(data[start + _LENGTH.size : start + _LENGTH.size + max(0, length)])
    try:
        return [str(name) for name in json.loads(text)] if length else []
    except (TypeError, ValueError) as error:
        if interrupted(error):
            raise
        raise UnreadableError("the list of what it includes is cut off") from error


def replace(path: str, sums: Sums, names: Iterable[str]) -> None:
    """Put a new merged file in the place of the last one: from the rename on, it includes these files.

    Raises:
        OSError: there is no room, or no right to write.
    """
    body = b"".join(record(key, *pair) for key, pair in sums.pairs.items())
    used = HEADER_BYTES + len(body)
    if used > MOST_BYTES:
        raise OSError(f"{path} would have {used} bytes")
    text = json.dumps(list(names)).encode()
    put(path, header(used) + body + _LENGTH.pack(len(text)) + text)


def clear(path: str) -> None:
    """Forget what the file lists, after the listed files have gone, by one aligned store."""
    with open(path, "r+b") as file, mmap(file.fileno(), 0) as memory:
        used = used_bytes(memory)
        with memoryview(memory) as every, every[used : used + _LENGTH.size].cast("q") as length:
            length[0] = 0


def put(path: str, data: bytes) -> None:
    """Write a file under another name and rename it, so that it is there as a whole or not at all."""
    try:
        with open(path + PARTIAL, "wb") as file:
            file.write(data)
    except OSError:
        with suppress(FileNotFoundError):
            os.unlink(path + PARTIAL)
        raise
    os.replace(path + PARTIAL, path)
