"""Decorators on what binds by itself: its own `__get__` and `__set_name__` are called, what it gives is recorded."""

# mypy: allow-untyped-calls, allow-untyped-decorators
# What binds by itself is more than the types of a decorator promise.

import asyncio
import functools
import inspect
import types
from collections.abc import Callable
from typing import Any

import pytest
import wrapt
from prometheus_client import CollectorRegistry

from mlmetrics import DeclarationError, MLMetrics, arg
from tests.recorded import errors, label_values, outcomes, value


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own."""
    return MLMetrics(service="s", registry=registry)


def seeing(seen: list[Any]) -> Any:
    """Return a wrapt decorator that notes the instance that it is called for."""

    @wrapt.decorator
    def note(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        seen.append(instance)
        return wrapped(*args, **kwargs)

    return note


def untyped(decorator: Any) -> Any:
    """Return the decorator: its types promise only what can be called before it is bound."""
    return decorator


class TestWrapt:
    """Over a decorator made by wrapt, which says that it is the function beneath it."""

    def test_method(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """It sees the instance, or none when it is called by way of the class, as it does undecorated."""
        seen: list[Any] = []

        class Model:
            @metrics.track_inference(model=arg("name"))
            @seeing(seen)
            def ask(self, text: str, name: str = "default") -> str:
                return text

        model = Model()
        assert "a" == model.ask("a", "named")
        assert "b" == Model.ask(model, "b")
        assert [model, model] == seen
        assert ["named", "default"] == label_values(registry, "ml_inference_total", "model")
        assert {"success": 2} == outcomes(registry)

    def test_class_and_static_methods(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Class methods see their class, static methods nothing."""
        seen: list[Any] = []
        track = metrics.track_inference(model="m")

        class Model:
            @track
            @seeing(seen)
            @classmethod
            def build(cls, number: int) -> tuple[type, int]:
                return cls, number

            @track
            @seeing(seen)
            @staticmethod
            def double(number: int) -> int:
                return 2 * number

        assert (Model, 1) == Model.build(1) == Model().build(1)
        assert 4 == Model.double(2) == Model().double(2)
        assert [Model, Model, None, None] == seen
        assert {"success": 4} == outcomes(registry)

    def test_function_and_coroutine(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Functions are recorded too, and coroutine functions still say that they are."""
        seen: list[Any] = []

        @metrics.track_inference(model="m")
        @seeing(seen)
        async def ask(number: int) -> int:
            return number

        assert inspect.iscoroutinefunction(ask)
        assert 3 == asyncio.run(ask(3))
        assert [None] == seen
        assert {"success": 1} == outcomes(registry)

    def test_size_of_the_first_argument(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The argument after `self` is measured."""

        class Parser:
            @metrics.track_parsing(doc_type="d", size=len)
            @seeing([])
            def parse(self, content: bytes) -> None:
                """Do nothing."""

        Parser().parse(b"abc")
        assert 3 == value(registry, "file_processing_size_bytes_sum")
        assert {} == errors(registry)


class TestOfFunctools:
    """Over the descriptors of functools that cannot be called before they are bound."""

    def test_partial_method(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A partial method is one, named as its function."""

        class Model:
            def ask(self, text: str, name: str) -> tuple[Any, str, str]:
                return self, text, name

            fixed: Any = metrics.track_inference(untyped(functools.partialmethod(ask, "hello")))
            found: Any = untyped(metrics.track_inference(model=arg("name")))(functools.partialmethod(ask, name="bound"))

        model = Model()
        assert (model, "hello", "x") == model.fixed("x") == Model.fixed(model, "x")
        assert (model, "hi", "bound") == model.found("hi")
        assert ["ask", "bound"] == label_values(registry, "ml_inference_total", "model")
        assert {"success": 3} == outcomes(registry)
        assert {} == errors(registry)

    def test_single_dispatch_method(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A single-dispatch method still dispatches and takes registrations; arguments are counted without `self`."""

        class Parser:
            @untyped(metrics.track_parsing(doc_type=arg("kind"), size=arg("content")))
            @functools.singledispatchmethod
            def parse(self, content: Any, kind: str) -> tuple[Any, str]:
                return self, "any"

            @parse.register
            def _(self, content: bytes, kind: str) -> tuple[Any, str]:
                return self, "bytes"

        parser = Parser()
        assert (parser, "any") == parser.parse("text", "pdf")
        assert (parser, "bytes") == parser.parse(b"abc", "pdf")
        assert ["pdf"] == label_values(registry, "ml_parsing_total", "doc_type")
        assert 7 == value(registry, "file_processing_size_bytes_sum")
        assert {"success": 2} == outcomes(registry, "parsing")

    def test_mistakes_are_found_when_decorating(self, metrics: MLMetrics) -> None:
        """What a partial method's function does not have is refused before anybody binds it."""

        def ask(self: Any, text: str) -> None:
            """Do nothing."""

        with pytest.raises(DeclarationError, match="no such parameter; it has self, text"):
            untyped(metrics.track_inference(model=arg("nothing")))(functools.partialmethod(ask))

    @pytest.mark.parametrize("kind", [property, functools.cached_property])
    def test_computed_attributes_are_refused(self, metrics: MLMetrics, kind: Any) -> None:
        """What gives a value, not something to call, is refused with what to do."""
        with pytest.raises(DeclarationError, match="cannot decorate"):
            metrics.track_inference(model="m")(kind(lambda self: 1))


class Descriptor:
    """Binds as it likes: for a class, something else than for an instance."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.named: list[Any] = []

    def __set_name__(self, owner: type, name: str) -> None:
        self.named.append((owner, name))

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return lambda *args: ("class", owner, *args)
        return types.MethodType(self.function, instance)


class CallableDescriptor(Descriptor):
    """The same, which can be called unbound too."""

    def __call__(self, *args: Any) -> Any:
        """Call the function."""
        return self.function(*args)


@pytest.mark.parametrize("kind", [Descriptor, CallableDescriptor])
def test_descriptors_of_ones_own(registry: CollectorRegistry, metrics: MLMetrics, kind: type[Descriptor]) -> None:
    """`__get__(instance, owner)`, `__get__(None, owner)` and `__set_name__` are the descriptor's own."""

    def run(self: Any, number: int) -> tuple[str, Any, int]:
        return "instance", self, number

    descriptor = kind(run)

    class Holder:
        recorded = untyped(metrics.track_inference(model="m"))(descriptor)

    holder: Any = Holder()
    assert [(Holder, "recorded")] == descriptor.named
    assert ("instance", holder, 3) == holder.recorded(3)
    assert ("class", Holder, 3) == Holder.recorded(3)
    assert {"success": 2} == outcomes(registry)
    assert {} == errors(registry)


def test_descriptor_that_gives_what_cannot_be_called(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """What a descriptor gives and cannot be called is given as it is."""

    class Constant:
        def __get__(self, instance: Any, owner: type | None = None) -> int:
            return 5

    class Holder:
        number = untyped(metrics.track_inference(model="m"))(Constant())

    assert 5 == Holder().number
    assert {} == outcomes(registry)


def test_descriptor_that_cannot_be_recorded(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """What a descriptor gives reaches its user though no argument can be found in it; that is counted."""

    class Holder:
        recorded: Any = untyped(metrics.track_inference(model=arg("nothing")))(Descriptor(lambda self, number: number))

    assert 3 == Holder().recorded(3)
    assert {} == outcomes(registry)
    assert {"decorator": 1} == errors(registry)
