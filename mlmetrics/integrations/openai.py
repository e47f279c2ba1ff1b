"""The SDK of OpenAI, which many others speak to as well: vLLM, FastChat, Azure, gateways."""

from collections.abc import Mapping
from typing import Any

from mlmetrics.calls.closing import left
from mlmetrics.calls.recorder import Recorder
from mlmetrics.handle import Instrumentation
from mlmetrics.integrations.patches import SDK, Patch, Patching
from mlmetrics.integrations.stainless import Requests

OPENAI = SDK("openai", "openai", "openai", lowest=(1, 78), below=(4,))
OPERATIONS = {
    "/chat/completions": "chat",
    "/responses": "responses",
    "/completions": "completions",
    "/embeddings": "embeddings",
}


def instrument(recorder: Recorder, *, include_usage: bool = False) -> Instrumentation:
    """Record every call of the SDK; see `instrument_openai`."""
    OPENAI.check("instrument_openai")
    requests = Requests(recorder, OPERATIONS, provider_of, ask_usage if include_usage else None)
    patches = [*requests.patches("openai"), *CLOSES]
    return Patching(OPENAI, patches, recorder.store.failed).apply()


def provider_of(client: Any) -> str:
    """Return who a client asks: `openai`, `azure`, or a server that only speaks the same protocol."""
    host = getattr(getattr(client, "base_url", None), "host", "")
    if host == "api.openai.com" or str(host).endswith(".openai.com"):
        return "openai"
    return "azure" if str(host).endswith((".openai.azure.com", ".azure.com")) else ""


def ask_usage(options: Any) -> None:
    """Have the stream of a chat say at its end what it used."""
    body = options.json_data
    if options.url == "/chat/completions" and isinstance(body, Mapping) and body.get("stream"):
        given = body.get("stream_options")
        asked = {**(given if isinstance(given, Mapping) else {}), "include_usage": True}
        options.json_data = {**body, "stream_options": asked}


def close(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Close a stream of events, which closes the response, and not the stream of chunks that it reads."""
    try:
        return wrapped(*args, **kwargs)
    finally:
        left(getattr(instance, "_raw_stream", None))


async def close_async(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Close a stream of events."""
    try:
        return await wrapped(*args, **kwargs)
    finally:
        left(getattr(instance, "_raw_stream", None))


CLOSES = [
    Patch(f"openai.lib.streaming.{module}", f"{prefix}{name}.close", wrapper)
    for module, name in (("chat._completions", "ChatCompletionStream"), ("responses._responses", "ResponseStream"))
    for prefix, wrapper in (("", close), ("Async", close_async))
]
