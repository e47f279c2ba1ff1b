"""`instrument_anthropic`: its handle, when it takes hold, and what it labels a call by."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests.sdks.asking import by_labels
from tests.sdks.asking_anthropic import ASKED
from tests.sdks.handles import Asking, Handles
from tests.sdks.servers import AnthropicServer, Scenario
from tests.sdks.test_calls_anthropic import client_of

pytestmark = pytest.mark.usefixtures("frozen")
ASKING = Asking(
    name="anthropic",
    client=anthropic.Anthropic,
    method="messages.create",
    operation="messages",
    given=ASKED,
    stream={"stream": True},
    answer={"id": "1", "type": "message", "role": "assistant", "model": "asked", "content": []},
)


@pytest.fixture
def server(anthropic_server: AnthropicServer) -> AnthropicServer:
    """Return the server."""
    return anthropic_server


@pytest.fixture
def client(anthropic_server: AnthropicServer) -> Iterator[Any]:
    """Return a client of the server."""
    with client_of(anthropic_server) as client:
        yield client


class TestHandle(Handles):
    """The handle of `anthropic`."""

    asking = ASKING


def test_provider(anthropic_server: AnthropicServer, registry: CollectorRegistry, client: Any) -> None:
    """The model is the one asked for; which one answered, and the provider, are told beside it."""
    anthropic_server.queue(Scenario(response_model="asked-20260101"))
    with MLMetrics(service="tests", registry=registry).instrument_anthropic():
        ASKING(client, model="asked")
    labels = by_labels(registry, "ml_inference_response_model_info", "model", "response_model", "provider")
    assert {("asked", "asked-20260101", "anthropic"): 1} == labels
