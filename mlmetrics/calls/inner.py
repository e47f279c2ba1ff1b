"""Streams that are measured on their inner iterator, and handed back as the objects that they are.

The streams of SDKs have helpers, such as `get_final_message()`, which read the same inner iterator; so they count as
reading. The attributes named here are private ones of the SDKs: where one is missing, the object is as any other.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any, NamedTuple, Self, TypeVar

from mlmetrics.calls.answers import only_content
from mlmetrics.calls.closing import hear_close, nothing, nothing_async
from mlmetrics.calls.runs import StreamRun
from mlmetrics.recording.series import BOUND
from mlmetrics.responses.said import ANSWER, Hear


class Inner(NamedTuple):
    """Where a stream object has its inner iterator.

    `path` leads to it by attributes, separated by dots. `asked` says that the provider has been asked when there is
    such an object, so that one that nobody reads is cancelled; of any other, the code that made it has run.
    """

    path: str
    asked: bool = True


HELPERS = (
    ("openai", "ChatCompletionStream"),
    ("openai", "AsyncChatCompletionStream"),
    ("openai", "ResponseStream"),
    ("openai", "AsyncResponseStream"),
    ("anthropic", "MessageStream"),
    ("anthropic", "AsyncMessageStream"),
    ("anthropic", "BetaMessageStream"),
    ("anthropic", "BetaAsyncMessageStream"),
)
"""Streams around those that SDKs get, by top-level package and name of the class."""

STREAMS: dict[tuple[str, str], Inner] = {
    ("starlette", "StreamingResponse"): Inner("body_iterator", asked=False),
    **{
        (package, name): Inner("_iterator") for package in ("openai", "anthropic") for name in ("Stream", "AsyncStream")
    },
    **{helper: Inner("_raw_stream._iterator") for helper in HELPERS},
    ("mistralai", "EventStream"): Inner("generator"),
    ("mistralai", "EventStreamAsync"): Inner("generator"),
}
"""By top-level package and name of the class; subclasses count as their bases."""

MANAGERS: dict[tuple[str, str], str] = {
    (package, f"{name}Manager"): f"_{name}Manager__api_request" for package, name in HELPERS
}
"""Objects that ask the provider when they are entered, and where they keep the function, or awaitable, that asks."""

K = TypeVar("K")


def stream_of(kind: type) -> Inner | None:
    """Return where the streams of a type have their inner iterator; None if it is no type with one."""
    return _by_class(STREAMS, kind)


def manager_of(kind: type) -> str | None:
    """Return where the managers of a type keep what asks the provider; None if it is no such type."""
    return _by_class(MANAGERS, kind)


def _by_class(table: dict[tuple[str, str], K], kind: type) -> K | None:
    for base in kind.__mro__:
        found = table.get((base.__module__.partition(".")[0], base.__name__))
        if found is not None:
            return found
    return None


class InnerRun(StreamRun):
    """The run of such a stream."""

    __slots__ = ("_unread_seconds", "read")

    def prepare(self, inner: Inner) -> None:
        """Decide what it means if the stream is never read."""
        self.read = False
        self._unread_seconds = None if inner.asked else self.seconds

    @property
    def said_so_far(self) -> Any:
        """What its answer has said; None if nothing is read from it."""
        return None if self.answer is None else self.answer.said

    def leave(self) -> None:
        """End the call as cancelled; as a success if it was never read, and nobody outside was asked."""
        if self.read or self._unread_seconds is None:
            super().leave()
        else:
            self.end(None, self._unread_seconds)


def measured(stream: Any, inner: Inner, run: InnerRun) -> bool:
    """Measure a stream on its inner iterator; False if it has none there."""
    *path, last = inner.path.split(".")
    holder = stream
    for name in path:
        holder = getattr(holder, name, None)
    iterator: Any = getattr(holder, last, None)
    run.record_chunks()
    if hasattr(iterator, "__anext__"):
        listening: Any = AsyncListening(iterator, run)
    elif hasattr(iterator, "__next__"):
        listening = listen(iterator, run)
    elif hasattr(iterator, "__aiter__"):
        listening = AsyncListening(aiter(iterator), run)
    else:
        return False
    setattr(holder, last, listening)
    if inner.asked:
        hear_close(holder, run)
        if holder is not stream:
            hear_close(stream, run)  # some close the response, and not the stream that they read
    return True


def listen(inner: Iterator[Any], run: InnerRun) -> Iterator[Any]:
    """Yield the chunks of an iterator, and record them.

    A generator, because resuming one costs least. One that is closed before it has begun runs none of this; the
    run then ends when it is dropped.
    """
    run.read = True
    clock, said, (record_gap, gaps) = run.series.clock, run.said_so_far, run.gaps
    pending = gaps.pending
    kind: type | None = None
    hear: Hear = only_content
    last: Any = None
    try:
        for item in inner:
            if type(item) is kind:
                # Here, and not in a method, because a call would cost as much again.
                content = hear(item, said)
                if content == ANSWER:
                    now = clock()
                    record_gap(now - last)
                    last = now
                    if len(pending) > BOUND:
                        run.series.store.fold(gaps)
                elif content:
                    last = run.timed(content, last)
            else:
                kind, hear, last = run.listen(item, last)
            yield item
    except GeneratorExit:
        try:
            getattr(inner, "close", nothing)()
        finally:
            run.leave()
        raise
    except BaseException as error:
        run.end(error)
        raise
    run.end()


class AsyncListening(AsyncIterator[Any]):
    """Yields the chunks of an async iterator, and records them.

    No async generator: the event loop closes those one by one when it ends, in an order of its own.
    """

    __slots__ = ("_clock", "_gaps", "_hear", "_inner", "_kind", "_last", "_next", "_record_gap", "_run", "_said")

    def __init__(self, inner: AsyncIterator[Any], run: InnerRun) -> None:
        self._inner = inner
        self._next: Callable[[], Awaitable[Any]] = inner.__anext__
        self._run = run
        self._clock = run.series.clock
        self._said = run.said_so_far
        self._record_gap, self._gaps = run.gaps
        self._kind: type | None = None
        self._hear: Hear = only_content
        self._last: Any = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._kind is None:
            self._run.read = True
        try:
            item = await self._next()
        except StopAsyncIteration:
            self._run.end()
            raise
        except BaseException as error:
            self._run.end(error)
            raise
        if type(item) is self._kind:
            content = self._hear(item, self._said)
            if content == ANSWER:
                now = self._clock()
                self._record_gap(now - self._last)
                self._last = now
                if len(self._gaps.pending) > BOUND:
                    self._run.series.store.fold(self._gaps)
            elif content:
                self._last = self._run.timed(content, self._last)
        else:
            self._kind, self._hear, self._last = self._run.listen(item, self._last)
        return item

    async def aclose(self) -> None:
        """Close the inner one, if it can be closed."""
        try:
            await getattr(self._inner, "aclose", nothing_async)()
        finally:
            self._run.leave()


class Asking:
    """Replaces what a manager asks the provider by: a function, or an awaitable; the call begins with it."""

    __slots__ = ("_ask", "_begin")

    def __init__(self, ask: Any, begin: Callable[[], tuple[InnerRun, Callable[[Any], None]]]) -> None:
        self._ask = ask
        self._begin = begin

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Ask the provider."""
        run, go_on = self._begin()
        try:
            stream = self._ask(*args, **kwargs)
        except BaseException as error:
            run.end(error)
            raise
        go_on(stream)
        return stream

    def __await__(self) -> Generator[Any, Any, Any]:
        run, go_on = self._begin()
        try:
            stream = yield from self._ask.__await__()
        except BaseException as error:
            run.end(error)
            raise
        go_on(stream)
        return stream

    def close(self) -> None:
        """Close a coroutine that nobody has awaited."""
        getattr(self._ask, "close", nothing)()
