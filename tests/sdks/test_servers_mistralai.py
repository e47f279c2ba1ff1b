"""Mistral's server with the real SDK: its payloads fit the SDK's models, its clients get what the ledger says."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from tests.sdks import wire
from tests.sdks.servers import CLIENT_GONE, COMPLETE, CUT, ERROR_INSIDE, REJECTED, MistralServer, Scenario
from tests.sdks.strict import validated

try:
    from mistralai.client import Mistral, models, utils
except ImportError:  # before 2.0
    from mistralai import Mistral, models, utils

ASKED: Any = {"model": "asked", "messages": [{"role": "user", "content": "say these four words"}]}
FUNCTION: Any = {"name": "look_up", "parameters": {"type": "object", "properties": {"name": {"type": "string"}}}}
SPENT = {"input": 4, "output": 4}


class Said(BaseModel):
    """What `parse` makes of an answer."""

    words: str
    number: int


@pytest.fixture
def client(mistral_server: MistralServer) -> Iterator[Mistral]:
    """Give a client of the server that tries again."""
    backoff = utils.BackoffStrategy(initial_interval=1, max_interval=1, exponent=1, max_elapsed_time=60_000)
    retries = utils.RetryConfig("backoff", backoff, retry_connection_errors=False)
    with Mistral(server_url=mistral_server.url, api_key="any", retry_config=retries) as client:
        yield client


class TestModels:
    """Everything that is sent fits the SDK's models."""

    @pytest.mark.parametrize("more", [{}, {"max_tokens": 2}, {"tools": [{"type": "function", "function": FUNCTION}]}])
    def test_chat(self, mistral_server: MistralServer, more: wire.Payload) -> None:
        """Chat completions and their chunks are the SDK's."""
        body = wire.chat(**more)
        validated(models.ChatCompletionResponse, wire.post(mistral_server, wire.CHAT, body).json())
        for event in wire.events(mistral_server, wire.CHAT, body):
            validated(models.CompletionChunk, event)

    def test_embeddings(self, mistral_server: MistralServer) -> None:
        """Embeddings are the SDK's."""
        sent = wire.post(mistral_server, "/v1/embeddings", {"model": "asked", "input": ["one", "two words"]})
        validated(models.EmbeddingResponse, sent.json())


class TestClients:
    """Each way to call is answered, and entered."""

    def test_chat(self, client: Mistral, mistral_server: MistralServer) -> None:
        """A chat completion has the usage of the ledger."""
        said = client.chat.complete(**ASKED)
        assert ("say these four words", 4, 4) == (
            said.choices[0].message.content,
            said.usage.prompt_tokens,
            said.usage.completion_tokens,
        )
        assert SPENT == mistral_server.ledger.tokens("asked")

    async def test_async(self, client: Mistral, mistral_server: MistralServer) -> None:
        """Asynchronous methods get the same, streamed or not."""
        async with client:
            said = await client.chat.complete_async(**ASKED)
            assert "say these four words" == said.choices[0].message.content
            stream = await client.chat.stream_async(**ASKED)
            texts = [event.data.choices[0].delta.content async for event in stream]
        assert "say these four words" == "".join(texts)
        assert [SPENT, SPENT] == [row.tokens for row in mistral_server.ledger.rows]

    def test_stream(self, client: Mistral, mistral_server: MistralServer) -> None:
        """A stream says its usage in the last chunk, and comments are not seen."""
        mistral_server.queue(Scenario(keep_alive=True))
        chunks = [event.data for event in client.chat.stream(**ASKED)]
        assert [None, 8] == [chunks[0].usage, chunks[-1].usage.total_tokens]
        assert SPENT == mistral_server.ledger.tokens("asked")

    def test_parse(self, client: Mistral, mistral_server: MistralServer) -> None:
        """An answer fits the schema that is asked for."""
        said = client.chat.parse(**ASKED, response_format=Said)
        assert Said(words="say these four words", number=4) == said.choices[0].message.parsed
        assert [COMPLETE] == [row.ended for row in mistral_server.ledger.rows]

    def test_tools(self, client: Mistral, mistral_server: MistralServer) -> None:
        """A function is called."""
        said = client.chat.complete(**ASKED, tools=[{"type": "function", "function": FUNCTION}]).choices[0]
        assert ("tool_calls", "look_up") == (said.finish_reason, said.message.tool_calls[0].function.name)
        assert [COMPLETE] == [row.ended for row in mistral_server.ledger.rows]

    def test_embeddings(self, client: Mistral, mistral_server: MistralServer) -> None:
        """Embeddings have no output."""
        vectors = client.embeddings.create(model="asked", inputs=["one", "two words"])
        assert [1.0, 2.0] == [each.embedding[0] for each in vectors.data]
        assert {"input": 3} == mistral_server.ledger.tokens("asked")


class TestScenarios:
    """What the SDK makes of each scenario."""

    def test_rate_limited(self, client: Mistral, mistral_server: MistralServer) -> None:
        """The SDK tries again where it is configured to."""
        mistral_server.queue(Scenario(status=429), Scenario())
        client.chat.complete(**ASKED)
        assert [REJECTED, COMPLETE] == [row.ended for row in mistral_server.ledger.rows]

    def test_unauthorized(self, client: Mistral, mistral_server: MistralServer) -> None:
        """A rejected request is raised."""
        mistral_server.queue(Scenario(status=401))
        with pytest.raises(Exception, match="401"):
            client.chat.complete(**ASKED)
        assert [REJECTED] == [row.ended for row in mistral_server.ledger.rows]

    def test_timed_out(self, mistral_server: MistralServer) -> None:
        """A client that waits no longer raises."""
        mistral_server.queue(Scenario(timed_out=True))
        with (
            Mistral(server_url=mistral_server.url, api_key="any", timeout_ms=300) as client,
            pytest.raises(Exception, match="timed out"),
        ):
            client.chat.complete(**ASKED)
        assert [CLIENT_GONE] == [row.ended for row in mistral_server.ledger.wait(1)]

    def test_error_inside(self, client: Mistral, mistral_server: MistralServer) -> None:
        """An error inside a stream is no chunk, so that reading it fails."""
        mistral_server.queue(Scenario(error_at=2))
        with pytest.raises(Exception, match="validation error"):
            list(client.chat.stream(**ASKED))
        assert [ERROR_INSIDE] == [row.ended for row in mistral_server.ledger.rows]

    def test_cut(self, client: Mistral, mistral_server: MistralServer) -> None:
        """A stream that is cut raises, unless its end looks proper."""
        mistral_server.queue(Scenario(cut_at=2), Scenario(cut_at=2, terminated=True))
        with pytest.raises(Exception, match="complete"):
            list(client.chat.stream(**ASKED))
        assert 3 == len(list(client.chat.stream(**ASKED)))
        assert [CUT, CUT] == [row.ended for row in mistral_server.ledger.rows]

    def test_left(self, client: Mistral, mistral_server: MistralServer) -> None:
        """A stream that is left early is seen by the server."""
        mistral_server.queue(Scenario(hold_at=2))
        with client.chat.stream(**ASKED) as stream:
            texts = (event.data.choices[0].delta.content for event in stream)
            assert ["", "say ", "these "] == [next(texts) for _ in range(3)]
        assert [(CLIENT_GONE, 2)] == [(row.ended, row.chunks) for row in mistral_server.ledger.rows]

    def test_no_usage(self, client: Mistral, mistral_server: MistralServer) -> None:
        """Usage that is missing looks like 0 in an answer in one piece, and is None in a stream."""
        mistral_server.queue(Scenario(usage=False), Scenario(usage=False))
        assert 0 == client.chat.complete(**ASKED).usage.prompt_tokens
        assert [None] == list({event.data.usage for event in client.chat.stream(**ASKED)})
        assert [None, None] == [row.tokens for row in mistral_server.ledger.rows]
