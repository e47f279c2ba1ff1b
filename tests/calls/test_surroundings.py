"""What surrounds a call: lookups, fallbacks, guardrails, why an answer ended, attempts, limits, and waiting."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY, CollectorRegistry

from mlmetrics import MLMetrics, current_call
from mlmetrics.calls.call import Call
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.stored import calls_of
from mlmetrics.calls.surroundings import record_attempt, record_limits
from mlmetrics.catalog import SHIPPED
from mlmetrics.catalog.surroundings import REASONS
from tests.conftest import Clock
from tests.interruption import Interruption, points
from tests.recorded import absent, errors, in_progress, outcomes, samples, value

LOOKUPS = "ml_inference_cache_lookups_total"
FALLBACKS, EXHAUSTED = "ml_inference_fallbacks_total", "ml_inference_fallbacks_exhausted_total"
BLOCKS, FINISHES = "ml_inference_guardrail_blocks_total", "ml_inference_finish_reasons_total"
ATTEMPTS, RETRIES = "ml_inference_attempt_errors_total", "ml_inference_retries_total"
LIMIT, REMAINING = "ml_inference_rate_limit", "ml_inference_rate_limit_remaining"
LENGTH = "ml_inference_completion_tokens"
WAITING, WAITED = "ml_inference_waiting", "ml_inference_queue_duration_seconds"


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> MLMetrics:
    """Return a toolkit on a registry and a clock of its own."""
    return MLMetrics(service="s", registry=registry, clock=clock)


def in_timer(metrics: MLMetrics, say: Callable[[Call], Any]) -> None:
    """Say something of the call of a timer."""
    with metrics.inference_timer(model="m") as call:
        say(call)


def in_function(metrics: MLMetrics, say: Callable[[Call], Any]) -> None:
    """Say something of the call of a decorated function."""
    metrics.track_inference(model="m")(lambda: say(current_call()) and None)()


def in_stream(metrics: MLMetrics, say: Callable[[Call], Any]) -> None:
    """Say something of the call of a decorated generator."""

    def words() -> Any:
        say(current_call())
        yield "to be"

    list(metrics.track_inference(model="m")(words)())


@pytest.fixture(params=[in_timer, in_function, in_stream])
def within(request: pytest.FixtureRequest) -> Callable[[MLMetrics, Callable[[Call], Any]], None]:
    """Return what runs a call, and has something said of it."""
    return request.param  # type: ignore[no-any-return]  # pytest does not know what its parameters are


Within = Callable[[MLMetrics, Callable[[Call], Any]], None]


def series_of(metrics: MLMetrics, operation: str = "inference", *labels: str) -> CallSeries:
    """Return a series of calls, as an SDK that is instrumented has it."""
    return calls_of(metrics.store, SHIPPED[operation]).series("s", labels or ("m", ""))


def by(registry: CollectorRegistry, name: str, label: str) -> dict[str, float]:
    """Return the samples of a metric by the values of a label."""
    return {each.labels[label]: each.value for each in samples(registry, name)}


class TestCached:
    """`cached` counts lookups."""

    def test_counts(self, registry: CollectorRegistry, metrics: MLMetrics, within: Within) -> None:
        """Both results stand at 0 from the first lookup on."""
        within(metrics, lambda call: call.cached(hit=True))
        assert {"hit": 1, "miss": 0} == by(registry, LOOKUPS, "result")
        within(metrics, lambda call: call.cached(hit=False))
        assert {"hit": 1, "miss": 1} == by(registry, LOOKUPS, "result")
        assert {} == errors(registry)

    def test_what_is_neither(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A value without a truth value is a mistake, and the call is untouched."""

        class Neither:
            def __bool__(self) -> bool:
                raise ValueError

        in_timer(metrics, lambda call: call.cached(Neither()))  # type: ignore[arg-type]
        assert {"cache": 1} == errors(registry)
        assert absent(registry, LOOKUPS)
        assert {"success": 1} == outcomes(registry)


class TestFellBack:
    """`fell_back` counts fallbacks, and at the end those that did not help."""

    def test_that_helps(self, registry: CollectorRegistry, metrics: MLMetrics, within: Within) -> None:
        """A call that succeeds after it fell back is counted by where it went on; none is exhausted."""
        within(metrics, lambda call: call.fell_back("haiku"))
        assert {"haiku": 1} == by(registry, FALLBACKS, "fallback")
        assert 0 == value(registry, EXHAUSTED)

    def test_that_does_not(self, registry: CollectorRegistry, metrics: MLMetrics, within: Within) -> None:
        """A call that raises after it fell back twice is exhausted, once."""

        def both(call: Call) -> None:
            call.fell_back("haiku")
            call.fell_back("mini")
            raise TimeoutError

        with pytest.raises(TimeoutError):
            within(metrics, both)
        assert {"haiku": 1, "mini": 1} == by(registry, FALLBACKS, "fallback")
        assert 1 == value(registry, EXHAUSTED)
        assert {"failure": 1} == outcomes(registry)

    def test_that_is_said_to_fail(self, registry: CollectorRegistry, metrics: MLMetrics, within: Within) -> None:
        """So is one of which the code says that it failed."""

        def both(call: Call) -> None:
            call.fell_back("haiku")
            call.fail("quota")

        within(metrics, both)
        assert 1 == value(registry, EXHAUSTED)

    def test_that_is_cancelled(self, registry: CollectorRegistry, metrics: MLMetrics, within: Within) -> None:
        """A call that is cancelled has not failed."""

        def left(call: Call) -> None:
            call.fell_back("haiku")
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            within(metrics, left)
        assert 0 == value(registry, EXHAUSTED)
        assert {"cancelled": 1} == outcomes(registry)

    def test_the_next_call(self, registry: CollectorRegistry, metrics: MLMetrics, within: Within) -> None:
        """What one call said is not said of the next one."""
        within(metrics, lambda call: call.fell_back("haiku"))
        within(metrics, lambda call: call.fail("quota"))
        assert 0 == value(registry, EXHAUSTED)


class TestBlocked:
    """`blocked` counts blocks."""

    def test_counts(self, registry: CollectorRegistry, metrics: MLMetrics, within: Within) -> None:
        """By guardrail; the outcome stays as it is."""

        def thrice(call: Call) -> None:
            for guardrail in ("pii", "pii", "topic"):
                call.blocked(guardrail)

        within(metrics, thrice)
        assert {"pii": 2, "topic": 1} == by(registry, BLOCKS, "guardrail")
        assert {"success": 1} == outcomes(registry)

    def test_labels_are_limited(self, registry: CollectorRegistry) -> None:
        """Guardrails beyond the limit are counted together."""
        metrics = MLMetrics(service="s", registry=registry, max_label_values=1)
        with metrics.inference_timer() as call:
            for guardrail in ("pii", "topic", "tone"):
                call.blocked(guardrail)
        assert {"pii": 1, "other": 2} == by(registry, BLOCKS, "guardrail")

    def test_what_is_no_text(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A guardrail that is no text is unknown, and counted as a mistake."""
        in_timer(metrics, lambda call: call.blocked(["pii"]))  # type: ignore[arg-type]
        assert {"unknown": 1} == by(registry, BLOCKS, "guardrail")
        assert {"label.guardrail": 1} == errors(registry)


class TestFinishReason:
    """`finish_reason` counts why answers ended."""

    def test_counts(self, registry: CollectorRegistry, metrics: MLMetrics, within: Within) -> None:
        """In the words of the provider; None says nothing."""

        def twice(call: Call) -> None:
            call.finish_reason("stop")
            call.finish_reason(None)

        within(metrics, twice)
        assert {"stop": 1} == by(registry, FINISHES, "finish_reason")
        assert {} == errors(registry)

    def test_of_an_answer(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A known response says it, once in all layers, also where the code of its call has told the tokens."""

        @metrics.track_inference(model="inner")
        def ask() -> Any:
            current_call().tokens(input=120, output=48)
            return {
                "id": "c1",
                "object": "chat.completion",
                "choices": [{"finish_reason": "length"}],
                "usage": {"prompt_tokens": 120, "completion_tokens": 48},
            }

        metrics.track_inference(model="outer")(lambda: ask())()  # noqa: PLW0108 (a function)
        assert {"length": 1} == by(registry, FINISHES, "finish_reason")
        assert {"inner": 48} == by(registry, f"{LENGTH}_sum", "model")
        assert {} == errors(registry)


class TestAttempts:
    """`record_attempt` counts failed attempts."""

    def test_counts(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Each by its reason, and those that are made again; every reason stands at 0 from the first on."""
        series = series_of(metrics)
        record_attempt(series, "timeout", again=True)
        record_attempt(series, "rate_limit", again=False)
        nothing = dict.fromkeys(REASONS, 0.0)
        assert {**nothing, "timeout": 1, "rate_limit": 1} == by(registry, ATTEMPTS, "reason")
        assert {**nothing, "timeout": 1} == by(registry, RETRIES, "reason")

    def test_unknown_reason(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A reason that is none of the closed set counts as another one, and as a mistake."""
        record_attempt(series_of(metrics), "the moon", again=True)
        assert 1 == value(registry, RETRIES, reason="other")
        assert {"retry": 1} == errors(registry)


class TestLimits:
    """`record_limits` says what the provider allows."""

    def test_sets(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The last response counts; what it does not say stays."""
        series = series_of(metrics)
        record_limits(series, {"requests": (100, 99), "tokens": (1000, None)})
        record_limits(series, {"requests": (None, 42)})
        assert {"requests": 100, "tokens": 1000} == by(registry, LIMIT, "limit")
        assert {"requests": 42} == by(registry, REMAINING, "limit")

    @pytest.mark.parametrize("wrong", [{"requests": ("many", -1)}, {"moons": (1, 1)}], ids=str)
    def test_what_is_wrong(self, registry: CollectorRegistry, metrics: MLMetrics, wrong: Any) -> None:
        """What is no number, or no limit that is known, is counted and not recorded."""
        record_limits(series_of(metrics), wrong)
        assert absent(registry, LIMIT)
        assert absent(registry, REMAINING)
        assert {"rate_limit": 2 if "requests" in wrong else 1} == errors(registry)


class TestWaiting:
    """`waiting`: how many calls wait, and how long it took."""

    def test_block(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, within: Within) -> None:
        """A call waits within the block, and its seconds are recorded at its end."""

        def wait(call: Call) -> None:
            with call.waiting():
                clock.advance(3)
                assert 1 == value(registry, WAITING)
                assert absent(registry, f"{WAITED}_sum")
            clock.advance(4)

        within(metrics, wait)
        assert 0 == value(registry, WAITING)
        assert 3 == value(registry, f"{WAITED}_sum")
        assert {} == errors(registry)

    @pytest.mark.parametrize("error", [TimeoutError(), asyncio.CancelledError(), GeneratorExit()], ids=repr)
    def test_block_that_raises(self, registry: CollectorRegistry, metrics: MLMetrics, error: BaseException) -> None:
        """Whatever ends the block, the call waits no longer, and the exception goes on."""
        with (
            pytest.raises(type(error)) as raised,
            metrics.inference_timer(model="m") as call,
            call.waiting(),
        ):
            raise error
        assert error is raised.value
        assert 0 == value(registry, WAITING)
        assert 1 == value(registry, f"{WAITED}_count")

    def test_tasks(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """Several wait at once; one that is cancelled waits no longer."""
        free = asyncio.Event()

        @metrics.track_inference(model="m")
        async def ask() -> None:
            async with current_call().waiting():
                await free.wait()

        async def three() -> None:
            tasks = [asyncio.create_task(ask()) for _ in range(3)]
            await asyncio.sleep(0)
            assert 3 == value(registry, WAITING)
            tasks[0].cancel()
            clock.advance(2)
            await asyncio.gather(tasks[0], return_exceptions=True)
            assert 2 == value(registry, WAITING)
            free.set()
            await asyncio.gather(*tasks[1:])

        asyncio.run(three())
        assert 0 == value(registry, WAITING)
        assert 6 == value(registry, f"{WAITED}_sum")
        assert {"success": 2, "cancelled": 1} == outcomes(registry)

    def test_block_that_is_entered_again(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """One object is one block: entered within itself it still waits once, and later it waits again."""
        with metrics.inference_timer(model="m") as call:
            waiting = call.waiting()
            with waiting, waiting:
                assert 1 == value(registry, WAITING)
            with waiting:
                assert 1 == value(registry, WAITING)
        assert 0 == value(registry, WAITING)
        assert 2 == value(registry, f"{WAITED}_count")

    def test_block_that_is_dropped(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A block that is never left ends when it is dropped."""
        with metrics.inference_timer(model="m") as call:
            waiting = call.waiting()
            waiting.__enter__()
            assert 1 == value(registry, WAITING)
            del waiting
        assert 0 == value(registry, WAITING)

    def test_clock_that_runs_backwards(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """It waited for no time."""
        with metrics.inference_timer(model="m") as call, call.waiting():
            clock.advance(-5)
        assert 0 == value(registry, f"{WAITED}_sum")

    def test_many(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Many blocks are folded as they come."""
        with metrics.inference_timer(model="m") as call:
            for _ in range(2000):
                with call.waiting():
                    pass
        assert 2000 == value(registry, f"{WAITED}_count")
        assert 0 == value(registry, WAITING)

    def test_forked_within(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Of a process that forks while a call waits, the child has none that wait, and records no end of it."""
        status = -1
        with metrics.inference_timer(model="m") as call, call.waiting():
            child = os.fork()
            if child:
                _, status = os.waitpid(child, 0)
        if not child:
            waiting = 0.0 if metrics.store.host is None else 1.0  # files show all processes, and so the parent
            wrong = [waiting] != [each.value for each in samples(registry, WAITING)]
            os._exit(wrong or not absent(registry, f"{WAITED}_sum"))
        assert 0 == os.waitstatus_to_exitcode(status)
        assert 0 == value(registry, WAITING)
        assert 1 == value(registry, f"{WAITED}_count")
        assert 0 == in_progress(registry)


class TestInterruptedWaiting:
    """A signal handler that raises while a block is entered or left."""

    def test_leaves_nothing(self) -> None:
        """Wherever it raises, nothing waits afterwards, and an end is recorded at most once."""
        file = "/calls/waiting.py"
        registries: list[CollectorRegistry] = []
        kept: list[Any] = []  # what `__del__` raises reaches nobody

        def made() -> Callable[[], None]:
            registries.append(CollectorRegistry())
            metrics = MLMetrics(service="s", registry=registries[-1])

            def wait() -> None:
                with metrics.inference_timer(model="m") as call:
                    kept.append(call.waiting())
                    with kept[-1]:
                        pass

            return wait

        places = points(made, file)
        assert len(places) > 10
        for at in places:
            interruption = Interruption(at, file)
            assert interruption.during(made())
            kept.clear()
            registry = registries[-1]
            assert absent(registry, WAITING) or value(registry, WAITING) == 0, interruption.place
            assert absent(registry, f"{WAITED}_count") or value(registry, f"{WAITED}_count") <= 1, interruption.place
            assert 0 == in_progress(registry), interruption.place


class TestElsewhere:
    """What is said of a call of another operation, or of none."""

    @pytest.mark.parametrize(
        ("where", "say"),
        [
            ("cache", lambda call: call.cached(hit=True)),
            ("fallback", lambda call: call.fell_back("haiku")),
            ("guardrail", lambda call: call.blocked("pii")),
            ("finish_reason", lambda call: call.finish_reason("stop")),
            ("retry", lambda call: record_attempt(call._series, "timeout", again=True)),
            ("rate_limit", lambda call: record_limits(call._series, {"tokens": (1, 1)})),
        ],
    )
    def test_of_another_operation(
        self, registry: CollectorRegistry, metrics: MLMetrics, where: str, say: Callable[[Call], None]
    ) -> None:
        """It is counted as a mistake, and the call is untouched, also if it fails."""

        def match() -> None:
            with metrics.matching_timer(matcher="m") as call:
                say(call)
                raise TimeoutError

        with pytest.raises(TimeoutError):
            match()
        assert {where: 1} == errors(registry)
        assert {"failure": 1} == outcomes(registry, "matching")

    def test_waiting_of_another_operation(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The block runs, and records nothing."""
        ran = []
        with metrics.tool_timer(tool="search") as call, call.waiting():
            ran.append(1)
        assert [1] == ran
        assert {"waiting": 1} == errors(registry)
        assert absent(registry, WAITING)

    def test_of_no_call(self) -> None:
        """Outside of any call, each is counted, and a block runs."""
        before = errors(REGISTRY).get("current_call", 0.0)
        call = current_call()
        call.cached(hit=True)
        call.fell_back("haiku")
        call.blocked("pii")
        call.finish_reason("stop")
        with call.waiting():
            pass
        assert 5 == errors(REGISTRY)["current_call"] - before
