"""The language model of the examples, asked through OpenAI's SDK."""

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from examples.language_model.extraction import NOTHING_FOUND, answer
from examples.language_model.tokens import CACHED_FROM_TOKENS, PromptCache, pieces, tokenize
from tests.servers import UvicornServer

PLANTED = "zq-planted-prompt"
TEXT = f"""Answer from the text.

The library opens at nine. The garden behind it is {PLANTED} free of charge.
Dogs must stay outside; the café sells bread.
"""
QUESTION: Any = [{"role": "system", "content": TEXT}, {"role": "user", "content": "When does the library open?"}]
ANSWER = "The library opens at nine."
PACE = {"LANGUAGE_MODEL_FIRST_WORD_SECONDS": "0", "LANGUAGE_MODEL_BETWEEN_WORDS_SECONDS": "0"}


@pytest.fixture(scope="module")
def server() -> Iterator[UvicornServer]:
    """Start the server without pauses."""
    with UvicornServer("examples.language_model.server:app", env=PACE, ready_path="/health") as server:
        yield server


@pytest.fixture
def client(server: UvicornServer) -> Iterator[openai.OpenAI]:
    """Return a client of the SDK that does not ask again."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def plan(server: UvicornServer, **behaviour: float) -> None:
    """Tell the server how to treat its next request."""
    httpx.post(f"{server.url}/behaviour", json=behaviour, trust_env=False).raise_for_status()


class TestServer:
    """`examples.language_model.server`."""

    def test_models(self, client: openai.OpenAI) -> None:
        """Its models are listed."""
        assert ["gpt-4", "gpt-4o-mini", "extractive"] == [model.id for model in client.models.list()]

    def test_whole_answer(self, client: openai.OpenAI) -> None:
        """An answer in one piece has its text, its end and its tokens."""
        done = client.chat.completions.create(model="gpt-4", messages=QUESTION)

        assert (ANSWER, "stop") == (done.choices[0].message.content, done.choices[0].finish_reason)
        assert done.usage
        prompt = sum(len(tokenize(message["content"])) for message in QUESTION)
        assert (prompt, len(tokenize(ANSWER))) == (done.usage.prompt_tokens, done.usage.completion_tokens)
        assert prompt + len(tokenize(ANSWER)) == done.usage.total_tokens

    @pytest.mark.parametrize("asks", [True, False])
    def test_stream(self, client: openai.OpenAI, *, asks: bool) -> None:
        """A stream begins with the role and goes word by word; the last chunk has the tokens, if they are asked for."""
        stream = client.chat.completions.create(
            model="gpt-4", messages=QUESTION, stream=True, stream_options={"include_usage": asks}
        )
        chunks = list(stream)

        assert "assistant" == chunks[0].choices[0].delta.role
        told = [chunk for chunk in chunks if chunk.usage]
        said = [chunk.choices[0] for chunk in chunks if chunk.choices]
        assert pieces(ANSWER) == [choice.delta.content for choice in said[1:-1]]
        assert "stop" == said[-1].finish_reason
        assert chunks[-1:] * asks == told
        assert all(not chunk.choices for chunk in told)

    @pytest.mark.parametrize("stream", [True, False])
    @pytest.mark.parametrize(
        ("behaviour", "error"),
        [
            ({"cut_after_words": 2}, openai.APIConnectionError),
            ({"error_after_words": 2}, openai.APIError),
            ({"rate_limited": True}, openai.RateLimitError),
        ],
    )
    def test_trouble(
        self,
        server: UvicornServer,
        client: openai.OpenAI,
        behaviour: dict[str, float],
        error: type[openai.APIError],
        *,
        stream: bool,
    ) -> None:
        """What goes wrong reaches the caller as the SDK's own error, and the next request is answered."""
        plan(server, **behaviour)
        with pytest.raises(error):
            list(client.chat.completions.create(model="gpt-4", messages=QUESTION, stream=stream))

        assert client.chat.completions.create(model="gpt-4", messages=QUESTION).choices

    def test_without_usage(self, server: UvicornServer, client: openai.OpenAI) -> None:
        """It can leave the tokens out."""
        plan(server, usage=False)
        assert client.chat.completions.create(model="gpt-4", messages=QUESTION).usage is None

    def test_ledger(self, server: UvicornServer, client: openai.OpenAI) -> None:
        """The ledger has the tokens of every answer that told them."""
        before = server.get("/ledger").json()["gpt-4"]
        usage = client.chat.completions.create(model="gpt-4", messages=QUESTION).usage
        after = server.get("/ledger").json()["gpt-4"]

        assert usage
        told = {"requests": 1, "prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
        assert told | {"cached_tokens": 0} == {name: after[name] - before[name] for name in after}

    def test_bad_requests(self, server: UvicornServer, client: openai.OpenAI) -> None:
        """An unknown model is not found; a request of another shape is refused without repeating what it said."""
        with pytest.raises(openai.NotFoundError, match="gpt-4o-mini"):
            client.chat.completions.create(model="another", messages=QUESTION)
        refused_content: Any = [{"role": "user", "content": {"no": PLANTED}}]
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(model="gpt-4", messages=refused_content)

        assert "content" in str(refused.value)
        assert PLANTED not in str(refused.value)
        assert PLANTED not in server.log


class TestCache:
    """The beginnings of prompts that were seen before."""

    def test_beginning(self) -> None:
        """What an earlier prompt began with is cached in whole steps, and only in long prompts."""
        long, cache = [str(number) for number in range(1500)], PromptCache()

        assert 0 == cache.cached_tokens(long)
        assert 1408 == cache.cached_tokens(long)
        assert 1152 == cache.cached_tokens([*long[:1200], "another", *long[1201:]])
        assert 0 == cache.cached_tokens(["another", *long[1:]])
        assert 0 == cache.cached_tokens(long[: CACHED_FROM_TOKENS - 1])

    def test_models(self, client: openai.OpenAI) -> None:
        """As at OpenAI, gpt-4o-mini has a cache and gpt-4 has none."""
        long: Any = [{"role": "system", "content": "A sentence of six words. " * 400}, QUESTION[1]]
        cached = {}
        for model in ("gpt-4", "gpt-4o-mini") * 2:
            usage = client.chat.completions.create(model=model, messages=long).usage
            assert usage
            assert usage.prompt_tokens_details
            cached[model] = usage.prompt_tokens_details.cached_tokens

        assert {"gpt-4": 0, "gpt-4o-mini": 2304} == cached


class TestAnswer:
    """The extractive method; what it finds in CVs is tested with the CV parser."""

    @pytest.mark.parametrize("text", ["", "   ", "the of", "| a | table |", "```\nopen()\n```", "# Open"])
    def test_nothing_to_find(self, text: str) -> None:
        """Where no sentence fits, it says so."""
        assert NOTHING_FOUND == answer(f"Answer.\n\n{text}", "", "Is the library open?")

    def test_earlier_messages_are_read(self) -> None:
        """What was said before is part of the text."""
        assert "Dogs must stay outside." == answer("", "Dogs must stay outside. Bread is sold.", "Where are dogs?")

    @pytest.mark.parametrize("cv", ["", "x", "Python\nSQL", "a b\n" * 3, "\x00\ud800"])
    def test_any_document(self, cv: str) -> None:
        """Every text gives a JSON object with the fields that the instructions name, and no others."""
        assert answer("JSON: skills, name", "", cv).startswith('{"name": "')
        assert "years" not in answer("JSON: skills, name", "", cv)
