"""Methods of watched objects: replaced on the class while an object of it is watched, and then put back."""

import copy
import inspect
import os
import threading
import types
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any
from weakref import ref

from mlmetrics.errors import name_of_type
from mlmetrics.handle import Undo
from mlmetrics.integrations.watch import Watch
from mlmetrics.integrations.watched_calls import Entries, Method, Tells, entry_of, wrapper_of

LATER = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
"""Flags of functions that return before they have run; `track_inference` knows them."""


class Replaced:
    """A method of a class, replaced while an object of that class is watched.

    An object that is watched several times has several entries, and is recorded by the newest.
    """

    def __init__(self, owner: type, method: Method, found: Any) -> None:
        self._owner = owner
        self._name = method.name
        self._kept = vars(owner).get(method.name)
        self._entries = Entries()
        self._held: dict[int, list[tuple[Any, ...]]] = {}
        self._replacement = replacement(found, method, self._entries)
        self._key = (owner, method.name, id(self._replacement))

    @property
    def _stands(self) -> bool:
        return vars(self._owner).get(self._name) is self._replacement

    def add(self, watched: object, entry: tuple[Any, ...]) -> None:
        """Record the calls of an object by this entry."""
        self._held.setdefault(id(watched), []).append(entry)
        self._entries.add(watched, entry)
        _replaced[self._key] = self
        if not self._stands:
            setattr(self._owner, self._name, self._replacement)

    def remove(self, identity: int, entry: tuple[Any, ...] | None = None) -> None:
        """Record the calls of an object no longer by this entry, or by none at all."""
        left = [each for each in self._held.pop(identity, ()) if entry is not None and each is not entry]
        if left:
            self._held[identity] = left
        self._entries.renew(identity, left[-1] if left else None)

    def put_back(self) -> None:
        """Put the method back if no object is watched, unless somebody else has replaced it since.

        Ours then only passes on.
        """
        if self._entries:
            return
        _replaced.pop(self._key, None)
        if not self._stands:
            return
        if self._kept is None:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self._kept)


class Changes:
    """The lock of whoever changes classes; in it nothing waits for another lock, and a forked child has its own."""

    def __init__(self) -> None:
        self.lock = threading.RLock()


_changes = Changes()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_changes.__init__)  # type: ignore[misc]  # a thread that had it is not there
_replaced: dict[tuple[type, str, int], Replaced] = {}
"""By class, name and identity of what stands there: who replaces a method after us is wrapped by the next watch."""
_alive: dict[int, ref[Any]] = {}
"""The watched objects by identity; one that is collected is forgotten before its identity can be another's."""


def watch_methods(watched: Any, told: Watch, methods: Iterable[Method], tells: Tells) -> Undo:
    """Record the calls of those of the methods that an object's class has; return what ends it."""
    if not _follow(watched, told):
        return _nothing
    entries = [(method, entry_of(told, method.name, tells)) for method in watchable(watched, told, methods)]
    added: list[tuple[Replaced, tuple[Any, ...]]] = []
    problems: list[Exception] = []
    with _changes.lock:
        for method, entry in entries:
            replaced = _replaced_by_us(type(watched), method)
            try:
                replaced.add(watched, entry)
            except (AttributeError, TypeError) as error:  # a class that cannot be changed
                replaced.remove(id(watched), entry)
                replaced.put_back()
                problems.append(error)
            else:
                added.append((replaced, entry))
    for problem in problems:
        told.missed(problem)
    if not added:
        names = ", ".join(each.name for each in methods)
        told.missed(f"{name_of_type(type(watched))} has none of the methods {names}")
    return partial(_unwatch, id(watched), added)


def watchable(watched: Any, told: Watch, methods: Iterable[Method]) -> Iterator[Method]:
    """Yield the methods that an object's class has; those that cannot be recorded are counted as missed."""
    kind = name_of_type(type(watched))
    for method in methods:
        found = _found(type(watched), method)
        if found is None:
            continue
        if function_of(found) is None:
            told.missed(f"{kind}.{method.name} is no plain function: a {name_of_type(type(found))}")
            continue
        if method.name in getattr(watched, "__dict__", ()):
            told.missed(f"this {kind} has a {method.name} of its own, which hides that of its class")
        yield method


def _found(kind: type, method: Method) -> Any:
    return next((vars(base)[method.name] for base in kind.__mro__ if method.name in vars(base)), None)


def _replaced_by_us(kind: type, method: Method) -> Replaced:
    """Return what stands in a class if it is ours, else one around what stands there."""
    ours = _replaced.get((kind, method.name, id(vars(kind).get(method.name))))
    return ours or Replaced(kind, method, _found(kind, method))


def function_of(found: Any) -> Any:
    """Return the function of a method, also of one that is only available if a condition of scikit-learn's holds.

    None if it is no function, or one whose call is not over when it returns.
    """
    inner = found if type(found) is types.FunctionType else getattr(found, "fn", None)
    return inner if type(inner) is types.FunctionType and not inner.__code__.co_flags & LATER else None


def replacement(found: Any, method: Method, entries: Entries) -> Any:
    """Return what replaces a method: a function, or a copy of its descriptor around one."""
    function = function_of(found)
    wrapper = wrapper_of(function, method, entries)
    if function is found:
        return wrapper
    descriptor = copy.copy(found)
    descriptor.fn = wrapper
    return descriptor


def _follow(watched: Any, told: Watch) -> bool:
    """Have an object forgotten when it is collected; False if that cannot be known."""
    try:
        _alive[id(watched)] = ref(watched, partial(_forget, id(watched)))
    except TypeError as error:
        told.missed(error)
        return False
    return True


def _forget(identity: int, _gone: object) -> None:
    """Forget an object. The garbage collector calls this anywhere, so it waits for nobody."""
    _alive.pop(identity, None)
    every = tuple(_replaced.values())
    for each in every:
        each.remove(identity)
    if _changes.lock.acquire(blocking=False):  # else the next one puts the methods back
        try:
            for each in every:
                each.put_back()
        finally:
            _changes.lock.release()


def _unwatch(identity: int, added: Iterable[tuple[Replaced, tuple[Any, ...]]]) -> None:
    with _changes.lock:
        for replaced, entry in added:
            replaced.remove(identity, entry)
            replaced.put_back()


def _nothing() -> None:
    """Undo nothing."""
