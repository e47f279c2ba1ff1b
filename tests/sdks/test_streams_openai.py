"""Streams of the `openai` SDK: the first chunk with content, gaps, cancelled tasks, and what is handed back."""

import asyncio
from collections.abc import Callable, Iterator
from contextvars import copy_context
from functools import partial
from types import coroutine
from typing import Any

import openai
import pydantic
import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.integrations.layers import around_async, begin
from tests import recorded
from tests.conftest import Clock
from tests.sdks import asking_openai as ways
from tests.sdks.asking import Played, Way, by_labels, cancelled, decorated, tokens, total, verify
from tests.sdks.fixed import FixedServer
from tests.sdks.servers import OpenAIServer, Scenario
from tests.sdks.test_calls_openai import client_of

pytestmark = pytest.mark.usefixtures("frozen")
FIRST, GAPS = "ml_inference_first_chunk_seconds", "ml_inference_chunk_interval_seconds"


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> Iterator[MLMetrics]:
    """Return a toolkit that records the SDK; its time stands still until a test moves it."""
    metrics = MLMetrics(service="tests", registry=registry, clock=clock)
    with metrics.instrument_openai():
        yield metrics


@pytest.fixture
def client(openai_server: OpenAIServer, metrics: MLMetrics) -> Iterator[openai.OpenAI]:
    """Return a client of the server."""
    del metrics
    with client_of(openai_server) as client:
        yield client


class TestFirstChunk:
    """The first chunk with content of the answer."""

    @pytest.mark.parametrize(
        ("ask", "before"),
        [
            (lambda client: ways.chat(client.chat.completions, **ways.STREAM), 1),
            (lambda client: client.responses.create(model="asked", input="say these four words", stream=True), 4),
        ],
        ids=["chat", "responses"],
    )
    def test_role(  # noqa: PLR0917 (fixtures, and what is asked)
        self, openai_server: OpenAIServer, registry: CollectorRegistry, clock: Clock, client: Any, ask: Any, before: int
    ) -> None:
        """Events that open the answer, and comments, are none."""
        scenario = openai_server.queue(Scenario(hold_at=0, keep_alive=True))
        stream = ask(client)
        for _ in range(before):
            next(stream)
        scenario.wait_held()
        clock.advance(5)
        scenario.release()
        list(stream)
        assert (1, 5) == (total(registry, f"{FIRST}_count"), total(registry, f"{FIRST}_sum"))
        assert (3, 0) == (total(registry, f"{GAPS}_count"), total(registry, f"{GAPS}_sum"))
        assert 5 == total(registry, "ml_inference_duration_seconds_sum")

    def test_lines(
        self, openai_server: OpenAIServer, registry: CollectorRegistry, clock: Clock, client: openai.OpenAI
    ) -> None:
        """Lines of an event without content are none."""
        scenario = openai_server.queue(Scenario(hold_at=0, keep_alive=True))
        with ways.chat(client.chat.completions.with_streaming_response, **ways.STREAM) as response:
            lines = response.iter_lines()
            next(lines)
            scenario.wait_held()
            clock.advance(5)
            scenario.release()
            list(lines)
        assert (1, 5) == (total(registry, f"{FIRST}_count"), total(registry, f"{FIRST}_sum"))

    def test_gap(
        self, openai_server: OpenAIServer, registry: CollectorRegistry, clock: Clock, client: openai.OpenAI
    ) -> None:
        """The time between two chunks is a gap."""
        scenario = openai_server.queue(Scenario(hold_at=2))
        stream = ways.chat(client.chat.completions, stream=True)
        for _ in range(3):
            next(stream)
        scenario.wait_held()
        clock.advance(5)
        scenario.release()
        list(stream)
        assert (1, 0) == (total(registry, f"{FIRST}_count"), total(registry, f"{FIRST}_sum"))
        assert (3, 5) == (total(registry, f"{GAPS}_count"), total(registry, f"{GAPS}_sum"))

    def test_reasoning(
        self, openai_server: OpenAIServer, registry: CollectorRegistry, clock: Clock, client: openai.OpenAI
    ) -> None:
        """Reasoning that is shown before has a first chunk of its own."""
        scenario = openai_server.queue(Scenario(hold_at=0, reasoning_content=True))
        stream = ways.chat(client.chat.completions, stream=True)
        for _ in range(3):
            next(stream)
        scenario.wait_held()
        clock.advance(5)
        scenario.release()
        list(stream)
        assert (1, 0) == tuple(total(registry, f"ml_inference_first_reasoning_seconds_{of}") for of in ("count", "sum"))
        assert (1, 5) == (total(registry, f"{FIRST}_count"), total(registry, f"{FIRST}_sum"))

    def test_none(self, registry: CollectorRegistry, client: openai.OpenAI) -> None:
        """An answer that is no stream has no first chunk, be it read in pieces."""
        with ways.chat(client.chat.completions.with_streaming_response) as response:
            list(response.iter_bytes(7))
        assert 0 == total(registry, f"{FIRST}_count")


class TestCancelled:
    """Tasks that are cancelled while they wait."""

    @pytest.mark.parametrize("way", [Way(ways.create), Way(ways.parse), Way(ways.raw)], ids=lambda way: way.name)
    async def test_whole(
        self, openai_server: OpenAIServer, registry: CollectorRegistry, metrics: MLMetrics, way: Way
    ) -> None:
        """A request that waits is cancelled, and no answer misses its usage."""
        del metrics
        scenario, begun = openai_server.queue(Scenario(hold_at=0)), asyncio.Event()
        begun.set()
        await cancelled(way.ask, client_of(openai_server, asynchronous=True), scenario, begun)
        verify(way, Played(error=asyncio.CancelledError()), openai_server, registry)

    async def test_stream(self, openai_server: OpenAIServer, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A stream that waits for its next chunk is cancelled."""
        del metrics
        scenario, begun = openai_server.queue(Scenario(hold_at=2)), asyncio.Event()

        async def read(client: Any) -> None:
            async for _ in await ways.chat(client.chat.completions, **ways.STREAM):
                begun.set()

        await cancelled(read, client_of(openai_server, asynchronous=True), scenario, begun)
        way = Way(read, streams=True, reads=False)
        verify(way, Played(error=asyncio.CancelledError()), openai_server, registry)

    def test_foreign_context(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A coroutine that is closed from another context than it ran in is cancelled, and closes as it is."""

        @coroutine
        def wait() -> Iterator[None]:
            yield

        waiting = around_async(wait, (), {}, begin(metrics, "asked", "chat", "openai"))
        copy_context().run(waiting.send, None)
        waiting.close()
        assert {("cancelled",): 1} == by_labels(registry, "ml_inference_total", "outcome")


class TestHandedBack:
    """What the program gets is what the SDK made."""

    def test_objects(self, openai_server: OpenAIServer, metrics: MLMetrics) -> None:
        """Answers, streams and raw responses are the objects that the SDK has made."""
        del metrics
        made: list[Any] = []

        class Client(openai.OpenAI):  # type: ignore[misc]  # its types are there with the SDK
            def _process_response(self, **kwargs: Any) -> Any:
                made.append(super()._process_response(**kwargs))
                return made[-1]

        base, sender = f"{openai_server.url}/v1", openai.DefaultHttpxClient(verify=False)
        with Client(base_url=base, api_key="any", http_client=sender) as client:
            chats = client.chat.completions
            got = [
                ways.chat(chats),
                ways.chat(chats, stream=True),
                ways.chat(chats.with_raw_response),
                client.embeddings.create(model="asked", input="text"),
            ]
            assert [True] * 4 == [mine is theirs for mine, theirs in zip(got, made, strict=True)]
            got[1].close()

    def test_errors(self, openai_server: OpenAIServer, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """An error within the SDK is raised as the object that it is."""
        del metrics
        problem = LookupError("any")

        class Client(openai.OpenAI):  # type: ignore[misc]  # its types are there with the SDK
            def _process_response_data(self, **_: Any) -> Any:
                raise problem

        base, sender = f"{openai_server.url}/v1", openai.DefaultHttpxClient(verify=False)
        with Client(base_url=base, api_key="any", http_client=sender) as client:
            stream = ways.chat(client.chat.completions, stream=True)
            with pytest.raises(LookupError) as raised:
                next(stream)
        assert raised.value is problem
        assert {("LookupError",): 1} == by_labels(registry, "ml_inference_errors_total", "error_type")

    @pytest.mark.parametrize(("finish", "content"), [("length", '{"text": "say'), ("stop", "no JSON")])
    def test_unparsed(self, registry: CollectorRegistry, metrics: MLMetrics, finish: str, content: str) -> None:
        """An answer that the SDK cannot parse into its form is a failure that has used its tokens."""
        del metrics
        choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content}}
        usage = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}
        answer = {"id": "1", "object": "chat.completion", "model": "asked", "choices": [choice], "usage": usage}
        with FixedServer(answer) as server, client_of(server) as client:
            chats = ways.helpers(client)
            with pytest.raises((openai.LengthFinishReasonError, pydantic.ValidationError)) as raised:
                chats.parse(model="asked", messages=ways.MESSAGES, response_format=ways.Words)
        assert {"input": 4, "output": 2} == tokens(registry)
        expected = {(type(raised.value).__name__,): 1}
        assert expected == by_labels(registry, "ml_inference_errors_total", "error_type")


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("reads", [True, False], ids=["read", "left"])
@pytest.mark.parametrize("helper", [ways.helper, ways.responding], ids=["chat", "responses"])
def test_decorated_helper(
    openai_server: OpenAIServer,
    registry: CollectorRegistry,
    helper: Callable[[Any], Any],
    *,
    asynchronous: bool,
    reads: bool,
) -> None:
    """The call of a decorated function that returns a helper is that of the stream that it is entered for."""
    clients = partial(client_of, openai_server, asynchronous=asynchronous)
    decorated(helper, clients, registry, waits=asynchronous, reads=reads)
    if reads:
        assert openai_server.ledger.tokens() == tokens(registry)


class TestSharedStream:
    """One stream in several calls."""

    def test_decorated(self, openai_server: OpenAIServer, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A stream that a decorated function hands on ends both calls when it is closed; its tokens count once."""
        openai_server.queue(Scenario(hold_at=2), Scenario())
        with client_of(openai_server) as client:

            @metrics.track_inference(model="rag")
            def ask() -> Any:
                return ways.chat(client.chat.completions, **ways.STREAM)

            left = ask()
            next(left)
            left.close()
            list(ask())
        expected = {(model, outcome): 1 for model in ("rag", "asked") for outcome in ("cancelled", "success")}
        assert expected == by_labels(registry, "ml_inference_total", "model", "outcome")
        assert 0 == recorded.in_progress(registry)
        assert openai_server.ledger.tokens() == tokens(registry)
        assert 1 == total(registry, "ml_inference_usage_missing_total")

    def test_two_toolkits(self, openai_server: OpenAIServer, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Each toolkit records each call once, also where the first one ends before."""
        del metrics
        second = CollectorRegistry()
        with (
            MLMetrics(service="other", registry=second).instrument_openai(),
            client_of(openai_server) as client,
        ):
            ways.chat(client.chat.completions)
            list(ways.chat(client.chat.completions, **ways.STREAM))
            ways.chat(client.chat.completions.with_raw_response).parse()
            left = ways.chat(client.chat.completions, stream=True)
            next(left)
            left.close()
        for each in (registry, second):
            assert {("success",): 3, ("cancelled",): 1} == by_labels(each, "ml_inference_total", "outcome")
            assert openai_server.ledger.tokens() == tokens(each)
            assert 0 == recorded.in_progress(each)

    def test_twice(self, openai_server: OpenAIServer, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """An SDK that is instrumented twice by one toolkit records each call once."""
        with metrics.instrument_openai(), client_of(openai_server) as client:
            ways.chat(client.chat.completions)
            list(ways.chat(client.chat.completions, **ways.STREAM))
            ways.chat(client.chat.completions.with_raw_response).parse()
            left = ways.chat(client.chat.completions, stream=True)
            next(left)
            left.close()
        assert {("success",): 3, ("cancelled",): 1} == by_labels(registry, "ml_inference_total", "outcome")
        assert openai_server.ledger.tokens() == tokens(registry)
        assert 4 == total(registry, f"{GAPS}_count") + total(registry, f"{FIRST}_count")
        assert 0 == recorded.in_progress(registry)
