"""The streams of LiteLLM, read while their consumer takes the chunks.

Where a provider sends no usage, LiteLLM estimates one in the last chunk of a stream. So the usage is read from the
chunks that it keeps, as they came.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any

from mlmetrics.errors import name_of_type
from mlmetrics.integrations.layers import ProviderCall, within
from mlmetrics.interruption import interrupted
from mlmetrics.responses.kinds import hearing
from mlmetrics.responses.said import ANSWER, Said

KEEPING = "CustomStreamWrapper"
"""Streams that keep the chunks as they came. They are measured where they are made: others may be around them."""
AROUND = ("LiteLLMCompletionStreamingIterator", "TextCompletionStreamWrapper")
"""Streams around those; they show the usage that the inner ones estimate."""
READING = "_mlmetrics_reading"
"""Where a stream keeps its readings, one for each toolkit, so that they are dropped with the stream."""


def is_stream(result: Any) -> bool:
    """Return whether a result is a stream that can be read."""
    return any(hasattr(type(result), step) for step in STEPS) and hasattr(result, "__dict__")


def measured(stream: Any, reading: "Keeping") -> None:
    """Have a stream read by this reading, in place of an earlier one."""
    readings: tuple[Keeping, ...] | None = vars(stream).get(READING)
    if readings is None:
        kind: Any = type(stream)
        stream.__class__ = measuring(kind)
    others = []
    for earlier in readings or ():
        if earlier.call.store is not reading.call.store:
            others.append(earlier)
        elif type(earlier) is Reading:
            earlier.call.run.disown()  # of a layer inside, which hands on the same stream
    vars(stream)[READING] = (*others, reading)


class Keeping:
    """Reads what a stream keeps, for a call whose consumer reads another stream around it."""

    __slots__ = ("_heard", "call", "stepping")

    def __init__(self, call: ProviderCall) -> None:
        self.call = call
        self._heard = 0
        self.stepping = False
        """Whether a step is running, which says how the stream ends: newer releases close it within the last one."""

    def begin(self) -> None:
        """Begin a step."""

    def chunk(self, stream: Any, _chunk: Any) -> None:
        """Read a step that gave a chunk."""
        self.kept(stream)

    def end(self, stream: Any, _error: BaseException | None) -> None:
        """Read the last step."""
        self.kept(stream)

    def leave(self) -> None:
        """Do nothing: the stream around it ends the call."""

    def kept(self, stream: Any) -> None:
        """Read the chunks that the stream has kept since the last time."""
        kept = getattr(stream, "chunks", None)
        if isinstance(kept, list):
            for chunk in kept[self._heard :]:
                hear = hearing(type(chunk))
                if hear is not None:
                    hear(chunk, self.call.answer.said)
            self._heard = len(kept)


class Reading(Keeping):
    """Reads a stream for the call whose consumer takes its chunks, and ends the call with it."""

    __slots__ = ("_keeps", "_last", "_shows")

    def __init__(self, call: ProviderCall, stream: Any) -> None:
        super().__init__(call)
        call.run.record_chunks()
        self._last: float | None = None
        names = {base.__name__ for base in type(stream).__mro__}
        self._keeps = KEEPING in names
        self._shows = not self._keeps and names.isdisjoint(AROUND)

    def begin(self) -> None:
        """Note that the stream is read."""
        self.call.run.read = True

    def chunk(self, stream: Any, chunk: Any) -> None:
        """Read a chunk, and record its time if it has content."""
        content = self._content(stream, chunk)
        if content:
            self._last = self.call.run.timed(content, self._last)

    def end(self, stream: Any, error: BaseException | None) -> None:
        """End the call, because the stream has ended."""
        if self._keeps:
            self.kept(stream)
        self.call.run.end(cause(error))

    def leave(self) -> None:
        """End the call, because the stream is closed."""
        self.call.run.leave()

    def _content(self, stream: Any, chunk: Any) -> int:
        """Return what content a chunk has, and read what it says."""
        hear, said = hearing(type(chunk)), self.call.answer.said
        if hear is None:
            return ANSWER
        if self._shows:
            return hear(chunk, said)
        if self._keeps:
            self.kept(stream)
        shown = Said()
        content = hear(chunk, shown)
        said.identity, said.model = said.identity or shown.identity, said.model or shown.model
        said.failure = said.failure or shown.failure
        return content


def cause(error: BaseException | None) -> BaseException | None:
    """Return the error of a stream, which LiteLLM may wrap to tell its router that a fallback can go on."""
    if error is not None and type(error).__name__ == "MidStreamFallbackError":
        original = getattr(error, "original_exception", None)
        return original if isinstance(original, BaseException) else error
    return error


def _next(step: Callable[[Any], Any], stream: Any) -> Any:
    with _reading(stream) as readings:
        chunk = step(stream)
    _tell_chunk(readings, stream, chunk)
    return chunk


async def _anext(step: Callable[[Any], Any], stream: Any) -> Any:
    with _reading(stream) as readings:
        chunk = await step(stream)
    _tell_chunk(readings, stream, chunk)
    return chunk


async def _aclose(step: Callable[[Any], Any], stream: Any) -> Any:
    try:
        return await step(stream)
    finally:
        _tell_closed(stream)


def _close(step: Callable[[Any], Any], stream: Any) -> Any:
    try:
        return step(stream)
    finally:
        _tell_closed(stream)


def _tell_closed(stream: Any) -> None:
    for reading in vars(stream)[READING]:
        if not reading.stepping:
            reading.leave()


@contextmanager
def _reading(stream: Any) -> Iterator[tuple[Keeping, ...]]:
    """Have what a step asks inside of the calls; if it raises, the stream has ended."""
    readings: tuple[Keeping, ...] = vars(stream)[READING]
    try:
        with ExitStack() as stack:
            for reading in readings:
                reading.begin()
                reading.stepping = True
                stack.enter_context(within(reading.call))
            try:
                yield readings
            finally:
                for reading in readings:
                    reading.stepping = False
    except (StopIteration, StopAsyncIteration):
        _tell_end(readings, stream, None)
        raise
    except BaseException as error:
        _tell_end(readings, stream, error)
        raise


def _tell_chunk(readings: tuple[Keeping, ...], stream: Any, chunk: Any) -> None:
    for reading in readings:
        try:
            reading.chunk(stream, chunk)
        except Exception as error:  # nothing of ours reaches the user's call
            if interrupted(error):
                raise
            reading.call.store.failed("instrument", name_of_type(type(error)))


def _tell_end(readings: tuple[Keeping, ...], stream: Any, error: BaseException | None) -> None:
    for reading in readings:
        try:
            reading.end(stream, error)
        except Exception as failed:  # as above
            if interrupted(failed):
                raise
            reading.call.store.failed("instrument", name_of_type(type(failed)))


STEPS: Mapping[str, Callable[..., Any]] = {"__next__": _next, "__anext__": _anext}
HEARD: Mapping[str, Callable[..., Any]] = {**STEPS, "aclose": _aclose, "close": _close}


@lru_cache(maxsize=64)  # a router makes classes within its functions
def measuring(kind: Any) -> Any:
    """Return the class that a stream of a type is given while it is measured.

    A class of its own, so that streams which have begun are recorded to their end, whatever becomes of the patches.
    """
    own = {name: _method(use, getattr(kind, name)) for name, use in HEARD.items() if hasattr(kind, name)}
    return type(kind.__name__, (kind,), {"__module__": kind.__module__, "__qualname__": kind.__qualname__, **own})


def _method(use: Callable[..., Any], step: Callable[[Any], Any]) -> Callable[..., Any]:
    def method(stream: Any) -> Any:
        return use(step, stream)

    return method
