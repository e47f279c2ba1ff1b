"""The Messages API of Anthropic: whole messages, and the events of their streams."""

from typing import Any

from mlmetrics.responses.content import filled, of_part, of_parts
from mlmetrics.responses.failures import fail, failed
from mlmetrics.responses.fields import Fields, fields
from mlmetrics.responses.said import NOTHING, REASONING, Said, believed, finish, guarded, name, text, total

_EVENTS = frozenset(
    {
        "content_block_delta",
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_start",
        "message_stop",
        "ping",
    }
)
_COUNTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
_INPUTS = ("input", "cache_read", "cache_write")
_MADE_BY_SDK = {"text": "text", "input_json": "partial_json", "citation": "citation"}
"""Events that the SDK's stream helper adds, and the field that has what is new; each follows the one it is made of."""


def is_event(body: Fields) -> bool:
    """Return whether a dict is an event of a stream."""
    return text(body.get("type")) in _EVENTS


def is_message(body: Fields) -> bool:
    """Return whether a dict is a whole message."""
    return text(body.get("type")) == "message" and "usage" in body


def read_message(payload: Any, said: Said) -> int:
    """Read a whole message."""
    body = fields(payload)
    _whole(body, said)
    return of_parts(body.get("content"))


hear_message = guarded(read_message)


def read_event(payload: Any, said: Said) -> int:
    """Read an event of a stream."""
    body = fields(payload)
    kind = text(body.get("type"))
    if kind == "content_block_delta":
        said.known = True
        return _delta(body.get("delta"))
    if kind == "content_block_start":
        return of_part(body.get("content_block"))
    if kind in ("message_start", "message_stop"):
        if body.get("message") is not None:
            _whole(fields(body["message"]), said)
    elif kind == "message_delta":
        said.known = True
        read_usage(body.get("usage"), said)
        finish(said, fields(body.get("delta")).get("stop_reason"))
    elif kind == "error":
        if not failed(body, said):
            fail(said)
    elif kind == "thinking":
        return REASONING if filled(body.get("thinking")) else NOTHING
    elif kind in _MADE_BY_SDK:
        return of_part(body.get(_MADE_BY_SDK[kind]))
    return NOTHING


hear_event = guarded(read_event)


def read_usage(usage: Any, said: Said) -> None:
    """Read a usage, whose input does not contain what was cached, and whose output contains the thinking.

    Those of a stream are cumulative: each overwrites what it tells. A count does not fall: a 0 after
    tokens is a place that a proxy has not filled.
    """
    told = fields(usage)
    if "service_tier" in told:
        said.tier = text(told["service_tier"]) or said.tier
    counts = [told.get(each) for each in _COUNTS]
    for compaction in _compactions(told):
        counts = [total(said, count, compaction.get(each)) for count, each in zip(counts, _COUNTS, strict=True)]
    thought = fields(told.get("output_tokens_details")).get("thinking_tokens")
    if not believed(said, thought, *counts):
        return
    made = counts.pop()
    usage = said.usage or {}
    for kind, count in zip(_INPUTS, counts, strict=True):
        if count or (count is not None and kind not in usage):
            usage[kind] = count
    if thought is not None:
        usage["reasoning"] = thought
    if made is not None:
        usage["output"] = max(0, made - usage.get("reasoning", 0))
    said.usage = usage if any(usage.values()) else None


def _delta(delta: Any) -> int:
    """Return what a delta carries; a signature is no content."""
    body = fields(delta)
    return NOTHING if text(body.get("type")) == "signature_delta" else of_part(delta)


def _whole(body: Fields, said: Said) -> None:
    """Read all of a message but its content."""
    name(said, body.get("id"), body.get("model"))
    if body.get("stop_reason") is not None:
        finish(said, body["stop_reason"])
    if body.get("usage") is not None:
        read_usage(body["usage"], said)


def _compactions(told: Fields) -> list[Fields]:
    """Return the usages of compactions, which the counts beside them leave out and which are billed."""
    iterations = told.get("iterations")
    if type(iterations) is not list:
        return []
    return [each for each in map(fields, iterations) if each.get("type") == "compaction"]
