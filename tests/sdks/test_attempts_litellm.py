"""The attempts of calls of LiteLLM, whoever makes them again, and its fallbacks to other models."""

from collections.abc import Iterator
from typing import Any

import httpx
import litellm
import pytest
from litellm.integrations.custom_logger import CustomLogger
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests import recorded
from tests.sdks.asking import by_labels, got, total
from tests.sdks.attempts import ERRORS, REMAINING, RETRIES, counted, failing, finished, told, verify_attempts
from tests.sdks.servers import OpenAIServer, Scenario
from tests.sdks.test_calls_litellm import Asking

pytestmark = pytest.mark.usefixtures("frozen")
FALLBACKS, EXHAUSTED = "ml_inference_fallbacks_total", "ml_inference_fallbacks_exhausted_total"


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Iterator[MLMetrics]:
    """Return a toolkit that records LiteLLM."""
    toolkit = MLMetrics(service="tests", registry=registry)
    with toolkit.instrument_litellm():
        yield toolkit


@pytest.fixture(params=["sync", "async"])
def asking(openai_server: OpenAIServer, metrics: MLMetrics, request: pytest.FixtureRequest) -> Asking:
    """Return what asks the server while LiteLLM is recorded."""
    del metrics
    return Asking(openai_server, asynchronous=request.param == "async")


@pytest.fixture
def placed(openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Say where the server is by the environment too: earlier releases do not tell a fallback of an async call."""
    monkeypatch.setenv("OPENAI_API_BASE", f"{openai_server.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "any")


def played(asking: Asking, *scenarios: Scenario, **more: Any) -> BaseException | None:
    """Ask for a chat whose requests meet these; return what was raised."""
    asking.server.queue(*scenarios)

    async def program() -> None:
        answer = await got(asking.chat(**more))
        if more.get("stream"):
            await asking.read(answer)

    return asking.play(program)


class TestAttempts:
    """Attempts that fail, and are made again."""

    def test_sdk(self, asking: Asking, registry: CollectorRegistry) -> None:
        """The SDK inside makes them again."""
        assert played(asking, *failing(500, 429), max_retries=2) is None
        verify_attempts(asking.server, registry, again=2)
        assert {"success": 1} == recorded.outcomes(registry)
        assert {"stop": 1} == finished(registry)

    def test_own(self, asking: Asking, registry: CollectorRegistry) -> None:
        """LiteLLM makes them again by tenacity: also where that is instrumented, each counts once."""
        with MLMetrics(service="tests", registry=registry).instrument_tenacity():
            assert played(asking, *failing(429), num_retries=2) is None
        verify_attempts(asking.server, registry, again=1)
        assert {"success": 1} == recorded.outcomes(registry)

    def test_given_up(self, asking: Asking, registry: CollectorRegistry) -> None:
        """The last one is not made again."""
        assert played(asking, Scenario(status=401)) is not None
        verify_attempts(asking.server, registry, again=0)
        assert {"authentication": 1} == counted(registry, ERRORS)

    def test_stream(self, asking: Asking, registry: CollectorRegistry) -> None:
        """A stream is tried again before its first chunk, and ends once."""
        assert played(asking, *failing(500), max_retries=1, stream=True) is None
        verify_attempts(asking.server, registry, again=1)
        assert {"stop": 1} == finished(registry)

    def test_limits(self, asking: Asking, registry: CollectorRegistry) -> None:
        """What the provider says of its limits has the model that LiteLLM was asked for."""
        assert played(asking, Scenario(headers={"x-ratelimit-remaining-requests": "3"})) is None
        assert 3 == told(registry, REMAINING)["requests"]
        assert 3 == recorded.value(registry, REMAINING, model="openai/asked", limit="requests")


class Posting(CustomLogger):  # type: ignore[misc]  # litellm is not installed where types are checked
    """A logger that posts what it is told, to somebody who refuses that."""

    def __init__(self) -> None:
        super().__init__()
        self.posted = 0

    def post(self, *_told: object, **_more: object) -> None:
        """Post it."""
        with httpx.Client(transport=httpx.MockTransport(lambda _request: httpx.Response(404))) as client:
            client.post("http://logs.invalid/")
        self.posted += 1

    async def post_async(self, *_told: object, **_more: object) -> None:
        """Post it."""
        self.post()

    log_pre_api_call = log_post_api_call = log_success_event = log_failure_event = post
    async_log_success_event = async_log_failure_event = post_async


LOGGERS = "callbacks", "input_callback", "success_callback", "failure_callback"


class TestLoggers:
    """Loggers, whose requests are no attempts."""

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_posting(
        self, asking: Asking, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch, *, stream: bool
    ) -> None:
        """Only what the provider rejected counts."""
        logger = Posting()
        for name in (*LOGGERS, *(f"_async_{name}" for name in LOGGERS[1:])):
            monkeypatch.setattr(litellm, name, [logger] if name == LOGGERS[0] else [])
        assert played(asking, *failing(500), num_retries=1, max_retries=0, stream=stream) is None
        assert logger.posted
        assert {"server_error": 1} == counted(registry, ERRORS)
        assert {"server_error": 1} == counted(registry, RETRIES)


# Earlier releases leave their logging behind when they fall back in a loop of their own.
@pytest.mark.filterwarnings("ignore:coroutine 'Logging", "ignore:Exception ignored in. <coroutine object Logging")
@pytest.mark.usefixtures("placed")
class TestFallbacks:
    """`fallbacks=`."""

    def test_answered(self, asking: Asking, registry: CollectorRegistry) -> None:
        """The call goes on to another model, which answers; that is no retry."""
        assert played(asking, Scenario(status=401), Scenario(), fallbacks=["openai/second"]) is None
        labels = by_labels(registry, FALLBACKS, "model", "operation", "fallback")
        assert {("openai/asked", "chat", "openai/second"): 1} == labels
        assert 0 == total(registry, EXHAUSTED)
        assert {"authentication": 1} == counted(registry, ERRORS)
        assert {} == counted(registry, RETRIES)
        assert {"success": 1} == recorded.outcomes(registry)

    def test_exhausted(self, asking: Asking, registry: CollectorRegistry) -> None:
        """If no model answers, they are exhausted."""
        scenarios = failing(401, 401, 401)[:3]
        assert played(asking, *scenarios, fallbacks=["openai/second", "openai/third"]) is not None
        assert {("openai/second",): 1, ("openai/third",): 1} == by_labels(registry, FALLBACKS, "fallback")
        assert 1 == total(registry, EXHAUSTED)
        assert {"authentication": 3} == counted(registry, ERRORS)
        assert {} == counted(registry, RETRIES)
        assert {"failure": 1} == recorded.outcomes(registry)

    def test_none(self, asking: Asking, registry: CollectorRegistry) -> None:
        """A call whose first model answers goes on to none."""
        assert played(asking, Scenario(), fallbacks=["openai/second"]) is None
        assert recorded.absent(registry, FALLBACKS)


class TestRouter:
    """A router, whose attempts are calls of their own."""

    def test_retries(self, asking: Asking, registry: CollectorRegistry) -> None:
        """Each attempt of a router is a call; what failed counts, and nothing is told to be made again."""
        deployment = {"model_name": "any", "litellm_params": {"model": "openai/asked", **asking.place}}
        router = litellm.Router([deployment], num_retries=1, retry_after=0)
        asking.server.queue(*failing(500))

        async def program() -> None:
            ask: Any = router.acompletion if asking.asynchronous else router.completion
            await got(ask(model="any", messages=[{"role": "user", "content": "any"}]))

        assert asking.play(program) is None
        assert {"success": 1, "failure": 1} == recorded.outcomes(registry)
        assert {"server_error": 1} == counted(registry, ERRORS)
        assert {} == counted(registry, RETRIES)
