"""The servers without any SDK: what each scenario does on the wire, and what the ledger says of it."""

import json
from collections.abc import Callable, Mapping

import httpx
import pytest

from tests.sdks import wire
from tests.sdks.servers import (
    CLIENT_GONE,
    COMPLETE,
    CUT,
    ERROR_INSIDE,
    REJECTED,
    AnthropicServer,
    GeminiServer,
    MistralServer,
    OpenAIServer,
    ProviderServer,
    Scenario,
)

SECRET = "sk-planted-0123456789"  # noqa: S105  # planted to be searched for
SPENT = {"input": 4, "output": 4}

# Each protocol: the fixture of its server, and the path and the body of a stream.
STREAMS: Mapping[str, tuple[str, str, wire.Payload]] = {
    "chat": ("openai_server", wire.CHAT, wire.chat(stream=True, stream_options={"include_usage": True})),
    "responses": ("openai_server", wire.RESPONSES, {"model": "asked", "input": "say these four words", "stream": True}),
    "messages": ("anthropic_server", wire.MESSAGES, wire.chat(stream=True, max_tokens=64)),
    "generate_content": ("gemini_server", wire.GENERATE_STREAM, wire.contents()),
    "mistral": ("mistral_server", wire.CHAT, wire.chat(stream=True)),
}

Stream = tuple[ProviderServer, str, wire.Payload]


@pytest.fixture(params=STREAMS)
def stream(request: pytest.FixtureRequest) -> Stream:
    """Give the server, the path and the body of a stream, for each protocol."""
    fixture, path, body = STREAMS[request.param]
    return request.getfixturevalue(fixture), path, body


class TestScenario:
    """One scenario each, on every protocol's stream."""

    def test_complete(self, stream: Stream) -> None:
        """Without a scenario all words are sent, and the usage with them."""
        server, path, body = stream
        answer = wire.post(server, path, body)
        (row,) = server.ledger.rows
        assert ("text/event-stream; charset=utf-8", 200) == (answer.headers["content-type"], row.status)
        assert (COMPLETE, 4, SPENT) == (row.ended, row.chunks, row.tokens)

    @pytest.mark.parametrize("status", [401, 429, 500])
    def test_status(self, stream: Stream, status: int) -> None:
        """A rejected request has the status, an error as body and no usage; the next one is answered."""
        server, path, body = stream
        server.queue(Scenario(status=status))
        answers = [wire.post(server, path, body) for _ in range(2)]
        assert [status, 200] == [answer.status_code for answer in answers]
        assert "error" in answers[0].text
        assert [(REJECTED, None), (COMPLETE, SPENT)] == [(row.ended, row.tokens) for row in server.ledger.rows]

    def test_rate_limit(self, stream: Stream) -> None:
        """A limited request may be tried again at once."""
        server, path, body = stream
        server.queue(Scenario(status=429))
        assert "0" == wire.post(server, path, body).headers["retry-after"]

    def test_cut(self, stream: Stream) -> None:
        """A cut stream ends the connection within the chunked body."""
        server, path, body = stream
        server.queue(Scenario(cut_at=2))
        with pytest.raises(httpx.RemoteProtocolError):
            wire.post(server, path, body)
        (row,) = server.ledger.rows
        assert (CUT, 2) == (row.ended, row.chunks)

    def test_cut_and_terminated(self, stream: Stream) -> None:
        """A cut stream that is terminated looks whole to HTTP; no `[DONE]` is in it."""
        server, path, body = stream
        server.queue(Scenario(cut_at=2, terminated=True))
        assert "[DONE]" not in wire.post(server, path, body).text
        (row,) = server.ledger.rows
        assert (CUT, 2) == (row.ended, row.chunks)

    def test_error(self, stream: Stream) -> None:
        """An error inside a stream is its last event, and its status is 200."""
        server, path, body = stream
        server.queue(Scenario(error_at=2))
        answer = wire.post(server, path, body)
        (row,) = server.ledger.rows
        assert (200, ERROR_INSIDE, 2) == (answer.status_code, row.ended, row.chunks)
        assert "error" in json.loads(answer.text.strip().splitlines()[-1].removeprefix("data: ")).__repr__()

    def test_hold(self, stream: Stream) -> None:
        """A held stream goes on when it is released."""
        server, path, body = stream
        scenario = server.queue(Scenario(hold_at=2))
        with wire.client() as client, client.stream("POST", server.url + path, json=body) as answer:
            scenario.wait_held()
            scenario.release()
            answer.read()
        (row,) = server.ledger.rows
        assert (COMPLETE, 4, SPENT) == (row.ended, row.chunks, row.tokens)

    def test_client_gone(self, stream: Stream) -> None:
        """A client that leaves a held stream is noticed, with how far the stream was."""
        server, path, body = stream
        scenario = server.queue(Scenario(hold_at=2))
        with wire.client() as client, client.stream("POST", server.url + path, json=body):
            scenario.wait_held()
        (row,) = server.ledger.rows
        assert (CLIENT_GONE, 2) == (row.ended, row.chunks)

    def test_timed_out(self, stream: Stream) -> None:
        """Nothing is answered until the release; a client that does not wait has seen nothing."""
        server, path, body = stream
        server.queue(Scenario(timed_out=True))
        with wire.client() as client, pytest.raises(httpx.ReadTimeout):
            client.post(server.url + path, json=body, timeout=0.3)
        (row,) = server.ledger.wait(1)
        assert (CLIENT_GONE, 0, 0, None) == (row.ended, row.status, row.chunks, row.tokens)

    def test_no_usage(self, stream: Stream) -> None:
        """Usage that is left out is not in the ledger either."""
        server, path, body = stream
        server.queue(Scenario(usage=False))
        assert 'okens":' not in wire.post(server, path, body).text.replace("max_output_tokens", "")
        assert [None] == [row.tokens for row in server.ledger.rows]

    def test_keep_alive(self, stream: Stream) -> None:
        """Comments stand between the chunks, except at Gemini, which sends none."""
        server, path, body = stream
        server.queue(Scenario(keep_alive=True))
        expected = 0 if isinstance(server, GeminiServer) else 4
        assert expected == wire.post(server, path, body).text.count(": keep-alive")

    def test_response_model(self, stream: Stream) -> None:
        """The response names the other model, the ledger the one that was asked for."""
        server, path, body = stream
        server.queue(Scenario(response_model="other-2025"))
        assert "other-2025" in wire.post(server, path, body).text
        assert {"asked", "gemini-2.5-flash"} >= {row.model for row in server.ledger.rows}

    def test_secret(self, stream: Stream) -> None:
        """A key is noted as present, and sent back nowhere."""
        server, path, body = stream
        answer = wire.post(server, path, body, authorization=f"Bearer {SECRET}")
        assert SECRET not in f"{answer.text} {answer.headers} {server.ledger.rows}"
        wire.post(server, path, body)
        assert [True, False] == [row.authorized for row in server.ledger.rows]


class TestTokens:
    """Tokens by additive type, and how each provider says them."""

    def test_openai(self, openai_server: OpenAIServer) -> None:
        """What is cached, written to the cache and reasoned is within the totals."""
        openai_server.cached.add("Be brief.")
        messages = [{"role": each, "content": text} for each, text in CONVERSATION]
        body = {"model": "asked", "messages": messages, "reasoning_effort": "low", "prompt_cache_key": "any"}
        usage = wire.post(openai_server, wire.CHAT, body).json()["usage"]
        assert (9, 11) == (usage["prompt_tokens"], usage["completion_tokens"])
        assert (2, 3) == tuple(usage["prompt_tokens_details"][name] for name in ("cached_tokens", "cache_write_tokens"))
        assert ALL_TYPES == openai_server.ledger.tokens("asked")

    def test_responses(self, openai_server: OpenAIServer) -> None:
        """The Responses API says the same by other names."""
        openai_server.cached.add("Be brief.")
        items = [{"role": each, "content": text} for each, text in CONVERSATION[1:]]
        body = {"model": "asked", "instructions": "Be brief.", "input": items, "prompt_cache_key": "any"}
        usage = wire.post(openai_server, wire.RESPONSES, {**body, "reasoning": {"effort": "low"}}).json()["usage"]
        assert (9, 11, 20) == tuple(usage[name] for name in ("input_tokens", "output_tokens", "total_tokens"))
        assert ALL_TYPES == openai_server.ledger.tokens("asked")

    def test_anthropic(self, anthropic_server: AnthropicServer) -> None:
        """What is cached stands beside the input, thinking within the output."""
        anthropic_server.cached.add("Be brief.")
        (_, system), (_, first), (_, last) = CONVERSATION
        mark = {"cache_control": {"type": "ephemeral"}}
        body = {
            **wire.chat(max_tokens=64, thinking={"type": "enabled", "budget_tokens": 1024}),
            "system": [{"type": "text", "text": system, **mark}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": first, **mark}, {"type": "text", "text": last}]}
            ],
        }
        usage = wire.post(anthropic_server, wire.MESSAGES, body).json()["usage"]
        assert (4, 2, 3, 11) == tuple(
            usage[name]
            for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
        )
        assert ALL_TYPES == anthropic_server.ledger.tokens("asked")

    def test_gemini(self, gemini_server: GeminiServer) -> None:
        """Cached content is within the prompt, results of tools and thoughts beside the rest."""
        body = wire.contents(
            cachedContent="cachedContents/1",
            tools=[{"googleSearch": {}}],
            generationConfig={"thinkingConfig": {"includeThoughts": True}},
        )
        usage = wire.post(gemini_server, wire.GENERATE, body).json()["usageMetadata"]
        names = ("prompt", "cachedContent", "toolUsePrompt", "candidates", "thoughts", "total")
        assert (44, 40, 5, 4, 7, 60) == tuple(usage[f"{name}TokenCount"] for name in names)
        assert {"input": 9, "cache_read": 40, "output": 4, "reasoning": 7} == gemini_server.ledger.tokens()

    def test_gemini_stream(self, gemini_server: GeminiServer) -> None:
        """Every chunk says the tokens so far, and the ledger has those of the last."""
        text = wire.post(gemini_server, wire.GENERATE_STREAM, wire.contents()).text
        chunks = [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line]
        assert [1, 2, 3, 4] == [chunk["usageMetadata"]["candidatesTokenCount"] for chunk in chunks]
        assert SPENT == gemini_server.ledger.tokens()

    def test_mistral(self, mistral_server: MistralServer) -> None:
        """What is cached is within the prompt; thinking is not told from the answer."""
        mistral_server.cached.add("Be brief.")
        messages = [{"role": each, "content": text} for each, text in CONVERSATION]
        wire.post(mistral_server, wire.CHAT, {"model": "asked", "messages": messages, "prompt_mode": "reasoning"})
        assert {"input": 7, "cache_read": 2, "output": 11} == mistral_server.ledger.tokens("asked")

    def test_anthropic_cut(self, anthropic_server: AnthropicServer) -> None:
        """Of a cut stream, the ledger has what its first event said."""
        anthropic_server.queue(Scenario(cut_at=2, terminated=True))
        wire.events(anthropic_server, wire.MESSAGES, wire.chat(max_tokens=64))
        assert {"input": 4, "output": 1} == anthropic_server.ledger.tokens()

    @pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
    def test_limit(self, openai_server: OpenAIServer, limit: str) -> None:
        """An answer is no longer than the request allows."""
        answer = wire.post(openai_server, wire.CHAT, {**wire.chat(), limit: 3}).json()
        assert ("say these four ", "length") == (
            answer["choices"][0]["message"]["content"],
            answer["choices"][0]["finish_reason"],
        )
        assert {"input": 4, "output": 3} == openai_server.ledger.tokens()


CONVERSATION = (("system", "Be brief."), ("assistant", "Ask me anything."), ("user", "say these four words"))
ALL_TYPES = {"input": 4, "cache_read": 2, "cache_write": 3, "output": 4, "reasoning": 7}


class TestReset:
    """`ProviderServer.reset`."""

    def test_unmet(self) -> None:
        """A scenario that no request has met is an error of the test."""
        with MistralServer() as server:
            server.queue(Scenario(cut_at=1))
            with pytest.raises(AssertionError, match="no request met"):
                server.reset()

    def test_fault(self) -> None:
        """A fault of the server itself is an error of the test."""
        with MistralServer() as server:
            breaking: Callable[[int], object] = server.rejection
            server.rejection = lambda status: breaking(status) and 1 / 0  # type: ignore[method-assign]  # to break it
            server.queue(Scenario(status=500))
            assert 500 == wire.post(server, wire.CHAT, wire.chat()).status_code
            with pytest.raises(AssertionError, match="division by zero"):
                server.reset()
