"""The Responses API of OpenAI: whole responses, and the events of their streams."""

from typing import Any

from mlmetrics.responses.content import any_filled, filled, first, of_part, of_parts
from mlmetrics.responses.failures import fail_by, failed
from mlmetrics.responses.fields import Fields, fields
from mlmetrics.responses.openai import read_completion
from mlmetrics.responses.said import ANSWER, NOTHING, REASONING, Said, finish, guarded, keep, name, text

_ITEM = "response.output_item.added"
_PARTIAL_IMAGE = "response.image_generation_call.partial_image"
_UNFINISHED = ("in_progress", "queued")
_DELTAS = ("delta", "arguments_delta", "content", "refusal")
"""Where the events of the API, and those that the SDK makes of a chat completion, have what is new."""


def is_response(body: Fields) -> bool:
    """Return whether a dict is a whole response."""
    return text(body.get("object")) == "response"


def is_event(body: Fields) -> bool:
    """Return whether a dict is an event of a stream."""
    kind = text(body.get("type"))
    return kind is not None and (kind.startswith("response.") or (kind == "error" and "code" in body))


def read_response(payload: Any, said: Said) -> int:
    """Read a whole response."""
    body = fields(payload)
    _whole(body, said)
    output = body.get("output")
    return first(map(_item, output)) if type(output) is list else NOTHING


hear_response = guarded(read_response)


def read_event(payload: Any, said: Said) -> int:
    """Read an event of a stream: of the Responses API, or of the SDK's helper for chat completions."""
    body = fields(payload)
    kind = text(body.get("type")) or ""  # in LiteLLM, a member of an enum
    if kind == "chunk":
        return read_completion(body.get("chunk"), said)
    if not kind and "event" in body and "data" in body:
        return read_event(body["data"], said)  # an SDK that is older than the events of errors
    if "response" in body:
        _whole(fields(body["response"]), said)
    elif kind == "error" and not failed(body, said):
        fail_by(said, body)
    elif _new(kind, body):
        said.known = True
        return REASONING if "reasoning" in kind else ANSWER
    return NOTHING


hear_event = guarded(read_event)


def read_usage(usage: Any, said: Said) -> None:
    """Read a usage, whose input contains what was cached and whose output contains the reasoning."""
    told = fields(usage)
    sent = fields(told.get("input_tokens_details"))
    made = fields(told.get("output_tokens_details"))
    keep(
        said,
        told.get("input_tokens"),
        sent.get("cached_tokens"),
        sent.get("cache_write_tokens"),
        told.get("output_tokens"),
        made.get("reasoning_tokens"),
        told.get("total_tokens"),
    )


def read_status(status: Any, incomplete: Any, said: Said) -> None:
    """Read why a response ended: its status, or why it is incomplete."""
    told = text(status)
    if told is not None and told not in _UNFINISHED:
        finish(said, fields(incomplete).get("reason") or told)


def _new(kind: str, body: Fields) -> bool:
    """Return whether an event has something new; the name of a tool that is called is new too."""
    if kind.endswith(".delta") and not kind.startswith("logprobs."):
        return any_filled(body, _DELTAS)
    return kind == _PARTIAL_IMAGE or (kind == _ITEM and filled(fields(body.get("item")).get("name")))


def _whole(body: Fields, said: Said) -> None:
    """Read all of a response but its output."""
    name(said, body.get("id"), body.get("model"), body.get("service_tier"))
    usage = body.get("usage")
    if usage is not None:
        read_usage(usage, said)
    status = body.get("status")
    read_status(status, body.get("incomplete_details"), said)
    if type(status) is str and status == "failed":
        fail_by(said, fields(body.get("error")))
    else:
        failed(body, said)


def _item(item: Any) -> int:
    """Return what an item of the output carries."""
    body = fields(item)
    return of_parts(body.get("content")) if text(body.get("type")) == "message" else of_part(item)
