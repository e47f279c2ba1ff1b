"""Methods of watched objects: replaced on the class while an object of it is watched, and then put back."""

import copy
import inspect
import threading
import types
from collections.abc import Iterable
from functools import partial
from typing import Any
from weakref import ref

from mlmetrics.errors import name_of_type
from mlmetrics.integrations.patches import Undo
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

    def add(self, watched: object, entry: tuple[Any, ...]) -> None:
        """Record the calls of an object by this entry."""
        self._held.setdefault(id(watched), []).append(entry)
        self._entries[id(watched)] = entry
        if vars(self._owner).get(self._name) is not self._replacement:
            setattr(self._owner, self._name, self._replacement)
        _replaced[self._owner, self._name] = self

    def remove(self, identity: int, entry: tuple[Any, ...] | None = None) -> None:
        """Record the calls of an object no longer by this entry, or by none at all."""
        left = [each for each in self._held.pop(identity, ()) if entry is not None and each is not entry]
        if left:
            self._held[identity] = left
            self._entries[identity] = left[-1]
            return
        self._entries.pop(identity, None)
        if not self._entries:
            self._put_back()

    def _put_back(self) -> None:
        """Put the method back, unless somebody else has replaced it since; ours then only passes on."""
        if _replaced.get((self._owner, self._name)) is self:
            del _replaced[self._owner, self._name]
        if vars(self._owner).get(self._name) is self._replacement:
            if self._kept is None:
                delattr(self._owner, self._name)
            else:
                setattr(self._owner, self._name, self._kept)


_replaced: dict[tuple[type, str], Replaced] = {}
_alive: dict[int, ref[Any]] = {}
"""The watched objects by identity; one that is collected is forgotten before its identity can be another's."""
_changing = threading.RLock()


def watch_methods(watched: Any, told: Watch, methods: Iterable[Method], tells: Tells) -> Undo:
    """Record the calls of those of the methods that an object's class has; return what ends it."""
    kind = type(watched)
    added: list[tuple[Replaced, tuple[Any, ...]]] = []
    with _changing:
        if not _follow(watched, told):
            return _nothing
        for method in methods:
            found = next((vars(base)[method.name] for base in kind.__mro__ if method.name in vars(base)), None)
            if found is None:
                continue
            if function_of(found) is None:
                told.missed(f"{name_of_type(kind)}.{method.name} is no plain function: a {name_of_type(type(found))}")
                continue
            if method.name in getattr(watched, "__dict__", ()):
                told.missed(f"this {name_of_type(kind)} has a {method.name} of its own, which hides that of its class")
            replaced = _replaced.get((kind, method.name)) or Replaced(kind, method, found)
            entry = entry_of(told, method.name, tells)
            try:
                replaced.add(watched, entry)
            except (AttributeError, TypeError) as error:  # a class that cannot be changed
                replaced.remove(id(watched), entry)
                told.missed(error)
                continue
            added.append((replaced, entry))
    if not added:
        told.missed(f"{name_of_type(kind)} has none of the methods {', '.join(each.name for each in methods)}")
    return partial(_unwatch, id(watched), added)


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
    with _changing:
        _alive.pop(identity, None)
        for replaced in tuple(_replaced.values()):
            replaced.remove(identity)


def _unwatch(identity: int, added: Iterable[tuple[Replaced, tuple[Any, ...]]]) -> None:
    with _changing:
        for replaced, entry in added:
            replaced.remove(identity, entry)


def _nothing() -> None:
    """Undo nothing."""
