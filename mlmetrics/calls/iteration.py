"""Streams that a function hands out: iterators and async iterators whose consumer ends the call.

While nobody has begun to iterate it, a stream is no call in progress, and if nobody ever
does, it was none: the same rule as for a generator function, whose body has not run either.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

from ..recording.series import BOUND
from .operation import CallSeries
from .proxies import Proxy
from .streams import Run, chunk_recorders


class Progress(Run):
    """Where one handed-out stream is: not begun, under way, or ended with one outcome."""

    __slots__ = ("_gap", "_gaps", "_last", "_record_first")

    def __init__(self, series: CallSeries, start: float) -> None:
        super().__init__(series, start)
        self._last: float | None = None
        self._record_first, self._gaps, self._gap = chunk_recorders(series)

    def chunk(self) -> None:
        """A chunk has come."""
        if self._ended:
            return
        now = self._series.clock()
        if self._last is None:
            self._record_first(now - self._start)
        else:
            self._gap(now - self._last)
            if len(self._gaps.pending) > BOUND:
                self._series.store.fold(self._gaps)
        self._last = now


class Source(Proxy):
    """What can be iterated, and may be left before its end: by `close`, or at the end of a `with`."""

    _self_heard = frozenset({"close"})

    def __init__(self, stream: Any, progress: Progress) -> None:
        super().__init__(stream)
        self._self_progress = progress

    def __iter__(self) -> Iterator[Any]:
        return Stream(iter(self.__wrapped__), self._self_progress)

    def __enter__(self) -> Any:
        entered = self.__wrapped__.__enter__()
        return self if entered is self.__wrapped__ else entered

    def __exit__(self, *raised: object) -> Any:
        try:
            return self.__wrapped__.__exit__(*raised)
        finally:
            self._self_progress.leave()

    def __getattr__(self, name: str) -> Any:
        value = super().__getattr__(name)
        return partial(getattr(self, f"_self_{name}"), value) if name in self._self_heard else value

    def _self_close(self, close: Callable[..., Any], *args: Any) -> Any:
        try:
            return close(*args)
        finally:
            self._self_progress.leave()


class Stream(Source):
    """An iterator, a generator among them."""

    _self_heard = frozenset({"close", "send", "throw"})

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._self_send(self.__wrapped__.__next__)

    def _self_send(self, send: Callable[..., Any], *args: Any) -> Any:
        self._self_progress.begin()
        return self._self_step(send, args)

    def _self_throw(self, throw: Callable[..., Any], *error: Any) -> Any:
        return self._self_step(throw, error)

    def _self_step(self, step: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        progress: Progress = self._self_progress
        try:
            item = step(*args)
        except StopIteration:
            progress.end(exit_of(args))
            raise
        except BaseException as error:
            progress.end(error)
            raise
        progress.chunk()
        return item


class AsyncSource(Proxy):
    """What can be iterated asynchronously, and may be left before its end."""

    _self_heard = frozenset({"aclose", "close"})

    def __init__(self, stream: Any, progress: Progress) -> None:
        super().__init__(stream)
        self._self_progress = progress

    def __aiter__(self) -> AsyncIterator[Any]:
        return AsyncStream(aiter(self.__wrapped__), self._self_progress)

    async def __aenter__(self) -> Any:
        entered = await self.__wrapped__.__aenter__()
        return self if entered is self.__wrapped__ else entered

    async def __aexit__(self, *raised: object) -> Any:
        try:
            return await self.__wrapped__.__aexit__(*raised)
        finally:
            self._self_progress.leave()

    def __getattr__(self, name: str) -> Any:
        value = super().__getattr__(name)
        return partial(getattr(self, f"_self_{name}"), value) if name in self._self_heard else value

    async def _self_aclose(self, aclose: Callable[..., Any], *args: Any) -> Any:
        try:
            return await aclose(*args)
        finally:
            self._self_progress.leave()

    def _self_close(self, close: Callable[..., Any], *args: Any) -> Any:
        """`close` of an async stream is a coroutine function in some libraries, a function in others."""
        if inspect.iscoroutinefunction(close):
            return self._self_aclose(close, *args)
        try:
            return close(*args)
        finally:
            self._self_progress.leave()


class AsyncStream(AsyncSource):
    """An async iterator, an async generator among them."""

    _self_heard = frozenset({"aclose", "asend", "athrow", "close"})

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return await self._self_asend(self.__wrapped__.__anext__)

    async def _self_asend(self, asend: Callable[..., Any], *args: Any) -> Any:
        self._self_progress.begin()
        return await self._self_step(asend, args)

    async def _self_athrow(self, athrow: Callable[..., Any], *error: Any) -> Any:
        return await self._self_step(athrow, error)

    async def _self_step(self, step: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        progress: Progress = self._self_progress
        try:
            item = await step(*args)
        except StopAsyncIteration:
            progress.end(exit_of(args))
            raise
        except BaseException as error:
            progress.end(error)
            raise
        progress.chunk()
        return item


def exit_of(thrown: tuple[Any, ...]) -> GeneratorExit | None:
    """The `GeneratorExit` among what was thrown: a stream that ends upon it was not exhausted."""
    for each in thrown:
        if isinstance(each, GeneratorExit) or each is GeneratorExit:
            return GeneratorExit()
    return None
