"""The quick readers of answers: on whatever an SDK constructs, they say what the readers of the format say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion
from openai.types.responses import Response, ResponseTextDeltaEvent

from mlmetrics.responses import quick
from mlmetrics.responses.openai import hear_completion
from mlmetrics.responses.openai_responses import hear_event, hear_response
from mlmetrics.responses.said import Hear, Said

COUNTS: st.SearchStrategy[Any] = st.sampled_from([None, 0, 1, 2, 5, 7, -1, True, 2.5, float("nan"), "two", 2**60, []])
NAMES = st.sampled_from([None, "", "name", "n" * 201, 4])


def seldom(usual: Any, others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return mostly the usual value."""
    return st.one_of(st.just(usual), st.just(usual), st.just(usual), others)


def usage(names: tuple[str, ...], details: dict[str, tuple[str, ...]]) -> st.SearchStrategy[Any]:
    """Return usages with these counts and details, some of them damaged."""
    numbers: dict[str, Any] = dict(zip(names, (5, 7, 12), strict=True))
    fields = {name: seldom(number, COUNTS) for name, number in numbers.items()}
    for name, within in details.items():
        counts = dict.fromkeys(within, COUNTS)
        fields[name] = st.one_of(
            st.none(), st.fixed_dictionaries({}, optional=counts), st.just(dict.fromkeys(within, 1))
        )
    return st.one_of(st.none(), st.fixed_dictionaries(fields, optional={"prompt_cache_hit_tokens": COUNTS}))


CHAT_USAGE = usage(
    ("prompt_tokens", "completion_tokens", "total_tokens"),
    {
        "prompt_tokens_details": ("cached_tokens", "cache_write_tokens", "cache_creation_tokens"),
        "completion_tokens_details": ("reasoning_tokens", "audio_tokens"),
    },
)
RESPONSE_USAGE = usage(
    ("input_tokens", "output_tokens", "total_tokens"),
    {
        "input_tokens_details": ("cached_tokens", "cache_write_tokens"),
        "output_tokens_details": ("reasoning_tokens",),
    },
)
MESSAGE = seldom(
    {"role": "assistant", "content": "words"}, st.sampled_from([None, {}, {"content": ""}, {"content": 4}])
)
CHOICE = st.fixed_dictionaries(
    {
        "finish_reason": seldom("stop", st.sampled_from([None, "error", "tool_calls"])),
        "message": MESSAGE,
    }
)
COMPLETIONS = st.fixed_dictionaries(
    {"choices": st.lists(CHOICE, min_size=0, max_size=2), "usage": CHAT_USAGE, "id": NAMES, "model": NAMES},
    optional={"service_tier": NAMES, "error": st.just({"type": "server_error"}), "other": st.just("any")},
)
TEXT = st.sampled_from([None, "", "words", 4])
PART = st.fixed_dictionaries({"type": st.sampled_from(["output_text", "refusal"]), "text": TEXT})
ITEM = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["message", "reasoning", "function_call"]),
        "content": st.lists(PART, max_size=2),
        "summary": st.just([]),
    }
)
RESPONSES = st.fixed_dictionaries(
    {
        "output": st.lists(ITEM, max_size=2),
        "usage": RESPONSE_USAGE,
        "id": NAMES,
        "model": NAMES,
        "status": seldom("completed", st.sampled_from([None, "failed", "incomplete"])),
    },
    optional={"service_tier": NAMES, "error": st.just({"code": "server_error", "message": "any"}), "store": st.just(1)},
)
EVENTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["response.output_text.delta", "response.reasoning_text.delta", "error", None]),
        "delta": TEXT,
    }
)


def heard(hear: Hear, payload: Any) -> tuple[Any, ...]:
    """Return all that a reader says of a payload."""
    said = Said()
    carried = hear(payload, said)
    told = None if said.usage is None else {kind: repr(count) for kind, count in said.usage.items()}
    return carried, told, said.failure, said.identity, said.model, said.tier, said.broken, said.known


class TestQuick:
    """Each quick reader beside the reader of its format."""

    @given(COMPLETIONS)
    def test_completion(self, payload: dict[str, Any]) -> None:
        """A chat completion."""
        answer = ChatCompletion.construct(**payload)
        assert heard(hear_completion, answer) == heard(quick.quick_completion, answer)

    @given(RESPONSES)
    def test_response(self, payload: dict[str, Any]) -> None:
        """A response."""
        answer = Response.construct(**payload)
        assert heard(hear_response, answer) == heard(quick.quick_response, answer)

    @given(EVENTS)
    def test_delta(self, payload: dict[str, Any]) -> None:
        """A delta of text."""
        event = ResponseTextDeltaEvent.construct(**payload)
        read = quick.QUICK["openai", "ResponseTextDeltaEvent"]
        assert heard(hear_event, event) == heard(read, event)

    @pytest.mark.parametrize("read", dict.fromkeys(quick.QUICK.values()), ids=lambda read: read.__name__)
    @pytest.mark.parametrize("payload", [None, 4, "text", object(), {}, []], ids=repr)
    def test_others(self, read: Hear, payload: Any) -> None:
        """What is no answer says nothing, and does not raise."""
        assert (None, None) == (heard(read, payload)[1], heard(read, payload)[2])
