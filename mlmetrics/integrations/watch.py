"""`watch`: finds the integration of the library that an object is of, and loads no other."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from weakref import WeakKeyDictionary

from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.recorder import Recorder
from mlmetrics.catalog import INFERENCE
from mlmetrics.errors import DeclarationError, name_of_type, shown
from mlmetrics.handle import Instrumentation, Undo
from mlmetrics.interruption import interrupted
from mlmetrics.recording.labels import declared_problem
from mlmetrics.recording.store import Store
from mlmetrics.switch import DISABLED

LIBRARIES = {
    "onnxruntime": "ONNX Runtime sessions",
    "sklearn": "scikit-learn estimators",
    "torch": "torch modules",
    "xgboost": "XGBoost models",
}
"""By top-level package of a class, which is also the name of its integration, what can be watched."""


class Inside:
    """The threads, by their identifiers, that are inside a watched call of one store, of any library.

    The outermost watched call has its thread in it while it runs; the others in that thread are parts of it. The first
    thread has a place of its own, which whoever calls sets by itself: a set would cost as much as the rest of a call.
    No other thread comes between two statements that have no call between them.
    """

    __slots__ = ("first", "others")

    def __init__(self) -> None:
        self.first: int | None = None
        self.others: set[int] | None = None

    def __contains__(self, thread: int) -> bool:
        return thread == self.first or (self.others is not None and thread in self.others)

    def enter(self, thread: int) -> None:
        """Add a thread, where the first place is taken."""
        if self.others is None:
            self.others = {thread}
        else:
            self.others.add(thread)

    def leave(self, thread: int) -> None:
        """Remove a thread that had not the first place, if it is there."""
        if self.others is not None:
            self.others.discard(thread)
        if not self.others:
            self.others = None

    def renew(self) -> None:
        """Forget the threads of the parent of a forked child, whose identifiers new threads may get."""
        thread = threading.get_ident()
        if self.first != thread:
            self.first = None
        self.others = {thread} if self.others is not None and thread in self.others else None


_inside: WeakKeyDictionary[Store, Inside] = WeakKeyDictionary()


def _renew() -> None:
    for each in tuple(_inside.values()):
        each.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


@dataclass(frozen=True, slots=True)
class Watch:
    """What `watch` was told: who records the calls, and their labels; None for an operation named by the method."""

    recorder: Recorder
    model: str
    operation: str | None
    service: str | None

    def series(self, method: str) -> CallSeries:
        """Return the series of the calls of a method."""
        operation = method if self.operation is None else self.operation
        return self.recorder.calls(INFERENCE).series(self.service, (self.model, operation))

    @property
    def inside(self) -> Inside:
        """The threads that are inside a watched call of the same store."""
        return _inside.setdefault(self.recorder.store, Inside())

    def missed(self, problem: object) -> None:
        """Count that something of the object cannot be recorded; the first time, say what."""
        self.recorder.store.failed("watch", problem)


Start = Callable[[Any, Watch], Undo]
"""The function `watch` of an integration: it begins to watch an object, and returns what ends it."""


class Watching(Instrumentation):
    """What `watch` returns: the object is watched until `uninstrument`; usable in `with`. It does not keep it alive."""

    def __init__(self, model: str, undo: Undo | None) -> None:
        super().__init__(model, () if undo is None else (undo,))

    def __repr__(self) -> str:
        return f"<watch of {self._what}, {'active' if self.active else 'undone'}>"


def watch(
    recorder: Recorder, watched: Any, *, model: str | None = None, operation: str | None = None, service: object = None
) -> Watching:
    """Watch an object; see `Instrumenting.watch`."""
    library = library_of(type(watched))
    if library is None:
        known = ", ".join(sorted(LIBRARIES.values()))
        hint = "; give an object, not its class" if isinstance(watched, type) else ""
        raise DeclarationError(
            f"watch({shown(watched)}): expected one of {known}{hint}; record other calls by @track_inference on the "
            "function that makes them"
        )
    told = Watch(
        recorder,
        name_of_type(type(watched)) if model is None else _label("model", model),
        operation if operation is None else _label("operation", operation),
        recorder.named(service),
    )
    if DISABLED:
        return Watching(told.model, None)
    start: Start = import_module(f"mlmetrics.integrations.{library}").watch
    undo = None
    try:
        undo = start(watched, told)
    except DeclarationError:
        raise
    except Exception as error:  # a library with other internals is used as before
        if interrupted(error):
            raise
        told.missed(error)
    return Watching(told.model, undo)


def library_of(kind: type) -> str | None:
    """Return the library of a class: of its own package, else of that of its nearest base."""
    packages = (base.__module__.partition(".")[0] for base in kind.__mro__)
    return next((package for package in packages if package in LIBRARIES), None)


def _label(name: str, value: object) -> str:
    problem = declared_problem(value)
    if problem is not None:
        default = "the name of the object's class" if name == "model" else "that of the method"
        raise DeclarationError(
            f"watch({name}={shown(value)}): expected a non-empty string, or nothing for {default}; this one is "
            f"{problem}"
        )
    return str.__str__(value)
