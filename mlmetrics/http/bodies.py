"""The sizes of the bodies of one request and its response, counted as their bytes pass."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from mlmetrics.interruption import interrupted


class Bodies:
    """Stands between the server and the middleware, and counts what passes.

    `received` are the bytes that the application has read of the request; `sent` those of the response that the server
    has taken while its client was there, None if one of its files has a size that cannot be known.

    Args:
        scope: the request; the response to HEAD has no body, whatever the application sends.
        server: the object that says whether the client has left, if the server has one.
        failed: counts what cannot be counted.
    """

    __slots__ = ("_failed", "_has_body", "_left", "_receive", "_send", "_server", "received", "sent")

    def __init__(self, scope: Any, receive: Any, send: Any, server: Any, failed: Callable[[str, object], None]) -> None:
        self._receive = receive
        self._send = send
        self._server = server
        self._failed = failed
        self._has_body = scope["method"] != "HEAD"
        self._left = False
        self.received = 0
        self.sent: int | None = 0

    async def receive(self) -> Any:
        """Pass a message to the application, and count its part of the body."""
        message = await self._receive()
        try:
            if message["type"] == "http.request":
                self.received += bytes_in(message.get("body"))
            elif message["type"] == "http.disconnect":
                self._left = True
        except Exception as problem:  # a malformed message is for the application to refuse
            if interrupted(problem):
                raise
            self._failed("request", problem)
        return message

    async def send(self, message: Any) -> None:
        """Pass a message to the server; count its part of the body when the server has taken it.

        A file is measured before, because the server may move its position, and somebody else may remove it.
        """
        size: int | None = 0
        try:
            if self._has_body:
                size = size_of(message)
        except Exception as problem:  # a malformed message is for the server to refuse
            if interrupted(problem):
                raise
            self._failed("request", problem)
        await self._send(message)
        if size != 0 and not (self._left or (self._server is not None and self._server.disconnected)):
            self.sent = None if size is None or self.sent is None else self.sent + size


def size_of(message: Mapping[str, Any]) -> int | None:
    """Return how many bytes of the body a message has, or names: a file may be sent by the server itself.

    None if that cannot be known, as of a file that does not exist: what the server does about it is its own.
    """
    kind = message["type"]
    if kind == "http.response.body":
        return bytes_in(message.get("body"))
    try:
        if kind == "http.response.pathsend":
            return os.stat(message["path"]).st_size  # noqa: PTH116 (a text or bytes, as the application gave it)
        if kind == "http.response.zerocopysend":
            file = message["file"]
            number = file if isinstance(file, int) else file.fileno()
            return rest_of(number, message.get("offset"), message.get("count"))
    except (OSError, AttributeError) as problem:
        if interrupted(problem):
            raise
        return None
    return 0


def rest_of(file: int, offset: int | None, count: int | None) -> int:
    """Return how many bytes of a file are sent, from an offset or from where it stands, and at most `count`."""
    begin = os.lseek(file, 0, os.SEEK_CUR) if offset is None else offset
    rest = max(0, os.fstat(file).st_size - begin)
    return rest if count is None else min(rest, count)


def bytes_in(body: Any) -> int:
    """Return the length of a body in bytes; ASGI lets it be missing."""
    if not body:
        return 0
    return len(body) if isinstance(body, bytes | bytearray) else memoryview(body).nbytes
