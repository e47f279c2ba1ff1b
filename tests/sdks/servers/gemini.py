"""The server of Gemini: contents, whole and in chunks whose usage is cumulative, and embeddings."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from tests.sdks.servers.answers import Answer, Asked, Body, count, joined
from tests.sdks.servers.exchange import ANSWER, OTHER, REASONING, Event, sse
from tests.sdks.servers.ledger import Tokens
from tests.sdks.servers.provider import Endpoint, ProviderServer, Streaming
from tests.sdks.servers.scenario import Scenario
from tests.sdks.servers.vectors import Vectors

CACHED_CONTENT_TOKENS = 40  # of any content that a request names as cached
TOOL_RESULT_TOKENS = 5  # of what a tool of the provider's own gives to the model
OWN_TOOLS = {"googleSearch", "codeExecution", "urlContext"}
ERRORS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL"}


class GenerateContent(Streaming):
    """`/v1beta/models/{model}:generateContent` and `:streamGenerateContent`."""

    operation = "generate_content"

    def asked(self, body: Body, path: Mapping[str, str]) -> Asked:
        """Return what a request asks for."""
        system = body.get("systemInstruction") or {}
        contents: Sequence[Body] = body["contents"]
        config: Body = body.get("generationConfig") or {}
        return Asked(
            model=path["model"],
            texts=[joined(each.get("parts")) for each in (system, *contents)],
            streams=path["method"].startswith("stream"),
            thinks="thinkingConfig" in config and _thinking(body).get("thinkingBudget") != 0,
            limit=config.get("maxOutputTokens"),
            schema=config.get("responseSchema") or config.get("responseJsonSchema"),
            function=_function(body, contents),
            cached_content=CACHED_CONTENT_TOKENS if body.get("cachedContent") else 0,
            tool_results=TOOL_RESULT_TOKENS if any(OWN_TOOLS & set(tool) for tool in body.get("tools") or ()) else 0,
            body=body,
        )

    def whole(self, asked: Asked, said: Answer, scenario: Scenario) -> object:
        """Return one response, with the thoughts where they are asked for."""
        parts = [{"text": said.reasoning, "thought": True}] if said.thoughts and _shown(asked) else []
        tokens = self.spent(said) if scenario.usage else None
        return _response(asked, said, [*parts, *_parts(said)], tokens, finished=True)

    def spent(self, said: Answer) -> Tokens:
        """Return the tokens that the usage says: of a prompt that is blocked, those of the prompt."""
        return replace(said.tokens, output=0, reasoning=0) if said.refused else said.tokens

    def events(self, asked: Asked, said: Answer, scenario: Scenario) -> Sequence[Event]:
        """Return chunks, each with the usage so far; the last finishes."""
        spent = self.spent(said)
        thoughts = said.thoughts if _shown(asked) and not said.refused else ()
        pieces: list[list[Body]]
        pieces = [_parts(said)] if said.function or said.refused else [[{"text": piece}] for piece in said.pieces]
        events = [
            self._chunk(
                asked, said, [{"text": piece, "thought": True}], replace(spent, output=0, reasoning=number), scenario
            )
            for number, piece in enumerate(thoughts, 1)
        ]
        for number, parts in enumerate(pieces, 1):
            finished = number == len(pieces)
            so_far = spent if finished else replace(spent, output=number)
            events.append(self._chunk(asked, said, parts, so_far, scenario, finished=finished))
        return events

    def _chunk(
        self,
        asked: Asked,
        said: Answer,
        parts: Sequence[Body],
        spent: Tokens,
        scenario: Scenario,
        *,
        finished: bool = False,
    ) -> Event:
        tokens = spent if scenario.usage else None
        carries = REASONING if any(part.get("thought") for part in parts) else ANSWER
        payload = _response(asked, said, parts, tokens, finished=finished)
        return Event(sse(payload, end="\r\n"), OTHER if said.refused else carries, tokens)

    def error(self, asked: Asked, scenario: Scenario, number: int) -> Event:
        """Return an error as a chunk."""
        error = {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}
        return Event(sse({"error": error}, end="\r\n"))


class EmbedContent(Vectors):
    """`:embedContent` and `:batchEmbedContents`."""

    def asked(self, body: Body, path: Mapping[str, str]) -> Asked:
        """Return what a request asks for."""
        requests: Sequence[Body] = body.get("requests") or [body]
        return Asked(model=path["model"], texts=[joined(each["content"].get("parts")) for each in requests], body=body)

    def whole(self, asked: Asked, said: Answer, scenario: Scenario) -> object:
        """Return one vector, or one for each request of a batch."""
        vectors = [{"values": [float(count(text)), 0.5, 0.5, 0.5]} for text in asked.texts]
        told: dict[str, object] = {"embeddings": vectors} if "requests" in asked.body else {"embedding": vectors[0]}
        return {**told, "usageMetadata": {"promptTokenCount": said.tokens.prompt}} if scenario.usage else told


class GeminiServer(ProviderServer):
    """Gemini on loopback: clients get `http_options=HttpOptions(base_url=server.url)`."""

    endpoints: ClassVar[Mapping[str, Endpoint]] = {
        "/v1(?:beta)?/models/(?P<model>[^:]+):(?P<method>generateContent|streamGenerateContent)": GenerateContent(),
        "/v1(?:beta)?/models/(?P<model>[^:]+):(?:embedContent|batchEmbedContents)": EmbedContent(),
    }
    comments = False

    def rejection(self, status: int) -> object:
        """Return the body of an error response."""
        kind = ERRORS.get(status, "UNAVAILABLE")
        return {"error": {"code": status, "message": f"Rejected with {status}.", "status": kind}}

    def headers(self, *, again: bool) -> Mapping[str, str]:
        """Return when to try again."""
        return {"retry-after": "0"} if again else {}


def usage(tokens: Tokens, tool_results: int) -> Body:
    """Return the usage: what is cached is within the prompt, results of tools and thoughts are beside the rest."""
    prompt = tokens.prompt - tool_results
    told = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": tokens.output,
        "totalTokenCount": tokens.prompt + tokens.completion,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
    }
    others = {
        "cachedContentTokenCount": tokens.cache_read,
        "thoughtsTokenCount": tokens.reasoning,
        "toolUsePromptTokenCount": tool_results,
    }
    return {**told, **{name: number for name, number in others.items() if number}}


def _response(asked: Asked, said: Answer, parts: Sequence[Body], tokens: Tokens | None, *, finished: bool) -> Body:
    told: dict[str, Any] = {}
    if said.refused:
        told["promptFeedback"] = {"blockReason": "PROHIBITED_CONTENT"}
    else:
        candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
        if finished:
            candidate["finishReason"] = "MAX_TOKENS" if said.shortened else "STOP"
        told["candidates"] = [candidate]
    if tokens is not None:
        told["usageMetadata"] = usage(tokens, asked.tool_results)
    return {**told, "modelVersion": said.model, "responseId": "gemini-response-1"}


def _parts(said: Answer) -> list[Body]:
    if said.function:
        return [{"functionCall": {"name": said.function, "args": json.loads(said.text)}}]
    return [{"text": said.text}]


def _shown(asked: Asked) -> bool:
    return bool(_thinking(asked.body).get("includeThoughts"))


def _thinking(body: Body) -> Body:
    """Return how to think, by the names in JSON: the SDK also sends those of the protocol buffer."""
    config = (body.get("generationConfig") or {}).get("thinkingConfig") or {}
    names = {"include_thoughts": "includeThoughts", "thinking_budget": "thinkingBudget"}
    return {names.get(name, name): value for name, value in config.items()}


def _function(body: Body, contents: Sequence[Body]) -> tuple[str, Body] | None:
    """Return the first function that a request offers, unless the last content has its result."""
    offered = [each for tool in body.get("tools") or () for each in tool.get("functionDeclarations") or ()]
    if not offered or any("functionResponse" in part for part in contents[-1].get("parts") or ()):
        return None
    return offered[0]["name"], offered[0].get("parameters") or offered[0].get("parametersJsonSchema") or {}
