"""Raw and streaming responses of the clients by Stainless: measured when they are parsed, or read in another way.

A raw response whose body is there counts from the moment that it came, and says what it used when it is parsed; if
nobody parses it, its body is read when it is dropped. What nobody has read of a stream is cancelled.
"""

import inspect
import json
from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any

from mlmetrics.calls.answers import Answer
from mlmetrics.calls.inner import AsyncListening, InnerRun, listen, measured, stream_of
from mlmetrics.calls.saying import Saying
from mlmetrics.errors import name_of_type
from mlmetrics.interruption import Tolerating, interrupted
from mlmetrics.responses.kinds import hearing
from mlmetrics.responses.said import NOTHING
from mlmetrics.responses.sse import SSE, is_sse

Use = Callable[[Any], Any]
"""What a call does with what a method of a response has returned; it returns that too."""

RAW = ("LegacyAPIResponse", "APIResponse", "AsyncAPIResponse")
WHOLE = ("read", "text", "json")
PIECES = ("iter_bytes", "iter_text", "iter_lines")
LONGEST_BODY_BYTES = 1 << 20
"""A longer body, such as many embeddings, is not read a second time: decoding it would hold up the program."""


def follows(result: Any, run: InnerRun) -> bool:
    """Have a call go on until its result ends; False if that is no stream, or one that cannot be measured."""
    inner = stream_of(type(result))
    if inner is None:
        return False
    measures = measured(result, inner, run)
    if not measures:
        run.series.store.failed("instrument", f"a {name_of_type(type(result))} without `{inner.path}` is not measured")
    return measures


def is_raw(kind: type) -> bool:
    """Whether objects of this type are raw or streaming responses."""
    return any(base.__name__ in RAW and base.__module__.endswith("response") for base in kind.__mro__)


class BodyAnswer(Answer):
    """Reads the body of a response as it comes: server-sent events, or JSON."""

    __slots__ = ("_body", "_length", "_lines")

    def lines(self, *, alone: bool) -> None:
        """Say whether each chunk is a line without its end."""
        self._lines = alone
        self._body: list[bytes] = []
        self._length = 0

    def _text(self, chunk: str | bytes) -> int:
        if self._sse is None and not self._body and is_sse(chunk):
            self._sse = SSE()
        if self._sse is not None:
            end: Any = "\n" if isinstance(chunk, str) else b"\n"
            return self._sse.feed(chunk + end if self._lines else chunk, self.said)
        self._length += len(chunk)
        if self._length <= LONGEST_BODY_BYTES:
            self._body.append(chunk.encode() if isinstance(chunk, str) else chunk)
        return NOTHING  # a piece of JSON, and no chunk of an answer

    def record(self, start: float, seconds: float, *, complete: bool, saying: Saying | None) -> None:
        """Read JSON that has come to its end, and record what was said."""
        if self._body and self._length <= LONGEST_BODY_BYTES:
            self.body(b"".join(self._body))
        self.said.known = True
        super().record(start, seconds, complete=complete, saying=saying)

    def body(self, body: bytes) -> None:
        """Read a whole body."""
        if is_sse(body):
            SSE().feed(body, self.said)
            return
        with Tolerating(ValueError):  # it is cut, or no JSON: nothing is known of it then
            payload = json.loads(body)
            hear = hearing(dict) if isinstance(payload, dict) else None
            if hear is not None:
                hear(payload, self.said)


class RawCall:
    """A call whose response is raw; kept by the response, and dropped with it."""

    def __init__(self, run: InnerRun, response: Any) -> None:
        self._run = run
        self._response = response.http_response
        self._streams = bool(getattr(response, "_stream", False))
        self._parsed = False
        self._seconds = run.seconds
        given: Any = run.answer
        self._answer = BodyAnswer(run.series, given.reads)
        self._answer.lines(alone=False)
        run.answer = self._answer

    def parsed(self, result: Any) -> Any:
        """Read what was parsed; a stream goes on."""
        if not self._parsed and not follows(result, self._run):
            self._answer.whole(result)
            self._run.end(None, self._seconds)
        self._parsed = True  # the second time, it is the same stream
        return result

    def whole(self, result: Any) -> Any:
        """Read the body, which the caller has read."""
        self._read_body()
        return result

    def pieces(self, iterator: Any, *, lines: bool) -> Any:
        """Return an iterator of the pieces of the body, which are read as they come."""
        self._answer.lines(alone=lines)
        self._run.read = True
        self._run.record_chunks()
        return AsyncListening(iterator, self._run) if hasattr(iterator, "__anext__") else listen(iterator, self._run)

    def closed(self, result: Any) -> Any:
        """End the call, if its body was not read."""
        self._run.leave()
        return result

    def raised(self, error: Any) -> Any:
        """End the call, because its body could not be read or parsed."""
        self._read_body(error)
        return error

    def tell(self, use: Use, result: Any) -> Any:
        """Use what was returned or raised; nothing of ours reaches the program."""
        try:
            return use(result)
        except Exception as error:
            if interrupted(error):
                raise
            self._run.series.store.failed("instrument", name_of_type(type(error)))
            return result

    def _read_body(self, error: BaseException | None = None) -> None:
        body = self._body
        if body is not None and len(body) <= LONGEST_BODY_BYTES:
            self._answer.body(body)
        self._run.end(error, self._seconds if error is None else None)

    @property
    def _body(self) -> bytes | None:
        """The body, if it is there as a whole."""
        body = getattr(self._response, "_content", None)
        return body if isinstance(body, bytes) else None

    def __del__(self) -> None:
        try:
            if not self._streams and self._body is not None:
                self._read_body()
        except Exception as error:  # nothing of ours reaches the user's call
            if interrupted(error):
                raise
            self._run.series.store.failed("instrument", name_of_type(type(error)))


def measured_raw(response: Any, run: InnerRun) -> None:
    """Have a raw response tell its call when it is parsed, read or closed.

    It does so by methods of a copy, which shares all that it has: methods of the response itself, kept by it, would
    keep it alive until the garbage collector comes, and one that is dropped is over.
    """
    call, kind, bare = RawCall(run, response), type(response), copy(response)
    uses: dict[str, Use] = {
        "parse": call.parsed,
        "close": call.closed,
        **dict.fromkeys(WHOLE, call.whole),
        **{name: partial(call.pieces, lines=name == "iter_lines") for name in PIECES},
    }
    for name, use in uses.items():
        method = getattr(kind, name, None)
        if inspect.isfunction(method):
            then = _then_async if inspect.iscoroutinefunction(method) else _then
            setattr(response, name, partial(then, getattr(bare, name), call, use))


def _then(method: Callable[..., Any], call: RawCall, use: Use, *args: Any, **kwargs: Any) -> Any:
    try:
        result = method(*args, **kwargs)
    except BaseException as error:
        call.tell(call.raised, error)
        raise
    return call.tell(use, result)


async def _then_async(method: Callable[..., Any], call: RawCall, use: Use, *args: Any, **kwargs: Any) -> Any:
    try:
        result = await method(*args, **kwargs)
    except BaseException as error:
        call.tell(call.raised, error)
        raise
    return call.tell(use, result)
