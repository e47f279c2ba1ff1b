"""Gemini's server with the real SDK: its payloads fit the SDK's models, its clients get what the ledger says."""

from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from tests.sdks import wire
from tests.sdks.servers import CLIENT_GONE, COMPLETE, CUT, ERROR_INSIDE, REJECTED, GeminiServer, Scenario
from tests.sdks.strict import validated

ASKED: Any = {"model": "gemini-2.5-flash", "contents": "say these four words"}
SPENT = {"input": 4, "output": 4}
THINKING = {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
FUNCTION = {"name": "look_up", "parameters": {"type": "OBJECT", "properties": {"name": {"type": "STRING"}}}}


class Said(BaseModel):
    """What the SDK makes of an answer by a schema."""

    words: str
    number: int


def look_up(name: str) -> str:
    """Find what is asked for."""
    return f"found {name.split(maxsplit=1)[0]}"


@pytest.fixture
def client(gemini_server: GeminiServer) -> genai.Client:
    """Give a client of the server."""
    return genai.Client(api_key="any", http_options=types.HttpOptions(base_url=gemini_server.url))


class TestModels:
    """Everything that is sent fits the SDK's models."""

    @pytest.mark.parametrize(
        "more",
        [
            {},
            THINKING,
            {"generationConfig": {"maxOutputTokens": 2}},
            {"tools": [{"functionDeclarations": [FUNCTION]}]},
            {"cachedContent": "cachedContents/1", "tools": [{"googleSearch": {}}]},
        ],
    )
    @pytest.mark.parametrize("refused", [False, True])
    def test_generate_content(self, gemini_server: GeminiServer, more: wire.Payload, refused: bool) -> None:  # noqa: FBT001  # a parameter
        """Responses and chunks are the SDK's, which knows no further field."""
        gemini_server.queue(Scenario(refused=refused), Scenario(refused=refused))
        body = wire.contents(**more)
        validated(types.GenerateContentResponse, wire.post(gemini_server, wire.GENERATE, body).json())
        for event in wire.events(gemini_server, wire.GENERATE_STREAM, body):
            validated(types.GenerateContentResponse, event)


class TestClients:
    """Each way to call is answered, and entered."""

    def test_generate_content(self, client: genai.Client, gemini_server: GeminiServer) -> None:
        """A response has the usage of the ledger."""
        said = client.models.generate_content(**ASKED)
        assert ("say these four words", 4, 4) == (
            said.text,
            said.usage_metadata.prompt_token_count,
            said.usage_metadata.candidates_token_count,
        )
        assert SPENT == gemini_server.ledger.tokens("gemini-2.5-flash")

    async def test_async(self, client: genai.Client, gemini_server: GeminiServer) -> None:
        """An asynchronous client gets the same, streamed or not."""
        assert "say these four words" == (await client.aio.models.generate_content(**ASKED)).text
        stream = await client.aio.models.generate_content_stream(**ASKED)
        assert "say these four words" == "".join([chunk.text async for chunk in stream])
        await client.aio.aclose()
        assert [SPENT, SPENT] == [row.tokens for row in gemini_server.ledger.rows]

    def test_stream(self, client: genai.Client, gemini_server: GeminiServer) -> None:
        """The usage of the chunks is cumulative."""
        chunks = list(client.models.generate_content_stream(**ASKED))
        assert [1, 2, 3, 4] == [chunk.usage_metadata.candidates_token_count for chunk in chunks]
        assert SPENT == gemini_server.ledger.tokens()

    def test_parse(self, client: genai.Client, gemini_server: GeminiServer) -> None:
        """An answer fits the schema that is asked for."""
        config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Said)
        said = client.models.generate_content(**ASKED, config=config)
        assert Said(words="say these four words", number=4) == said.parsed
        assert [COMPLETE] == [row.ended for row in gemini_server.ledger.rows]

    def test_thoughts(self, client: genai.Client, gemini_server: GeminiServer) -> None:
        """Thoughts come first, and are counted apart."""
        config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))
        chunks = list(client.models.generate_content_stream(**ASKED, config=config))
        thought = [chunk.candidates[0].content.parts[0].thought for chunk in chunks]
        assert [True] * 7 + [None] * 4 == thought
        (row,) = gemini_server.ledger.rows
        assert (4, 7, {**SPENT, "reasoning": 7}) == (row.chunks, row.reasoning_chunks, row.tokens)
        assert 7 == chunks[-1].usage_metadata.thoughts_token_count

    def test_functions(self, client: genai.Client, gemini_server: GeminiServer) -> None:
        """A function of Python is called by the SDK, with one request for each hop."""
        config = types.GenerateContentConfig(tools=[look_up])
        said = client.models.generate_content(**ASKED, config=config)
        assert [COMPLETE, COMPLETE] == [row.ended for row in gemini_server.ledger.rows]
        assert said.text

    def test_embeddings(self, client: genai.Client, gemini_server: GeminiServer) -> None:
        """Embeddings have no output."""
        vectors = client.models.embed_content(model="asked", contents=["one", "two words"])
        assert [1.0, 2.0] == [each.values[0] for each in vectors.embeddings]
        assert {"input": 3} == gemini_server.ledger.tokens("asked")


class TestScenarios:
    """What the SDK makes of each scenario."""

    @pytest.mark.parametrize("status", [429, 503])
    def test_rejected(self, client: genai.Client, gemini_server: GeminiServer, status: int) -> None:
        """A rejected request is raised."""
        gemini_server.queue(Scenario(status=status))
        with pytest.raises(errors.APIError) as raised:
            client.models.generate_content(**ASKED)
        assert status == raised.value.code
        assert [REJECTED] == [row.ended for row in gemini_server.ledger.rows]

    def test_timed_out(self, gemini_server: GeminiServer) -> None:
        """A client that waits no longer raises."""
        gemini_server.queue(Scenario(timed_out=True))
        options = types.HttpOptions(base_url=gemini_server.url, timeout=300)
        client = genai.Client(api_key="any", http_options=options)
        with pytest.raises(Exception, match="timed out"):
            client.models.generate_content(**ASKED)
        assert [CLIENT_GONE] == [row.ended for row in gemini_server.ledger.wait(1)]

    def test_error_inside(self, client: genai.Client, gemini_server: GeminiServer) -> None:
        """An error inside a stream is raised."""
        gemini_server.queue(Scenario(error_at=2))
        with pytest.raises(errors.APIError, match="UNAVAILABLE"):
            list(client.models.generate_content_stream(**ASKED))
        assert [ERROR_INSIDE] == [row.ended for row in gemini_server.ledger.rows]

    def test_cut(self, client: genai.Client, gemini_server: GeminiServer) -> None:
        """A stream that is cut raises, unless its end looks proper."""
        gemini_server.queue(Scenario(cut_at=2), Scenario(cut_at=2, terminated=True))
        with pytest.raises(Exception, match=r"onnection|complete"):
            list(client.models.generate_content_stream(**ASKED))
        assert 2 == len(list(client.models.generate_content_stream(**ASKED)))
        assert [CUT, CUT] == [row.ended for row in gemini_server.ledger.rows]

    def test_left(self, client: genai.Client, gemini_server: GeminiServer) -> None:
        """A stream that is closed early is seen by the server."""
        gemini_server.queue(Scenario(hold_at=2))
        stream = client.models.generate_content_stream(**ASKED)
        assert ["say ", "these "] == [next(stream).text for _ in range(2)]
        stream.close()
        (row,) = gemini_server.ledger.rows
        assert (CLIENT_GONE, 2, {"input": 4, "output": 2}) == (row.ended, row.chunks, row.tokens)
