"""What goes wrong around the instrument of `openai`: the program's call is untouched, and each miss is counted."""

import sys
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import httpx
import openai
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from structlog.testing import capture_logs

from mlmetrics import MLMetrics
from mlmetrics.calls.inner import STREAMS, Inner
from mlmetrics.exposition.text import render
from mlmetrics.integrations import stainless
from mlmetrics.integrations.openai import OPENAI
from mlmetrics.integrations.patches import Patch, Patching
from tests import recorded
from tests.sdks import asking_openai as ways
from tests.sdks.asking import by_labels, tokens, total
from tests.sdks.fixed import FixedServer
from tests.sdks.servers import OpenAIServer, Scenario
from tests.sdks.test_calls_openai import client_of

pytestmark = pytest.mark.usefixtures("frozen")
SECRET = "planted-0123456789-never-shown"  # noqa: S105  # planted to be searched for
CHUNK = {"id": "1", "object": "chat.completion.chunk", "model": "asked", "created": 1}
WORD = {**CHUNK, "choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": None}]}
CHOICE = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "words"}}
COMPLETION = {"id": "1", "object": "chat.completion", "model": "asked", "created": 1, "choices": [CHOICE]}
USAGES: list[Any] = [
    {"prompt_tokens": -1, "completion_tokens": 2, "total_tokens": 1},
    {"prompt_tokens": "four", "completion_tokens": 2, "total_tokens": 1},
    {"prompt_tokens": float("nan"), "completion_tokens": 2, "total_tokens": 1},
    {"prompt_tokens": [4], "completion_tokens": 2, "total_tokens": 1},
    {"prompt_tokens": 4, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": "two"}},
    {"prompt_tokens": 1e300, "completion_tokens": 2, "total_tokens": 1},
]


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Iterator[MLMetrics]:
    """Return a toolkit that records the SDK."""
    metrics = MLMetrics(service="tests", registry=registry)
    with metrics.instrument_openai():
        yield metrics


class TestUsage:
    """Usage that cannot be true."""

    @pytest.mark.parametrize("usage", USAGES, ids=repr)
    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_unbelieved(self, registry: CollectorRegistry, metrics: MLMetrics, usage: Any, *, stream: bool) -> None:
        """It counts no tokens, the program gets it as it is, and the miss is logged once."""
        del metrics
        answer: Any = [WORD, {**CHUNK, "choices": [], "usage": usage}] if stream else {**COMPLETION, "usage": usage}

        def ask(client: Any) -> str:
            answer = ways.chat(client.chat.completions, stream=stream)
            return repr(list(answer) if stream else answer)

        with FixedServer(answer) as server, client_of(server) as client, capture_logs() as logs:
            seen = [ask(client) for _ in range(2)]
        assert repr(usage["prompt_tokens"]) in seen[0]
        assert {("success",): 2} == by_labels(registry, "ml_inference_total", "outcome")
        assert {} == tokens(registry)
        assert {"usage": 2} == recorded.errors(registry)
        assert 2 == total(registry, "ml_inference_usage_missing_total")
        assert ["recording.failed"] == [log["event"] for log in logs]


class TestPayloads:
    """Answers of other shapes than the SDK knows."""

    @pytest.mark.parametrize(
        "answer",
        [
            {},
            {"choices": None},
            {"choices": "none", "usage": "none"},
            {"choices": [None]},
            [{}],
            [{"choices": [{"delta": None}]}, {"choices": 4}],
            b"data: [DONE]\n\n",
            b"",
        ],
        ids=repr,
    )
    def test_shapes(self, registry: CollectorRegistry, answer: Any) -> None:
        """The program sees what it would see without us; the call succeeds, and its usage is missing."""
        streams = not isinstance(answer, dict)

        def ask(client: Any) -> str:
            answer = ways.chat(client.chat.completions, stream=streams)
            return repr(list(answer) if streams else answer)

        with FixedServer(answer) as server, client_of(server) as client:
            seen = ask(client)
            with MLMetrics(service="tests", registry=registry).instrument_openai():
                assert seen == ask(client)
        assert {("success",): 1} == by_labels(registry, "ml_inference_total", "outcome")
        assert 1 == total(registry, "ml_inference_usage_missing_total")

    def test_endless(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A stream that never ends is cancelled when it is left."""
        del metrics
        with FixedServer(repeat(WORD)) as server, client_of(server) as client:
            with ways.chat(client.chat.completions, stream=True) as stream:
                for _ in range(2000):
                    next(stream)
            assert {("cancelled",): 1} == by_labels(registry, "ml_inference_total", "outcome")
        assert 1999 == total(registry, "ml_inference_chunk_interval_seconds_count")

    def test_no_close(self, openai_server: OpenAIServer, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A stream whose `close` raises has been left all the same, and raises the same."""
        del metrics
        openai_server.queue(Scenario(hold_at=2))
        problem = OSError("any")

        def refuse() -> None:
            raise problem

        with client_of(openai_server) as client:
            stream = ways.chat(client.chat.completions, stream=True)
            next(stream)
            stream.response.close = refuse
            with pytest.raises(OSError, match="any") as raised:
                stream.close()
            del stream.response.close
            stream.response.close()
        assert raised.value is problem
        assert {("cancelled",): 1} == by_labels(registry, "ml_inference_total", "outcome")


class TestMovedInternals:
    """An SDK that keeps its things elsewhere."""

    def test_client(
        self, openai_server: OpenAIServer, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without the class that sends, calls go on unrecorded; that is counted, and logged once."""
        monkeypatch.delattr(sys.modules["openai._base_client"], "SyncAPIClient")
        metrics = MLMetrics(service="tests", registry=registry)
        with capture_logs() as logs, metrics.instrument_openai(), client_of(openai_server) as client:
            assert ways.chat(client.chat.completions).choices
        assert {"instrument": 1} == recorded.errors(registry)
        assert [True] == ["SyncAPIClient" in log["problem"] for log in logs]
        assert recorded.absent(registry, "ml_inference_total")

    def test_stream(
        self,
        openai_server: OpenAIServer,
        registry: CollectorRegistry,
        metrics: MLMetrics,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A stream that keeps its iterator elsewhere is read unrecorded: its call ends at once, without usage."""
        del metrics
        monkeypatch.setitem(STREAMS, ("openai", "Stream"), Inner("_elsewhere"))
        with client_of(openai_server) as client:
            assert list(ways.chat(client.chat.completions, **ways.STREAM))
        assert {("success",): 1} == by_labels(registry, "ml_inference_total", "outcome")
        assert {"instrument": 1} == recorded.errors(registry)
        assert 1 == total(registry, "ml_inference_usage_missing_total")

    def test_module(self) -> None:
        """A module that is nowhere is told."""
        failed: list[tuple[str, object]] = []
        patch = Patch("openai._nowhere", "any", lambda *_: None)
        with Patching(OPENAI, [patch, patch], lambda *each: failed.append(each)).apply():
            assert [("instrument", "openai has no module openai._nowhere")] == failed

    def test_options(
        self, openai_server: OpenAIServer, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Options that cannot be changed are sent as they are, and the call is recorded."""

        def refuse(_: object) -> None:
            raise LookupError(SECRET)

        monkeypatch.setattr(stainless, "copy", refuse)
        metrics = MLMetrics(service="tests", registry=registry)
        with metrics.instrument_openai(include_usage=True), client_of(openai_server) as client, capture_logs() as logs:
            ways.chat(client.chat.completions)
        assert openai_server.ledger.tokens() == tokens(registry)
        assert {"instrument": 1} == recorded.errors(registry)
        assert ["LookupError"] == [log["problem"] for log in logs]


class TestSecrets:
    """What nobody may read in metrics and logs."""

    def test_planted(
        self, openai_server: OpenAIServer, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Keys, headers, prompts, answers, tools and messages of errors are in no output."""
        caplog.set_level(0)
        tool = {"name": "look", "description": SECRET, "parameters": {"type": "object", "properties": {}}}
        asked: dict[str, Any] = {
            "messages": [{"role": "user", "content": SECRET}],
            "model": "asked",
            "extra_headers": {"x-secret": SECRET},
        }
        metrics = MLMetrics(service="tests", registry=registry, slow_seconds=1e-9)
        with metrics.instrument_openai(), client_of(openai_server) as client:
            chats = client.with_options(api_key=SECRET).chat.completions
            assert SECRET in repr(chats.create(**asked))
            list(chats.create(**asked, stream=True, stream_options={"include_usage": True}))
            chats.create(**asked, tools=[{"type": "function", "function": tool}])
            openai_server.queue(Scenario(status=500), Scenario(error_at=1), Scenario(cut_at=1))
            for stream in (False, True, True):
                with pytest.raises((openai.OpenAIError, httpx.HTTPError)):
                    list(chats.create(**asked, stream=stream))
            with FixedServer([{"error": {"message": SECRET, "code": SECRET * 9}}], {"choices": SECRET}) as server:
                hostile = client_of(server).chat.completions
                with pytest.raises(openai.OpenAIError):
                    list(hostile.create(**asked, stream=True))
                hostile.create(**asked)
        for shown in (generate_latest(registry), generate_openmetrics(registry), render(registry)):
            assert b"ml_inference_total" in shown
            assert SECRET.encode() not in shown
        assert "inference.failed" in caplog.text
        ours = [record for record in caplog.records if record.name.startswith("mlmetrics")]
        assert SECRET not in "".join(f"{record.getMessage()}{record.__dict__}" for record in ours)
