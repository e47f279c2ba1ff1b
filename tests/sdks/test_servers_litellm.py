"""LiteLLM talks to OpenAI's and Anthropic's servers, and gets what the ledger says."""

from typing import Any

import litellm
import pytest

from tests.sdks.servers import CLIENT_GONE, COMPLETE, ERROR_INSIDE, REJECTED, AnthropicServer, OpenAIServer, Scenario

MESSAGES = [{"role": "user", "content": "say these four words"}]
SPENT = {"input": 4, "output": 4}


@pytest.fixture
def asked(openai_server: OpenAIServer) -> dict[str, Any]:
    """Give the arguments of a call of OpenAI's server."""
    place = {"api_base": f"{openai_server.url}/v1", "api_key": "any"}
    return {"model": "openai/asked", "messages": MESSAGES, "max_retries": 0, **place}


class TestOpenAI:
    """By the OpenAI SDK that LiteLLM brings."""

    def test_completion(self, asked: dict[str, Any], openai_server: OpenAIServer) -> None:
        """A completion has the usage of the ledger."""
        said = litellm.completion(**asked)
        assert ("say these four words", 8) == (said.choices[0].message.content, said.usage.total_tokens)
        assert SPENT == openai_server.ledger.tokens("asked")

    async def test_async(self, asked: dict[str, Any], openai_server: OpenAIServer) -> None:
        """An asynchronous completion gets the same, streamed or not."""
        assert "say these four words" == (await litellm.acompletion(**asked)).choices[0].message.content
        stream = await litellm.acompletion(**asked, stream=True)
        assert "say these four words" == "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        assert [COMPLETE, COMPLETE] == [row.ended for row in openai_server.ledger.rows]

    def test_stream(self, asked: dict[str, Any], openai_server: OpenAIServer) -> None:
        """The usage comes in the last chunk, if asked for."""
        chunks = list(litellm.completion(**asked, stream=True, stream_options={"include_usage": True}))
        assert 8 == chunks[-1].usage.total_tokens
        assert SPENT == openai_server.ledger.tokens("asked")

    def test_embedding(self, asked: dict[str, Any], openai_server: OpenAIServer) -> None:
        """Embeddings have no output."""
        del asked["messages"]
        litellm.embedding(**asked, input=["one", "two words"])
        assert {"input": 3} == openai_server.ledger.tokens("asked")

    def test_rejected(self, asked: dict[str, Any], openai_server: OpenAIServer) -> None:
        """A rejected request is raised."""
        openai_server.queue(Scenario(status=429))
        with pytest.raises(litellm.RateLimitError):
            litellm.completion(**asked)
        assert [REJECTED] == [row.ended for row in openai_server.ledger.rows]

    def test_error_inside(self, asked: dict[str, Any], openai_server: OpenAIServer) -> None:
        """An error inside a stream is raised."""
        openai_server.queue(Scenario(error_at=2))
        with pytest.raises(Exception, match="had an error"):
            list(litellm.completion(**asked, stream=True))
        assert [ERROR_INSIDE] == [row.ended for row in openai_server.ledger.rows]

    def test_left(self, asked: dict[str, Any], openai_server: OpenAIServer) -> None:
        """A stream whose inner stream is closed early is seen by the server."""
        openai_server.queue(Scenario(hold_at=2))
        stream = litellm.completion(**asked, stream=True)
        assert "say " == next(filter(None, (chunk.choices[0].delta.content for chunk in stream)))
        stream.completion_stream.close()
        assert [(CLIENT_GONE, 2)] == [(row.ended, row.chunks) for row in openai_server.ledger.rows]


class TestAnthropic:
    """By LiteLLM's own client."""

    def test_completion(self, anthropic_server: AnthropicServer) -> None:
        """A completion has the usage of the ledger."""
        asked: Any = {
            "model": "anthropic/asked",
            "messages": MESSAGES,
            "api_base": anthropic_server.url,
            "api_key": "any",
        }
        assert 8 == litellm.completion(**asked, max_tokens=64).usage.total_tokens
        assert SPENT == anthropic_server.ledger.tokens("asked")
