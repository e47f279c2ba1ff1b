"""Messages and results of LangChain, with the usage that it normalizes over all providers."""

from typing import Any

from mlmetrics.responses.content import filled, first, of_parts
from mlmetrics.responses.fields import Fields, fields
from mlmetrics.responses.openai import read_usage as read_token_usage
from mlmetrics.responses.openai_responses import read_status
from mlmetrics.responses.said import ANSWER, NOTHING, REASONING, Said, finish, guarded, keep, name, text

_FINISH = ("finish_reason", "stop_reason", "done_reason")
"""Where providers, by their packages for LangChain, say why an answer ended: OpenAI, Anthropic, Ollama."""
_OF_RUN = ("run-", "lc_run-", "lc_")
"""How the ids begin that LangChain makes itself, of messages whose provider gave none; others count before them."""


def read_message(payload: Any, said: Said) -> int:
    """Read an `AIMessage`."""
    body = fields(payload)
    _describe(body, said)
    if body.get("usage_metadata") is not None:
        read_usage(body["usage_metadata"], said)
    return _carried(body)


hear_message = guarded(read_message)


def read_chunk(payload: Any, said: Said) -> int:
    """Read an `AIMessageChunk`: the usages of chunks add up to that of the message."""
    body = fields(payload)
    before, said.usage = said.usage, None
    carried = read_message(payload, said)
    if body.get("usage_metadata") is None:
        said.usage = before
    elif not said.broken:
        said.usage = _sum(before, said.usage)
    return carried


hear_chunk = guarded(read_chunk)


def is_message(body: Fields) -> bool:
    """Return whether a dict is a message, as LangChain writes it."""
    return text(body.get("type")) in ("ai", "AIMessageChunk") and "usage_metadata" in body


def read_any(payload: Any, said: Said) -> int:
    """Read a message that was written as a dict."""
    return (read_message if payload["type"] == "ai" else read_chunk)(payload, said)


def read_generation(payload: Any, said: Said) -> int:
    """Read a generation: of a chat model with its message, of another model with a text."""
    body = fields(payload)
    said.known = True
    message = body.get("message")
    if message is None:
        _finish(fields(body.get("generation_info")), said)
    return ANSWER if message is None and filled(body.get("text")) else read_message(message, said)


hear_generation = guarded(read_generation)


def read_result(payload: Any, said: Said) -> int:
    """Read an `LLMResult` or `ChatResult`: the usage of each prompt, which all its generations repeat."""
    body = fields(payload)
    said.known = True
    usage, carried = None, []
    for generations in _lists(body.get("generations")):
        said.usage = None
        carried.append(read_generation(generations[0], said))
        usage = _sum(usage, said.usage)
    said.usage = None if said.broken else usage
    output = fields(body.get("llm_output"))
    name(said, output.get("id"), output.get("model_name"))
    if said.usage is None and not said.broken:
        read_token_usage(output.get("token_usage"), said)
    return first(carried)


hear_result = guarded(read_result)


def read_usage(usage: Any, said: Said) -> None:
    """Read a usage: its input contains what was cached, its output the reasoning."""
    told = fields(usage)
    sent = fields(told.get("input_token_details"))
    written = sent.get("cache_creation")
    if not written:  # Anthropic's, by how long it is kept, in place of their sum
        kept = [sent.get(each) for each in ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")]
        written = sum(each for each in kept if type(each) is int) or written
    keep(
        said,
        told.get("input_tokens"),
        sent.get("cache_read"),
        written,
        told.get("output_tokens"),
        fields(told.get("output_token_details")).get("reasoning"),
    )


def _describe(body: Fields, said: Said) -> None:
    """Read what a message tells of its response."""
    about = fields(body.get("response_metadata"))
    given = about.get("id")
    if given is None:
        given = text(body.get("id"))
        if given is not None and given.startswith(_OF_RUN):
            given = said.identity or given
    model = about.get("model_name")
    name(said, given, about.get("model") if model is None else model, about.get("service_tier"))
    _finish(about, said)


def _finish(about: Fields, said: Said) -> None:
    """Read why an answer ended, as its provider tells."""
    told = next((about[each] for each in _FINISH if about.get(each) is not None), None)
    if told is not None:
        finish(said, told)
    elif about.get("object") == "response":
        read_status(about.get("status"), about.get("incomplete_details"), said)


def _carried(body: Fields) -> int:
    """Return what the content of a message carries."""
    carried = of_parts(body.get("content"))
    if carried == ANSWER or filled(body.get("tool_call_chunks")) or filled(body.get("tool_calls")):
        return ANSWER
    more = fields(body.get("additional_kwargs"))
    return REASONING if carried or filled(more.get("reasoning_content")) else NOTHING


def _lists(generations: Any) -> list[list[Any]]:
    """Return the generations of each prompt: an `LLMResult` has lists of them, a `ChatResult` those of one prompt."""
    if type(generations) is not list or not generations:
        return []
    if type(generations[0]) is not list:
        return [generations]
    return [each for each in generations if type(each) is list and each]


def _sum(before: dict[str, float] | None, more: dict[str, float] | None) -> dict[str, float] | None:
    """Return the sum of two usages by type."""
    if before is None or more is None:
        return more if before is None else before
    return {kind: before.get(kind, 0) + more.get(kind, 0) for kind in before | more}
