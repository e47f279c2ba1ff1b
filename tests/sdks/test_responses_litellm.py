"""The objects of LiteLLM, which gives every provider's response the shape of OpenAI's."""

import os
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it asks the network when it is imported

import pytest
from litellm import ModelResponse
from litellm.llms.anthropic.chat.transformation import AnthropicConfig
from litellm.types.utils import EmbeddingResponse, ModelResponseStream, TextCompletionResponse, Usage

from tests.responses.published import CHAT, CHAT_STREAM, MESSAGE_MIXED_CACHE, MESSAGE_WROTE_CACHE, WHOLE, Payload
from tests.sdks.responses import check_stream, check_whole, heard, told

KINDS: dict[str, Any] = {
    "openai chat": ModelResponse,
    "openai chat, cached": ModelResponse,
    "openai chat, function": ModelResponse,
    "openai completion": TextCompletionResponse,
    "openai embeddings": EmbeddingResponse,
}


@pytest.mark.parametrize("name", KINDS)
def test_whole(name: str) -> None:
    """A response says its tokens, its model and its id."""
    check_whole(name, KINDS[name](**WHOLE[name][0]))


def test_streams() -> None:
    """The chunks of a stream carry what they should."""
    check_stream("openai chat", [ModelResponseStream(**each) for each in CHAT_STREAM])


def test_reasoning() -> None:
    """Reasoning has a field of its own."""
    chunk = CHAT_STREAM[1] | {"choices": [{"index": 0, "delta": {"reasoning_content": "Hm"}, "finish_reason": None}]}
    assert "R" == heard([ModelResponseStream(**chunk)])[0]


@pytest.mark.parametrize("usage", [None, {}, Usage()])
def test_missing(usage: Any) -> None:
    """A usage that LiteLLM fills with zeros is missing."""
    said = heard([ModelResponse(**CHAT | {"usage": usage})])[1]
    assert (None, True, False) == (said.usage, said.known, said.broken)


def as_litellm_has_it(usage: Payload) -> Any:
    """Return the usage of a message as LiteLLM hands it on; the oldest release has no function of its own for it."""
    config = AnthropicConfig()
    if hasattr(config, "calculate_usage"):
        return config.calculate_usage(usage_object=usage, reasoning_content=None)
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    prompt = usage["input_tokens"] + read + written
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=usage["output_tokens"],
        total_tokens=prompt + usage["output_tokens"],
        prompt_tokens_details={"cached_tokens": read},
        cache_creation_input_tokens=written,
        cache_read_input_tokens=read,
    )


@pytest.mark.parametrize("message", [MESSAGE_WROTE_CACHE, MESSAGE_MIXED_CACHE])
def test_usage_of_anthropic(message: Payload) -> None:
    """Anthropic's usage says the same after LiteLLM has given it the shape of OpenAI's."""
    usage = as_litellm_has_it(message["usage"])
    expected = {
        "input": message["usage"]["input_tokens"],
        "cache_read": message["usage"]["cache_read_input_tokens"],
        "cache_write": message["usage"]["cache_creation_input_tokens"],
        "output": message["usage"]["output_tokens"],
    }
    said = heard([ModelResponse(**CHAT | {"usage": usage})])[1]
    assert told(expected) == told(said.usage)
