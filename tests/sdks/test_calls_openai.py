"""The ledger matrix of the `openai` SDK: however a program asks, and whatever comes, each call is told exactly."""

from typing import Any

import openai
import pytest
from prometheus_client import CollectorRegistry

from tests.apps import ThreadServer
from tests.sdks import asking_openai as ways
from tests.sdks.asking import CASES, Case, Plays, Way, matrix, verify
from tests.sdks.servers import OpenAIServer, Scenario

pytestmark = pytest.mark.usefixtures("frozen")
KEY = "sk-planted-0123456789"


def client_of(server: ThreadServer, case: Case = CASES["ok"], *, asynchronous: bool = False) -> Any:
    """Return a client of the server; without certificates, which loopback does not need."""
    kind: Any = openai.AsyncOpenAI if asynchronous else openai.OpenAI
    sending: Any = openai.DefaultAsyncHttpxClient if asynchronous else openai.DefaultHttpxClient
    return kind(
        base_url=f"{server.url}/v1",
        api_key=KEY,
        timeout=case.timeout,
        max_retries=case.retries,
        http_client=sending(verify=False),
    )


@pytest.fixture
def plays(openai_server: OpenAIServer, registry: CollectorRegistry) -> Plays:
    """Return what runs programs."""
    return Plays(openai_server, registry, client_of, "instrument_openai")


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
class TestLedger:
    """Every way of asking, in every case: outcome, error type, tokens and missing usage against the ledger."""

    @pytest.mark.parametrize(("way", "case"), matrix(ways.WAYS))
    def test_read(self, plays: Plays, registry: CollectorRegistry, way: Way, case: Case, *, asynchronous: bool) -> None:
        """A call that is read to its end is told as the server and the program saw it."""
        played = plays.compared(way, case, asynchronous=asynchronous)
        verify(way, played, plays.server, registry)

    @pytest.mark.parametrize("way", ways.LEFT, ids=lambda way: way.name)
    def test_left(self, plays: Plays, registry: CollectorRegistry, way: Way, *, asynchronous: bool) -> None:
        """A stream that its program leaves is cancelled."""
        played = plays.compared(way, Case(lambda: [Scenario(hold_at=2)]), asynchronous=asynchronous)
        assert played.error is None
        verify(way, played, plays.server, registry)
