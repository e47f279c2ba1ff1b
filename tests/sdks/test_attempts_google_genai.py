"""The attempts of requests of the `google-genai` SDK, which makes them again if its client is told to."""

from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext

import pytest
from google import genai
from google.genai import errors, types
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests import recorded
from tests.sdks.attempts import ERRORS, RETRIES, counted, failing, finished, verify_attempts
from tests.sdks.servers import GeminiServer, Scenario
from tests.sdks.test_calls_google_genai import ALL, WAYS, Way, connected

pytestmark = pytest.mark.usefixtures("frozen")
AGAIN = types.HttpRetryOptions(attempts=3, initial_delay=0.001, max_delay=0.001, jitter=0.001)
DAY = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "RequestsPerDay-FreeTier"}]}
DAILY = {"error": {"code": 429, "message": "any", "status": "RESOURCE_EXHAUSTED", "details": [DAY]}}


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Iterator[MLMetrics]:
    """Return a toolkit that records the SDK."""
    toolkit = MLMetrics(service="tests", registry=registry)
    with toolkit.instrument_google_genai():
        yield toolkit


@pytest.fixture
async def client(gemini_server: GeminiServer, metrics: MLMetrics) -> AsyncIterator[genai.Client]:
    """Return a client that tries again, without waiting."""
    del metrics
    async with connected(gemini_server, retry_options=AGAIN) as client:
        yield client


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Return each way to ask."""
    return WAYS[request.param]


class TestAttempts:
    """Attempts that fail, and are made again."""

    async def test_again(
        self, gemini_server: GeminiServer, client: genai.Client, registry: CollectorRegistry, way: Way
    ) -> None:
        """Each request that was rejected is one, and each is made again until one is answered."""
        gemini_server.queue(*failing(429, 503))
        await way(client, ALL)
        verify_attempts(gemini_server, registry, again=2)
        assert {"success": 1} == recorded.outcomes(registry)
        assert {"stop": 1} == finished(registry)

    async def test_given_up(
        self, gemini_server: GeminiServer, client: genai.Client, registry: CollectorRegistry, way: Way
    ) -> None:
        """The last one is not made again."""
        gemini_server.queue(*failing(503, 503, 503)[:3])
        with pytest.raises(errors.APIError):
            await way(client, ALL)
        verify_attempts(gemini_server, registry, again=2)
        assert {"failure": 1} == recorded.outcomes(registry)

    async def test_quota(
        self, gemini_server: GeminiServer, metrics: MLMetrics, registry: CollectorRegistry, way: Way
    ) -> None:
        """A quota of a day is told by its id."""
        del metrics
        gemini_server.queue(Scenario(status=429, rejection=DAILY))
        async with connected(gemini_server) as client:
            with pytest.raises(errors.APIError):
                await way(client, ALL)
        assert {"quota": 1} == counted(registry, ERRORS)
        assert {} == counted(registry, RETRIES)

    async def test_at_once(self, client: genai.Client, registry: CollectorRegistry, way: Way) -> None:
        """A call that is answered at once counts none."""
        await way(client, ALL)
        assert recorded.absent(registry, ERRORS)
        assert {"stop": 1} == finished(registry)


@pytest.mark.parametrize("with_tenacity", [False, True], ids=["alone", "with tenacity"])
async def test_once(
    gemini_server: GeminiServer,
    client: genai.Client,
    metrics: MLMetrics,
    registry: CollectorRegistry,
    *,
    with_tenacity: bool,
) -> None:
    """The SDK tries again by tenacity: also where that is instrumented, each attempt counts once."""
    gemini_server.queue(*failing(429))
    with metrics.instrument_tenacity() if with_tenacity else nullcontext():
        client.models.generate_content(model="asked", contents="any")
    verify_attempts(gemini_server, registry, again=1)
