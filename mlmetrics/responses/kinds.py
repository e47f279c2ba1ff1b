"""Which format a payload has: by its type, remembered; of a dict, by its keys."""

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

from mlmetrics.errors import name_of_type
from mlmetrics.responses import anthropic, gemini, langchain, mistral, openai, openai_responses
from mlmetrics.responses.failures import failed
from mlmetrics.responses.fields import Fields, bases, declared, fields, module_of
from mlmetrics.responses.quick import QUICK
from mlmetrics.responses.said import ANSWER, NOTHING, Hear, Said, guarded

MOST_TYPES = 1024

_COMPLETION = openai.hear_completion
_KNOWN: dict[str, dict[str, Hear]] = {
    "openai": {
        "ChatCompletion": _COMPLETION,
        "ChatCompletionChunk": _COMPLETION,
        "Completion": _COMPLETION,
        "CreateEmbeddingResponse": _COMPLETION,
        "Response": openai_responses.hear_response,
    },
    "anthropic": {"BetaMessage": anthropic.hear_message, "Message": anthropic.hear_message},
    "google": {
        "EmbedContentResponse": gemini.hear_embeddings,
        "GenerateContentResponse": gemini.hear_content,
    },
    "mistralai": {
        "ChatCompletionResponse": _COMPLETION,
        "CompletionChunk": _COMPLETION,
        "CompletionEvent": mistral.hear_event,
        "EmbeddingResponse": _COMPLETION,
        "FIMCompletionResponse": _COMPLETION,
    },
    "litellm": {
        "EmbeddingResponse": _COMPLETION,
        "ModelResponse": _COMPLETION,
        "ModelResponseStream": _COMPLETION,
        "ResponsesAPIResponse": openai_responses.hear_response,
        "TextCompletionResponse": _COMPLETION,
    },
    "langchain_core": {
        "AIMessage": langchain.hear_message,
        "AIMessageChunk": langchain.hear_chunk,
        "ChatGeneration": langchain.hear_generation,
        "ChatResult": langchain.hear_result,
        "LLMResult": langchain.hear_result,
    },
}
_EVENTS: dict[str, Hear] = {
    "anthropic": anthropic.hear_event,
    "litellm": openai_responses.hear_event,
    "openai": openai_responses.hear_event,
}
"""SDKs whose streams have a class for each event, and what reads them all."""

_QUICK: dict[tuple[str, str], Hear] = {
    ("google", "GenerateContentResponse"): gemini.hear_chunk,
    ("mistralai", "CompletionEvent"): mistral.hear_quickly,
    ("openai", "ChatCompletionChunk"): openai.hear_chunk,
    **QUICK,
}
"""What reads the answers and chunks of an SDK that are many, not those of a user's subclass, which may have properties.
"""

_SHAPES: tuple[tuple[frozenset[str], Hear], ...] = (
    (frozenset({"choices", "usage"}), _COMPLETION),
    (frozenset({"choices", "created", "id", "model"}), _COMPLETION),
    (frozenset({"output", "status", "usage"}), openai_responses.hear_response),
    (frozenset({"content", "stop_reason", "usage"}), anthropic.hear_message),
    (frozenset({"candidates", "usage_metadata"}), gemini.hear_content),
    (frozenset({"data", "model", "usage"}), _COMPLETION),
    (
        frozenset({"code", "message", "object"}),
        guarded(lambda payload, said: failed(fields(payload), said) and NOTHING),
    ),
)
"""The fields of a server's own classes: whoever declares all of them means that format."""

_CLAIMS: tuple[tuple[Callable[[Fields], bool], Hear], ...] = (
    (openai.is_completion, openai.read_completion),
    (anthropic.is_event, anthropic.read_event),
    (openai_responses.is_event, openai_responses.read_event),
    (langchain.is_message, langchain.read_any),
    (gemini.is_content, gemini.read_content),
    (openai_responses.is_response, openai_responses.read_response),
    (anthropic.is_message, anthropic.read_message),
)
"""Of a dict: whether it has the keys of a format, and what reads it then."""

MARKS = {"candidates", "choices", "error", "error_code", "object", "type", "usage", *gemini.MARKS}

_heard: dict[int, tuple[Hear | None, object]] = {}
"""By the id of a type: what reads it, and a weak reference that forgets it when the type ends."""


def hearing(kind: type) -> Hear | None:
    """Return what reads the payloads of this type; None if they are known to say nothing.

    A dict that has no provider's format is content of the answer, as any chunk is that nobody knows.
    """
    try:
        return _heard[id(kind)][0]
    except KeyError:
        return _learn(kind)


def _learn(kind: type) -> Hear | None:
    """Find what reads a type, and remember it for as long as the type lives."""
    hear = _find(kind)
    if len(_heard) >= MOST_TYPES:
        _heard.clear()
    _heard[id(kind)] = hear, ref(kind, partial(_heard.pop, id(kind)))
    return hear


def _find(kind: type) -> Hear | None:
    """Return what reads a type."""
    if kind is dict:
        return hear_dict
    if (quick := _QUICK.get((module_of(kind), name_of_type(kind)))) is not None:
        return quick
    for base in bases(kind):
        module, its_name = module_of(base), name_of_type(base)
        if module == "builtins":
            return _of_own(kind)
        hear = _KNOWN.get(module, {}).get(its_name) or (_EVENTS.get(module) if its_name.endswith("Event") else None)
        if hear is not None:
            return hear
    return None


def _of_own(kind: type) -> Hear | None:
    """Return what reads a class of nobody we know: a dict, or one that declares the fields of a format."""
    if module_of(kind) == "builtins":
        return None
    if issubclass(kind, dict):
        return hear_dict
    names = declared(kind)
    return next((hear for shape, hear in _SHAPES if shape <= names), None)


def read_dict(payload: Any, said: Said) -> int:
    """Read a payload by the keys that it has."""
    body = fields(payload)
    if body.keys().isdisjoint(MARKS):
        return ANSWER
    for claims, read in _CLAIMS:
        if claims(body):
            return read(body, said)
    if failed(body, said):
        return NOTHING
    return _beside_usage(body, said) if type(body.get("usage")) is dict else ANSWER


hear_dict = guarded(read_dict)


def _beside_usage(body: Fields, said: Said) -> int:
    """Read a payload that has a provider's usage, among other keys or alone."""
    usage = body["usage"]
    if "prompt_tokens" in usage:
        return openai.read_completion(body, said) or (ANSWER if len(body) > 1 else NOTHING)
    if "input_tokens" in usage or "output_tokens" in usage:
        said.known = True
        (openai_responses if "input_tokens_details" in usage else anthropic).read_usage(usage, said)
    return ANSWER if len(body) > 1 else NOTHING
