"""Methods of watched objects: replaced on the class while an object of it is watched, and then put back.

Nothing is kept in the objects, so that their copies and pickles are plain: a method finds its object in a table, by
its identity. Other objects of the class pay one look-up.
"""

import copy
import functools
import threading
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any
from weakref import ref

from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.outcome import raised, slow_path
from mlmetrics.calls.plan import Plan
from mlmetrics.calls.templates import parameters_of, write
from mlmetrics.errors import name_of_type
from mlmetrics.integrations.patches import Undo
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
            steps.raised(series, error, clock() - start)
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
        steps.slow(series, seconds, telling)
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
                told.missed(f"{name_of_type(kind)}.{method.name} is no function, but a {name_of_type(type(found))}")
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


def function_of(found: Any) -> Any:
    """Return the function of a method, also of one that is only available if a condition of scikit-learn's holds."""
    inner = found if type(found) is types.FunctionType else getattr(found, "fn", None)
    return inner if type(inner) is types.FunctionType else None


def replacement(found: Any, method: Method, entries: Entries) -> Any:
    """Return what replaces a method: a function, or a copy of its descriptor around one."""
    function = function_of(found)
    made = _wrapper(function, method, entries) if method.wrap is None else method.wrap(function, entries)
    wrapper = functools.wraps(function)(made)
    if function is found:
        return wrapper
    descriptor = copy.copy(found)
    descriptor.fn = wrapper
    return descriptor


def _wrapper(function: Any, method: Method, entries: Entries) -> Any:
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
    return write(template, function, Plan(None, None, perf_counter), cells)


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


def slow(series: CallSeries, seconds: float, telling: Telling | None) -> None:
    """Fold, log, keep an exemplar."""
    slow_path(series, seconds)
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
