"""The server of Mistral: chat completions with the usage in the last chunk of every stream, and embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from tests.sdks.servers.answers import Answer, Asked, Body, count, finish, joined
from tests.sdks.servers.exchange import ANSWER, OTHER, REASONING, Event, sse
from tests.sdks.servers.ledger import Tokens
from tests.sdks.servers.provider import Endpoint, ProviderServer, Streaming
from tests.sdks.servers.scenario import Scenario
from tests.sdks.servers.vectors import Vectors

CREATED = 1_759_500_534
ERROR = {"object": "error", "message": "Service unavailable.", "type": "internal_server_error", "code": "3000"}


class Chat(Streaming):
    """`/v1/chat/completions`."""

    operation = "chat"

    def asked(self, body: Body, path: Mapping[str, str]) -> Asked:
        """Return what a request asks for; all messages but the last are read from the cache if it has them."""
        messages: Sequence[Body] = body["messages"]
        form: Body = (body.get("response_format") or {}).get("json_schema") or {}
        return Asked(
            model=body["model"],
            texts=[joined(message.get("content")) for message in messages],
            streams=bool(body.get("stream")),
            readable=len(messages) - 1,
            thinks=body.get("prompt_mode") == "reasoning" or body.get("reasoning_effort") not in {None, "none"},
            limit=body.get("max_tokens"),
            schema=form.get("schema"),
            function=_function(body, messages),
            body=body,
        )

    def whole(self, asked: Asked, said: Answer, scenario: Scenario) -> object:
        """Return a `chat.completion`; one without usage has an empty one."""
        content: Any = [_thinking(said.reasoning), _text(said.text)] if said.thoughts else said.text
        message: dict[str, Any] = {"role": "assistant", "content": content, "tool_calls": None, "prefix": False}
        if said.function:
            message |= {"content": "", "tool_calls": [_call(said)]}
        choice = {"index": 0, "message": message, "finish_reason": finish(said)}
        told = usage(said.tokens, asked) if scenario.usage else {}
        return {**_head(said, "chat.completion"), "choices": [choice], "usage": told}

    def spent(self, said: Answer) -> Tokens:
        """Return the tokens that the usage says: reasoning is not told from the rest of the output."""
        return replace(said.tokens, output=said.tokens.completion, reasoning=0)

    def events(self, asked: Asked, said: Answer, scenario: Scenario) -> Sequence[Event]:
        """Return chunks: the role, the reasoning, the content, the finish with the usage."""
        head = _head(said, "chat.completion.chunk")

        def chunk(delta: Body, carries: str = OTHER) -> Event:
            return Event(sse({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}), carries)

        events = [chunk({"role": "assistant", "content": ""})]
        events += [chunk({"content": [_thinking(piece)]}, REASONING) for piece in said.thoughts]
        if said.function:
            events.append(chunk({"content": "", "tool_calls": [_call(said)]}, ANSWER))
        else:
            events += [chunk({"content": piece}, ANSWER) for piece in said.pieces]
        last = {"index": 0, "delta": {"content": ""}, "finish_reason": finish(said)}
        told = {"usage": usage(said.tokens, asked)} if scenario.usage else {}
        tokens = self.spent(said) if scenario.usage else None
        return [*events, Event(sse({**head, "choices": [last], **told}), OTHER, tokens), Event(sse("[DONE]"))]

    def error(self, asked: Asked, scenario: Scenario, number: int) -> Event:
        """Return an error as a chunk."""
        return Event(sse(ERROR))


class Fim(Chat):
    """`/v1/fim/completions`: what stands between a prompt and a suffix."""

    operation = "fim"

    def asked(self, body: Body, path: Mapping[str, str]) -> Asked:
        """Return what a request asks for; the prompt is answered."""
        texts = [body.get("suffix") or "", body["prompt"]]
        return Asked(model=body["model"], texts=texts, streams=bool(body.get("stream")), body=body)


class Agents(Chat):
    """`/v1/agents/completions`: the agent stands where the model would."""

    operation = "agents"

    def asked(self, body: Body, path: Mapping[str, str]) -> Asked:
        """Return what a request asks for."""
        return super().asked({**body, "model": body["agent_id"]}, path)


class Embeddings(Vectors):
    """`/v1/embeddings`."""

    def whole(self, asked: Asked, said: Answer, scenario: Scenario) -> object:
        """Return a list of vectors, which have the number of words in front."""
        vectors = [[float(count(text)), 0.5, 0.5, 0.5] for text in asked.texts]
        data = [{"object": "embedding", "index": index, "embedding": each} for index, each in enumerate(vectors)]
        told = usage(self.spent(said), asked) if scenario.usage else {}
        return {"id": "embd-1", "object": "list", "data": data, "model": said.model, "usage": told}


class MistralServer(ProviderServer):
    """Mistral on loopback: clients get `server_url=server.url`."""

    endpoints: ClassVar[Mapping[str, Endpoint]] = {
        "/v1/chat/completions": Chat(),
        "/v1/fim/completions": Fim(),
        "/v1/agents/completions": Agents(),
        "/v1/embeddings": Embeddings(),
    }

    def rejection(self, status: int) -> object:
        """Return the body of an error response."""
        return {
            "object": "error",
            "message": f"Rejected with {status}.",
            "type": "rejected",
            "param": None,
            "code": "1",
        }

    def headers(self, *, again: bool) -> Mapping[str, str]:
        """Return what is left of the rate limit."""
        names = {"x-ratelimit-limit-req-minute": "60", "x-ratelimit-remaining-req-minute": "0" if again else "59"}
        return {**names, **({"retry-after": "0"} if again else {})}


def usage(tokens: Tokens, asked: Asked) -> Body:
    """Return the usage: what is cached is within the prompt."""
    told: dict[str, Any] = {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
        "prompt_audio_seconds": None,
    }
    if tokens.cache_read:
        told["prompt_tokens_details"] = {"cached_tokens": tokens.cache_read}
        told["num_cached_tokens"] = tokens.cache_read
    if asked.body.get("service_tier"):
        told["service_tier"] = asked.body["service_tier"]
    return told


def _head(said: Answer, kind: str) -> Body:
    return {"id": "cmpl-e5cc70bb28c444948073e77776eb30ef", "object": kind, "created": CREATED, "model": said.model}


def _thinking(text: str) -> Body:
    return {"type": "thinking", "thinking": [_text(text)]}


def _text(text: str) -> Body:
    return {"type": "text", "text": text}


def _call(said: Answer) -> Body:
    return {"id": "call00001", "index": 0, "function": {"name": said.function, "arguments": said.text}}


def _function(body: Body, messages: Sequence[Body]) -> tuple[str, Body] | None:
    """Return the first function that a request offers, unless the last message has its result."""
    offered = [tool["function"] for tool in body.get("tools") or ()]
    if not offered or messages[-1].get("role") == "tool":
        return None
    return offered[0]["name"], offered[0].get("parameters") or {}
