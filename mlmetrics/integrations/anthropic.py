"""The SDK of Anthropic."""

from typing import Any

from mlmetrics.calls.recorder import Recorder
from mlmetrics.handle import Instrumentation
from mlmetrics.integrations.patches import SDK, Patching
from mlmetrics.integrations.stainless import Requests

ANTHROPIC = SDK("anthropic", "anthropic", "anthropic", lowest=(0, 47, 2), below=(3,))
OPERATIONS = {"/v1/messages": "messages", "/v1/complete": "completions"}


def instrument(recorder: Recorder) -> Instrumentation:
    """Record every call of the SDK; see `instrument_anthropic`."""
    ANTHROPIC.check("instrument_anthropic")
    requests = Requests(recorder, OPERATIONS, provider_of)
    return Patching(ANTHROPIC, requests.patches("anthropic"), recorder.store.failed).apply()


def provider_of(_client: Any) -> str:
    """Return who a client asks. Models of Anthropic cost the same where others serve them."""
    return "anthropic"
