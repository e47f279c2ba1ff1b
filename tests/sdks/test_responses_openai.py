"""The objects of the OpenAI SDK, built as the SDK builds them of what a server sends."""

from typing import Any

import openai
import pytest
from openai.lib.streaming.chat import ChunkEvent
from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ParsedChatCompletion
from openai.types.responses import ParsedResponse, Response, ResponseErrorEvent, ResponseFailedEvent
from openai.types.responses.response_stream_event import ResponseStreamEvent

from mlmetrics.responses.kinds import hearing
from mlmetrics.responses.openai import hear_chunk, hear_completion
from tests.responses.published import CHAT, CHAT_STREAM, RESPONSE, STREAMS, WHOLE
from tests.sdks.responses import check_stream, check_whole, heard

KINDS: dict[str, Any] = {
    "openai chat": ChatCompletion,
    "openai chat, cached": ChatCompletion,
    "openai chat, function": ChatCompletion,
    "openai completion": Completion,
    "openai embeddings": CreateEmbeddingResponse,
    "openai response": Response,
    "openai response, reasoning": Response,
}


@pytest.mark.parametrize("name", KINDS)
def test_whole(name: str) -> None:
    """A response says its tokens, its model and its id."""
    said = check_whole(name, KINDS[name].construct(**WHOLE[name][0]))
    assert WHOLE[name][0].get("id") == said.identity


def test_chat_streams() -> None:
    """The chunks of a chat completion carry what they should."""
    check_stream("openai chat", [ChatCompletionChunk.construct(**each) for each in CHAT_STREAM])


def test_response_streams() -> None:
    """The events of a response carry what they should."""
    events: list[Any] = [
        openai._models.construct_type(type_=ResponseStreamEvent, value=each) for each in STREAMS["openai response"][0]
    ]
    assert len({type(each) for each in events}) == len(events)
    check_stream("openai response", events)


def test_parsed() -> None:
    """What `parse` returns is read as what it is a kind of."""
    chat = ParsedChatCompletion[dict[str, str]].construct(**CHAT)
    response = ParsedResponse[dict[str, str]].construct(**RESPONSE)
    assert ["A", "A"] == [heard([chat])[0], heard([response])[0]]


def test_chunks_of_the_helper() -> None:
    """The stream helper's events are read, with the chunk that is inside."""
    chunk = ChatCompletionChunk.construct(**CHAT_STREAM[1])
    carried, said = heard([ChunkEvent.construct(type="chunk", chunk=chunk, snapshot=None)])
    assert ("A", "chatcmpl-123") == (carried, said.identity)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_fields_that_the_sdk_does_not_know(field: str) -> None:
    """Other servers' reasoning stands beside the fields of the SDK."""
    chunk = CHAT_STREAM[1] | {"choices": [{"index": 0, "delta": {field: "Hm"}, "finish_reason": None}]}
    assert "R" == heard([ChatCompletionChunk.construct(**chunk)])[0]


def test_errors() -> None:
    """Errors are failures: in an event, in a response that failed, and in place of a completion."""
    error = ResponseErrorEvent.construct(type="error", code="server_error", message="secret", sequence_number=1)
    failed = ResponseFailedEvent.construct(
        type="response.failed",
        response=RESPONSE | {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "secret"}},
    )
    instead = ChatCompletion.construct(error={"code": 502, "message": "secret"})
    failures = [heard([each])[1].failure for each in (error, failed, instead)]
    assert ["server_error", "rate_limit_exceeded", "502"] == failures


def test_quick_only_for_the_sdks_own_class() -> None:
    """A subclass may have properties, so its fields are read as they are stored."""
    own: Any = type("Own", (ChatCompletionChunk,), {"__module__": __name__})
    assert [hear_chunk, hear_completion] == [hearing(ChatCompletionChunk), hearing(own)]
    assert "_A__" == heard([own.construct(**each) for each in CHAT_STREAM])[0]


@pytest.mark.parametrize(
    "chunk",
    [
        {},
        {"usage": None, "choices": None},
        {"usage": None, "choices": [None]},
        {"usage": None, "choices": [{"delta": None}]},
        {"usage": None, "choices": [{"delta": "x"}]},
        {"usage": None, "choices": {"delta": "x"}},
        {"usage": None, "choices": [{"delta": {"content": [{"type": "thinking", "thinking": ""}]}}]},
    ],
)
def test_chunks_of_any_shape(chunk: dict[str, Any]) -> None:
    """The SDK builds a chunk of whatever a server sends; one without content carries nothing."""
    carried, said = heard([ChatCompletionChunk.construct(**each) for each in (*CHAT_STREAM[:2], chunk)])
    assert ("_A_", False) == (carried, said.broken)
