"""Calls of providers, and the layers that they pass: LangChain calls LiteLLM, which calls the SDK of OpenAI.

The outermost layer is the call. What is inside it is not a call of its own, and tells the next layer out only what
tokens it used.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, Self
from weakref import ref

from mlmetrics.calls.answers import Answer
from mlmetrics.calls.inner import Inner, InnerRun
from mlmetrics.calls.reads import AUTO, Reads
from mlmetrics.calls.recorder import Recorder
from mlmetrics.catalog import INFERENCE
from mlmetrics.integrations.attempts import ProviderRun
from mlmetrics.integrations.raw import follows, is_raw, measured_raw
from mlmetrics.interruption import Tolerating, interrupted
from mlmetrics.recording.store import Store

ASKED = Inner("")
SUPPRESSING = ("suppress_instrumentation", "suppress_language_model_instrumentation")
"""Keys of OpenTelemetry's context by which somebody asks that calls of models are not recorded."""

_within: ContextVar[tuple["ref[ProviderCall]", ...]] = ContextVar("mlmetrics_provider_calls", default=())
"""The calls that the code is within, one for each toolkit that records them.

Contexts live on in tasks and in logs of SDKs, and must not keep a call alive that would end when it is dropped.
"""


class ProviderCall:
    """A call of a provider through an SDK, or a layer inside of one, which is `outer`.

    `asking` says whether the calls that begin in its context are inside of it.
    """

    __slots__ = ("__weakref__", "answer", "asking", "outer", "run")

    def __init__(self, run: InnerRun, outer: "ProviderCall | None") -> None:
        self.run = run
        self.outer = outer
        self.asking = True
        self.answer: Any = run.answer

    @property
    def store(self) -> Store:
        """Where it is recorded; each toolkit has its own."""
        return self.run.series.store

    def raised(self, error: BaseException) -> None:
        """End the call because it raised."""
        self.run.end(error)

    def returned(self, result: Any) -> None:
        """End the call with its response; if that is a stream, the call goes on until that ends."""
        self.answer.said.known = True  # also where nobody reads it
        if is_raw(type(result)):
            measured_raw(result, self.run)
            self.answer = self.run.answer
        elif not follows(result, self.run):
            self.answer.whole(result)
            self.run.end()


class InsideRun(InnerRun):
    """The run of a layer inside another one: it records nothing, and tells the outer call what it has read."""

    __slots__ = ("outer",)
    outer: ProviderCall

    def end(self, error: BaseException | None = None, seconds: float | None = None) -> None:  # noqa: ARG002 (as its base)
        """Tell the outer call what was said, or the next one if that is over."""
        if not self._ended:
            self._ended = True
            call = self.outer
            while call.run.over and call.outer is not None:
                call = call.outer
            if self.answer is not None and call.run.answer is not None:
                call.run.answer.inside(self.answer)

    def record_chunks(self, stream: bool | None = None) -> Self:  # noqa: ARG002, FBT001 (as its base)
        """Record no chunks: the outer call times its own."""
        return super().record_chunks(stream=False)

    def _first(self, content: int, seconds: float, last: float | None) -> None:  # noqa: ARG002 (as its base)
        self._answered = True


def begin(
    recorder: Recorder, model: object, operation: str, provider: str, kind: type[ProviderCall] = ProviderCall
) -> ProviderCall | None:
    """Begin a call of a provider; None if somebody asks that it is not recorded. Never raises."""
    try:
        if suppressed():
            return None
        reads = Reads(usage=AUTO, known=True, first=True, provider=provider)
        outer = enclosing(recorder.store)
        if outer is not None:
            return inside(outer, reads, kind)
        series = recorder.calls(INFERENCE).series(recorder.named(None), (model, operation))
        run = ProviderRun(series, series.clock(), Answer(series, reads))
        run.prepare(ASKED)
        run.begin()
        return kind(run, None)
    except Exception as error:  # nothing of ours reaches the user's call
        if interrupted(error):
            raise
        recorder.store.failed("instrument", error)
        return None


def inside(outer: ProviderCall, reads: Reads, kind: type[ProviderCall] = ProviderCall) -> ProviderCall:
    """Begin a layer inside a call."""
    series = outer.run.series
    run = InsideRun(series, series.clock(), Answer(series, reads), started=True)
    run.prepare(ASKED)
    run.outer = outer
    return kind(run, outer)


def enclosing(store: Store) -> ProviderCall | None:
    """Return the call of a toolkit that one which begins now is inside of."""
    calls = _within.get()
    if not calls:
        return None  # as for all that the program itself sends by an HTTP client
    call = next((found for held in calls if (found := held()) is not None and found.store is store), None)
    while call is not None and (call.run.over or not call.asking):
        call = call.outer
    return call


def outermost(call: ProviderCall) -> ProviderCall:
    """Return the call that a layer is inside of."""
    while call.outer is not None:
        call = call.outer
    return call


def enter(call: ProviderCall) -> Token[tuple["ref[ProviderCall]", ...]]:
    """Have the calls that begin in this context inside of a call, until that is over or no longer asking."""
    others = [held for held in _within.get() if (found := held()) is not None and found.store is not call.store]
    return _within.set((*others, ref(call)))


@contextmanager
def within(call: ProviderCall) -> Iterator[None]:
    """Have the calls that begin in this block inside of a call."""
    token = enter(call)
    try:
        yield
    finally:
        with Tolerating(ValueError):  # a coroutine that is dropped is closed in another context
            _within.reset(token)


def suppressed() -> bool:
    """Whether somebody asks, in the context of OpenTelemetry, that calls are not recorded."""
    context = sys.modules.get("opentelemetry.context")
    if context is None:
        return False
    own = (getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", None),)
    return any(context.get_value(key) for key in (*SUPPRESSING, *own) if key is not None)


def around(
    wrapped: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], call: ProviderCall | None
) -> Any:
    """Call a function of an SDK as this call."""
    if call is None:
        return wrapped(*args, **kwargs)
    try:
        with within(call):
            result = wrapped(*args, **kwargs)
    except BaseException as error:
        call.raised(error)
        raise
    return hand_on(call, result)


async def around_async(
    wrapped: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], call: ProviderCall | None
) -> Any:
    """Call a coroutine function of an SDK as this call."""
    if call is None:
        return await wrapped(*args, **kwargs)
    try:
        with within(call):
            result = await wrapped(*args, **kwargs)
    except BaseException as error:
        call.raised(error)
        raise
    return hand_on(call, result)


def hand_on(call: ProviderCall, result: Any) -> Any:
    """Read a response, and return it as it is."""
    try:
        call.returned(result)
    except Exception as error:  # nothing of ours reaches the user's call
        if interrupted(error):
            raise
        call.run.end()
        call.run.series.store.failed("instrument", error)
    return result
