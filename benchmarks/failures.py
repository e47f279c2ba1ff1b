"""Bad days: calls that fail or are cancelled, and calls within a recorded span, beside the floor and hand-written code.

No logging is configured, so that no event is written; a storm with a logger is the row `failure/burst`.
"""

import asyncio
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import repeat
from time import perf_counter
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry, Counter

from benchmarks.floor import Pending, calling, floor_sides, noop
from benchmarks.ours import Toolkit
from benchmarks.peers import MODEL, SERVICE, histogram, sample
from benchmarks.results import Row, medians
from benchmarks.timing import NotTheSameError, Side, added, interleave, ratio

TEXT = b"a line of a document" * 50
MOST_LINES = 60


def failing(_: int) -> None:
    """Fail."""
    raise KeyError


def cancelled(_: int) -> None:
    """Be cancelled."""
    raise asyncio.CancelledError


def caught(function: Callable[[int], Any], finish: Callable[[], object] = int) -> Callable[[int], None]:
    """Return a loop of calls whose exceptions are caught; `finish` folds what has not been folded yet."""

    def run(units: int) -> None:
        for _ in repeat(None, units):
            try:  # noqa: SIM105 (`suppress` would cost more than what is measured)
                function(1)
            except BaseException:  # noqa: BLE001, S110 (all of it is caught, on every side alike)
                pass
        finish()

    return run


def floored(function: Callable[[int], Any], pending: Pending) -> Callable[[int], Any]:
    """Return the function with the least that measuring calls that raise can cost."""
    append, clock = pending.numbers.append, perf_counter

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        start = clock()
        try:
            result = function(*args, **kwargs)
        except BaseException:
            append(clock() - start)
            raise
        append(clock() - start)
        return result

    return wrapper


def handwritten(function: Callable[[int], Any]) -> Side:
    """Return what users write by hand: the outcome, the type of what was raised, and the duration."""
    registry = CollectorRegistry()
    durations = histogram(registry)
    names = ("service", "model", "operation")
    outcomes = Counter("calls", "Calls.", (*names, "outcome"), registry=registry)
    errors = Counter("errors", "Errors.", (*names, "error_type"), registry=registry)

    def timed(number: int) -> Any:
        start = perf_counter()
        try:
            return function(number)
        except Exception as error:
            outcomes.labels(SERVICE, MODEL, "", "failure").inc()
            errors.labels(SERVICE, MODEL, "", type(error).__name__).inc()
            durations.labels(SERVICE, MODEL, "").observe(perf_counter() - start)
            raise

    return Side("handwritten", caught(timed), lambda: sample(registry, "errors_total"))


def ended(toolkit: Toolkit, outcome: str) -> float:
    """Return the calls with this outcome; check that each failure has its type, and that nothing else was recorded.

    Raises:
        NotTheSameError: they disagree.
    """
    found = toolkit.value("ml_inference_total", outcome=outcome)
    typed = toolkit.value("ml_inference_errors_total")
    if toolkit.value("ml_inference_total") != found or typed != (found if outcome == "failure" else 0):
        raise NotTheSameError(f"{found} of outcome {outcome}, {typed} with an error type")
    return found


def measure_failures(rounds: int) -> list[Row]:
    """Measure calls that fail, calls that are cancelled, and a storm of failures with a logger."""
    return [*_failing(rounds), *_cancelled(rounds), *_burst(rounds)]


def _failing(rounds: int) -> list[Row]:
    toolkit, pending = Toolkit(), Pending()
    tracked = toolkit.metrics.track_inference(model=MODEL)(failing)
    sides = [
        *floor_sides(),
        Side("bare failing", caught(failing)),
        Side("floor failing", caught(floored(failing, pending), pending.empty), lambda: pending.recorded),
        Side("ours", caught(tracked, toolkit.fold), lambda: ended(toolkit, "failure")),
        handwritten(failing),
    ]
    times = interleave(sides, rounds)
    floor = added(times, "floor")
    ours, raising, theirs = (added(times, name, "bare failing") for name in ("ours", "floor failing", "handwritten"))
    return [
        Row("failure/floor", ratio(ours, floor), "ns", medians(ours=ours, floor=floor)),
        Row("failure/raising", ratio(ours, raising), "ns", medians(ours=ours, floor_of_a_failure=raising)),
        Row("failure/handwritten", ratio(theirs, ours), "ns", medians(handwritten=theirs, ours=ours)),
    ]


def _cancelled(rounds: int) -> list[Row]:
    toolkit = Toolkit()
    tracked = toolkit.metrics.track_inference(model=MODEL)(cancelled)
    sides = [
        *floor_sides(),
        Side("bare cancelled", caught(cancelled)),
        Side("ours", caught(tracked, toolkit.fold), lambda: ended(toolkit, "cancelled")),
    ]
    times = interleave(sides, rounds)
    ours, floor = added(times, "ours", "bare cancelled"), added(times, "floor")
    return [Row("failure/cancelled", ratio(ours, floor), "ns", medians(ours=ours, floor=floor))]


def hashing(_: int) -> str:
    """Do a little work, as the least that a service does."""
    return sha256(TEXT).hexdigest()


def hashing_in_vain(number: int) -> None:
    """Do the same work, and fail."""
    hashing(number)
    raise KeyError


def _burst(rounds: int) -> list[Row]:
    """Measure the throughput of a storm of failures whose events are written, and of calls that succeed."""
    good, bad = Toolkit(), Toolkit()
    track = {"succeeding": good.metrics.track_inference, "failing": bad.metrics.track_inference}
    with _logged() as lines:
        sides = [
            Side("succeeding", caught(track["succeeding"](model=MODEL)(hashing), good.fold), lambda: good.calls(MODEL)),
            Side(
                "failing",
                caught(track["failing"](model=MODEL)(hashing_in_vain), bad.fold),
                lambda: ended(bad, "failure"),
            ),
        ]
        times = interleave(sides, rounds)
    written, failures = lines.getvalue().count("\n"), int(ended(bad, "failure"))
    if not 0 < written < MOST_LINES:
        raise NotTheSameError(f"{failures} failures wrote {written} lines")
    per_second = {name: [1e6 / each for each in times[name]] for name in ("failing", "succeeding")}
    note = f"{failures:,} failures wrote {written} lines"
    return [Row("failure/burst", ratio(*per_second.values()), "calls/ms", medians(**per_second), note)]


@contextmanager
def _logged() -> Iterator[io.StringIO]:
    lines = io.StringIO()
    handler, logger = logging.StreamHandler(lines), logging.getLogger("mlmetrics")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)


def measure_traced(rounds: int) -> list[Row]:
    """Measure calls within a span that is recorded."""
    trace.set_tracer_provider(TracerProvider())
    toolkit = Toolkit()
    tracked = calling(toolkit.metrics.track_inference(model=MODEL)(noop), toolkit.fold)
    with trace.get_tracer("benchmark").start_as_current_span("benchmark"):
        times = interleave([*floor_sides(), Side("ours", tracked, lambda: toolkit.calls(MODEL))], rounds)
    ours, floor = added(times, "ours"), added(times, "floor")
    return [Row("traced/floor", ratio(ours, floor), "ns", medians(ours=ours, floor=floor))]
