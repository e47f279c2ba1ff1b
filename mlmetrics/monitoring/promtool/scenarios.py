"""Runs: what calls or levels an alert sees step by step, and at which steps its condition must hold.

A step is the interval at which a proof has samples. Every window is a whole number of steps, and
increments are such that PromQL's sums are exact; so a run may stand exactly on a threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from math import ceil

from mlmetrics.monitoring.rules.indicators import Part

Flows = Mapping[Part, Sequence[float]]
State = Sequence[float | None]

# Less than the tenth by which a wrong threshold would be noticed, and exact in floating point.
SLIGHTLY = 1 + 11 / 256
_EXACT_PARTS = 1024


@dataclass(frozen=True, slots=True)
class Run:
    """One story: `flows` are increments (of counters) or levels (of gauges) by step, starting at step 0.

    `state` holds, by step, the measured value where the alert's condition holds, else None.
    `restart` is the step at which counters begin again; the `gap` steps before it have no samples.
    """

    name: str
    flows: Flows
    state: State
    restart: int | None = None
    gap: int = 0

    def counter(self, part: Part) -> list[float | None]:
        """Return the values of a counter that grows by the flow."""
        values: list[float | None] = []
        total = 0.0
        for step, increment in enumerate(self.flows[part]):
            total = (0.0 if step == self.restart else total) + increment
            values.append(None if self._is_gap(step) else total)
        return values

    def gauge(self, part: Part) -> list[float | None]:
        """Return the values of a gauge."""
        return [None if self._is_gap(step) else level for step, level in enumerate(self.flows[part])]

    def _is_gap(self, step: int) -> bool:
        return self.restart is not None and self.restart - self.gap <= step < self.restart


def in_window(increments: Sequence[float], window: int, step: int) -> float:
    """Return what was counted in the `window` steps up to `step`; the sample at step 0 only starts the counter."""
    return sum(increments[max(1, step - window + 1) : step + 1])


def share_state(flows: Flows, window: int, share: float, minimum: float | None) -> list[float | None]:
    """Return the share of bad calls at each step where it exceeds `share` among at least `minimum` calls."""
    state: list[float | None] = []
    for step in range(len(flows["all"])):
        total, bad = (in_window(flows[part], window, step) for part in ("all", "bad"))
        enough = total > 0 and (minimum is None or total >= minimum)
        state.append(bad / total if enough and bad / total > share else None)
    return state


def above_state(levels: Sequence[float], threshold: float) -> list[float | None]:
    """Return the level at each step where it exceeds `threshold`."""
    return [level if level > threshold else None for level in levels]


def exact(value: float) -> float:
    """Return the value if sums of its eighths are exact in floating point, else one slightly below."""
    return value if float(value * _EXACT_PARTS).is_integer() else value * 0.999


def ratio(share: float) -> tuple[int, int]:
    """Return a share as numerator and denominator."""
    part = Fraction(share).limit_denominator(100_000)
    return part.numerator, part.denominator


def exact_size(share: float, windows_seconds: Sequence[float], least: int = 1) -> int:
    """Return a multiple of a share's numerator and denominator whose rates PromQL computes without rounding."""
    num, den = ratio(share)
    rates = (num, den, den - num)
    # PromQL multiplies by 1 / window, itself rounded; the product is usually a whole number again, not always.
    return next(
        size
        for size in count(least)
        if all(rate * size * window * (1 / window) == rate * size for rate in rates for window in windows_seconds)
    )


def slightly_more(share: float) -> float:
    """Return a share just above another, and below 1: near enough to notice a threshold that is off by a tenth."""
    return round(min(share * SLIGHTLY, (1 + share) / 2), 12)


def calls(total: Sequence[float], bad: Sequence[float]) -> dict[Part, list[float]]:
    """Return the flows of calls; some more stand aside (cancelled ones, clients that left) and must not count."""
    good = [every - wrong for every, wrong in zip(total, bad, strict=True)]
    return {"all": list(total), "bad": list(bad), "good": good, "aside": [7 * every for every in total]}


@dataclass(frozen=True, slots=True)
class Pace:
    """How a proof is cut into steps: their length, those of the window, and those the alert waits."""

    step_seconds: float
    window: int
    for_seconds: float

    @property
    def wait(self) -> int:
        """Steps that a condition must hold before the alert fires."""
        return ceil(self.for_seconds / self.step_seconds)

    @property
    def fault(self) -> int:
        """Steps of misbehaviour after which the alert fires for certain."""
        return self.window + self.wait + 3


def share_runs(pace: Pace, share: float, minimum: float | None) -> list[Run]:
    """Return the runs of a share of bad calls."""
    num, den = ratio(share)
    window_seconds = pace.step_seconds * pace.window
    size = exact_size(share, [window_seconds], max(1, ceil(2 * (minimum or 0) / (den * window_seconds))))
    each = den * window_seconds * size / pace.window
    fault, after = pace.fault, pace.window + 2
    stories: dict[str, tuple[list[float], list[float]]] = {
        "exactly at the threshold": ([each] * fault, [each * num / den] * fault),
        "just above the threshold, then well": (
            [each] * (fault + after),
            [each * slightly_more(share)] * fault + [0.0] * after,
        ),
        "all bad, then all good": ([each] * (fault + after), [each] * fault + [0.0] * after),
    }
    growing = [each * (1 + step / pace.window) for step in range(fault)]
    stories["just below the threshold while traffic grows"] = (growing, [total * share * 0.97 for total in growing])
    if minimum is not None:
        least = exact(minimum) / pace.window
        few = (exact(minimum) - 0.5) / pace.window
        stories["just enough traffic, then none"] = _then_nothing([least] * fault, after)
        stories["low traffic"] = ([few] * fault, [few] * fault)
    runs = []
    for name, (total, bad) in stories.items():
        flows = calls([0.0, *total], [0.0, *bad])
        runs.append(Run(name, flows, share_state(flows, pace.window, share, minimum)))
    healthy = calls([each] * fault * 2, [each * share / 2] * fault * 2)
    idle = calls([each] + [0.0] * fault, [each] + [0.0] * fault)
    return [*runs, Run("idle service", idle, [None] * (fault + 1)), *_restarts(healthy, fault)]


def _then_nothing(flow: list[float], steps: int) -> tuple[list[float], list[float]]:
    whole = flow + [0.0] * steps
    return whole, whole


def _restarts(flows: Flows, at: int) -> list[Run]:
    length = max(len(flow) for flow in flows.values())
    silent: list[float | None] = [None] * length
    return [
        Run("counter reset", flows, silent, restart=at),
        Run("restart with a gap", flows, silent, restart=at, gap=2),
    ]


def growth_runs(pace: Pace, threshold: float) -> list[Run]:
    """Return the runs of a counter that grows; with a threshold of 0 a single event is too much."""
    fault, after, window = pace.fault, pace.window + 2, pace.window
    each = exact(threshold) / window
    more = [each * SLIGHTLY] * fault if threshold else [0.0, 1.0] + [0.0] * pace.wait
    stories = {
        "more than the threshold, then nothing": [0.0, *more, *([0.0] * after)],
        "low traffic: exactly the threshold": [0.0, *([each] * fault)],
    }
    runs = []
    for name, flow in stories.items():
        grown = [in_window(flow, window, step) for step in range(len(flow))]
        runs.append(Run(name, {"all": flow}, above_state(grown, threshold)))
    idle: dict[Part, list[float]] = {"all": [100.0] + [0.0] * fault}
    healthy: dict[Part, list[float]] = {"all": [100.0] + [each / 2] * (2 * fault)}
    return [*runs, Run("idle service", idle, [None] * (fault + 1)), *_restarts(healthy, fault)]


def level_runs(pace: Pace, threshold: float, *, limited: bool) -> list[Run]:
    """Return the runs of a gauge against a threshold, as a part of a limit if it is `limited`."""
    num, den = ratio(threshold) if limited else (threshold, 1)
    high = slightly_more(threshold) if limited else threshold * SLIGHTLY
    fault = pace.wait + 3
    runs = [
        _level_run("exactly at the threshold", [num] * fault, den, threshold),
        _level_run("just above the threshold, then well", [high] * fault + [threshold / 2] * 3, 1, threshold),
        _level_run("above for too short", [high] * pace.wait + [threshold / 2] * 3, 1, threshold),
    ]
    if limited:
        unlimited: dict[Part, list[float]] = {"used": [high] * fault, "limit": [0.0] * fault}
        runs.append(Run("no limit", unlimited, [None] * fault))
    quiet: dict[Part, list[float]] = {"used": [threshold / 2] * fault * 2, "limit": [1.0] * fault * 2}
    return [*runs, Run("restart with a gap", quiet, [None] * fault * 2, restart=fault, gap=2)]


def _level_run(name: str, used: list[float], limit: float, threshold: float) -> Run:
    flows: dict[Part, list[float]] = {"used": used, "limit": [float(limit)] * len(used)}
    return Run(name, flows, above_state([level / limit for level in used], threshold))


def rate_runs(pace: Pace, threshold: float) -> list[Run]:
    """Return the runs of a counter whose rate, as a part of a limit, is measured."""
    num, den = ratio(threshold)
    fault, after, step = pace.fault, pace.window + 2, pace.step_seconds
    high = slightly_more(threshold) * step
    runs = [
        _rate_run("exactly at the threshold", [num * step] * fault, den, pace, threshold),
        _rate_run("just above the threshold, then well", [high] * fault + [0.0] * after, 1, pace, threshold),
        _rate_run("idle service", [0.0] * fault, 1, pace, threshold),
    ]
    unlimited: dict[Part, list[float]] = {"used": [high] * fault, "limit": [0.0] * fault}
    healthy: dict[Part, list[float]] = {"used": [threshold / 2 * step] * fault * 2, "limit": [1.0] * fault * 2}
    return [*runs, Run("no limit", unlimited, [None] * fault), *_restarts(healthy, fault)]


def _rate_run(name: str, used: list[float], limit: float, pace: Pace, threshold: float) -> Run:
    flow = [0.0, *used]
    flows: dict[Part, list[float]] = {"used": flow, "limit": [float(limit)] * len(flow)}
    window_seconds = pace.step_seconds * pace.window
    levels = [in_window(flow, pace.window, step) / window_seconds / limit for step in range(len(flow))]
    return Run(name, flows, above_state(levels, threshold))
