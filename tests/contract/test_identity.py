"""A decorated callable is still what it was: name, signature, kind, pickling, copies, overloads."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import abc
import asyncio
import copy
import functools
import inspect
import pickle
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from unittest.mock import MagicMock

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import DeclarationError, MLMetrics
from tests.recorded import errors, in_progress, outcomes

METRICS = MLMetrics(service="s", registry=CollectorRegistry())
track = METRICS.track_inference(model="m")
KINDS = (
    *(inspect.isfunction, inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction),
    *(inspect.ismethod, inspect.isbuiltin, inspect.isroutine, asyncio.iscoroutinefunction, callable),
)


def function(text: str, /, *rest: int, limit: "int | None" = 3, **options: float) -> list[str]:
    """Return the text."""
    return [text]


async def coroutine(text: str, limit: int = 3) -> str:
    """Await nothing."""
    return text


def generator(count: int) -> Iterator[int]:
    """Yield numbers."""
    yield from range(count)


async def async_generator(count: int) -> AsyncIterator[int]:
    """Yield numbers."""
    for number in range(count):
        yield number


class Model:
    """Something with methods."""

    def __init__(self, factor: int = 1) -> None:
        self.factor = factor

    def __call__(self, number: int) -> int:
        """Multiply."""
        return number * self.factor

    def method(self, number: int) -> int:
        """Multiply."""
        return number * self.factor


class AsyncModel:
    """A callable object whose call is a coroutine function."""

    async def __call__(self, number: int) -> int:
        """Return the number."""
        return number


TARGETS = {
    "function": function,
    "coroutine": coroutine,
    "generator": generator,
    "async generator": async_generator,
    "method": Model.method,
    "bound method": Model().method,
    "builtin": len,
    "method descriptor": str.upper,
    "partial": functools.partial(function, "text", limit=1),
    "partial of coroutine": functools.partial(coroutine, limit=1),
    "callable object": Model(),
    "async callable object": AsyncModel(),
    "cached": functools.cache(function),
    "single dispatch": functools.singledispatch(function),
}

recorded_function = track(function)


@track
def pickled(number: int) -> int:
    """Double."""
    return 2 * number


@track
@functools.cache
def pickled_cache(number: int) -> int:
    """Double."""
    return 2 * number


@typing.overload
def overloaded(value: str) -> str: ...
@typing.overload
def overloaded(value: bytes) -> bytes: ...
@track
def overloaded(value: str | bytes) -> str | bytes:
    """Return the value."""
    return value


@pytest.mark.parametrize("name", TARGETS)
def test_looks_like_the_original(name: str) -> None:
    """Signature, annotations, names, documentation, module and every kind are those of the original."""
    target: Any = TARGETS[name]
    recorded: Any = track(target)
    assert inspect.signature(target) == inspect.signature(recorded)
    for attribute in ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__"):
        if hasattr(target, attribute):
            assert getattr(target, attribute) == getattr(recorded, attribute)
        else:
            assert not hasattr(recorded, attribute) or target is str.upper
    for kind in KINDS:
        if not (target is str.upper and kind is inspect.isfunction):
            assert kind(target) == kind(recorded), kind.__name__
    if not isinstance(target, functools.partial):  # which says less of its `__call__` than we do
        assert inspect.iscoroutinefunction(target.__call__) == inspect.iscoroutinefunction(recorded.__call__)
    assert inspect.unwrap(target) == inspect.unwrap(recorded)


def test_wrapped_is_the_original() -> None:
    """`__wrapped__` leads to the very function."""
    assert function is recorded_function.__wrapped__  # type: ignore[attr-defined]  # what functools.wraps adds


@pytest.mark.parametrize("recorded", [pickled, pickled_cache], ids=["function", "cached"])
def test_pickles_by_name(recorded: Any) -> None:
    """What is decorated where it is defined comes back from pickle as itself, recorded."""
    assert recorded is pickle.loads(pickle.dumps(recorded))  # noqa: S301 (bytes of our own)


def test_overloads_survive() -> None:
    """`typing.get_overloads` finds the overloads of a decorated function."""
    assert 2 == len(typing.get_overloads(overloaded))


def test_callable_object_pickles_as_the_original() -> None:
    """A recorded object goes through pickle as what it stands for: a registry does not travel."""
    loaded = pickle.loads(pickle.dumps(track(Model(3))))  # noqa: S301 (bytes of our own)
    assert type(loaded) is Model
    assert 6 == loaded(2)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("name", ["partial", "callable object", "bound method", "function", "cached", "builtin"])
def test_copies_are_recorded(copied: Callable[[Any], Any], name: str, registry: CollectorRegistry) -> None:
    """A copy does what the original does, and its calls are recorded."""
    target: Any = TARGETS[name]
    recorded = MLMetrics(service="s", registry=registry).track_inference(model="m")(target)
    arguments = {"partial": (), "function": ("text",), "cached": ("text",), "builtin": ([1, 2],)}.get(name, (2,))
    assert recorded(*arguments) == copied(recorded)(*arguments)
    assert {"success": 2} == outcomes(registry)


def test_copy_of_an_object_is_another_object() -> None:
    """A copied model can change without its original."""
    recorded = track(Model(1))
    other = copy.copy(recorded)
    other.factor = 5
    assert (2, 10) == (recorded(2), other(2))


def test_attributes_reach_the_original() -> None:
    """Reading and writing attributes of a recorded object is reading and writing the original's."""
    model = Model()
    recorded = track(model)
    recorded.factor = 7
    assert 7 == model.factor
    assert isinstance(recorded, Model)


def test_cache_beneath_and_above(registry: CollectorRegistry) -> None:
    """Beneath the decorator every call is recorded, above it the first of its kind; `cache_info` stays."""
    metrics = MLMetrics(service="s", registry=registry)
    beneath = metrics.track_inference(model="beneath")(functools.cache(Model.method))
    above = functools.cache(metrics.track_inference(model="above")(lambda number: number))

    class Holder(Model):
        run = beneath

    holder = Holder(2)
    assert [4, 4] == [holder.run(2), holder.run(2)]
    assert [2, 2] == [above(2), above(2)]
    assert 1 == beneath.cache_info().hits == above.cache_info().hits
    assert {"success": 2} == outcomes(registry, model="beneath")
    assert {"success": 1} == outcomes(registry, model="above")


def test_builtins_and_bound_methods_do_not_bind(registry: CollectorRegistry) -> None:
    """What did not bind to the instance of a class that holds it does not when it is recorded."""
    metrics = MLMetrics(service="s", registry=registry)

    class Holder:
        size = metrics.track_inference(len)
        times = metrics.track_inference(Model(3).method)
        upper = metrics.track_inference(str.upper)

    holder: Any = Holder()
    assert 2 == holder.size([1, 2])
    assert 6 == holder.times(2)
    assert "A" == Holder.upper("a")
    assert {"success": 3} == outcomes(registry)


SHAPES: dict[str, Any] = {
    "defaults": lambda a, b=2: (a, b),
    "positional only": lambda a, /, b=2: (a, b),
    "keyword only": lambda a, *, b=2: (a, b),
    "gathering": lambda a, *rest, b=2, **more: (a, rest, b, more),
    "underscores": lambda _function, __b=2: (_function, __b),
    "shadowing": lambda len, type=2: (len, type),  # noqa: A006 (names that a wrapper uses too)
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("args", "kwargs"), [((1,), {}), ((1, 5), {}), ((1,), {"b": 5}), ((), {"a": 1}), ((), {})])
def test_parameters_arrive_as_they_were_passed(name: str, args: tuple[int, ...], kwargs: dict[str, int]) -> None:
    """Whatever a function takes, and whatever it refuses, it takes and refuses when it is recorded."""

    def tried(call: Any) -> object:
        try:
            return call(*args, **kwargs)
        except TypeError as error:
            return str(error)

    assert tried(SHAPES[name]) == tried(track(SHAPES[name]))


def test_abstract_methods_stay_abstract() -> None:
    """A decorated abstract method still keeps its class from being made."""

    class Base(abc.ABC):
        @track
        @abc.abstractmethod
        def run(self) -> None:
            """Do it."""

    with pytest.raises(TypeError, match="abstract"):
        Base()  # type: ignore[abstract]  # that is the test


def test_class_and_static_methods_stay_what_they_are() -> None:
    """The decorator above `classmethod` and `staticmethod` gives one again."""
    body: Any = function
    for kind in (classmethod, staticmethod):
        made: Any = kind(body)
        assert isinstance(track(made), kind)


def test_mock_results_are_the_mocks(registry: CollectorRegistry) -> None:
    """A test that gives a mock gets that very mock back, though it says it can be iterated."""
    mock = MagicMock()
    recorded = MLMetrics(service="s", registry=registry).track_inference(lambda: mock)
    assert mock is recorded()
    assert {"success": 1} == outcomes(registry)


def test_nested_decorators_are_a_call_each(registry: CollectorRegistry) -> None:
    """Two decorators on one async generator record one call each, and pass everything on."""
    metrics = MLMetrics(service="s", registry=registry)
    recorded = metrics.track_inference(model="outer")(metrics.track_inference(model="inner")(async_generator))

    async def main() -> list[int]:
        return [number async for number in recorded(3)]

    assert [0, 1, 2] == asyncio.run(main())
    assert {"success": 2} == outcomes(registry)
    assert in_progress(registry) == 0
    assert errors(registry) == {}


@pytest.mark.parametrize(
    "target", [Model, 3, None, "text", property(function)], ids=lambda target: type(target).__name__
)
def test_what_cannot_be_decorated(target: Any) -> None:
    """A class, or what cannot be called, is refused with what to do."""
    with pytest.raises(DeclarationError, match=r"cannot decorate .*expected a function, method, partial or callable"):
        METRICS.track_inference(model="m")(target)
