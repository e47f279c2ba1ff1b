"""The payloads of OpenAI's chat protocol."""

import time
import uuid
from typing import Any

from examples.language_model.tokens import Usage


class Reply:
    """One answer under its identity, whole or in chunks."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._identity = f"chatcmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())

    def completion(self, text: str, usage: Usage | None) -> dict[str, Any]:
        """Return the whole answer."""
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        told = {} if usage is None else {"usage": usage.payload()}
        return {**self._head("chat.completion"), "choices": [choice], **told}

    def chunk(self, delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
        """Return a part of the answer: its role, a word, or its end."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def usage_chunk(self, usage: Usage) -> dict[str, Any]:
        """Return the last chunk, which has the tokens and no choices."""
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": usage.payload()}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self._identity, "object": kind, "created": self._created, "model": self.model}


def error_payload(message: str, kind: str, code: str | None = None) -> dict[str, Any]:
    """Return an error, as the body of an answer or within a stream."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
