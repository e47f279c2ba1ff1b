"""Loads of models: `model_load_timer` and `track_model_load`."""

import asyncio
import os

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics, RegistrationError
from tests.conftest import Clock
from tests.recorded import absent, errors, label_values, outcomes, samples, value

LOADS, SECONDS, INFO = "ml_model_load_total", "ml_model_load_duration_seconds", "ml_model_info"


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> MLMetrics:
    """Return a toolkit on a registry and a clock of its own."""
    return MLMetrics(service="s", registry=registry, clock=clock)


def loads(registry: CollectorRegistry, **labels: str) -> dict[str, float]:
    """Return the loads by outcome."""
    return {each.labels["outcome"]: each.value for each in samples(registry, LOADS, **labels)}


class TestModelLoadTimer:
    """`model_load_timer` records a block that loads a model."""

    def test_declaration(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """All outcomes stand at 0 before the model is loaded, and no version is."""
        metrics.model_load_timer("bge-small", version="1")
        assert {"success": 0, "failure": 0, "cancelled": 0} == loads(registry, model="bge-small", service="s")
        assert absent(registry, INFO)
        assert absent(registry, SECONDS)

    def test_success(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """Its seconds and its version are recorded, and it has its duration, before and after its end."""
        with metrics.model_load_timer("bge-small", "1", service="other") as load:
            clock.advance(2)
            assert 2 == load.duration
            clock.advance(1)
        clock.advance(9)
        assert 3 == load.duration
        assert {"success": 1, "failure": 0, "cancelled": 0} == loads(registry)
        assert 3 == value(registry, SECONDS, model="bge-small", service="other")
        assert 1 == value(registry, INFO, model="bge-small", version="1")

    @pytest.mark.parametrize(
        ("error", "outcome"),
        [
            (OSError, "failure"),
            (KeyboardInterrupt, "failure"),
            (asyncio.CancelledError, "cancelled"),
            (GeneratorExit, "cancelled"),
        ],
    )
    def test_load_that_raises(
        self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, error: type[BaseException], outcome: str
    ) -> None:
        """The exception goes on; what was loaded before stays as it is."""
        metrics.track_model_load("bge-small", 7.0)

        def load() -> None:
            with metrics.model_load_timer("bge-small"):
                clock.advance(3)
                raise error

        with pytest.raises(error):
            load()
        assert {"success": 1, "failure": 0, "cancelled": 0} | {outcome: 1} == loads(registry)
        assert 7 == value(registry, SECONDS)
        assert [""] == label_values(registry, INFO, "version")

    def test_async_block(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """Of a coroutine too, which may be cancelled."""

        async def load() -> None:
            async with metrics.model_load_timer("bge-small") as load:
                clock.advance(3)
                await asyncio.sleep(0)
                assert 3 == load.duration

        async def both() -> None:
            await load()
            task = asyncio.create_task(load())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(both())
        assert {"success": 1, "failure": 0, "cancelled": 1} == loads(registry)

    def test_again(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """One timer may be entered again: each is a load, and the last one has the duration."""
        timer = metrics.model_load_timer("bge-small")
        for seconds in (2, 5):
            with timer:
                clock.advance(seconds)
        assert 2 == loads(registry)["success"]
        assert 5 == value(registry, SECONDS)
        assert 5 == timer.duration

    def test_never_entered(self, metrics: MLMetrics) -> None:
        """A timer that was not entered has taken no time."""
        assert 0 == metrics.model_load_timer("bge-small").duration

    def test_forked_within(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A child that leaves the block of its parent records nothing of it."""
        status = -1
        with metrics.model_load_timer("bge-small"):
            child = os.fork()
            if child:
                _, status = os.waitpid(child, 0)
        if not child:
            os._exit(sum(loads(registry).values()) != 0)
        assert 0 == os.waitstatus_to_exitcode(status)
        assert {"success": 1, "failure": 0, "cancelled": 0} == loads(registry)

    def test_label_that_is_no_text(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A model that is no text is unknown, and counted as a mistake; the block runs."""
        with metrics.model_load_timer(["bge"]):  # type: ignore[arg-type]
            pass
        assert ["unknown"] == label_values(registry, LOADS, "model")
        assert {"label.model": 1} == errors(registry)

    def test_registry_with_such_a_name(self, registry: CollectorRegistry) -> None:
        """A registry that has such a metric of somebody else refuses the declaration, as of everything else."""
        MLMetrics(registry=registry)
        from prometheus_client import Counter  # noqa: PLC0415 (of this test)

        Counter("ml_model_load", "Somebody else's.", registry=registry)
        with pytest.raises(RegistrationError):
            MLMetrics(registry=registry).model_load_timer("bge-small")


class TestTrackModelLoad:
    """`track_model_load` records a load that has been measured."""

    def test_counts_a_success(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """It is a success, whatever its duration is; the other outcomes stand at 0."""
        metrics.track_model_load("bge-small", 1.5, "2")
        metrics.track_model_load("bge-small", -1, "2")
        assert {"success": 2, "failure": 0, "cancelled": 0} == loads(registry)
        assert 1.5 == value(registry, SECONDS)
        assert {"duration": 1} == errors(registry)


class TestAgents:
    """`track_tool`, `track_agent` and their timers, beside the contract that all decorators keep."""

    def test_labels(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The function's name by default, and `default` of a timer."""

        @metrics.track_tool
        def search(query: str) -> list[str]:
            return query.split()

        @metrics.track_agent(agent=lambda call: call.arguments["task"])
        def plan(task: str) -> list[str]:
            return search(task)

        assert ["to", "be"] == plan("to be")
        with metrics.tool_timer(), metrics.agent_timer(agent="planner", service="other"):
            pass
        assert ["search", "default"] == label_values(registry, "ml_tool_total", "tool")
        assert ["to be", "planner"] == label_values(registry, "ml_agent_total", "agent")
        assert {"success": 1} == outcomes(registry, "agent", service="other")

    def test_failure(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A tool that returns its error has failed."""

        @metrics.track_tool(tool="search", failure=lambda result: result.get("error"))
        def search() -> dict[str, str]:
            return {"error": "none"}

        assert {"error": "none"} == search()
        assert 1 == value(registry, "ml_tool_errors_total", error_type="none")
