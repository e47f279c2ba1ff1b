"""Calls through the SDK of Mistral: outcomes and tokens are those of the server's ledger."""

import asyncio
import gc
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import BaseModel
from structlog.testing import capture_logs

from mlmetrics import MLMetrics
from tests.recorded import label_values, value
from tests.sdks.comparison import agree, missing, tokens
from tests.sdks.servers import MistralServer, Scenario

try:
    from mistralai.client import Mistral, agents, chat, embeddings, fim, utils
    from mistralai.client.utils import eventstreaming
except ImportError:  # before 2.0
    from mistralai import Mistral, agents, chat, embeddings, fim, utils
    from mistralai.utils import eventstreaming

KEY = "planted-key-0123456789"
PROMPT = "planted words of a prompt"
MESSAGES: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROMPT}]
ASKED: Any = {"model": "mistral-small-latest", "messages": MESSAGES}
ALL = 100  # more chunks than any answer has


class Said(BaseModel):
    """What `parse` makes of an answer."""

    words: str


Way = Callable[[Mistral, int], Awaitable[None]]


async def whole(client: Mistral, _most: int) -> None:
    """Ask for a whole answer."""
    client.chat.complete(**ASKED)


async def whole_async(client: Mistral, _most: int) -> None:
    """Ask for a whole answer, asynchronously."""
    await client.chat.complete_async(**ASKED)


async def parse(client: Mistral, _most: int) -> None:
    """Ask for an answer of a type."""
    client.chat.parse(Said, **ASKED)


async def parse_async(client: Mistral, _most: int) -> None:
    """Ask for an answer of a type, asynchronously."""
    await client.chat.parse_async(Said, **ASKED)


async def stream(client: Mistral, most: int) -> None:
    """Read a stream in its block, and leave that after `most` chunks."""
    with client.chat.stream(**ASKED) as chunks:
        for number, _ in enumerate(chunks, 1):
            if number == most:
                break


async def stream_async(client: Mistral, most: int) -> None:
    """Read an async stream in its block, and leave that after `most` chunks."""
    async with await client.chat.stream_async(**ASKED) as chunks:
        number = 0
        async for _ in chunks:
            number += 1
            if number == most:
                break


async def parse_stream(client: Mistral, _most: int) -> None:
    """Read a stream of an answer of a type, without a block."""
    list(client.chat.parse_stream(Said, **ASKED))


async def parse_stream_async(client: Mistral, _most: int) -> None:
    """Read an async stream of an answer of a type, without a block."""
    _ = [chunk async for chunk in await client.chat.parse_stream_async(Said, **ASKED)]


WAYS: dict[str, Way] = {
    each.__name__: each
    for each in (whole, whole_async, parse, parse_async, stream, stream_async, parse_stream, parse_stream_async)
}
STREAMS = ("stream", "stream_async")


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Give each way to ask."""
    return WAYS[request.param]


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Iterator[MLMetrics]:
    """Give a toolkit that instruments the SDK."""
    metrics = MLMetrics(service="shop", registry=registry)
    with metrics.instrument_mistralai():
        yield metrics


@asynccontextmanager
async def connected(server: MistralServer, **more: Any) -> AsyncIterator[Mistral]:
    """Give a client of the server, whose connections are all closed at the end."""
    client = Mistral(server_url=server.url, api_key=KEY, **more)
    async with client:
        with client:
            yield client


@pytest.fixture
async def client(mistral_server: MistralServer, metrics: MLMetrics) -> AsyncIterator[Mistral]:
    """Give an instrumented client of the server; the system's message is in its cache."""
    mistral_server.cached.add("Be brief.")
    async with connected(mistral_server) as client:
        yield client


def is_stream(way: Way) -> bool:
    """Whether a way to ask reads a stream."""
    return "stream" in way.__name__


class TestLedger:
    """Every way to ask, in every course that a request may take."""

    async def test_answered(
        self, way: Way, client: Mistral, mistral_server: MistralServer, registry: CollectorRegistry
    ) -> None:
        """An answer is a success, with the tokens that its usage says; what is cached is counted apart."""
        await way(client, ALL)
        agree(mistral_server, registry, success=1)
        assert (5, 2) == (tokens(registry)["input"], tokens(registry)["cache_read"])

    async def test_without_usage(
        self, way: Way, client: Mistral, mistral_server: MistralServer, registry: CollectorRegistry
    ) -> None:
        """An answer without usage is a success, and its usage is missing, though the SDK shows zeros."""
        mistral_server.queue(Scenario(usage=False))
        await way(client, ALL)
        agree(mistral_server, registry, success=1)
        assert 1 == missing(registry)

    async def test_timed_out(
        self, way: Way, metrics: MLMetrics, mistral_server: MistralServer, registry: CollectorRegistry
    ) -> None:
        """A request that is not answered in time is a failure without tokens."""
        mistral_server.queue(Scenario(timed_out=True))
        async with connected(mistral_server, timeout_ms=100) as client:
            with pytest.raises(Exception):  # noqa: B017, PT011  # of the HTTP client, which differs by release
                await way(client, ALL)
        agree(mistral_server, registry, failure=1)
        assert 0 == missing(registry)

    async def test_limited(
        self, way: Way, metrics: MLMetrics, mistral_server: MistralServer, registry: CollectorRegistry
    ) -> None:
        """A request that the SDK tries again is one call, which succeeds."""
        mistral_server.queue(Scenario(status=429))
        backoff = utils.BackoffStrategy(initial_interval=1, max_interval=1, exponent=1, max_elapsed_time=60_000)
        retries = utils.RetryConfig("backoff", backoff, retry_connection_errors=False)
        async with connected(mistral_server, retry_config=retries) as client:
            await way(client, ALL)
        agree(mistral_server, registry, success=1)
        assert [429, 200] == [row.status for row in mistral_server.ledger.rows]

    async def test_rejected(
        self, way: Way, client: Mistral, mistral_server: MistralServer, registry: CollectorRegistry
    ) -> None:
        """A request that is rejected is a failure by the name of the SDK's error."""
        mistral_server.queue(Scenario(status=429))
        with pytest.raises(Exception, match="429"):
            await way(client, ALL)
        agree(mistral_server, registry, failure=1)
        assert 1 == value(registry, "ml_inference_errors_total", error_type="SDKError")

    @pytest.mark.parametrize("broken", [{"cut_at": 0}, {"cut_at": 2}, {"error_at": 0}, {"error_at": 2}], ids=str)
    async def test_broken(
        self,
        way: Way,
        broken: Any,
        client: Mistral,
        mistral_server: MistralServer,
        registry: CollectorRegistry,
    ) -> None:
        """An answer that breaks off, or has an error inside, is a failure; a stream would have said its usage last."""
        mistral_server.queue(Scenario(**broken))
        with pytest.raises(Exception):  # noqa: B017, PT011  # as above
            await way(client, ALL)
        agree(mistral_server, registry, failure=1)
        assert is_stream(way) == missing(registry)

    @pytest.mark.parametrize("most", [1, 3])
    @pytest.mark.parametrize("name", STREAMS)
    async def test_left_early(
        self, name: str, most: int, client: Mistral, mistral_server: MistralServer, registry: CollectorRegistry
    ) -> None:
        """A stream whose block is left early is cancelled, and its usage is missing."""
        mistral_server.queue(Scenario(hold_at=2))
        await WAYS[name](client, most)
        agree(mistral_server, registry, cancelled=1)
        assert 1 == missing(registry)

    def test_left_and_kept(self, client: Mistral, mistral_server: MistralServer, registry: CollectorRegistry) -> None:
        """The call ends with the block, also where the stream is kept."""
        mistral_server.queue(Scenario(hold_at=2), Scenario(hold_at=2))
        kept = [client.chat.stream(**ASKED) for _ in range(2)]
        with kept[0] as chunks:
            next(chunks)
        with kept[1]:
            pass
        agree(mistral_server, registry, cancelled=2)

    async def test_left_and_kept_async(
        self, client: Mistral, mistral_server: MistralServer, registry: CollectorRegistry
    ) -> None:
        """So does that of an async stream."""
        mistral_server.queue(Scenario(hold_at=2), Scenario(hold_at=2))
        kept = [await client.chat.stream_async(**ASKED) for _ in range(2)]
        async with kept[0] as chunks:
            await anext(chunks)
        async with kept[1]:
            pass
        agree(mistral_server, registry, cancelled=2)

    @pytest.mark.parametrize("most", [0, 1])
    async def test_dropped(
        self, most: int, client: Mistral, mistral_server: MistralServer, registry: CollectorRegistry
    ) -> None:
        """A stream that is dropped is cancelled, and so is one that nobody reads: the request was sent."""
        mistral_server.queue(*(scenarios := [Scenario(hold_at=2) for _ in range(2)]))
        chunks = client.chat.stream(**ASKED)
        later = await client.chat.stream_async(**ASKED)
        for _ in range(most):
            assert next(chunks).data.choices
            assert (await anext(later)).data.choices
        del chunks, later
        gc.collect()  # a frame of the HTTP client's that is in a cycle may hold the stream
        for scenario in scenarios:
            scenario.release()
        assert 2 == missing(registry)
        assert 2 == value(registry, "ml_inference_total", outcome="cancelled")
        assert 0 == value(registry, "ml_inference_in_progress")

    @pytest.mark.parametrize("name", ["whole_async", "parse_async", "stream_async", "parse_stream_async"])
    async def test_client_gone(
        self, name: str, client: Mistral, mistral_server: MistralServer, registry: CollectorRegistry
    ) -> None:
        """A task that is cancelled while it waits for the answer is a cancelled call."""
        scenario = mistral_server.queue(Scenario(hold_at=2))
        task = asyncio.ensure_future(WAYS[name](client, ALL))
        await asyncio.to_thread(scenario.wait_held)
        for _ in range(20):  # it has the head of the response by now, where there is one
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        agree(mistral_server, registry, cancelled=1)


class TestTokens:
    """Resources other than chat, and what is counted only once."""

    async def test_fim(self, client: Mistral, mistral_server: MistralServer, registry: CollectorRegistry) -> None:
        """Code between a prompt and a suffix is an operation of its own."""
        asked: Any = {"model": "codestral-latest", "prompt": "def add(a, b):", "suffix": "return total"}
        client.fim.complete(**asked)
        await client.fim.complete_async(**asked)
        list(client.fim.stream(**asked))
        _ = [chunk async for chunk in await client.fim.stream_async(**asked)]
        agree(mistral_server, registry, success=4)
        assert 4 == value(registry, "ml_inference_total", operation="fim", model="codestral-latest")

    async def test_agents(self, client: Mistral, mistral_server: MistralServer, registry: CollectorRegistry) -> None:
        """An agent stands where the model would; the response names the model."""
        mistral_server.queue(*(Scenario(response_model="mistral-small-2506") for _ in range(4)))
        asked: Any = {"agent_id": "ag_1", "messages": MESSAGES}
        client.agents.complete(**asked)
        await client.agents.complete_async(**asked)
        list(client.agents.stream(**asked))
        _ = [chunk async for chunk in await client.agents.stream_async(**asked)]
        agree(mistral_server, registry, success=4)
        assert 4 == value(registry, "ml_inference_total", operation="agents", model="ag_1")
        labels = {"provider": "mistral", "response_model": "mistral-small-2506"}
        assert 1 == value(registry, "ml_inference_response_model_info", model="ag_1", **labels)

    async def test_embeddings(
        self, client: Mistral, mistral_server: MistralServer, registry: CollectorRegistry
    ) -> None:
        """Embeddings have the tokens of their texts, and no output."""
        client.embeddings.create(model="mistral-embed", inputs=["one", "two words"])
        await client.embeddings.create_async(model="mistral-embed", inputs=["three more words"])
        agree(mistral_server, registry, success=2)
        assert {"input": 6} == tokens(registry)
        assert 2 == value(registry, "ml_inference_total", operation="embeddings", model="mistral-embed")

    def test_first_content(self, client: Mistral, mistral_server: MistralServer, registry: CollectorRegistry) -> None:
        """The role is no content, and the first thought is told from the first piece of the answer."""
        mistral_server.queue(Scenario(keep_alive=True))
        list(client.chat.stream(**ASKED, prompt_mode="reasoning"))
        agree(mistral_server, registry, success=1)
        assert 1 == value(registry, "ml_inference_first_reasoning_seconds_count")
        assert 1 == value(registry, "ml_inference_first_chunk_seconds_count")
        (row,) = mistral_server.ledger.rows
        gaps = value(registry, "ml_inference_chunk_interval_seconds_count")
        assert row.chunks + row.reasoning_chunks - 1 == gaps

    def test_decorated(
        self, metrics: MLMetrics, client: Mistral, mistral_server: MistralServer, registry: CollectorRegistry
    ) -> None:
        """A decorated function around it is a call of its own, and its tokens count once."""

        @metrics.track_inference(model="answers")
        def answer() -> Any:
            return client.chat.parse(Said, **ASKED)

        answer()
        assert ["answers", "mistral-small-latest"] == sorted(label_values(registry, "ml_inference_total", "model"))
        agree(mistral_server, registry, success=2)

    async def test_secrets(
        self,
        client: Mistral,
        mistral_server: MistralServer,
        registry: CollectorRegistry,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """No key, prompt or answer is among the metrics or the events of the log."""
        mistral_server.queue(Scenario(), Scenario(), Scenario(status=401), Scenario(error_at=2), Scenario(cut_at=2))
        with capture_logs() as events:
            for ask in (whole, stream, whole, stream, stream):
                with suppress(Exception):
                    await ask(client, ALL)
        ours = [record.getMessage() for record in caplog.records if record.name.startswith("mlmetrics")]
        told = f"{generate_latest(registry).decode()} {events} {ours}"
        assert 3 == len(events)
        assert all(row.authorized for row in mistral_server.ledger.rows)
        for secret in (KEY, "planted", "of a prompt", "Be brief"):
            assert secret not in told


METHODS = [
    *((owner, name) for owner in (chat.Chat, fim.Fim, agents.Agents) for name in ("complete", "stream")),
    (embeddings.Embeddings, "create"),
]
PATCHED = [
    *((owner, f"{name}{suffix}") for owner, name in METHODS for suffix in ("", "_async")),
    (eventstreaming.EventStream, "__exit__"),
    (eventstreaming.EventStreamAsync, "__aexit__"),
]


class TestInstrumentation:
    """The handle, and the order of imports."""

    def test_put_back(self, registry: CollectorRegistry) -> None:
        """Every method is the SDK's own again."""
        before = [vars(owner)[method] for owner, method in PATCHED]
        with MLMetrics(service="shop", registry=registry).instrument_mistralai():
            assert not set(map(id, before)) & {id(vars(owner)[method]) for owner, method in PATCHED}
        assert list(map(id, before)) == [id(vars(owner)[method]) for owner, method in PATCHED]

    def test_streams(self, client: Mistral) -> None:
        """Streams are the objects that they were."""
        with client.chat.stream(**ASKED) as chunks:
            assert isinstance(chunks, eventstreaming.EventStream)

    def test_imported_later(self, mistral_server: MistralServer) -> None:
        """An SDK that is imported afterwards is instrumented too."""
        program = (
            "from prometheus_client import CollectorRegistry\n"
            "from mlmetrics import MLMetrics\n"
            "metrics = MLMetrics(service='shop', registry=CollectorRegistry())\n"
            "metrics.instrument_mistralai()\n"
            f"from {Mistral.__module__.removesuffix('.sdk')} import Mistral\n"
            f"with Mistral(server_url={mistral_server.url!r}, api_key='any') as client:\n"
            "    client.chat.complete(model='asked', messages=[{'role': 'user', 'content': 'two words'}])\n"
            "labels = {'service': 'shop', 'model': 'asked', 'operation': 'chat', 'outcome': 'success'}\n"
            "print(metrics.registry.get_sample_value('ml_inference_total', labels))\n"
        )
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
        assert "1.0" == ran.stdout.strip()
