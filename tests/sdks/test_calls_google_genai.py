"""Calls through the SDK of Google: outcomes and tokens are those of the server's ledger."""

import asyncio
import gc
import inspect
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from google import genai
from google.genai import _api_client, errors, models, types
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from mlmetrics import MLMetrics
from mlmetrics.integrations.google_genai import name_of
from mlmetrics.responses.kinds import hearing
from mlmetrics.responses.said import ANSWER, Said
from tests.recorded import label_values, outcomes, value
from tests.sdks.comparison import agree, missing, tokens
from tests.sdks.servers import GeminiServer, Scenario
from tests.sdks.wire import certificates

KEY = "planted-key-0123456789"
PROMPT = "planted words of a prompt"
ASKED: Any = {"model": "gemini-2.5-flash", "contents": PROMPT}
ALL = 100  # more chunks than any answer has

Way = Callable[[genai.Client, int], Awaitable[None]]


async def whole(client: genai.Client, _most: int) -> None:
    """Ask for a whole answer."""
    client.models.generate_content(**ASKED)


async def whole_async(client: genai.Client, _most: int) -> None:
    """Ask for a whole answer, asynchronously."""
    await client.aio.models.generate_content(**ASKED)


async def stream(client: genai.Client, most: int) -> None:
    """Read a stream, and close it after `most` chunks."""
    chunks: Any = client.models.generate_content_stream(**ASKED)
    for number, _ in enumerate(chunks, 1):
        if number == most:
            chunks.close()


async def stream_async(client: genai.Client, most: int) -> None:
    """Read an async stream, and close it after `most` chunks."""
    chunks: Any = await client.aio.models.generate_content_stream(**ASKED)
    number = 0
    async for _ in chunks:
        number += 1
        if number == most:
            await chunks.aclose()


WAYS: dict[str, Way] = {each.__name__: each for each in (whole, whole_async, stream, stream_async)}
STREAMS = ("stream", "stream_async")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Give each way to ask."""
    return WAYS[request.param]


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Iterator[MLMetrics]:
    """Give a toolkit that instruments the SDK."""
    metrics = MLMetrics(service="shop", registry=registry)
    with metrics.instrument_google_genai():
        yield metrics


def options(server: GeminiServer, **more: Any) -> dict[str, Any]:
    """Return the arguments of a client of the server; by a transport of its own it leaves aiohttp out."""
    sends = {"transport": _api_client.httpx.AsyncHTTPTransport(verify=certificates()), "verify": certificates()}
    asks = types.HttpOptions(
        base_url=server.url, client_args={"verify": certificates()}, async_client_args=sends, **more
    )
    return {"api_key": KEY, "http_options": asks}


@asynccontextmanager
async def connected(server: GeminiServer, **more: Any) -> AsyncIterator[genai.Client]:
    """Give a client of the server, whose connections are all closed at the end."""
    client = genai.Client(**options(server, **more))
    try:
        yield client
    finally:
        await client.aio.aclose()
        client.close()


@pytest.fixture
async def client(gemini_server: GeminiServer, metrics: MLMetrics) -> AsyncIterator[genai.Client]:
    """Give an instrumented client of the server."""
    async with connected(gemini_server) as client:
        yield client


class TestLedger:
    """Every way to ask, in every course that a request may take."""

    async def test_answered(
        self, way: Way, client: genai.Client, gemini_server: GeminiServer, registry: CollectorRegistry
    ) -> None:
        """An answer is a success, with the tokens that its usage says."""
        await way(client, ALL)
        agree(gemini_server, registry, success=1)
        assert {"input": 5, "output": 5} == tokens(registry)

    async def test_without_usage(
        self, way: Way, client: genai.Client, gemini_server: GeminiServer, registry: CollectorRegistry
    ) -> None:
        """An answer without usage is a success, and its usage is missing."""
        gemini_server.queue(Scenario(usage=False))
        await way(client, ALL)
        agree(gemini_server, registry, success=1)
        assert 1 == missing(registry)

    async def test_refused(
        self, way: Way, client: genai.Client, gemini_server: GeminiServer, registry: CollectorRegistry
    ) -> None:
        """A prompt that is blocked is answered; its tokens count."""
        gemini_server.queue(Scenario(refused=True))
        await way(client, ALL)
        agree(gemini_server, registry, success=1)

    async def test_timed_out(
        self, way: Way, metrics: MLMetrics, gemini_server: GeminiServer, registry: CollectorRegistry
    ) -> None:
        """A request that is not answered in time is a failure without tokens."""
        gemini_server.queue(Scenario(timed_out=True))
        async with connected(gemini_server, timeout=100) as client:
            with pytest.raises(Exception):  # noqa: B017, PT011  # of the HTTP client, which differs by release
                await way(client, ALL)
        agree(gemini_server, registry, failure=1)
        assert 0 == missing(registry)

    async def test_limited(
        self, way: Way, metrics: MLMetrics, gemini_server: GeminiServer, registry: CollectorRegistry
    ) -> None:
        """A request that the SDK tries again is one call, which succeeds."""
        gemini_server.queue(Scenario(status=429))
        retry = types.HttpRetryOptions(attempts=2, initial_delay=0.001, max_delay=0.001, http_status_codes=[429])
        async with connected(gemini_server, retry_options=retry) as client:
            await way(client, ALL)
        agree(gemini_server, registry, success=1)
        assert [429, 200] == [row.status for row in gemini_server.ledger.rows]

    async def test_rejected(
        self, way: Way, client: genai.Client, gemini_server: GeminiServer, registry: CollectorRegistry
    ) -> None:
        """A request that is rejected is a failure by the name of the SDK's error."""
        gemini_server.queue(Scenario(status=429))
        with pytest.raises(errors.ClientError):
            await way(client, ALL)
        agree(gemini_server, registry, failure=1)
        assert 1 == value(registry, "ml_inference_errors_total", error_type="ClientError")

    @pytest.mark.parametrize("position", [0, 2])
    async def test_cut(
        self,
        way: Way,
        position: int,
        client: genai.Client,
        gemini_server: GeminiServer,
        registry: CollectorRegistry,
    ) -> None:
        """An answer that breaks off is a failure, with the tokens that had been said."""
        gemini_server.queue(Scenario(cut_at=position))
        with pytest.raises(Exception):  # noqa: B017, PT011  # as above
            await way(client, ALL)
        agree(gemini_server, registry, failure=1)

    @pytest.mark.parametrize("position", [0, 2])
    async def test_error_inside(
        self,
        way: Way,
        position: int,
        client: genai.Client,
        gemini_server: GeminiServer,
        registry: CollectorRegistry,
    ) -> None:
        """An error inside an answer is a failure, with the tokens that had been said."""
        gemini_server.queue(Scenario(error_at=position))
        with pytest.raises(errors.ServerError):
            await way(client, ALL)
        agree(gemini_server, registry, failure=1)
        assert 1 == value(registry, "ml_inference_errors_total", error_type="ServerError")

    @pytest.mark.parametrize("name", STREAMS)
    async def test_left_early(
        self, name: str, client: genai.Client, gemini_server: GeminiServer, registry: CollectorRegistry
    ) -> None:
        """A stream that is closed early is cancelled, with the tokens that it has said."""
        gemini_server.queue(Scenario(hold_at=2))
        await WAYS[name](client, 2)
        await disconnected(client)
        agree(gemini_server, registry, cancelled=1)
        assert {"input": 5, "output": 2} == tokens(registry)

    async def test_dropped(
        self, client: genai.Client, gemini_server: GeminiServer, registry: CollectorRegistry
    ) -> None:
        """A stream that is dropped early is cancelled."""
        gemini_server.queue(Scenario(hold_at=2))
        chunks: Any = client.models.generate_content_stream(**ASKED)
        assert [1, 2] == [next(chunks).usage_metadata.candidates_token_count for _ in range(2)]
        del chunks
        agree(gemini_server, registry, cancelled=1)

    async def test_dropped_async(
        self, client: genai.Client, gemini_server: GeminiServer, registry: CollectorRegistry
    ) -> None:
        """An async stream that is dropped early is cancelled."""
        gemini_server.queue(Scenario(hold_at=2))
        chunks: Any = await client.aio.models.generate_content_stream(**ASKED)
        assert [1, 2] == [(await anext(chunks)).usage_metadata.candidates_token_count for _ in range(2)]
        del chunks
        await disconnected(client)
        agree(gemini_server, registry, cancelled=1)

    @pytest.mark.parametrize("calling", [True, False])
    async def test_never_iterated(
        self,
        *,
        calling: bool,
        client: genai.Client,
        gemini_server: GeminiServer,
        registry: CollectorRegistry,
    ) -> None:
        """A stream that nobody reads is a call only if the SDK has sent the request, as some do when awaited."""
        config = types.GenerateContentConfig(
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=not calling)
        )
        client.models.generate_content_stream(**ASKED, config=config)
        await client.aio.models.generate_content_stream(**ASKED, config=config)
        await client.aio.models.generate_content(**ASKED)
        await finalized()
        sent = len(gemini_server.ledger.rows) - 1
        assert {"success": 1, **({"cancelled": sent} if sent else {})} == outcomes(registry)
        assert sent == missing(registry)

    async def test_never_iterated_but_sent(
        self, client: genai.Client, gemini_server: GeminiServer, registry: CollectorRegistry
    ) -> None:
        """A stream whose request was sent, and that nobody reads, is cancelled, and its usage is missing."""
        gemini_server.queue(Scenario(hold_at=0))
        chunks: Any = await client.aio.models._generate_content_stream(**ASKED)
        del chunks
        gemini_server._used[-1].release()
        await finalized()
        assert {"cancelled": 1} == outcomes(registry)
        assert 1 == missing(registry)

    @pytest.mark.parametrize("name", ["whole_async", "stream_async"])
    async def test_client_gone(
        self, name: str, client: genai.Client, gemini_server: GeminiServer, registry: CollectorRegistry
    ) -> None:
        """A task that is cancelled while it waits for the answer is a cancelled call."""
        scenario = gemini_server.queue(Scenario(hold_at=0))
        task = asyncio.ensure_future(WAYS[name](client, ALL))
        await asyncio.to_thread(scenario.wait_held)
        for _ in range(20):  # it has the head of the response by now, where there is one
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await finalized()
        agree(gemini_server, registry, cancelled=1)


async def disconnected(client: genai.Client) -> None:
    """Return once the client has closed its connections: the SDK keeps that of an async stream that was left."""
    await finalized()
    await client.aio.aclose()


async def finalized() -> None:
    """Return once the event loop has closed the async generators that were dropped."""
    gc.collect()  # a frame of the HTTP client's that is in a cycle may hold one
    for _ in range(20):
        await asyncio.sleep(0)


class TestTokens:
    """Types of tokens, and requests of several steps."""

    @pytest.mark.parametrize("streams", [False, True])
    async def test_types(
        self,
        *,
        streams: bool,
        client: genai.Client,
        gemini_server: GeminiServer,
        registry: CollectorRegistry,
    ) -> None:
        """What is cached, thought, or read from a tool's result is counted apart, and nothing twice."""
        config = types.GenerateContentConfig(
            cached_content="cachedContents/1",
            tools=[types.Tool(google_search=types.GoogleSearch())],
            thinking_config=types.ThinkingConfig(include_thoughts=True),
        )
        if streams:
            list(client.models.generate_content_stream(**ASKED, config=config))
        else:
            client.models.generate_content(**ASKED, config=config)
        agree(gemini_server, registry, success=1)
        assert {"input": 10, "cache_read": 40, "output": 5, "reasoning": 7} == tokens(registry)

    async def test_first_content(self, client: genai.Client, registry: CollectorRegistry) -> None:
        """The first thought is told from the first piece of the answer."""
        config = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))
        list(client.models.generate_content_stream(**ASKED, config=config))
        assert 1 == value(registry, "ml_inference_first_reasoning_seconds_count")
        assert 1 == value(registry, "ml_inference_first_chunk_seconds_count")

    @pytest.mark.parametrize("streams", [False, True])
    async def test_functions(
        self,
        *,
        streams: bool,
        client: genai.Client,
        gemini_server: GeminiServer,
        registry: CollectorRegistry,
    ) -> None:
        """Where the SDK calls a function by itself, each of its requests is a call with its own tokens."""

        def look_up(name: str) -> str:
            """Find what is asked for."""
            return f"found {len(name)}"

        config = types.GenerateContentConfig(tools=[look_up])
        if streams:
            list(client.models.generate_content_stream(**ASKED, config=config))
        else:
            client.models.generate_content(**ASKED, config=config)
        assert 2 == len(gemini_server.ledger.rows)
        agree(gemini_server, registry, success=2)

    async def test_unread(self, client: genai.Client, gemini_server: GeminiServer, registry: CollectorRegistry) -> None:
        """A response that the SDK is told not to read says its usage nevertheless."""
        said = client.models.generate_content(
            **ASKED, config=types.GenerateContentConfig(should_return_http_response=True)
        )
        assert said.candidates is None
        agree(gemini_server, registry, success=1)

    async def test_embeddings(
        self, client: genai.Client, gemini_server: GeminiServer, registry: CollectorRegistry
    ) -> None:
        """Embeddings have the tokens of their texts; older releases do not tell them."""
        client.models.embed_content(model="models/gemini-embedding-001", contents=["one", "two words"])
        await client.aio.models.embed_content(model="gemini-embedding-001", contents="three more words")
        assert {"input": 6} == gemini_server.ledger.tokens()
        told = "usage_metadata" in types.EmbedContentResponse.model_fields
        assert ({"input": 6} if told else {}, 0 if told else 2) == (tokens(registry), missing(registry))
        assert 2 == value(
            registry, "ml_inference_total", operation="embed_content", model="gemini-embedding-001", outcome="success"
        )

    def test_embeddings_on_vertex(self) -> None:
        """There each embedding says its own tokens."""
        told = [{"values": [0.5], "statistics": {"token_count": count}} for count in (2.0, 3.0)]
        response, said = types.EmbedContentResponse.model_validate({"embeddings": told}), Said()
        hear = hearing(type(response))
        assert hear is not None
        assert (ANSWER, {"input": 5}) == (hear(response, said), said.usage)

    async def test_decorated(
        self, metrics: MLMetrics, client: genai.Client, gemini_server: GeminiServer, registry: CollectorRegistry
    ) -> None:
        """A decorated function around it is a call of its own, and its tokens count once."""

        @metrics.track_inference(model="answers")
        def answer() -> types.GenerateContentResponse:
            return client.models.generate_content(**ASKED)

        answer()
        assert ["answers", "gemini-2.5-flash"] == sorted(label_values(registry, "ml_inference_total", "model"))
        agree(gemini_server, registry, success=2)


class TestLabels:
    """What a call is labelled by."""

    async def test_labels(self, client: genai.Client, gemini_server: GeminiServer, registry: CollectorRegistry) -> None:
        """The model is that which was asked for, without its path; the provider is Google."""
        gemini_server.queue(Scenario(response_model="gemini-2.5-flash-001"))
        client.models.generate_content(model="models/gemini-2.5-flash", contents=PROMPT)
        assert 1 == value(registry, "ml_inference_total", model="gemini-2.5-flash", operation="generate_content")
        labels = {"provider": "google", "response_model": "gemini-2.5-flash-001"}
        assert 1 == value(registry, "ml_inference_response_model_info", model="gemini-2.5-flash", **labels)

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("gemini-2.5-flash", "gemini-2.5-flash"),
            ("models/gemini-2.5-flash", "gemini-2.5-flash"),
            ("projects/p/locations/l/publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash"),
            ("tunedModels/123", "tunedModels/123"),
            ("minimodels/x", "minimodels/x"),
            (None, None),
        ],
    )
    def test_name(self, given: object, expected: object) -> None:
        """Only what stands before the name is left out."""
        assert expected == name_of(given)

    async def test_secrets(
        self,
        client: genai.Client,
        gemini_server: GeminiServer,
        registry: CollectorRegistry,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """No key, prompt or answer is among the metrics or the events of the log."""
        gemini_server.queue(Scenario(), Scenario(), Scenario(status=401), Scenario(error_at=2), Scenario(cut_at=2))
        with capture_logs() as events:
            for ask in (whole, stream, whole, stream, stream):
                with suppress(Exception):
                    await ask(client, ALL)
        ours = [record.getMessage() for record in caplog.records if record.name.startswith("mlmetrics")]
        told = f"{generate_latest(registry).decode()} {events} {ours}"
        assert 3 == len(events)
        assert all(gemini_server.ledger.rows[0].authorized for _ in events)
        for secret in (KEY, "planted", "prompt"):
            assert secret not in told.replace("prompt_tokens", "")


METHODS = [
    (owner, method)
    for owner in (models.Models, models.AsyncModels)
    for method in ("_generate_content", "_generate_content_stream", "embed_content")
]


class TestInstrumentation:
    """The handle, and the order of imports."""

    def test_put_back(self, registry: CollectorRegistry) -> None:
        """Every method is the SDK's own again."""
        before = [vars(owner)[method] for owner, method in METHODS]
        with MLMetrics(service="shop", registry=registry).instrument_google_genai():
            assert not set(map(id, before)) & {id(vars(owner)[method]) for owner, method in METHODS}
        assert list(map(id, before)) == [id(vars(owner)[method]) for owner, method in METHODS]

    async def test_generators(self, client: genai.Client) -> None:
        """Streams are the generators that they were."""
        assert inspect.isgenerator(client.models.generate_content_stream(**ASKED))
        assert inspect.isgenerator(client.models._generate_content_stream(**ASKED))
        assert inspect.isasyncgen(await client.aio.models.generate_content_stream(**ASKED))

    def test_imported_later(self, gemini_server: GeminiServer) -> None:
        """An SDK that is imported afterwards is instrumented too."""
        program = (
            "from prometheus_client import CollectorRegistry\n"
            "from mlmetrics import MLMetrics\n"
            "metrics = MLMetrics(service='shop', registry=CollectorRegistry())\n"
            "metrics.instrument_google_genai()\n"
            "from google import genai\n"
            f"client = genai.Client(api_key='any', http_options={{'base_url': {gemini_server.url!r}}})\n"
            "client.models.generate_content(model='asked', contents='two words')\n"
            "labels = {'service': 'shop', 'model': 'asked', 'operation': 'generate_content', 'outcome': 'success'}\n"
            "print(metrics.registry.get_sample_value('ml_inference_total', labels))\n"
        )
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
        assert "1.0" == ran.stdout.strip()
