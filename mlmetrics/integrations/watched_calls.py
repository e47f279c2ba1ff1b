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
    entry = find(id(WATCHED))
    if entry is None:
        return function({{passed}})
    inside, clock, begin, succeed, series, size, sizes, known, telling = entry
    thread = get_ident()
    if thread in inside:
        return function({{passed}})
    start = clock()
    try:
        inside.add(thread)
        begin(None)
        result = function({{passed}})
        seconds = clock() - start
        inside.discard(thread)
    except steps.BaseException as error:
        inside.discard(thread)
        try:
            steps.raised(series, error, (now := clock()) - start, now)
        except steps.RecursionError:  # no room on the stack for one call more
            series.fail(clock() - start)
        raise
    succeed(seconds)
    SIZING
    if telling is not None:
        try:
            if result.size == 1:
                known[result.item()](1.0)
            else:
                telling.tell(result)
        except steps.Exception as error:
            steps.tell_otherwise(telling, result, error)
    if seconds > series.notice_seconds or len(SIZES) > {BOUND}:
        steps.slow(series, seconds, start + seconds, telling)
    return result
"""
"""As the wrappers of `calls`: what can be interrupted is inside a `try`, and the append that ends the call follows it.

An object's own parts, and those that are watched too, are called while its thread is inside, and are no calls.
"""
SIZING = """try:
        size(count(GIVEN))
    except steps.Exception as error:
        steps.count_otherwise(series, size, GIVEN, error)"""
BATCH_SIZE = "ml_inference_batch_size"
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

    def __reduce__(self) -> tuple[Any, ...]:
        return Entries, ()


def entry_of(told: Watch, name: str, tells: Tells) -> tuple[Any, ...]:
    """Return what the calls of a method of one object need."""
    series = told.series(name)
    sizes = series.histogram(BATCH_SIZE)
    telling = tells(name, series)
    return (
        told.inside,
        series.clock,
        series.begin,
        series.succeed,
        series,
        sizes.record,
        sizes.pending,
        None if telling is None else telling.known,
        telling,
    )


def wrapper_of(function: Any, method: Method, entries: Entries) -> Any:
    """Return what replaces the function of a method."""
    if method.wrap is not None:
        return functools.wraps(function)(method.wrap(function, entries))
    parameters, _ = parameters_of(function)
    placed = parameters.positional > method.place
    given = f"p{method.place}" if placed else f"steps.given({method.place}, {parameters.gathered})"
    watched = "p0" if parameters.positional else "args[0]"
    template = TEMPLATE.replace("SIZING", "pass" if method.count is None else SIZING).replace("WATCHED", watched)
    template = template.replace("SIZES", "series.started" if method.count is None else "sizes")
    template = template.replace("GIVEN", given.replace("{", "{{").replace("}", "}}"))
    cells = {
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


def count_otherwise(series: CallSeries, size: Callable[[float], object], given: Any, error: Exception) -> None:
    """Count the items of a batch that has no length: a sparse matrix, or a matrix of XGBoost."""
    if interrupted(error):
        raise error
    try:
        size(int(given.num_row() if hasattr(given, "num_row") else given.shape[0]))
    except Exception as problem:  # any object may come
        if interrupted(problem):
            raise
        series.store.failed("batch", f"a {name_of_type(type(given))} without a length")


def slow(series: CallSeries, seconds: float, now: float, telling: Telling | None) -> None:
    """Fold, log, keep an exemplar."""
    slow_path(series, seconds, now)
    sizes = series.histogram(BATCH_SIZE)
    if len(sizes.pending) > BOUND:
        series.store.fold(sizes)
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
