"""Samples as Prometheus sends them to a storage: remote write, in which a mark says that a series has ended.

No import of VictoriaMetrics takes that mark, and without one it goes on with the last sample. The protocol is one
message of Protocol Buffers, compressed by snappy; both are written by hand here, snappy without compressing anything.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence

import httpx

STALE = struct.pack("<Q", 0x7FF0000000000002)
"""The one of all values that are no number that Prometheus takes for the end of a series."""
_LONGEST_LITERAL = 1 << 16
_VARINT, _FIXED_64, _BYTES = 0, 1, 2
"""How the value of a field is written."""
Series = tuple[Mapping[str, str], Sequence[tuple[float, float | None]]]
"""Labels, the name among them, and the times in seconds with their values; None is the mark."""


def remote_write(url: str, series: Iterable[Series]) -> None:
    """Send series to a storage at an address."""
    message = b"".join(_field(1, _time_series(*each)) for each in series)
    httpx.post(f"{url}/api/v1/write", content=b"".join(_snappy(message)), trust_env=False).raise_for_status()


def _time_series(labels: Mapping[str, str], samples: Sequence[tuple[float, float | None]]) -> bytes:
    names = (_field(1, _field(1, name.encode()) + _field(2, text.encode())) for name, text in labels.items())
    return b"".join((*names, *(_field(2, _sample(*each)) for each in samples)))


def _sample(seconds: float, value: float | None) -> bytes:
    number = STALE if value is None else struct.pack("<d", value)
    return _key(1, _FIXED_64) + number + _key(2, _VARINT) + _varint(round(seconds * 1000))


def _field(number: int, content: bytes) -> bytes:
    return _key(number, _BYTES) + _varint(len(content)) + content


def _key(number: int, written: int) -> bytes:
    return _varint(number << 3 | written)


def _varint(number: int) -> bytes:
    """Return a number in groups of seven bits, the lowest first; the highest bit says that more follow."""
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _snappy(content: bytes) -> Iterator[bytes]:
    """Yield a content as literals, each after its length."""
    yield _varint(len(content))
    for start in range(0, len(content), _LONGEST_LITERAL):
        literal = content[start : start + _LONGEST_LITERAL]
        yield bytes([61 << 2]) + struct.pack("<H", len(literal) - 1) + literal
