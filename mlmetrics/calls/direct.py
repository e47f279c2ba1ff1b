"""Direct functions: they record what the user's code has measured itself."""

from typing import Any

from mlmetrics.calls.measures import number, observe, ratio, score_histogram
from mlmetrics.calls.outcome import failed, succeeded
from mlmetrics.calls.stored import Calls
from mlmetrics.catalog.documents import FILE_SIZE
from mlmetrics.interruption import interrupted
from mlmetrics.recording.store import Store


def track_call(calls: Calls, service: str | None, values: tuple[object, ...], duration: Any, success: object) -> None:
    """Record one finished call with its duration; if the duration is not usable, record the outcome only."""
    series = calls.series(service, values)
    seconds = number(calls.store, "duration", duration)
    well = _truth(calls.store, success)
    if seconds is None:
        calls.store.record(series.counter("total", "success" if well else "failure"), 1)
        if not well:
            calls.store.record(series.counter("errors_total", "error"), 1)
        return
    series.begin(None)
    if well:
        succeeded(series, seconds)
    else:
        failed(series, "error", seconds)


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
    """Record a score under these labels."""
    store = calls.store
    name = score_histogram(store, calls.operation)
    if name is not None:
        labels = store.admit(name, store.admit_service(name, service), values, calls.optional)
        observe(store, name, labels, ratio(store, "score", score))


def track_size(calls: Calls, service: str | None, file_type: object, size_bytes: Any) -> None:
    """Record the size of a file."""
    store = calls.store
    labels = store.admit(FILE_SIZE.name, store.admit_service(FILE_SIZE.name, service), (file_type,))
    observe(store, FILE_SIZE.name, labels, number(store, "size", size_bytes))
