"""`label` of a call: it stays in progress by the labels of its beginning, and all else takes the final ones."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import Call, MLMetrics, current_call
from mlmetrics.pricing import genai
from mlmetrics.recording.series import BOUND
from tests.conftest import Clock
from tests.recorded import absent, errors, outcomes, samples, value

FIRST, FINAL = "router", "large"
DURATION = "ml_inference_duration_seconds"
GAPS, FIRST_CHUNK = "ml_inference_chunk_interval_seconds", "ml_inference_first_chunk_seconds"


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> MLMetrics:
    """Return a toolkit on a registry and a clock of its own, which prices nothing."""
    monkeypatch.setattr(genai, "installed", lambda: False)
    return MLMetrics(service="s", registry=registry, clock=clock)


def numbers(registry: CollectorRegistry, **labels: str) -> dict[str, float]:
    """Return the calls, sums and counts with these labels, without those that are 0, gauges and buckets."""
    found: dict[str, float] = {}
    for family in registry.collect():
        for sample in family.samples:
            if sample.value and labels.items() <= sample.labels.items() and sample.name.endswith(("_total", "_sum")):
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def progress(registry: CollectorRegistry) -> dict[str, float]:
    """Return how many calls of each model are in progress."""
    return {each.labels["model"]: each.value for each in samples(registry, "ml_inference_in_progress")}


def say_all(call: Call) -> None:
    """Say everything that can be said of an inference."""
    call.tokens(input=3, output=4, reasoning=1)
    call.cost(0.5)
    call.score(0.5)
    call.predicted("spam")
    call.predicted(["spam", 3])
    call.size(2000)
    call.batch(8)
    call.queued(1)
    call.first_chunk()
    call.cached(hit=True)
    call.fell_back("small")
    call.blocked("pii")
    call.finish_reason("stop")
    with call.waiting():
        pass


SAID = {
    "ml_inference_batch_size_sum": 8,
    "ml_inference_cache_lookups_total": 1,
    "ml_inference_completion_tokens_sum": 5,
    "ml_inference_cost_usd_total": 0.5,
    "ml_inference_fallbacks_total": 1,
    "ml_inference_finish_reasons_total": 1,
    "ml_inference_first_chunk_seconds_sum": 1,
    "ml_inference_guardrail_blocks_total": 1,
    "ml_inference_prompt_tokens_sum": 3,
    "ml_inference_queue_duration_seconds_sum": 1,
    "ml_inference_score_sum": 0.5,
    "ml_inference_tokens_total": 8,
    "ml_prediction_total": 3,
}
"""What that records, without what a call records by itself."""
ENDED = {"ml_inference_duration_seconds_sum": 3, "ml_inference_output_tokens_per_second_sum": 5 / 3}


class TestTimer:
    """Of the call of a timer."""

    def test_outcome(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """In progress is by the first labels while the call runs; outcome and duration are by the final ones."""
        with metrics.inference_timer(model=FIRST) as call:
            call.label(model=FINAL)
            clock.advance(2)
            assert {FIRST: 1, FINAL: 0} == progress(registry)
        assert {FIRST: 0, FINAL: 0} == progress(registry)
        assert {"ml_inference_total": 1, "ml_inference_duration_seconds_sum": 2} == numbers(registry, model=FINAL)
        assert {} == numbers(registry, model=FIRST)
        assert {} == errors(registry)

    @pytest.mark.parametrize("scraped", [False, True])
    @pytest.mark.parametrize("last", [False, True])
    def test_everything(
        self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, *, last: bool, scraped: bool
    ) -> None:
        """What was said before moves with the call, and what is said later goes there, though a scrape came between."""
        with metrics.inference_timer(model=FIRST) as call:
            clock.advance(1)
            if last:
                say_all(call)
            if scraped:
                list(registry.collect())
            call.label(model=FINAL)
            if not last:
                say_all(call)
            clock.advance(2)
        assert {**SAID, **ENDED, "ml_inference_total": 1} == numbers(registry, model=FINAL) | {
            "ml_inference_total": value(registry, "ml_inference_total", model=FINAL)
        }
        assert {} == numbers(registry, model=FIRST)
        assert {} == errors(registry)

    @pytest.mark.parametrize("said", ["tokens", "score", "tokens and score", "score and tokens"])
    def test_said_in_a_quick_way(self, registry: CollectorRegistry, metrics: MLMetrics, said: str) -> None:
        """So does what most calls say, with labels or without."""

        def say(call: Call) -> None:
            for each in said.split(" and "):
                if each == "score":
                    call.score(0.5)
                else:
                    call.tokens(input=3, output=4)

        for _ in range(3):  # once the first has found the series, the others say it in fewer steps
            with metrics.inference_timer(model=FIRST) as call:
                say(call)
        before = numbers(registry, model=FIRST)
        with metrics.inference_timer(model=FIRST) as call:
            say(call)
            call.label(model=FINAL)
        assert before == numbers(registry, model=FIRST)
        assert before == {name: 3 * number for name, number in numbers(registry, model=FINAL).items()}

    def test_outcomes(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Every ending counts by the final labels: failed by an exception, as said, cancelled, dropped."""
        with pytest.raises(TimeoutError), metrics.inference_timer(model=FIRST) as call:  # noqa: PT012 (all of the block is what raises)
            call.label(model=FINAL)
            raise TimeoutError
        with metrics.inference_timer(model=FIRST) as call:
            call.fail("quota")
            call.label(model=FINAL)
        with pytest.raises(asyncio.CancelledError), metrics.inference_timer(model=FIRST) as call:  # noqa: PT012 (all of the block is what raises)
            call.label(model=FINAL)
            raise asyncio.CancelledError
        dropped = metrics.inference_timer(model=FIRST)
        dropped.__enter__().label(model=FINAL)
        dropped.score(0.5)
        assert {FIRST: 1, FINAL: 0} == progress(registry)
        del dropped, call
        gc.collect()
        assert {"failure": 2, "cancelled": 2} == outcomes(registry, model=FINAL)
        assert {} == outcomes(registry, model=FIRST)
        types = {each.labels["error_type"]: each.value for each in samples(registry, "ml_inference_errors_total")}
        assert {"TimeoutError": 1, "quota": 1} == types
        assert 0.5 == value(registry, "ml_inference_score_sum", model=FINAL)
        assert {FIRST: 0, FINAL: 0} == progress(registry)

    def test_failure_after_a_fallback(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """That the fallback was in vain is counted by the final labels."""
        with pytest.raises(TimeoutError), metrics.inference_timer(model=FIRST) as call:  # noqa: PT012 (all of the block is what raises)
            call.fell_back("small")
            call.label(model=FINAL)
            raise TimeoutError
        assert 1 == value(registry, "ml_inference_fallbacks_exhausted_total", model=FINAL)
        assert {} == numbers(registry, model=FIRST)

    def test_again(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The last value of each label counts, and those that are not given again stay."""
        with metrics.inference_timer(model=FIRST) as call:
            call.label(model="small", operation="chat")
            call.label(model=FINAL)
        assert 1 == value(registry, "ml_inference_total", model=FINAL, operation="chat")
        assert {"success": 1} == outcomes(registry)

    def test_the_same(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The labels that the call has anyway change nothing."""
        with metrics.inference_timer(model=FIRST) as call:
            call.label(model=FINAL)
            call.label(model=FIRST)
        assert {"success": 1} == outcomes(registry, model=FIRST)
        assert {"success": 1} == outcomes(registry)
        assert {FIRST: 0, FINAL: 0} == progress(registry)

    def test_entered_again(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The next block of the same timer begins, and ends, with the labels of the timer."""
        timer = metrics.inference_timer(model=FIRST)
        with timer as call:
            call.label(model=FINAL)
        with timer as call:
            assert {FIRST: 1, FINAL: 0} == progress(registry)
        with timer as outer, timer as inner:
            inner.label(model="inner")
            outer.label(model="outer")
        assert {"success": 1} == outcomes(registry, model=FINAL)
        assert {"success": 1} == outcomes(registry, model=FIRST)
        assert {"success": 1} == outcomes(registry, model="inner")
        assert {"success": 1} == outcomes(registry, model="outer")

    def test_after_the_block(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A score that is said after the block is of the same call; a label is too late, and counted."""
        with metrics.inference_timer(model=FIRST) as call:
            call.label(model=FINAL)
        call.score(0.5)
        call.tokens(input=3)
        call.cost(1)
        call.label(model="later")
        assert 0.5 == value(registry, "ml_inference_score_sum", model=FINAL)
        assert 3 == value(registry, "ml_inference_tokens_total", model=FINAL)
        assert 1 == value(registry, "ml_inference_cost_usd_total", model=FINAL)
        assert {"label": 1} == errors(registry)
        assert {"success": 1} == outcomes(registry)

    def test_before_the_block(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A timer that has not been entered has no call to label."""
        timer = metrics.inference_timer(model=FIRST)
        timer.label(model=FINAL)
        with timer:
            pass
        assert {"label": 1} == errors(registry)
        assert {"success": 1} == outcomes(registry, model=FIRST)

    def test_many_numbers(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Of a call that says very much, the earlier numbers are recorded before it ends; none is lost."""
        count = 3 * BOUND
        with metrics.inference_timer(model=FIRST) as call:
            for _ in range(count):
                call.score(0.5)
            assert count - BOUND <= value(registry, "ml_inference_score_count", model=FIRST) + 1
            call.label(model=FINAL)
        early = value(registry, "ml_inference_score_count", model=FIRST)
        assert count == early + value(registry, "ml_inference_score_count", model=FINAL)

    def test_many_calls(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Calls without end are folded, on both sides."""
        for _ in range(3 * BOUND):
            with metrics.inference_timer(model=FIRST) as call:
                call.label(model=FINAL)
        series: Any = metrics._timed_model(FIRST)
        assert len(series.started) <= BOUND + 1
        assert {"success": 3 * BOUND} == outcomes(registry, model=FINAL)
        assert {FIRST: 0, FINAL: 0} == progress(registry)

    def test_what_is_predicted_is_kept_as_it_was(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A list that changes before the call ends does not change what was said."""
        found = ["spam"]
        with metrics.inference_timer(model=FIRST) as call:
            call.predicted(found)
            found.append("ham")
        assert 1 == value(registry, "ml_prediction_total")


def by_current_call() -> Any:
    """Give the call that runs here other labels."""
    call = current_call()
    call.score(0.25)
    call.label(model=FINAL)
    return {"confidence": 0.5, "usage": {"prompt_tokens": 3, "completion_tokens": 4}, "choices": [{"message": {}}]}


def function() -> Any:
    """Label the call of a function."""
    return by_current_call()


async def coroutine() -> Any:
    """Label that of a coroutine function."""
    await asyncio.sleep(0)
    return by_current_call()


def future() -> Any:
    """Label a call that goes on in a future."""
    result = by_current_call()
    found: Future[Any] = Future()
    found.set_result(result)
    return found


def awaitable() -> Any:
    """Label a call that goes on in a coroutine."""
    return coroutine()


class TestFunction:
    """By `current_call` in a decorated function."""

    @pytest.mark.parametrize("body", [function, coroutine, future, awaitable])
    def test_result(self, registry: CollectorRegistry, metrics: MLMetrics, body: Callable[[], Any]) -> None:
        """What was said, the outcome, the tokens of the response and its score take the final labels."""
        made = metrics.track_inference(model=FIRST, score="confidence")(body)()
        if asyncio.iscoroutine(made) or hasattr(made, "__await__"):

            async def run() -> Any:
                return await made

            asyncio.run(run())
        assert {"success": 1} == outcomes(registry, model=FINAL)
        assert 7 == value(registry, "ml_inference_tokens_total", model=FINAL)
        assert 0.75 == value(registry, "ml_inference_score_sum", model=FINAL)
        assert {} == numbers(registry, model=FIRST)
        assert {FIRST: 0, FINAL: 0} == progress(registry)
        assert {} == errors(registry)

    def test_function_that_raises(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """So does its error."""

        @metrics.track_inference(model=FIRST)
        def ask() -> None:
            by_current_call()
            raise TimeoutError

        with pytest.raises(TimeoutError):
            ask()
        assert 1 == value(registry, "ml_inference_errors_total", model=FINAL, error_type="TimeoutError")
        assert {} == numbers(registry, model=FIRST)
        assert {FIRST: 0, FINAL: 0} == progress(registry)

    def test_in_progress(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The call is in progress by the labels that it began with."""
        seen = []

        @metrics.track_inference(model=FIRST)
        def ask() -> None:
            by_current_call()
            seen.append(progress(registry))

        ask()
        assert [{FIRST: 1, FINAL: 0}] == seen

    def test_several_calls_at_once(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Each call has its own labels, and one without any keeps those of its decorator."""

        @metrics.track_inference(model=FIRST)
        async def ask(number: int) -> None:
            await asyncio.sleep(0)
            if number:
                current_call().label(model=f"m{number}")
            await asyncio.sleep(0)

        async def run() -> None:
            await asyncio.gather(*map(ask, range(4)))

        asyncio.run(run())
        counts = {each.labels["model"]: each.value for each in samples(registry, "ml_inference_total") if each.value}
        assert {FIRST: 1, "m1": 1, "m2": 1, "m3": 1} == counts

    def test_after_the_call(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A call that is kept still takes scores when it is over, where it is counted; a label is too late."""
        kept = []

        @metrics.track_inference(model=FIRST)
        def ask(label: object) -> None:
            kept.append(current_call())
            if label:
                kept[-1].label(model=FINAL)

        for label in (True, False):
            ask(label)
            kept[-1].score(0.5)
            kept[-1].label(model="later")
        assert 1 == value(registry, "ml_inference_score_count", model=FINAL)
        assert 1 == value(registry, "ml_inference_score_count", model=FIRST)
        assert {"label": 2} == errors(registry)
        assert {"success": 2} == outcomes(registry)


def generator() -> Iterator[int]:
    """Label the call of a generator, after chunks."""
    yield 1
    yield 2
    by_current_call()
    yield 3


async def async_generator() -> AsyncIterator[int]:
    """Label that of an async generator."""
    yield 1
    yield 2
    by_current_call()
    yield 3


def iterator() -> Iterator[int]:
    """Label a call that goes on in an iterator which the function returns."""
    return generator()


def async_iterator() -> AsyncIterator[int]:
    """Label one that goes on in an async iterator."""
    return async_generator()


def labelled_before() -> Iterator[int]:
    """Label a call before the function returns its stream."""
    by_current_call()
    return iter(map(int, range(1, 4)))


def steps_of(stream: Any) -> Iterator[int]:
    """Yield the chunks of a stream of either kind."""
    if hasattr(stream, "__next__"):
        yield from stream
        return
    with asyncio.Runner() as runner:

        async def step() -> Any:
            return await anext(stream, None)

        while (chunk := runner.run(step())) is not None:
            yield chunk


class TestStream:
    """By `current_call` in a stream."""

    @pytest.mark.parametrize("reads", [True, False])
    @pytest.mark.parametrize("body", [generator, async_generator, iterator, async_iterator, labelled_before])
    def test_chunks(
        self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, body: Callable[[], Any], *, reads: bool
    ) -> None:
        """The first chunk and the gaps, those before as well, take the final labels, as the outcome does."""
        decorate = metrics.track_inference(model=FIRST, usage="auto" if reads else None)
        stream = decorate(body)()
        for _ in steps_of(stream):
            clock.advance(1)
            list(registry.collect())
        assert {"success": 1} == outcomes(registry, model=FINAL)
        assert 1 == value(registry, f"{FIRST_CHUNK}_count", model=FINAL)
        assert (2, 2) == (value(registry, f"{GAPS}_count", model=FINAL), value(registry, f"{GAPS}_sum", model=FINAL))
        assert 0.25 == value(registry, "ml_inference_score_sum", model=FINAL)
        assert {} == numbers(registry, model=FIRST)
        assert {FIRST: 0, FINAL: 0} == progress(registry)
        assert {} == errors(registry)

    def test_closed(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A stream that is left early is cancelled by the final labels."""
        stream: Any = metrics.track_inference(model=FIRST)(generator)()
        for _ in range(3):
            next(stream)
        assert {FIRST: 1, FINAL: 0} == progress(registry)
        stream.close()
        assert {"cancelled": 1} == outcomes(registry, model=FINAL)
        assert 2 == value(registry, f"{GAPS}_count", model=FINAL)
        assert {} == numbers(registry, model=FIRST)

    def test_scores_of_its_result(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The score of its last chunk takes the final labels."""
        metrics_of = metrics.track_inference(model=FIRST, score=lambda chunk: chunk / 4)
        assert [1, 2, 3] == list(metrics_of(generator)())
        assert [1, 2, 3] == list(metrics_of(iterator)())
        assert 2 == value(registry, "ml_inference_score_sum", model=FINAL)
        assert {} == numbers(registry, model=FIRST)

    def test_never_iterated(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """An iterator that nobody reads is a success, by the labels that the function gave it."""
        metrics.track_inference(model=FIRST)(labelled_before)()
        gc.collect()
        assert {"success": 1} == outcomes(registry, model=FINAL)
        assert 0.25 == value(registry, "ml_inference_score_sum", model=FINAL)
        assert {} == numbers(registry, model=FIRST)

    def test_generator_that_nobody_starts(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """It is no call, but what the function said of it is recorded."""

        @metrics.track_inference(model=FIRST)
        def ask() -> Iterator[int]:
            current_call().score(0.5)
            return generator()

        ask()
        gc.collect()
        assert {} == outcomes(registry)
        assert 0.5 == value(registry, "ml_inference_score_sum", model=FIRST)


class TestLabels:
    """Which labels can be given, and what is wrong with others."""

    def test_operations(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Each label of each operation, those of one's own included."""
        own = metrics.operation("retrieval", labelnames=("index", "self", "tier"))
        with metrics.parsing_timer(doc_type="any") as call:
            call.label(doc_type="pdf", parser="p2")
            call.score(0.5)
        with metrics.matching_timer() as call:
            call.label(matcher="m2")
        with metrics.tool_timer(tool="any") as call:
            call.label(tool="search")
        with metrics.agent_timer() as call:
            call.label(agent="a2")
        with own.timer(index="any", tier="t") as call:
            call.label(index="docs", self="x")
        assert {"success": 1} == outcomes(registry, "parsing", doc_type="pdf", parser="p2")
        assert 0.5 == value(registry, "parsing_accuracy_score_sum", doc_type="pdf", parser="p2")
        assert {"success": 1} == outcomes(registry, "matching", matcher="m2")
        assert {"success": 1} == outcomes(registry, "tool", tool="search")
        assert {"success": 1} == outcomes(registry, "agent", agent="a2")
        assert {"success": 1} == outcomes(registry, "retrieval", index="docs", self="x", tier="t")

    def test_batch_job(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A run of a batch job, whose items are counted as they are said."""
        with metrics.batch_job("nightly") as run:
            run.item()
            run.label(batch_job="weekly")
            run.item()
        assert {"success": 1} == outcomes(registry, "batch_job", batch_job="weekly")
        assert 1 == value(registry, "ml_batch_job_items_total", batch_job="nightly")
        assert 1 == value(registry, "ml_batch_job_items_total", batch_job="weekly")
        assert absent(registry, "ml_batch_job_last_success_timestamp_seconds", batch_job="nightly")

    def test_unknown_name(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A name that is no label of the operation is counted; the labels beside it are taken."""
        with metrics.inference_timer(model=FIRST) as call:
            call.label(modell="typo", model=FINAL)
            call.label(service="other")
        assert {"label": 2} == errors(registry)
        assert {"success": 1} == outcomes(registry, model=FINAL, service="s")

    @pytest.mark.parametrize(
        "wrong", [None, "", [], b"bytes", object()], ids=["None", "empty", "list", "bytes", "object"]
    )
    def test_no_text(self, registry: CollectorRegistry, metrics: MLMetrics, wrong: Any) -> None:
        """A value that is no text is counted, and the label stays as it was."""
        with metrics.inference_timer(model=FIRST) as call:
            call.label(model=wrong)
        assert {"label.model": 1} == errors(registry)
        assert {"success": 1} == outcomes(registry, model=FIRST)

    def test_hostile_value(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Nor does a value raise into the block whose methods raise."""

        class Hostile(str):
            __slots__ = ()

            def __hash__(self) -> int:
                raise TimeoutError

            def __eq__(self, other: object) -> bool:
                raise TimeoutError

        with metrics.inference_timer(model=FIRST) as call:
            call.label(model=Hostile(FINAL))
        assert {"success": 1} == outcomes(registry, model=FINAL)

    def test_other_texts(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Numbers become texts, a label that may be empty may be emptied, and a text that is too long is cut."""
        wrong: Any = 3
        with metrics.inference_timer(model=FIRST, operation="chat") as call:
            call.label(model=wrong, operation="")
        with metrics.inference_timer(model=FIRST) as call:
            call.label(model="x" * 300)
        assert 1 == value(registry, "ml_inference_total", model="3", operation="")
        assert {"success": 1} == outcomes(registry, model="x" * 200)
        assert {"label.model": 1} == errors(registry)

    def test_limit(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Beyond the limit of values a label is `other`, and that is counted."""
        metrics.configure(max_label_values=2)
        for number in range(4):
            with metrics.inference_timer(model=FIRST) as call:
                call.label(model=f"m{number}")
        assert {"success": 1} == outcomes(registry, model="m0")
        assert {"success": 3} == outcomes(registry, model="other")
        assert 3 == value(registry, "mlmetrics_label_overflow_total", metric="ml_inference_total", label="model")

    def test_logged_once(self, metrics: MLMetrics, caplog: pytest.LogCaptureFixture) -> None:
        """The first mistake is logged, and no further one of the same place."""
        for _ in range(3):
            with metrics.inference_timer(model=FIRST) as call:
                call.label(modell="typo")
        assert 1 == caplog.text.count("inference calls have no label 'modell'")
