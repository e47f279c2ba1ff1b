"""`current_call`: code within a decorated function, of whatever kind, reaches its call."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY, CollectorRegistry

from mlmetrics import MLMetrics, arg, current_call
from tests.conftest import Clock
from tests.recorded import errors, in_progress, outcomes, samples, value


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> MLMetrics:
    """Return a toolkit on a registry and a clock of its own."""
    return MLMetrics(service="s", registry=registry, clock=clock)


def kind_of(value: object) -> str:
    """Return the name of its class."""
    return type(value).__name__


def refuse() -> None:
    """Say that the call has failed, as a function further in does."""
    current_call().fail("refused")


def error_types(registry: CollectorRegistry) -> dict[str, float]:
    """Return the failures by error type."""
    found = samples(registry, "ml_inference_errors_total")
    return {each.labels["error_type"]: each.value for each in found}


class TestVerdict:
    """`fail` and `cancel` of the call."""

    @pytest.mark.parametrize("model", ["m", arg("model")], ids=["fixed", "of an argument"])
    def test_function(self, registry: CollectorRegistry, metrics: MLMetrics, model: Any) -> None:
        """A function says that it has failed, though it returns; the next call is a success again."""

        @metrics.track_inference(model=model)
        def ask(wrong: object, model: str = "m") -> Any:
            if wrong:
                refuse()
            return "answer"

        assert ["answer"] * 3 == [ask(wrong=wrong) for wrong in (False, True, False)]
        assert {"success": 2, "failure": 1} == outcomes(registry)
        assert {"refused": 1} == error_types(registry)
        assert 0 == in_progress(registry)

    @pytest.mark.parametrize("result", [None, 1, "text", {}, object()], ids=kind_of)
    def test_any_result(self, registry: CollectorRegistry, metrics: MLMetrics, result: object) -> None:
        """It does not matter what is returned."""

        @metrics.track_inference(model="m")
        def ask() -> Any:
            refuse()
            return result

        assert result is ask()
        assert {"failure": 1} == outcomes(registry)

    def test_function_that_raises(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """What was said counts before what is raised, and the exception goes on."""

        @metrics.track_inference(model="m")
        def ask() -> Any:
            current_call().cancel()
            raise TimeoutError

        with pytest.raises(TimeoutError):
            ask()
        assert {"cancelled": 1} == outcomes(registry)
        assert 0 == in_progress(registry)

    def test_coroutines_at_once(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Of several that run at once, each says it of itself, and the others are not asked."""

        @metrics.track_inference(model="m")
        async def ask(wrong: object) -> Any:
            await asyncio.sleep(0)
            if wrong:
                refuse()
            await asyncio.sleep(0)

        async def all_of_them() -> Any:
            await asyncio.gather(*(ask(wrong=number % 3 == 0) for number in range(9)))

        asyncio.run(all_of_them())
        assert {"failure": 3, "success": 6} == outcomes(registry)

    def test_threads_at_once(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Threads that say different things of calls of one function do not disturb each other."""
        together = threading.Barrier(8)

        @metrics.track_inference(model="m")
        def ask(wrong: object) -> Any:
            together.wait()
            if wrong:
                refuse()
            together.wait()

        threads = [threading.Thread(target=ask, args=(number % 2,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {"failure": 4, "success": 4} == outcomes(registry)

    def test_streams(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Generators, async generators, and generators that a function returns."""

        def chunks() -> Iterator[Any]:
            yield 1
            refuse()
            yield 2

        async def async_chunks() -> AsyncIterator[Any]:
            yield 1
            refuse()
            yield 2

        async def drain(stream: Any) -> Any:
            return [chunk async for chunk in stream]

        assert [1, 2] == list(metrics.track_inference(model="m")(chunks)())
        assert [1, 2] == list(metrics.track_inference(model="m")(lambda: chunks())())  # noqa: PLW0108 (a plain function)
        assert [1, 2] == asyncio.run(drain(metrics.track_inference(model="m")(async_chunks)()))
        assert [1, 2] == asyncio.run(drain(metrics.track_inference(model="m")(lambda: async_chunks())()))  # noqa: PLW0108 (as above)
        assert {"failure": 4} == outcomes(registry)

    def test_said_before_a_stream_is_returned(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """What the function says goes with the stream that it returns."""

        @metrics.track_inference(model="m")
        def ask() -> Any:
            refuse()
            return iter_of(1, 2)

        assert [1, 2] == list(ask())
        assert {"failure": 1} == outcomes(registry)

    def test_innermost(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Of two decorated functions, the inner one is reached from within it, and the outer one before and after."""

        @metrics.track_inference(model="inner")
        def inner() -> Any:
            refuse()

        @metrics.track_inference(model="outer")
        def outer() -> Any:
            inner()

        outer()
        assert {"failure": 1} == outcomes(registry, model="inner")
        assert {"success": 1} == outcomes(registry, model="outer")

    def test_other_kinds(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Methods, class and static methods, and objects that can be called."""

        class Model:
            @metrics.track_inference(model="m")
            def ask(self) -> Any:
                refuse()

            @metrics.track_inference(model="m")
            @staticmethod
            def static() -> Any:
                refuse()

            @metrics.track_inference(model="m")
            @classmethod
            def of_class(cls) -> Any:
                refuse()

            def __call__(self) -> Any:
                refuse()

        model = Model()
        for called in (model.ask, model.static, model.of_class, metrics.track_inference(model="m")(model)):
            called()
        assert {"failure": 4} == outcomes(registry)


def iter_of(*chunks: object) -> Iterator[Any]:
    """Yield chunks."""
    yield from chunks


class TestMeasures:
    """The other methods of the call."""

    def test_all(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """They record as those of a timer do, and tokens that are told are not read from the result as well."""

        @metrics.track_inference(model="m")
        def ask() -> Any:
            call = current_call()
            clock.advance(2)
            call.tokens(input=3, output=4)
            call.cost(0.5)
            call.score(0.5)
            call.predicted("spam")
            call.batch(8)
            call.queued(1)
            assert 2 == call.duration
            return {"choices": [{"message": {}}], "usage": {"prompt_tokens": 100, "completion_tokens": 100}}

        ask()
        assert 7 == value(registry, "ml_inference_tokens_total")
        assert 0.5 == value(registry, "ml_inference_cost_usd_total")
        assert 0.5 == value(registry, "ml_inference_score_sum")
        assert 8 == value(registry, "ml_inference_batch_size_sum")
        assert 1 == value(registry, "ml_inference_queue_duration_seconds_sum")
        assert {"success": 1} == outcomes(registry)
        assert {} == errors(registry)

    def test_outside(self) -> None:
        """Outside of any call nothing is recorded but that it was tried."""
        call = current_call()
        before = errors(REGISTRY).get("current_call", 0)
        call.fail()
        call.tokens(input=3)
        call.label(model="m")
        assert 0 == call.duration
        assert before + 3 == errors(REGISTRY)["current_call"]

    def test_another_thread(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A thread that a decorated function starts runs no call."""

        @metrics.track_inference(model="m")
        def ask() -> Any:
            thread = threading.Thread(target=refuse)
            thread.start()
            thread.join()

        ask()
        assert {"success": 1} == outcomes(registry)
