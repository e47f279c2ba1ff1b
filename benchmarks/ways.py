"""Every public way to record a number, with ours and by hand, and which row measures which."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

from benchmarks.by_hand import ByHand, Verb
from benchmarks.floor import noop
from mlmetrics import MLMetrics, arg

CONTENT = b"x" * 2000
PDF = "pdf"
CALLS, ACCURACY, SCORE = "ml_inference_total", "parsing_accuracy_score", "matching_score_distribution"
SIZE = "file_processing_size_bytes"
DECORATED = frozenset({"label", "accuracy", "no_accuracy", "size", "score", "own_score", "class", "usage", "own_timer"})
"""Rows whose hand-written code runs the function as well; it is taken off."""
RECORDERS: Mapping[str, str] = {
    "MLMetrics.track_inference": "usage",
    "MLMetrics.track_parsing": "size",
    "MLMetrics.track_matching": "score",
    "MLMetrics.track_tool": "own_score",
    "MLMetrics.track_agent": "own_score",
    "MLMetrics.inference_timer": "tokens",
    "MLMetrics.parsing_timer": "call_size",
    "MLMetrics.matching_timer": "own_timer",
    "MLMetrics.tool_timer": "own_timer",
    "MLMetrics.agent_timer": "own_timer",
    "MLMetrics.model_load_timer": "track_model_load",
    **{
        f"MLMetrics.{name}": name
        for name in (
            "track_ml_inference",
            "track_parsing_accuracy",
            "track_matching_score",
            "track_file_processing",
            "track_prediction",
            "track_feedback",
            "track_prediction_error",
            "track_model_load",
        )
    },
    "OwnOperation.track": "own_score",
    "OwnOperation.timer": "own_timer",
    "OwnOperation.record": "own_record",
    "OwnOperation.record_score": "own_record_score",
    "Call.tokens": "tokens",
    "Call.finish_reason": "call_finish",
    **{
        f"Call.{name}": f"call_{name}"
        for name in (
            "score",
            "predicted",
            "batch",
            "queued",
            "first_chunk",
            "cost",
            "cached",
            "blocked",
            "fell_back",
            "size",
            "fail",
            "label",
        )
    },
    "Call.cancel": "call_fail",
    "Call.waiting": "call_queued",
    "Counter.inc": "counter",
    "Histogram.observe": "histogram",
    **{f"Gauge.{name}": "gauge" for name in ("inc", "dec", "set", "set_to_current_time")},
}
"""The row of each public recorder; a few share one, because they are the same code with other labels."""


class Parsed:
    """A result with a confidence."""

    def __init__(self, confidence: float) -> None:
        self.confidence = confidence


_results = cycle([Parsed(0.5 + number % 50 / 100) for number in range(0, 700, 7)])


def parse(_content: bytes) -> Parsed:
    """Return a result, each time another one."""
    return next(_results)


def confidence(result: Any) -> float:
    """Read the confidence of a result by hand."""
    return float(result.confidence)


def usage(_result: Any) -> dict[str, int]:
    """Return the tokens of a result."""
    return {"input": 120, "output": 48}


def in_timer(timer: Callable[[], Any], say: Callable[[Any], object]) -> Verb:
    """Return a block in a timer that says something of its call."""

    def run() -> None:
        with timer() as call:
            say(call)

    return run


def label_of(model: str) -> str:
    """Return the label that a call of it has."""
    return model


@dataclass(frozen=True, slots=True)
class Way:
    """One way to record: with ours, with nothing, and by hand; and the sample that counts what ours recorded."""

    ours: Callable[..., object]
    bare: Callable[..., object] | None
    by_hand: Verb
    counted: str
    labels: Mapping[str, str]
    arguments: tuple[Any, ...] = ()
    """What ours and the bare function are called with: one argument, or none."""


def ways(metrics: MLMetrics, hand: ByHand) -> dict[str, Way]:
    """Return every way by the name of its row."""
    return {
        **_decorated(metrics, hand),
        **_timers(metrics, hand),
        **_direct(metrics, hand),
        **_plain(metrics, hand),
    }


def _decorated(metrics: MLMetrics, hand: ByHand) -> dict[str, Way]:
    own = metrics.operation("ranking", labelnames=("index",), score=True)
    parsed, plain, labelled = partial(parse, CONTENT), partial(noop, 1), partial(label_of, "argument")
    scored = hand.call(parsed, (confidence,))

    def way(function: Callable[..., Any], bare: partial[Any], by_hand: Verb, counted: str, **labels: str) -> Way:
        return Way(function, bare.func, by_hand, counted, labels, bare.args)

    return {
        "label": way(
            metrics.track_inference(model=arg("model"))(label_of),
            labelled,
            hand.call(labelled),
            CALLS,
            model="argument",
        ),
        "accuracy": way(metrics.track_parsing(doc_type="a")(parse), parsed, scored, f"{ACCURACY}_count", doc_type="a"),
        "no_accuracy": way(
            metrics.track_parsing(doc_type="n")(noop), plain, hand.call(plain), "ml_parsing_total", doc_type="n"
        ),
        "size": way(
            metrics.track_parsing(doc_type="s", size=len)(parse),
            parsed,
            hand.call(parsed, (confidence, lambda _: len(CONTENT))),
            f"{SIZE}_count",
            file_type="s",
        ),
        "score": way(
            metrics.track_matching(matcher="m", score="confidence")(parse),
            parsed,
            scored,
            f"{SCORE}_count",
            matcher="m",
        ),
        "own_score": way(
            own.track(index="t", score="confidence")(parse), parsed, scored, "ml_ranking_score_count", index="t"
        ),
        "class": way(
            metrics.track_inference(model="c", predicted_class=lambda _: "spam")(noop),
            plain,
            hand.call(plain, counts=1),
            "ml_prediction_total",
            model="c",
        ),
        "usage": way(
            metrics.track_inference(model="u", usage=usage)(noop),
            plain,
            hand.call(plain, (float,) * 3, counts=2),
            "ml_inference_prompt_tokens_count",
            model="u",
        ),
    }


def _timers(metrics: MLMetrics, hand: ByHand) -> dict[str, Way]:
    own = metrics.operation("ranking", labelnames=("index",), score=True)
    observe, inc = partial(hand.observe, 0.5), hand.inc

    timer = partial(metrics.inference_timer, model="timer")

    def way(say: Callable[[Any], object], by_hand: Verb, counted: str) -> Way:
        return Way(in_timer(timer, say), in_timer(timer, noop), by_hand, counted, {"model": "timer"})

    def tokens_by_hand() -> None:
        inc(120), inc(48)
        for _ in range(3):
            observe()

    parsing = partial(metrics.parsing_timer, doc_type="timer")
    ranking = partial(own.timer, index="timer")
    return {
        "tokens": way(
            lambda call: call.tokens(input=120, output=48), tokens_by_hand, "ml_inference_prompt_tokens_count"
        ),
        "call_score": way(lambda call: call.score(0.5), observe, "ml_inference_score_count"),
        "call_predicted": way(lambda call: call.predicted("spam"), inc, "ml_prediction_total"),
        "call_batch": way(lambda call: call.batch(8), observe, "ml_inference_batch_size_count"),
        "call_queued": way(lambda call: call.queued(0.5), observe, "ml_inference_queue_duration_seconds_count"),
        "call_first_chunk": way(lambda call: call.first_chunk(), observe, "ml_inference_first_chunk_seconds_count"),
        "call_cost": way(lambda call: call.cost(1), inc, "ml_inference_cost_usd_total"),
        "call_cached": way(lambda call: call.cached(hit=True), inc, "ml_inference_cache_lookups_total"),
        "call_blocked": way(lambda call: call.blocked("pii"), inc, "ml_inference_guardrail_blocks_total"),
        "call_finish": way(lambda call: call.finish_reason("stop"), inc, "ml_inference_finish_reasons_total"),
        "call_fell_back": way(lambda call: call.fell_back("other"), inc, "ml_inference_fallbacks_total"),
        "call_fail": way(lambda call: call.fail("quota"), inc, "ml_inference_errors_total"),
        "call_label": Way(
            in_timer(timer, lambda call: call.label(model="labelled")),
            in_timer(timer, noop),
            inc,
            CALLS,
            {"model": "labelled"},
        ),
        "call_size": Way(
            in_timer(parsing, lambda call: call.size(2000)),
            in_timer(parsing, noop),
            observe,
            f"{SIZE}_count",
            {"file_type": "timer"},
        ),
        "own_timer": Way(
            in_timer(ranking, noop), partial(noop, 1), hand.call(int), "ml_ranking_total", {"index": "timer"}
        ),
    }


def _direct(metrics: MLMetrics, hand: ByHand) -> dict[str, Way]:
    own = metrics.operation("ranking", labelnames=("index",), score=True)
    observe, inc = partial(hand.observe, 0.93), hand.inc

    def both() -> None:
        observe()
        inc()

    return {
        "track_ml_inference": _way(partial(metrics.track_ml_inference, "d", "s", 0.25), both, CALLS, model="d"),
        "track_parsing_accuracy": _way(
            partial(metrics.track_parsing_accuracy, "p", PDF, 0.93), observe, f"{ACCURACY}_count", parser="p"
        ),
        "track_matching_score": _way(
            partial(metrics.track_matching_score, "d", 0.93), observe, f"{SCORE}_count", matcher="d"
        ),
        "track_file_processing": _way(
            partial(metrics.track_file_processing, PDF, "s", 2000), observe, f"{SIZE}_count", file_type=PDF
        ),
        "track_prediction": _way(partial(metrics.track_prediction, "d", "spam"), inc, "ml_prediction_total", model="d"),
        "track_feedback": _way(partial(metrics.track_feedback, "d", good=True), inc, "ml_feedback_total", model="d"),
        "track_prediction_error": _way(
            partial(metrics.track_prediction_error, "d", 2.5), observe, "ml_prediction_error_count", model="d"
        ),
        "track_model_load": _way(
            partial(metrics.track_model_load, "d", 2.5, "1"), partial(hand.set, 2.5), "ml_model_load_total", model="d"
        ),
        "own_record": _way(partial(own.record, 0.25, index="d"), both, "ml_ranking_total", index="d"),
        "own_record_score": _way(
            partial(own.record_score, 0.5, index="d"), observe, "ml_ranking_score_count", index="d"
        ),
    }


def _plain(metrics: MLMetrics, hand: ByHand) -> dict[str, Way]:
    counter = metrics.counter("cv_accepted", "Accepted CVs.", ("country",))
    histogram = metrics.histogram("cv_pages", "Pages.", ("country",))
    gauge = metrics.gauge("cv_waiting", "CVs that wait.", ("country",))
    return {
        "counter": _way(lambda: counter.labels(country="fr").inc(), hand.inc, "cv_accepted_total"),
        "histogram": _way(
            lambda: histogram.labels(country="fr").observe(3.0), partial(hand.observe, 3.0), "cv_pages_count"
        ),
        "gauge": _way(lambda: gauge.labels(country="fr").inc(), partial(hand.set, 1), "cv_waiting"),
    }


def _way(ours: Verb, by_hand: Verb, counted: str, **labels: str) -> Way:
    return Way(ours, None, by_hand, counted, labels)
