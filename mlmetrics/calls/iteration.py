"""Stand-ins for results that run after the function has returned: iterators, async iterators, awaitables.

Each class here is a part of a stand-in: it has methods that are recorded if the original has them.
What a step means for the call is decided in `progress`.
"""

import inspect
import types
from collections.abc import Callable, Generator, Mapping
from typing import Any

from mlmetrics.calls.progress import Progress, StreamProgress
from mlmetrics.calls.standins import StandIn, class_for, special


def _step(standin: StandIn, step: Callable[..., Any], *args: Any) -> Any:
    """Take a step of a stream."""
    progress: StreamProgress = standin.mlmetrics_run
    alone = progress.step(standin)
    try:
        item = step(*args)
    except StopIteration as stop:
        progress.exhausted(args, stop.value)
        raise
    except BaseException as error:
        progress.fail(error, standin, alone=alone)
        raise
    finally:
        if alone:
            progress.rest()
    progress.chunk(item)
    return item


async def _astep(standin: StandIn, step: Callable[..., Any], *args: Any) -> Any:
    """Take a step of an async stream."""
    progress: StreamProgress = standin.mlmetrics_run
    alone = progress.step(standin)
    try:
        item = await step(*args)
    except StopAsyncIteration:
        progress.exhausted(args)
        raise
    except BaseException as error:
        progress.fail(error, standin, alone=alone)
        raise
    finally:
        if alone:
            progress.rest()
    progress.chunk(item)
    return item


def _advance(standin: StandIn, step: Callable[..., Any], *args: Any) -> Any:
    """Take a step of a coroutine."""
    progress: Progress = standin.mlmetrics_run
    alone = progress.step(standin)
    try:
        return step(*args)
    except StopIteration as stop:
        result = progress.finished(stop.value)
        if result is stop.value:
            raise
    except BaseException as error:
        progress.fail(error, standin, alone=alone)
        raise
    finally:
        if alone:
            progress.rest()
    raise StopIteration(result)


def _leave(standin: StandIn, leave: Callable[..., Any], *args: Any) -> Any:
    """Close it, or leave its block. `close` is a coroutine function in some async libraries, a function in others."""
    if inspect.iscoroutinefunction(leave):
        return _aleave(standin, leave, *args)
    try:
        return leave(*args)
    finally:
        standin.mlmetrics_run.leave()


async def _aleave(standin: StandIn, leave: Callable[..., Any], *args: Any) -> Any:
    """Leave a stream whose leaving is asynchronous."""
    try:
        return await leave(*args)
    finally:
        standin.mlmetrics_run.leave()


def _throw(standin: StandIn, throw: Callable[..., Any], *error: Any) -> Any:
    """Throw into a generator; this does not start a generator that has not begun."""
    return (_step if standin.mlmetrics_run.started else _leave)(standin, throw, *error)


async def _athrow(standin: StandIn, throw: Callable[..., Any], *error: Any) -> Any:
    """Throw into an async generator."""
    return await (_astep if standin.mlmetrics_run.started else _aleave)(standin, throw, *error)


def _throw_into_coroutine(standin: StandIn, throw: Callable[..., Any], *error: Any) -> Any:
    """Throw into a coroutine."""
    return (_advance if standin.mlmetrics_run.started else _leave)(standin, throw, *error)


class Left(StandIn):
    """What can be ended early: by `close`, or at the end of a `with`."""

    __slots__ = ()
    mlmetrics_heard: Mapping[str, Any] = {"close": _leave, "aclose": _aleave}

    def __enter__(self) -> Any:
        return _entered(self, special(self.mlmetrics_original, "__enter__")())

    def __exit__(self, *raised: object) -> Any:
        return _leave(self, special(self.mlmetrics_original, "__exit__"), *raised)

    async def __aenter__(self) -> Any:
        return _entered(self, await special(self.mlmetrics_original, "__aenter__")())

    async def __aexit__(self, *raised: object) -> Any:
        return await _aleave(self, special(self.mlmetrics_original, "__aexit__"), *raised)


def _entered(standin: StandIn, entered: object) -> object:
    return standin if entered is standin.mlmetrics_original else entered


class Iteration(Left):
    """An iterable, or an iterator."""

    __slots__ = ()

    def __iter__(self) -> Any:
        iterator = iter(self.mlmetrics_original)
        if iterator is self.mlmetrics_original:
            return self
        return class_for(type(iterator), (Iteration,))(iterator, self.mlmetrics_run)

    def __next__(self) -> Any:
        return _step(self, next, self.mlmetrics_original)


class GeneratorIteration(Iteration):
    """A generator: `send` and `throw` are steps of it too."""

    __slots__ = ()
    mlmetrics_heard: Mapping[str, Any] = {"send": _step, "throw": _throw}


class AsyncIteration(Left):
    """An async iterable, or an async iterator."""

    __slots__ = ()

    def __aiter__(self) -> Any:
        iterator = aiter(self.mlmetrics_original)
        if iterator is self.mlmetrics_original:
            return self
        return class_for(type(iterator), (AsyncIteration,))(iterator, self.mlmetrics_run)

    def __anext__(self) -> Any:
        return _astep(self, anext, self.mlmetrics_original)


class AsyncGeneratorIteration(AsyncIteration):
    """An async generator: `asend` and `athrow` are steps of it too."""

    __slots__ = ()
    mlmetrics_heard: Mapping[str, Any] = {"asend": _astep, "athrow": _athrow}


class Awaiting(Left):
    """An awaitable; if it can also be entered by `async with`, as aiohttp's requests, that counts as awaiting."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, Any]:
        # Only of coroutines; Python says the same of a bare one.
        if getattr(self.mlmetrics_original, "cr_await", None) is not None:
            raise RuntimeError("coroutine is being awaited already")
        return drive(self.mlmetrics_run, self, self.mlmetrics_original)

    async def __aenter__(self) -> Any:
        progress: Progress = self.mlmetrics_run
        alone = progress.step(self)
        try:
            entered = await special(self.mlmetrics_original, "__aenter__")()
        except BaseException as error:
            progress.fail(error, self, alone=alone)
            raise
        finally:
            if alone:
                progress.rest()
        return progress.finished(_entered(self, entered))


class CoroutineSteps(Awaiting):
    """A coroutine, which event loops drive by `send` and `throw`."""

    __slots__ = ()
    mlmetrics_heard: Mapping[str, Any] = {"send": _advance, "throw": _throw_into_coroutine}


def drive(progress: Progress, consumer: object, awaitable: Any) -> Generator[Any, Any, Any]:
    """Await what a function returned, or run the generator that it returned as a coroutine."""
    alone = progress.step(consumer)
    try:
        result = yield from (awaitable if type(awaitable) is types.GeneratorType else special(awaitable, "__await__")())
    except BaseException as error:
        progress.fail(error, consumer, alone=alone)
        raise
    finally:
        if alone:
            progress.rest()
    return progress.finished(result)
