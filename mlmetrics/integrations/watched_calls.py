"""The calls of watched objects: what replaces a method, and what its calls need of each object.

Nothing is kept in the objects, so that their copies and pickles are plain: a method finds what it needs in a table, by
the identity of its object. Other objects of the class pay one look-up.
"""

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from weakref import ref

from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.outcome import raised, slow_path
from mlmetrics.calls.plan import Plan
from mlmetrics.calls.templates import parameters_of, write
from mlmetrics.errors import name_of_type
from mlmetrics.integrations.predictions import Telling
from mlmetrics.integrations.watch import Watch
from mlmetrics.interruption import interrupted
from mlmetrics.recording.series import BOUND

TEMPLATE = f"""
def wrapper({{declared}}):
    {{prepare}}
    newest, entry = entries.newest
    if newest() is not WATCHED:
        entry = find(id(WATCHED))
        if entry is None:
            return function({{passed}})
    inside, clock, started, succeeded, sizes, series, telling = entry
    thread = get_ident()
    if (inside.first is not None or inside.others is not None) and thread in inside:
        return function({{passed}})
    start = clock()
    try:
        if inside.first is None:
            inside.first = thread
        else:
            inside.enter(thread)
        started.append(None)
        result = function({{passed}})
        seconds = clock() - start
        if inside.first is thread:
            inside.first = None
        else:
            inside.leave(thread)
    except steps.BaseException as error:
        if inside.first is thread:
            inside.first = None
        else:
            inside.leave(thread)
        try:
            steps.raised(series, error, (now := clock()) - start, now)
        except steps.RecursionError:  # no room on the stack for one call more
            series.fail(clock() - start)
        raise
    succeeded.append(seconds)
    SIZING
    if telling is not None:
        try:
            if result.size == 1:
                telling.known[result.item()](1.0)
            else:
                telling.tell(result)
        except steps.Exception as error:
            steps.tell_otherwise(telling, result, error)
    if seconds > series.notice_seconds or len(series.started) > {BOUND}:
        steps.slow(series, seconds, start + seconds, telling)
    return result
"""
"""As the wrappers of `calls`: what can be interrupted is inside a `try`, and the append that ends the call follows it.

An object's own parts, and those that are watched too, are called while its thread is inside, and are no calls. No other
thread comes between a look at `inside.first` and its change, because there is no call between them.
"""
SIZING = """try:
        sizes.append(count(GIVEN))
    except steps.Exception as error:
        steps.count_otherwise(series, GIVEN, error)"""
BATCH_SIZE = "ml_inference_batch_size"
INSIDE, SERIES = 0, 5
"""Places in what the calls of a method of one object need."""
Tells = Callable[[str, CallSeries], Telling | None]
"""Returns, by the name of a method and its series, what is recorded of its results."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method to watch: its name, at which place it takes its batch, and what counts the items of that.

    `count` is None where they cannot be known. `wrap` makes what replaces a function, if a call does not end with it.
    """

    name: str
    place: int = 1
    count: Callable[[Any], Any] | None = len
    wrap: "Callable[[Any, Entries], Any] | None" = None


class Entries(dict[int, tuple[Any, ...]]):
    """What the calls of the watched objects need, by identity; a class that is pickled by value takes none along."""

    __slots__ = ("newest",)

    def __init__(self) -> None:
        super().__init__()
        self.newest: tuple[Callable[[], Any], Any] = NOTHING
        """A reference to the object that was watched last, and its entry: comparing takes less than the look-up."""

    def add(self, watched: object, entry: tuple[Any, ...]) -> None:
        """Have the calls of an object use this entry."""
        self[id(watched)] = entry
        self.newest = (ref(watched), entry)

    def renew(self, identity: int, entry: tuple[Any, ...] | None) -> None:
        """Have the calls of an object use another entry, or none."""
        if self.newest[1] is self.get(identity):
            self.newest = NOTHING
        if entry is None:
            self.pop(identity, None)
        else:
            self[identity] = entry

    def __reduce__(self) -> tuple[Any, ...]:
        return Entries, ()


NOTHING = (object, None)
"""A reference to no object that anybody has."""


class Recording:
    """Has an `append` as lists have, which records in the files of one of several processes."""

    __slots__ = ("append",)

    def __init__(self, append: Callable[[Any], object]) -> None:
        self.append = append


def appended_to(record: Callable[[Any], object]) -> Any:
    """Return the list whose `append` this is, because CPython calls that in less time than a bound one."""
    owner = getattr(record, "__self__", None)
    return owner if isinstance(owner, list) else Recording(record)


def entry_of(told: Watch, name: str, tells: Tells) -> tuple[Any, ...]:
    """Return what the calls of a method of one object need."""
    series = told.series(name)
    return (
        told.inside,
        series.clock,
        appended_to(series.begin),
        appended_to(series.succeed),
        appended_to(series.histogram(BATCH_SIZE).record),
        series,
        tells(name, series),
    )


def wrapper_of(function: Any, method: Method, entries: Entries) -> Any:
    """Return what replaces the function of a method."""
    if method.wrap is not None:
        return functools.wraps(function)(method.wrap(function, entries))
    parameters, _ = parameters_of(function)
    placed = parameters.positional > method.place
    given = f"p{method.place}" if placed else f"steps.given({method.place}, {parameters.gathered})"
    watched = "p0" if parameters.positional else "(args[0] if args else None)"
    template = TEMPLATE.replace("SIZING", "pass" if method.count is None else SIZING).replace("WATCHED", watched)
    template = template.replace("GIVEN", given.replace("{", "{{").replace("}", "}}"))
    cells = {
        "entries": entries,
        "find": entries.get,
        "id": id,
        "get_ident": threading.get_ident,
        "count": method.count,
        "len": len,
        "steps": Steps,
    }
    return functools.wraps(function)(write(template, function, Plan(None, None, perf_counter), cells))


def tell_otherwise(telling: Telling, result: Any, error: Exception) -> None:
    """Tell a result that has no size, or a class that is not known."""
    if interrupted(error):
        raise error
    telling.tell(result)


def given_of(place: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the batch of a call whose function has no parameter for it."""
    return args[place] if len(args) > place else next(iter(kwargs.values()), None)


def count_otherwise(series: CallSeries, given: Any, error: Exception) -> None:
    """Count the items of a batch that has no length: a sparse matrix, or a matrix of XGBoost."""
    if interrupted(error):
        raise error
    try:
        items = int(given.num_row() if hasattr(given, "num_row") else given.shape[0])
        series.histogram(BATCH_SIZE).record(items)
    except Exception as problem:  # any object may come
        if interrupted(problem):
            raise
        series.store.failed("batch", f"a {name_of_type(type(given))} without a length")


def slow(series: CallSeries, seconds: float, now: float, telling: Telling | None) -> None:
    """Fold, log, keep an exemplar."""
    many = series.full
    slow_path(series, seconds, now)
    if many:  # no call has more than one batch, nor more than one number of a class
        series.store.fold(series.histogram(BATCH_SIZE))
        if telling is not None:
            telling.fold()


class Steps:
    """What few calls need, in one cell of the wrapper."""

    BaseException = BaseException
    Exception = Exception
    RecursionError = RecursionError
    count_otherwise = staticmethod(count_otherwise)
    given = staticmethod(given_of)
    raised = staticmethod(raised)
    slow = staticmethod(slow)
    tell_otherwise = staticmethod(tell_otherwise)
