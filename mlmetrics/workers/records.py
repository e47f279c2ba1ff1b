"""The format of the files: that of prometheus_client, so that its `MultiProcessCollector` reads them unchanged.

A file begins with the number of bytes in use as a 4-byte integer, and 4 bytes that the client
leaves empty; here they hold the version of the format. Records follow: the length of the key, the
key, spaces up to a multiple of 8 bytes, the value and its timestamp. What stands behind the bytes in
use is nobody's but ours.
"""

import json
import struct
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

from mlmetrics.interruption import interrupted

VERSION = b"ml01"
HEADER_BYTES = 8
WORD_BYTES = 8
PAIR_BYTES = 16
MOST_BYTES = 2**31 - 1
"""The number of bytes in use is a signed integer of 4 bytes."""

Data = bytes | bytearray | memoryview | mmap
_INTEGER = struct.Struct("i")
_PAIR = struct.Struct("dd")


class UnreadableError(ValueError):
    """A file that is empty, cut off, of another version, or none of ours."""


class Key(NamedTuple):
    """What a record counts."""

    family: str
    sample: str
    labels: dict[str, str]
    help: str


def header(used: int) -> bytes:
    """Return the first bytes of a file."""
    return _INTEGER.pack(used) + VERSION


def record(key: bytes, value: float = 0.0, timestamp: float = 0.0) -> bytes:
    """One record; its length is a multiple of 8, so that every value is aligned."""
    padding = b" " * (WORD_BYTES - (len(key) + _INTEGER.size) % WORD_BYTES)
    return _INTEGER.pack(len(key)) + key + padding + _PAIR.pack(value, timestamp)


def used_bytes(data: Data) -> int:
    """How much of a file is in use.

    Raises:
        UnreadableError: it is shorter than it says, or not of this version.
    """
    if len(data) < HEADER_BYTES:
        raise UnreadableError(f"it has {len(data)} bytes, less than a header")
    if data[_INTEGER.size : HEADER_BYTES] != VERSION:
        raise UnreadableError("it is not of this version of mlmetrics")
    used: int = _INTEGER.unpack_from(data)[0]
    if not HEADER_BYTES <= used <= len(data) or used % WORD_BYTES:
        raise UnreadableError(f"it says that {used} of its {len(data)} bytes are in use")
    return used


def records(data: Data, position: int, used: int) -> Iterator[tuple[bytes, int]]:
    """Return the key of each record from `position` on, and the index of its value among the doubles of the file."""
    while position < used:
        (length,) = _INTEGER.unpack_from(data, position)
        start = position + _INTEGER.size
        value = start + length + WORD_BYTES - (length + _INTEGER.size) % WORD_BYTES
        if length <= 0 or value + PAIR_BYTES > used:
            raise UnreadableError(f"the record at {position} does not fit")
        yield bytes(data[start : start + length]), value // WORD_BYTES
        position = value + PAIR_BYTES


def parsed(key: bytes) -> Key:
    """Return what a key says.

    Raises:
        UnreadableError: it is not of the client's format.
    """
    try:
        family, sample, labels, text = json.loads(key)
        texts = [family, sample, text, *labels, *labels.values()]
    except (AttributeError, TypeError, ValueError) as error:
        if interrupted(error):
            raise
        raise UnreadableError(f"it has the key {key!r:.100}") from error
    if not all(isinstance(text, str) for text in texts):
        raise UnreadableError(f"it has the key {key!r:.100}")
    return Key(family, sample, labels, text)
