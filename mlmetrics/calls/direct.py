"""Direct functions: they record what the user's code has measured itself.

What they record in is remembered by the texts that they were called with, so that the next number of the same series
is one look-up and one append. Every other value, and every label that is no text, is looked at each time.
"""

from typing import Any

from mlmetrics.calls.measures import MOST, number, ratio, score_histogram
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.outcome import failed, slow_path, succeeded
from mlmetrics.calls.stored import Calls
from mlmetrics.catalog.documents import FILE_SIZE
from mlmetrics.interruption import interrupted
from mlmetrics.recording.labels import RawLabels
from mlmetrics.recording.series import BOUND
from mlmetrics.recording.store import Store

Key = tuple[object, ...]
"""By what a series is remembered: what is recorded, the services of toolkit and call, and the labels as they came."""


def known_series(store: Store, key: Key) -> Any:
    """Return the series that is remembered by a key; None if there is none."""
    try:
        return store.direct.get(key)
    except Exception as error:  # any object may come, with any __hash__
        if interrupted(error):
            raise
        return None


def remember(store: Store, key: Key, series: object, values: tuple[object, ...], labels: RawLabels) -> None:
    """Remember a series by a key if its labels are the values that came, all of them texts or not given."""
    if all(value is None or type(value) is str for value in values) and values == labels:
        store.direct[key] = series


def track_known_call(series: CallSeries | None, duration: Any, success: object) -> bool:
    """Record a call whose series is known, with a float as its duration and a bool; return whether that was done."""
    if series is None or type(duration) is not float or not 0.0 <= duration <= MOST or type(success) is not bool:
        return False
    series.begin(None)
    if not success:
        failed(series, "error", duration)
        return True
    series.succeed(duration)
    if duration > series.notice_seconds or len(series.started) > BOUND:
        slow_path(series, duration)
    return True


def track_call(
    calls: Calls, service: str | None, values: tuple[object, ...], duration: Any, success: object
) -> CallSeries:
    """Record one finished call with its duration; if the duration is not usable, record the outcome only."""
    series = calls.series(service, values)
    seconds = number(calls.store, "duration", duration)
    well = _truth(calls.store, success)
    if seconds is None:
        calls.store.record(series.counter("total", "success" if well else "failure"), 1)
        if not well:
            calls.store.record(series.counter("errors_total", "error"), 1)
        return series
    series.begin(None)
    if well:
        succeeded(series, seconds)
    else:
        failed(series, "error", seconds)
    return series


def _truth(store: Store, success: object) -> bool:
    """Whether a call succeeded; a value without a truth value, such as an array, is an error and counts as failure."""
    try:
        return bool(success)
    except Exception as error:  # any object may come, with any __bool__
        if interrupted(error):
            raise
        store.failed("success", error)
        return False


def track_score(calls: Calls, service: str | None, values: tuple[object, ...], score: Any) -> None:
    """Record a score under these labels, and remember its series by the histogram, the service and the labels."""
    store = calls.store
    name = score_histogram(store, calls.operation)
    if name is not None:
        labels = store.admit(name, store.admit_service(name, service), values, calls.optional)
        _record(store, (name, service, *values), labels, ratio(store, "score", score))


def track_size(calls: Calls, service: str | None, file_type: object, size_bytes: Any) -> None:
    """Record the size of a file, and remember its series as `track_score`."""
    store, name = calls.store, FILE_SIZE.name
    labels = store.admit(name, store.admit_service(name, service), (file_type,))
    _record(store, (name, service, file_type), labels, number(store, "size", size_bytes))


def _record(store: Store, key: tuple[Any, ...], labels: RawLabels, value: float | None) -> None:
    if value is not None:
        series = store.histogram(key[0], labels)
        store.record(series, value)
        remember(store, key, series, key[1:], labels)
