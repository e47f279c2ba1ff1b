"""How a call ends: with exactly one outcome; the only place that decides which.

Plain wrappers append a success to the series themselves, and call `raised` after an exception. A timer is a `Call`;
streams and what else outlives its function use `Run` of `runs`. All of them end by the functions here.
"""

import asyncio
import sys

from mlmetrics import exemplars, logs
from mlmetrics.calls.operation import CallSeries
from mlmetrics.errors import name_of_type
from mlmetrics.interruption import interrupted

CANCELLATIONS = (asyncio.CancelledError, GeneratorExit)
"""Exceptions that mean cancelled, besides trio's `Cancelled`; any other exception is a failure."""
CANCELLED = "cancelled"


def raised(series: CallSeries, error: BaseException, seconds: float) -> bool:
    """End a call that raised; return whether it failed.

    Only the type of the error is read, and without its own attributes: its `__class__` or its
    metaclass may raise.
    """
    if is_cancellation(error):
        cancelled(series, seconds)
        return False
    failed(series, name_of_type(type(error)), seconds)
    return True


def end_as(series: CallSeries, verdict: str | None, error: BaseException | None, seconds: float) -> bool:
    """End a call: as was said of it, else by its exception, else as a success; return whether it failed."""
    if verdict == CANCELLED:
        cancelled(series, seconds)
        return False
    if verdict is not None:
        failed(series, verdict, seconds)
        return True
    if error is not None:
        return raised(series, error, seconds)
    succeeded(series, seconds)
    return False


def is_cancellation(error: BaseException) -> bool:
    """Whether the exception means cancelled; a group does if all its exceptions do."""
    kind = type(error)
    if issubclass(kind, BaseExceptionGroup):
        return all(is_cancellation(each) for each in error.exceptions)  # type: ignore[attr-defined]  # a group has them
    trio = sys.modules.get("trio")
    return issubclass(kind, CANCELLATIONS) or (trio is not None and issubclass(kind, trio.Cancelled))


def cancelled(series: CallSeries, seconds: float) -> None:
    """End a call that was cancelled; its duration is not added to the histogram."""
    series.cancel(seconds)
    if series.full:
        series.store.fold(series)


def failed(series: CallSeries, error_type: object, seconds: float) -> None:
    """End a call as a failure of this type."""
    series.fail(seconds)
    try:
        _tell_failure(series, error_type, seconds)
    except RecursionError:
        pass  # the outcome is recorded; the stack has no room for the error type and the log event
    except Exception as error:  # nothing of ours reaches the user's call
        if interrupted(error):
            raise
        series.store.failed("failure", error)


def _tell_failure(series: CallSeries, error_type: object, seconds: float) -> None:
    store = series.store
    metric = series.operation.errors
    labels = store.admit(metric, series.labels, (error_type,))
    store.record(store.counter(metric, labels), 1)
    name = str(labels[-1])
    logs.call_failed(store, series.operation.name, named_labels(series), name, seconds)
    slow_path(series, seconds)


def succeeded(series: CallSeries, seconds: float) -> None:
    """End a call as a success."""
    series.succeed(seconds)
    slow_path(series, seconds)


def slow_path(series: CallSeries, seconds: float) -> None:
    """Fold, log, keep an exemplar: what few calls need."""
    store = series.store
    try:
        if seconds > series.notice_seconds:
            if seconds > store.slow_seconds and series.operation.slow_is_told:
                logs.call_slow(store, series.operation.name, named_labels(series), seconds)
            mark(series, seconds)
            store.check_tracing()
            series.update_notice()
        if series.full:
            store.fold(series)
    except Exception as error:  # nothing of ours reaches the user's call
        if interrupted(error):
            raise
        store.failed("call", error)


def mark(series: CallSeries, seconds: float) -> None:
    """Keep the current trace id as the exemplar of this duration's bucket."""
    try:
        exemplar = exemplars.current(seconds)
    except Exception as error:  # an error of the tracer must not reach the user's call
        if interrupted(error):
            raise
        series.store.failed("exemplar", error)
        return
    if exemplar is not None:
        series.mark(exemplar)


def named_labels(series: CallSeries) -> dict[str, str]:
    """Return the labels of a series by name, for log events."""
    names = ("service", *series.operation.labels)
    values = (series.store.service if label is None else label for label in series.labels)
    return dict(zip(names, values, strict=True))
