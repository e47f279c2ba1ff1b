"""What every public way to record a number costs, beside the floor and what one writes by hand.

With `PROMETHEUS_MULTIPROC_DIR` set, the same is measured in another process (`python -m benchmarks.numbers ROUNDS`),
because prometheus_client decides at its import where its values stand.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import repeat

from benchmarks.by_hand import ByHand
from benchmarks.floor import floor_sides
from benchmarks.in_files import run_in_files
from benchmarks.ours import Toolkit
from benchmarks.results import TARGETS, Missing, Row, medians
from benchmarks.timing import Side, added, interleave, ratio
from benchmarks.ways import DECORATED, Way, ways
from mlmetrics.pricing import genai

Loop = Callable[[int], None]


def looped(verb: Callable[..., object] | None, finish: Callable[[], object] = int, *arguments: object) -> Loop:
    """Return what calls a verb so many times, with one argument or none; with None, the loop alone."""

    def run(units: int) -> None:
        for _ in repeat(None, units):
            verb()  # type: ignore[misc]  # not with None
        finish()

    def run_with(units: int) -> None:
        (argument,) = arguments
        for _ in repeat(None, units):
            verb(argument)  # type: ignore[misc]  # as above
        finish()

    def empty(units: int) -> None:
        for _ in repeat(None, units):
            pass

    return empty if verb is None else run_with if arguments else run


def costs(rounds: int) -> Iterator[tuple[str, Mapping[str, list[float]]]]:
    """Yield what each way costs more than nothing, in nanoseconds: ours, by hand, and the floor of the same run."""
    for name in ways(Toolkit().metrics, ByHand()):
        toolkit = Toolkit()  # one of its own, because all that a toolkit has is folded
        way = ways(toolkit.metrics, ByHand())[name]
        bare, floor = floor_sides()
        sides = [
            Side("bare call", bare.run),
            floor,
            Side("bare", looped(way.bare, int, *way.arguments)),
            Side("ours", looped(way.ours, toolkit.fold, *way.arguments), partial(_counted, toolkit, way)),
            Side("by hand", looped(way.by_hand)),
            Side("nothing", looped(None)),
        ]
        times = interleave(sides, rounds)
        by_hand = added(times, "by hand", "bare" if name in DECORATED else "nothing")
        yield name, {"ours": added(times, "ours"), "floor": added(times, "floor", "bare call"), "by_hand": by_hand}


@contextmanager
def without_prices() -> Iterator[None]:
    """Have no prices in use, whatever is installed: a call that is priced records a cost as well."""
    installed = genai.installed
    genai.installed = lambda: False  # type: ignore[assignment]  # as if it were not
    try:
        yield
    finally:
        genai.installed = installed


def _counted(toolkit: Toolkit, way: Way) -> float:
    return toolkit.value(way.counted, **way.labels)


def measure_numbers(rounds: int) -> list[Row | Missing]:
    """Measure every way, in memory and in files."""
    with without_prices():
        found = dict(costs(rounds))
    in_files = _in_files(rounds)
    rows: list[Row | Missing] = []
    for name, cost in found.items():
        sides = {**medians(**cost), **{f"{side}_in_files": number for side, number in in_files.get(name, {}).items()}}
        rows.append(Row(f"number/{name}", ratio(cost["ours"], cost["floor"]), "ns", sides))
        if f"number/{name}_by_hand" in TARGETS:
            rows.append(Row(f"number/{name}_by_hand", ratio(cost["by_hand"], cost["ours"]), "ns", sides))
    return rows


def _in_files(rounds: int) -> dict[str, dict[str, float]]:
    done = run_in_files("benchmarks.numbers", rounds)
    done.check_returncode()
    measured: dict[str, dict[str, float]] = json.loads(done.stdout)
    return measured


if __name__ == "__main__":
    with without_prices():
        sys.stdout.write(json.dumps({name: medians(**cost) for name, cost in costs(int(sys.argv[1]))}))
