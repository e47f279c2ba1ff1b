"""The server of Anthropic: messages, with the cache by `cache_control`, thinking and tools."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tests.sdks.servers.answers import Answer, Asked, Body
from tests.sdks.servers.exchange import ANSWER, OTHER, REASONING, Event, sse
from tests.sdks.servers.ledger import Tokens
from tests.sdks.servers.provider import RETRY_NOW, Endpoint, ProviderServer, Streaming
from tests.sdks.servers.scenario import Scenario

SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk="
ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
PING = Event(sse({"type": "ping"}, event="ping"))


class Messages(Streaming):
    """`/v1/messages`."""

    operation = "messages"

    def asked(self, body: Body, path: Mapping[str, str]) -> Asked:
        """Return what a request asks for: the cache may have all up to the last block with `cache_control`."""
        blocks = list(_blocks(body.get("system")))
        for message in body["messages"]:
            blocks += _blocks(message["content"])
        marked = [number for number, block in enumerate(blocks, 1) if block.get("cache_control")]
        form: Body = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
        return Asked(
            model=body["model"],
            texts=[_text(block) for block in blocks],
            streams=bool(body.get("stream")),
            readable=max(marked, default=0),
            writes=True,
            thinks=(body.get("thinking") or {}).get("type") in {"enabled", "adaptive"},
            limit=body["max_tokens"],
            schema=form.get("schema"),
            function=_function(body, blocks),
            body=body,
        )

    def whole(self, asked: Asked, said: Answer, scenario: Scenario) -> object:
        """Return a `message`."""
        told = {**_message(said), "content": _content(said), **_stop(said)}
        return {**told, "usage": usage(said.tokens)} if scenario.usage else told

    def events(self, asked: Asked, said: Answer, scenario: Scenario) -> Sequence[Event]:
        """Return the events, from `message_start` to `message_stop`; the usage of the last ones is cumulative."""
        begun = Tokens(
            input=said.tokens.input,
            cache_read=said.tokens.cache_read,
            cache_write=said.tokens.cache_write,
            output=1,
        )
        opening = {**_message(said), "content": [], "stop_reason": None, "stop_sequence": None}
        if scenario.usage:
            opening["usage"] = usage(begun, final=False)
        start = _event("message_start", {"message": opening})
        blocks = [event for index, block in enumerate(_content(said)) for event in _block(index, block, said)]
        spent = {"usage": usage(said.tokens)} if scenario.usage else {}
        delta = _event("message_delta", {"delta": _stop(said), **spent})
        return [
            Event(start.body, OTHER, begun if scenario.usage else None),
            blocks[0],
            PING,
            *blocks[1:],
            Event(delta.body, OTHER, said.tokens if scenario.usage else None),
            _event("message_stop", {}),
        ]

    def error(self, asked: Asked, scenario: Scenario, number: int) -> Event:
        """Return the error that says that the provider is overloaded."""
        return _event("error", {"error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"})


class AnthropicServer(ProviderServer):
    """Anthropic on loopback: clients get `base_url=server.url`."""

    endpoints: ClassVar[Mapping[str, Endpoint]] = {"/v1/messages": Messages()}

    def rejection(self, status: int) -> object:
        """Return the body of an error response."""
        error = {"type": ERRORS.get(status, "api_error"), "message": f"Rejected with {status}."}
        return {"type": "error", "error": error, "request_id": "req_1"}

    def headers(self, *, again: bool) -> Mapping[str, str]:
        """Return the identity of the request and what is left of the rate limit."""
        left = "0" if again else "49"
        names = {"anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": left}
        return {"request-id": "req_1", **names, **(RETRY_NOW if again else {})}


def usage(tokens: Tokens, *, final: bool = True) -> Body:
    """Return the usage of a message: its input is without what the cache read or wrote; thinking is in its output."""
    told = {
        "input_tokens": tokens.input,
        "cache_creation_input_tokens": tokens.cache_write,
        "cache_read_input_tokens": tokens.cache_read,
        "output_tokens": tokens.completion,
        "service_tier": "standard",
    }
    return {**told, "output_tokens_details": {"thinking_tokens": tokens.reasoning}} if final else told


def _message(said: Answer) -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": said.model}


def _stop(said: Answer) -> Body:
    reason = "max_tokens" if said.shortened else "end_turn"
    if said.function:
        reason = "tool_use"
    if said.refused:
        details = {"type": "refusal", "category": None, "explanation": said.text}
        return {"stop_reason": "refusal", "stop_sequence": None, "stop_details": details}
    return {"stop_reason": reason, "stop_sequence": None}


def _content(said: Answer) -> list[Body]:
    thinking = [{"type": "thinking", "thinking": said.reasoning, "signature": SIGNATURE}] if said.thoughts else []
    if said.function:
        return [*thinking, {"type": "tool_use", "id": "toolu_1", "name": said.function, "input": json.loads(said.text)}]
    return [*thinking, {"type": "text", "text": said.text, "citations": None}]


def _block(index: int, block: Body, said: Answer) -> list[Event]:
    """Return the events of one block of content."""
    if block["type"] == "thinking":
        begun, pieces, carries = {**block, "thinking": "", "signature": ""}, said.thoughts, REASONING
        kind, name = "thinking_delta", "thinking"
    elif block["type"] == "tool_use":
        begun, pieces, carries = {**block, "input": {}}, said.pieces, ANSWER
        kind, name = "input_json_delta", "partial_json"
    else:
        begun, pieces, carries = {**block, "text": ""}, said.pieces, ANSWER
        kind, name = "text_delta", "text"
    deltas = [({"type": kind, name: piece}, carries) for piece in pieces]
    if block["type"] == "thinking":
        deltas.append(({"type": "signature_delta", "signature": SIGNATURE}, OTHER))
    return [
        _event("content_block_start", {"index": index, "content_block": begun}),
        *(_event("content_block_delta", {"index": index, "delta": delta}, each) for delta, each in deltas),
        _event("content_block_stop", {"index": index}),
    ]


def _event(name: str, data: Body, carries: str = OTHER) -> Event:
    return Event(sse({"type": name, **data}, event=name), carries)


def _blocks(content: Any) -> list[Body]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return list(content or ())


def _text(block: Body) -> str:
    if block.get("type") == "tool_result":
        return " ".join(_text(each) for each in _blocks(block.get("content")))
    text = block.get("text", "")
    return text if isinstance(text, str) else ""


def _function(body: Body, blocks: Sequence[Body]) -> tuple[str, Body] | None:
    """Return the first tool that a request offers, unless the last block is its result."""
    offered = body.get("tools") or ()
    if not offered or blocks[-1].get("type") == "tool_result":
        return None
    return offered[0]["name"], offered[0].get("input_schema") or {}
