"""The ledger matrix of the `openai` SDK: however a program asks, and whatever comes, each call is told exactly."""

from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests.conftest import Clock
from tests.sdks import asking_openai as ways
from tests.sdks.asking import CASES, Case, Played, Way, play, verify
from tests.sdks.servers import OpenAIServer, Scenario

pytestmark = pytest.mark.usefixtures("frozen")
KEY = "sk-planted-0123456789"


def client_of(server: OpenAIServer, case: Case, *, asynchronous: bool) -> Callable[[], Any]:
    """Return what makes a client of the server; without certificates, which loopback does not need."""
    kind: Any = openai.AsyncOpenAI if asynchronous else openai.OpenAI
    sending: Any = openai.DefaultAsyncHttpxClient if asynchronous else openai.DefaultHttpxClient

    def make() -> Any:
        return kind(
            base_url=f"{server.url}/v1",
            api_key=KEY,
            timeout=case.timeout,
            max_retries=case.retries,
            http_client=sending(verify=False),
        )

    return make


@pytest.fixture(params=["sync", "async"])
def asynchronous(request: pytest.FixtureRequest) -> bool:
    """Say which client asks."""
    return bool(request.param == "async")


@pytest.fixture
def toolkit(registry: CollectorRegistry, clock: Clock) -> Iterator[MLMetrics]:
    """Return a toolkit that records the SDK, and whose time stands still."""
    metrics = MLMetrics(service="tests", registry=registry, clock=clock)
    with metrics.instrument_openai():
        yield metrics


class Plays:
    """Runs a program as it is, and again with the instrument."""

    def __init__(self, server: OpenAIServer, registry: CollectorRegistry) -> None:
        self.server = server
        self.metrics = MLMetrics(service="tests", registry=registry)

    def once(self, way: Way, case: Case, *, asynchronous: bool) -> Played:
        """Run a program; the ledger then has this run only."""
        self.server.reset()
        self.server.cached.add(ways.CACHED)
        scenarios = case.scenarios()
        if scenarios:
            self.server.queue(*scenarios)
        return play(way.ask, client_of(self.server, case, asynchronous=asynchronous), asynchronous=asynchronous)

    def compared(self, way: Way, case: Case, *, asynchronous: bool) -> Played:
        """Run a program both ways, and check that it sees the same."""
        bare = self.once(way, case, asynchronous=asynchronous)
        with self.metrics.instrument_openai():
            played = self.once(way, case, asynchronous=asynchronous)
        assert bare.seen == played.seen
        return played


@pytest.fixture
def plays(openai_server: OpenAIServer, registry: CollectorRegistry) -> Plays:
    """Return what runs programs."""
    return Plays(openai_server, registry)


class TestLedger:
    """Every way of asking, in every case: outcome, error type, tokens and missing usage against the ledger."""

    @pytest.mark.parametrize("case", CASES)
    @pytest.mark.parametrize("way", ways.WAYS, ids=lambda way: way.name)
    def test_told(self, plays: Plays, registry: CollectorRegistry, way: Way, case: str, *, asynchronous: bool) -> None:
        """A call that is read to its end is told as the server and the program saw it."""
        if CASES[case].only_streams and not way.streams:
            return
        played = plays.compared(way, CASES[case], asynchronous=asynchronous)
        verify(way, played, plays.server, registry)

    @pytest.mark.parametrize("way", ways.LEFT, ids=lambda way: way.name)
    def test_left(self, plays: Plays, registry: CollectorRegistry, way: Way, *, asynchronous: bool) -> None:
        """A stream that its program leaves is cancelled."""
        played = plays.compared(way, Case(lambda: [Scenario(hold_at=2)]), asynchronous=asynchronous)
        assert played.error is None
        verify(Way(way.ask, way.operation, streams=True, reads=False, told=False), played, plays.server, registry)
