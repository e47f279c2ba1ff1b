"""A wrapper is like its function: parameters, globals, code, wrong arguments, depth of recursion."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

from __future__ import annotations

import asyncio
import dis
import functools
import inspect
import sys
import types
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator  # noqa: TC003 (looked up)
from typing import Any

import pytest
from prometheus_client import CollectorRegistry  # noqa: TC002 (beside what is looked up)

from mlmetrics import BoundCall, DeclarationError, MLMetrics, arg
from tests.recorded import absent, errors, in_progress, label_values, outcomes, samples, value


class Item:
    """What annotations that are strings name."""


DEFAULT = object()


def function(
    item: Item, /, limit: object = DEFAULT, *rest: int, flag: bool = True, **more: float
) -> tuple[object, ...]:
    """Return what came."""
    return item, limit, rest, flag, more


async def coroutine(item: Item, limit: object = DEFAULT, *, flag: bool = True) -> tuple[object, ...]:
    """Return what came."""
    return item, limit, flag


def generator(item: Item, limit: object = DEFAULT, *, flag: bool = True) -> Iterator[object]:
    """Yield what came."""
    yield from (item, limit, flag)


async def async_generator(item: Item, limit: object = DEFAULT, *, flag: bool = True) -> AsyncIterator[object]:
    """Yield what came."""
    for each in (item, limit, flag):
        yield each


@types.coroutine
def iterable_coroutine(item: Item, limit: object = DEFAULT) -> Generator[None, None, object]:
    """Give the event loop a turn."""
    yield
    return item, limit


KINDS: dict[str, Callable[..., Any]] = {
    each.__name__: each for each in (function, coroutine, generator, async_generator, iterable_coroutine)
}
DECORATORS: dict[str, Callable[[MLMetrics], Callable[[Any], Any]]] = {
    "fixed": lambda metrics: metrics.track_inference(model="m"),
    "argument": lambda metrics: metrics.track_inference(model=arg("item")),
    "computed": lambda metrics: metrics.track_inference(model=lambda call: call.arguments["item"]),
    "measured": lambda metrics: metrics.track_parsing(doc_type="m", size=arg("item"), accuracy=lambda result: None),
}


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own."""
    return MLMetrics(service="s", registry=registry)


@pytest.mark.parametrize("declared", DECORATORS)
@pytest.mark.parametrize("kind", KINDS)
class TestLooks:
    """What a wrapper shows."""

    def test_globals(self, metrics: MLMetrics, kind: str, declared: str) -> None:
        """Annotations that are strings are found in the wrapper's own globals, where FastAPI before 0.128 looks."""
        recorded: Any = DECORATORS[declared](metrics)(KINDS[kind])
        assert KINDS[kind].__globals__ is recorded.__globals__
        del recorded.__wrapped__
        assert Item is typing.get_type_hints(recorded)["item"]

    def test_parameters(self, metrics: MLMetrics, kind: str, declared: str) -> None:
        """Names, kinds and defaults of the parameters are the function's, the very objects."""
        original = KINDS[kind]
        recorded: Any = DECORATORS[declared](metrics)(original)
        assert inspect.getfullargspec(original) == inspect.getfullargspec(recorded)
        assert original.__defaults__ is recorded.__defaults__
        assert original.__kwdefaults__ is recorded.__kwdefaults__
        count = original.__code__.co_argcount + original.__code__.co_kwonlyargcount
        assert original.__code__.co_varnames[:count] == recorded.__code__.co_varnames[:count]
        del recorded.__wrapped__
        assert inspect.signature(original) == inspect.signature(recorded)

    def test_code(self, metrics: MLMetrics, kind: str, declared: str) -> None:
        """The wrapper's code is of the same kind, and refers to nothing global."""
        original = KINDS[kind]
        recorded: Any = DECORATORS[declared](metrics)(original)
        of_kind = (
            inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR | inspect.CO_ITERABLE_COROUTINE
        )
        gathering = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
        shown = of_kind | gathering
        assert original.__code__.co_flags & shown == recorded.__code__.co_flags & shown
        loads = [each.opname for each in dis.get_instructions(recorded)]
        named = [each for each in loads if each in ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL")]
        assert [] == named

    def test_wrong_arguments(self, registry: CollectorRegistry, metrics: MLMetrics, kind: str, declared: str) -> None:
        """Wrong arguments raise at the call, with the function's name, and are not counted as a call."""
        original = KINDS[kind]
        recorded: Any = DECORATORS[declared](metrics)(original)
        for args, kwargs in (((), {}), ((), {"limit": 3}), ((1, 2), {"limit": 3})):
            messages = []
            for call in (original, recorded):
                with pytest.raises(TypeError) as caught:
                    call(*args, **kwargs)
                messages.append(str(caught.value))
            assert messages[0] == messages[1]
            assert original.__name__ in messages[0]
        operation = "parsing" if declared == "measured" else "inference"
        assert {} == outcomes(registry, operation)
        if declared in ("argument", "computed"):
            assert absent(registry, "ml_inference_in_progress")
        else:
            assert 0 == in_progress(registry, operation)
        assert {} == errors(registry)


def made(source: str, **names: Any) -> Callable[..., Any]:
    """Return the function `f` of a source."""
    namespace: dict[str, Any] = dict(names)
    exec(source, namespace)  # noqa: S102 (names that only a text can have)
    function: Callable[..., Any] = namespace["f"]
    return function


def named(*names: str) -> Callable[..., Any]:
    """Return a function whose parameters have names that no source could give them."""
    function = made(f"def f({', '.join(f'p{place}' for place in range(len(names)))}): return {{'got': (p0, p1)}}")
    function.__code__ = function.__code__.replace(co_varnames=names)
    return function


STRANGE = {
    "template's own": ("series", "function"),
    "template's locals": ("start", "result"),
    "builtins": ("type", "len"),
    "underscores": ("_start", "__x"),
    "mangled": ("_C__x", "_C__y"),
    "placeholders": ("p1", "p0"),
    "keywords": ("class", "lambda"),
}


@pytest.mark.parametrize("declared", DECORATORS)
@pytest.mark.parametrize("names", STRANGE.values(), ids=STRANGE)
def test_parameters_of_any_name(
    registry: CollectorRegistry, metrics: MLMetrics, names: tuple[str, str], declared: str
) -> None:
    """A parameter may be named as anything in a wrapper is, or by a keyword, and is found by that name."""
    decorator = {
        "fixed": metrics.track_inference(model="m"),
        "argument": metrics.track_inference(model=arg(names[0])),
        "computed": metrics.track_inference(model=lambda call: call.args[0]),
        "measured": metrics.track_parsing(doc_type="m", size=arg(names[0]), accuracy=None),
    }[declared]
    recorded = decorator(named(*names))
    assert {"got": ("m", 2)} == recorded("m", 2)
    assert {"got": ("m", 2)} == recorded(**{names[0]: "m", names[1]: 2})
    operation = "parsing" if declared == "measured" else "inference"
    assert {"success": 2} == outcomes(registry, operation)
    assert (["m"] if operation == "inference" else []) == label_values(registry, "ml_inference_total", "model")
    sizes = [sample.value for sample in samples(registry, "file_processing_size_bytes_sum")]
    assert ([2] if declared == "measured" else []) == sizes
    assert {} == errors(registry)


@pytest.mark.parametrize("names", [(".0", ".start"), ("two words", "")], ids=str)
def test_parameters_without_a_name(registry: CollectorRegistry, metrics: MLMetrics, names: tuple[str, str]) -> None:
    """A parameter whose name is not an identifier, as in comprehensions, is passed too."""
    recorded = metrics.track_inference(model="m")(named(*names))
    assert {"got": (1, 2)} == recorded(1, 2)
    assert {"got": (1, 2)} == recorded(1, **{names[1]: 2})
    assert {"success": 2} == outcomes(registry)


def test_keyword_only_parameter_named_by_a_keyword(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """What is passed by keyword arrives under its own name."""
    function = made("def f(*, k, **more): return k, more")
    function.__code__ = function.__code__.replace(co_varnames=("class", "more"))
    function.__kwdefaults__ = {"class": 5}
    function.__code__ = function.__code__.replace(co_varnames=("class", "more"))
    recorded = metrics.track_inference(model=lambda call: str(call.arguments["class"]))(function)
    assert (5, {"k": 1}) == recorded(k=1)
    assert (3, {}) == recorded(**{"class": 3})
    assert ["5", "3"] == label_values(registry, "ml_inference_total", "model")


def test_locals_under_a_trace_function(metrics: MLMetrics) -> None:
    """A debugger that reads and writes back the locals of a wrapper does not mix them up with parameters."""
    recorded = metrics.track_inference(model="m")(named("start", "series"))
    seen = []

    def trace(frame: types.FrameType, event: str, argument: object) -> Any:
        seen.append(dict(frame.f_locals))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        result = recorded(1, 2)
    finally:
        sys.settrace(before)
    assert {"got": (1, 2)} == result
    assert any({"start": 1, "series": 2}.items() <= each.items() for each in seen)


def test_defaults_that_change_later(metrics: MLMetrics) -> None:
    """Who changes the defaults of a decorated function changes what its calls get."""
    recorded: Any = metrics.track_inference(model="m")(lambda a=1, *, b=2: (a, b))
    recorded.__defaults__ = (10,)
    recorded.__kwdefaults__["b"] = 20
    assert (10, 20) == recorded()


class TestArguments:
    """Where labels and sizes find an argument."""

    @pytest.mark.parametrize("call", [lambda f: f("own", x="other"), lambda f: f("own")])
    def test_positional_only_beside_keywords(
        self, registry: CollectorRegistry, metrics: MLMetrics, call: Callable[[Any], Any]
    ) -> None:
        """`arg("x")` of `def f(x, /, **kw)` is `x`, not what `**kw` has under this name."""
        call(metrics.track_inference(model=arg("x"))(made("def f(x, /, **kw): return kw")))
        assert ["own"] == label_values(registry, "ml_inference_total", "model")

    def test_positional_only_beneath_a_wrapper(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """`arg("x")` finds a positional-only parameter also if there is another decorator in between."""
        inner = made("def f(x, /, **kw): return kw")
        outer: Any = made("def f(*args, **kwargs): return inner(*args, **kwargs)", inner=inner)
        outer.__wrapped__ = inner
        metrics.track_inference(model=arg("x"))(outer)("own", x="other")
        assert ["own"] == label_values(registry, "ml_inference_total", "model")

    def test_a_wrapper_beneath_names_its_parameters_otherwise(
        self, registry: CollectorRegistry, metrics: MLMetrics
    ) -> None:
        """What a decorator beneath calls its parameters does not matter: the signature that it shows does."""
        outer: Any = made("def f(model, *rest): return model")
        outer.__wrapped__ = lambda prompt, model: prompt
        metrics.track_inference(model=arg("model"))(outer)("prompt", "the model")
        assert ["the model"] == label_values(registry, "ml_inference_total", "model")

    def test_size_of_an_argument_that_is_not_there(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A call without the argument that is to be measured records no size, and is counted once."""
        recorded = metrics.track_parsing(doc_type="d", size=arg("content"))(lambda **more: "text")
        recorded()
        assert absent(registry, "file_processing_size_bytes_count")
        assert {"size": 1} == errors(registry)
        recorded(content=b"abc")
        assert 3 == value(registry, "file_processing_size_bytes_sum")
        assert {"success": 2} == outcomes(registry, "parsing")

    def test_what_a_computed_label_sees(self, metrics: MLMetrics) -> None:
        """`args` and `kwargs` are those of `inspect.BoundArguments`, and can be passed on."""
        seen = []

        def see(call: BoundCall) -> str:
            seen.append(call)
            return "m"

        recorded = metrics.track_inference(model=see)(lambda a, b=2, *c, d=4, **e: 0)
        recorded(1, d=3, f=5)
        recorded(b=1, a=0)
        recorded(1, 2, 3)
        assert [((1, 2), {"d": 3, "f": 5}), ((0, 1), {"d": 4}), ((1, 2, 3), {"d": 4})] == [
            (call.args, dict(call.kwargs)) for call in seen
        ]
        assert {"a": 1, "b": 2, "c": (), "d": 3, "e": {"f": 5}} == seen[0].arguments

    @pytest.mark.parametrize(
        "declare",
        [
            lambda metrics, read: metrics.track_inference(model=read)(lambda: None),
            lambda metrics, read: metrics.track_inference(usage=read)(lambda: None),
            lambda metrics, read: metrics.track_parsing(accuracy=read)(lambda: None),
            lambda metrics, read: metrics.track_parsing(size=read)(lambda content: None),
            lambda metrics, read: metrics.track_matching(score=read)(lambda: None),
        ],
        ids=["model", "usage", "accuracy", "size", "score"],
    )
    @pytest.mark.parametrize("read", [lambda: None, lambda one, two: None, lambda one, *, two: None])
    def test_functions_that_take_something_else(
        self, metrics: MLMetrics, declare: Callable[..., Any], read: Callable[..., Any]
    ) -> None:
        """A function of a label or a reader that takes none or two is refused when it is declared."""
        with pytest.raises(DeclarationError, match="expected a function of one argument"):
            declare(metrics, read)


@pytest.mark.parametrize("holder", ["partial", "bound method", "object", "partial of a method"])
def test_wrong_arguments_of_what_holds_a_coroutine_function(
    registry: CollectorRegistry, metrics: MLMetrics, holder: str
) -> None:
    """A partial, a bound method or an object refuses wrong arguments at the call, too."""

    class Model:
        async def ask(self, first: int, second: int) -> int:
            return first + second

        __call__ = ask

    async def ask(first: int, second: int) -> int:
        return first + second

    target: Any = {
        "partial": functools.partial(ask, 1),
        "bound method": Model().ask,
        "object": Model(),
        "partial of a method": functools.partial(Model().ask, 1),
    }[holder]
    recorded = metrics.track_inference(model=arg("second"))(target)
    with pytest.raises(TypeError, match="ask"):
        recorded()
    assert {} == outcomes(registry)
    assert 3 == asyncio.run(recorded(2) if "partial" in holder else recorded(1, 2))
    assert {"success": 1} == outcomes(registry)
    assert inspect.iscoroutinefunction(recorded.__call__)


def marked_function(ran: list[int]) -> Callable[[int], Awaitable[int]]:
    """Return a function that makes a coroutine, and says that it is a coroutine function."""

    async def answer(number: int) -> int:
        return number

    def marked(number: int) -> Awaitable[int]:
        ran.append(number)
        return answer(number)

    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(marked)
    marked._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # how it is said before 3.12
    return marked


def test_marked_coroutine_function(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A function that is only marked as a coroutine function runs when it is called, and stays marked."""
    ran: list[int] = []
    marked = marked_function(ran)
    recorded = metrics.track_inference(model="m")(marked)
    for asks in (inspect.iscoroutinefunction, asyncio.iscoroutinefunction):
        assert asks(marked) == asks(recorded)
    coroutine: Any = recorded(3)
    assert [3] == ran
    assert 3 == asyncio.run(coroutine)
    assert {"success": 1} == outcomes(registry)


class TestDepth:
    """Recursion of a recorded function."""

    @pytest.mark.parametrize("declared", ["fixed", "computed"])
    @pytest.mark.parametrize("kind", ["function", "gathering", "coroutine", "generator", "async generator"])
    def test_reaches_half_of_the_bare_depth(self, metrics: MLMetrics, kind: str, declared: str) -> None:
        """A recorded function that calls itself gets at least 45 % as deep as the bare one."""
        decorate = metrics.track_inference(model="m" if declared == "fixed" else lambda call: "m")
        assert 0.45 * self.depth(lambda function: function, kind) <= self.depth(decorate, kind)

    def depth(self, decorate: Callable[[Any], Any], kind: str) -> int:
        """Return how deep a function of a kind gets."""
        entered: list[None] = []

        def function(number: int = 0) -> None:
            entered.append(None)
            bodies[kind](number)

        def gathering(*args: object, **kwargs: object) -> None:
            entered.append(None)
            bodies[kind](*args, **kwargs)

        async def coroutine(number: int = 0) -> None:
            entered.append(None)
            await bodies[kind](number)

        def generator(number: int = 0) -> Iterator[int]:
            entered.append(None)
            yield from bodies[kind](number)

        async def async_generator(number: int = 0) -> AsyncIterator[int]:
            entered.append(None)
            async for each in bodies[kind](number):
                yield each

        each = (function, gathering, coroutine, generator, async_generator)
        bodies: dict[str, Any] = {body.__name__.replace("_", " "): decorate(body) for body in each}
        begin: dict[str, Callable[[Any], object]] = {
            "coroutine": lambda call: call.send(None),
            "generator": next,
            "async generator": lambda call: call.asend(None).send(None),
        }
        with pytest.raises(RecursionError):
            begin.get(kind, lambda result: result)(bodies[kind]())
        return len(entered)


def test_generator_of_a_module_with_annotations_that_are_strings(
    registry: CollectorRegistry, metrics: MLMetrics
) -> None:
    """The flag of this module in the code of a generator that is returned does not make a coroutine of it."""
    stream = metrics.track_inference(model="m")(lambda: generator(Item()))()
    assert 0 == in_progress(registry)
    next(stream)
    assert [DEFAULT, True] == list(stream)
    assert 1 == value(registry, "ml_inference_first_chunk_seconds_count")
    assert {"success": 1} == outcomes(registry)
