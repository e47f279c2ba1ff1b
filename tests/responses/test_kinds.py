"""Which payloads are read, by type and by keys; whatever comes, nothing is raised and no code of a user runs."""

import gc
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from mlmetrics.responses import fields as stored
from mlmetrics.responses import kinds
from mlmetrics.responses.kinds import hear_dict, hearing
from mlmetrics.responses.said import ANSWER, NOTHING, REASONING, Hear, Said
from tests.responses import published
from tests.responses.published import CHAT, CONTENT, MESSAGE, RESPONSE, WHOLE, Payload

CHAT_TOKENS = WHOLE["openai chat"][1]


class Usage(BaseModel):
    """A server's own usage."""

    prompt_tokens: int = 0
    completion_tokens: int | None = None


class Message(BaseModel):
    """A server's own message."""

    role: str = "assistant"
    content: str | None = None


class Choice(BaseModel):
    """A server's own choice."""

    message: Message


class ChatCompletionResponse(BaseModel):
    """A server's own response."""

    id: str = "chatcmpl-1"
    model: str = "vicuna"
    choices: list[Choice]
    usage: Usage


@dataclass(slots=True)
class Slotted:
    """A server's own response, in slots."""

    usage: Usage
    choices: list[Any] = field(default_factory=list)


def heard(payload: object) -> tuple[int, Said]:
    """Read a payload by its type."""
    said = Said()
    return hear_of(type(payload))(payload, said), said


def hear_of(kind: type) -> Hear:
    """Return what reads a type that is known to say something."""
    hear = hearing(kind)
    assert hear is not None
    return hear


class TestHearing:
    """`hearing`."""

    @pytest.mark.parametrize("kind", [int, str, bytes, list, tuple, type(None), object, type, float, set, Said, Usage])
    def test_types_that_say_nothing(self, kind: type) -> None:
        """Builtin types and classes without the fields of a format say nothing."""
        assert [None, None] == [hearing(kind), hearing(kind)]

    def test_a_servers_own_classes(self) -> None:
        """Pydantic models and data classes that declare the fields of a format are read in that format."""
        usage = Usage(prompt_tokens=7, completion_tokens=3)
        response = ChatCompletionResponse(choices=[Choice(message=Message(content="Hi"))], usage=usage)
        carried, said = heard(response)
        assert (ANSWER, {"input": 7, "output": 3}, "vicuna") == (carried, said.usage, said.model)
        assert {"input": 7, "output": 3} == heard(Slotted(usage))[1].usage

    def test_subclasses_of_dict(self) -> None:
        """A subclass of dict is read as it is stored, by none of its own methods."""

        class Own(dict[str, Any]):
            def items(self) -> NoReturn:
                raise AssertionError

            get = __iter__ = keys = items  # type: ignore[assignment]  # as above

        assert CHAT_TOKENS == heard(Own(CHAT))[1].usage

    def test_nothing_of_a_users_class_runs(self) -> None:
        """Properties, `__getattr__`, `__getattribute__` and metaclasses are left alone."""

        class Meta(type):
            def __getattribute__(cls, name: str) -> NoReturn:
                raise AssertionError(name)

            def __instancecheck__(cls, instance: object) -> NoReturn:
                raise AssertionError

            def __hash__(cls) -> NoReturn:
                raise AssertionError

        class Own(metaclass=Meta):
            choices: list[Any]
            model: str

            def __init__(self) -> None:
                object.__getattribute__(self, "__dict__")["choices"] = CHAT["choices"]

            @property
            def usage(self) -> NoReturn:
                raise AssertionError

            id: int
            created: int

            def __getattribute__(self, name: str) -> NoReturn:
                raise AssertionError(name)

        carried, said = heard(Own())
        assert (ANSWER, None, False) == (carried, said.usage, said.broken)

    def test_types_are_forgotten(self) -> None:
        """A type that ends is forgotten, and the memory of types has a bound."""
        kind = type("Brief", (), {})
        key = id(kind)
        assert hearing(kind) is None
        assert key in kinds._heard
        del kind
        gc.collect()
        assert key not in kinds._heard
        alive = [type("Many", (), {}) for _ in range(kinds.MOST_TYPES + 9)]
        assert {None} == {hearing(each) for each in alive}
        assert kinds.MOST_TYPES >= len(kinds._heard)
        assert stored.MOST_TYPES >= len(stored._plain)


OWN: list[Payload] = [
    {},
    {"label": "spam", "score": 0.9},
    {"type": "token", "text": "Hi"},
    {"type": "message", "text": "Hi"},
    {"type": "error", "text": "wrong"},
    {"error": None, "result": 3},
    {"error": 0.03},
    {"error": "not found"},
    {"error": {}},
    {"usage": "disk"},
    {"usage": {"disk": 3}, "host": "a"},
    {"choices": ["a", "b"]},
    {"choices": []},
    {"choices": [{"name": "a"}]},
    {"candidates": [{"name": "Ada"}]},
    {"candidates": []},
    {"object": "chair"},
    {"text": "Hi", "error_code": 0},
]


class TestDicts:
    """Dicts, by their keys."""

    @pytest.mark.parametrize("payload", OWN)
    def test_of_nobody_we_know(self, payload: Payload) -> None:
        """A user's own dict is content, says nothing and has no usage to miss."""
        carried, said = heard(payload)
        assert (ANSWER, None, None, False, False) == (carried, said.usage, said.failure, said.known, said.broken)

    @pytest.mark.parametrize(
        ("payload", "tokens", "carried"),
        [
            ({"usage": {"prompt_tokens": 3, "completion_tokens": 2}}, {"input": 3, "output": 2}, NOTHING),
            ({"text": "Hi", "usage": {"prompt_tokens": 3}}, {"input": 3}, ANSWER),
            # Anthropic's input does not contain what was cached; OpenAI's does: 9 - 4 = 5.
            (
                {"usage": {"input_tokens": 9, "cache_read_input_tokens": 4, "output_tokens": 1}, "a": 1},
                {"input": 9, "cache_read": 4, "output": 1},
                ANSWER,
            ),
            (
                {"usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 1}},
                {"input": 5, "cache_read": 4, "output": 1},
                NOTHING,
            ),
        ],
    )
    def test_with_a_providers_usage(self, payload: Payload, tokens: dict[str, int], carried: int) -> None:
        """A dict that has a provider's usage, among a user's own keys or alone, says its tokens."""
        got, said = heard(payload)
        assert (carried, tokens, True) == (got, said.usage, said.known)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(sorted(kinds.MARKS | {"delta", "message", "response", "content", "parts"})), inner
        )
    ),
    max_leaves=12,
)
PATHS = sorted(name for name, each in vars(published).items() if name.isupper() and isinstance(each, dict))


class Hostile:
    """An object whose attributes raise."""

    def __getattribute__(self, name: str) -> NoReturn:
        raise ValueError(name)

    __eq__ = __len__ = __bool__ = __iter__ = __getattribute__  # type: ignore[assignment]  # any may be called
    __hash__ = None  # type: ignore[assignment]  # as above


def replaced(payload: Any, draw: Any, value: Any) -> Any:
    """Return the payload with a value in place of one of its parts."""
    if isinstance(payload, dict) and payload:
        key = draw(st.sampled_from(sorted(payload)))
        return payload | {key: replaced(payload[key], draw, value) if draw(st.booleans()) else value}
    if isinstance(payload, list) and payload:
        return [replaced(payload[0], draw, value), *payload[1:]]
    return value


class TestAnyShape:
    """Payloads of any shape."""

    @given(st.dictionaries(st.sampled_from(sorted(kinds.MARKS)), JSON))
    def test_random(self, payload: Payload) -> None:
        """No nest of values raises; what is believed to be a usage has counts of tokens."""
        said = Said()
        assert hear_dict(payload, said) in (NOTHING, ANSWER, REASONING)
        assert all(0 <= count < 2**53 + 1 for count in (said.usage or {}).values())

    @given(st.data())
    def test_damaged(self, data: st.DataObject) -> None:
        """No published payload raises with any part of it replaced, in any format."""
        whole = data.draw(st.sampled_from([CHAT, RESPONSE, MESSAGE, CONTENT, *published.RESPONSE_STREAM]))
        value = data.draw(JSON | st.builds(Hostile) | st.just(object()) | st.just(Hostile) | st.just({3: 3}))
        payload = replaced(whole, data.draw, value)
        for hear in {id(each): each for shapes in kinds._KNOWN.values() for each in shapes.values()}.values():
            assert hear(payload, Said()) in (NOTHING, ANSWER, REASONING)
        assert hear_dict(payload, Said()) in (NOTHING, ANSWER, REASONING)
        assert kinds._EVENTS["anthropic"](payload, Said()) in (NOTHING, ANSWER, REASONING)

    def test_deeper_than_python_recurses(self) -> None:
        """A nest that no recursion reaches the end of is counted as a payload that could not be read."""
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        said = Said()
        payload = {"object": "response", "output": [{"type": "message", "content": deep}]}
        assert NOTHING == hear_dict(payload, said)
        assert said.broken
