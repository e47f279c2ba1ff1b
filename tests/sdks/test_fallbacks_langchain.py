"""Fallbacks of LangChain to another model, and attempts of what is asked inside of its models."""

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests import recorded
from tests.sdks.asking import by_labels, total
from tests.sdks.attempts import failing, finished, verify_attempts
from tests.sdks.servers import OpenAIServer
from tests.sdks.test_calls_langchain import Forwarding, Own

pytestmark = pytest.mark.usefixtures("frozen")
FALLBACKS, EXHAUSTED = "ml_inference_fallbacks_total", "ml_inference_fallbacks_exhausted_total"


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Iterator[MLMetrics]:
    """Return a toolkit that records LangChain."""
    toolkit = MLMetrics(service="tests", registry=registry)
    with toolkit.instrument_langchain():
        yield toolkit


async def ask(runnable: Any, *, asynchronous: bool) -> Any:
    """Ask a runnable; return what was raised."""
    try:
        await runnable.ainvoke("any") if asynchronous else runnable.invoke("any")
    except LookupError as error:
        return error
    return None


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.usefixtures("metrics")
class TestFallbacks:
    """`with_fallbacks`."""

    async def test_answered(self, registry: CollectorRegistry, *, asynchronous: bool) -> None:
        """The call that failed goes on to another model, each of which is a call."""
        runnable = Own(model="first", fails_at=0).with_fallbacks([Own(model="second"), Own(model="third")])
        assert await ask(runnable, asynchronous=asynchronous) is None
        assert {("first", "chat", "second"): 1} == by_labels(registry, FALLBACKS, "model", "operation", "fallback")
        assert 0 == total(registry, EXHAUSTED)
        assert {"success": 1, "failure": 1} == recorded.outcomes(registry)

    async def test_exhausted(self, registry: CollectorRegistry, *, asynchronous: bool) -> None:
        """If no model answers, they are exhausted, for the one that was asked first."""
        runnable = Own(model="first", fails_at=0).with_fallbacks([Own(model="second", fails_at=0)])
        assert await ask(runnable, asynchronous=asynchronous) is not None
        assert {("first", "second"): 1} == by_labels(registry, FALLBACKS, "model", "fallback")
        assert {("first",): 1} == by_labels(registry, EXHAUSTED, "model")

    async def test_nested(self, registry: CollectorRegistry, *, asynchronous: bool) -> None:
        """A fallback may have fallbacks."""
        inner = Own(model="first", fails_at=0).with_fallbacks([Own(model="second", fails_at=0)])
        assert await ask(inner.with_fallbacks([Own(model="third")]), asynchronous=asynchronous) is None
        assert {("first", "second"): 1, ("second", "third"): 1} == by_labels(registry, FALLBACKS, "model", "fallback")

    async def test_same_model(self, registry: CollectorRegistry, *, asynchronous: bool) -> None:
        """The same model again is no other one, and what nobody failed in goes on to none."""
        again = Own(model="first", fails_at=0).with_fallbacks([Own(model="first")])
        assert await ask(again, asynchronous=asynchronous) is None
        assert await ask(Own(model="first").with_fallbacks([Own(model="second")]), asynchronous=asynchronous) is None
        assert await ask(Own(model="third"), asynchronous=asynchronous) is None
        assert recorded.absent(registry, FALLBACKS)


def test_attempts(openai_server: OpenAIServer, metrics: MLMetrics, registry: CollectorRegistry) -> None:
    """What an SDK sends inside of a model are attempts of its call, also where that SDK is instrumented too."""
    openai_server.queue(*failing(500, 429), *failing(503))
    Forwarding(model="outer", url=f"{openai_server.url}/v1").invoke("any")
    with metrics.instrument_openai():
        Forwarding(model="outer", url=f"{openai_server.url}/v1").invoke("any")
    verify_attempts(openai_server, registry, again=3)
    assert {("outer",)} == set(by_labels(registry, "ml_inference_retries_total", "model"))
    assert {"stop": 1} == finished(registry)
