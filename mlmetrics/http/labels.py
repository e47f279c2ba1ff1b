"""Labels of an application's own on its requests: how they are declared, and their values of a request.

They are read when a request has ended, and only by an application that has some: it finds the series of a request
here and not by its endpoint alone. No function of the user's reaches the request: what it cannot say is counted.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from string import ascii_letters, digits
from typing import Any

from mlmetrics.calls.labels import signature_of
from mlmetrics.catalog import METRICS
from mlmetrics.catalog.own import IS_SET, RESERVED_LABELS
from mlmetrics.catalog.plain import LABEL
from mlmetrics.errors import ConfigurationError, name_of_type, shown
from mlmetrics.http.requests import ServiceRequests
from mlmetrics.http.series import DURATION, RouteSeries
from mlmetrics.interruption import interrupted
from mlmetrics.recording.labels import UNKNOWN, cleaned, declared_problem
from mlmetrics.recording.store import ERRORS, Store

Label = str | Callable[[Any], str]
"""A fixed text, or a function of the scope; what `header` returns is one."""
TAKEN = frozenset(label for metric in METRICS if metric.extensible for label in metric.labels)
TOKEN = frozenset(ascii_letters + digits + "!#$%&'*+-.^_`|~")
"""The characters of a header's name."""
SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})
EXPECTED = "expected a fixed text, header('x-tenant') or a function of the scope"


@dataclass(frozen=True, slots=True)
class Header:
    """A label whose value is a header of the request; made by `header`. It is a function of the scope."""

    name: str

    def __call__(self, scope: Any) -> str:
        """Return the first header of this name in a scope, and an empty text if there is none."""
        headers, wanted, length = scope["headers"], self.name.encode(), len(self.name)
        if hasattr(headers, "__next__"):
            raise LookupError("this server gives headers that can be read once only; request_id=True keeps them")
        for name, value in headers:
            if len(name) == length and name.lower() == wanted:
                return text_of(value)
        return ""


def header(name: str) -> Header:
    """Return a label of requests whose value is a header of the request.

    It is given as `labels={"tenant": header("x-tenant")}`. A request without the header has the empty text, which is
    to Prometheus as if the label were not there. If the header comes several times, the first one counts. A value is
    text in UTF-8, or else in Latin-1.

    Args:
        name: the header's name, in any case.

    Raises:
        ConfigurationError: it is no name of a header, or of one that has secrets, which all who read the metrics would
            see: `Authorization`, `Proxy-Authorization`, `Cookie`.

    Example:
        >>> tenant = header("X-Tenant")
        >>> tenant({"headers": [(b"x-tenant", b"acme")]})
        'acme'
    """
    if not isinstance(name, str) or not name or not TOKEN.issuperset(name):
        raise ConfigurationError(f"header({shown(name)}): expected the name of a header, such as 'x-tenant'")
    lower = str.__str__(name).lower()
    if lower in SECRET:
        raise ConfigurationError(
            f"header({shown(name)}): its values are secrets, and everybody who reads the metrics would see them; "
            "give a function of the scope that returns what of it may be seen"
        )
    return Header(lower)


def text_of(value: bytes) -> str:
    """Return the value of a header as text: UTF-8, or else Latin-1, in which any bytes are text."""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        if interrupted(error):
            raise
        return value.decode("latin-1")


def checked_labels(given: Mapping[str, Label]) -> dict[str, Label]:
    """Return the labels that were given, by name.

    Raises:
        ConfigurationError: they are no mapping, a name is not allowed or taken, or a value is none of those expected.
    """
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"labels={shown(given)}: expected them by name, such as {{'region': 'eu', 'tenant': header('x-tenant')}}"
        )
    for name, label in given.items():
        problem = name_problem(name) or label_problem(label)
        if problem is not None:
            raise ConfigurationError(f"labels: {shown(name)}: {problem}")
    return {str.__str__(name): str.__str__(label) if isinstance(label, str) else label for name, label in given.items()}


def name_problem(name: object) -> str | None:
    """Return why this cannot be the name of a label, None if it can."""
    if not isinstance(name, str) or LABEL.fullmatch(name) is None:
        return "expected a name of letters, digits and '_', which does not begin with '__'"
    if name in TAKEN:
        return "the metrics of requests have a label of this name; choose another one"
    return IS_SET if name in RESERVED_LABELS else None


def label_problem(label: object) -> str | None:
    """Return why this cannot be where the values of a label come from, None if it can."""
    if isinstance(label, str):
        problem = declared_problem(label)
        return None if problem is None else f"{EXPECTED}; this text, {shown(label)}, is {problem}"
    if not callable(label):
        return f"{EXPECTED}; got {shown(label)}"
    if is_awaited(label):
        return f"{shown(label)} has to be awaited, and labels are read where nothing can be; {EXPECTED}"
    signature = signature_of(label)
    try:
        if signature is not None:
            signature.bind(None)
    except TypeError as error:
        if interrupted(error):
            raise
        return f"expected a function of one argument, the scope; this one takes {signature}"
    return None


def is_awaited(function: Any) -> bool:
    """Whether a function, or the method by which an object is called, is a coroutine function or a generator."""
    while isinstance(function, partial):
        function = function.func
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)
    call = getattr(type(function), "__call__", None)  # noqa: B004 (what is asked is of which kind it is)
    return any(is_kind(each) for is_kind in kinds for each in (function, call))


def settle(store: Store, given: Mapping[str, Label]) -> tuple[str, ...]:
    """Have these labels on the requests of a store; return their names in the order in which the metrics have them.

    Raises:
        ConfigurationError: another application has given it others.
    """
    with store.declaring:
        names = store.settle_request_labels(tuple(given))
    for name in names:
        if callable(given[name]):
            store.counter(ERRORS, (f"label.{name}",))
    return names


class LabelledRequests:
    """The requests of one application by the labels of its own, beside the catalogue's."""

    def __init__(self, requests: ServiceRequests, given: Mapping[str, Label], names: tuple[str, ...]) -> None:
        self.requests = requests
        self.names = names
        self._sources = tuple((name, given[name]) for name in names)
        self.fixed = not any(callable(source) for _, source in self._sources)
        self._routes: dict[tuple[str, str], LabelledRoute] = {}

    def route(self, method: str, template: str, *, own: bool = False) -> "LabelledRoute":
        """Return the requests of a method and a route template, as `ServiceRequests.route`."""
        place = self.requests.place(method, template, own=own)
        route = self._routes.get(place)
        return self._routes.setdefault(place, LabelledRoute(self, *place)) if route is None else route

    def values(self, scope: Any) -> tuple[str, ...]:
        """Return the values of a request, as they come."""
        return tuple(
            [source if type(source) is str else self._computed(name, source, scope) for name, source in self._sources]
        )

    def admitted(self, method: str, route: str, values: tuple[str, ...]) -> tuple[str, ...]:
        """Return the values to record: cleaned, and `other` beyond a limit; fixed texts stay as they are."""
        if self.fixed:
            return values
        base = (self.requests.service, method, route)
        admitted = self.requests.store.admit(DURATION, base, values, self.names)[len(base) :]
        return tuple(
            source if type(source) is str else str(value)
            for (_, source), value in zip(self._sources, admitted, strict=True)
        )

    def _computed(self, name: str, source: Any, scope: Any) -> str:
        try:
            value = source(scope)
        except Exception as error:  # any function may come
            if interrupted(error):
                raise
            # Not its message, which may be of a header.
            return self._unknown(name, f"its function raised {name_of_type(type(error))}")
        if type(value) is str:
            return value
        text, problem = cleaned(value)
        if inspect.iscoroutine(value):
            value.close()  # else Python warns of it
        return text if problem is None else self._unknown(name, problem)

    def _unknown(self, name: str, problem: str) -> str:
        self.requests.store.failed(f"label.{name}", problem, {"metric": DURATION})
        return UNKNOWN


class LabelledRoute:
    """The finished requests of one method and one route: a series for the values of each request."""

    def __init__(self, labelled: LabelledRequests, method: str, route: str) -> None:
        self._labelled = labelled
        self._place = (method, route)
        self._statuses: tuple[int, ...] = ()
        self._series: dict[tuple[str, ...], RouteSeries] = {}

    def declare(self, *statuses: int) -> None:
        """Create these statuses at 0 for values that are known: fixed texts now, all others when they first come."""
        self._statuses = statuses
        if self._labelled.fixed:
            self._recorded(self._labelled.values(None))

    def of(self, scope: Any) -> RouteSeries:
        """Return the series of a request."""
        values = self._labelled.values(scope)
        series = self._series.get(values)
        return self._recorded(self._labelled.admitted(*self._place, values)) if series is None else series

    def _recorded(self, values: tuple[str, ...]) -> RouteSeries:
        """Return the series of values that are admitted."""
        series = self._series.get(values)
        if series is None:
            series = self._labelled.requests.series(*self._place, values)
            series.declare(*self._statuses)
            self._series[values] = series
        return series
