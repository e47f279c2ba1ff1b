"""Decorators: from a declaration and any callable to the recorded callable.

Functions become closures (`wrappers`); class and static methods are unwrapped and wrapped
again around the recorded function; partials and callable objects become a proxy that is
its original in everything but the call.
"""

import copy
import functools
import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import DeclarationError
from .labels import Argument, Calls, Find, SeriesFinder, find_argument, find_computed, fixed_label
from .plan import Function, Plan
from .proxies import Proxy
from .results import After, before_size
from .wrappers import wrap

FUNCTIONS = (types.FunctionType, types.MethodDescriptorType)
"""What a closure can stand for: functions that bind to an instance when a class holds them."""
CALLED_AS_THEY_ARE = (types.BuiltinFunctionType, types.MethodType, functools.partial)
"""What is called without a `__call__` in between, and does not bind."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the user wrote in the parentheses of a decorator, before it meets a function.

    `labels` are in the order of the operation's labels; None stands for the function's name.
    `size` reads a call's arguments, `after` its result.
    `histograms` are those that stand at 0 beside the calls.
    """

    calls: Calls
    service: str | None
    labels: tuple[Any, ...]
    size: Argument | Callable[[Any], Any] | None
    after: After | None
    stream: bool | None
    histograms: tuple[str, ...] = ()

    def decorate(self, target: Any) -> Any:
        """The recorded target, of the same kind."""
        if isinstance(target, classmethod | staticmethod):
            return type(target)(self.decorate(target.__func__))
        if isinstance(target, type) or not callable(target):
            raise DeclarationError(
                f"cannot decorate {target!r}: expected a function, method, partial or callable object"
                + ("; decorate the method that does the work instead" if isinstance(target, type) else "")
            )
        if isinstance(target, FUNCTIONS):
            return wrap(target, self.plan(target, target))
        return proxy(target, self)

    def plan(self, target: Any, called: Function) -> Plan:
        """Bind labels and readers to one function; `called` is what it runs."""
        finds = tuple(
            self._find(name, label, target)
            for name, label in zip(self.calls.operation.labels, self.labels, strict=True)
        )
        fixed = all(isinstance(find, str) for find in finds)
        series = self.calls.series(self.service, finds) if fixed else None
        if series is not None:
            for name in self.histograms:
                series.histogram(name)
            if self.stream is not False and is_stream(called) and self.calls.operation.name == "inference":
                series.histogram("ml_inference_first_chunk_seconds")
                series.histogram("ml_inference_chunk_interval_seconds")
        before = None if self.size is None else before_size(self.size, target)
        find = None if fixed else SeriesFinder(self.calls, self.service, finds).find()
        return Plan(series, find, self.calls.store.clock, before, self.after, self.stream)

    def _find(self, name: str, label: Any, target: Function) -> str | Find:
        if isinstance(label, Argument):
            return find_argument(label, target)
        if label is None:
            return name_of(target)
        if callable(label):
            return find_computed(self.calls.store, name, label, target)
        return fixed_label(name, label, empty=name != self.calls.operation.subject)


def decorate(declaration: Declaration, function: Any) -> Any:
    """`@track_x(...)` gives the decorator, `@track_x` without parentheses decorates."""
    return declaration.decorate if function is None else declaration.decorate(function)


def is_stream(target: Function) -> bool:
    """Whether calling the target makes a generator or async generator."""
    return inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target)


def name_of(target: Any) -> str:
    """The name of a function, of a partial's function, or of an object's class."""
    while isinstance(target, functools.partial):
        target = target.func
    name = getattr(target, "__name__", None)
    return name if isinstance(name, str) and name else type(target).__name__


def proxy(target: Any, declaration: Declaration) -> Any:
    """A bound method, builtin, partial or callable object whose calls are recorded."""
    if isinstance(target, CALLED_AS_THEY_ARE):
        return CallableProxy(target, target, declaration)
    kind = BindingProxy if hasattr(type(target), "__get__") else CallableProxy
    return kind(target, target.__call__, declaration)


class CallableProxy(Proxy):
    """An object that is its original in everything, but for the call.

    Its copies are recorded too; pickled it is the original, recorded where it is loaded by name.
    """

    def __init__(self, target: Any, called: Function, declaration: Declaration) -> None:
        super().__init__(target)
        self._self_declaration = declaration
        self._self_recorded = wrap(called, declaration.plan(target, called))

    # A property, so that `inspect.iscoroutinefunction(proxy.__call__)` is as true as before:
    # FastAPI asks exactly that of a dependency.
    @property
    def __call__(self) -> Function:
        """The original's, recorded."""
        recorded: Function = self._self_recorded
        return recorded

    def __copy__(self) -> Any:
        return self._self_declaration.decorate(copy.copy(self.__wrapped__))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self._self_declaration.decorate(copy.deepcopy(self.__wrapped__, memo))


class BindingProxy(CallableProxy):
    """The same for an object that binds to an instance, as `functools.cache` makes."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)
