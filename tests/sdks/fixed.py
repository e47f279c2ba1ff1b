"""A server that answers with what a test gives it, such as payloads that no provider would send."""

import json
from collections import deque
from typing import Any

from tests.apps import ThreadServer


class FixedServer(ThreadServer):
    """A context manager over a server; each request gets the next answer, the last one again and again."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(self._answer, interface="asgi3", lifespan="off", http="h11", ws="none")
        self.asked: list[dict[str, Any]] = []
        self._answers = deque(answers)

    def answer(self, *answers: Any) -> None:
        """Answer with these from now on: an object is sent as JSON, a list as server-sent events, bytes as they are."""
        self._answers = deque(answers)

    async def _answer(self, _scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.asked.append(json.loads(body))
        answer = self._answers.popleft() if len(self._answers) > 1 else self._answers[0]
        kind = b"text/event-stream" if isinstance(answer, list | bytes) else b"application/json"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": _written(answer)})


def _written(answer: Any) -> bytes:
    """Return the body: JSON of Python, which has NaN, as some servers write it too."""
    if isinstance(answer, bytes):
        return answer
    if isinstance(answer, list):
        return "".join(f"data: {json.dumps(each)}\n\n" for each in answer).encode() + b"data: [DONE]\n\n"
    return json.dumps(answer).encode()
