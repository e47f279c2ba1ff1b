"""The SDK of Google for Gemini, in which every request for content passes one method of its models.

Where the SDK calls functions of the user's by itself, or continues an answer, it sends several requests, and each is
a call. A stream is a plain generator there: it sends its request when its first chunk is asked for, and is a call
from then on; the coroutine of an async one has sent it when it returns.
"""

from collections.abc import Generator
from contextvars import ContextVar
from functools import partial
from typing import Any

from mlmetrics.calls.inner import AsyncListening, listen
from mlmetrics.calls.recorder import Recorder
from mlmetrics.handle import Instrumentation
from mlmetrics.integrations.http import Attempts
from mlmetrics.integrations.layers import ProviderCall, around, around_async, begin, within
from mlmetrics.integrations.patches import SDK, Patch, Patching
from mlmetrics.responses.said import Said

# Those before drop an error inside a stream without a word.
GOOGLE_GENAI = SDK("google.genai", "google-genai", "google-genai", lowest=(1, 52), below=(4,))
MODULE, CLIENT = "google.genai.models", "google.genai._api_client"

_asking: ContextVar[Said | None] = ContextVar("mlmetrics_google_genai", default=None)
"""What will be said by the stream whose request is being sent."""


def instrument(recorder: Recorder) -> Instrumentation:
    """Record every request of the SDK; see `instrument_google_genai`."""
    GOOGLE_GENAI.check("instrument_google_genai")
    return Patching(GOOGLE_GENAI, Requests(recorder).patches(), recorder.store.failed).apply()


def name_of(model: object) -> object:
    """Return the name of a model without the path to it, which may name a project: `models/…`, `projects/…`."""
    if not isinstance(model, str):
        return model
    path, found, name = model.rpartition("models/")
    return name if found and (not path or path.endswith("/")) else model


class Requests:
    """The requests of the SDK that ask a model."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def patches(self) -> list[Patch]:
        """Return what is to be replaced."""
        generate, embed = partial(self.whole, "generate_content"), partial(self.whole, "embed_content")
        generate_async = partial(self.whole_async, "generate_content")
        embed_async = partial(self.whole_async, "embed_content")
        attempts = Attempts(self._recorder)  # by its own method: it may send by aiohttp
        return [
            Patch(MODULE, "Models._generate_content", generate),
            Patch(MODULE, "Models._generate_content_stream", self.stream),
            Patch(MODULE, "Models.embed_content", embed),
            Patch(MODULE, "AsyncModels._generate_content", generate_async),
            Patch(MODULE, "AsyncModels._generate_content_stream", self.stream_async),
            Patch(MODULE, "AsyncModels.embed_content", embed_async),
            Patch(CLIENT, "HttpResponse.segments", responded),
            Patch(CLIENT, "BaseApiClient._request_once", attempts.send),
            Patch(CLIENT, "BaseApiClient._async_request_once", attempts.send_async),
        ]

    def whole(self, operation: str, wrapped: Any, _models: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Send a request."""
        return around(wrapped, args, kwargs, self._begin(operation, kwargs))

    async def whole_async(
        self, operation: str, wrapped: Any, _models: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Send a request."""
        return await around_async(wrapped, args, kwargs, self._begin(operation, kwargs))

    def stream(self, wrapped: Any, _models: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return a stream that has not begun."""
        return self._stream(wrapped(*args, **kwargs), kwargs)

    def _stream(self, chunks: Generator[Any, Any, Any], kwargs: dict[str, Any]) -> Generator[Any, Any, Any]:
        call = self._begin("generate_content", kwargs)
        if call is None:
            yield from chunks
        else:
            call.run.record_chunks()
            yield from listen(_asked(chunks, call), call.run)

    async def stream_async(self, wrapped: Any, _models: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Send a request, and return its stream."""
        call = self._begin("generate_content", kwargs)
        if call is None:
            return await wrapped(*args, **kwargs)
        try:
            with within(call):
                chunks = await wrapped(*args, **kwargs)
        except BaseException as error:
            call.raised(error)
            raise
        call.answer.said.known = True  # whoever reads none of it has nevertheless asked
        call.run.record_chunks()
        return AsyncListening(chunks, call.run)

    def _begin(self, operation: str, kwargs: dict[str, Any]) -> ProviderCall | None:
        return begin(self._recorder, name_of(kwargs.get("model", "unknown")), operation, "google")


def _asked(chunks: Generator[Any, Any, Any], call: ProviderCall) -> Generator[Any, Any, Any]:
    """Yield the chunks of a stream; what sends its request knows meanwhile whose it is."""
    token = _asking.set(call.answer.said)
    try:
        with within(call):
            first = next(chunks, None)
    finally:
        _asking.reset(token)
    if first is not None:
        try:
            yield first
            yield from chunks
        finally:
            chunks.close()


def responded(wrapped: Any, _response: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Note that the response to a stream's request has come: if it says no usage from now on, that is missing."""
    said = _asking.get()
    if said is not None:
        said.known = True
    return wrapped(*args, **kwargs)
