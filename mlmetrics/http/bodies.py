"""The sizes of the bodies of one request and its response, counted as their bytes pass."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from mlmetrics.interruption import interrupted


class Bodies:
    """Stands between the server and the middleware, and counts what passes.

    `received` are the bytes that the application has read of the request; `sent` those of the response that the server
    has taken while its client was there.

    Args:
        scope: the request; the response to HEAD has no body, whatever the application sends.
        server: the object that says whether the client has left, if the server has one.
        failed: counts what cannot be counted.
    """

    __slots__ = ("_failed", "_has_body", "_receive", "_send", "_server", "received", "sent")

    def __init__(self, scope: Any, receive: Any, send: Any, server: Any, failed: Callable[[str, object], None]) -> None:
        self._receive = receive
        self._send = send
        self._server = server
        self._failed = failed
        self._has_body = scope["method"] != "HEAD"
        self.received = 0
        self.sent = 0

    async def receive(self) -> Any:
        """Pass a message to the application, and count its part of the body."""
        message = await self._receive()
        try:
            if message["type"] == "http.request":
                self.received += len(message.get("body") or b"")
        except Exception as problem:  # a malformed message is for the application to refuse
            if interrupted(problem):
                raise
            self._failed("request", problem)
        return message

    async def send(self, message: Any) -> None:
        """Pass a message to the server; count its part of the body when the server has taken it."""
        await self._send(message)
        try:
            if self._has_body and (self._server is None or not self._server.disconnected):
                self.sent += size_of(message)
        except Exception as problem:  # as above, or a file that has gone
            if interrupted(problem):
                raise
            self._failed("request", problem)


def size_of(message: Mapping[str, Any]) -> int:
    """Return how many bytes of the body a message has, or names: a file may be sent by the server itself."""
    kind = message["type"]
    if kind == "http.response.body":
        return len(message.get("body") or b"")
    if kind == "http.response.pathsend":
        return os.stat(message["path"]).st_size  # noqa: PTH116 (a text or bytes, as the application gave it)
    if kind == "http.response.zerocopysend":
        count = message.get("count")
        if count is not None:
            return int(count)
        file = message["file"]
        number = file if isinstance(file, int) else file.fileno()
        return max(os.fstat(number).st_size - (message.get("offset") or 0), 0)
    return 0
