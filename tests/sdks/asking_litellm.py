"""What tests of LiteLLM share: it holds streams for longer than the program that asked for them."""

import gc

import litellm
from prometheus_client import CollectorRegistry

from tests import recorded
from tests.programs import wait_until


def dropped(registry: CollectorRegistry) -> None:
    """Wait until LiteLLM, too, has dropped a stream: its logging holds it for some time, or until the next call."""

    def ended() -> bool:
        litellm.error_logs.clear()
        gc.collect()
        return recorded.in_progress(registry) == 0

    wait_until(ended, timeout=10, what=lambda: "the stream is still in progress")
