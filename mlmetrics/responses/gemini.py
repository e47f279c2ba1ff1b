"""Gemini's `generateContent`, whole and streamed: as the API writes it, and as the SDK names it."""

import json
from typing import Any

from mlmetrics.responses.content import filled, first
from mlmetrics.responses.failures import failed
from mlmetrics.responses.fields import Fields, fields
from mlmetrics.responses.said import (
    ANSWER,
    MOST_TOKENS,
    NOTHING,
    REASONING,
    Said,
    finish,
    guarded,
    keep,
    name,
    text,
    total,
)

_TOLD = ("usageMetadata", "usage_metadata", "promptFeedback", "prompt_feedback")
MARKS = ("candidates", *_TOLD)
"""Keys of which a response or a chunk has one or more."""
PLAIN = {"input", "output"}
LONGEST_BODY = 1 << 20
"""A longer one is not read: decoding it would hold up the program."""


def read_content(payload: Any, said: Said) -> int:
    """Read a response or a chunk; the usage of each chunk counts all chunks up to it."""
    body = fields(payload)
    name(said, _of(body, "response_id", "responseId"), _of(body, "model_version", "modelVersion"))
    usage = _of(body, "usage_metadata", "usageMetadata")
    if usage is not None:
        read_usage(usage, said)
    failed(body, said)
    candidates = body.get("candidates")
    if type(candidates) is list:
        return first([_candidate(each, said) for each in candidates])
    return _unread(body, said) if usage is None else NOTHING


hear_content = guarded(read_content)


def hear_chunk(chunk: Any, said: Said) -> int:
    """Read a chunk of the SDK: most have a text, and the tokens of the prompt and of the answer up to here."""
    try:
        candidate = chunk.candidates[0]
        told, part = chunk.usage_metadata, candidate.content.parts[0]
        prompt, answer = told.prompt_token_count, told.candidates_token_count
        if (
            said.usage is not None
            and said.usage.keys() == PLAIN
            and type(prompt) is type(answer) is int
            and 0 < prompt <= MOST_TOKENS
            and 0 <= answer <= MOST_TOKENS
            and told.cached_content_token_count is None
            and told.thoughts_token_count is None
            and told.tool_use_prompt_token_count is None
            and candidate.finish_reason is None
            and part.thought is None
            and part.text
        ):
            said.usage = {"input": prompt, "output": answer}
            return ANSWER
    except (AttributeError, IndexError, TypeError):
        pass  # the slower reader takes any shape
    return hear_content(chunk, said)


def read_embeddings(payload: Any, said: Said) -> int:
    """Read embeddings. On Vertex each one says its own tokens, and the response none."""
    read_content(payload, said)
    embeddings = fields(payload).get("embeddings")
    if type(embeddings) is not list or not embeddings:
        return NOTHING
    if said.usage is None:
        counts = [fields(fields(each).get("statistics")).get("token_count") for each in embeddings]
        keep(said, total(said, *counts), None, None, None, None)
    return ANSWER


hear_embeddings = guarded(read_embeddings)


def is_content(body: Fields) -> bool:
    """Return whether a dict is a response or a chunk, and not somebody's own list of candidates."""
    if any(type(body.get(each)) is dict for each in _TOLD):
        return True
    candidates = body.get("candidates")
    return type(candidates) is list and len(candidates) > 0 and "content" in fields(candidates[0])


def read_usage(usage: Any, said: Said) -> None:
    """Read a usage: the prompt contains what was cached; tool results are beside it, thoughts beside the answer."""
    told = fields(usage)
    answer = _of(told, "candidates_token_count", "candidatesTokenCount")
    if answer is None:
        answer = _of(told, "response_token_count", "responseTokenCount")
    thoughts = _of(told, "thoughts_token_count", "thoughtsTokenCount")
    prompt = _of(told, "prompt_token_count", "promptTokenCount")
    results = _of(told, "tool_use_prompt_token_count", "toolUsePromptTokenCount")
    said.tier = text(_of(told, "service_tier", "serviceTier")) or said.tier
    keep(
        said,
        total(said, prompt, results),
        _of(told, "cached_content_token_count", "cachedContentTokenCount"),
        None,
        total(said, answer, thoughts),
        thoughts,
    )


def _of(body: Fields, name_in_python: str, name_in_json: str) -> Any:
    """Return a field by either of its names."""
    value = body.get(name_in_python)
    return body.get(name_in_json) if value is None else value


def _unread(body: Fields, said: Said) -> int:
    """Read the body of a response that the SDK was told not to read."""
    told = fields(body.get("sdk_http_response")).get("body")
    if type(told) is not str or not told.startswith("{") or len(told) > LONGEST_BODY:
        return NOTHING
    return read_content(json.loads(told), said)


def _candidate(candidate: Any, said: Said) -> int:
    """Return what the parts of a candidate carry, and read why it ended."""
    body = fields(candidate)
    finish(said, _of(body, "finish_reason", "finishReason"), body.get("index"))
    parts = fields(body.get("content")).get("parts")
    return first(map(_part, parts)) if type(parts) is list else NOTHING


def _part(part: Any) -> int:
    """Return what a part carries: a thought is reasoning."""
    body = fields(part)
    told = body.get("text")
    if not (type(told) is str and told) and not filled(part):
        return NOTHING
    return REASONING if body.get("thought") is True else ANSWER
