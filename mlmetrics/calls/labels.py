"""From a declaration's labels to the series of a call: fixed, named, or computed."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..errors import DeclarationError
from ..interruption import interrupted
from ..recording.labels import UNKNOWN, clean
from ..recording.store import Store
from .operation import CallSeries, Operation

Find = Callable[[tuple[Any, ...], dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Argument:
    """A label value that the call passes as a parameter; made by `arg`."""

    name: str


def arg(name: str) -> Argument:
    """Take a label value from the parameter of this name.

    Args:
        name: a parameter of the decorated function.

    Raises:
        DeclarationError: when the decorator is applied to a function without such a parameter.

    Example:
        >>> from prometheus_client import CollectorRegistry
        >>> from mlmetrics import MLMetrics, arg
        >>> metrics = MLMetrics(service="docs", registry=CollectorRegistry())
        >>> @metrics.track_inference(model=arg("model"))
        ... def ask(prompt, model="small"):
        ...     return prompt.upper()
        >>> ask("hello", model="large")
        'HELLO'
    """
    if not isinstance(name, str) or not name:
        raise DeclarationError(f"arg() takes the name of a parameter; got {name!r}")
    return Argument(name)


class BoundCall:
    """What a computed label gets to see: `label = lambda call: call.arguments["model"]`.

    Attributes:
        args: the positional arguments, `self` among them for a method.
        kwargs: the keyword arguments.
    """

    def __init__(self, signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._signature = signature
        self.args = args
        self.kwargs = kwargs

    @cached_property
    def arguments(self) -> Mapping[str, Any]:
        """All arguments by parameter name, defaults included."""
        if self._signature is None:
            return self.kwargs
        bound = self._signature.bind_partial(*self.args, **self.kwargs)
        bound.apply_defaults()
        return bound.arguments


Label = str | Argument | Callable[[BoundCall], object]


def fixed_label(name: str, value: object, *, empty: bool) -> str:
    """A label value that the declaration fixes, checked."""
    if empty and value == "":
        return ""
    text, problem = clean(value)
    if problem is not None or not isinstance(value, str):
        raise DeclarationError(
            f"{name}={value!r:.100}: expected a non-empty string, arg('parameter') or a function of the call"
            + (f"; this one is {problem}" if value and isinstance(value, str) else "")
        )
    return text


def is_empty(value: object) -> bool:
    """Whether a value is the empty text, which says that a label is not used; asked of objects that may raise."""
    return type(value) is str and not value


def service_label(value: object) -> str | None:
    """The service that a declaration names, checked; None where it names none."""
    if value is not None and not (isinstance(value, str) and value):
        raise DeclarationError(f"service={value!r:.100}: expected a non-empty string, or nothing for the toolkit's own")
    return None if value is None else fixed_label("service", value, empty=False)


def signature_of(target: Callable[..., Any]) -> inspect.Signature | None:
    """The signature, or None where there is none to be had (some builtins)."""
    try:
        return inspect.signature(target)
    except (TypeError, ValueError) as error:
        if interrupted(error):
            raise
        return None


class FindArgument:
    """Fetches a parameter from args and kwargs; the hot path reads where it stands, and fetches it itself."""

    __slots__ = ("default", "index", "name")

    def __init__(self, name: str, index: int, default: Any) -> None:
        self.name = name
        self.index = index
        self.default = default

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The value of the parameter in this call."""
        if self.name in kwargs:
            return kwargs[self.name]
        return args[self.index] if len(args) > self.index else self.default


def find_argument(argument: Argument, target: Callable[..., Any]) -> FindArgument:
    """What fetches a parameter from args and kwargs.

    Raises:
        DeclarationError: the target has no such parameter.
    """
    name, signature = argument.name, signature_of(target)
    parameters = list(signature.parameters.values()) if signature else []
    found = next((parameter for parameter in parameters if parameter.name == name), None)
    takes_any = signature is None or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    if found is None and not takes_any:
        has = ", ".join(parameter.name for parameter in parameters) or "none"
        raise DeclarationError(f"arg({name!r}): {target!r} has no such parameter; it has {has}")
    if found is not None and found.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        raise DeclarationError(f"arg({name!r}): {name!r} gathers several values in {target!r}; name a single parameter")
    by_position = found is not None and found.kind is not inspect.Parameter.KEYWORD_ONLY
    index = parameters.index(found) if found is not None and by_position else len(parameters) + 1_000_000
    default = UNKNOWN if found is None or found.default is inspect.Parameter.empty else found.default

    return FindArgument(name, index, default)


def find_computed(store: Store, label: str, compute: Callable[[BoundCall], object], target: Callable[..., Any]) -> Find:
    """A function that computes a label from the call; what it raises is counted, and the label `unknown`."""
    signature = signature_of(target)

    def find(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            return compute(BoundCall(signature, args, kwargs))
        except Exception as error:  # the user's code, run on behalf of a measurement
            if interrupted(error):
                raise
            store.failed(f"label.{label}", error)
            return UNKNOWN

    return find


class SeriesFinder:
    """The series of calls whose labels are known only when they happen."""

    def __init__(self, calls: "Calls", service: str | None, finds: tuple[str | Find, ...]) -> None:
        self._calls = calls
        self._service = service
        self._finds = finds
        self._varying = [place for place, find in enumerate(finds) if not isinstance(find, str)]
        self._by_value: dict[Any, CallSeries] = {}

    def find(self) -> Callable[[tuple[Any, ...], dict[str, Any]], CallSeries]:
        """The function that the hot path calls: one look-up by value when one label varies."""
        if len(self._varying) != 1:
            return self._slowly
        known, learn = self._by_value, self._learn
        find_value: Any = self._finds[self._varying[0]]

        if isinstance(find_value, FindArgument):
            return self._by_argument(find_value)

        def find(args: tuple[Any, ...], kwargs: dict[str, Any]) -> CallSeries:
            value = find_value(args, kwargs)
            try:
                # Only text is ever a key here, so 1 and True cannot meet "1".
                return known[value]
            except Exception as error:  # a new value, an unhashable one, a hostile __eq__
                if interrupted(error):
                    raise
                return learn(value)

        return find

    def _by_argument(self, argument: FindArgument) -> Callable[[tuple[Any, ...], dict[str, Any]], CallSeries]:
        """The same for a parameter, without a call to fetch it."""
        name, index, default = argument.name, argument.index, argument.default
        known, learn = self._by_value, self._learn

        def find(args: tuple[Any, ...], kwargs: dict[str, Any]) -> CallSeries:
            value = kwargs[name] if name in kwargs else args[index] if len(args) > index else default
            try:
                return known[value]
            except Exception as error:  # as above
                if interrupted(error):
                    raise
                return learn(value)

        return find

    def _slowly(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> CallSeries:
        values = tuple(find if isinstance(find, str) else find(args, kwargs) for find in self._finds)
        return self._calls.series(self._service, values)

    def _learn(self, value: object) -> CallSeries:
        values = tuple(find if isinstance(find, str) else value for find in self._finds)
        series = self._calls.series(self._service, values)
        if type(value) is str and value == series.labels[1 + self._varying[0]]:
            self._by_value[value] = series
        return series


class Calls:
    """The series of one operation in one store, by labels."""

    def __init__(self, store: Store, operation: Operation) -> None:
        self.store = store
        self.operation = operation
        self.known: dict[Any, CallSeries] = {}

    def series(self, service: str | None, values: tuple[object, ...]) -> CallSeries:
        """The series of these label values, which may be anything; cleaned and limited on the way."""
        try:
            return self.known[service, *values]
        except Exception as error:  # new, unhashable or hostile values
            if interrupted(error):
                raise
            return self._admit(service, values)

    def _admit(self, service: object, values: tuple[object, ...]) -> CallSeries:
        store, metric = self.store, f"{self.operation.prefix}_total"
        admitted = tuple(
            "" if label != self.operation.subject and is_empty(value) else store.admit(metric, label, value)
            for label, value in zip(self.operation.labels, values, strict=True)
        )
        labels = (None if service is None else store.admit(metric, "service", service), *admitted)
        series = self.known.get(labels)
        if series is None:
            series = self._declare(labels)
        return series

    def _declare(self, labels: tuple[str | None, ...]) -> CallSeries:
        series = CallSeries(self.store, self.operation, labels)
        self.store.add(series)  # first: a signal handler may raise in between, and what is known must be folded
        return self.known.setdefault(labels, series)


def calls_of(store: Store, operation: Operation) -> Calls:
    """The one `Calls` of a store and an operation, however many toolkits share the store."""
    known: Calls | None = store.operations.get(operation.name)
    if known is not None:
        return known
    made: Calls = store.operations.setdefault(operation.name, Calls(store, operation))
    return made
