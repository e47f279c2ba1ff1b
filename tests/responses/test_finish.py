"""Why answers ended: of published responses, of several choices, and of what is no reason."""

from typing import Any

import pytest

from mlmetrics.responses.kinds import hear_dict
from mlmetrics.responses.said import LONGEST_NAME, Said
from tests.responses.published import CHAT, MESSAGE, RESPONSE, STREAMS, WHOLE

FINISH = {
    "openai chat": "stop",
    "openai chat, cached": "stop",
    "openai chat, function": "tool_calls",
    "openai completion": "length",
    "openai embeddings": None,
    "openai response": "completed",
    "openai response, reasoning": "completed",
    "anthropic": "end_turn",
    "anthropic, cache written": "end_turn",
    "anthropic, cache of two ages": "end_turn",
    "anthropic, search": "end_turn",
    "anthropic, thinking": "end_turn",
    "gemini": "STOP",
    "gemini, cached": "STOP",
    "mistral": "stop",
    "mistral embeddings": None,
}


def finish_of(*payloads: Any) -> dict[Any, str] | None:
    """Return why the answers in these payloads ended."""
    said = Said()
    for payload in payloads:
        hear_dict(payload, said)
    assert not said.broken
    return said.finish


@pytest.mark.parametrize("name", WHOLE)
def test_whole(name: str) -> None:
    """A whole response says why it ended; embeddings do not."""
    assert FINISH[name] == (finish_of(WHOLE[name][0]) or {}).get(0)


@pytest.mark.parametrize("name", STREAMS)
def test_streams(name: str) -> None:
    """A stream says it once it has ended, and not before."""
    payloads = STREAMS[name][0]
    assert {0: FINISH[name]} == finish_of(*payloads)
    assert finish_of(payloads[0]) is None


def test_choices() -> None:
    """Each of several choices has its own, also in chunks that come later; the last word of each counts."""
    first, second, last = ({"index": number, "delta": {}, "finish_reason": reason} for number, reason in (
        (0, "stop"), (1, "length"), (0, "tool_calls")
    ))  # fmt: skip
    chunk = {"id": "any", "object": "chat.completion.chunk", "model": "any", "created": 1}
    told = finish_of(chunk | {"choices": [first]}, chunk | {"choices": [second]}, chunk | {"choices": [last]})
    assert {0: "tool_calls", 1: "length"} == told


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (RESPONSE | {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        (RESPONSE | {"status": "incomplete", "incomplete_details": None}, "incomplete"),
        (RESPONSE | {"status": "cancelled"}, "cancelled"),
        (RESPONSE | {"status": "in_progress"}, None),
        (RESPONSE | {"status": "queued"}, None),
        (MESSAGE | {"stop_reason": "refusal"}, "refusal"),
        (MESSAGE | {"stop_reason": None}, None),
        (CHAT | {"choices": [CHAT["choices"][0] | {"finish_reason": ["stop"]}]}, None),
        (CHAT | {"choices": [CHAT["choices"][0] | {"finish_reason": "x" * (LONGEST_NAME + 1)}]}, None),
        (CHAT | {"choices": [CHAT["choices"][0] | {"finish_reason": "stop", "index": []}]}, "stop"),
    ],
)  # fmt: skip
def test_one(payload: Any, told: str | None) -> None:
    """What ended an answer that is incomplete; what has not ended, and what is no reason, says nothing."""
    assert told == (finish_of(payload) or {}).get(0)
