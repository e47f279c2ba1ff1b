"""A server that answers with what a test gives it, such as payloads that no provider would send."""

import asyncio
import json
from collections import deque
from collections.abc import Iterator
from typing import Any

from tests.apps import ThreadServer


class FixedServer(ThreadServer):
    """A context manager over a server; each request gets the next answer, the last one again and again."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(self._answer, interface="asgi3", lifespan="off", http="h11", ws="none")
        self.asked: list[dict[str, Any]] = []
        self._answers = deque(answers)

    def answer(self, *answers: Any) -> None:
        """Answer with these from now on.

        A dict is sent as JSON, a list as server-sent events, bytes as they are, and an iterator for as long as the
        client reads.
        """
        self._answers = deque(answers)

    async def _answer(self, _scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.asked.append(json.loads(body))
        answer = self._answers.popleft() if len(self._answers) > 1 else self._answers[0]
        kind = b"application/json" if isinstance(answer, dict) else b"text/event-stream"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        if isinstance(answer, Iterator):
            await _send_all(answer, receive, send)
        else:
            await send({"type": "http.response.body", "body": _written(answer)})


async def _send_all(events: Iterator[Any], receive: Any, send: Any) -> None:
    """Send events until the client has left."""
    leaving = asyncio.ensure_future(receive())
    while not leaving.done():
        body = f"data: {json.dumps(next(events))}\n\n".encode()
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await asyncio.sleep(0)


def _written(answer: Any) -> bytes:
    """Return the body: JSON of Python, which has NaN, as some servers write it too."""
    if isinstance(answer, bytes):
        return answer
    if isinstance(answer, list):
        return "".join(f"data: {json.dumps(each)}\n\n" for each in answer).encode() + b"data: [DONE]\n\n"
    return json.dumps(answer).encode()
