"""Anthropic's server with the real SDK: its payloads fit the SDK's models, its clients get what the ledger says."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import anthropic
import pytest
from anthropic.types import Message, RawMessageStreamEvent

from tests.sdks import wire
from tests.sdks.servers import CLIENT_GONE, COMPLETE, CUT, ERROR_INSIDE, REJECTED, AnthropicServer, Scenario
from tests.sdks.strict import validated

ASKED: Any = {
    "model": "asked",
    "max_tokens": 2048,
    "messages": [{"role": "user", "content": "say these four words"}],
}
THINKING: Any = {"type": "enabled", "budget_tokens": 1024}
TOOL: Any = {"name": "look_up", "input_schema": {"type": "object", "properties": {"name": {"type": "string"}}}}
SPENT = {"input": 4, "output": 4}


@pytest.fixture
def client(anthropic_server: AnthropicServer) -> Iterator[anthropic.Anthropic]:
    """Give a client of the server that tries again once."""
    with anthropic.Anthropic(base_url=anthropic_server.url, api_key="any", max_retries=1) as client:
        yield client


@pytest.fixture
async def async_client(anthropic_server: AnthropicServer) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """Give an asynchronous client of the server that tries again once."""
    async with anthropic.AsyncAnthropic(base_url=anthropic_server.url, api_key="any", max_retries=1) as client:
        yield client


class TestModels:
    """Everything that is sent fits the SDK's models."""

    @pytest.mark.parametrize("more", [{}, {"thinking": THINKING}, {"max_tokens": 2}, {"tools": [TOOL]}])
    def test_messages(self, anthropic_server: AnthropicServer, more: wire.Payload) -> None:
        """Messages and their events are the SDK's; pings are no events of a model."""
        body = {**ASKED, **more}
        validated(Message, wire.post(anthropic_server, wire.MESSAGES, body).json())
        for event in wire.events(anthropic_server, wire.MESSAGES, body):
            if event["type"] != "ping":
                validated(RawMessageStreamEvent, event)

    def test_cached(self, anthropic_server: AnthropicServer) -> None:
        """Usage with a cache that was written, then read, is the SDK's."""
        block = {"type": "text", "text": "say these four words", "cache_control": {"type": "ephemeral"}}
        body = {**ASKED, "messages": [{"role": "user", "content": [block]}]}
        first, second = (
            validated(Message, wire.post(anthropic_server, wire.MESSAGES, body).json()).usage for _ in range(2)
        )
        assert (4, 0) == (first.cache_creation_input_tokens, first.cache_read_input_tokens)
        assert (0, 4) == (second.cache_creation_input_tokens, second.cache_read_input_tokens)
        assert {"cache_write": 4, "cache_read": 4, "output": 8} == anthropic_server.ledger.tokens("asked")


class TestClients:
    """Each way to call is answered, and entered."""

    def test_messages(self, client: anthropic.Anthropic, anthropic_server: AnthropicServer) -> None:
        """A message has the usage of the ledger."""
        said = client.messages.create(**ASKED)
        assert ("say these four words", 4, 4) == (
            said.content[0].text,
            said.usage.input_tokens,
            said.usage.output_tokens,
        )
        assert SPENT == anthropic_server.ledger.tokens("asked")

    async def test_async(self, async_client: anthropic.AsyncAnthropic, anthropic_server: AnthropicServer) -> None:
        """An asynchronous client gets the same, streamed or not."""
        assert "say these four words" == (await async_client.messages.create(**ASKED)).content[0].text
        stream = await async_client.messages.create(**ASKED, stream=True)
        assert "message_stop" == [event.type async for event in stream][-1]
        async with async_client.messages.stream(**ASKED) as manager:
            assert "say these four words" == "".join([text async for text in manager.text_stream])
        assert [SPENT] * 3 == [row.tokens for row in anthropic_server.ledger.rows]

    def test_stream(self, client: anthropic.Anthropic, anthropic_server: AnthropicServer) -> None:
        """A stream's usage is cumulative, and comments are not seen."""
        anthropic_server.queue(Scenario(keep_alive=True))
        events = list(client.messages.create(**ASKED, stream=True))
        assert 1 == events[0].message.usage.output_tokens
        assert 4 == next(event for event in events if event.type == "message_delta").usage.output_tokens
        assert SPENT == anthropic_server.ledger.tokens("asked")

    def test_manager(self, client: anthropic.Anthropic, anthropic_server: AnthropicServer) -> None:
        """The manager of a stream gathers the whole message, with its thinking."""
        with client.messages.stream(**ASKED, thinking=THINKING) as stream:
            said = stream.get_final_message()
        assert ["thinking", "text"] == [block.type for block in said.content]
        assert {"input": 4, "output": 4, "reasoning": 7} == anthropic_server.ledger.tokens("asked")
        assert 11 == said.usage.output_tokens

    def test_raw(self, client: anthropic.Anthropic, anthropic_server: AnthropicServer) -> None:
        """Raw and streaming responses are parsed when asked."""
        raw = client.messages.with_raw_response.create(**ASKED)
        assert ("req_1", "say these four words") == (raw.headers["request-id"], raw.parse().content[0].text)
        with client.messages.with_streaming_response.create(**ASKED) as response:
            assert "message" == response.parse().type
        assert [COMPLETE, COMPLETE] == [row.ended for row in anthropic_server.ledger.rows]

    def test_tools(self, client: anthropic.Anthropic, anthropic_server: AnthropicServer) -> None:
        """A tool is used first, and its result answered."""
        with client.messages.stream(**ASKED, tools=[TOOL]) as stream:
            said = stream.get_final_message()
        (use,) = said.content
        assert ("tool_use", {"name": "say these four words"}) == (said.stop_reason, use.input)
        result = {"type": "tool_result", "tool_use_id": use.id, "content": "found it"}
        messages = [
            *ASKED["messages"],
            {"role": "assistant", "content": said.content},
            {"role": "user", "content": [result]},
        ]
        again = client.messages.create(**{**ASKED, "messages": messages}, tools=[TOOL])
        assert "found it" == again.content[0].text
        assert 2 == len(anthropic_server.ledger.rows)


class TestScenarios:
    """What the SDK makes of each scenario."""

    @pytest.mark.parametrize("status", [429, 529])
    def test_rejected(self, client: anthropic.Anthropic, anthropic_server: AnthropicServer, status: int) -> None:
        """The SDK tries again by itself."""
        anthropic_server.queue(Scenario(status=status), Scenario())
        client.messages.create(**ASKED)
        assert [REJECTED, COMPLETE] == [row.ended for row in anthropic_server.ledger.rows]

    def test_timed_out(self, client: anthropic.Anthropic, anthropic_server: AnthropicServer) -> None:
        """A client that waits no longer raises."""
        anthropic_server.queue(Scenario(timed_out=True))
        with pytest.raises(anthropic.APITimeoutError):
            client.with_options(timeout=0.3, max_retries=0).messages.create(**ASKED)
        assert [CLIENT_GONE] == [row.ended for row in anthropic_server.ledger.wait(1)]

    def test_error_inside(self, client: anthropic.Anthropic, anthropic_server: AnthropicServer) -> None:
        """An error inside a stream is raised."""
        anthropic_server.queue(Scenario(error_at=2))
        with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
            list(client.messages.create(**ASKED, stream=True))
        assert [ERROR_INSIDE] == [row.ended for row in anthropic_server.ledger.rows]

    def test_cut(self, client: anthropic.Anthropic, anthropic_server: AnthropicServer) -> None:
        """A stream that is cut raises, unless its end looks proper."""
        anthropic_server.queue(Scenario(cut_at=2), Scenario(cut_at=2, terminated=True))
        with pytest.raises(Exception, match="onnection"):
            list(client.messages.create(**ASKED, stream=True))
        assert "content_block_delta" == list(client.messages.create(**ASKED, stream=True))[-1].type
        assert [CUT, CUT] == [row.ended for row in anthropic_server.ledger.rows]

    def test_left(self, client: anthropic.Anthropic, anthropic_server: AnthropicServer) -> None:
        """A stream whose manager is left early is seen by the server."""
        anthropic_server.queue(Scenario(hold_at=2))
        with client.messages.stream(**ASKED) as stream:
            texts = iter(stream.text_stream)
            assert ["say ", "these "] == [next(texts), next(texts)]
        (row,) = anthropic_server.ledger.rows
        assert (CLIENT_GONE, 2, {"input": 4, "output": 1}) == (row.ended, row.chunks, row.tokens)

    def test_refused(self, client: anthropic.Anthropic, anthropic_server: AnthropicServer) -> None:
        """A refusal is the reason to stop."""
        anthropic_server.queue(Scenario(refused=True), Scenario(refused=True))
        assert "refusal" == client.messages.create(**ASKED).stop_reason
        with client.messages.stream(**ASKED) as stream:
            assert "refusal" == stream.get_final_message().stop_reason
        assert 2 == len(anthropic_server.ledger.rows)

    def test_no_usage(self, client: anthropic.Anthropic, anthropic_server: AnthropicServer) -> None:
        """A stream without usage is read without an error."""
        anthropic_server.queue(Scenario(usage=False))
        assert "message_stop" == list(client.messages.create(**ASKED, stream=True))[-1].type
        assert [None] == [row.tokens for row in anthropic_server.ledger.rows]
