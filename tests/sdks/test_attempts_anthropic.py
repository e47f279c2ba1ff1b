"""The attempts of calls of the `anthropic` SDK, which makes them again by itself; limits in headers; finish reasons."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests import recorded
from tests.sdks.asking import Case
from tests.sdks.attempts import ERRORS, LIMIT, REMAINING, RETRIES, counted, failing, finished, told, verify_attempts
from tests.sdks.servers import AnthropicServer, Scenario
from tests.sdks.test_calls_anthropic import client_of

pytestmark = pytest.mark.usefixtures("frozen")
ASKED: dict[str, Any] = {"model": "asked", "max_tokens": 9, "messages": [{"role": "user", "content": "say these four"}]}
BILLING = {"type": "error", "error": {"type": "billing_error", "message": "any"}}
LIMITS = {
    "anthropic-ratelimit-requests-limit": "4000",
    "anthropic-ratelimit-requests-remaining": "3999",
    "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:00Z",
    "anthropic-ratelimit-input-tokens-limit": "2000000",
    "anthropic-ratelimit-input-tokens-remaining": "1900000",
    "anthropic-ratelimit-output-tokens-limit": "400000",
    "anthropic-ratelimit-output-tokens-remaining": "0",
}


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Iterator[MLMetrics]:
    """Return a toolkit that records the SDK."""
    toolkit = MLMetrics(service="tests", registry=registry)
    with toolkit.instrument_anthropic():
        yield toolkit


class Asking:
    """Asks the server by the sync or the async client."""

    def __init__(self, server: AnthropicServer, *, asynchronous: bool) -> None:
        self.server = server
        self._asynchronous = asynchronous

    def ask(self, case: Case, **more: Any) -> Any:
        """Ask for a message, read the answer, and return what was raised."""
        if scenarios := case.scenarios():
            self.server.queue(*scenarios)
        try:
            if self._asynchronous:
                asyncio.run(self._ask_async(case, more))
            else:
                with client_of(self.server, case) as client:
                    answer = client.messages.create(**ASKED, **more)
                    if more.get("stream"):
                        list(answer)
        except Exception as error:  # noqa: BLE001 (of the SDK, or of its HTTP client)
            return error
        return None

    async def _ask_async(self, case: Case, more: dict[str, Any]) -> None:
        async with client_of(self.server, case, asynchronous=True) as client:
            answer = await client.messages.create(**ASKED, **more)
            if more.get("stream"):
                async for _ in answer:
                    pass


@pytest.fixture(params=["sync", "async"])
def asking(anthropic_server: AnthropicServer, metrics: MLMetrics, request: pytest.FixtureRequest) -> Asking:
    """Return what asks the server."""
    del metrics
    return Asking(anthropic_server, asynchronous=request.param == "async")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
class TestAttempts:
    """Attempts that fail, and are made again."""

    def test_again(self, asking: Asking, registry: CollectorRegistry, *, stream: bool) -> None:
        """Each request that was rejected is one, and each is made again until one is answered."""
        assert asking.ask(Case(lambda: failing(429, 529, 500), retries=3), stream=stream) is None
        verify_attempts(asking.server, registry, again=3)
        assert {"rate_limit": 1, "server_error": 2} == counted(registry, RETRIES)
        assert {"success": 1} == recorded.outcomes(registry)

    def test_given_up(self, asking: Asking, registry: CollectorRegistry, *, stream: bool) -> None:
        """The last one is not made again."""
        assert asking.ask(Case(lambda: failing(500, 529)[:2], retries=1), stream=stream) is not None
        verify_attempts(asking.server, registry, again=1)
        assert {"failure": 1} == recorded.outcomes(registry)

    def test_refused(self, asking: Asking, registry: CollectorRegistry, *, stream: bool) -> None:
        """What is not tried again counts once."""
        assert asking.ask(Case(lambda: [Scenario(status=401)], retries=2), stream=stream) is not None
        assert {"authentication": 1} == counted(registry, ERRORS)
        assert {} == counted(registry, RETRIES)

    def test_quota(self, asking: Asking, registry: CollectorRegistry, *, stream: bool) -> None:
        """What is not paid for is a quota, by its type."""
        assert asking.ask(Case(lambda: [Scenario(status=403, rejection=BILLING)]), stream=stream) is not None
        assert {"quota": 1} == counted(registry, ERRORS)

    def test_timeout(self, asking: Asking, registry: CollectorRegistry, *, stream: bool) -> None:
        """One that takes too long is a timeout."""
        case = Case(lambda: [Scenario(timed_out=True), Scenario()], timeout=0.3, retries=1)
        assert asking.ask(case, stream=stream) is None
        assert {"timeout": 1} == counted(registry, RETRIES)

    def test_finish(self, asking: Asking, registry: CollectorRegistry, *, stream: bool) -> None:
        """A call that is answered at once counts no attempt; its answer ends once."""
        assert asking.ask(Case(), stream=stream) is None
        assert recorded.absent(registry, ERRORS)
        assert {"end_turn": 1} == finished(registry)


class TestInside:
    """An attempt whose answer had begun."""

    def test_error(self, asking: Asking, registry: CollectorRegistry) -> None:
        """An error inside a stream counts by its type: the provider is overloaded."""
        assert asking.ask(Case(lambda: [Scenario(error_at=2)]), stream=True) is not None
        assert {"server_error": 1} == counted(registry, ERRORS)
        assert {} == counted(registry, RETRIES)


class TestLimits:
    """What headers say of the provider's limits."""

    @pytest.mark.parametrize("scenario", [{}, {"status": 429}], ids=["ok", "limited"])
    def test_limits(self, asking: Asking, registry: CollectorRegistry, scenario: dict[str, Any]) -> None:
        """Requests, and tokens of the input and of the output."""
        asking.ask(Case(lambda: [Scenario(headers=LIMITS, **scenario)]), stream=True)
        expected = {"requests": 4000, "input_tokens": 2000000, "output_tokens": 400000}
        assert expected == {name: told(registry, LIMIT)[name] for name in expected}
        assert {"requests": 3999, "input_tokens": 1900000}.items() <= told(registry, REMAINING).items()
        assert 0 == recorded.value(registry, REMAINING, limit="output_tokens", model="asked")
