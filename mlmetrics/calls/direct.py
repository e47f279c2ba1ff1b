"""Direct functions: for code that has measured by itself, as the first users' has."""

from typing import Any

from ..interruption import interrupted
from ..recording.store import Store
from .call import SIZES, failed, succeeded
from .labels import Calls, is_empty
from .measures import number, observe, ratio


def track_call(calls: Calls, service: str | None, values: tuple[object, ...], duration: Any, success: object) -> None:
    """Record one finished call that somebody else has timed; without a usable duration, its outcome."""
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
    """Whether a call went well; what cannot say so, such as an array, is counted and did not."""
    try:
        return bool(success)
    except Exception as error:  # any object may come, with any __bool__
        if interrupted(error):
            raise
        store.failed("success", error)
        return False


def track_score(calls: Calls, name: str, service: str | None, values: tuple[object, ...], score: Any) -> None:
    """Record a score for labels given one by one."""
    store = calls.store
    names = calls.operation.labels
    labels = tuple(store.admit(name, label, value) for label, value in zip(names, values, strict=True))
    observe(store, name, (service, *labels), ratio(store, "score", score))


def track_size(calls: Calls, service: str | None, file_type: object, size_bytes: Any) -> None:
    """Record the size of a file."""
    store = calls.store
    named = None if service is None else store.admit(SIZES, "service", service)
    label = store.admit(SIZES, "file_type", file_type)
    observe(store, SIZES, (named, label), number(store, "size", size_bytes))


def track_load(store: Store, service: str | None, model: object, duration: Any, version: object) -> None:
    """Record that a model has been loaded."""
    name = store.admit("ml_model_info", "model", model)
    named = "" if is_empty(version) else store.admit("ml_model_info", "version", version)
    store.record(store.gauge("ml_model_info", (service, name, named)), 1)
    seconds = number(store, "duration", duration)
    if seconds is not None:
        store.record(store.gauge("ml_model_load_duration_seconds", (service, name)), seconds)
