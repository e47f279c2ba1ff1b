"""How the labels of a declaration (fixed, of an argument, or computed) give the series of a call."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.stored import Calls
from mlmetrics.errors import DeclarationError, shown
from mlmetrics.interruption import interrupted
from mlmetrics.recording.labels import UNKNOWN, declared_problem, is_empty
from mlmetrics.recording.store import Store


@dataclass(frozen=True, slots=True)
class Argument:
    """A label whose value is an argument of the call; made by `arg`."""

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
    """The call, as the function of a computed label gets it: `label = lambda call: call.arguments["model"]`.

    Attributes:
        args: the values of the parameters before `*`, including defaults, and `self` of a method; as in
            `inspect.BoundArguments`.
        kwargs: the values of the other parameters.
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
    """Check a label value that is fixed in the declaration, and return it."""
    if empty and is_empty(value):
        return ""
    problem = declared_problem(value)
    if problem is not None:
        raise DeclarationError(
            f"{name}={shown(value)}: expected a non-empty string, arg('parameter') or a function of the call; "
            f"this one is {problem}"
        )
    return str.__str__(value)


def service_label(value: object) -> str:
    """Check the service of a declaration, and return it."""
    problem = declared_problem(value)
    if problem is not None:
        raise DeclarationError(
            f"service={shown(value)}: expected a non-empty string, or nothing for the toolkit's own; "
            f"this one is {problem}"
        )
    return str.__str__(value)


def signature_of(target: Callable[..., Any]) -> inspect.Signature | None:
    """Return the signature; None if it has none, as some builtins."""
    try:
        return inspect.signature(target)
    except (TypeError, ValueError) as error:
        if interrupted(error):
            raise
        return None


def check_reader(what: str, read: Callable[[Any], Any], read_from: str) -> None:
    """Refuse a function that cannot be called with exactly one argument, the object to read from.

    Raises:
        DeclarationError: it takes no argument, or needs more than one.
    """
    signature = signature_of(read)
    try:
        if signature is not None:
            signature.bind(None)
    except TypeError as error:
        raise DeclarationError(
            f"{what}={read!r:.100}: expected a function of one argument, {read_from}; this one takes {signature}"
        ) from error


@dataclass(frozen=True, slots=True)
class FindArgument:
    """Where a parameter's value is among the arguments of a call.

    A wrapper that has the parameter itself reads it by its name; the others ask this. `place` is
    None for what is passed by keyword only, `by_keyword` is false for what is passed by position only.
    """

    name: str
    place: int | None
    by_keyword: bool
    default: Any

    @classmethod
    def of(cls, argument: Argument, described: Callable[..., Any], *, missing: Any = UNKNOWN) -> Self:
        """Return what finds the parameter in calls of `described`; `missing` is its value in a call without it.

        Raises:
            DeclarationError: there is no such parameter.
        """
        name, signature = argument.name, signature_of(described)
        parameters = list(signature.parameters.values()) if signature else []
        found = next((parameter for parameter in parameters if parameter.name == name), None)
        if found is None:
            if signature is not None and all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters):
                has = ", ".join(parameter.name for parameter in parameters) or "none"
                raise DeclarationError(f"arg({name!r}): {described!r} has no such parameter; it has {has}")
            return cls(name, None, by_keyword=True, default=missing)
        if found.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise DeclarationError(
                f"arg({name!r}): {name!r} gathers several values in {described!r}; name a single parameter"
            )
        return cls(
            name,
            None if found.kind is inspect.Parameter.KEYWORD_ONLY else parameters.index(found),
            by_keyword=found.kind is not inspect.Parameter.POSITIONAL_ONLY,
            default=missing if found.default is inspect.Parameter.empty else found.default,
        )

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the value of the parameter in this call."""
        if self.by_keyword and self.name in kwargs:
            return kwargs[self.name]
        return args[self.place] if self.place is not None and len(args) > self.place else self.default


class Computed:
    """Computes a label from the call; if the function raises, that is counted and the label is `unknown`."""

    def __init__(self, label: str, compute: Callable[[BoundCall], object], described: Callable[..., Any]) -> None:
        check_reader(label, compute, "the call (`lambda call: call.arguments[...]`)")
        self._label = label
        self._compute = compute
        self._signature = signature_of(described)

    def value(self, store: Store, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the label of this call."""
        try:
            return self._compute(BoundCall(self._signature, args, kwargs))
        except Exception as error:  # the user's code, run on behalf of a measurement
            if interrupted(error):
                raise
            store.failed(f"label.{self._label}", error)
            return UNKNOWN


class SeriesFinder:
    """Finds the series of calls whose labels are known only at the call.

    If one parameter alone decides the series, `argument` is that parameter, and `by_value` finds the series.
    """

    def __init__(self, calls: Calls, service: str | None, labels: tuple[str | FindArgument | Computed, ...]) -> None:
        self._calls = calls
        self._service = service
        self._labels = labels
        varying = [place for place, label in enumerate(labels) if not isinstance(label, str)]
        self._varying = varying[0] if len(varying) == 1 else None
        alone = None if self._varying is None else labels[self._varying]
        self.argument = alone if isinstance(alone, FindArgument) else None
        self._by_value: dict[Any, CallSeries] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Unpickled in another process, it starts empty: the series that it knows belong to this process."""
        return SeriesFinder, (self._calls, self._service, self._labels)

    def by_value(self, value: Any) -> CallSeries:
        """Return the series of a call whose one varying label has this value: one look-up."""
        try:
            # All keys are texts, so 1 and True are never mistaken for "1".
            return self._by_value[value]
        except Exception as error:  # a new value, an unhashable one, a hostile __eq__
            if interrupted(error):
                raise
            return self._learn(value)

    def by_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> CallSeries:
        """Return the series of a call with these arguments."""
        values = tuple(self._value(label, args, kwargs) for label in self._labels)
        if self._varying is not None:
            return self.by_value(values[self._varying])
        return self._calls.series(self._service, values)

    def _value(self, label: str | FindArgument | Computed, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if isinstance(label, str):
            return label
        return label(args, kwargs) if isinstance(label, FindArgument) else label.value(self._calls.store, args, kwargs)

    def _learn(self, value: object) -> CallSeries:
        varying: Any = self._varying
        values = tuple(value if place == varying else label for place, label in enumerate(self._labels))
        series = self._calls.series(self._service, values)
        if type(value) is str and value == series.labels[1 + varying]:
            self._by_value[value] = series
        return series
