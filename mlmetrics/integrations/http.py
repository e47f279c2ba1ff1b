"""The HTTP clients that the SDKs send their requests with: each request that a call sends is an attempt of it.

So attempts are seen whatever makes them again: the SDK's own loop, tenacity inside of it, LiteLLM around it. Requests
of the program's own pass through: they are sent within no call.
"""

from contextvars import ContextVar
from typing import Any

from mlmetrics.calls.recorder import Recorder
from mlmetrics.integrations.attempts import ProviderRun
from mlmetrics.integrations.layers import enclosing
from mlmetrics.integrations.patches import Patch
from mlmetrics.interruption import Tolerating, interrupted

CLIENTS = ("httpx", "httpx2")
"""Libraries of HTTP clients; which of them an SDK uses depends on its release."""

_attempt: ContextVar[ProviderRun | None] = ContextVar("mlmetrics_attempt", default=None)
"""The run whose attempt is being made: what is sent within it is no other one."""


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
        run = self._begin()
        if run is None:
            return wrapped(*args, **kwargs)
        token = _attempt.set(run)
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
        run = self._begin()
        if run is None:
            return await wrapped(*args, **kwargs)
        token = _attempt.set(run)
        try:
            response = await wrapped(*args, **kwargs)
        except BaseException as error:
            run.raised(error)
            raise
        finally:
            with Tolerating(ValueError):  # a coroutine that is dropped is closed in another context
                _attempt.reset(token)
        return self._responded(run, response)

    def _begin(self) -> ProviderRun | None:
        """Begin an attempt of the call that the code is within; None if it is within none, or within an attempt."""
        store = self._recorder.store
        try:
            run = run_within(store)
            if run is None or run is _attempt.get():
                return None
            run.attempt()
        except Exception as error:  # nothing of ours reaches the user's call
            if interrupted(error):
                raise
            store.failed("retry", error)
            return None
        return run

    def _responded(self, run: ProviderRun, response: Any) -> Any:
        try:
            headers = getattr(response, "headers", None)
            run.responded(getattr(response, "status_code", None), named(headers), response)
        except Exception as error:  # as above
            if interrupted(error):
                raise
            self._recorder.store.failed("rate_limit", error)
        return response


def run_within(store: Any) -> ProviderRun | None:
    """Return the run of the outermost call of a toolkit that the code is within; None if there is none."""
    call = enclosing(store)
    while call is not None and call.outer is not None:
        call = call.outer
    run = None if call is None else call.run
    return run if isinstance(run, ProviderRun) and not run.over else None


def named(headers: Any) -> Any:
    """Return the names and values of headers, as they came."""
    raw = getattr(headers, "raw", None)
    if raw is not None:
        return raw
    items = headers.items() if hasattr(headers, "items") else ()
    return [(name.encode(), value.encode()) for name, value in items if type(name) is type(value) is str]
