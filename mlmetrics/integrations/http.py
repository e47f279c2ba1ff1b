"""The HTTP clients that the SDKs send their requests with: each request that a call sends is an attempt of it.

So attempts are seen whatever makes them again: the SDK's own loop, tenacity inside of it, LiteLLM around it. Requests
of the program's own pass through: they are sent within no call.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import ref

from mlmetrics.calls.recorder import Recorder
from mlmetrics.integrations.attempts import ProviderRun
from mlmetrics.integrations.layers import ProviderCall, enclosing, outermost
from mlmetrics.integrations.patches import Patch
from mlmetrics.interruption import Tolerating, interrupted

CLIENTS = ("httpx", "httpx2")
"""Libraries of HTTP clients; which of them an SDK uses depends on its release."""

_attempt: ContextVar["ref[ProviderCall] | None"] = ContextVar("mlmetrics_attempt", default=None)
"""The call whose attempt is being made: what is sent within it is no other one. Contexts must not keep it alive."""


class Attempts:
    """Sees the attempts of the calls of one toolkit."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def patches(self) -> list[Patch]:
        """Return what is to be replaced in the HTTP clients."""
        return [
            patch
            for module in CLIENTS
            for patch in (
                Patch(module, "Client.send", self.send, needed=False),
                Patch(module, "AsyncClient.send", self.send_async, needed=False),
            )
        ]

    def send(self, wrapped: Any, _client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make an attempt."""
        call = self._begin()
        if call is None:
            return wrapped(*args, **kwargs)
        run: Any = call.run
        token = _attempt.set(ref(call))
        try:
            response = wrapped(*args, **kwargs)
        except BaseException as error:
            run.raised(error)
            raise
        finally:
            _attempt.reset(token)
        return self._responded(run, response)

    async def send_async(self, wrapped: Any, _client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make an attempt."""
        call = self._begin()
        if call is None:
            return await wrapped(*args, **kwargs)
        run: Any = call.run
        token = _attempt.set(ref(call))
        try:
            response = await wrapped(*args, **kwargs)
        except BaseException as error:
            run.raised(error)
            raise
        finally:
            with Tolerating(ValueError):  # a coroutine that is dropped is closed in another context
                _attempt.reset(token)
        return self._responded(run, response)

    def _begin(self) -> ProviderCall | None:
        """Begin an attempt of the call that the code is within; None if it is within none, or within an attempt."""
        store = self._recorder.store
        try:
            call, held = call_within(store), _attempt.get()
            if call is None or (held is not None and held() is call):
                return None
            run: Any = call.run
            run.attempt()
        except Exception as error:  # nothing of ours reaches the user's call
            if interrupted(error):
                raise
            store.failed("retry", error)
            return None
        return call

    def _responded(self, run: ProviderRun, response: Any) -> Any:
        try:
            headers = getattr(response, "headers", None)
            run.responded(getattr(response, "status_code", None), named(headers), response)
        except Exception as error:  # as above
            if interrupted(error):
                raise
            self._recorder.store.failed("rate_limit", error)
        return response


def call_within(store: Any) -> ProviderCall | None:
    """Return the outermost call of a toolkit that the code is within; None if there is none, or if that is over."""
    call = enclosing(store)
    if call is None:
        return None
    call = outermost(call)
    return call if isinstance(call.run, ProviderRun) and not call.run.over else None


@contextmanager
def aside(store: Any) -> Iterator[None]:
    """Have what is sent in this block be no attempt of the call that it is within, such as what a logger sends."""
    call = call_within(store)
    token = None if call is None else _attempt.set(ref(call))
    try:
        yield
    finally:
        if token is not None:
            with Tolerating(ValueError):  # a coroutine that is dropped is closed in another context
                _attempt.reset(token)


def named(headers: Any) -> Any:
    """Return the names and values of headers, as they came."""
    raw = getattr(headers, "raw", None)
    if raw is not None:
        return raw
    items = headers.items() if hasattr(headers, "items") else ()
    return [
        (name.encode(), value.encode()) for name, value in items if isinstance(name, str) and isinstance(value, str)
    ]
