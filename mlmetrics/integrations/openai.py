"""The SDK of OpenAI, which many others speak to as well: vLLM, FastChat, Azure, gateways."""

from collections.abc import Mapping
from typing import Any

from mlmetrics.calls.recorder import Recorder
from mlmetrics.integrations.patches import SDK, Instrumentation
from mlmetrics.integrations.stainless import Requests

OPENAI = SDK("openai", "openai", "openai", lowest=(1, 66), below=(4,))
OPERATIONS = {
    "/chat/completions": "chat",
    "/responses": "responses",
    "/completions": "completions",
    "/embeddings": "embeddings",
}


def instrument(recorder: Recorder, *, include_usage: bool = False) -> Instrumentation:
    """Record every call of the SDK; see `instrument_openai`."""
    OPENAI.check("instrument_openai")
    requests = Requests(recorder, OPERATIONS, provider_of, with_usage if include_usage else None)
    return Instrumentation(OPENAI, requests.patches("openai"), recorder.store.failed).apply()


def provider_of(client: Any) -> str:
    """Return who a client asks: `openai`, `azure`, or a server that only speaks the same protocol."""
    host = getattr(getattr(client, "base_url", None), "host", "")
    if host == "api.openai.com" or str(host).endswith(".openai.com"):
        return "openai"
    return "azure" if str(host).endswith((".openai.azure.com", ".azure.com")) else ""


def with_usage(options: Any) -> Any:
    """Return the options of a request whose stream says at its end what it used."""
    body = getattr(options, "json_data", None)
    if options.url != "/chat/completions" or not isinstance(body, Mapping) or not body.get("stream"):
        return options
    given = body.get("stream_options")
    asked = {**(given if isinstance(given, Mapping) else {}), "include_usage": True}
    return options.model_copy(update={"json_data": {**body, "stream_options": asked}})
