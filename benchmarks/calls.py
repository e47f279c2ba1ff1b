"""Calls: decorated functions, coroutines, labels from arguments, timers and chunks, beside the floor and peers."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from itertools import repeat
from typing import Any

from benchmarks.autometrics import Elsewhere, measure_elsewhere
from benchmarks.floor import Pending, async_floored, async_noop, awaiting, calling, drive, floor_sides, noop
from benchmarks.ours import Toolkit
from benchmarks.peers import PEERS, histogram_block
from benchmarks.results import Missing, Row, medians
from benchmarks.timing import Ratio, Side, added, interleave, ratio
from mlmetrics import arg

MODEL = "gpt-4"


def measure_calls(rounds: int) -> list[Row]:
    """Measure a decorated function, the floor and the peers."""
    toolkit = Toolkit()
    tracked = calling(toolkit.metrics.track_inference(model=MODEL)(noop), toolkit.fold)
    ours = Side("ours", tracked, lambda: toolkit.calls(MODEL))
    retrieval = toolkit.metrics.operation("retrieval", labelnames=("index",))
    own = Side("own", calling(retrieval.track(index=MODEL)(noop), toolkit.fold), lambda: toolkit.calls_of("retrieval"))
    times = interleave([*floor_sides(), ours, own, *(peer() for peer in PEERS)], rounds)
    cost = {name: added(times, name) for name in times if name != "bare"}
    rows = [
        Row("call/floor", ratio(cost["ours"], cost["floor"]), "ns", medians(ours=cost["ours"], floor=cost["floor"])),
        Row("call/own", ratio(cost["own"], cost["ours"]), "ns", medians(own=cost["own"], ours=cost["ours"])),
    ]
    for name in ("histogram_time", "handwritten", "opentelemetry"):
        sides = medians(**{name: cost[name], "ours": cost["ours"]})
        rows.append(Row(f"call/{name}", ratio(cost[name], cost["ours"]), "ns", sides))
    return rows


def measure_autometrics(rounds: int) -> list[Row | Missing]:
    """Compare a decorated function with autometrics, each as a multiple of the floor of its environment."""
    try:
        there = measure_elsewhere(rounds)
    except Elsewhere as problem:
        return [Missing("call/autometrics", str(problem))]
    toolkit = Toolkit()
    tracked = calling(toolkit.metrics.track_inference(model=MODEL)(noop), toolkit.fold)
    times = interleave([*floor_sides(), Side("ours", tracked, lambda: toolkit.calls(MODEL))], rounds)
    here = ratio(added(times, "ours"), added(times, "floor"))
    theirs = ratio(added(there, "autometrics"), added(there, "floor"))
    sides = {"autometrics": round(theirs.value, 2), "ours": round(here.value, 2)}
    spread = Ratio(theirs.value / here.value, theirs.low / here.high, theirs.high / here.low)
    return [Row("call/autometrics", spread, "floors", sides)]


def measure_coroutines(rounds: int) -> list[Row]:
    """Measure a decorated coroutine function, and the floor written as a coroutine."""
    toolkit, pending = Toolkit(), Pending()
    tracked = toolkit.metrics.track_inference(model=MODEL)(async_noop)
    sides = [
        Side("bare", awaiting(async_noop)),
        Side("floor", awaiting(async_floored(async_noop, pending), pending.empty), lambda: pending.recorded),
        Side("ours", awaiting(tracked, toolkit.fold), lambda: toolkit.calls(MODEL)),
    ]
    return [_against("coroutine/floor", sides, rounds)]


def measure_labels(rounds: int) -> list[Row]:
    """Measure a label that is an argument of the call, and one that the decorator fixes."""
    toolkit = Toolkit()

    def ask(number: int, model: str) -> tuple[int, str]:
        return number, model

    def loop(function: Callable[..., Any]) -> Callable[[int], None]:
        def run(units: int) -> None:
            for _ in repeat(None, units):
                function(1, "named")
            toolkit.fold()

        return run

    fixed = toolkit.metrics.track_inference(model="fixed")(ask)
    named = toolkit.metrics.track_inference(model=arg("model"))(ask)
    sides = [
        Side("bare", loop(ask)),
        Side("fixed", loop(fixed), lambda: toolkit.calls("fixed")),
        Side("named", loop(named), lambda: toolkit.calls("named")),
    ]
    return [_against("label/fixed", sides, rounds, "named", "fixed")]


def measure_timers(rounds: int) -> list[Row]:
    """Measure a timer around a block, the floor, and prometheus_client's timer."""
    toolkit = Toolkit()
    inference_timer = toolkit.metrics.inference_timer

    def run(units: int) -> None:
        for _ in repeat(None, units):
            with inference_timer(model=MODEL):
                noop(1)
        toolkit.fold()

    sides = [*floor_sides(), Side("ours", run, lambda: toolkit.calls(MODEL)), histogram_block()]
    times = interleave(sides, rounds)
    ours, floor, theirs = (added(times, name) for name in ("ours", "floor", "histogram_time"))
    return [
        Row("timer/floor", ratio(ours, floor), "ns", medians(ours=ours, floor=floor)),
        Row("timer/histogram_time", ratio(theirs, ours), "ns", medians(histogram_time=theirs, ours=ours)),
    ]


def chunks(units: int) -> Generator[int]:
    """Yield this number of chunks."""
    yield from repeat(1, units)


async def async_chunks(units: int) -> AsyncGenerator[int]:
    """Yield this number of chunks, from an async generator."""
    for chunk in repeat(1, units):
        yield chunk


def measure_chunks(rounds: int) -> list[Row]:
    """Measure a chunk of a decorated generator with its interval, and the floor of a call."""
    toolkit = Toolkit()

    def loop(function: Callable[[int], Generator[int]], finish: Callable[[], object]) -> Callable[[int], None]:
        def run(units: int) -> None:
            for _ in function(units):
                pass
            finish()

        return run

    tracked = toolkit.metrics.track_inference(model=MODEL)(chunks)
    sides = [
        *_renamed(floor_sides()),
        Side("bare", loop(chunks, lambda: None)),
        Side("ours", loop(tracked, toolkit.fold), lambda: _chunks_of(toolkit)),
    ]
    return [_against_calls("chunk/floor", sides, rounds)]


def measure_async_chunks(rounds: int) -> list[Row]:
    """Measure a chunk of a decorated async generator with its interval, and the floor of a call."""
    toolkit = Toolkit()

    def loop(function: Callable[[int], AsyncGenerator[int]], finish: Callable[[], object]) -> Callable[[int], None]:
        async def consume(units: int) -> None:
            async for _ in function(units):
                pass

        def run(units: int) -> None:
            coroutine: Coroutine[Any, Any, None] = consume(units)
            drive(coroutine)
            finish()

        return run

    tracked = toolkit.metrics.track_inference(model=MODEL)(async_chunks)
    sides = [
        *_renamed(floor_sides()),
        Side("bare", loop(async_chunks, lambda: None)),
        Side("ours", loop(tracked, toolkit.fold), lambda: _chunks_of(toolkit)),
    ]
    return [_against_calls("async_chunk/floor", sides, rounds)]


def _renamed(sides: tuple[Side, Side]) -> tuple[Side, Side]:
    """Rename the bare call of the floor, because `bare` is the bare stream here."""
    bare, floor = sides
    return Side("bare call", bare.run), floor


def _chunks_of(toolkit: Toolkit) -> float:
    """Return the recorded chunks: the first has its own metric, the others the interval before them."""
    toolkit.calls(MODEL)
    gaps = toolkit.value("ml_inference_chunk_interval_seconds_count", model=MODEL)
    return gaps + toolkit.value("ml_inference_first_chunk_seconds_count", model=MODEL)


def _against(name: str, sides: list[Side], rounds: int, above: str = "ours", below: str = "floor") -> Row:
    times = interleave(sides, rounds)
    costs = {above: added(times, above), below: added(times, below)}
    return Row(name, ratio(costs[above], costs[below]), "ns", medians(**costs))


def _against_calls(name: str, sides: list[Side], rounds: int) -> Row:
    times = interleave(sides, rounds)
    ours, floor = added(times, "ours"), added(times, "floor", "bare call")
    return Row(name, ratio(ours, floor), "ns", medians(ours=ours, floor=floor))
