"""One call, from its beginning to exactly one outcome; the only place that decides which.

Plain wrappers append a success to the series themselves, and call `raised` after an exception.
A timer is a `Call`; streams use `Run` of `streams`, which ends by the functions here.
"""

import asyncio
import sys
from typing import Any, ClassVar

from mlmetrics import exemplars, logs
from mlmetrics.calls.measures import (
    count,
    number,
    observe,
    record_classes,
    record_score,
    record_size,
    record_tokens,
)
from mlmetrics.calls.operation import ENDED, CallSeries
from mlmetrics.catalog.models import BATCHES, CLASSES, COST, QUEUE, STREAMS, TOKENS
from mlmetrics.errors import name_of_type
from mlmetrics.interruption import interrupted

CANCELLATIONS = (asyncio.CancelledError, GeneratorExit)
"""Exceptions that mean cancelled, besides trio's `Cancelled`; any other exception is a failure."""
CANCELLED = "cancelled"


def raised(series: CallSeries, error: BaseException, seconds: float) -> None:
    """End a call that raised.

    Only the type of the error is read, and without its own attributes: its `__class__` or its
    metaclass may raise.
    """
    if is_cancellation(error):
        cancelled(series, seconds)
    else:
        failed(series, name_of_type(type(error)), seconds)


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


class Call:
    """One run of an operation; a timer yields it.

    No method raises: what cannot be recorded is counted in
    `mlmetrics_recording_errors_total{where}` and logged once.
    """

    __slots__ = ("_first_chunk_seen", "_seconds", "_series", "_start", "_verdict", "spot", "state")
    droppable: ClassVar[type["Call"]]

    def __init__(self, series: CallSeries) -> None:
        self._series = series
        # None: not begun; True: running, and its exit may take the fast path; False: running; `ENDED`.
        # The other slots are set only when they are needed, because a timer is made for every block.
        self.state: int | None = None

    def begin(self) -> None:
        """Start the clock, unless it runs or has run already."""
        if self.state is None:
            self.state = False
            self._start = self._series.clock()
            self._series.begin(self)

    def let_go(self) -> None:
        """Note that no series holds the call: if it is garbage collected before it ends, it counts as cancelled."""
        if not isinstance(self, Droppable):
            self.__class__ = self.droppable

    def end(self, error: BaseException | None = None) -> None:
        """Stop the clock and record the outcome: what the user set, else that of the exception, else success."""
        if self.state is None or self.state is ENDED:
            return
        series, verdict = self._series, getattr(self, "_verdict", None)
        if series.spot is not getattr(self, "spot", None):
            self.state = ENDED  # it began in the process that this one was forked from, which records it
            return
        self._seconds = seconds = series.clock() - self._start
        self.state = ENDED
        if verdict == CANCELLED:
            cancelled(series, seconds)
        elif verdict is not None:
            failed(series, verdict, seconds)
        elif error is not None:
            raised(series, error, seconds)
        else:
            self._succeed(seconds)

    def _succeed(self, seconds: float) -> None:
        succeeded(self._series, seconds)

    @property
    def duration(self) -> float:
        """Seconds since the call began; after its end, the seconds that it took."""
        if self.state is ENDED:
            return self._seconds
        return 0.0 if self.state is None else self._series.clock() - self._start

    def fail(self, error_type: str = "error") -> None:
        """Make the call a failure of this type, even if nothing is raised.

        Metrics: `*_total{outcome="failure"}`, `*_errors_total{error_type}`.
        """
        self._say(error_type if isinstance(error_type, str) and error_type != CANCELLED else "error")

    def cancel(self) -> None:
        """Make the call cancelled: its caller no longer wants the result. Metrics: `*_total{outcome="cancelled"}`."""
        self._say(CANCELLED)

    def _say(self, verdict: str) -> None:
        if self.state is not None and self.state is not ENDED:
            self._verdict = verdict
            self.state = False

    def tokens(self, **tokens: float) -> None:
        """Count tokens by type: `input`, `cache_read`, `cache_write`, `output`, `reasoning`; none contains another.

        Metrics: `ml_inference_tokens_total`.
        """
        series = self._series
        if self._records(TOKENS, "tokens"):
            record_tokens(series, tokens)

    def cost(self, usd: float) -> None:
        """Add the cost of the call, in US dollars. Metrics: `ml_inference_cost_usd_total`."""
        if self._records(COST, "cost"):
            series = self._series
            name = f"{series.operation.prefix}_cost_usd_total"
            count(series.store, name, series.labels, number(series.store, "cost", usd))

    def score(self, score: float) -> None:
        """Record the score of the result, 0 to 1.

        Metrics: `parsing_accuracy_score` of a parsing, `matching_score_distribution` of a matching,
        `ml_<operation>_score` of the others.
        """
        record_score(self._series, score)

    def predicted(self, predicted_class: object) -> None:
        """Count what the model predicted: a class, or a list of several. Metrics: `ml_prediction_total`."""
        if self._records(CLASSES, "prediction"):
            record_classes(self._series, predicted_class)

    def size(self, size_bytes: float, file_type: str | None = None) -> None:
        """Record the size of the file that the call works on, in bytes. Metrics: `file_processing_size_bytes`.

        Args:
            size_bytes: the size.
            file_type: the label; by default the `doc_type` of a parsing, else `unknown`.
        """
        record_size(self._series, size_bytes, file_type)

    def first_chunk(self) -> None:
        """Record the time to the first chunk; only once. Metrics: `ml_inference_first_chunk_seconds`."""
        if not hasattr(self, "_first_chunk_seen") and self._records(STREAMS, "first_chunk"):
            self._first_chunk_seen = True
            series = self._series
            observe(series.store, f"{series.operation.prefix}_first_chunk_seconds", series.labels, self.duration)

    def batch(self, items: int) -> None:
        """Record how many items the call handles. Metrics: `ml_inference_batch_size`."""
        if self._records(BATCHES, "batch"):
            series = self._series
            name = f"{series.operation.prefix}_batch_size"
            observe(series.store, name, series.labels, number(series.store, "batch", items))

    def queued(self, seconds: float) -> None:
        """Record how many seconds the call waited for its model. Metrics: `ml_inference_queue_duration_seconds`."""
        if self._records(QUEUE, "queued"):
            series = self._series
            name = f"{series.operation.prefix}_queue_duration_seconds"
            observe(series.store, name, series.labels, number(series.store, "queued", seconds))

    def _records(self, part: str, where: str) -> bool:
        operation = self._series.operation
        if part not in operation.parts:
            self._series.store.failed(where, f"{operation.name} calls have no {where}")
            return False
        return True


class Droppable:
    """A call that its series no longer holds: only these need a finalizer, which would slow down every call."""

    __slots__ = ()

    def __del__(self: Any) -> None:
        self.end(GeneratorExit())


class _DroppableCall(Droppable, Call):
    """A call that its series has let go."""

    __slots__ = ()


Call.droppable = _DroppableCall
