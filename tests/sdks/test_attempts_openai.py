"""The attempts of calls of the `openai` SDK, which makes them again by itself; limits in headers; finish reasons."""

import asyncio
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from mlmetrics import MLMetrics
from tests import recorded
from tests.sdks import asking_openai as ways
from tests.sdks.asking import Case
from tests.sdks.attempts import ERRORS, LIMIT, REMAINING, RETRIES, counted, failing, finished, told, verify_attempts
from tests.sdks.servers import OpenAIServer, Scenario
from tests.sdks.test_calls_openai import client_of
from tests.sdks.wire import post

pytestmark = pytest.mark.usefixtures("frozen")
QUOTA = {"error": {"message": "any", "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}}
SECRET = "planted-header"  # noqa: S105 (planted to be searched for)


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Iterator[MLMetrics]:
    """Return a toolkit that records the SDK."""
    toolkit = MLMetrics(service="tests", registry=registry)
    with toolkit.instrument_openai():
        yield toolkit


class Asking:
    """Asks the server by the sync or the async client."""

    def __init__(self, server: OpenAIServer, *, asynchronous: bool) -> None:
        self.server = server
        self._asynchronous = asynchronous

    def ask(self, case: Case, **more: Any) -> Any:
        """Ask for a chat, read the answer, and return what was raised."""
        if scenarios := case.scenarios():
            self.server.queue(*scenarios)
        try:
            if self._asynchronous:
                asyncio.run(self._ask_async(case, more))
            else:
                with client_of(self.server, case) as client:
                    answer = ways.chat(client.chat.completions, **more)
                    if more.get("stream"):
                        list(answer)
        except Exception as error:  # noqa: BLE001 (of the SDK, or of its HTTP client)
            return error
        return None

    async def _ask_async(self, case: Case, more: dict[str, Any]) -> None:
        async with client_of(self.server, case, asynchronous=True) as client:
            answer = await ways.chat(client.chat.completions, **more)
            if more.get("stream"):
                async for _ in answer:
                    pass


@pytest.fixture(params=["sync", "async"])
def asking(openai_server: OpenAIServer, metrics: MLMetrics, request: pytest.FixtureRequest) -> Asking:
    """Return what asks the server."""
    del metrics
    return Asking(openai_server, asynchronous=request.param == "async")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
class TestAttempts:
    """Attempts that fail, and are made again."""

    def test_again(self, asking: Asking, registry: CollectorRegistry, *, stream: bool) -> None:
        """Each request that was rejected is one, and each is made again until one is answered."""
        assert asking.ask(Case(lambda: failing(429, 500, 503), retries=3), stream=stream) is None
        verify_attempts(asking.server, registry, again=3)
        assert {"rate_limit": 1, "server_error": 2} == counted(registry, RETRIES)
        assert {"success": 1} == recorded.outcomes(registry)

    def test_given_up(self, asking: Asking, registry: CollectorRegistry, *, stream: bool) -> None:
        """The last one is not made again."""
        assert asking.ask(Case(lambda: failing(500, 500)[:2], retries=1), stream=stream) is not None
        verify_attempts(asking.server, registry, again=1)
        assert {"failure": 1} == recorded.outcomes(registry)

    @pytest.mark.parametrize(
        ("status", "reason"), [(401, "authentication"), (403, "authentication"), (400, "bad_request")]
    )
    def test_refused(
        self, asking: Asking, registry: CollectorRegistry, status: int, reason: str, *, stream: bool
    ) -> None:
        """What is not tried again counts once."""
        assert asking.ask(Case(lambda: [Scenario(status=status)], retries=2), stream=stream) is not None
        assert {reason: 1} == counted(registry, ERRORS)
        assert {} == counted(registry, RETRIES)

    def test_quota(self, asking: Asking, registry: CollectorRegistry, *, stream: bool) -> None:
        """A quota that is used up has the status of a limit, and is told apart by its code."""
        case = Case(lambda: [Scenario(status=429, rejection=QUOTA)])
        assert isinstance(asking.ask(case, stream=stream), openai.RateLimitError)
        assert {"quota": 1} == counted(registry, ERRORS)

    def test_timeout(self, asking: Asking, registry: CollectorRegistry, *, stream: bool) -> None:
        """One that takes too long is a timeout."""
        case = Case(lambda: [Scenario(timed_out=True), Scenario()], timeout=0.3, retries=1)
        assert asking.ask(case, stream=stream) is None
        assert {"timeout": 1} == counted(registry, ERRORS)
        assert {"timeout": 1} == counted(registry, RETRIES)

    def test_at_once(self, asking: Asking, registry: CollectorRegistry, *, stream: bool) -> None:
        """A call that is answered at once counts none."""
        assert asking.ask(Case(), stream=stream) is None
        assert recorded.absent(registry, ERRORS)
        assert recorded.absent(registry, RETRIES)


class TestInside:
    """An attempt whose answer had begun."""

    def test_cut(self, asking: Asking, registry: CollectorRegistry) -> None:
        """A connection that breaks is a failed attempt, which is made again if nothing was handed on yet."""
        assert asking.ask(Case(lambda: [Scenario(cut_at=2), Scenario()], retries=1)) is None
        assert {"connection": 1} == counted(registry, ERRORS)
        assert {"connection": 1} == counted(registry, RETRIES)

    def test_cut_stream(self, asking: Asking, registry: CollectorRegistry) -> None:
        """That of a stream is not made again."""
        assert asking.ask(Case(lambda: [Scenario(cut_at=2)], retries=1), stream=True) is not None
        assert {"connection": 1} == counted(registry, ERRORS)
        assert {} == counted(registry, RETRIES)

    def test_error(self, asking: Asking, registry: CollectorRegistry) -> None:
        """An error inside a stream counts by its type."""
        assert asking.ask(Case(lambda: [Scenario(error_at=2)]), stream=True) is not None
        assert {"server_error": 1} == counted(registry, ERRORS)
        assert {} == counted(registry, RETRIES)


class TestOthers:
    """What is no attempt of a call."""

    def test_own_requests(self, openai_server: OpenAIServer, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Requests of the program's own are no attempts."""
        del metrics
        assert 404 == post(openai_server, "/any", {}).status_code
        assert recorded.absent(registry, ERRORS)

    def test_twice(self, openai_server: OpenAIServer, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Two handles of one toolkit count an attempt once; another toolkit counts its own."""
        other = MLMetrics(service="tests", registry=CollectorRegistry())
        with metrics.instrument_openai(), other.instrument_openai():
            asking = Asking(openai_server, asynchronous=False)
            assert asking.ask(Case(lambda: failing(500), retries=1)) is None
        for each in (registry, other.registry):
            assert {"server_error": 1} == counted(each, RETRIES)


class TestLimits:
    """What headers say of the provider's limits."""

    def test_last(self, asking: Asking, registry: CollectorRegistry) -> None:
        """The last response counts, be it an error or a stream."""
        left = {"x-ratelimit-limit-tokens": "160000", "x-ratelimit-remaining-tokens": "150000"}
        spent = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-remaining-requests": "17"}
        assert asking.ask(Case(lambda: [Scenario(headers=left)]), stream=True) is None
        assert 160000 == told(registry, LIMIT)["tokens"]
        assert 150000 == told(registry, REMAINING)["tokens"]
        assert asking.ask(Case(lambda: [Scenario(status=429, headers=spent)])) is not None
        assert 17 == told(registry, REMAINING)["requests"]
        assert 0 == recorded.value(registry, REMAINING, limit="tokens", model="asked")

    def test_no_number(self, asking: Asking, registry: CollectorRegistry) -> None:
        """A header that is no number is counted and logged once, without its value; the others are read."""
        strange = {"x-ratelimit-limit-tokens": SECRET, "x-ratelimit-remaining-tokens": "7"}
        with capture_logs() as logs:
            for _ in range(2):
                assert asking.ask(Case(lambda: [Scenario(headers=strange)])) is None
        assert {"rate_limit": 2} == recorded.errors(registry)
        assert 7 == told(registry, REMAINING)["tokens"]
        assert 1 == len([each for each in logs if "x-ratelimit-limit-tokens" in str(each)])
        assert SECRET not in str(logs)


class TestFinish:
    """Why answers ended."""

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_stop(self, asking: Asking, registry: CollectorRegistry, *, stream: bool) -> None:
        """Each answer is one, whole or streamed."""
        for _ in range(2):
            assert asking.ask(Case(), stream=stream) is None
        assert {"stop": 2} == finished(registry)

    def test_raw(self, openai_server: OpenAIServer, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """A raw response says it when it is read, and a response of the other API by its status."""
        del metrics
        with client_of(openai_server) as client:
            ways.chat(client.chat.completions.with_raw_response).parse()
            client.responses.create(model="asked", input="any")
        assert {"stop": 1, "completed": 1} == finished(registry)

    def test_once(self, openai_server: OpenAIServer, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """A decorated function that hands the answer on does not count it again."""

        @metrics.track_inference(model="outer")
        def ask(client: Any) -> Any:
            return ways.chat(client.chat.completions)

        with client_of(openai_server) as client:
            ask(client)
        assert {"stop": 1} == finished(registry)
