"""Scenarios: the calls or levels that an alert reads at each step, and the steps at which its condition must hold.

A step is the interval between two samples of a unit test. Every window is a whole number of steps, and
increments are chosen so that PromQL sums them exactly. So a scenario can be exactly at a threshold.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count
from math import ceil

from mlmetrics.monitoring.durations import MINUTE_SECONDS
from mlmetrics.monitoring.rules.indicators import Part

Inputs = Mapping[Part, Sequence[float]]
StepValues = Sequence[float | None]

# Less than a tenth, so that a threshold that is wrong by a tenth is noticed, and exact in floating point.
SLIGHTLY_MORE = 1 + 11 / 256
_SUMMABLE_PARTS = 1024
# How long Prometheus takes the last sample of a series for its value, where nothing says that the series ended.
_LOOKBACK_SECONDS = 5 * MINUTE_SECONDS


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario: `inputs` are increments (of counters) or levels (of gauges) by step, starting at step 0.

    `expected` holds, by step, the measured value where the condition of the alert holds, and None elsewhere.
    `restart` is the step at which counters begin again; the `gap` steps before it have no samples.
    """

    name: str
    inputs: Inputs
    expected: StepValues
    restart: int | None = None
    gap: int = 0

    def counter(self, part: Part) -> list[float | None]:
        """Return the values of a counter that grows by the increments of a part."""
        values: list[float | None] = []
        total = 0.0
        for step, increment in enumerate(self.inputs[part]):
            total = (0.0 if step == self.restart else total) + increment
            values.append(None if self._is_gap(step) else total)
        return values

    def gauge(self, part: Part) -> list[float | None]:
        """Return the values of a gauge for a part."""
        return [None if self._is_gap(step) else level for step, level in enumerate(self.inputs[part])]

    def _is_gap(self, step: int) -> bool:
        return self.restart is not None and self.restart - self.gap <= step < self.restart


def in_window(increments: Sequence[float], window: int, step: int) -> float:
    """Return how much was counted in the `window` steps up to `step`; the sample at step 0 only starts the counter."""
    return sum(increments[max(1, step - window + 1) : step + 1])


def shares_above(inputs: Inputs, window: int, share: float, minimum: float | None) -> list[float | None]:
    """Return the share of bad calls at each step where it exceeds `share` among at least `minimum` calls."""
    values: list[float | None] = []
    for step in range(len(inputs["all"])):
        total, bad = (in_window(inputs[part], window, step) for part in ("all", "bad"))
        enough = total > 0 and (minimum is None or total >= minimum)
        values.append(bad / total if enough and bad / total > share else None)
    return values


def values_above(levels: Sequence[float], threshold: float) -> list[float | None]:
    """Return the level at each step where it exceeds `threshold`."""
    return [level if level > threshold else None for level in levels]


def exactly_summable(value: float) -> float:
    """Return the value if sums of its eighths are exact in floating point, else one slightly below."""
    return value if float(value * _SUMMABLE_PARTS).is_integer() else value * 0.999


def fraction(share: float) -> tuple[int, int]:
    """Return a share as numerator and denominator."""
    part = Fraction(share).limit_denominator(100_000)
    return part.numerator, part.denominator


def exact_multiple(share: float, windows_seconds: Sequence[float], least: int = 1) -> int:
    """Return a multiple of a share's numerator and denominator whose rates PromQL computes without rounding."""
    num, den = fraction(share)
    rates = (num, den, den - num)
    # PromQL multiplies by 1 / window, itself rounded; the product is usually a whole number again, not always.
    return next(
        size
        for size in count(least)
        if all(rate * size * window * (1 / window) == rate * size for rate in rates for window in windows_seconds)
    )


def slightly_above(share: float) -> float:
    """Return a share just above another, and below 1: near enough to notice a threshold that is wrong by a tenth."""
    return round(min(share * SLIGHTLY_MORE, (1 + share) / 2), 12)


def call_counts(total: Sequence[float], bad: Sequence[float]) -> dict[Part, list[float]]:
    """Return the inputs of calls; the excluded ones (cancelled calls, clients that left) must not count."""
    good = [every - wrong for every, wrong in zip(total, bad, strict=True)]
    return {"all": list(total), "bad": list(bad), "good": good, "excluded": [7 * every for every in total]}


@dataclass(frozen=True, slots=True)
class StepPlan:
    """How time is divided into steps: their length, their number in a window, and how long the alert waits."""

    step_seconds: float
    window_steps: int
    for_seconds: float

    @property
    def wait_steps(self) -> int:
        """Steps that a condition must hold before the alert fires."""
        return ceil(self.for_seconds / self.step_seconds)

    @property
    def fault_steps(self) -> int:
        """Steps with a fault after which the alert fires in any case."""
        return self.window_steps + self.wait_steps + 3


def share_scenarios(plan: StepPlan, share: float, minimum: float | None) -> list[Scenario]:
    """Return the scenarios of a share of bad calls."""
    num, den = fraction(share)
    window_seconds = plan.step_seconds * plan.window_steps
    size = exact_multiple(share, [window_seconds], max(1, ceil(2 * (minimum or 0) / (den * window_seconds))))
    each = den * window_seconds * size / plan.window_steps
    fault_steps, after = plan.fault_steps, plan.window_steps + 2
    calls_by_name: dict[str, tuple[list[float], list[float]]] = {
        "exactly at the threshold": ([each] * fault_steps, [each * num / den] * fault_steps),
        "just above the threshold, then below": (
            [each] * (fault_steps + after),
            [each * slightly_above(share)] * fault_steps + [0.0] * after,
        ),
        "all bad, then all good": ([each] * (fault_steps + after), [each] * fault_steps + [0.0] * after),
    }
    growing = [each * (1 + step / plan.window_steps) for step in range(fault_steps)]
    calls_by_name["just below the threshold while traffic grows"] = (
        growing,
        [total * share * 0.97 for total in growing],
    )
    if minimum is not None:
        least = exactly_summable(minimum) / plan.window_steps
        few = (exactly_summable(minimum) - 0.5) / plan.window_steps
        calls_by_name["just enough traffic, then none"] = _then_nothing([least] * fault_steps, after)
        # Not all of them are bad, so that a window in which only the good ones are counted longer is noticed.
        calls_by_name["low traffic"] = ([few] * fault_steps, [few * (1 + share) / 2] * fault_steps)
    scenarios = []
    for name, (total, bad) in calls_by_name.items():
        inputs = call_counts([0.0, *total], [0.0, *bad])
        scenarios.append(Scenario(name, inputs, shares_above(inputs, plan.window_steps, share, minimum)))
    healthy = call_counts([each] * fault_steps * 2, [each * share / 2] * fault_steps * 2)
    idle = call_counts([each] + [0.0] * fault_steps, [each] + [0.0] * fault_steps)
    return [
        *scenarios,
        Scenario("idle service", idle, [None] * (fault_steps + 1)),
        *_restart_scenarios(healthy, fault_steps),
    ]


def _then_nothing(increments: list[float], steps: int) -> tuple[list[float], list[float]]:
    whole = increments + [0.0] * steps
    return whole, whole


def _restart_scenarios(inputs: Inputs, at: int) -> list[Scenario]:
    length = max(len(increments) for increments in inputs.values())
    silent: list[float | None] = [None] * length
    return [
        Scenario("counter reset", inputs, silent, restart=at),
        Scenario("restart with a gap", inputs, silent, restart=at, gap=2),
    ]


def growth_scenarios(plan: StepPlan, threshold: float) -> list[Scenario]:
    """Return the scenarios of a counter that grows; with a threshold of 0 a single event is too much."""
    fault_steps, after, window = plan.fault_steps, plan.window_steps + 2, plan.window_steps
    each = exactly_summable(threshold) / window
    more = [each * SLIGHTLY_MORE] * fault_steps if threshold else [0.0, 1.0] + [0.0] * plan.wait_steps
    increments_by_name = {
        "more than the threshold, then nothing": [0.0, *more, *([0.0] * after)],
        "low traffic: exactly the threshold": [0.0, *([each] * fault_steps)],
    }
    scenarios = []
    for name, increments in increments_by_name.items():
        grown = [in_window(increments, window, step) for step in range(len(increments))]
        scenarios.append(Scenario(name, _beside_others(increments), values_above(grown, threshold)))
    idle = _beside_others([100.0] + [0.0] * fault_steps)
    healthy = _beside_others([100.0] + [each / 2] * (2 * fault_steps))
    return [
        *scenarios,
        Scenario("idle service", idle, [None] * (fault_steps + 1)),
        *_restart_scenarios(healthy, fault_steps),
    ]


@dataclass(frozen=True, slots=True)
class Begun:
    """A scenario of series that begin, when their process started, and what `up` is at each step."""

    scenario: Scenario
    started_seconds: float
    up: StepValues


def begun_scenarios(plan: StepPlan, threshold: float) -> list[Begun]:
    """Return the scenarios of series that begin with more than 0: those of young processes, and of older ones."""
    return [*_young(plan, threshold), *_older(plan, threshold)]


def _young(plan: StepPlan, threshold: float) -> Iterator[Begun]:
    """Yield the scenarios of a process that counted before its first scrape.

    One starts at a step, so that it is exactly as old as the window once; another between two steps, so that it is a
    little younger than the window, and then a little older.
    """
    more, steps = threshold + 1, plan.window_steps + 4
    cases = {
        "counted before the first scrape, and nothing since": (more, 0.0),
        "counted before the first scrape, by a process that started between two": (more, 7 / 16),
        "a start in which nothing is counted": (0.0, 0.0),
        "low traffic: exactly the threshold before the first scrape": (threshold, 0.0),
    }
    for name, (counted, started) in cases.items():
        increments = [counted] + [0.0] * steps
        young = [counted if step - started < plan.window_steps else 0.0 for step in range(len(increments))]
        scenario = Scenario(name, _beside_others(increments), values_above(young, threshold))
        yield Begun(scenario, started * plan.step_seconds, [1.0] * len(increments))


def _older(plan: StepPlan, threshold: float) -> Iterator[Begun]:
    """Yield the scenarios of a process that is older than the window all the time, in which a series begins.

    Where it was there before samples were missing, it has not begun: its process did not answer, or nobody asked.
    """
    window, missing = plan.window_steps, ceil(_LOOKBACK_SECONDS / plan.step_seconds) + 2
    more, after = threshold + 1, [0.0] * (plan.window_steps + missing + 2)
    holds = [None] * window + [more] * window + [None] * (missing + 3)
    always: list[float | None] = [1.0] * len(holds)
    begun = Scenario("counted first, and nothing since", _beside_others([0.0] * window + [more, *after]), holds)
    yield Begun(replace(begun, restart=window, gap=window), -window * plan.step_seconds, always)
    # So much that VictoriaMetrics does not take the first value that it has for growth.
    known = _beside_others([threshold + 100] + [0.0] * (missing + 1) + [threshold + 100, *after])
    for name, value in {"restart: it does not answer": 0.0, "no samples at all": None}.items():
        up = [1.0, 1.0, *([value] * missing), 1.0, *([1.0] * len(after))]
        scenario = Scenario(name, known, [None] * len(up), missing + 2, missing)
        yield Begun(scenario, -window * plan.step_seconds, up)


def _beside_others(counted: Sequence[float]) -> Inputs:
    """Return the inputs of a counter that grows; its excluded series, which grow too, must not count."""
    return {"all": list(counted), "excluded": [each + 7 for each in counted]}


def level_scenarios(plan: StepPlan, threshold: float, *, limited: bool) -> list[Scenario]:
    """Return the scenarios of a gauge against a threshold, as a part of a limit if it is `limited`."""
    num, den = fraction(threshold) if limited else (threshold, 1)
    high = slightly_above(threshold) if limited else threshold * SLIGHTLY_MORE
    fault_steps = plan.wait_steps + 3
    scenarios = [
        _level_scenario("exactly at the threshold", [num] * fault_steps, den, threshold),
        _level_scenario(
            "just above the threshold, then below", [high] * fault_steps + [threshold / 2] * 3, 1, threshold
        ),
        _level_scenario(
            "above the threshold for less than the wait", [high] * plan.wait_steps + [threshold / 2] * 3, 1, threshold
        ),
    ]
    if limited:
        unlimited: dict[Part, list[float]] = {"used": [high] * fault_steps, "limit": [0.0] * fault_steps}
        scenarios.append(Scenario("no limit", unlimited, [None] * fault_steps))
    quiet: dict[Part, list[float]] = {"used": [threshold / 2] * fault_steps * 2, "limit": [1.0] * fault_steps * 2}
    return [*scenarios, Scenario("restart with a gap", quiet, [None] * fault_steps * 2, restart=fault_steps, gap=2)]


def _level_scenario(name: str, used: list[float], limit: float, threshold: float) -> Scenario:
    inputs: dict[Part, list[float]] = {"used": used, "limit": [float(limit)] * len(used)}
    return Scenario(name, inputs, values_above([level / limit for level in used], threshold))


def rate_scenarios(plan: StepPlan, threshold: float) -> list[Scenario]:
    """Return the scenarios of a counter whose rate, as a part of a limit, is measured."""
    num, den = fraction(threshold)
    fault_steps, after, step = plan.fault_steps, plan.window_steps + 2, plan.step_seconds
    high = slightly_above(threshold) * step
    scenarios = [
        _rate_scenario("exactly at the threshold", [num * step] * fault_steps, den, plan, threshold),
        _rate_scenario(
            "just above the threshold, then below", [high] * fault_steps + [0.0] * after, 1, plan, threshold
        ),
        _rate_scenario("idle service", [0.0] * fault_steps, 1, plan, threshold),
    ]
    unlimited: dict[Part, list[float]] = {"used": [high] * fault_steps, "limit": [0.0] * fault_steps}
    healthy: dict[Part, list[float]] = {
        "used": [threshold / 2 * step] * fault_steps * 2,
        "limit": [1.0] * fault_steps * 2,
    }
    return [
        *scenarios,
        Scenario("no limit", unlimited, [None] * fault_steps),
        *_restart_scenarios(healthy, fault_steps),
    ]


def _rate_scenario(name: str, used: list[float], limit: float, plan: StepPlan, threshold: float) -> Scenario:
    increments = [0.0, *used]
    inputs: dict[Part, list[float]] = {"used": increments, "limit": [float(limit)] * len(increments)}
    window_seconds = plan.step_seconds * plan.window_steps
    levels = [
        in_window(increments, plan.window_steps, step) / window_seconds / limit for step in range(len(increments))
    ]
    return Scenario(name, inputs, values_above(levels, threshold))
