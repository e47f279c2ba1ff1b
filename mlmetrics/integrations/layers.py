"""Calls of providers, and the layers that they pass: LangChain calls LiteLLM, which calls the SDK of OpenAI.

The outermost layer is the call. What is inside it is not a call of its own, and tells it only what tokens it used.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from mlmetrics.calls.answers import AUTO, Answer, Reads
from mlmetrics.calls.inner import Inner, InnerRun
from mlmetrics.calls.recorder import Recorder
from mlmetrics.catalog import INFERENCE
from mlmetrics.integrations.raw import follows, is_raw, measured_raw
from mlmetrics.interruption import Tolerating, interrupted

ASKED = Inner("")
SUPPRESSING = ("suppress_instrumentation", "suppress_language_model_instrumentation")
"""Keys of OpenTelemetry's context by which somebody asks that calls of models are not recorded."""

_outer: ContextVar[tuple["ProviderCall", ...]] = ContextVar("mlmetrics_provider_call", default=())
"""The calls that the code is within: one for each toolkit that records them."""


class ProviderCall:
    """A call of a provider through an SDK, or a layer inside of one."""

    __slots__ = ("answer", "run")

    def __init__(self, run: InnerRun) -> None:
        self.run = run
        self.answer: Any = run.answer

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

    __slots__ = ("_call",)

    def inside(self, call: ProviderCall) -> "InsideRun":
        """Set the call that it is inside of; returns itself."""
        self._call = call
        return self

    def end(self, error: BaseException | None = None, seconds: float | None = None) -> None:  # noqa: ARG002 (as its base)
        """Tell the outer call what was said."""
        if not self._ended:
            self._ended = True
            answer, outer = self.answer, self._call.answer
            if answer is not None and outer is not None:
                outer.inside(answer.said)

    def timed(self, content: int, last: float | None) -> float:  # noqa: ARG002 (as its base)
        """Record nothing: the outer call times its own chunks."""
        return 0.0


def begin(recorder: Recorder, model: object, operation: str, provider: str) -> ProviderCall | None:
    """Begin a call of a provider; None if somebody asks that it is not recorded. Never raises."""
    try:
        if suppressed():
            return None
        series = recorder.calls(INFERENCE).series(recorder.named(None), (model, operation))
        reads = Reads(usage=AUTO, known=True, first=True, provider=provider)
        outer = next((call for call in _outer.get() if call.run.series.store is recorder.store), None)
        kind: Any = InnerRun if outer is None else InsideRun
        run = kind(series, series.clock(), Answer(series, reads), started=True)
        run.prepare(ASKED)
        if outer is None:
            series.begin(None)
        else:
            run.inside(outer)
        return ProviderCall(run)
    except Exception as error:  # nothing of ours reaches the user's call
        if interrupted(error):
            raise
        recorder.store.failed("instrument", error)
        return None


@contextmanager
def within(call: ProviderCall) -> Iterator[None]:
    """Have the calls that begin in this block inside of a call."""
    token = None if isinstance(call.run, InsideRun) else _outer.set((*_outer.get(), call))
    try:
        yield
    finally:
        if token is not None:
            with Tolerating(ValueError):  # a coroutine that is closed from another context than it ran in
                _outer.reset(token)


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
