"""The chat completions, completions and embeddings of OpenAI, which many other providers and servers speak too.

LiteLLM's responses have this shape, whatever the provider.
"""

from typing import Any

from mlmetrics.responses.content import any_filled, filled, first, of_parts
from mlmetrics.responses.failures import fail, failed
from mlmetrics.responses.fields import Fields, fields
from mlmetrics.responses.said import ANSWER, NOTHING, REASONING, Said, finish, guarded, keep, name, text

_ANSWERS = ("refusal", "audio", "images")
_CHOICE = ("delta", "finish_reason", "message", "text")
_REASONINGS = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks")


def read_completion(payload: Any, said: Said) -> int:
    """Read a response or a chunk."""
    body = fields(payload)
    usage = body.get("usage")
    if usage is not None:
        read_usage(usage, said)
    if usage is not None or said.model is None:
        name(said, body.get("id"), body.get("model"), body.get("service_tier"))
    choices = body.get("choices")
    if type(choices) is not list or not choices:
        if usage is None:
            failed(body, said)
        data = body.get("data")
        return ANSWER if type(data) is list and data else NOTHING
    if body.get("error") is not None:
        failed(body, said)
    return first([_choice(fields(choice), said) for choice in choices])


hear_completion = guarded(read_completion)


def is_completion(body: Fields) -> bool:
    """Return whether a dict is a response or a chunk with choices, and not somebody's own `choices`."""
    choices = body.get("choices")
    if type(choices) is not list:
        return False
    return any(each in fields(choices[0]) for each in _CHOICE) if choices else "object" in body or "usage" in body


def hear_chunk(chunk: Any, said: Said) -> int:
    """Read a chunk of the OpenAI SDK: most have a text and nothing else."""
    try:
        # Attributes of different names would evict each other from the cache that CPython has for all classes.
        body = chunk.__dict__
        if body["usage"] is None and said.known:
            choice = body["choices"][0].__dict__
            content = choice["delta"].__dict__["content"]
            if content and type(content) is str and choice["finish_reason"] is None:
                return ANSWER
    except (AttributeError, IndexError, KeyError, TypeError):
        pass  # an SDK constructs whatever the server sent; the slower reader takes any shape
    return hear_completion(chunk, said)


def read_usage(usage: Any, said: Said) -> None:
    """Read a usage, whose prompt contains what was cached and whose completion contains the reasoning."""
    told = fields(usage)
    prompt = told.get("prompt_tokens_details")
    sent = fields(prompt)
    written = sent.get("cache_write_tokens")
    if written is None and prompt is not None:
        written = sent.get("cache_creation_tokens")  # LiteLLM, before OpenAI had a name for it
    if written is None:
        written = told.get("cache_creation_input_tokens")  # earlier releases of LiteLLM, whose prompt contains it
    cached = sent.get("cached_tokens")
    if cached is None:
        cached = told.get("prompt_cache_hit_tokens")  # DeepSeek
    if "service_tier" in told:  # Mistral
        said.tier = text(told["service_tier"]) or said.tier
    keep(
        said,
        told.get("prompt_tokens"),
        cached,
        written,
        told.get("completion_tokens"),
        fields(told.get("completion_tokens_details")).get("reasoning_tokens"),
        told.get("total_tokens"),
    )


def _choice(choice: Fields, said: Said) -> int:
    """Read a choice: its delta, its message, or the text of a completion."""
    reason = choice.get("finish_reason")
    if reason is not None:
        finish(said, reason, choice.get("index"))
        if type(reason) is str and reason == "error":
            fail(said)
    message = choice.get("delta")
    if message is None:
        message = choice.get("message")
    return _message(message) if message is not None else ANSWER if filled(choice.get("text")) else NOTHING


def _message(message: Any) -> int:
    """Return what a message or delta carries."""
    body = fields(message)
    content = body.get("content")
    carried = NOTHING if content is None else of_parts(content)
    if carried == ANSWER or _called(body) or any_filled(body, _ANSWERS):
        return ANSWER
    return REASONING if carried or any_filled(body, _REASONINGS) else NOTHING


def _called(body: Fields) -> bool:
    """Return whether a tool is called: its name, and each piece of its arguments, is content."""
    calls = body.get("tool_calls")
    if type(calls) is list:
        for call in calls:
            told = fields(call)
            if filled(told.get("function")) or filled(told.get("custom")):
                return True
    return filled(body.get("function_call"))
