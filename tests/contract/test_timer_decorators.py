"""A timer as a decorator: every run of the function is a call of its own, by the wrapper of the operation's decorator.

All kinds of functions and all their endings are gone through in `test_matrix`, where one operation is decorated so.
"""

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import DeclarationError, MLMetrics, current_call
from mlmetrics.calls.timers import Timer
from tests.conftest import Clock
from tests.contract.kinds import Pause
from tests.recorded import absent, in_progress, outcomes, samples, value

DURATION = "ml_inference_duration_seconds"


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> MLMetrics:
    """Return a toolkit on a registry and a clock of its own."""
    return MLMetrics(service="s", registry=registry, clock=clock)


class TestTimer:
    """Timers of calls."""

    def test_each_run_is_a_call(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """Runs have their own duration and outcome, and the function keeps its name, documentation and signature."""

        @metrics.inference_timer(model="m", operation="chat", service="other")
        def ask(seconds: float, *, wrong: bool = False) -> float:
            """Take so many seconds."""
            clock.advance(seconds)
            if wrong:
                raise TimeoutError
            return seconds

        assert [1, 2] == [ask(1), ask(2)]
        with pytest.raises(TimeoutError):
            ask(4, wrong=True)
        assert {"success": 2, "failure": 1} == outcomes(registry, model="m", service="other")
        assert 7 == value(registry, f"{DURATION}_sum", model="m", service="other")
        assert ("ask", "Take so many seconds.") == (ask.__name__, ask.__doc__)
        assert "(seconds: float, *, wrong: bool = False) -> float" == str(inspect.signature(ask))
        with pytest.raises(TypeError, match="ask"):
            ask()  # type: ignore[call-arg]  # that is what is tried

    def test_kinds(self, metrics: MLMetrics) -> None:
        """A coroutine function, a generator function and an async generator function stay what they are."""
        timer = metrics.inference_timer(model="m")

        async def coroutine() -> None:
            """Do nothing."""

        def generator() -> Iterator[int]:
            yield 1

        async def async_generator() -> AsyncIterator[int]:
            yield 1

        assert inspect.iscoroutinefunction(timer(coroutine))
        assert inspect.isgeneratorfunction(timer(generator))
        assert inspect.isasyncgenfunction(timer(async_generator))

    def test_stream(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """A generator is one call, to its end, with its first chunk and its gaps."""

        @metrics.inference_timer(model="m")
        def stream() -> Iterator[int]:
            for number in range(3):
                clock.advance(1)
                yield number

        assert [0, 1, 2] == list(stream())
        assert {"success": 1} == outcomes(registry)
        assert 3 == value(registry, f"{DURATION}_sum")
        assert 1 == value(registry, "ml_inference_first_chunk_seconds_sum")
        assert 2 == value(registry, "ml_inference_chunk_interval_seconds_count")

    def test_recursion(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """A function that calls itself is a call for each of its runs."""

        @metrics.inference_timer(model="m")
        def down(depth: int) -> int:
            clock.advance(1)
            return depth if depth == 0 else down(depth - 1)

        assert 0 == down(3)
        assert {"success": 4} == outcomes(registry)
        assert 1 + 2 + 3 + 4 == value(registry, f"{DURATION}_sum")

    def test_threads_and_tasks(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Threads and tasks at once do not disturb each other."""
        together = threading.Barrier(8)

        @metrics.inference_timer(model="m")
        def ask(number: int) -> None:
            together.wait()
            if number % 2:
                current_call().fail("odd")
            together.wait()

        @metrics.inference_timer(model="m")
        async def ask_later(number: int) -> None:
            await Pause()
            if number % 2:
                current_call().fail("odd")
            await Pause()

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        async def run() -> None:
            await asyncio.gather(*map(ask_later, range(8)))

        asyncio.run(run())
        assert {"success": 8, "failure": 8} == outcomes(registry)
        assert 0 == in_progress(registry)

    def test_block_and_decorator(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """One timer may be both, also at the same time."""
        timer = metrics.inference_timer(model="m")

        @timer
        def ask() -> None:
            assert 2 == in_progress(registry)

        with timer as call:
            ask()
            call.fail("block")
        ask_again = timer(ask)
        assert callable(ask_again)
        assert {"success": 1, "failure": 1} == outcomes(registry)

    def test_nothing_is_read_from_the_result(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """As of a block, what the function returns is not looked at; its code says what there is to say."""

        @metrics.parsing_timer(doc_type="pdf")
        def parse() -> dict[str, float]:
            current_call().score(0.25)
            return {"confidence": 0.5}

        @metrics.inference_timer(model="m")
        def ask() -> dict[str, Any]:
            return {"choices": [{"message": {}}], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}

        parse()
        ask()
        assert 0.25 == value(registry, "parsing_accuracy_score_sum")
        assert absent(registry, "ml_inference_tokens_total")

    def test_methods(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Methods of every kind, with the timers of all operations."""
        own = metrics.operation("retrieval", labelnames=("index",))

        class Model:
            @metrics.tool_timer(tool="t")
            def ask(self) -> object:
                return self

            @metrics.agent_timer(agent="a")
            @classmethod
            def of_class(cls) -> object:
                return cls

            @metrics.matching_timer(matcher="m")
            @staticmethod
            def static() -> int:
                return 1

            @own.timer(index="docs")
            def find(self) -> int:
                return 2

        model = Model()
        assert [model, Model, 1, 2] == [model.ask(), model.of_class(), model.static(), model.find()]
        for operation in ("tool", "agent", "matching", "retrieval"):
            assert {"success": 1} == outcomes(registry, operation)

    @pytest.mark.parametrize("target", [3, None, dict])
    def test_refused(self, metrics: MLMetrics, target: Any) -> None:
        """What cannot be called, and a class, are refused when they are decorated."""
        with pytest.raises(DeclarationError, match="cannot decorate"):
            metrics.inference_timer(model="m")(target)

    def test_made_no_larger(self, metrics: MLMetrics) -> None:
        """The timer itself has nothing more for this."""
        assert ("_entries",) == Timer.__slots__


class TestModelLoadTimer:
    """The timer of loads."""

    def test_runs(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """Each run of a function, or of a coroutine function, is a load."""
        load = metrics.model_load_timer("m", version="1")

        @load
        def read(seconds: float) -> float:
            clock.advance(seconds)
            return seconds

        @load
        async def read_later(seconds: float) -> None:
            await Pause()
            clock.advance(seconds)
            raise TimeoutError

        assert 2 == read(2)
        with pytest.raises(TimeoutError):
            asyncio.run(read_later(4))
        assert inspect.iscoroutinefunction(read_later)
        assert 2 == value(registry, "ml_model_load_duration_seconds")
        counts = {each.labels["outcome"]: each.value for each in samples(registry, "ml_model_load_total")}
        assert {"success": 1, "failure": 1, "cancelled": 0} == counts

    def test_refused(self, metrics: MLMetrics) -> None:
        """A generator function loads nothing by being called."""

        def generator() -> Iterator[int]:
            yield 1

        with pytest.raises(DeclarationError, match="expected a function or a coroutine function"):
            metrics.model_load_timer("m")(generator)
