"""What each format says beyond the published examples: content, usage, failures and names."""

import math
from typing import Any, ClassVar

import pytest

from mlmetrics.responses import anthropic, langchain, openai, openai_responses
from mlmetrics.responses.kinds import hear_dict
from mlmetrics.responses.said import ANSWER, NOTHING, REASONING, Said
from tests.responses.published import CHAT, CHAT_STREAM, CONTENT, MESSAGE, RESPONSE, Payload

PLANTED = "sk-planted key 123"


def usage_of(payload: Payload) -> dict[str, float] | None:
    """Return the usage that a payload says."""
    said = Said()
    hear_dict(payload, said)
    return said.usage


def failure_of(payload: Payload) -> str | None:
    """Return the failure that a payload says."""
    said = Said()
    hear_dict(payload, said)
    return said.failure


def chat_chunk(**delta: Any) -> Payload:
    """Return a chunk with this delta."""
    return CHAT_STREAM[1] | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


class TestContent:
    """What a chunk carries."""

    @pytest.mark.parametrize(
        ("delta", "carried"),
        [
            ({"role": "assistant"}, NOTHING),
            ({"content": ""}, NOTHING),
            ({"content": None, "tool_calls": []}, NOTHING),
            ({"content": "Hi"}, ANSWER),
            ({"refusal": "No"}, ANSWER),
            ({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]}, ANSWER),
            ({"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]}, ANSWER),
            ({"tool_calls": [{"index": 0, "function": {"arguments": ""}}]}, NOTHING),
            ({"function_call": {"arguments": "{"}}, ANSWER),
            ({"audio": {"id": "a", "data": "AA=="}}, ANSWER),
            ({"audio": {"id": "a"}}, NOTHING),
            ({"content": None, "reasoning_content": "Hm"}, REASONING),
            ({"reasoning": "Hm"}, REASONING),
            ({"content": "", "reasoning_content": ""}, NOTHING),
            ({"content": "Hi", "reasoning_content": "Hm"}, ANSWER),
            ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]}, REASONING),
            ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": ""}]}]}, NOTHING),
            ({"content": [{"type": "text", "text": "Hi"}]}, ANSWER),
        ],
    )
    def test_of_openai(self, delta: Payload, carried: int) -> None:
        """Texts, refusals, tool calls and audio are content; roles and empty deltas are none."""
        assert carried == hear_dict(chat_chunk(**delta), Said())

    def test_of_any_choice(self) -> None:
        """One choice with content is enough."""
        chunk = CHAT_STREAM[1] | {"choices": [{"delta": {"reasoning": "Hm"}}, {"delta": {"content": "Hi"}}]}
        assert ANSWER == hear_dict(chunk, Said())

    @pytest.mark.parametrize(
        ("event", "carried"),
        [
            ({"type": "response.output_text.delta", "delta": ""}, NOTHING),
            ({"type": "response.refusal.delta", "delta": "No"}, ANSWER),
            ({"type": "response.function_call_arguments.delta", "delta": "{"}, ANSWER),
            ({"type": "response.audio.delta", "delta": "AA=="}, ANSWER),
            ({"type": "response.reasoning_text.delta", "delta": "Hm"}, REASONING),
            ({"type": "response.reasoning_summary_text.delta", "delta": "Hm"}, REASONING),
            ({"type": "response.reasoning_summary_part.added", "part": {"text": "Hm"}}, NOTHING),
            ({"type": "response.output_item.added", "item": {"type": "function_call", "name": "f"}}, ANSWER),
            ({"type": "response.output_item.added", "item": {"type": "reasoning", "id": "r"}}, NOTHING),
            ({"type": "response.web_search_call.searching"}, NOTHING),
        ],
    )
    def test_of_openai_responses(self, event: Payload, carried: int) -> None:
        """Deltas are content, those of reasoning are reasoning; what repeats or announces is none."""
        assert carried == hear_dict(event, Said())

    @pytest.mark.parametrize(
        ("event", "carried"),
        [
            ({"type": "content_block_start", "content_block": {"type": "tool_use", "id": "t", "name": "f"}}, ANSWER),
            ({"type": "content_block_start", "content_block": {"type": "redacted_thinking", "data": "x"}}, REASONING),
            ({"type": "content_block_delta", "delta": {"type": "text_delta", "text": ""}}, NOTHING),
            ({"type": "text", "text": "Hi", "snapshot": "Hi"}, ANSWER),
            ({"type": "thinking", "thinking": "Hm", "snapshot": "Hm"}, REASONING),
            ({"type": "input_json", "partial_json": "", "snapshot": {"a": "b"}}, NOTHING),
            ({"type": "signature", "signature": "x"}, NOTHING),
        ],
    )
    def test_of_anthropic(self, event: Payload, carried: int) -> None:
        """The name of a tool is content; a signature is none; what the SDK adds counts as what it repeats."""
        assert carried == anthropic.hear_event(event, Said())

    @pytest.mark.parametrize(
        ("part", "carried"),
        [
            ({"text": ""}, NOTHING),
            ({"text": "Hm", "thought": True}, REASONING),
            ({"text": "", "thoughtSignature": "x"}, NOTHING),
            ({"functionCall": {"name": "f", "args": {}}}, ANSWER),
            ({"inlineData": {"mimeType": "image/png", "data": "AA=="}}, ANSWER),
        ],
    )
    def test_of_gemini(self, part: Payload, carried: int) -> None:
        """A part with a thought is reasoning; a signature is no content."""
        assert carried == hear_dict(CONTENT | {"candidates": [{"content": {"parts": [part]}}]}, Said())


class TestUsage:
    """Tokens by additive types."""

    def test_what_openai_wrote_to_its_cache(self) -> None:
        """The prompt contains what was read from the cache and what was written to it: 100 - 30 - 20 = 50."""
        details = {"cached_tokens": 30, "cache_write_tokens": 20}
        usage = {"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": details}
        expected = {"input": 50, "cache_read": 30, "cache_write": 20, "output": 5}
        assert expected == usage_of(CHAT | {"usage": usage})

    def test_reasoning_beside_the_completion(self) -> None:
        """The completion of xAI leaves the reasoning out, as its total tells: 32 + 9 + 210 = 251."""
        usage = {"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 251}
        told = CHAT | {"usage": usage | {"completion_tokens_details": {"reasoning_tokens": 210}}}
        assert {"input": 32, "output": 9, "reasoning": 210} == usage_of(told)

    def test_cached_beside_the_prompt(self) -> None:
        """What was cached cannot be a part of a prompt that is shorter."""
        usage = {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 90}}
        assert {"input": 10, "cache_read": 90, "output": 1} == usage_of(CHAT | {"usage": usage})

    def test_what_deepseek_read_from_its_cache(self) -> None:
        """DeepSeek tells it in a field of its own: 100 - 64 = 36."""
        usage = {"prompt_tokens": 100, "completion_tokens": 5, "prompt_cache_hit_tokens": 64}
        assert {"input": 36, "cache_read": 64, "output": 5} == usage_of(CHAT | {"usage": usage})

    def test_gemini_with_tools_and_thoughts(self) -> None:
        """Tool results are input beside the prompt, thoughts are beside the answer: 50 - 20 + 7 = 37."""
        usage = {
            "promptTokenCount": 50,
            "cachedContentTokenCount": 20,
            "toolUsePromptTokenCount": 7,
            "candidatesTokenCount": 11,
            "thoughtsTokenCount": 13,
            "totalTokenCount": 81,
        }
        expected = {"input": 37, "cache_read": 20, "output": 11, "reasoning": 13}
        assert expected == usage_of(CONTENT | {"usageMetadata": usage})
        assert sum(expected.values()) == usage["totalTokenCount"]

    def test_gemini_is_cumulative(self) -> None:
        """The last chunk counts all, and what it leaves out stays."""
        said = Said()
        for usage in (
            {"promptTokenCount": 50, "cachedContentTokenCount": 20, "thoughtsTokenCount": 13},
            {"promptTokenCount": 50, "candidatesTokenCount": 4, "thoughtsTokenCount": 13},
            {"promptTokenCount": 50, "candidatesTokenCount": 11, "thoughtsTokenCount": 13},
        ):
            hear_dict(CONTENT | {"usageMetadata": usage}, said)
        assert {"input": 30, "cache_read": 20, "output": 11, "reasoning": 13} == said.usage

    def test_thinking_of_anthropic(self) -> None:
        """The output contains the thinking: 503 - 400 = 103; a later null does not erase it."""
        said = Said()
        usage = {"input_tokens": 9, "output_tokens": 503, "output_tokens_details": {"thinking_tokens": 400}}
        hear_dict({"type": "message_start", "message": MESSAGE | {"usage": usage}}, said)
        assert {"input": 9, "output": 103, "reasoning": 400} == said.usage
        later = {"input_tokens": None, "output_tokens": 510, "output_tokens_details": None}
        hear_dict({"type": "message_delta", "usage": later}, said)
        assert {"input": 9, "output": 110, "reasoning": 400} == said.usage

    def test_zeros_of_a_proxy(self) -> None:
        """Zeros at the end of a stream of Anthropic do not erase what its begin said."""
        said = Said()
        usage = {"input_tokens": 9, "cache_read_input_tokens": 3, "output_tokens": 1}
        hear_dict({"type": "message_start", "message": MESSAGE | {"usage": usage}}, said)
        later = {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 7}
        hear_dict({"type": "message_delta", "usage": later}, said)
        assert {"input": 9, "cache_read": 3, "output": 7} == said.usage

    def test_compactions_of_anthropic(self) -> None:
        """A compaction is billed beside the counts that the message tells: 9 + 100, 7 + 30."""
        compaction = {"type": "compaction", "input_tokens": 100, "output_tokens": 30}
        iterations = [compaction, {"type": "message", "input_tokens": 9, "output_tokens": 7}]
        usage = {"input_tokens": 9, "output_tokens": 7, "iterations": iterations}
        assert {"input": 109, "output": 37} == usage_of(MESSAGE | {"usage": usage})

    @pytest.mark.parametrize(
        "payload",
        [
            CHAT | {"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}},
            CHAT | {"usage": None},
            CHAT | {"usage": {}},
            MESSAGE | {"usage": {"input_tokens": 0, "output_tokens": 0}},
            RESPONSE | {"usage": None},
            {**CONTENT, "usageMetadata": {}},
        ],
    )
    def test_missing(self, payload: Payload) -> None:
        """Null, nothing and zeros are a usage that is missing, of a response that was known."""
        said = Said()
        hear_dict(payload, said)
        assert (None, True, False) == (said.usage, said.known, said.broken)

    @pytest.mark.parametrize("count", [-1, math.nan, math.inf, True, "12", 10**30, [3], {"a": 1}, -0.5])
    @pytest.mark.parametrize(
        ("payload", "usage", "field"),
        [
            (CHAT, "usage", "prompt_tokens"),
            (RESPONSE, "usage", "output_tokens"),
            (MESSAGE, "usage", "input_tokens"),
            (CONTENT, "usageMetadata", "candidatesTokenCount"),
        ],
    )
    def test_broken(self, payload: Payload, usage: str, field: str, count: Any) -> None:
        """A count that cannot be true makes the whole usage missing, and is told."""
        said = Said()
        hear_dict(payload | {usage: payload[usage] | {field: count}}, said)
        assert (None, True) == (said.usage, said.broken)


class TestFailures:
    """Errors inside a response."""

    @pytest.mark.parametrize(
        ("payload", "failure"),
        [
            ({"error": {"message": PLANTED, "type": "server_error", "param": None, "code": None}}, "server_error"),
            ({"error": {"message": PLANTED, "code": 502}}, "502"),
            ({"error": {"message": PLANTED}}, "error"),
            ({"error": {"message": PLANTED, "type": PLANTED, "code": "x" * 61}}, "error"),
            ({"error": PLANTED, "error_type": "overloaded"}, "overloaded"),
            ({"text": PLANTED, "error_code": 50001}, "50001"),
            ({"object": "error", "message": PLANTED, "type": "BadRequestError", "code": 400}, "BadRequestError"),
            ({"type": "error", "code": "ERR_SOMETHING", "message": PLANTED, "param": None}, "ERR_SOMETHING"),
            ({"type": "error", "error": {"type": "invalid_request", "message": PLANTED}}, "invalid_request"),
            (CHAT_STREAM[1] | {"error": {"code": 502, "message": PLANTED}}, "502"),
            (chat_chunk(content="") | {"choices": [{"delta": {}, "finish_reason": "error"}]}, "error"),
            (RESPONSE | {"status": "failed", "error": {"code": "server_error", "message": PLANTED}}, "server_error"),
            (RESPONSE | {"status": "failed", "error": None}, "error"),
            ({"type": "response.failed", "response": RESPONSE | {"status": "failed"}}, "error"),
            ({"type": "response.incomplete", "response": RESPONSE | {"status": "incomplete"}}, None),
            (RESPONSE | {"status": "cancelled"}, None),
        ],
    )
    def test_named(self, payload: Payload, failure: str | None) -> None:
        """The error type is the provider's type or code if it is short, and never the message."""
        assert failure == failure_of(payload)

    def test_the_first_stays(self) -> None:
        """A stream fails once."""
        said = Said()
        for code in (500, 502):
            hear_dict({"error": {"code": code}}, said)
        assert "500" == said.failure

    def test_usage_of_a_failed_response(self) -> None:
        """What a response that failed has used is told all the same."""
        said = Said()
        hear_dict({"type": "response.failed", "response": RESPONSE | {"status": "failed"}}, said)
        assert {"input": 36, "cache_read": 0, "output": 87, "reasoning": 0} == said.usage


class TestNames:
    """How a response names itself."""

    def test_what_is_no_name(self) -> None:
        """What is no text, empty or too long is no name, and does not replace one."""
        said = Said()
        openai.hear_completion(CHAT, said)
        openai.hear_completion(CHAT | {"id": 3, "model": "x" * 201, "service_tier": ""}, said)
        assert (CHAT["id"], CHAT["model"], "default") == (said.identity, said.model, said.tier)

    def test_tiers_in_a_usage(self) -> None:
        """Anthropic and Mistral name the tier in the usage."""
        said = Said()
        anthropic.hear_message(MESSAGE | {"usage": {"input_tokens": 1, "service_tier": "priority"}}, said)
        assert "priority" == said.tier
        openai.hear_completion(CHAT | {"usage": {"prompt_tokens": 1, "service_tier": "standard"}}, said)
        assert "default" == said.tier


class TestLangChain:
    """Messages that were written as dicts, and results."""

    USAGE: ClassVar[Payload] = {
        "input_tokens": 350,
        "output_tokens": 240,
        "total_tokens": 590,
        "input_token_details": {"audio": 10, "cache_creation": 200, "cache_read": 100},
        "output_token_details": {"audio": 10, "reasoning": 200},
    }
    TOKENS: ClassVar = {"input": 50, "cache_read": 100, "cache_write": 200, "output": 40, "reasoning": 200}

    def test_a_message(self) -> None:
        """The published usage is inclusive: 350 - 100 - 200 = 50, 240 - 200 = 40."""
        message = {"type": "ai", "content": "Hi", "id": "lc_run--1", "usage_metadata": self.USAGE}
        said = Said()
        assert ANSWER == hear_dict(message | {"response_metadata": {"model_name": "gpt-5", "id": "resp_1"}}, said)
        assert (self.TOKENS, "gpt-5", "resp_1") == (said.usage, said.model, said.identity)

    def test_what_anthropic_keeps_longer(self) -> None:
        """What was written to the cache is told once, or by how long it is kept: 750 + 250."""
        kept = {"ephemeral_1h_input_tokens": 750, "ephemeral_5m_input_tokens": 250}
        for written in (1000, 0):
            usage = {
                "input_tokens": 1500,
                "output_tokens": 200,
                "input_token_details": kept | {"cache_creation": written},
            }
            said = Said()
            langchain.hear_message({"content": "Hi", "usage_metadata": usage}, said)
            assert {"input": 500, "cache_write": 1000, "output": 200} == said.usage

    def test_chunks_add_up(self) -> None:
        """The usages of chunks are parts of that of the message."""
        said = Said()
        for usage in ({"input_tokens": 9, "output_tokens": 0}, None, {"input_tokens": 0, "output_tokens": 7}):
            hear_dict({"type": "AIMessageChunk", "content": "", "usage_metadata": usage}, said)
        assert {"input": 9, "output": 7} == said.usage

    def test_results(self) -> None:
        """Each prompt counts once, however many generations repeat its usage."""
        generation = {"message": {"content": "Hi", "usage_metadata": {"input_tokens": 9, "output_tokens": 7}}}
        said = Said()
        assert ANSWER == langchain.hear_result({"generations": [[generation] * 2, [generation]]}, said)
        assert {"input": 18, "output": 14} == said.usage

    def test_results_of_plain_models(self) -> None:
        """A model that is no chat model tells its usage beside the generations."""
        output = {"token_usage": {"prompt_tokens": 5, "completion_tokens": 7}, "model_name": "davinci"}
        said = Said()
        assert ANSWER == langchain.hear_result({"generations": [[{"text": "Hi"}]], "llm_output": output}, said)
        assert ({"input": 5, "output": 7}, "davinci") == (said.usage, said.model)


def test_the_sdks_helper_for_chat_streams() -> None:
    """The events that the SDK makes of a chat completion are read too; the chunk is inside the first of them."""
    said = Said()
    assert ANSWER == openai_responses.hear_event({"type": "chunk", "chunk": chat_chunk(content="Hi")}, said)
    assert "chatcmpl-123" == said.identity
    assert ANSWER == openai_responses.hear_event({"type": "content.delta", "delta": "Hi", "snapshot": "Hi"}, said)
    done = {"type": "content.done", "content": "Hi", "parsed": None}
    assert NOTHING == openai_responses.hear_event(done, said)
    tool = {"type": "tool_calls.function.arguments.delta", "name": "f", "arguments": "{}", "arguments_delta": "}"}
    assert ANSWER == openai_responses.hear_event(tool, said)
    logs = {"type": "logprobs.content.delta", "content": [{"token": "Hi"}]}
    assert NOTHING == openai_responses.hear_event(logs, said)
