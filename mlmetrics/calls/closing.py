"""The `close` of streams that are handed back as they are: whoever closes one has left it.

A stream may be part of several calls, of an SDK and of the decorated function that returns it: its `close` ends all.
"""

import inspect
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from mlmetrics.calls.runs import Run
from mlmetrics.interruption import Tolerating


def hear_close(stream: Any, run: Run) -> None:
    """Have the `close` of a stream end a call."""
    method = getattr(type(stream), "close", None)
    if method is not None:
        close = vars(stream).get("close") or _method_of(stream, method)
        closing = _aclose if inspect.iscoroutinefunction(method) else _close
        with Tolerating(AttributeError, TypeError):  # it has slots; then only dropping it ends the call
            stream.close = partial(closing, close, run)


def left(stream: Any) -> None:
    """End the calls of a stream that have not ended, as cancelled: it was closed without its `close`."""
    closing = getattr(stream, "__dict__", {}).get("close")
    while isinstance(closing, partial) and closing.func in (_close, _aclose):
        closing, run = closing.args
        run.leave()


def _close(close: Callable[..., Any], run: Run, *args: Any, **kwargs: Any) -> Any:
    try:
        return close(*args, **kwargs)
    finally:
        run.leave()


async def _aclose(close: Callable[..., Any], run: Run, *args: Any, **kwargs: Any) -> Any:
    try:
        return await close(*args, **kwargs)
    finally:
        run.leave()


def _method_of(stream: Any, method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of a stream that does not keep it alive: one that is dropped is cancelled.

    Where somebody kept only the method, it closes the response, as the stream would have done.
    """
    itself, response = weakref.ref(stream), getattr(stream, "response", None)

    def close(*args: Any, **kwargs: Any) -> Any:
        alive = itself()
        return _close_response(method, response) if alive is None else method(alive, *args, **kwargs)

    return close


def _close_response(method: Callable[..., Any], response: Any) -> Any:
    if inspect.iscoroutinefunction(method):
        return getattr(response, "aclose", nothing_async)()
    return getattr(response, "close", nothing)()


def nothing() -> None:
    """Close what cannot be closed."""


async def nothing_async() -> None:
    """Close what cannot be closed."""
