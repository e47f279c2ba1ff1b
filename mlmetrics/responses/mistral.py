"""Mistral's chat, completions of code and embeddings: OpenAI's shapes; the SDK wraps each chunk of a stream."""

from typing import Any

from mlmetrics.responses.fields import fields
from mlmetrics.responses.openai import hear_chunk, read_completion
from mlmetrics.responses.said import Said, guarded


def read_event(payload: Any, said: Said) -> int:
    """Read the chunk in a `CompletionEvent`."""
    return read_completion(fields(payload).get("data"), said)


hear_event = guarded(read_event)


def hear_quickly(event: Any, said: Said) -> int:
    """Read the event of the SDK: most have a chunk with a text and nothing else."""
    try:
        chunk = event.data
    except AttributeError:
        return hear_event(event, said)
    return hear_chunk(chunk, said)
