"""Numbers beside the duration: each is one more append where it is what is expected, and looked at where it is not."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

from collections import UserDict
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics, arg
from mlmetrics.pricing import genai
from mlmetrics.recording.series import BOUND
from tests.calls.test_hot_path import calls_made
from tests.conftest import Clock
from tests.recorded import errors, outcomes, value

ACCURACY, SIZE = "parsing_accuracy_score", "file_processing_size_bytes"


class Result:
    """A result with a confidence."""

    def __init__(self, confidence: Any) -> None:
        self.confidence = confidence


class Ratio(float):
    """A float of a class of its own."""


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own."""
    return MLMetrics(service="s", registry=registry)


def recorded(registry: CollectorRegistry, name: str, **labels: str) -> tuple[float, float]:
    """Return the count and the sum of a histogram."""
    return value(registry, f"{name}_count", **labels), value(registry, f"{name}_sum", **labels)


@pytest.mark.in_memory
class TestPath:
    """What is called where a number is as expected: nothing of ours is called for it but the append."""

    @pytest.mark.parametrize("named", ["confidence", "accuracy"])
    def test_score(self, metrics: MLMetrics, named: str) -> None:
        """An attribute is read by the wrapper itself, whether the call has a fixed label or not."""
        result = Result(0.5)
        result.accuracy = 0.5  # type: ignore[attr-defined]  # as users do
        labels: tuple[Any, ...] = ("m", arg("document"))
        for label in labels:
            function = metrics.track_parsing(doc_type=label, accuracy=named)(lambda document: result)
            for _ in range(2):
                function("m")
            made = [name for name in calls_made(partial(function, "m")) if name != "by_value"]
            assert ["wrapper", "perf_counter", "append", "perf_counter", "append", "len", "append"] == made

    def test_size(self, metrics: MLMetrics) -> None:
        """The size of an argument costs the function that reads it, and one call of ours."""
        function = metrics.track_parsing(doc_type="pdf", accuracy=None, size=len)(lambda content: 1)
        function(b"12")
        made = calls_made(lambda: function(b"12"))
        assert ["wrapper", "before", "len", "append"] == made[:4]
        assert ["perf_counter", "append", "perf_counter", "append", "len"] == made[4:]

    def test_usage(self, metrics: MLMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
        """The tokens of prompt and answer are two appends, with their lengths, and the speed is a third one."""
        monkeypatch.setattr(genai, "installed", lambda: False)
        function = metrics.track_inference(model="m", usage=lambda _: {"input": 120, "output": 48})(lambda: 1)
        function()
        assert ["after", "len", "append", "append", "append"] == calls_made(function)[6:]

    def test_tokens(self, metrics: MLMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
        """So are those that a call tells; no price is asked for where none is in use."""
        monkeypatch.setattr(genai, "installed", lambda: False)

        def run() -> None:
            with metrics.inference_timer(model="m") as call:
                call.tokens(input=120, output=48)

        run()
        made = calls_made(run)
        assert ["tokens", "__exit__", "perf_counter", "append", "len", "append", "append", "append"] == made[5:]

    @pytest.mark.parametrize(
        "record",
        [
            lambda metrics: metrics.track_parsing_accuracy("p", "pdf", 0.5),
            lambda metrics: metrics.track_matching_score("m", 0.5),
            lambda metrics: metrics.track_file_processing("pdf", "s", 2000),
            lambda metrics: metrics.track_prediction("m", "spam"),
            lambda metrics: metrics.track_prediction("m", 3),
            lambda metrics: metrics.track_feedback("m", good=False),
            lambda metrics: metrics.track_prediction_error("m", 2.5),
        ],
    )
    def test_direct(self, metrics: MLMetrics, record: Callable[[MLMetrics], None]) -> None:
        """A direct function looks up its series, and appends."""
        record(metrics)
        made = calls_made(lambda: record(metrics))[1:]
        assert ["store", "getattr", "append_known", "get", "append", "len"] == made


class TestValues:
    """Values that are not what is expected are looked at, as ever."""

    @pytest.mark.parametrize(
        ("score", "added"),
        [
            (0.5, (1, 0.5)),
            (0.0, (1, 0.0)),
            (1.0, (1, 1.0)),
            (1, (1, 1.0)),
            (True, (1, 1.0)),
            (Decimal("0.5"), (1, 0.5)),
            (Ratio(0.5), (1, 0.5)),
            (1.0000000001, (1, 1.0)),
            (-1e-12, (1, 0.0)),
            ([0.25, 0.5], (2, 0.75)),
            (None, (0, 0.0)),
            (1.5, (0, 0.0)),
            (-0.5, (0, 0.0)),
            (float("nan"), (0, 0.0)),
            (float("inf"), (0, 0.0)),
            ("0.5", (0, 0.0)),
        ],
        ids=repr,
    )
    @pytest.mark.parametrize(
        "made", [Result, lambda score: {"confidence": score}, lambda score: UserDict(confidence=score)]
    )
    def test_score(
        self, registry: CollectorRegistry, metrics: MLMetrics, made: Callable[[Any], Any], score: Any, added: Any
    ) -> None:
        """After results of the same type whose score was as expected."""
        function = metrics.track_parsing(doc_type="pdf")(lambda result: result)
        for _ in range(2):
            function(made(0.5))
        function(made(score))
        assert (2 + added[0], 1.0 + added[1]) == recorded(registry, ACCURACY)
        assert (added[0] == 0 and score is not None) == bool(
            errors(registry).get("score", 0) + errors(registry).get("accuracy", 0)
        )

    def test_attribute_that_is_gone(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A type whose objects have had the attribute may have one without it: an error only if it was asked for."""
        optional = metrics.track_parsing(doc_type="pdf")(lambda result: result)
        asked = metrics.track_matching(matcher="m", score="confidence")(lambda result: result)
        gone = Result(0.5)
        del gone.confidence
        for function in (optional, asked):
            assert [function(Result(0.5)).confidence for _ in range(2)] == [0.5, 0.5]
            assert gone is function(gone)
        assert (2, 1.0) == recorded(registry, ACCURACY)
        assert {"score": 1} == errors(registry)

    def test_attribute_that_raises(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """So may one whose property raises."""

        class Moody:
            calm = True

            @property
            def confidence(self) -> float:
                if not self.calm:
                    raise ValueError("not now")
                return 0.5

        function = metrics.track_parsing(doc_type="pdf")(lambda result: result)
        moody = Moody()
        for calm in (True, True, False, True):
            moody.calm = calm
            assert moody is function(moody)
        assert (3, 1.5) == recorded(registry, ACCURACY)
        assert {"accuracy": 1} == errors(registry)

    def test_proxy(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """An object that says to be a mapping is read as one, whatever others of its type say."""

        class Proxy:
            def __init__(self, wrapped: Any) -> None:
                self.wrapped = wrapped

            __class__ = property(lambda self: type(self.wrapped))

            def __getattr__(self, name: str) -> Any:
                return getattr(self.wrapped, name)

        function = metrics.track_parsing(doc_type="pdf")(lambda result: result)
        for result in (Result(0.5), Result(0.5), {"confidence": 0.25}):
            function(Proxy(result))
        assert (3, 1.25) == recorded(registry, ACCURACY)

    @pytest.mark.parametrize(
        ("size", "added"),
        [
            (2000, 2000),
            (0, 0),
            (1 << 40, 1 << 40),
            (2.5, 2.5),
            (True, 1),
            (-1, None),
            (10**400, None),
            ("2", None),
            (None, None),
        ],
    )
    def test_size(self, registry: CollectorRegistry, metrics: MLMetrics, size: Any, added: float | None) -> None:
        """Of sizes, whole numbers are expected."""
        function = metrics.track_parsing(doc_type="pdf", accuracy=None, size=lambda given: given)(lambda size: size)
        for given in (1, 1, size):
            function(given)
        with metrics.parsing_timer(doc_type="pdf") as call:
            call.size(size)
        times = 0 if added is None else 2
        assert (2 + times, 2 + (added or 0) * times) == recorded(registry, SIZE)
        assert 2 - times == errors(registry).get("size", 0)

    @pytest.mark.parametrize(
        ("usage", "tokens"),
        [
            ({"input": 5, "output": 2}, 7),
            ({"output": 2, "input": 5}, 7),
            ({"input": 0, "output": 0}, 0),
            ({"input": 5, "output": None}, 5),
            ({"input": 5.5, "output": 2}, 7.5),
            ({"input": -5, "output": 2}, 2),
            ({"input": True, "output": 2}, 3),
            ({"input": 1 << 40, "output": 2}, 2 + (1 << 40)),
            ({"input": 5, "cache_read": 3}, 8),
            ({"input": 5, "moons": 3}, 5),
            ({"input": 5, "output": 2, "reasoning": 1}, 8),
            ({"input": float("nan"), "output": 2}, 2),
        ],
        ids=str,
    )
    def test_tokens(self, registry: CollectorRegistry, clock: Clock, usage: Any, tokens: float) -> None:
        """After calls with the tokens of a prompt and an answer, by a function and by what a call tells."""
        metrics = MLMetrics(service="s", registry=registry, clock=clock)

        def ask(_usage: Any) -> None:
            clock.advance(2)

        told: list[Any] = []
        function = metrics.track_inference(model="m", usage=lambda _: told[-1])(ask)
        for each in ({"input": 120, "output": 48}, {"input": 120, "output": 48}, usage):
            told.append(each)
            function(each)
            with metrics.inference_timer(model="m") as call:
                clock.advance(2)
                call.tokens(**each)
        assert 4 * 168 + 2 * tokens == value(registry, "ml_inference_tokens_total")
        prompts = sum(usage.get(name) or 0 for name in ("input", "cache_read") if usage.get(name, -1) >= 0)
        assert 4 * 120 + 2 * prompts == value(registry, "ml_inference_prompt_tokens_sum")


class TestTold:
    """A call that has told the tokens of prompt and answer, and then something else."""

    @pytest.mark.parametrize(
        ("say", "outcome", "tokens"),
        [
            (lambda call: call.tokens(output=2), "success", 170),
            (lambda call: call.fail("quota"), "failure", 168),
            (lambda call: call.cancel(), "cancelled", 168),
            (lambda call: call.fell_back("other"), "success", 168),
            (lambda call: call.score(0.5), "success", 168),
        ],
    )
    def test_says_more(
        self, registry: CollectorRegistry, metrics: MLMetrics, say: Callable[[Any], None], outcome: str, tokens: float
    ) -> None:
        """Its tokens are counted once, and so is its end."""
        with metrics.inference_timer(model="m") as call:
            call.tokens(input=120, output=48)
        with metrics.inference_timer(model="m") as call:
            call.tokens(input=120, output=48)
            say(call)
        assert 168 + tokens == value(registry, "ml_inference_tokens_total")
        assert 1 + (outcome == "success") == outcomes(registry)["success"]
        assert 2 == sum(outcomes(registry).values())
        assert (2, 240) == recorded(registry, "ml_inference_prompt_tokens")

    def test_entered_again(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A timer that is entered again keeps the tokens of both calls apart."""
        timer = metrics.inference_timer(model="m")
        with timer as call:
            call.tokens(input=1, output=1)
        timer = metrics.inference_timer(model="m")
        with timer as first:
            first.tokens(input=10, output=10)
            with timer as second:
                second.tokens(input=100, output=100)
        assert 222 == value(registry, "ml_inference_tokens_total")
        assert (3, 111) == recorded(registry, "ml_inference_prompt_tokens")

    def test_dropped(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A block that is never left is cancelled when it is dropped; its tokens were used."""
        with metrics.inference_timer(model="m") as call:
            call.tokens(input=1, output=1)
        timer = metrics.inference_timer(model="m")
        timer.__enter__().tokens(input=10, output=10)
        assert 1 == outcomes(registry)["success"]  # a scrape lets it go
        del timer
        assert 22 == value(registry, "ml_inference_tokens_total")
        assert 1 == outcomes(registry)["cancelled"]


def test_lists_are_bounded(registry: CollectorRegistry, metrics: MLMetrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many calls there are between two scrapes, each list holds so many numbers."""
    monkeypatch.setattr(genai, "installed", lambda: False)  # a thread that prices calls would fold at the same time
    function = metrics.track_parsing(doc_type="pdf", size=len)(lambda content: Result(0.5))
    ask = metrics.track_inference(model="m", usage=lambda _: {"input": 120, "output": 48})(lambda: 1)
    for _ in range(3 * BOUND):
        function(b"12")
        ask()
        metrics.track_parsing_accuracy("p", "pdf", 0.5)
    lists = [pending for each in metrics.store._foldables for pending in getattr(each, "lists", ())]
    assert max(map(len, lists), default=0) <= BOUND + 1
    assert (6 * BOUND, 3.0 * BOUND) == recorded(registry, ACCURACY)
    assert (3 * BOUND, 6 * BOUND) == recorded(registry, SIZE)
    assert 168 * 3 * BOUND == value(registry, "ml_inference_tokens_total")


def test_cleared_registry(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A direct function registers again in a registry that was cleared, also for a series that it knows."""
    retrieval = metrics.operation("retrieval", labelnames=("index",), score=True)
    for _ in range(2):
        for collector in tuple(registry._collector_to_names):
            registry.unregister(collector)
        metrics.track_parsing_accuracy("p", "pdf", 0.5)
        assert value(registry, f"{ACCURACY}_count")
        for collector in tuple(registry._collector_to_names):
            registry.unregister(collector)
        retrieval.record(0.5, index="docs")
        assert value(registry, "ml_retrieval_total", outcome="success")
    assert 2 == value(registry, f"{ACCURACY}_count")
    assert 2 == value(registry, "ml_retrieval_total", outcome="success")
