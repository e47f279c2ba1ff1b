"""Decorators: from a declaration and any callable to the recorded callable.

A function gets a wrapper (`wrappers`). A class or static method is made again around the
recorded function. A partial or callable object gets a proxy that behaves as the original and
records its calls, and a descriptor gets one that records what it binds.

The kind of a target is decided by its type, not by `isinstance`, which reads the object's
`__class__`: a wrapt decorator gives that of the function that it wraps.
"""

import copy
import functools
import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlmetrics.calls import pickling  # noqa: F401 (says how all of this is pickled)
from mlmetrics.calls.labels import Argument, Computed, FindArgument, SeriesFinder, fixed_label
from mlmetrics.calls.measures import scores_of
from mlmetrics.calls.plan import Function, Plan
from mlmetrics.calls.proxies import Proxy
from mlmetrics.calls.reads import Reads, Usage
from mlmetrics.calls.results import After, after_usage, all_of
from mlmetrics.calls.sizes import Size
from mlmetrics.calls.stored import Calls
from mlmetrics.calls.templates import function_of
from mlmetrics.calls.wrappers import wrap
from mlmetrics.catalog.models import STREAMS
from mlmetrics.errors import DeclarationError
from mlmetrics.interruption import interrupted
from mlmetrics.switch import DISABLED

FUNCTIONS = (types.FunctionType, types.MethodDescriptorType)
"""Types that get a wrapper: functions, which bind to an instance as attributes of a class."""
CALLED_AS_THEY_ARE = (types.BuiltinFunctionType, types.MethodType, functools.partial)
"""Types that are called directly, not by a `__call__` written in Python, and that do not bind."""
INDIRECT = (functools.partial, functools.partialmethod, functools.singledispatchmethod)
"""Types without a name of their own; the name of their `func` is used."""
COMPUTED_ATTRIBUTES = (property, functools.cached_property)
"""Descriptors that give a value, not something to call."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """The arguments of a decorator, before it is applied to a function.

    `labels` are in the order of the operation's labels; None stands for the function's name.
    `size` reads a call's arguments, `after` its result, and `usage` one that is no stream; `reads` its answer.
    `scored` says that results have scores, whose histogram exists at 0 from the declaration on; `score_name` is the
    attribute that has them, if `after` reads nothing else.
    """

    calls: Calls
    service: str | None
    labels: tuple[Any, ...]
    size: Argument | Callable[[Any], Any] | None
    after: After | None
    stream: bool | None
    scored: bool = False
    reads: Reads | None = None
    usage: Usage | None = None
    score_name: str = ""

    def decorate(self, target: Any) -> Any:
        """Return the recorded target, of the same kind; the target itself if nothing is recorded."""
        recorded = self._recorded(target)
        return target if DISABLED else recorded

    def _recorded(self, target: Any) -> Any:
        kind = type(target)
        if issubclass(kind, classmethod | staticmethod):
            return kind(self.decorate(target.__func__))
        binds = hasattr(kind, "__get__") and not issubclass(kind, COMPUTED_ATTRIBUTES)
        if isinstance(target, type) or not (callable(target) or binds):
            raise DeclarationError(
                f"cannot decorate {target!r}: expected a function, method, partial or callable object"
                + ("; decorate the method that does the work instead" if isinstance(target, type) else "")
            )
        if kind in FUNCTIONS:
            return wrap(target, self.plan(target, target))
        if issubclass(kind, CALLED_AS_THEY_ARE):
            return CallableProxy(target, target, self)
        called = target.__call__ if callable(target) else None
        return (BindingProxy if binds else CallableProxy)(target, called, self)

    def plan(self, target: Any, called: Function, *, named: Any = None, described: Any = None) -> Plan:
        """Bind labels and readers to one target; `called` is what it runs.

        They read the arguments of the function that runs in the end, whose wrapper has them.
        `named` has the name and `described` the signature, if the target has not.
        """
        function = function_of(called)
        first = target if described is None else described
        if described is None:
            described = function if type(function) is types.FunctionType else target
        labels = tuple(
            self._label(name, label, target if named is None else named, described)
            for name, label in zip(self.calls.operation.labels, self.labels, strict=True)
        )
        fixed = all(isinstance(label, str) for label in labels)
        series = self.calls.series(self.service, labels) if fixed else None
        if series is not None:
            operation = self.calls.operation
            if self.scored and operation.score is not None:
                scores_of(series)
            if self.stream is not False and is_stream(described) and STREAMS in operation.parts:
                series.histogram(f"{operation.prefix}_first_chunk_seconds")
                series.histogram(f"{operation.prefix}_chunk_interval_seconds")
        before = None if self.size is None else Size(self.size, first, described)
        find = None if fixed else SeriesFinder(self.calls, self.service, labels)
        store = self.calls.store
        return Plan(
            series,
            find,
            store.clock,
            before,
            after=self._after(priced=True),
            after_costed=self._after(priced=False),
            after_stream=self.after,
            reads=self.reads,
            stream=self.stream,
            in_files=store.host is not None,
            score_name=self.score_name if self.usage is None else "",
        )

    def _after(self, *, priced: bool) -> After | None:
        """Return what reads the result of a call that is no stream, its usage first."""
        usage = None if self.usage is None else after_usage(self.usage, priced=priced)
        return all_of(each for each in (usage, self.after) if each is not None)

    def _label(self, name: str, label: Any, named: Any, described: Function) -> str | FindArgument | Computed:
        if isinstance(label, Argument):
            return FindArgument.of(label, described)
        if label is None:
            return name_of(named)
        if callable(label):
            return Computed(name, label, described)
        return fixed_label(name, label, empty=name != self.calls.operation.subject)


def decorate(declaration: Declaration, function: Any) -> Any:
    """Return the decorator for `@track_x(...)`, and the decorated function for `@track_x` without parentheses."""
    return declaration.decorate if function is None else declaration.decorate(function)


def is_stream(target: Function) -> bool:
    """Whether calling the target makes a generator or async generator."""
    return inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target)


def name_of(target: Any) -> str:
    """Return the name of a function, of that in a partial or another descriptor, or of an object's class."""
    while isinstance(target, INDIRECT):
        target = target.func
    name = getattr(target, "__name__", None)
    return name if isinstance(name, str) and name else type(target).__name__


class CallableProxy(Proxy):
    """A proxy that behaves as the original and records its calls.

    Copies record too. Pickling gives the original; loaded by name, it is the recorded one again.
    """

    def __init__(
        self, target: Any, called: Function | None, declaration: Declaration, plan: Plan | None = None
    ) -> None:
        super().__init__(target)
        self._self_declaration = declaration
        self._self_recorded: Any = None if called is None else wrap(called, plan or declaration.plan(target, called))

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
    """The same for a descriptor, whose own `__get__` says what is called for an instance or a class.

    What it gives is recorded: `functools.cache`, `functools.partialmethod`, a wrapt decorator.
    """

    def __init__(self, target: Any, called: Function | None, declaration: Declaration) -> None:
        super().__init__(target, called, declaration)
        # By whether there is an instance: the argument that it takes is none of the bound result's.
        self._self_plans: dict[bool, Plan] = {}
        inner = getattr(target, "func", None) if called is None else None
        function = getattr(inner, "__func__", inner)
        if type(function) is types.FunctionType:
            declaration.plan(target, function)  # so that mistakes are refused now, not when it is bound

    def __set_name__(self, owner: type, name: str) -> None:
        if hasattr(type(self.__wrapped__), "__set_name__"):
            self.__wrapped__.__set_name__(owner, name)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        target: Any = self.__wrapped__
        bound = type(target).__get__(target, instance, owner)
        if bound is target:
            return self
        if type(bound) is types.MethodType and bound.__func__ is target:
            return types.MethodType(self, bound.__self__)
        return self._self_record(bound, instance, owner) if callable(bound) else bound

    def _self_record(self, bound: Any, instance: Any, owner: type | None) -> Any:
        """Record what the descriptor gave; planned once, though it gives another object each time."""
        declaration: Declaration = self._self_declaration
        try:
            called = bound if issubclass(type(bound), (*FUNCTIONS, *CALLED_AS_THEY_ARE)) else bound.__call__
            plan = self._self_plans.get(instance is None)
            if plan is None:
                plan = self._self_plan(bound, called, instance, owner)
                self._self_plans[instance is None] = plan
            return CallableProxy(bound, called, declaration, plan)
        except Exception as error:  # the program gets what the user's descriptor gives
            if interrupted(error):
                raise
            declaration.calls.store.failed("decorator", error)
            return bound

    def _self_plan(self, bound: Any, called: Function, instance: Any, owner: type | None) -> Plan:
        target: Any = self.__wrapped__
        # What this one gives has the signature of the unbound function.
        described = target.func.__get__(instance, owner) if isinstance(target, functools.singledispatchmethod) else None
        named = target if isinstance(target, INDIRECT) or hasattr(target, "__name__") else bound
        return self._self_declaration.plan(bound, called, named=named, described=described)
