"""The objects of the Anthropic SDK, built as the SDK builds them of what a server sends."""

from typing import Any

import anthropic
import pytest
from anthropic.lib.streaming._types import InputJsonEvent, TextEvent, ThinkingEvent
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent

from tests.responses.published import MESSAGE, STREAMS, WHOLE
from tests.sdks.responses import check_stream, check_whole, heard

WHOLES = [name for name in WHOLE if name.startswith("anthropic")]
STREAMED = [name for name in STREAMS if name.startswith("anthropic")]


@pytest.mark.parametrize("kind", [Message, BetaMessage])
@pytest.mark.parametrize("name", WHOLES)
def test_whole(name: str, kind: Any) -> None:
    """A message says its tokens, its model and its id."""
    assert MESSAGE["id"] == check_whole(name, kind.construct(**WHOLE[name][0])).identity


@pytest.mark.parametrize("kind", [RawMessageStreamEvent, BetaRawMessageStreamEvent])
@pytest.mark.parametrize("name", STREAMED)
def test_streams(name: str, kind: Any) -> None:
    """The events of a stream carry what they should; the SDK hands no pings on."""
    payloads, expected, tokens = STREAMS[name]
    kept = [number for number, each in enumerate(payloads) if each["type"] != "ping"]
    events: list[Any] = [anthropic._models.construct_type(type_=kind, value=payloads[number]) for number in kept]
    carried, said = heard(events)
    assert "".join(expected[number] for number in kept) == carried
    assert (tokens, False) == (said.usage, said.broken)
    if len(kept) == len(payloads):
        check_stream(name, events)


def test_events_of_the_helper() -> None:
    """The events that the stream helper adds carry what they repeat."""
    events = [
        TextEvent(type="text", text="Hi", snapshot="Hi"),
        ThinkingEvent(type="thinking", thinking="Hm", snapshot="Hm"),
        InputJsonEvent(type="input_json", partial_json="{", snapshot={}),
        InputJsonEvent(type="input_json", partial_json="", snapshot={"a": "b"}),
    ]
    assert "ARA_" == heard(events)[0]


def test_deltas_of_any_shape() -> None:
    """The SDK builds a delta of whatever a server sends; one without content carries nothing."""
    kind: Any = RawMessageStreamEvent
    deltas = [{"type": "text_delta", "text": ""}, {"type": "text_delta"}, {"type": "new"}, {}, None]
    events = [{"type": "content_block_delta", "index": 0, "delta": each} for each in deltas]
    carried, said = heard([anthropic._models.construct_type(type_=kind, value=each) for each in events])
    assert ("_____", False) == (carried, said.broken)
