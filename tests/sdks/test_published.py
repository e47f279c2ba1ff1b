"""The servers send what the providers document: every field of a documented payload, with the same kind of value."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.responses.published import CHAT, OVERLOADED
from tests.sdks import published, wire
from tests.sdks.published import payloads
from tests.sdks.servers import AnthropicServer, GeminiServer, MistralServer, OpenAIServer, Scenario


def fields(value: object, path: str = "") -> Iterator[tuple[str, type]]:
    """Yield the fields of a payload, each with its path and its kind; numbers are of one kind."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from fields(each, f"{path}.{name}")
    elif isinstance(value, list):
        yield path, list
        for each in value:
            yield from fields(each, f"{path}[]")
    else:
        yield path, float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def lacking(expected: object, sent: object) -> set[str]:
    """Return the fields that are published, but not sent or of another kind; null fits any kind."""
    kinds: dict[str, set[type]] = {}
    for path, kind in fields(sent):
        kinds.setdefault(path, set()).add(kind)
    return {
        f"{path}: {kind.__name__}"
        for path, kind in fields(expected)
        if not (kinds.get(path, set()) & {kind, type(None)}) and not (kind is type(None) and path in kinds)
    }


def of_type(sent: list[wire.Payload], kind: Any) -> wire.Payload:
    """Return the first event of a type."""
    return next(event for event in sent if event["type"] == kind)


class TestOpenAI:
    """Chat completions and the Responses API."""

    def test_chat(self, openai_server: OpenAIServer) -> None:
        """A chat completion has all that is published."""
        sent = wire.post(openai_server, wire.CHAT, wire.chat()).json()
        assert set() == lacking(CHAT, sent)

    def test_chat_stream(self, openai_server: OpenAIServer) -> None:
        """The chunks with the role, with content and with the finish have all that is published."""
        sent = wire.events(openai_server, wire.CHAT, wire.chat())
        expected = payloads(published.OPENAI_CHAT_STREAM)
        assert [set()] * 3 == [lacking(*pair) for pair in zip(expected, (sent[0], sent[1], sent[-1]), strict=True)]

    def test_responses_stream(self, openai_server: OpenAIServer) -> None:
        """Each published event is sent, with all its fields."""
        body = {"model": "gpt-5.4", "input": "Hello!", "instructions": "You are a helpful assistant."}
        sent = wire.events(openai_server, wire.RESPONSES, body)
        expected = payloads(published.OPENAI_RESPONSES_STREAM)
        assert [set()] * 5 == [lacking(each, of_type(sent, each["type"])) for each in expected]


class TestAnthropic:
    """Messages."""

    def test_stream(self, anthropic_server: AnthropicServer) -> None:
        """The events come in the published order, each with all its fields."""
        sent = wire.events(anthropic_server, wire.MESSAGES, wire.chat("Hello", max_tokens=64))
        expected = payloads(published.ANTHROPIC_STREAM)
        assert [set()] * 7 == [lacking(*pair) for pair in zip(expected, sent, strict=True)]
        assert [each["type"] for each in expected] == [each["type"] for each in sent]

    def test_error(self, anthropic_server: AnthropicServer) -> None:
        """The error inside a stream is the published one."""
        anthropic_server.queue(Scenario(error_at=1))
        sent = wire.events(anthropic_server, wire.MESSAGES, wire.chat(max_tokens=64))
        assert set() == lacking(OVERLOADED, sent[-1])


class TestGemini:
    """Contents."""

    def test_generate_content(self, gemini_server: GeminiServer) -> None:
        """A response has all that is published, and its total is the sum of prompt, thoughts and candidates."""
        body = wire.contents(generationConfig={"thinkingConfig": {"thinkingBudget": 100}})
        sent = wire.post(gemini_server, wire.GENERATE, body).json()
        expected = payloads(published.GEMINI)[0]
        assert set() == lacking(expected, sent)
        for usage in (expected["usageMetadata"], sent["usageMetadata"]):
            parts = [usage[f"{name}TokenCount"] for name in ("prompt", "candidates", "thoughts")]
            assert usage["totalTokenCount"] == sum(parts)


class TestMistral:
    """Chat completions and embeddings."""

    def test_chat(self, mistral_server: MistralServer) -> None:
        """A chat completion has all that is published."""
        sent = wire.post(mistral_server, wire.CHAT, wire.chat()).json()
        assert set() == lacking(payloads(published.MISTRAL_CHAT)[0], sent)

    def test_embeddings(self, mistral_server: MistralServer) -> None:
        """Embeddings have all that is published."""
        sent = wire.post(mistral_server, "/v1/embeddings", {"model": "mistral-embed", "input": ["one"]}).json()
        assert set() == lacking(payloads(published.MISTRAL_EMBEDDINGS)[0], sent)


@pytest.mark.parametrize(
    ("expected", "sent", "missing"),
    [
        ({"a": 1}, {"a": 2.5}, set()),
        ({"a": 1}, {"a": None}, set()),
        ({"a": None}, {"a": "text"}, set()),
        ({"a": 1}, {"a": "1"}, {".a: float"}),
        ({"a": [{"b": "text"}]}, {"a": []}, {".a[].b: str"}),
    ],
)
def test_lacking(expected: object, sent: object, missing: set[str]) -> None:
    """What is published and not sent is found, and so is another kind of value."""
    assert missing == lacking(expected, sent)
