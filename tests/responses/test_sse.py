"""Server-sent events in any cut, and streams that only look like them."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmetrics.responses.said import ANSWER, NOTHING, Said
from mlmetrics.responses.sse import LONGEST_EVENT, SSE, is_sse
from tests.responses.published import CHAT, CHAT_STREAM
from tests.responses.test_published import as_events

UMLAUTS = "Ünïcödé 日本語 🎉"
CHUNK = CHAT_STREAM[1] | {"choices": [{"index": 0, "delta": {"content": UMLAUTS}, "finish_reason": None}]}
STREAM = (
    "\ufeff: a comment\r\n\r\n"
    + as_events([CHAT_STREAM[0], CHUNK]).replace("\n", "\r\n")
    + "".join(f"data: {line}\n" for line in json.dumps(CHAT_STREAM[-1], indent=1, ensure_ascii=False).splitlines())
    + "id: 7\nretry: 10\n\ndata: [DONE]\n\n"
)
USAGE = {"input": 19, "cache_read": 0, "output": 10, "reasoning": 0}


class TestSSE:
    """`SSE`."""

    @given(st.lists(st.integers(0, len(STREAM.encode())), max_size=12))
    def test_bytes_in_any_cut(self, cuts: list[int]) -> None:
        """Bytes say the same wherever they are cut, inside a character and between CR and LF too."""
        sent = STREAM.replace(r"\u00dc", "Ü").encode()
        said, stream = Said(), SSE()
        places = [0, *sorted(cuts), len(sent)]
        carried = [stream.feed(sent[begin:end], said) for begin, end in pairwise(places)]
        assert 1 == carried.count(ANSWER)
        assert (USAGE, "chatcmpl-123", False) == (said.usage, said.identity, said.broken)

    def test_one_character_at_a_time(self) -> None:
        """A text says the same when each character is a chunk."""
        said, stream = Said(), SSE()
        assert 1 == [stream.feed(each, said) for each in STREAM].count(ANSWER)
        assert USAGE == said.usage

    @pytest.mark.parametrize(
        "silent",
        [
            ": ping\n\n",
            "event: ping\ndata: {}\n\n",
            "event: keepalive\ndata: x\n\n",
            "data: {}\n\n",
            "data:\n\n",
            "\n\n",
            "id: 1\n\n",
            "retry: 5\n\n",
            "data: [DONE]\n\n",
            "data: Hello",
            "unknown: x\n\n",
        ],
    )
    def test_silence(self, silent: str) -> None:
        """Comments, keep-alives, the end mark and an event that has not ended carry nothing."""
        assert NOTHING == SSE().feed(silent, Said())

    @pytest.mark.parametrize(
        "data", ["Hello", "Hello {", "{Hello", '{"token": "Hello"}', '"Hello"', "[1]", "{" * 99_999]
    )
    def test_of_another_format(self, data: str) -> None:
        """Data in a format that nobody knows is content, because the endpoint streams something."""
        said = Said()
        assert ANSWER == SSE().feed(f"data: {data}\n\n", said)
        assert (False, False) == (said.known, said.broken)

    @pytest.mark.parametrize(
        ("data", "failure"),
        [
            ('{"code": 503, "message": "secret"}', "503"),
            ('{"message": "secret"}', "error"),
            ("secret", "error"),
            ("", None),
        ],
    )
    def test_events_named_error(self, data: str, failure: str | None) -> None:
        """An event of the name `error` is a failure whatever its data, if it has any."""
        said = Said()
        assert NOTHING == SSE().feed(f"event: error\ndata: {data}\n\n", said)
        assert failure == said.failure

    def test_an_event_that_is_too_long(self) -> None:
        """An event that never ends does not fill the memory; the next one is read."""
        said, stream = Said(), SSE()
        assert NOTHING == stream.feed("data: ", said)
        for _ in range(3):
            assert NOTHING == stream.feed("x" * (LONGEST_EVENT // 2), said)
        assert LONGEST_EVENT >= sum(map(len, stream._line))
        assert NOTHING == stream.feed("\n\n", said)
        assert ANSWER == stream.feed("data: x\n\n", said)

    @pytest.mark.parametrize("chunk", [None, 3, object(), [b"data: x\n\n"]])
    def test_what_is_no_text(self, chunk: str) -> None:
        """A chunk that is neither text nor bytes carries nothing and raises nothing."""
        assert NOTHING == SSE().feed(chunk, Said())


class TestIsSSE:
    """`is_sse`."""

    @pytest.mark.parametrize(
        "begin", ["data: x", "data:{", "\ufeffdata:x", "event: ping", ": ping\n\n", "\n\nid: 1", ":\n"]
    )
    def test_is(self, begin: str) -> None:
        """A first chunk that begins with a field or a comment begins a stream of events, as text or as bytes."""
        assert [True, True] == [is_sse(begin), is_sse(begin.encode())]

    @pytest.mark.parametrize("begin", ["", "Hello", ":)", "dat", json.dumps(CHAT), None, 3, [], {"data:": 1}, b"\xff"])
    def test_is_not(self, begin: object) -> None:
        """Plain text, JSON and other values begin no stream of events."""
        assert not is_sse(begin)
