"""`instrument_openai`: its handle, when it takes hold, its option, and what it labels a call by."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from opentelemetry import context
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests import recorded
from tests.sdks import asking_openai as ways
from tests.sdks.asking import by_labels, tokens
from tests.sdks.fixed import FixedServer
from tests.sdks.handles import Asking, Handles
from tests.sdks.servers import OpenAIServer, Scenario
from tests.sdks.test_calls_openai import client_of

pytestmark = pytest.mark.usefixtures("frozen")
ANSWER = {"id": "1", "object": "chat.completion", "model": "asked", "created": 1, "choices": []}
ASKING = Asking(
    name="openai",
    client=openai.OpenAI,
    method="chat.completions.create",
    operation="chat",
    given={"model": "asked", "messages": ways.MESSAGES},
    stream=ways.STREAM,
    answer=ANSWER,
)


@pytest.fixture
def server(openai_server: OpenAIServer) -> OpenAIServer:
    """Return the server."""
    return openai_server


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit."""
    return MLMetrics(service="tests", registry=registry)


@pytest.fixture
def client(openai_server: OpenAIServer) -> Iterator[Any]:
    """Return a client of the server."""
    with client_of(openai_server) as client:
        yield client


class TestHandle(Handles):
    """The handle of `openai`."""

    asking = ASKING


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
