"""Retries by a library that knows nothing of models: which call a failed attempt belongs to, and how it is counted.

An attempt within a call counts there. Else it counts for the function that is tried again: by the labels that its
decorator gives it, or by its name, as `track_inference` does without a model.
"""

import sys
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any

from mlmetrics.calls.call import Call
from mlmetrics.calls.decorators import CallableProxy, name_of
from mlmetrics.calls.ending import NO_CALL, current_call
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.outcome import is_cancellation
from mlmetrics.calls.recorder import Recorder
from mlmetrics.calls.surroundings import record_attempt
from mlmetrics.calls.templates import OWN, WRAPPER, function_of
from mlmetrics.catalog import INFERENCE
from mlmetrics.catalog.surroundings import RETRIES
from mlmetrics.integrations.http import call_within
from mlmetrics.integrations.patches import Patch
from mlmetrics.interruption import interrupted
from mlmetrics.recording.labels import UNKNOWN, RawLabels
from mlmetrics.recording.store import Store
from mlmetrics.responses.reasons import OTHER, of_error

STAMINA = "stamina._core"
"""Where stamina makes the objects of tenacity that try again for it."""
AGAIN = "DoSleep"
"""What tenacity's decision is called if there is another attempt."""
_THEIRS = ("mlmetrics.", "stamina.", "tenacity.", "wrapt.")

Counts = Callable[[Any], bool]
"""Whether the retries of an object of tenacity are counted."""


class Retries:
    """Counts the retries of tenacity, or of stamina, which is made of it, for one toolkit."""

    def __init__(self, recorder: Recorder, counts: Counts) -> None:
        self._recorder = recorder
        self._counts = counts

    def patches(self) -> list[Patch]:
        """Return what is to be replaced: what decides, after each attempt, whether there is another one."""
        return [
            Patch("tenacity", "BaseRetrying.iter", self.decided),
            Patch("tenacity.asyncio", "AsyncRetrying.iter", self.decided_async),
        ]

    def decided(self, wrapped: Any, retrying: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Decide what comes after an attempt; it raises if the attempt was the last one and failed."""
        state = self._state(retrying, args, kwargs)
        if state is None:
            return wrapped(*args, **kwargs)
        outcome = state.outcome
        try:
            then = wrapped(*args, **kwargs)
        except BaseException:
            self._tell(state, outcome, again=False)
            raise
        self._tell(state, outcome, again=type(then).__name__ == AGAIN)
        return then

    async def decided_async(self, wrapped: Any, retrying: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Decide what comes after an attempt; it raises if the attempt was the last one and failed."""
        state = self._state(retrying, args, kwargs)
        if state is None:
            return await wrapped(*args, **kwargs)
        outcome = state.outcome
        try:
            then = await wrapped(*args, **kwargs)
        except BaseException:
            self._tell(state, outcome, again=False)
            raise
        self._tell(state, outcome, again=type(then).__name__ == AGAIN)
        return then

    def _state(self, retrying: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the state of tenacity after an attempt; None before the first one, or if it is not counted."""
        state = args[0] if args else kwargs.get("retry_state")
        return state if getattr(state, "outcome", None) is not None and self._counts(retrying) else None

    def _tell(self, state: Any, outcome: Any, *, again: bool) -> None:
        """Count an attempt if it failed: by its error, or because its result was refused."""
        try:
            error, retrying = outcome.exception(), state.retry_object
            refused = error is None and retrying.iter_state.retry_run_result
            if refused or (isinstance(error, Exception) and not is_cancellation(error)):
                function = _wrapped_by_stamina() if state.fn is None else state.fn
                self._failed(error, function, retrying, again=again)
        except Exception as other:  # nothing of ours reaches the program
            if interrupted(other):
                raise
            self._recorder.store.failed("retry", other)

    def _failed(self, error: BaseException | None, function: Any, retrying: Any, *, again: bool) -> None:
        """Count an attempt that failed by an error, or by a result that was refused."""
        store = self._recorder.store
        call = call_within(store)
        if call is not None:
            run: Any = call.run
            # What was sent by HTTP is counted there already, and waits only for what comes after it.
            if not run.pending:
                run.pending.append(OTHER if error is None else error)
            if again:
                run.made_again()
            return
        name = getattr(retrying, "_name", None)
        attempt = partial(record_attempt, again=again)
        reason = OTHER if error is None else of_error(error)
        current = _current(store)
        if current is None:
            attempt(_decorated(function, store) or self._named(store, function, name), reason)
        else:
            current._keep(attempt, reason)  # noqa: SLF001 (recorded when the call ends)

    def _named(self, store: Store, function: Any, name: str | None) -> CallSeries:
        """Return a series by the name of a function, or of a block by its own or that of the function it is in."""
        called = name_of(function) if function is not None else name or _block()
        service = store.admit_service("ml_inference_total", self._recorder.named(None))
        return Uncalled(store, store.admit("ml_inference_total", service, (called, ""), ("operation",)))


class Uncalled(CallSeries):
    """The labels of a function whose calls nobody records: only its retries are counted."""

    __slots__ = ("known", "labels", "operation", "store")

    def __init__(self, store: Store, labels: RawLabels) -> None:
        self.known = {}
        self.store = store
        self.operation = INFERENCE
        self.labels = labels


def is_stamina(retrying: Any) -> bool:
    """Whether an object of tenacity tries again for stamina."""
    return getattr(getattr(retrying, "before_sleep", None), "__module__", None) == STAMINA


def _decorated(function: Any, store: Store) -> CallSeries | None:
    """Return the series of a function whose decorator gives it fixed labels; None if it has no such decorator."""
    inner = function_of(function.__call__ if issubclass(type(function), CallableProxy) else function)
    code = inner.__code__ if type(inner) is FunctionType else None
    if code is None or not code.co_filename.startswith(WRAPPER) or f"{OWN}series" not in code.co_freevars:
        return None
    series = (inner.__closure__ or ())[code.co_freevars.index(f"{OWN}series")].cell_contents
    return series if _counts(series, store) else None


def _current(store: Store) -> Call | None:
    """Return the decorated call that runs here, if its operation counts retries."""
    call = current_call()
    counts = call is not NO_CALL and _counts(call._series, store)  # noqa: SLF001 (what a call is recorded by)
    return call if counts else None


def _counts(series: Any, store: Store) -> bool:
    return isinstance(series, CallSeries) and series.store is store and RETRIES in series.operation.parts


def _wrapped_by_stamina() -> Any:
    """Return the function that stamina tries again, which it tells tenacity nothing of; None if that is a block."""
    frame = sys._getframe(1)  # noqa: SLF001 (there is no public way)
    while frame is not None and _module(frame).startswith(_THEIRS):
        if _module(frame) == f"{STAMINA}." and "wrapped" in frame.f_locals:
            return frame.f_locals["wrapped"]
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return None


def _block() -> str:
    """Return the name of the function whose block is tried again."""
    frame = sys._getframe(1)  # noqa: SLF001 (as above)
    while frame is not None and _module(frame).startswith(_THEIRS):
        frame = frame.f_back  # type: ignore[assignment]  # as above
    name = UNKNOWN if frame is None else frame.f_code.co_name
    return UNKNOWN if name.startswith("<") else name


def _module(frame: Any) -> str:
    return f"{frame.f_globals.get('__name__', '')}."
