"""Loads of models: how each ended, how long the last one took, and which versions are loaded."""

import os
from collections.abc import Callable
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isfunction, isgeneratorfunction
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from mlmetrics.calls.measures import number
from mlmetrics.calls.outcome import is_cancellation
from mlmetrics.catalog import OUTCOMES
from mlmetrics.errors import DeclarationError
from mlmetrics.recording.labels import RawLabels
from mlmetrics.recording.store import Store
from mlmetrics.switch import DISABLED

F = TypeVar("F", bound=Callable[..., Any])
LOADS, SECONDS, INFO = "ml_model_load_total", "ml_model_load_duration_seconds", "ml_model_info"
SUCCESS, FAILURE, CANCELLED = OUTCOMES


class LoadTimer:
    """A block that loads a model: `with` or `async with`, yields itself, for its `duration`; or a decorator.

    A forked process that leaves a block of its parent records nothing: the parent does.
    """

    __slots__ = ("_labels", "_process", "_seconds", "_start", "_store")

    def __init__(self, store: Store, labels: RawLabels) -> None:
        self._store = store
        self._labels = labels
        self._start: float | None = None
        self._seconds = 0.0

    def __enter__(self) -> Self:
        self._process = os.getpid()
        self._start = self._store.clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._seconds, self._start = self.duration, None
        if self._process != os.getpid():
            return
        if error is None:
            record_load(self._store, self._labels, self._seconds)
        else:
            count_load(self._store, self._labels, CANCELLED if is_cancellation(error) else FAILURE)

    def __call__(self, function: F) -> F:
        """Record every run of a function or coroutine function as a load of its own.

        Raises:
            DeclarationError: it is something else.
        """
        if not isfunction(function) or isgeneratorfunction(function) or isasyncgenfunction(function):
            raise DeclarationError(
                f"@model_load_timer on {function!r:.100}: expected a function or a coroutine function; "
                "use `with model_load_timer(...)` in anything else"
            )
        if DISABLED:
            return function
        if iscoroutinefunction(function):

            @wraps(function)
            async def load(*args: Any, **kwargs: Any) -> Any:
                with LoadTimer(self._store, self._labels):
                    return await function(*args, **kwargs)

        else:

            @wraps(function)
            def load(*args: Any, **kwargs: Any) -> Any:
                with LoadTimer(self._store, self._labels):
                    return function(*args, **kwargs)

        return cast("F", load)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    @property
    def duration(self) -> float:
        """Seconds since the block was entered; after its end, the seconds that it took."""
        return self._seconds if self._start is None else self._store.clock() - self._start


def load_labels(store: Store, service: str | None, model: object, version: object) -> RawLabels:
    """Return the labels of a model and its version, and have the outcomes of its loads at 0."""
    labels = store.admit(INFO, store.admit_service(INFO, service), (model, version), ("version",))
    count_load(store, labels, None)
    return labels


def record_load(store: Store, labels: RawLabels, duration: Any) -> None:
    """Record that a model and its version have been loaded."""
    count_load(store, labels, SUCCESS)
    store.record(store.gauge(INFO, labels), 1)
    seconds = number(store, "duration", duration)
    if seconds is not None:
        store.record(store.gauge(SECONDS, labels[:-1]), seconds)


def count_load(store: Store, labels: RawLabels, outcome: str | None) -> None:
    """Count how a load ended; the other outcomes, or all of them if it has not ended, stand at 0."""
    for each in OUTCOMES:
        counter = store.counter(LOADS, (*labels[:-1], each))
        if each == outcome:
            store.record(counter, 1)
