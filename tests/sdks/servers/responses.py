"""The Responses API of OpenAI: items of output, and a stream of named events that are numbered."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.sdks.servers.answers import Answer, Asked, Body, joined
from tests.sdks.servers.exchange import ANSWER, OTHER, REASONING, Event, sse
from tests.sdks.servers.ledger import Tokens
from tests.sdks.servers.provider import Streaming
from tests.sdks.servers.scenario import Scenario

CREATED = 1_741_290_958
# Names, data and what is carried of events that have no number yet.
Told = list[tuple[str, Body, str]]
FAILURE = {"code": "server_error", "message": "The model failed to generate a response."}


class Responses(Streaming):
    """`/v1/responses`."""

    operation = "responses"

    def asked(self, body: Body, path: Mapping[str, str]) -> Asked:
        """Return what a request asks for; a `prompt_cache_key` writes all items but the last to the cache."""
        given = body["input"]
        items: Sequence[Body] = [{"content": given}] if isinstance(given, str) else given
        texts = [body.get("instructions") or "", *(joined(item.get("content")) for item in items)]
        form: Body = (body.get("text") or {}).get("format") or {}
        return Asked(
            model=body["model"],
            texts=texts,
            streams=bool(body.get("stream")),
            readable=len(texts) - 1,
            writes="prompt_cache_key" in body,
            thinks=(body.get("reasoning") or {}).get("effort") not in {None, "none"},
            limit=body.get("max_output_tokens"),
            schema=form.get("schema"),
            function=_function(body, items),
            body=body,
        )

    def whole(self, asked: Asked, said: Answer, scenario: Scenario) -> object:
        """Return a `response` that is completed, or incomplete where the limit was met."""
        status = "incomplete" if said.shortened else "completed"
        return response(asked, said, status, output(said), said.tokens if scenario.usage else None)

    def failure(self, asked: Asked, said: Answer, scenario: Scenario) -> object | None:
        """Return a `response` that has failed."""
        return {**response(asked, said, "failed", [], None), "error": FAILURE}

    def events(self, asked: Asked, said: Answer, scenario: Scenario) -> Sequence[Event]:
        """Return the events, from `response.created` to `response.completed`."""
        status = "incomplete" if said.shortened else "completed"
        tokens = said.tokens if scenario.usage else None
        begun = {"response": response(asked, said, "in_progress", [], None)}
        ended = {"response": response(asked, said, status, output(said), tokens)}
        told: Told = [("response.created", begun, OTHER), ("response.in_progress", begun, OTHER)]
        for index, item in enumerate(output(said)):
            told += {"reasoning": _reasoning, "message": _message, "function_call": _call}[item["type"]](
                said, index, item
            )
        events = [_event(number, *each) for number, each in enumerate(told)]
        last = _event(len(events), f"response.{status}", ended, OTHER)
        return [*events, Event(last.body, OTHER, tokens)]

    def error(self, asked: Asked, scenario: Scenario, number: int) -> Event:
        """Return an `error` event, or `response.failed` if the scenario says so."""
        if not scenario.failed:
            return _event(number, "error", {"code": "server_error", "message": FAILURE["message"], "param": None})
        model = scenario.response_model or asked.model
        failed = response(asked, Answer(model=model, pieces=(), thoughts=(), tokens=Tokens()), "failed", [], None)
        return _event(number, "response.failed", {"response": {**failed, "error": FAILURE}})


def usage(tokens: Tokens) -> Body:
    """Return the usage of a response: the cached part is within the input, the reasoning within the output."""
    return {
        "input_tokens": tokens.prompt,
        "input_tokens_details": {"cached_tokens": tokens.cache_read, "cache_write_tokens": tokens.cache_write},
        "output_tokens": tokens.completion,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.prompt + tokens.completion,
    }


def response(asked: Asked, said: Answer, status: str, items: Sequence[Body], tokens: Tokens | None) -> dict[str, Any]:
    """Return a `response`, which names again what was asked for."""
    tier = asked.body.get("service_tier")
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": asked.body.get("instructions"),
        "max_output_tokens": asked.limit,
        "model": said.model,
        "output": items,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": (asked.body.get("reasoning") or {}).get("effort"), "summary": None},
        "service_tier": "default" if tier in {None, "auto"} else tier,
        "store": True,
        "temperature": 1.0,
        "text": asked.body.get("text") or {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": asked.body.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage(tokens) if tokens else None,
        "user": None,
        "metadata": {},
    }


def output(said: Answer) -> list[Body]:
    """Return the items of output: the reasoning if there is any, then the message or the function call."""
    items: list[Body] = []
    if said.thoughts:
        items.append({"id": "rs_1", "type": "reasoning", "summary": [_summary(said.reasoning)]})
    if said.function:
        call = {"call_id": "call_1", "name": said.function, "arguments": said.text}
        return [*items, {"id": "fc_1", "type": "function_call", "status": "completed", **call}]
    message = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant"}
    return [*items, {**message, "content": [_part(said, said.text)]}]


def _reasoning(said: Answer, index: int, item: Body) -> Told:
    place = {"item_id": item["id"], "output_index": index, "summary_index": 0}
    name = "response.reasoning_summary"
    return [
        ("response.output_item.added", {"output_index": index, "item": {**item, "summary": []}}, OTHER),
        (f"{name}_part.added", {**place, "part": _summary("")}, OTHER),
        *((f"{name}_text.delta", {**place, "delta": piece}, REASONING) for piece in said.thoughts),
        (f"{name}_text.done", {**place, "text": said.reasoning}, OTHER),
        (f"{name}_part.done", {**place, "part": _summary(said.reasoning)}, OTHER),
        ("response.output_item.done", {"output_index": index, "item": item}, OTHER),
    ]


def _message(said: Answer, index: int, item: Body) -> Told:
    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
    name = "response.refusal" if said.refused else "response.output_text"
    extra: Body = {} if said.refused else {"logprobs": []}
    begun = {**item, "status": "in_progress", "content": []}
    return [
        ("response.output_item.added", {"output_index": index, "item": begun}, OTHER),
        ("response.content_part.added", {**place, "part": _part(said, "")}, OTHER),
        *((f"{name}.delta", {**place, "delta": piece, **extra}, ANSWER) for piece in said.pieces),
        (f"{name}.done", {**place, "refusal" if said.refused else "text": said.text, **extra}, OTHER),
        ("response.content_part.done", {**place, "part": _part(said, said.text)}, OTHER),
        ("response.output_item.done", {"output_index": index, "item": item}, OTHER),
    ]


def _call(said: Answer, index: int, item: Body) -> Told:
    place = {"item_id": item["id"], "output_index": index}
    name = "response.function_call_arguments"
    begun = {**item, "status": "in_progress", "arguments": ""}
    return [
        ("response.output_item.added", {"output_index": index, "item": begun}, OTHER),
        *((f"{name}.delta", {**place, "delta": piece}, ANSWER) for piece in said.pieces),
        (f"{name}.done", {**place, "name": item["name"], "arguments": said.text}, OTHER),
        ("response.output_item.done", {"output_index": index, "item": item}, OTHER),
    ]


def _event(number: int, name: str, data: Body, carries: str = OTHER) -> Event:
    return Event(sse({"type": name, "sequence_number": number, **data}, event=name), carries)


def _part(said: Answer, text: str) -> Body:
    if said.refused:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _summary(text: str) -> Body:
    return {"type": "summary_text", "text": text}


def _function(body: Body, items: Sequence[Body]) -> tuple[str, Body] | None:
    """Return the first function that a request offers, unless the last item is its result."""
    offered = [tool for tool in body.get("tools") or () if tool.get("type") == "function"]
    if not offered or items[-1].get("type") == "function_call_output":
        return None
    return offered[0]["name"], offered[0].get("parameters") or {}
