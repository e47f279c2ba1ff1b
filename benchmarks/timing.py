"""Interleaved timing: in every round each side runs for a short slice, so that noise affects all sides equally.

The clock is the processor time of the measuring thread, so that the work of other processes is not counted.

The module needs the standard library only, because it also runs in environments without mlmetrics.
"""

import gc
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import thread_time_ns

PROOF_UNITS = 2500
"""Units of the check before the timing: more than two folds of ours."""
LEAST_UNITS, MOST_UNITS = 4, 1 << 20
SLICE_NS = 4_000_000
SETTLING_SLICES = 3

Times = Mapping[str, Sequence[float]]
"""Nanoseconds a unit, by side and round."""


class NotTheSameError(Exception):
    """A side did not record every unit, so that its time cannot be compared."""


@dataclass(frozen=True, slots=True)
class Side:
    """One way to do the same thing.

    `run` does the given number of units and folds them; `recorded` returns how many units were
    recorded in all, and is None if the side records nothing.
    """

    name: str
    run: Callable[[int], object]
    recorded: Callable[[], float] | None = None


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of medians, and the quartiles of the ratios of single rounds."""

    value: float
    low: float
    high: float


@contextmanager
def collecting(*, on: bool) -> Iterator[None]:
    """Turn garbage collection on or off during the block, the same for all sides."""
    gc.collect()
    if not on:
        gc.disable()
    try:
        yield
    finally:
        gc.enable()


def prove(sides: Sequence[Side], units: int = PROOF_UNITS) -> None:
    """Run each side, and check that it recorded every unit once.

    Raises:
        NotTheSameError: a side recorded more or less.
    """
    for side in sides:
        before = side.recorded() if side.recorded else 0.0
        side.run(units)
        if side.recorded and side.recorded() - before != units:
            raise NotTheSameError(f"{side.name} recorded {side.recorded() - before} of {units}")


def interleave(
    sides: Sequence[Side],
    rounds: int,
    proof_units: int = PROOF_UNITS,
    *,
    collector: bool = False,
    slice_ns: int = SLICE_NS,
) -> Times:
    """Return the nanoseconds a unit of each side in each round; counts are checked before and after.

    `collector` leaves garbage collection on, for sides whose objects only the collector can free. `slice_ns` is longer
    for long units: the fold at the end of a slice is to be that of some hundred of them, as in a program.
    """
    prove(sides, proof_units)
    with collecting(on=collector):
        slices = {side.name: _units_of_a_slice(side, slice_ns) for side in sides}
        before = {side.name: side.recorded() for side in sides if side.recorded}
        times: dict[str, list[float]] = {side.name: [] for side in sides}
        for number in range(rounds):
            first = number % len(sides)
            for side in (*sides[first:], *sides[:first]):
                times[side.name].append(_time_a_slice(side, slices[side.name]))
    for side in sides:
        if side.recorded and side.recorded() - before[side.name] != rounds * slices[side.name]:
            raise NotTheSameError(f"{side.name} lost or doubled some of {rounds * slices[side.name]}")
    return times


def _units_of_a_slice(side: Side, slice_ns: int) -> int:
    """Return the number of units that fill a slice, measured in runs that also warm the side up."""
    units = LEAST_UNITS
    while (spent := _time_a_slice(side, units) * units) < slice_ns / 4 and units < MOST_UNITS:
        units *= 2
    units = min(MOST_UNITS, max(LEAST_UNITS, round(units * slice_ns / spent)))
    for _ in range(SETTLING_SLICES):
        side.run(units)
    return units


def _time_a_slice(side: Side, units: int) -> float:
    start = thread_time_ns()
    side.run(units)
    return (thread_time_ns() - start) / units


def added(times: Times, name: str, bare: str = "bare") -> list[float]:
    """Return what a side costs more than the bare side, for each round."""
    return [with_it - without for with_it, without in zip(times[name], times[bare], strict=True)]


def ratio(above: Sequence[float], below: Sequence[float]) -> Ratio:
    """Return the ratio of `above` to `below`."""
    single = [a / b for a, b in zip(above, below, strict=True) if b > 0]
    low, _, high = statistics.quantiles(single, n=4) if len(single) > 1 else single * 3
    return Ratio(statistics.median(above) / statistics.median(below), low, high)
