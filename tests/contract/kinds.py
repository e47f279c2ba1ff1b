"""Every kind of call, of holder and of ending: what the contract matrix is made of.

A *flavour* is what a call is (a function, an async generator, …), a *holder* is what it is
called by (a method, a partial, …), an *ending* is what becomes of it. The body of each does
as its `Script` says, with the very objects that a test then looks for.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

OUTCOMES = {"return": "success", "raise": "failure", "cancel": "cancelled", "close": "cancelled", "drop": "cancelled"}


class Pause:
    """An awaitable that gives the event loop one turn."""

    def __await__(self) -> Generator[None, None, None]:
        yield


@dataclass
class Script:
    """What the body of a call does, and the objects it does it with."""

    ending: str
    value: object = field(default_factory=object)
    error: BaseException = field(default_factory=lambda: KeyError("the body's own"))
    cancellation: BaseException = field(default_factory=asyncio.CancelledError)

    def finish(self) -> object:
        """Return or raise, as the last thing that a body does."""
        if self.ending == "raise":
            raise self.error
        if self.ending == "cancel":
            raise self.cancellation
        return self.value

    async def wait(self) -> None:
        """Wait until somebody else ends the call, if somebody will."""
        while self.ending in ("cancel", "close", "drop"):
            await Pause()


# Bodies. The script comes last, after whatever a holder passes before it.


def function(*args: Any) -> object:
    """Return or raise."""
    return args[-1].finish()


async def coroutine(*args: Any) -> object:
    """Wait, then return or raise."""
    await args[-1].wait()
    return args[-1].finish()


def generator(*args: Any) -> Generator[int, Any, object]:
    """Yield once, then return or raise."""
    yield 1
    return args[-1].finish()


async def async_generator(*args: Any) -> AsyncIterator[int]:
    """Yield once, wait, then end or raise."""
    yield 1
    await args[-1].wait()
    args[-1].finish()


class Numbers:
    """An iterator that is no generator."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.given = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> int:
        if self.given:
            raise StopIteration(self.script.finish())
        self.given = True
        return 1

    def close(self) -> None:
        """Close the stream, as the streams of SDKs can be closed."""


class AsyncNumbers:
    """An async iterator that is no async generator."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.given = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        if self.given:
            await self.script.wait()
            self.script.finish()
            raise StopAsyncIteration
        self.given = True
        return 1

    async def aclose(self) -> None:
        """Close the stream."""


def iterator(*args: Any) -> Numbers:
    """Return an iterator."""
    return Numbers(args[-1])


def async_iterator(*args: Any) -> AsyncNumbers:
    """Return an async iterator."""
    return AsyncNumbers(args[-1])


def returned_generator(*args: Any) -> Iterator[int]:
    """Return a generator, without being a generator function."""
    return generator(*args)


def returned_async_generator(*args: Any) -> AsyncIterator[int]:
    """Return an async generator, without being an async generator function."""
    return async_generator(*args)


async def awaited_iterator(*args: Any) -> Numbers:
    """Return an iterator to whoever awaits."""
    return Numbers(args[-1])


async def awaited_async_iterator(*args: Any) -> AsyncNumbers:
    """Return an async iterator to whoever awaits."""
    return AsyncNumbers(args[-1])


def returned_coroutine(*args: Any) -> Any:
    """Return a coroutine, without being a coroutine function."""
    return coroutine(*args)


# Ways to go through a call to its ending. Each returns what the caller got to see.


def run_value(call: Callable[..., Any], script: Script) -> object:
    """Call a function."""
    return call(script)


def run_coroutine(call: Callable[..., Any], script: Script) -> object:
    """Await, cancel, close or drop a coroutine."""
    if script.ending == "never":
        call(script).close()
        return None
    if script.ending in ("close", "drop"):
        awaitable = call(script)
        awaitable.send(None)
        if script.ending == "close":
            awaitable.close()
        del awaitable
        return None

    async def main() -> object:
        task = asyncio.ensure_future(call(script))
        await Pause()
        if script.ending == "cancel":
            task.cancel()
        return await task

    return asyncio.run(main())


def run_iterator(call: Callable[..., Any], script: Script) -> object:
    """Iterate, close or drop an iterator."""
    return iterate(call(script), script)


def iterate(stream: Any, script: Script) -> object:
    """Go through a stream to its ending."""
    if script.ending == "never":
        return None
    items = [next(stream)]
    if script.ending == "close":
        stream.close()
    elif script.ending != "drop":
        try:
            items.append(next(stream))
        except StopIteration as stop:
            return items, stop.value
    return items


def run_async_iterator(call: Callable[..., Any], script: Script) -> object:
    """Iterate, cancel, close or drop an async iterator."""

    async def main() -> object:
        return await aiterate(call(script), script)

    return asyncio.run(main())


async def aiterate(stream: Any, script: Script) -> object:
    """Go through an async stream to its ending."""
    if script.ending == "never":
        return None
    items = [await anext(stream)]
    if script.ending == "close":
        await stream.aclose()
    elif script.ending == "cancel":
        task = asyncio.ensure_future(anext(stream))
        await Pause()
        task.cancel()
        await task
    elif script.ending == "drop":
        del stream
        await Pause()
    else:
        items += [item async for item in stream]
    return items


def run_awaited_iterator(call: Callable[..., Any], script: Script) -> object:
    """Await an iterator, then go through it."""

    async def main() -> object:
        return iterate(await call(script), script)

    return asyncio.run(main())


def run_awaited_async_iterator(call: Callable[..., Any], script: Script) -> object:
    """Await an async iterator, then go through it."""

    async def main() -> object:
        return await aiterate(await call(script), script)

    return asyncio.run(main())


VALUE = ("return", "raise", "cancel")
STREAM = ("return", "raise", "cancel", "close", "drop", "never")


@dataclass(frozen=True)
class Flavour:
    """What a call is, how one goes through it, and which endings it can have."""

    body: Callable[..., Any]
    run: Callable[[Callable[..., Any], Script], object]
    endings: tuple[str, ...]
    never: str | None = None
    """The outcome if nobody begins it; None if it has not run then."""

    def outcomes(self, ending: str) -> dict[str, float]:
        """Return what is recorded of one call with this ending."""
        outcome = self.never if ending == "never" else OUTCOMES[ending]
        return {} if outcome is None else {outcome: 1}

    @property
    def name(self) -> str:
        """The body's name."""
        return self.body.__name__


FLAVOURS = (
    Flavour(function, run_value, VALUE),
    Flavour(coroutine, run_coroutine, STREAM),
    Flavour(generator, run_iterator, STREAM),
    Flavour(async_generator, run_async_iterator, STREAM),
    Flavour(iterator, run_iterator, STREAM, never="success"),
    Flavour(async_iterator, run_async_iterator, STREAM, never="success"),
    Flavour(returned_generator, run_iterator, STREAM),
    Flavour(returned_async_generator, run_async_iterator, STREAM),
    Flavour(returned_coroutine, run_coroutine, STREAM),
    Flavour(awaited_iterator, run_awaited_iterator, STREAM, never="success"),
    Flavour(awaited_async_iterator, run_awaited_async_iterator, STREAM, never="success"),
)


# Holders: from a decorator and a body to what is called with a script.

Decorate = Callable[[Any], Any]


def plain(decorate: Decorate, body: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a function."""
    made: Callable[..., Any] = decorate(body)
    return made


def method(decorate: Decorate, body: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a method."""
    holder: Any = type("Holder", (), {"run": decorate(body)})
    return lambda script: holder().run(script)


def class_method_above(decorate: Decorate, body: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a class method, with the decorator above `@classmethod`."""
    holder: Any = type("Holder", (), {"run": decorate(classmethod(body))})
    made: Callable[..., Any] = holder.run
    return made


def class_method_below(decorate: Decorate, body: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a class method, with the decorator below `@classmethod`."""
    holder: Any = type("Holder", (), {"run": classmethod(decorate(body))})
    return lambda script: holder().run(script)


def static_method_above(decorate: Decorate, body: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a static method, with the decorator above `@staticmethod`."""
    holder: Any = type("Holder", (), {"run": decorate(staticmethod(body))})
    made: Callable[..., Any] = holder.run
    return made


def static_method_below(decorate: Decorate, body: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a static method, with the decorator below `@staticmethod`."""
    holder: Any = type("Holder", (), {"run": staticmethod(decorate(body))})
    return lambda script: holder().run(script)


def partial(decorate: Decorate, body: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a partial."""
    made: Callable[..., Any] = decorate(functools.partial(body, "bound before"))
    return made


def callable_object(decorate: Decorate, body: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate an object with `__call__`."""
    holder: Any = type("Holder", (), {"__call__": body})
    made: Callable[..., Any] = decorate(holder())
    return made


def bound_method(decorate: Decorate, body: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a method that is already bound."""
    holder: Any = type("Holder", (), {"run": body})
    made: Callable[..., Any] = decorate(holder().run)
    return made


HOLDERS = (
    plain,
    method,
    class_method_above,
    class_method_below,
    static_method_above,
    static_method_below,
    partial,
    callable_object,
    bound_method,
)
