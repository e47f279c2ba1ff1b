"""`instrument_openai`: its handle, its option, its versions, and when it takes hold."""

import importlib.metadata
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from opentelemetry import context
from prometheus_client import REGISTRY, CollectorRegistry

import mlmetrics
from mlmetrics import ConfigurationError, MissingExtraError, MLMetrics
from tests import recorded
from tests.sdks import asking_openai as ways
from tests.sdks.asking import by_labels, tokens, total
from tests.sdks.fixed import FixedServer
from tests.sdks.servers import OpenAIServer, Scenario
from tests.sdks.test_calls_openai import client_of

pytestmark = pytest.mark.usefixtures("frozen")
PROGRAM = """
import sys
from prometheus_client import CollectorRegistry, generate_latest
from mlmetrics import MLMetrics

metrics = MLMetrics(service="tests", registry=CollectorRegistry())
handle = metrics.instrument_openai()
assert "openai" not in sys.modules
import openai
client = openai.OpenAI(base_url=sys.argv[1], api_key="any")
client.chat.completions.create(model="asked", messages=[{"role": "user", "content": "any"}])
assert b'ml_inference_total{model="asked",operation="chat",outcome="success",service="tests"} 1.0' in generate_latest(
    metrics.registry
)
handle.uninstrument()
assert not hasattr(openai._base_client.SyncAPIClient.request, "__wrapped__")
"""
ANSWER = {"id": "1", "object": "chat.completion", "model": "asked", "created": 1, "choices": []}


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit."""
    return MLMetrics(service="tests", registry=registry)


@pytest.fixture
def client(openai_server: OpenAIServer) -> Iterator[Any]:
    """Return a client of the server."""
    with client_of(openai_server) as client:
        yield client


class TestHandle:
    """The handle that is returned."""

    def test_uninstrument(self, metrics: MLMetrics, client: Any) -> None:
        """The functions of the SDK are put back; a second time does nothing."""
        original = openai.OpenAI.request
        handle = metrics.instrument_openai()
        assert openai.OpenAI.request is not original
        assert "<instrumentation of openai, active>" == repr(handle)
        ways.chat(client.chat.completions)
        handle.uninstrument()
        handle.uninstrument()
        assert openai.OpenAI.request is original
        ways.chat(client.chat.completions)
        assert 1 == total(metrics.registry, "ml_inference_total")
        assert "<instrumentation of openai, undone>" == repr(handle)

    def test_begun(self, openai_server: OpenAIServer, metrics: MLMetrics, client: Any) -> None:
        """A stream that has begun is still recorded."""
        with metrics.instrument_openai():
            stream = ways.chat(client.chat.completions, **ways.STREAM)
            raw = ways.chat(client.chat.completions.with_raw_response)
        list(stream)
        raw.parse()
        assert {("success",): 2} == by_labels(metrics.registry, "ml_inference_total", "outcome")
        assert openai_server.ledger.tokens() == tokens(metrics.registry)

    def test_order(self, metrics: MLMetrics, client: Any) -> None:
        """Two handles may be undone in either order."""
        first, second = metrics.instrument_openai(), metrics.instrument_openai()
        first.uninstrument()
        ways.chat(client.chat.completions)
        second.uninstrument()
        ways.chat(client.chat.completions)
        assert 1 == total(metrics.registry, "ml_inference_total")


class TestVersions:
    """Which releases are instrumented."""

    @pytest.mark.parametrize("version", ["0.28.1", "1.77.9", "4.0.0", "17.1"])
    def test_unknown(self, metrics: MLMetrics, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
        """One that is not known is refused, and the message says which are."""
        monkeypatch.setattr("mlmetrics.integrations.patches.version_of", lambda _: version)
        with pytest.raises(ConfigurationError, match=rf"openai {version} is installed, and .* 1\.78 up to"):
            metrics.instrument_openai()

    def test_missing(self, metrics: MLMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that is not installed is asked for."""

        def refuse(name: str) -> str:
            raise importlib.metadata.PackageNotFoundError(name)

        monkeypatch.setattr("mlmetrics.integrations.patches.version_of", refuse)
        with pytest.raises(MissingExtraError, match="instrument_openai"):
            metrics.instrument_openai()

    def test_imported_later(self) -> None:
        """It may be instrumented before it is imported."""
        with FixedServer(ANSWER) as server:
            command = [sys.executable, "-c", PROGRAM, f"{server.url}/v1"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (0, "") == (done.returncode, done.stderr)

    def test_module(self, client: Any) -> None:
        """The function of the module records with the default toolkit."""
        with mlmetrics.instrument_openai():
            client.chat.completions.create(model="asked-by-module", messages=ways.MESSAGES)
        assert 1 == recorded.value(REGISTRY, "ml_inference_total", model="asked-by-module")


class TestIncludeUsage:
    """`include_usage`."""

    @pytest.mark.parametrize("include", [False, True])
    def test_chat(self, metrics: MLMetrics, *, include: bool) -> None:
        """Only with it, streams of chat are asked for their usage."""
        with (
            FixedServer([ANSWER]) as server,
            client_of(server) as client,
            metrics.instrument_openai(include_usage=include),
        ):
            list(ways.chat(client.chat.completions, stream=True))
            list(ways.chat(client.chat.completions, stream=True, stream_options={"include_obfuscation": False}))
            ways.chat(client.chat.completions)
        asked = {"include_usage": True} if include else {}
        options = [body.get("stream_options", {}) for body in server.asked]
        assert [asked, {"include_obfuscation": False, **asked}, {}] == options

    def test_chunk(self, openai_server: OpenAIServer, metrics: MLMetrics, client: Any) -> None:
        """The program gets one chunk more, and the tokens are counted."""
        bare = list(ways.chat(client.chat.completions, stream=True))
        openai_server.ledger.clear()
        with metrics.instrument_openai(include_usage=True):
            chunks = list(ways.chat(client.chat.completions, stream=True))
        assert len(bare) + 1 == len(chunks)
        assert [] == chunks[-1].choices
        assert openai_server.ledger.tokens() == tokens(metrics.registry)

    async def test_async(self, openai_server: OpenAIServer, metrics: MLMetrics) -> None:
        """The async client asks too, and so does a helper."""
        with metrics.instrument_openai(include_usage=True):
            async with client_of(openai_server, asynchronous=True) as client:
                async for _ in await ways.chat(client.chat.completions, stream=True):
                    pass
                helping = ways.helpers(client).stream(model="asked", messages=ways.MESSAGES)
                async with helping as events:
                    await events.until_done()
        assert openai_server.ledger.tokens() == tokens(metrics.registry)
        assert {} != tokens(metrics.registry)


class TestLabels:
    """What a call is labelled by."""

    def test_provider(self, openai_server: OpenAIServer, metrics: MLMetrics, client: Any) -> None:
        """The model is the one asked for; which one answered is told beside it."""
        openai_server.queue(Scenario(response_model="asked-2025-08-07"))
        with metrics.instrument_openai():
            ways.chat(client.chat.completions)
        labels = by_labels(metrics.registry, "ml_inference_response_model_info", "model", "response_model", "provider")
        assert {("asked", "asked-2025-08-07", ""): 1} == labels

    def test_others(self, openai_server: OpenAIServer, metrics: MLMetrics, client: Any) -> None:
        """Requests that ask no model are no calls."""
        del openai_server
        with metrics.instrument_openai(), pytest.raises(openai.NotFoundError):
            client.models.list()
        assert recorded.absent(metrics.registry, "ml_inference_total")

    @pytest.mark.parametrize("key", ["suppress_instrumentation", "suppress_language_model_instrumentation"])
    def test_suppressed(self, metrics: MLMetrics, client: Any, key: str) -> None:
        """A call within OpenTelemetry's suppression is not recorded."""
        token = context.attach(context.set_value(key, "any"))
        try:
            with metrics.instrument_openai():
                ways.chat(client.chat.completions)
        finally:
            context.detach(token)
        assert recorded.absent(metrics.registry, "ml_inference_total")
