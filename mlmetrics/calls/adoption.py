"""Calls that return before they are over: streams, coroutines, futures.

A function may hand out something that goes on instead of a result. The call then ends
when that ends.
"""

import asyncio
import concurrent.futures
import inspect
import io
from collections.abc import Coroutine, Generator
from typing import Any

from ..interruption import interrupted
from .call import raised, succeeded
from .iteration import AsyncSource, AsyncStream, Progress, Source, Stream
from .operation import CallSeries
from .plan import Plan
from .proxies import Proxy
from .streams import Run

BUILTIN_TYPES = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict, set})
PLAIN_TYPES: set[type] = set(BUILTIN_TYPES)
"""Types of results that are known to be no stream: one look-up instead of many."""

MOST_PLAIN_TYPES = 4096
"""A program that makes classes without end must not grow the set without end."""

FUTURES = (asyncio.Future, concurrent.futures.Future)


class Adoption:
    """What a wrapper does with a result that is not a plain value."""

    __slots__ = ("_plan", "plain")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        # What is plain to one that looks may be a stream to one that was told.
        self.plain = PLAIN_TYPES if plan.stream is None else set(BUILTIN_TYPES)

    def adopt(self, series: CallSeries, start: float, result: Any) -> Any:
        """What to return in place of the result if the call goes on; None if it is over."""
        try:
            return self._adopt(series, start, result)
        except Exception as error:  # a result may raise whatever it is asked
            if interrupted(error):
                raise
            series.store.failed("result", error)
            return None

    def _adopt(self, series: CallSeries, start: float, result: Any) -> Any:
        kind = type(result)
        if isinstance(result, FUTURES):
            return self._await_future(series, start, result)
        if kind.__module__ == "unittest.mock":
            return None  # would say that it is a stream, and a test asks for the very mock it gave
        # A coroutine that is a context manager too (aiohttp's requests) is used as either.
        if isinstance(result, Coroutine) and not hasattr(kind, "__aenter__"):
            adopted: Any = Awaited(result, self._drive(series, start, result))
        else:
            adopted = None if self._plan.stream is False else self._stream(series, start, result)
        if adopted is not None:
            series.aside.append(None)
            if series.full:
                series.store.fold(series)
        elif len(self.plain) < MOST_PLAIN_TYPES:
            self.plain.add(kind)
        return adopted

    def _stream(self, series: CallSeries, start: float, result: Any) -> Any:
        """The stream that stands for the result, if it is one; told to be one, `iter()` decides."""
        kind, told = type(result), self._plan.stream is True
        if hasattr(kind, "__anext__"):
            return AsyncStream(result, Progress(series, start))
        if hasattr(kind, "__next__") and (told or not isinstance(result, io.IOBase)):  # files are read as well
            return Stream(result, Progress(series, start))
        if told and hasattr(kind, "__aiter__"):
            return AsyncSource(result, Progress(series, start))
        if told and hasattr(kind, "__iter__"):
            return Source(result, Progress(series, start))
        return None

    def _drive(self, series: CallSeries, start: float, coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Await what a plain function returned: the call ends with it."""
        series.begin(None)
        try:
            result = yield from coroutine.__await__()
        except BaseException as error:
            raised(series, error, series.clock() - start)
            raise
        if type(result) not in self.plain and (adopted := self.adopt(series, start, result)) is not None:
            return adopted
        self._succeeded(series, start, result)
        return result

    def _succeeded(self, series: CallSeries, start: float, result: Any) -> None:
        succeeded(series, series.clock() - start)
        if self._plan.after is not None:
            self._plan.after(series, result)

    def _await_future(self, series: CallSeries, start: float, future: Any) -> Any:
        """End the call when the future is done; its own callbacks tell. One that is dropped was given up."""
        run = Run(series, start, begun=True)
        after = self._plan.after

        def done(future: Any) -> None:
            if future.cancelled():
                run.leave()
                return
            # Not `exception()`: that would mark it as retrieved, and asyncio's own warning would be lost.
            run.end(future._exception)  # noqa: SLF001 (there is no public way to look and leave no trace)
            if after is not None and future._exception is None:  # noqa: SLF001 (as above)
                after(series, future.result())

        if future.done():
            done(future)
        else:
            future.add_done_callback(done)
        return future


class Awaited(Proxy):
    """A coroutine that is its original in everything, and is awaited by way of a driver.

    Not a coroutine around a coroutine: closed or dropped before it has begun, that would
    leave an inner one of which Python says that it was never awaited.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], driver: Generator[Any, Any, Any]) -> None:
        super().__init__(coroutine)
        self._self_driver = driver

    def __await__(self) -> Generator[Any, Any, Any]:
        driver: Generator[Any, Any, Any] = self._self_driver
        return driver

    def send(self, value: Any) -> Any:
        """As the coroutine's."""
        return self._self_driver.send(value)

    def throw(self, *error: Any) -> Any:
        """As the coroutine's."""
        begun = inspect.getgeneratorstate(self._self_driver) != inspect.GEN_CREATED
        return (self._self_driver if begun else self.__wrapped__).throw(*error)

    def close(self) -> None:
        """As the coroutine's."""
        self._self_driver.close()
        self.__wrapped__.close()
