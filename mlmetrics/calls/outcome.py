"""How a call ends: with exactly one outcome; the only place that decides which.

Plain wrappers append a success to the series themselves, and call `raised` after an exception. A timer is a `Call`;
streams and what else outlives its function use `Run` of `runs`. All of them end by the functions here. `now` is when
the call ended, by the clock of the series, where it is known: log events are limited by it.
"""

import asyncio
import sys

from mlmetrics import logs
from mlmetrics.calls.failures import ErrorType, error_type_of, remember, seldom_of
from mlmetrics.calls.operation import CallSeries
from mlmetrics.errors import name_of_type
from mlmetrics.interruption import interrupted
from mlmetrics.recording.outbox import FailedSeconds
from mlmetrics.recording.series import BOUND

CANCELLATIONS = (asyncio.CancelledError, GeneratorExit)
"""Exceptions that mean cancelled, besides trio's `Cancelled`; any other exception is a failure."""
CANCELLED = "cancelled"


def raised(  # noqa: C901 (in an outage all calls end here, and each further function would slow them down)
    series: CallSeries, error: BaseException, seconds: float, now: float
) -> bool:
    """End a call that raised; return whether it failed.

    Only the type of the error is read, and without its own attributes: its `__class__` or its
    metaclass may raise.
    """
    try:
        found = series.error_types[type(error)]
    except Exception as problem:  # a type that is new, or of a group, or whose metaclass cannot be hashed
        if interrupted(problem):
            raise
        return _raised_first(series, error, seconds, now)
    # What follows is `cancelled` and `failed` without their calls.
    if found is None:
        series.cancel(seconds)
        if len(series.started) > BOUND:
            series.store.fold(series)
        return False
    if series.store.outbox is None:
        series.fail(seconds)
    else:
        _fail_noted(series, seconds, found)
    try:
        found.count += 1.0
        if found.record is not None:
            found.record(1.0)
        if now >= found.due:
            _tell_failure(series, found, seconds, now)
        if seconds > series.notice_seconds or len(series.started) > BOUND:
            slow_path(series, seconds, now)
    except RecursionError:
        pass  # the outcome is recorded; the stack has no room for the log event
    except Exception as problem:  # nothing of ours reaches the user's call
        if interrupted(problem):
            raise
        series.store.failed("failure", problem)
    return True


def end_as(
    series: CallSeries, verdict: str | None, error: BaseException | None, seconds: float, now: float | None = None
) -> bool:
    """End a call: as was said of it, else by its exception, else as a success; return whether it failed."""
    if verdict == CANCELLED:
        cancelled(series, seconds)
        return False
    if verdict is not None:
        failed(series, verdict, seconds, now)
        return True
    if error is not None:
        return raised(series, error, seconds, series.clock() if now is None else now)
    succeeded(series, seconds, now)
    return False


def is_cancellation(error: BaseException) -> bool:
    """Whether the exception means cancelled; a group does if all its exceptions do."""
    kind = type(error)
    if issubclass(kind, BaseExceptionGroup):
        return all(is_cancellation(each) for each in error.exceptions)  # type: ignore[attr-defined]  # a group has them
    if issubclass(kind, CANCELLATIONS):
        return True
    # No class is derived from trio's, and its `__subclasscheck__` would hash the type. Whoever has one has loaded trio;
    # another thread may be loading it now.
    trio = sys.modules.get("trio")
    return trio is not None and kind is getattr(trio, "Cancelled", None)


def cancelled(series: CallSeries, seconds: float) -> None:
    """End a call that was cancelled; its duration is not added to the histogram."""
    series.cancel(seconds)
    if len(series.started) > BOUND:
        series.store.fold(series)


def failed(series: CallSeries, error_type: object, seconds: float, now: float | None = None) -> None:
    """End a call as a failure of this type."""
    _failed(series, error_type, None, seconds, now)


def _raised_first(series: CallSeries, error: BaseException, seconds: float, now: float) -> bool:
    """End a call that raised an exception of a type that the series does not know; it knows it afterwards."""
    kind = type(error)
    if is_cancellation(error):
        cancelled(series, seconds)
        _remember(series, kind, None)
        return False
    _failed(series, name_of_type(kind), kind, seconds, now)
    return True


def _failed(
    series: CallSeries, error_type: object, kind: type[BaseException] | None, seconds: float, now: float | None
) -> None:
    found, problem = _fail(series, error_type, seconds)
    try:
        if problem is not None:
            series.store.failed("failure", problem)
        if found is not None:
            found.count += 1.0
            if found.record is not None:
                found.record(1.0)
            _tell_failure(series, found, seconds, series.clock() if now is None else now)
            slow_path(series, seconds, now)
            if kind is not None:
                _remember(series, kind, found)
    except RecursionError:
        pass  # as in `raised`
    except Exception as error:  # nothing of ours reaches the user's call
        if interrupted(error):
            raise
        series.store.failed("failure", error)


def _fail(series: CallSeries, error_type: object, seconds: float) -> tuple[ErrorType | None, Exception | None]:
    """Record the outcome, whatever happens; return the error type, or what is wrong with it."""
    found: ErrorType | None = None
    problem: Exception | None = None
    noted = seconds
    try:
        found = error_type_of(series, error_type)
        if series.store.outbox is not None:  # whoever takes the raw numbers tells failures apart by their types
            noted = FailedSeconds(seconds, found.name)
    except RecursionError:
        pass  # the stack has no room for the error type and the log event
    except Exception as error:  # the caller counts it
        if interrupted(error):
            raise
        problem = error
    finally:
        series.fail(noted)
    return found, problem


def _remember(series: CallSeries, kind: type[BaseException], found: ErrorType | None) -> None:
    try:
        remember(series, kind, found)
    except Exception as error:  # a type whose metaclass cannot be hashed is asked for again each time
        if interrupted(error):
            raise


def _fail_noted(series: CallSeries, seconds: float, found: ErrorType) -> None:
    """Append the seconds with their error type: somebody takes the raw numbers."""
    noted = seconds
    try:
        noted = FailedSeconds(seconds, found.name)
    except RecursionError:
        pass  # the stack has no room for it
    finally:  # the outcome is recorded whatever happened
        series.fail(noted)


def _tell_failure(series: CallSeries, found: ErrorType, seconds: float, now: float) -> None:
    """Log the failure, if one of its type may be logged now."""
    store = series.store
    suppressed = found.turn(now, store.log_interval_seconds)
    if suppressed is not None:
        logs.call_failed(store, series.operation.name, named_labels(series), found.name, seconds, suppressed)


def succeeded(series: CallSeries, seconds: float, now: float | None = None) -> None:
    """End a call as a success."""
    series.succeed(seconds)
    if seconds > series.notice_seconds or len(series.started) > BOUND:
        slow_path(series, seconds, now)


def slow_path(series: CallSeries, seconds: float, now: float | None = None) -> None:
    """Fold, log, keep an exemplar: what few calls need."""
    try:
        if seconds > series.notice_seconds:
            _notice(series, seconds, series.clock() if now is None else now)
        if len(series.started) > BOUND:
            series.store.fold(series)
    except Exception as error:  # nothing of ours reaches the user's call
        if interrupted(error):
            raise
        series.store.failed("call", error)


def _notice(series: CallSeries, seconds: float, now: float) -> None:
    """Look at a call that was slow, or any call while tracing is on."""
    store, seldom = series.store, seldom_of(series)
    if seconds > store.slow_seconds and series.operation.slow_is_told:
        suppressed = seldom.slow.another(now, store.log_interval_seconds)
        if suppressed is not None:
            logs.call_slow(store, series.operation.name, named_labels(series), seconds, suppressed)
    if seldom.wants_exemplar(seconds, now):
        if mark(series, seconds):
            seldom.has_exemplar(seconds, now)
        series.update_notice()


def mark(series: CallSeries, seconds: float) -> bool:
    """Keep the current trace id as the exemplar of this duration's bucket; return whether there is one."""
    try:
        exemplar = series.store.exemplar(seconds)
    except Exception as error:  # an error of the tracer must not reach the user's call
        if interrupted(error):
            raise
        series.store.failed("exemplar", error)
        return False
    if exemplar is not None:
        series.mark(exemplar)
    return exemplar is not None


def named_labels(series: CallSeries) -> dict[str, str]:
    """Return the labels of a series by name, for log events."""
    names = ("service", *series.operation.labels)
    values = (series.store.service if label is None else label for label in series.labels)
    return dict(zip(names, values, strict=True))
