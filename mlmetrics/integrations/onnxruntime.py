"""Sessions of ONNX Runtime: their runs, also those that end by a callback, and those on bound memory."""

import threading
from collections.abc import Callable
from typing import Any

from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.runs import Run
from mlmetrics.handle import Undo
from mlmetrics.integrations.methods import watch_methods
from mlmetrics.integrations.watch import Watch
from mlmetrics.integrations.watched_calls import BATCH_SIZE, INSIDE, SERIES, Entries, Method, count_otherwise
from mlmetrics.interruption import interrupted


def watch(watched: Any, told: Watch) -> Undo:
    """Watch a session."""
    return watch_methods(watched, told, METHODS, lambda _name, _series: None)


def rows(feed: Any) -> int:
    """Return the first dimension of the first input."""
    first = next(iter(feed.values()))
    shape = getattr(first, "shape", None)
    if shape is None:
        return len(first)
    shape = shape() if callable(shape) else shape  # of a value that ONNX Runtime holds
    return int(shape[0]) if len(shape) else 1


class AsyncRun(Run):
    """A run that ends when its callback is called; one that is never called is cancelled."""

    __slots__ = ()

    def called(self, status: object) -> None:
        """End the run as it says in what the callback is given. Never raises."""
        try:
            if status:
                self.said().verdict = "error"  # its text does not say which, and may have what was given
            self.end()
        except Exception as error:
            if interrupted(error):
                raise
            self.series.store.failed("call", error)


def wrap_async(function: Any, entries: Entries) -> Any:
    """Return what replaces `run_async`."""

    def run_async(  # noqa: PLR0917 (as ONNX Runtime has it)
        self: Any, output_names: Any, input_feed: Any, callback: Any, user_data: Any, run_options: Any = None
    ) -> Any:
        entry = entries.get(id(self))
        if entry is None or threading.get_ident() in entry[INSIDE]:
            return function(self, output_names, input_feed, callback, user_data, run_options)
        series: CallSeries = entry[SERIES]
        run = AsyncRun(series, series.clock())
        run.begin()
        try:
            calling = _calling(callback, run) if callable(callback) else callback  # the session refuses another one
            result = function(self, output_names, input_feed, calling, user_data, run_options)
        except BaseException as error:
            run.end(error)
            raise
        _count(series, input_feed)
        return result

    return run_async


def _calling(callback: Callable[..., Any], run: AsyncRun) -> Callable[..., Any]:
    """Return the callback of a run, which ends it first."""

    def called(results: Any, user_data: Any, status: Any) -> Any:
        run.called(status)
        return callback(results, user_data, status)

    return called


def _count(series: CallSeries, feed: Any) -> None:
    """Record how many items a run was given."""
    sizes = series.histogram(BATCH_SIZE)
    try:
        series.store.record(sizes, rows(feed))
    except Exception as error:  # noqa: BLE001 (what a signal handler raised is raised again)
        count_otherwise(series, feed, error)


METHODS = (
    Method("run", 2, rows),
    Method("run_async", 2, rows, wrap_async),
    Method("run_with_ort_values", 2, rows),
    Method("run_with_iobinding", 1, None),
)
"""What is bound to memory does not say how many items it has."""
