"""The rows of the result: the target of each, what was measured, and whether the target is met."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.timing import Ratio


@dataclass(frozen=True, slots=True)
class Target:
    """What a row compares, and the bound for its ratio; None for a row without a target."""

    what: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def text(self) -> str:
        """The bound as the table shows it."""
        if self.at_most is not None:
            return f"≤ {self.at_most:g}"
        return "" if self.at_least is None else f"≥ {self.at_least:g}"

    def verdict(self, ratio: float) -> str:
        """Return whether a ratio is within the bound."""
        if self.at_most is not None:
            return "met" if ratio <= self.at_most else "missed"
        if self.at_least is not None:
            return "met" if ratio >= self.at_least else "missed"
        return ""


TARGETS: Mapping[str, Target] = {
    "call/floor": Target("`@track_inference`, function: our added cost ÷ the floor's", at_most=1.6),
    "call/own": Target("an operation of one's own, `@retrieval.track`, function ÷ `@track_inference`", at_most=1.1),
    "call/histogram_time": Target("bound `Histogram.time()`, as a decorator ÷ ours", at_least=5),
    "call/handwritten": Target("hand-written `labels().inc()`, `labels().observe()` ÷ ours", at_least=10),
    "call/autometrics": Target("autometrics ÷ ours, each in floors of its environment", at_least=10),
    "call/opentelemetry": Target("OpenTelemetry, one record and one add ÷ ours", at_least=25),
    "coroutine/floor": Target("`@track_inference`, coroutine: ours ÷ the coroutine floor's", at_most=1.8),
    "label/fixed": Target('label from `arg("model")` ÷ fixed label', at_most=2),
    "timer/floor": Target("`with inference_timer(...)` ÷ the floor", at_most=3),
    "timer/histogram_time": Target("bound `Histogram.time()`, around a block ÷ `inference_timer`"),
    "failure/floor": Target("a function that raises: our added cost ÷ the floor's", at_most=3),
    "failure/raising": Target("the same ÷ the floor of a function that raises"),
    "failure/handwritten": Target("hand-written outcome, error type and duration of it ÷ ours", at_least=5),
    "failure/cancelled": Target("a function that is cancelled ÷ the floor", at_most=2.5),
    "failure/burst": Target(
        "a storm of failures of 1 µs each, with a logger: throughput ÷ that of successes", at_least=0.5
    ),
    "traced/floor": Target("a function within a span that is recorded ÷ the floor", at_most=3),
    "plain/labels": Target("prometheus_client's `counter.labels(country=...).inc()` ÷ a counter of ours", at_least=3),
    "plain/counter": Target("prometheus_client's bound `counter.inc()` ÷ ours", at_least=3),
    "plain/gauge": Target("prometheus_client's bound `gauge.inc()` ÷ ours", at_least=2),
    "number/label": Target('a label from `arg("model")` ÷ the floor', at_most=1.8),
    "number/accuracy": Target("`@track_parsing`, result with a confidence ÷ the floor", at_most=2),
    "number/no_accuracy": Target("`@track_parsing`, result without one ÷ the floor", at_most=2),
    "number/size": Target("`@track_parsing(size=len)`, with a confidence ÷ the floor", at_most=3),
    "number/score": Target("`@track_matching(score=...)` ÷ the floor", at_most=2),
    "number/own_score": Target("an operation of one's own with `score=` ÷ the floor", at_most=2),
    "number/class": Target("`@track_inference(predicted_class=...)` ÷ the floor"),
    "number/usage": Target("`@track_inference(usage=...)`, two types and three lengths ÷ the floor", at_most=3.5),
    "number/tokens": Target("`call.tokens(input=, output=)`, beside its timer ÷ the floor", at_most=2),
    "number/tokens_by_hand": Target("the same by hand ÷ ours", at_least=3),
    "number/call_score": Target("`call.score(...)`, beside its timer ÷ the floor"),
    "number/call_predicted": Target("`call.predicted(...)`, beside its timer ÷ the floor"),
    "number/call_size": Target("`call.size(...)`, beside its timer ÷ the floor"),
    "number/call_batch": Target("`call.batch(...)`, beside its timer ÷ the floor"),
    "number/call_queued": Target("`call.queued(...)`, beside its timer ÷ the floor"),
    "number/call_first_chunk": Target("`call.first_chunk(...)`, beside its timer ÷ the floor"),
    "number/call_cost": Target("`call.cost(...)`, beside its timer ÷ the floor"),
    "number/call_cached": Target("`call.cached(...)`, beside its timer ÷ the floor"),
    "number/call_blocked": Target("`call.blocked(...)`, beside its timer ÷ the floor"),
    "number/call_finish": Target("`call.finish_reason(...)`, beside its timer ÷ the floor"),
    "number/call_fell_back": Target("`call.fell_back(...)`, beside its timer ÷ the floor"),
    "number/call_fail": Target("`call.fail(...)`, beside its timer ÷ the floor"),
    "number/call_label": Target("`call.label(...)`, beside its timer ÷ the floor"),
    "number/own_timer": Target("the timer of an operation of one's own ÷ the floor"),
    "number/track_ml_inference": Target("`track_ml_inference(...)` ÷ the floor", at_most=3),
    "number/track_ml_inference_by_hand": Target("the same by hand ÷ ours", at_least=3),
    "number/track_parsing_accuracy": Target("`track_parsing_accuracy(...)` ÷ the floor", at_most=3),
    "number/track_parsing_accuracy_by_hand": Target("the same by hand ÷ ours", at_least=3),
    "number/track_matching_score": Target("`track_matching_score(...)` ÷ the floor", at_most=3),
    "number/track_matching_score_by_hand": Target("the same by hand ÷ ours", at_least=3),
    "number/track_file_processing": Target("`track_file_processing(...)` ÷ the floor", at_most=3),
    "number/track_file_processing_by_hand": Target("the same by hand ÷ ours", at_least=3),
    "number/track_prediction": Target("`track_prediction(...)` ÷ the floor", at_most=3),
    "number/track_prediction_by_hand": Target("the same by hand ÷ ours", at_least=3),
    "number/track_feedback": Target("`track_feedback(...)` ÷ the floor", at_most=3),
    "number/track_feedback_by_hand": Target("the same by hand ÷ ours", at_least=3),
    "number/track_prediction_error": Target("`track_prediction_error(...)` ÷ the floor", at_most=3),
    "number/track_prediction_error_by_hand": Target("the same by hand ÷ ours", at_least=3),
    "number/track_model_load": Target("`track_model_load(...)` ÷ the floor"),
    "number/own_record": Target("`record(...)` of an operation of one's own ÷ the floor", at_most=3),
    "number/own_record_by_hand": Target("the same by hand ÷ ours", at_least=3),
    "number/own_record_score": Target("`record_score(...)` of an operation of one's own ÷ the floor", at_most=3),
    "number/own_record_score_by_hand": Target("the same by hand ÷ ours", at_least=3),
    "number/counter": Target("`counter.labels(...).inc()` ÷ the floor", at_most=3),
    "number/counter_by_hand": Target("the same by hand ÷ ours", at_least=3),
    "number/histogram": Target("`histogram.labels(...).observe()` ÷ the floor", at_most=3),
    "number/histogram_by_hand": Target("the same by hand ÷ ours", at_least=3),
    "number/gauge": Target("`gauge.labels(...).inc()` ÷ the floor", at_most=3),
    "number/gauge_by_hand": Target("the same by hand ÷ ours", at_least=3),
    "chunk/floor": Target("a chunk of a generator ÷ the floor", at_most=0.8),
    "async_chunk/floor": Target("a chunk of an async generator ÷ the floor", at_most=1.5),
    "answer/usage": Target("reading the usage of an answer of `openai`, in µs", at_most=2),
    "answer/none": Target('answers known to have no usage: `usage="auto"` ÷ `usage=None`', at_most=1.15),
    "answer/chunk": Target("a chunk of a stream of `openai`, beside its own iteration ÷ the floor", at_most=1),
    "answer/async_chunk": Target("a chunk of an async stream of `openai`, beside its own iteration ÷ the floor"),
    "answer/instrument": Target("`instrument_openai()`, in ms", at_most=5),
    "watch/predict": Target("a watched `predict`, with its batch size, beside its own call ÷ the floor", at_most=2),
    "watch/classes": Target("a watched `predict` of a classifier, with its class ÷ the floor", at_most=2),
    "watch/scores": Target("a watched `predict_proba`, with its score ÷ the floor"),
    "otel/call": Target("a function whose numbers go to OpenTelemetry as well ÷ ours alone", at_most=1.1),
    "otel/number": Target("a number handed over in the background ÷ `record` of OpenTelemetry's SDK", at_most=1.1),
    "forward/floor": Target("a forward of a watched torch module ÷ the floor", at_most=2),
    "request/cheapest": Target("middleware, a request: the cheapest peer ÷ ours", at_least=7),
    "request/instrumentator": Target("prometheus-fastapi-instrumentator ÷ ours"),
    "request/starlette_exporter": Target("starlette_exporter ÷ ours"),
    "request/base_http": Target("hand-written `BaseHTTPMiddleware` ÷ ours"),
    "request/opentelemetry": Target("opentelemetry-instrumentation-fastapi ÷ ours"),
    "websocket/message": Target("a message received and sent back through a WebSocket, with us ÷ without", at_most=1.5),
    "websocket/by_hand": Target("hand-written `labels(...).inc()` of a message each way ÷ ours", at_least=4),
    "websocket/opentelemetry": Target("OpenTelemetry, without a tracer, of a message each way ÷ ours", at_least=20),
    "request/failed": Target("a request whose endpoint raises ÷ one that is answered", at_most=2),
    "request/cancelled": Target("a request that is cancelled ÷ one that is answered", at_most=2),
    "request/header": Target('`request_id="header"` ÷ an id that log events have too'),
    "request/no_id": Target("`request_id=False` ÷ an id that log events have too"),
    "scrape/text_idle": Target("text, idle series: `generate_latest` ÷ ours", at_least=10),
    "scrape/text_changed": Target("text, every series changed: `generate_latest` ÷ ours", at_least=10),
    "scrape/openmetrics_idle": Target("OpenMetrics, idle series: `generate_latest` ÷ ours", at_least=10),
    "scrape/openmetrics_changed": Target("OpenMetrics, every series changed: `generate_latest` ÷ ours", at_least=10),
    "scrape/native": Target("the client's own metrics, text, every series changed ÷ ours"),
    "scrape_p99/recording": Target("8 threads, p99 of a recording: while scraped ÷ left alone", at_most=2),
    "threads/throughput": Target("8 threads, one series: our throughput ÷ histogram and counter", at_least=3),
    "memory/histogram": Target("bytes of a histogram series ÷ prometheus_client's", at_most=1.5),
    "memory/call": Target("bytes of all series of a call ÷ the same in prometheus_client", at_most=1.5),
    "page/bytes": Target(
        "a page of 100 routes, one of them asked for: ours ÷ that of prometheus-fastapi-instrumentator"
    ),
    "import/time": Target("`import mlmetrics` ÷ its three dependencies", at_most=1.2),
    "served/throughput": Target("FastAPI under `wrk`: instrumented ÷ bare", at_least=0.97),
    "greedy/throughput": Target("requests, while 4 clients scrape 2.4 MB without pause ÷ alone", at_least=0.8),
    "greedy/median": Target("the same, their median latency: while scraped ÷ alone", at_most=2),
    "greedy/processor": Target("the same, requests a second of the server's processor time: while scraped ÷ alone"),
    "greedy/gzip_throughput": Target("requests, while 4 clients scrape them compressed ÷ alone", at_least=0.8),
    "greedy/gzip_median": Target("the same, their median latency: while scraped ÷ alone", at_most=2),
    "greedy/gzip_processor": Target("the same, requests a second of processor time: while scraped ÷ alone"),
    "greedy/instrumentator_throughput": Target("the same of prometheus-fastapi-instrumentator, uncompressed"),
    "greedy/instrumentator_median": Target("its median latency: while scraped ÷ alone"),
    "greedy/instrumentator_processor": Target("its requests a second of processor time: while scraped ÷ alone"),
    "workers/call": Target("several processes, function: our added cost ÷ the floor's", at_most=3),
    "workers/call_1000": Target("several processes, 1,000 functions in turn ÷ the floor", at_most=4),
    "workers/client": Target("several processes: histogram, counter and gauge of the client ÷ ours", at_least=10),
    "workers/request": Target("middleware, a request: several processes ÷ one", at_most=1.5),
    "workers/scrape": Target("4 workers, 1,000 models each: `MultiProcessCollector` ÷ our scrape", at_least=10),
    "workers/dead": Target("a scrape: 1,000 dead workers ÷ none", at_most=1.2),
    "live/refresh": Target("the live page, 50 targets of 2,000 series: a refresh on one core, in seconds", at_most=2),
    "live/text": Target("reading a page whose numbers changed: `prometheus_client`'s parser ÷ ours", at_least=20),
    "live/memory": Target("memory of the same after 450 refreshes, in MB"),
    "served/processor": Target("the same, requests a second of the server's processor time: instrumented ÷ bare"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One measured row. `sides` are medians of what was compared, in `unit`."""

    name: str
    ratio: Ratio
    unit: str
    sides: Mapping[str, float]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """A row that could not be measured, and why. `wrong` says that a check failed, not that a tool is missing."""

    name: str
    why: str
    wrong: bool = False


@dataclass(slots=True)
class Results:
    """One run: the machine, the rows, and what is missing."""

    machine: Mapping[str, Any]
    rows: list[Row] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        rows = [{**asdict(row), "target": TARGETS[row.name].text, "verdict": verdict(row)} for row in self.rows]
        kept = {"machine": self.machine, "rows": rows, "missing": [asdict(missing) for missing in self.missing]}
        path.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load(path: Path) -> Results:
    """Read results that `save` has written."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    results = Results(kept["machine"], [], [Missing(**missing) for missing in kept["missing"]])
    for row in kept["rows"]:
        ratio = Ratio(**row["ratio"])
        results.rows.append(Row(row["name"], ratio, row["unit"], row["sides"], row["note"]))
    return results


def verdict(row: Row) -> str:
    """Return whether a row meets its target."""
    return TARGETS[row.name].verdict(row.ratio.value)


def medians(**sides: Sequence[float]) -> dict[str, float]:
    """Return the median of each side, rounded for reading."""
    return {name: round(statistics.median(values), 1) for name, values in sides.items()}
