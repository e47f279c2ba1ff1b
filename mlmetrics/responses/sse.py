"""Server-sent events, in text or bytes, however they are cut: at each event, the payload in its data is read."""

import codecs
import json
from typing import Any

from mlmetrics.interruption import Tolerating, interrupted
from mlmetrics.responses.content import first
from mlmetrics.responses.failures import fail_by
from mlmetrics.responses.kinds import hear_dict
from mlmetrics.responses.said import ANSWER, NOTHING, Said

LONGEST_EVENT = 2**24
"""Characters; what is left of a longer event is not read."""

_FIELDS = ("data:", "event:", "id:", "retry:")
_SILENT = frozenset({"heartbeat", "keep-alive", "keepalive", "ping"})
_DONE = "[DONE]"
BOM = "\ufeff"


def is_sse(chunk: object) -> bool:
    """Return whether the first chunk of a stream begins a stream of server-sent events."""
    if type(chunk) is bytes:
        chunk = chunk[:64].decode(errors="replace")
    if type(chunk) is not str:
        return False
    begin = chunk.lstrip(f"{BOM}\r\n")
    return begin.startswith(_FIELDS) or (begin.startswith(":") and ("\n" in chunk or "\r" in chunk))


class SSE:
    """One stream of server-sent events; `feed` it each chunk as it comes."""

    __slots__ = ("_after_return", "_data", "_decode", "_event", "_length", "_line")

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._line: list[str] = []  # what has come of a line
        self._data: list[str] = []
        self._event = ""
        self._length = 0
        self._after_return = False

    def feed(self, chunk: str | bytes, said: Said) -> int:
        """Read what the chunk completes into `said`; return what its events carry."""
        try:
            return first([self._read(line, said) for line in self._lines(chunk)])
        except Exception as error:  # any object may come
            if interrupted(error):
                raise
            said.broken = True
            return NOTHING

    def _lines(self, chunk: Any) -> list[str]:
        """Return the lines that the chunk completes; a line ends with CRLF, LF or CR, which may be cut in two."""
        come = self._decode(chunk) if isinstance(chunk, bytes | bytearray | memoryview) else str.__str__(chunk)
        if not come:
            return []
        if self._after_return and come[0] == "\n":
            come = come[1:]
        self._after_return = come.endswith("\r")
        *lines, rest = come.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if lines:
            lines[0] = "".join((*self._line, lines[0]))
            self._line = []
        if rest and self._fits(rest):
            self._line.append(rest)
        return lines

    def _read(self, line: str, said: Said) -> int:
        """Read a line: an empty one ends the event."""
        if not line:
            data, event = "\n".join(self._data), self._event
            self._data, self._event, self._length = [], "", 0
            return _hear(event, data, said)
        field, _, value = line.removeprefix(BOM).partition(":")
        value = value.removeprefix(" ")
        if field == "data" and self._fits(value):
            self._data.append(value)
        elif field == "event":
            self._event = value
        return NOTHING

    def _fits(self, piece: str) -> bool:
        """Return whether a piece of the event may be kept."""
        self._length += len(piece)
        return self._length <= LONGEST_EVENT


def _hear(event: str, data: str, said: Said) -> int:
    """Read an event; data that is no JSON object is content, as that of an endpoint that streams plain text."""
    if event in _SILENT or not data or data == _DONE:
        return NOTHING
    payload = _payload(data)
    carried = ANSWER if payload is None else hear_dict(payload, said) if payload else NOTHING
    if event != "error":
        return carried
    if said.failure is None:
        fail_by(said, payload or {})
    return NOTHING


def _payload(data: str) -> dict[str, Any] | None:
    """Return the JSON object in the data; None if there is none."""
    if not data.lstrip().startswith("{"):
        return None
    with Tolerating(ValueError, RecursionError):
        payload: dict[str, Any] = json.loads(data)
        return payload
    return None
