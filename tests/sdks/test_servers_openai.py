"""OpenAI's server with the real SDK: its payloads fit the SDK's models, its clients get what the ledger says."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel

from tests.sdks import wire
from tests.sdks.servers import CLIENT_GONE, COMPLETE, CUT, ERROR_INSIDE, REJECTED, OpenAIServer, Scenario
from tests.sdks.strict import validated

ASKED = {"model": "asked", "messages": [{"role": "user", "content": "say these four words"}]}
RESPONSE_ASKED = {"model": "asked", "input": "say these four words"}
SPENT = {"input": 4, "output": 4}
FUNCTION = {"name": "look_up", "parameters": {"type": "object", "properties": {"name": {"type": "string"}}}}


class Said(BaseModel):
    """What `parse` makes of an answer."""

    words: str
    number: int


@pytest.fixture
def client(openai_server: OpenAIServer) -> Iterator[openai.OpenAI]:
    """Give a client of the server that tries again once."""
    with openai.OpenAI(base_url=f"{openai_server.url}/v1", api_key="any", max_retries=1) as client:
        yield client


@pytest.fixture
async def async_client(openai_server: OpenAIServer) -> AsyncIterator[openai.AsyncOpenAI]:
    """Give an asynchronous client of the server that tries again once."""
    async with openai.AsyncOpenAI(base_url=f"{openai_server.url}/v1", api_key="any", max_retries=1) as client:
        yield client


class TestModels:
    """Everything that is sent fits the SDK's models."""

    @pytest.mark.parametrize(
        "more",
        [
            {},
            {"reasoning_effort": "low", "prompt_cache_key": "any", "service_tier": "flex"},
            {"max_tokens": 2},
            {"tools": [{"type": "function", "function": FUNCTION}]},
        ],
    )
    def test_chat(self, openai_server: OpenAIServer, more: wire.Payload) -> None:
        """Chat completions and their chunks are the SDK's."""
        validated(ChatCompletion, wire.post(openai_server, wire.CHAT, wire.chat(**more)).json())
        for event in wire.events(openai_server, wire.CHAT, wire.chat(stream_options={"include_usage": True}, **more)):
            validated(ChatCompletionChunk, event)

    def test_chat_refused(self, openai_server: OpenAIServer) -> None:
        """A refusal stands in its own field."""
        openai_server.queue(Scenario(refused=True), Scenario(refused=True))
        whole = validated(ChatCompletion, wire.post(openai_server, wire.CHAT, wire.chat()).json())
        assert (None, "I cannot help with that.") == (
            whole.choices[0].message.content,
            whole.choices[0].message.refusal,
        )
        chunks = [validated(ChatCompletionChunk, each) for each in wire.events(openai_server, wire.CHAT, wire.chat())]
        assert "I cannot help with that." == "".join(chunk.choices[0].delta.refusal or "" for chunk in chunks)

    @pytest.mark.parametrize(
        "more",
        [
            {},
            {"reasoning": {"effort": "low"}, "prompt_cache_key": "any"},
            {"max_output_tokens": 2},
            {"tools": [{"type": "function", "strict": True, **FUNCTION}]},
        ],
    )
    def test_responses(self, openai_server: OpenAIServer, more: wire.Payload) -> None:
        """Responses and their events are the SDK's, and the events are numbered."""
        body = {**RESPONSE_ASKED, **more}
        validated(Response, wire.post(openai_server, wire.RESPONSES, body).json())
        sent = wire.events(openai_server, wire.RESPONSES, body)
        assert list(range(len(sent))) == [validated(ResponseStreamEvent, event).sequence_number for event in sent]

    @pytest.mark.parametrize("scenario", [{"refused": True}, {"error_at": 1}, {"error_at": 1, "failed": True}])
    def test_responses_that_go_wrong(self, openai_server: OpenAIServer, scenario: dict[str, Any]) -> None:
        """Refusals and failures are the SDK's too."""
        openai_server.queue(Scenario(**scenario), Scenario(**scenario))
        validated(Response, wire.post(openai_server, wire.RESPONSES, RESPONSE_ASKED).json())
        for event in wire.events(openai_server, wire.RESPONSES, RESPONSE_ASKED):
            validated(ResponseStreamEvent, event)

    def test_embeddings(self, openai_server: OpenAIServer) -> None:
        """Embeddings are the SDK's."""
        sent = wire.post(openai_server, "/v1/embeddings", {"model": "asked", "input": ["one", "two words"]})
        validated(CreateEmbeddingResponse, sent.json())

    def test_completions(self, openai_server: OpenAIServer) -> None:
        """Completions of the older kind are the SDK's, but their chunks name no finish until the end."""
        body = {"model": "asked", "prompt": "say these four words"}
        validated(Completion, wire.post(openai_server, "/v1/completions", body).json())
        sent = wire.events(openai_server, "/v1/completions", body)
        assert "say these four words" == "".join(event["choices"][0]["text"] for event in sent)


class TestClients:
    """Each way to call is answered, and entered."""

    def test_chat(self, client: openai.OpenAI, openai_server: OpenAIServer) -> None:
        """A chat completion has the usage of the ledger."""
        said = client.chat.completions.create(**ASKED)
        assert ("say these four words", 4, 4) == (
            said.choices[0].message.content,
            said.usage.prompt_tokens,
            said.usage.completion_tokens,
        )
        assert SPENT == openai_server.ledger.tokens("asked")

    async def test_async(self, async_client: openai.AsyncOpenAI, openai_server: OpenAIServer) -> None:
        """An asynchronous client gets the same, streamed or not."""
        said = await async_client.chat.completions.create(**ASKED)
        assert "say these four words" == said.choices[0].message.content
        stream = await async_client.chat.completions.create(**ASKED, stream=True)
        assert "say these four words" == "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        response = await async_client.responses.create(**RESPONSE_ASKED, stream=True)
        assert "response.completed" == [event.type async for event in response][-1]
        assert [SPENT, None, SPENT] == [row.tokens for row in openai_server.ledger.rows]

    def test_stream(self, client: openai.OpenAI, openai_server: OpenAIServer) -> None:
        """A stream says its usage in the last chunk, if asked; keep-alive comments are not seen."""
        openai_server.queue(Scenario(keep_alive=True))
        stream = client.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True})
        chunks = list(stream)
        assert [None, 8] == [chunks[0].usage, chunks[-1].usage.total_tokens]
        assert SPENT == openai_server.ledger.tokens("asked")

    def test_raw(self, client: openai.OpenAI, openai_server: OpenAIServer) -> None:
        """Raw and streaming responses are parsed when asked."""
        raw = client.chat.completions.with_raw_response.create(**ASKED)
        assert ("req_1", "say these four words") == (
            raw.headers["x-request-id"],
            raw.parse().choices[0].message.content,
        )
        with client.chat.completions.with_streaming_response.create(**ASKED, stream=True) as response:
            assert any("[DONE]" in line for line in response.iter_lines())
        assert [COMPLETE, COMPLETE] == [row.ended for row in openai_server.ledger.rows]

    def test_parse(self, client: openai.OpenAI, openai_server: OpenAIServer) -> None:
        """An answer fits the schema that is asked for, in both APIs."""
        chats = client.chat.completions if hasattr(client.chat.completions, "parse") else client.beta.chat.completions
        expected = Said(words="say these four words", number=4)
        assert expected == chats.parse(**ASKED, response_format=Said).choices[0].message.parsed
        assert expected == client.responses.parse(**RESPONSE_ASKED, text_format=Said).output_parsed
        assert 2 == len(openai_server.ledger.rows)

    def test_managers(self, client: openai.OpenAI, openai_server: OpenAIServer) -> None:
        """The managers of streams gather the whole answer."""
        chats = client.chat.completions if hasattr(client.chat.completions, "stream") else client.beta.chat.completions
        with chats.stream(**ASKED) as stream:
            assert "say these four words" == stream.get_final_completion().choices[0].message.content
        with client.responses.stream(**RESPONSE_ASKED, reasoning={"effort": "low"}) as events:
            assert "say these four words" == events.get_final_response().output_text
        assert [(4, 0), (4, 7)] == [(row.chunks, row.reasoning_chunks) for row in openai_server.ledger.rows]

    def test_embeddings(self, client: openai.OpenAI, openai_server: OpenAIServer) -> None:
        """Vectors come in base64, as the SDK asks for them, and have no output."""
        vectors = client.embeddings.create(model="asked", input=["one", "two words"])
        assert [1.0, 2.0] == [each.embedding[0] for each in vectors.data]
        assert {"input": 3} == openai_server.ledger.tokens("asked")

    def test_completions(self, client: openai.OpenAI, openai_server: OpenAIServer) -> None:
        """The older completions stream too."""
        stream = client.completions.create(model="asked", prompt="say these four words", stream=True)
        assert "say these four words" == "".join(chunk.choices[0].text for chunk in stream)
        assert [("completions", 4)] == [(row.operation, row.chunks) for row in openai_server.ledger.rows]

    def test_tools(self, client: openai.OpenAI, openai_server: OpenAIServer) -> None:
        """A function is called first, and its result answered."""
        tools: Any = [{"type": "function", "function": FUNCTION}]
        said = client.chat.completions.create(**ASKED, tools=tools).choices[0]
        (call,) = said.message.tool_calls
        assert ("tool_calls", '{"name": "say these four words"}') == (said.finish_reason, call.function.arguments)
        result = {"role": "tool", "tool_call_id": call.id, "content": "found it"}
        messages: Any = [*ASKED["messages"], said.message, result]
        again = client.chat.completions.create(model="asked", messages=messages, tools=tools)
        assert "found it" == again.choices[0].message.content
        assert 2 == len(openai_server.ledger.rows)


class TestScenarios:
    """What the SDK makes of each scenario."""

    def test_rate_limited(self, client: openai.OpenAI, openai_server: OpenAIServer) -> None:
        """The SDK tries again by itself."""
        openai_server.queue(Scenario(status=429), Scenario())
        client.chat.completions.create(**ASKED)
        assert [REJECTED, COMPLETE] == [row.ended for row in openai_server.ledger.rows]

    def test_server_error(self, client: openai.OpenAI, openai_server: OpenAIServer) -> None:
        """An error of the server is raised after the last try."""
        openai_server.queue(Scenario(status=500), Scenario(status=500))
        with pytest.raises(openai.InternalServerError):
            client.chat.completions.create(**ASKED)
        assert [REJECTED, REJECTED] == [row.ended for row in openai_server.ledger.rows]

    def test_timed_out(self, client: openai.OpenAI, openai_server: OpenAIServer) -> None:
        """A client that waits no longer raises."""
        openai_server.queue(Scenario(timed_out=True))
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.3, max_retries=0).chat.completions.create(**ASKED)
        assert [CLIENT_GONE] == [row.ended for row in openai_server.ledger.wait(1)]

    def test_error_inside(self, client: openai.OpenAI, openai_server: OpenAIServer) -> None:
        """An error inside a stream is raised."""
        openai_server.queue(Scenario(error_at=2))
        with pytest.raises(openai.APIError):
            list(client.chat.completions.create(**ASKED, stream=True))
        assert [ERROR_INSIDE] == [row.ended for row in openai_server.ledger.rows]

    @pytest.mark.parametrize("failed", [False, True])
    def test_failed_response(self, client: openai.OpenAI, openai_server: OpenAIServer, failed: bool) -> None:  # noqa: FBT001  # a parameter
        """An error inside a stream of the Responses API is its last event, and nothing is raised."""
        openai_server.queue(Scenario(error_at=2, failed=failed))
        last = list(client.responses.create(**RESPONSE_ASKED, stream=True))[-1]
        # Old releases take an event `error` for one of another type, without a type in it.
        assert ("response.failed" if failed else "error") == (last.type or last.event)
        assert [ERROR_INSIDE] == [row.ended for row in openai_server.ledger.rows]

    def test_cut(self, client: openai.OpenAI, openai_server: OpenAIServer) -> None:
        """A stream that is cut raises, unless its end looks proper."""
        openai_server.queue(Scenario(cut_at=2), Scenario(cut_at=2, terminated=True))
        with pytest.raises(Exception, match="onnection"):
            list(client.chat.completions.create(**ASKED, stream=True))
        assert 3 == len(list(client.chat.completions.create(**ASKED, stream=True)))
        assert [CUT, CUT] == [row.ended for row in openai_server.ledger.rows]

    def test_left(self, client: openai.OpenAI, openai_server: OpenAIServer) -> None:
        """A stream that is closed early is seen by the server."""
        openai_server.queue(Scenario(hold_at=2))
        stream = client.chat.completions.create(**ASKED, stream=True)
        assert ["", "say ", "these "] == [next(stream).choices[0].delta.content for _ in range(3)]
        stream.close()
        assert [(CLIENT_GONE, 2)] == [(row.ended, row.chunks) for row in openai_server.ledger.rows]

    async def test_left_asynchronously(self, async_client: openai.AsyncOpenAI, openai_server: OpenAIServer) -> None:
        """So is an asynchronous one."""
        openai_server.queue(Scenario(hold_at=0))
        stream = await async_client.chat.completions.create(**ASKED, stream=True)
        await stream.close()
        assert [(CLIENT_GONE, 0)] == [(row.ended, row.chunks) for row in openai_server.ledger.rows]

    def test_reasoning_content(self, client: openai.OpenAI, openai_server: OpenAIServer) -> None:
        """Reasoning is shown beside the content, as by servers that are compatible with OpenAI's."""
        openai_server.queue(Scenario(reasoning_content=True))
        stream = client.chat.completions.create(**ASKED, stream=True, reasoning_effort="low")
        shown = [getattr(chunk.choices[0].delta, "reasoning_content", None) for chunk in stream]
        assert "The question asks for its own words." == "".join(filter(None, shown))
        assert [7] == [row.reasoning_chunks for row in openai_server.ledger.rows]
