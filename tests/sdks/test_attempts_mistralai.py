"""The attempts of calls of the `mistralai` SDK, which makes them again if its client is told to."""

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests import recorded
from tests.sdks.attempts import ERRORS, LIMIT, REMAINING, counted, failing, finished, told, verify_attempts
from tests.sdks.servers import MistralServer, Scenario
from tests.sdks.test_calls_mistralai import ASKED, KEY

try:
    from mistralai.client import Mistral, utils
except ImportError:  # before 2.0
    from mistralai import Mistral, utils

pytestmark = pytest.mark.usefixtures("frozen")
WAYS = ("complete", "complete_async", "stream", "stream_async")
LIMITS = {"x-ratelimit-limit-req-minute": "60", "x-ratelimit-remaining-req-minute": "59"}


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Iterator[MLMetrics]:
    """Return a toolkit that records the SDK."""
    toolkit = MLMetrics(service="tests", registry=registry)
    with toolkit.instrument_mistralai():
        yield toolkit


async def ask(server: MistralServer, way: str, *, again: bool = True) -> Any:
    """Ask for a chat, read the answer, and return what was raised; tries again for a quarter of a second."""
    backoff = utils.BackoffStrategy(1, 1, 1.0, 250)
    retries = utils.RetryConfig("backoff", backoff, retry_connection_errors=True) if again else None
    async with Mistral(api_key=KEY, server_url=server.url, retry_config=retries) as client:
        with client:
            try:
                answer = getattr(client.chat, way)(**ASKED)
                answer = await answer if way.endswith("async") else answer
                if way == "stream":
                    list(answer)
                elif way == "stream_async":
                    async for _ in answer:
                        pass
            except Exception as error:  # noqa: BLE001 (whatever the SDK raises)
                return error
    return None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.usefixtures("metrics")
class TestAttempts:
    """Attempts that fail, and are made again."""

    async def test_again(self, mistral_server: MistralServer, registry: CollectorRegistry, way: str) -> None:
        """Each request that was rejected is one, and each is made again until one is answered."""
        mistral_server.queue(*failing(429, 503))
        assert await ask(mistral_server, way) is None
        verify_attempts(mistral_server, registry, again=2)
        assert {"success": 1} == recorded.outcomes(registry)
        assert {"stop": 1} == finished(registry)

    async def test_refused(self, mistral_server: MistralServer, registry: CollectorRegistry, way: str) -> None:
        """What is not tried again counts once."""
        mistral_server.queue(Scenario(status=401))
        assert await ask(mistral_server, way) is not None
        verify_attempts(mistral_server, registry, again=0)
        assert {"authentication": 1} == counted(registry, ERRORS)

    async def test_limits(self, mistral_server: MistralServer, registry: CollectorRegistry, way: str) -> None:
        """Its headers tell the limits of a minute; a call that is answered at once counts no attempt."""
        mistral_server.queue(Scenario(headers=LIMITS))
        assert await ask(mistral_server, way, again=False) is None
        assert 60 == told(registry, LIMIT)["requests"]
        assert 59 == told(registry, REMAINING)["requests"]
        assert recorded.absent(registry, ERRORS)
