"""The SDK of Mistral: each of its resources asks by methods of its own, and its streams are objects of one type.

`parse` and `parse_stream` call `complete` and `stream`. What the SDK sends its requests with sees no parsed response.
"""

import weakref
from functools import partial
from typing import Any

from mlmetrics.calls.inner import InnerRun, stream_of
from mlmetrics.calls.recorder import Recorder
from mlmetrics.handle import Instrumentation
from mlmetrics.integrations.http import Attempts
from mlmetrics.integrations.layers import ProviderCall, around, around_async, begin
from mlmetrics.integrations.patches import SDK, Patch, Patching

MISTRALAI = SDK("mistralai", "mistralai", "mistralai", lowest=(1, 9, 3), below=(4,))
MOVED = (2,)
"""The first version whose modules stand in `mistralai.client`."""

OPERATIONS = {
    ("chat", "Chat"): ("chat", ("complete", "stream")),
    ("fim", "Fim"): ("fim", ("complete", "stream")),
    ("agents", "Agents"): ("agents", ("complete", "stream")),
    ("embeddings", "Embeddings"): ("embeddings", ("create",)),
}
"""By module and class: the label `operation`, and the methods, each of which has an async one beside it."""


def instrument(recorder: Recorder) -> Instrumentation:
    """Record every call of the SDK; see `instrument_mistralai`."""
    version = MISTRALAI.check("instrument_mistralai")
    package = "mistralai" if version < MOVED else "mistralai.client"
    return Patching(MISTRALAI, Requests(recorder).patches(package), recorder.store.failed).apply()


class Requests:
    """The requests of the SDK that ask a model, and the streams that they return."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._runs: weakref.WeakKeyDictionary[Any, InnerRun] = weakref.WeakKeyDictionary()

    def patches(self, package: str) -> list[Patch]:
        """Return what is to be replaced in the package."""
        events = f"{package}.utils.eventstreaming"
        found = [
            Patch(events, "EventStream.__exit__", self.left),
            Patch(events, "EventStreamAsync.__aexit__", self.left_async),
            *Attempts(self._recorder).patches(),
        ]
        for (module, owner), (operation, methods) in OPERATIONS.items():
            for method in methods:
                path = f"{owner}.{method}"
                found.append(Patch(f"{package}.{module}", path, partial(self.request, operation)))
                found.append(Patch(f"{package}.{module}", f"{path}_async", partial(self.request_async, operation)))
        return found

    def request(self, operation: str, wrapped: Any, _owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Send a request."""
        call = self._begin(operation, kwargs)
        return self._handed(around(wrapped, args, kwargs, call), call)

    async def request_async(
        self, operation: str, wrapped: Any, _owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Send a request."""
        call = self._begin(operation, kwargs)
        return self._handed(await around_async(wrapped, args, kwargs, call), call)

    def left(self, wrapped: Any, stream: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Leave the block of a stream, which ends its call: streams of older releases have no `close` that would."""
        try:
            return wrapped(*args, **kwargs)
        finally:
            self._leave(stream)

    async def left_async(self, wrapped: Any, stream: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Leave the block of an async stream."""
        try:
            return await wrapped(*args, **kwargs)
        finally:
            self._leave(stream)

    def _begin(self, operation: str, kwargs: dict[str, Any]) -> ProviderCall | None:
        model = kwargs.get("model", kwargs.get("agent_id", "unknown"))
        return begin(self._recorder, model, operation, "mistral")

    def _handed(self, result: Any, call: ProviderCall | None) -> Any:
        if call is not None and stream_of(type(result)) is not None:
            self._runs[result] = call.run
        return result

    def _leave(self, stream: Any) -> None:
        run = self._runs.pop(stream, None)
        if run is not None:
            run.leave()
