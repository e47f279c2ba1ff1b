"""Attempts within a call, whichever SDK makes it: requests of a real HTTP client to servers that are functions."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.integrations import layers
from mlmetrics.integrations.http import Attempts
from mlmetrics.integrations.patches import SDK, Patching
from tests import recorded
from tests.integrations.trying import ERRORS, RETRIES, counted

HTTPX = SDK("httpx", "httpx", "httpx", lowest=(0,), below=(9,))
URL = "http://provider.invalid/"


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Iterator[MLMetrics]:
    """Return a toolkit that sees the requests of httpx."""
    toolkit = MLMetrics(service="tests", registry=registry)
    patches = Attempts(toolkit).patches()
    with Patching(HTTPX, patches, toolkit.store.failed).apply():
        yield toolkit


@pytest.fixture
def call(metrics: MLMetrics) -> layers.ProviderCall:
    """Return a call that has begun."""
    begun = layers.begin(metrics, "gpt-4", "chat", "openai")
    assert begun is not None
    return begun


def answering(*statuses: int) -> Callable[[httpx.Request], httpx.Response]:
    """Return a server that answers by these statuses, one after the other."""
    left = iter(statuses)
    return lambda _request: httpx.Response(next(left))


class TestAttempts:
    """`Attempts`, whichever way the requests of a call are sent."""

    def test_one_after_the_other(self, call: layers.ProviderCall, registry: CollectorRegistry) -> None:
        """Each that failed counts once, and is made again if another one follows."""
        with layers.within(call), httpx.Client(transport=httpx.MockTransport(answering(429, 500))) as client:
            for _ in range(2):
                client.post(URL)
        call.raised(RuntimeError())
        assert {("gpt-4", "rate_limit"): 1, ("gpt-4", "server_error"): 1} == counted(registry, ERRORS)
        assert {("gpt-4", "rate_limit"): 1} == counted(registry, RETRIES)

    def test_at_the_same_time(self, call: layers.ProviderCall, registry: CollectorRegistry) -> None:
        """Of requests that one call sends at the same time, none is lost."""

        async def asked(status: int, everyone: asyncio.Barrier) -> None:
            statuses = iter((status, 200))

            async def answer(_request: httpx.Request) -> httpx.Response:
                await everyone.wait()  # all are on their way
                return httpx.Response(next(statuses))

            async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
                await client.post(URL)
                await everyone.wait()  # all wait before they try again
                await client.post(URL)

        async def program() -> None:
            everyone = asyncio.Barrier(3)
            with layers.within(call):
                await asyncio.gather(*(asked(status, everyone) for status in (429, 500, 401)))

        asyncio.run(program())
        call.returned({})
        failed = {("gpt-4", reason): 1 for reason in ("rate_limit", "server_error", "authentication")}
        assert failed == counted(registry, ERRORS)
        assert failed == counted(registry, RETRIES)

    def test_own_requests(self, call: layers.ProviderCall, registry: CollectorRegistry) -> None:
        """What the program sends outside of the call, or after it, is none."""
        with httpx.Client(transport=httpx.MockTransport(answering(500, 500))) as client:
            client.post(URL)
            with layers.within(call):
                call.returned({})
                client.post(URL)
        assert recorded.absent(registry, ERRORS)
        assert {} == recorded.errors(registry)

    def test_within_an_attempt(self, call: layers.ProviderCall, registry: CollectorRegistry) -> None:
        """What a hook of the HTTP client sends while it sends an attempt is no other one."""
        other = httpx.Client(transport=httpx.MockTransport(answering(401, 401)))

        def ask_other(_request: httpx.Request) -> None:
            other.post(URL)

        transport, hooks = httpx.MockTransport(answering(500, 200)), {"request": [ask_other]}
        with other, layers.within(call), httpx.Client(transport=transport, event_hooks=hooks) as client:
            for _ in range(2):
                client.post(URL)
        call.returned({})
        assert {("gpt-4", "server_error"): 1} == counted(registry, ERRORS)
        assert {("gpt-4", "server_error"): 1} == counted(registry, RETRIES)

    def test_interleaved_handles(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Handles of two toolkits that were made in turns each count an attempt once."""
        other = MLMetrics(service="tests", registry=CollectorRegistry())
        calls = [layers.begin(each, "gpt-4", "chat", "openai") for each in (metrics, other)]
        handles = [Patching(HTTPX, Attempts(each).patches(), each.store.failed).apply() for each in (other, metrics)]
        with ExitStack() as stack:
            for call, handle in zip(calls, handles, strict=True):
                assert call is not None
                stack.enter_context(handle)
                stack.callback(call.raised, RuntimeError())
                stack.enter_context(layers.within(call))
            stack.enter_context(httpx.Client(transport=httpx.MockTransport(answering(500)))).post(URL)
        assert {("gpt-4", "server_error"): 1} == counted(registry, ERRORS)
        assert {("gpt-4", "server_error"): 1} == counted(other.registry, ERRORS)
