"""The server of OpenAI: chat completions, completions and embeddings here, the Responses API beside it."""

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tests.sdks.servers.answers import Answer, Asked, Body, count, finish, joined
from tests.sdks.servers.exchange import ANSWER, OTHER, REASONING, Event, sse
from tests.sdks.servers.ledger import Tokens
from tests.sdks.servers.provider import RETRY_NOW, Endpoint, ProviderServer, Streaming
from tests.sdks.servers.responses import Responses
from tests.sdks.servers.scenario import Scenario
from tests.sdks.servers.vectors import Vectors

CREATED = 1_741_569_952
FINGERPRINT = "fp_44709d6fcb"
ERROR = {"message": "The server had an error while processing your request.", "type": "server_error"}
ERRORS = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    429: ("requests", "rate_limit_exceeded"),
}
DONE = Event(sse("[DONE]"))


class Chat(Streaming):
    """`/v1/chat/completions`."""

    operation = "chat"

    def asked(self, body: Body, path: Mapping[str, str]) -> Asked:
        """Return what a request asks for; a `prompt_cache_key` writes all messages but the last to the cache."""
        messages: Sequence[Body] = body["messages"]
        form: Body = (body.get("response_format") or {}).get("json_schema") or {}
        return Asked(
            model=body["model"],
            texts=[joined(message.get("content")) for message in messages],
            streams=bool(body.get("stream")),
            readable=len(messages) - 1,
            writes="prompt_cache_key" in body,
            thinks=body.get("reasoning_effort") not in {None, "none"},
            limit=body.get("max_completion_tokens") or body.get("max_tokens"),
            schema=form.get("schema"),
            function=_function(body, messages),
            body=body,
        )

    def whole(self, asked: Asked, said: Answer, scenario: Scenario) -> object:
        """Return a `chat.completion`."""
        message: dict[str, Any] = {"role": "assistant", "content": said.text, "refusal": None, "annotations": []}
        if said.refused:
            message |= {"content": None, "refusal": said.text}
        if said.function:
            call = {"name": said.function, "arguments": said.text}
            message |= {"content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": call}]}
        if scenario.reasoning_content:
            message["reasoning_content"] = said.reasoning
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish(said)}
        told = {**_head(said, asked, "chat.completion"), "choices": [choice]}
        return {**told, "usage": usage(said.tokens)} if scenario.usage else told

    def events(self, asked: Asked, said: Answer, scenario: Scenario) -> Sequence[Event]:
        """Return chunks: the role, the reasoning where it is shown, the content, the finish, the usage if asked for."""
        wanted = bool((asked.body.get("stream_options") or {}).get("include_usage")) and scenario.usage
        head = _head(said, asked, "chat.completion.chunk")
        empty = {"usage": None} if wanted else {}

        def chunk(delta: Body, carries: str = OTHER, finish: str | None = None) -> Event:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return Event(sse({**head, "choices": [choice], **empty}), carries)

        events = [chunk({"role": "assistant", "content": "", "refusal": None})]
        if scenario.reasoning_content:
            events += [chunk({"reasoning_content": piece}, REASONING) for piece in said.thoughts]
        if said.function:
            call = {"index": 0, "id": "call_1", "type": "function"}
            events.append(chunk({"tool_calls": [{**call, "function": {"name": said.function, "arguments": ""}}]}))
        events += [chunk(_delta(said, piece), ANSWER) for piece in said.pieces]
        events.append(chunk({}, finish=finish(said)))
        if wanted:
            events.append(Event(sse({**head, "choices": [], "usage": usage(said.tokens)}), OTHER, said.tokens))
        return [*events, DONE]

    def error(self, asked: Asked, scenario: Scenario, number: int) -> Event:
        """Return an error as a chunk."""
        return Event(sse({"error": {**ERROR, "param": None, "code": None}}))


class Completions(Streaming):
    """`/v1/completions`, the older kind."""

    operation = "completions"

    def asked(self, body: Body, path: Mapping[str, str]) -> Asked:
        """Return what a request asks for."""
        return Asked(
            model=body["model"],
            texts=[_prompt(body["prompt"])],
            streams=bool(body.get("stream")),
            limit=body.get("max_tokens"),
            body=body,
        )

    def whole(self, asked: Asked, said: Answer, scenario: Scenario) -> object:
        """Return a `text_completion`."""
        told = {**_head(said, asked, "text_completion"), "choices": [self._choice(said.text, finish(said))]}
        return {**told, "usage": usage(said.tokens)} if scenario.usage else told

    def events(self, asked: Asked, said: Answer, scenario: Scenario) -> Sequence[Event]:
        """Return chunks, the last with the usage if it was asked for."""
        wanted = bool((asked.body.get("stream_options") or {}).get("include_usage")) and scenario.usage
        head = {**_head(said, asked, "text_completion"), **({"usage": None} if wanted else {})}
        events = [Event(sse({**head, "choices": [self._choice(piece, None)]}), ANSWER) for piece in said.pieces]
        events.append(Event(sse({**head, "choices": [self._choice("", finish(said))]})))
        if wanted:
            events.append(Event(sse({**head, "choices": [], "usage": usage(said.tokens)}), OTHER, said.tokens))
        return [*events, DONE]

    def error(self, asked: Asked, scenario: Scenario, number: int) -> Event:
        """Return an error as a chunk."""
        return Event(sse({"error": {**ERROR, "param": None, "code": None}}))

    @staticmethod
    def _choice(text: str, finish: str | None) -> Body:
        return {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}


class Embeddings(Vectors):
    """`/v1/embeddings`, as numbers or in base64."""

    def whole(self, asked: Asked, said: Answer, scenario: Scenario) -> object:
        """Return a list of vectors, which have the number of words in front."""
        size = asked.body.get("dimensions") or 4
        vectors = [[float(count(text)), *[0.5] * (size - 1)] for text in asked.texts]
        if asked.body.get("encoding_format") == "base64":
            written: list[object] = [base64.b64encode(struct.pack(f"<{size}f", *each)).decode() for each in vectors]
        else:
            written = list(vectors)
        data = [{"object": "embedding", "index": index, "embedding": each} for index, each in enumerate(written)]
        told = {"object": "list", "data": data, "model": said.model}
        prompt = said.tokens.prompt
        return {**told, "usage": {"prompt_tokens": prompt, "total_tokens": prompt}} if scenario.usage else told


class OpenAIServer(ProviderServer):
    """OpenAI on loopback: clients get `base_url=server.url + "/v1"`."""

    endpoints: ClassVar[Mapping[str, Endpoint]] = {
        "/v1/chat/completions": Chat(),
        "/v1/responses": Responses(),
        "/v1/embeddings": Embeddings(),
        "/v1/completions": Completions(),
    }

    def rejection(self, status: int) -> object:
        """Return the body of an error response."""
        kind, code = ERRORS.get(status, ("server_error", None))
        return {"error": {"message": f"Rejected with {status}.", "type": kind, "param": None, "code": code}}

    def headers(self, *, again: bool) -> Mapping[str, str]:
        """Return the identity of the request and what is left of the rate limit."""
        left = "0" if again else "4999"
        names = {"x-ratelimit-limit-requests": "5000", "x-ratelimit-remaining-requests": left}
        return {"x-request-id": "req_1", "openai-processing-ms": "1", **names, **(RETRY_NOW if again else {})}


def usage(tokens: Tokens) -> Body:
    """Return the usage of a chat completion: the cached part is within the prompt, the reasoning in the completion."""
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
        "prompt_tokens_details": {
            "cached_tokens": tokens.cache_read,
            "cache_write_tokens": tokens.cache_write,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _head(said: Answer, asked: Asked, kind: str) -> Body:
    tier = asked.body.get("service_tier")
    return {
        "id": "cmpl-1" if kind == "text_completion" else "chatcmpl-1",
        "object": kind,
        "created": CREATED,
        "model": said.model,
        "system_fingerprint": FINGERPRINT,
        **({} if kind == "text_completion" else {"service_tier": "default" if tier in {None, "auto"} else tier}),
    }


def _delta(said: Answer, piece: str) -> Body:
    if said.function:
        return {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
    return {"refusal": piece} if said.refused else {"content": piece}


def _function(body: Body, messages: Sequence[Body]) -> tuple[str, Body] | None:
    """Return the first function that a request offers, unless the last message has its result."""
    offered = [tool["function"] for tool in body.get("tools") or () if tool.get("type") == "function"]
    if not offered or messages[-1].get("role") == "tool":
        return None
    return offered[0]["name"], offered[0].get("parameters") or {}


def _prompt(given: Any) -> str:
    return given if isinstance(given, str) else " ".join(given)
