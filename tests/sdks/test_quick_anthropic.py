"""The quick readers of Anthropic's messages say what the readers of the format say."""

from typing import Any

from anthropic.types import Message, RawContentBlockDeltaEvent
from hypothesis import given
from hypothesis import strategies as st

from mlmetrics.responses import quick
from mlmetrics.responses.anthropic import hear_event, hear_message
from mlmetrics.responses.said import Hear, Said

COUNTS: st.SearchStrategy[Any] = st.sampled_from([None, 0, 1, 2, 5, 7, -1, True, 2.5, float("nan"), "two", 2**60, []])
NAMES = st.sampled_from([None, "", "name", "n" * 201, 4])
USUAL = st.sampled_from([5, 7, 0])
USAGE = st.fixed_dictionaries(
    {"input_tokens": st.one_of(USUAL, USUAL, COUNTS), "output_tokens": st.one_of(USUAL, USUAL, COUNTS)},
    optional={
        "cache_read_input_tokens": COUNTS,
        "cache_creation_input_tokens": COUNTS,
        "output_tokens_details": st.one_of(st.none(), st.fixed_dictionaries({"thinking_tokens": COUNTS})),
        "service_tier": NAMES,
        "iterations": st.sampled_from([None, [], [{"type": "compaction", "input_tokens": 3, "output_tokens": 2}]]),
        "other": st.just(1),
    },
)
BLOCK = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["text", "thinking", "tool_use"]),
        "text": st.sampled_from([None, "", "words", 4]),
        "thinking": st.just("thoughts"),
    }
)
MESSAGES = st.fixed_dictionaries(
    {"content": st.lists(BLOCK, max_size=2), "usage": st.one_of(USAGE, USAGE, st.none()), "id": NAMES, "model": NAMES},
    optional={"error": st.just({"type": "overloaded_error"})},
)
FIELDS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json", "new_delta": "new"}
TEXTS = st.sampled_from(["", "words"])
DELTA = st.one_of(
    st.none(), st.builds(lambda kind, text: {"type": kind, FIELDS[kind]: text}, st.sampled_from([*FIELDS]), TEXTS)
)


def heard(hear: Hear, payload: Any) -> tuple[Any, ...]:
    """Return all that a reader says of a payload."""
    said = Said()
    carried = hear(payload, said)
    told = None if said.usage is None else {kind: repr(count) for kind, count in said.usage.items() if count}
    return carried, told, said.failure, said.identity, said.model, said.tier, said.broken


class TestQuick:
    """Each quick reader beside the reader of its format."""

    @given(MESSAGES)
    def test_message(self, payload: dict[str, Any]) -> None:
        """A message."""
        answer = Message.construct(**payload)
        assert heard(hear_message, answer) == heard(quick.quick_message, answer)

    @given(DELTA)
    def test_delta(self, delta: Any) -> None:
        """A delta of a block; what is no delta carries nothing."""
        event = RawContentBlockDeltaEvent.construct(type="content_block_delta", index=0, delta=delta)
        assert heard(hear_event, event) == heard(quick.quick_delta, event)
