"""The newest exemplar of each bucket, in a file beside the numbers: the client's format has no room for them.

A record has a checksum and is written over when a newer exemplar comes. Whoever reads it half
written, or after its worker died writing it, leaves it out.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from zlib import crc32

from prometheus_client.samples import Exemplar

from mlmetrics.interruption import interrupted
from mlmetrics.workers.mapped import MappedFile
from mlmetrics.workers.records import HEADER_BYTES, Data, UnreadableError, header, used_bytes

Bucket = tuple[str, ...]
"""A family, the values of its labels, and the upper bound of the bucket as text."""
Newest = dict[Bucket, Exemplar]

_FRAME = struct.Struct("IIII")  # room for the text, its length, its checksum, nothing
_ROOM_TO_CHANGE_BYTES = 256


class Record(NamedTuple):
    """A record as it stands in the file."""

    position: int
    checksum: int
    text: bytes


def written(bucket: Bucket, exemplar: Exemplar) -> bytes:
    """Return an exemplar as text."""
    return json.dumps([bucket, exemplar.labels, exemplar.value, exemplar.timestamp]).encode()


def read(text: bytes) -> tuple[Bucket, Exemplar]:
    """Return an exemplar from its text.

    Raises:
        UnreadableError: it is not one of ours.
    """
    try:
        bucket, labels, value, timestamp = json.loads(text)
        return tuple(bucket), Exemplar(labels, value, timestamp)
    except (TypeError, ValueError) as error:
        if interrupted(error):
            raise
        raise UnreadableError(f"it has the exemplar {text!r:.100}") from error


def record(text: bytes) -> bytes:
    """Return a new record, with room for a text that is somewhat longer."""
    room = -(-(len(text) + _ROOM_TO_CHANGE_BYTES) // 8) * 8
    return _FRAME.pack(room, len(text), crc32(text), 0) + text.ljust(room, b" ")


def records(data: Data) -> Iterator[Record]:
    """Return the records that are whole.

    Raises:
        UnreadableError: the file is not one of ours.
    """
    position, used = HEADER_BYTES, used_bytes(data)
    while position < used:
        if position + _FRAME.size > used:
            raise UnreadableError(f"the exemplar at {position} does not fit")
        room, length, checksum, _ = _FRAME.unpack_from(data, position)
        start = position + _FRAME.size
        if start + room > used:
            raise UnreadableError(f"the exemplar at {position} does not fit")
        text = bytes(data[start : start + min(length, room)])
        if crc32(text) == checksum:
            yield Record(position, checksum, text)
        position = start + room


def newer(one: Exemplar | None, other: Exemplar) -> Exemplar:
    """Return the exemplar with the later timestamp."""
    return other if one is None or float(one.timestamp or 0) <= float(other.timestamp or 0) else one


def whole_file(exemplars: Mapping[Bucket, Exemplar]) -> bytes:
    """Return a file with these exemplars."""
    body = b"".join(record(written(bucket, exemplar)) for bucket, exemplar in exemplars.items())
    return header(HEADER_BYTES + len(body)) + body


class ExemplarFile:
    """The exemplars of this process."""

    def __init__(self, file: MappedFile) -> None:
        self.file = file
        self._positions: dict[Bucket, tuple[int, int]] = {}

    def mark(self, bucket: Bucket, exemplar: Exemplar) -> None:
        """Write an exemplar over the last one of its bucket, or behind all if it is new or longer than there is room.

        Raises:
            OSError: there is no room for a new one.
        """
        text = written(bucket, exemplar)
        position, room = self._positions.get(bucket, (0, -1))
        if len(text) > room:
            new = record(text)
            self._positions[bucket] = self.file.append(new), len(new) - _FRAME.size
            return
        frame = _FRAME.pack(room, len(text), crc32(text), 0) + text
        end = position + len(frame)
        self.file.memory[position:end] = frame
