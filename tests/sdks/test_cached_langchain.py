"""Answers from LangChain's cache: calls without tokens, of which no usage is missing."""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import HumanMessage
from langchain_core.outputs import ChatResult
from langchain_core.runnables import RunnableLambda
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests.sdks.servers import OpenAIServer
from tests.sdks.test_calls_langchain import SPENT, Forwarding, Own, verify

pytestmark = pytest.mark.usefixtures("frozen")


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Iterator[MLMetrics]:
    """Return a toolkit that records LangChain."""
    toolkit = MLMetrics(service="tests", registry=registry)
    with toolkit.instrument_langchain():
        yield toolkit


def test_invoke(metrics: MLMetrics) -> None:
    """Only the first of three calls has tokens."""
    model = Own(cache=InMemoryCache())
    for _ in range(3):
        model.invoke("any")
    verify(metrics.registry, {"success": 3}, SPENT)


async def test_ainvoke(metrics: MLMetrics) -> None:
    """The same without waiting."""
    model = Own(cache=InMemoryCache())
    for _ in range(3):
        await model.ainvoke("any")
    verify(metrics.registry, {"success": 3}, SPENT)


async def test_beside_others(metrics: MLMetrics) -> None:
    """Of several prompts, those that are not there have their tokens."""
    model = Own(cache=InMemoryCache())
    model.generate([[HumanMessage("one")], [HumanMessage("one")], [HumanMessage("two")]])
    await model.agenerate([[HumanMessage("two")], [HumanMessage("three")]])
    verify(metrics.registry, {"success": 5}, {kind: 3 * count for kind, count in SPENT.items()})


async def test_without_usage(metrics: MLMetrics) -> None:
    """Where the model tells no usage, it is missing once."""
    model = Own(cache=InMemoryCache(), told=False)
    model.invoke("any")
    await model.ainvoke("any")
    verify(metrics.registry, {"success": 2}, {}, missing=1)


async def test_events(metrics: MLMetrics) -> None:
    """An answer that was streamed for its events, and is then there, has tokens once."""
    model = Own(cache=InMemoryCache())
    asking = RunnableLambda(model.invoke)
    for _ in range(2):
        assert [event async for event in asking.astream_events("any", version="v2")]
    verify(metrics.registry, {"success": 2}, SPENT)


def test_streams(metrics: MLMetrics) -> None:
    """Streams are not looked up there."""
    model = Own(cache=InMemoryCache())
    for _ in range(2):
        list(model.stream("any"))
    verify(metrics.registry, {"success": 2}, {kind: 2 * count for kind, count in SPENT.items()})


def test_failure(metrics: MLMetrics) -> None:
    """A model that raises has answered nothing, which nothing is known of."""
    with pytest.raises(LookupError):
        Own(cache=InMemoryCache(), fails_at=0).invoke("any")
    verify(metrics.registry, {"failure": 1}, {}, error="LookupError")


def test_inside(metrics: MLMetrics, openai_server: OpenAIServer) -> None:
    """A model that asks by a recorded SDK has the tokens of its one request."""
    model = Forwarding(url=f"{openai_server.url}/v1", cache=InMemoryCache())
    with metrics.instrument_openai():
        model.invoke("two words")
        model.invoke("two words")
    verify(metrics.registry, {"success": 2}, {"input": 2.0, "output": 2.0})


def test_undone_meanwhile(registry: CollectorRegistry) -> None:
    """What the model answers after the end of the instrument has its tokens."""
    handle = MLMetrics(service="tests", registry=registry).instrument_langchain()

    class Undoing(Own):
        def _generate(self, *given: Any, **more: Any) -> ChatResult:
            handle.uninstrument()
            return super()._generate(*given, **more)

    Undoing().invoke("any")
    verify(registry, {"success": 1}, SPENT)
