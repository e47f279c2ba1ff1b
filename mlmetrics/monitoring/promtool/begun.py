"""Scenarios of counters that begin with more than 0, in a young process or in one that is older than the window."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from mlmetrics.monitoring.durations import MINUTE_SECONDS
from mlmetrics.monitoring.promtool.scenarios import Scenario, StepPlan, StepValues, beside_others, values_above

# How long Prometheus takes the last sample of a series for its value, where nothing says that the series ended.
_LOOKBACK_SECONDS = 5 * MINUTE_SECONDS


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
        scenario = Scenario(name, beside_others(increments), values_above(young, threshold))
        yield Begun(scenario, started * plan.step_seconds, [1.0] * len(increments))


def _older(plan: StepPlan, threshold: float) -> Iterator[Begun]:
    """Yield the scenarios of a process that is older than the window all the time, in which a series begins.

    Where it was there before samples were missing, it has not begun: its process did not answer, or nobody asked.
    """
    window, missing = plan.window_steps, ceil(_LOOKBACK_SECONDS / plan.step_seconds) + 2
    more, after = threshold + 1, [0.0] * (plan.window_steps + missing + 2)
    holds = [None] * window + [more] * window + [None] * (missing + 3)
    always: list[float | None] = [1.0] * len(holds)
    begun = Scenario("counted first, and nothing since", beside_others([0.0] * window + [more, *after]), holds)
    yield Begun(replace(begun, restart=window, gap=window), -window * plan.step_seconds, always)
    # So much that VictoriaMetrics does not take the first value that it has for growth.
    known = beside_others([threshold + 100] + [0.0] * (missing + 1) + [threshold + 100, *after])
    for name, value in {"restart: it does not answer": 0.0, "no samples at all": None}.items():
        up = [1.0, 1.0, *([value] * missing), 1.0, *([1.0] * len(after))]
        scenario = Scenario(name, known, [None] * len(up), missing + 2, missing)
        yield Begun(scenario, -window * plan.step_seconds, up)
