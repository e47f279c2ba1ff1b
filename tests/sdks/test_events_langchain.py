"""The events of LangChain's protocol, which LangChain 0.3 does not have: a model's run is read as them."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests.sdks.asking import total
from tests.sdks.test_calls_langchain import SPENT, Own, verify

pytestmark = pytest.mark.usefixtures("frozen")


def test_events(registry: CollectorRegistry) -> None:
    """The events are chunks, too."""
    with MLMetrics(service="tests", registry=registry).instrument_langchain():
        stream: Any = Own().stream_events("any", version="v3")
        list(stream)
    verify(registry, {"success": 1}, SPENT)
    assert 1 == total(registry, "ml_inference_first_chunk_seconds_count")
