"""The instrument of `anthropic`: first chunks, cancelled tasks, what goes wrong, and what nobody may read."""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import anthropic
import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from mlmetrics import MLMetrics
from tests import recorded
from tests.conftest import Clock
from tests.sdks.asking import Played, Way, by_labels, cancelled, decorated, tokens, total, verify
from tests.sdks.asking_anthropic import ASKED, create
from tests.sdks.fixed import FixedServer
from tests.sdks.servers import AnthropicServer, Scenario
from tests.sdks.test_calls_anthropic import client_of

pytestmark = pytest.mark.usefixtures("frozen")
FIRST, GAPS = "ml_inference_first_chunk_seconds", "ml_inference_chunk_interval_seconds"
SECRET = "planted-0123456789-never-shown"  # noqa: S105  # planted to be searched for
MESSAGE = {"id": "1", "type": "message", "role": "assistant", "model": "asked", "content": []}


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> Iterator[MLMetrics]:
    """Return a toolkit that records the SDK; its time stands still until a test moves it."""
    metrics = MLMetrics(service="tests", registry=registry, clock=clock)
    with metrics.instrument_anthropic():
        yield metrics


@pytest.fixture
def client(anthropic_server: AnthropicServer, metrics: MLMetrics) -> Iterator[Any]:
    """Return a client of the server."""
    del metrics
    with client_of(anthropic_server) as client:
        yield client


class TestFirstChunk:
    """The first event with content of the answer."""

    def test_events(
        self, anthropic_server: AnthropicServer, registry: CollectorRegistry, clock: Clock, client: Any
    ) -> None:
        """Events that open the message and its block, pings and comments are none."""
        scenario = anthropic_server.queue(Scenario(hold_at=0, keep_alive=True))
        plain = {name: value for name, value in ASKED.items() if name != "thinking"}
        stream = client.messages.create(**plain, stream=True)
        assert ["message_start", "content_block_start"] == [next(stream).type for _ in range(2)]
        scenario.wait_held()
        clock.advance(5)
        scenario.release()
        list(stream)
        assert (1, 5) == (total(registry, f"{FIRST}_count"), total(registry, f"{FIRST}_sum"))
        assert (3, 0) == (total(registry, f"{GAPS}_count"), total(registry, f"{GAPS}_sum"))
        assert 5 == total(registry, "ml_inference_duration_seconds_sum")

    def test_thinking(
        self, anthropic_server: AnthropicServer, registry: CollectorRegistry, clock: Clock, client: Any
    ) -> None:
        """Thinking has a first event of its own, in a helper too; it begins when the helper is entered."""
        scenario = anthropic_server.queue(Scenario(hold_at=0))
        manager = client.messages.stream(**ASKED)
        clock.advance(7)
        with manager as stream:
            while next(stream).type != "content_block_stop":
                pass
            scenario.wait_held()
            clock.advance(5)
            scenario.release()
            stream.until_done()
        names = [f"ml_inference_first_reasoning_seconds_{each}" for each in ("count", "sum")]
        assert [1, 0] == [total(registry, name) for name in names]
        assert (1, 5) == (total(registry, f"{FIRST}_count"), total(registry, f"{FIRST}_sum"))


class TestCancelled:
    """Tasks that are cancelled while they wait, and helpers that nobody enters."""

    async def test_whole(
        self, anthropic_server: AnthropicServer, registry: CollectorRegistry, metrics: MLMetrics
    ) -> None:
        """A request that waits is cancelled."""
        del metrics
        scenario, begun = anthropic_server.queue(Scenario(hold_at=0)), asyncio.Event()
        begun.set()
        await cancelled(create, client_of(anthropic_server, asynchronous=True), scenario, begun)
        verify(Way(create, "messages"), Played(error=asyncio.CancelledError()), anthropic_server, registry)

    async def test_stream(
        self, anthropic_server: AnthropicServer, registry: CollectorRegistry, metrics: MLMetrics
    ) -> None:
        """A helper that waits for its next event is cancelled, with the tokens that it has been told."""
        del metrics
        scenario, begun = anthropic_server.queue(Scenario(hold_at=2)), asyncio.Event()

        async def read(client: Any) -> None:
            async with client.messages.stream(**ASKED) as events:
                async for _ in events:
                    begun.set()

        await cancelled(read, client_of(anthropic_server, asynchronous=True), scenario, begun)
        way = Way(read, "messages", streams=True)
        verify(way, Played(error=asyncio.CancelledError()), anthropic_server, registry)

    def test_never_entered(self, registry: CollectorRegistry, client: Any) -> None:
        """A helper that is never entered asks nothing, and is no call."""
        client.messages.stream(**ASKED)
        gc.collect()
        assert recorded.absent(registry, "ml_inference_total")


class TestHostile:
    """What goes wrong."""

    @pytest.mark.parametrize("count", [-1, "four", float("nan"), [4], 1e300], ids=repr)
    def test_usage(self, registry: CollectorRegistry, metrics: MLMetrics, count: Any) -> None:
        """Usage that cannot be true counts no tokens, and the program gets it as it is."""
        del metrics
        answer = {**MESSAGE, "usage": {"input_tokens": count, "output_tokens": 2}}
        with FixedServer(answer) as server, client_of(server) as client:
            assert repr(count) == repr(client.messages.create(**ASKED).usage.input_tokens)
        assert {} == tokens(registry)
        assert {"usage": 1} == recorded.errors(registry)
        assert 1 == total(registry, "ml_inference_usage_missing_total")

    def test_moved(
        self, anthropic_server: AnthropicServer, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without the class that sends, calls go on unrecorded, and that is counted."""
        monkeypatch.delattr(sys.modules["anthropic._base_client"], "SyncAPIClient")
        metrics = MLMetrics(service="tests", registry=registry)
        with metrics.instrument_anthropic(), client_of(anthropic_server) as client:
            assert client.messages.create(**ASKED).content
        assert {"instrument": 1} == recorded.errors(registry)
        assert recorded.absent(registry, "ml_inference_total")

    def test_secrets(
        self, anthropic_server: AnthropicServer, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Keys, headers, prompts, answers and tools are in no output."""
        caplog.set_level(0)
        asked: dict[str, Any] = {
            "max_tokens": 64,
            "messages": [{"role": "user", "content": SECRET}],
            "model": "asked",
            "extra_headers": {"x-secret": SECRET},
        }
        metrics = MLMetrics(service="tests", registry=registry, slow_seconds=1e-9)
        with metrics.instrument_anthropic(), client_of(anthropic_server) as client:
            messages = client.with_options(api_key=SECRET).messages
            assert SECRET in repr(messages.create(**asked))
            list(messages.create(**asked, stream=True))
            messages.create(**asked, tools=[{"name": "look", "description": SECRET, "input_schema": {}}])
            anthropic_server.queue(Scenario(status=500), Scenario(error_at=1), Scenario(cut_at=1))
            for stream in (False, True, True):
                with pytest.raises((anthropic.AnthropicError, *broken())):
                    list(messages.create(**asked, stream=stream))
        assert SECRET not in generate_latest(registry).decode()
        ours = [record for record in caplog.records if record.name.startswith("mlmetrics")]
        assert SECRET not in "".join(f"{record.getMessage()}{record.__dict__}" for record in ours)
        assert "inference.failed" in caplog.text


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("reads", [True, False], ids=["read", "left"])
@pytest.mark.parametrize(
    "helper",
    [lambda client: client.messages.stream(**ASKED), lambda client: client.beta.messages.stream(**ASKED)],
    ids=["messages", "beta"],
)
def test_decorated_helper(
    anthropic_server: AnthropicServer,
    registry: CollectorRegistry,
    helper: Callable[[Any], Any],
    *,
    asynchronous: bool,
    reads: bool,
) -> None:
    """The call of a decorated function that returns a helper is that of the stream that it is entered for."""
    clients = partial(client_of, anthropic_server, asynchronous=asynchronous)
    decorated(helper, clients, registry, waits=asynchronous, reads=reads)
    if reads:
        assert anthropic_server.ledger.tokens() == tokens(registry)


class TestLayers:
    """One message in several calls."""

    def test_decorated(
        self, anthropic_server: AnthropicServer, registry: CollectorRegistry, metrics: MLMetrics
    ) -> None:
        """A decorated function that asks is another call; the tokens count once."""
        with client_of(anthropic_server) as client:

            @metrics.track_inference(model="rag")
            def ask() -> Any:
                with client.messages.stream(**ASKED) as stream:
                    return stream.get_final_message()

            ask()
        assert {("rag",): 1, ("asked",): 1} == by_labels(registry, "ml_inference_total", "model")
        assert anthropic_server.ledger.tokens() == tokens(registry)

    def test_two_toolkits(
        self, anthropic_server: AnthropicServer, registry: CollectorRegistry, metrics: MLMetrics
    ) -> None:
        """Each toolkit records each call once."""
        del metrics
        second = CollectorRegistry()
        with (
            MLMetrics(service="other", registry=second).instrument_anthropic(),
            client_of(anthropic_server) as client,
        ):
            client.messages.create(**ASKED)
            list(client.messages.create(**ASKED, stream=True))
            client.messages.with_raw_response.create(**ASKED).parse()
        for each in (registry, second):
            assert {("success",): 3} == by_labels(each, "ml_inference_total", "outcome")
            assert anthropic_server.ledger.tokens() == tokens(each)


def broken() -> list[type[Exception]]:
    """Return what is raised where a connection breaks, by either generation of the SDK."""
    found: list[type[Exception]] = [httpx.HTTPError]
    if "httpx2" in sys.modules:
        found.append(sys.modules["httpx2"].HTTPError)
    return found
