"""The unit tests of drift: of the recorded distances of scores, and of the alerts, which read distances as input."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import gcd
from typing import Any

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.promtool.class_drift import class_drift_cases
from mlmetrics.monitoring.promtool.distances import psi, recorded, recorded_values, wasserstein
from mlmetrics.monitoring.promtool.scenarios import SLIGHTLY_MORE, StepPlan, exactly_summable
from mlmetrics.monitoring.promtool.test_cases import (
    ExpectedAlert,
    TestCase,
    Values,
    placeholder_labels,
    series_name,
    test_document,
)
from mlmetrics.monitoring.rules.alert import Alert
from mlmetrics.monitoring.rules.alerts import drift_alerts
from mlmetrics.monitoring.rules.conditions import Drifted
from mlmetrics.monitoring.rules.drift import BASELINE, NOW, WEEK_SECONDS
from mlmetrics.monitoring.rules.promql import bound

_BASELINE_SAMPLES = 700.0


def drift_test_files(config: Config) -> dict[str, dict[str, Any]]:
    """Return the unit tests of the recording rules by file name."""
    files: dict[str, dict[str, Any]] = {}
    for alert, drifted in drift_alerts(config):
        metric, window = drifted.metric, alert.settings.window_seconds or 0.0
        step = gcd(int(window), int(WEEK_SECONDS))
        plan = StepPlan(step, round(window / step), 0.0)
        cases = score_drift_cases(config, metric, plan) if drifted.bounds else class_drift_cases(config, plan)
        files[f"drift-{metric}.test.yml"] = test_document("drift.yml", step, cases)
    return files


def score_drift_cases(config: Config, histogram: str, plan: StepPlan) -> Iterator[TestCase]:
    """Yield the test cases of the recording rules of a histogram."""
    for falling in (0, 1):
        yield _shifted(config, histogram, plan, falling)
    yield _single(config, histogram, plan)
    yield _idle(config, histogram, plan)


def _cumulated(weights: Sequence[int]) -> list[float]:
    whole = sum(weights)
    return [part / whole for part in accumulate(weights)]


def _shares(cdf: Sequence[float]) -> list[float]:
    return [max(upper - lower, 0.0) for lower, upper in pairwise((0.0, *cdf))]


def _weights(bins: int, falling: int = 0) -> tuple[list[int], list[int], list[int]]:
    """Return how scores fall into bins a week ago, now and in the baseline; each bin is empty a week ago or now.

    The cumulative distribution of the baseline falls, as `increase` may make of buckets, in the `falling` one of
    every two bins, the first excepted; such a bin counts as empty.
    """
    week = [0 if i % 2 else 1 + i * 7 % 5 for i in range(bins)]
    now = [2 + i * 3 % 7 if i % 2 else 0 for i in range(bins)]
    baseline = [-1 if i and i % 2 == falling else 3 + i * 5 % 4 for i in range(bins)]
    return week, now, baseline


def _shifted(config: Config, histogram: str, plan: StepPlan, falling: int) -> TestCase:
    bounds = config.buckets(histogram)
    week, now, baseline = _weights(len(bounds), falling)
    steps = round(WEEK_SECONDS / plan.step_seconds)
    # The distribution changes where the week ends, so the window a week before the last step has the old one only.
    change = steps
    last = steps + plan.window_steps
    series = _buckets(config, histogram, [week] * change + [now] * (last - change))
    series |= _baseline(config, histogram, baseline, last)
    cdfs = {"week": _cumulated(week), "baseline": _cumulated(baseline)}
    samples = {
        "week": float(sum(week)) * plan.window_steps,
        "baseline": _BASELINE_SAMPLES,
        "now": float(sum(now)) * plan.window_steps,
    }
    measured: dict[tuple[str, str], float] = {}
    for reference, cdf in cdfs.items():
        here = _cumulated(now)
        values = {
            "psi": psi(_shares(cdf), _shares(here), samples[reference], samples["now"]),
            "ks": max(abs(a - b) for a, b in zip(cdf, here, strict=True)),
            "w1": wasserstein(cdf, here, bounds),
        }
        measured |= {(what, reference): value for what, value in values.items()}
    measured |= {("samples", reference): value for reference, value in samples.items()}
    evaluated_at = format_seconds(last * plan.step_seconds)
    queries = tuple(
        recorded_values(histogram, placeholder_labels(config, _by(config, histogram)), measured, evaluated_at)
    )
    bins = "odd" if falling else "even"
    name = f"scores that have shifted since last week; {bins} bins are empty at training"
    return TestCase(name, "", series, (), queries)


def _single(config: Config, histogram: str, plan: StepPlan) -> TestCase:
    bounds = config.buckets(histogram)
    one = [1] + [0] * (len(bounds) - 1)
    # One score in a whole window: the second step holds it, and the window is evaluated once it is full.
    series = _buckets(config, histogram, [one] + [[0] * len(bounds)] * plan.window_steps)
    cdf = recorded(histogram, "cdf", {"reference": NOW})
    series |= _baseline(config, histogram, _weights(len(bounds))[2], plan.window_steps + 1)
    distance, scores = (recorded(histogram, what, {"reference": BASELINE}) for what in ("psi", "samples"))
    queries = tuple(
        {
            "expr": f"count({expression})",
            "eval_time": format_seconds(plan.window_steps * plan.step_seconds),
            "exp_samples": [{"labels": "{}", "value": count}],
        }
        for expression, count in ((f"{cdf} == 1", len(bounds)), (distance, 1), (scores, 1))
    )
    return TestCase("one score in the window, and no week before it", "", series, (), queries)


def _idle(config: Config, histogram: str, plan: StepPlan) -> TestCase:
    empty = [0] * len(config.buckets(histogram))
    query = {
        "expr": recorded(histogram, "cdf", {}),
        "eval_time": format_seconds(plan.window_steps * plan.step_seconds),
    }
    return TestCase("idle service", "", _buckets(config, histogram, [empty] * (plan.window_steps + 2)), (), (query,))


def _buckets(config: Config, histogram: str, steps: Sequence[Sequence[int]]) -> dict[str, Values]:
    """Return the series of a histogram into which the weights of each step fall."""
    bounds = config.buckets(histogram)
    totals = [0.0] * len(bounds)
    columns: list[list[float | None]] = [[0.0] for _ in bounds]
    for weights in steps:
        totals = [total + part for total, part in zip(totals, accumulate(weights), strict=True)]
        for column, total in zip(columns, totals, strict=True):
            column.append(total)
    named = {
        series_name(config, f"{histogram}_bucket", {"le": bound(upper)}): column
        for upper, column in zip(bounds, columns, strict=True)
    }
    return {**named, series_name(config, f"{histogram}_count", {}): columns[-1]}


def _baseline(config: Config, histogram: str, weights: Sequence[int], last: int) -> dict[str, Values]:
    labels = placeholder_labels(config, config.metrics[histogram].labels)
    pairs = zip(config.buckets(histogram), _cumulated(weights), strict=True)
    series: dict[str, Values] = {
        recorded(histogram, "baseline_cdf", {**labels, "bin": bound(upper)}): [part] * (last + 1)
        for upper, part in pairs
    }
    return {**series, recorded(histogram, "baseline_samples", labels): [_BASELINE_SAMPLES] * (last + 1)}


def _by(config: Config, histogram: str) -> tuple[str, ...]:
    return (*config.grouping, *config.metrics[histogram].labels)


def drift_cases(config: Config, alert: Alert, condition: Drifted, plan: StepPlan) -> Iterator[TestCase]:
    """Yield the test cases of a drift alert; their series are those that the recording rules would write."""
    fault_steps, least = plan.wait_steps + 3, condition.minimum
    plenty, few = 2 * least, exactly_summable(least) - 0.5
    at, high, low = condition.threshold, condition.threshold * SLIGHTLY_MORE, condition.threshold / 2
    long = [high] * fault_steps
    rows = {
        "exactly at the threshold": _Drift([at] * fault_steps, plenty, plenty),
        "just above the threshold, then below": _Drift([*long, *[low] * 3], plenty, plenty),
        "just enough scores": _Drift(long, least, least),
        "low traffic now": _Drift(long, few, plenty),
        "low traffic in the reference": _Drift(long, plenty, few),
        "restart with a gap": _Drift([*[low] * fault_steps, None, None, *[low] * fault_steps], plenty, plenty),
        "idle service": _Drift([None] * fault_steps, 0.0, plenty),
    }
    if not condition.bounds:
        rows["as much as by chance"] = _Drift(long, plenty, plenty, chance=high)
    for name, row in rows.items():
        yield _drift_case(config, alert, condition, name, row)


@dataclass(frozen=True, slots=True)
class _Drift:
    """The distances at each step, how many scores or predictions there are now and then, and what chance gives."""

    distances: Values
    now: float
    then: float
    chance: float = 0.0


def _drift_case(config: Config, alert: Alert, condition: Drifted, name: str, row: _Drift) -> TestCase:
    labels = {**placeholder_labels(config, condition.by), "reference": "week"}
    metric, length = condition.metric, len(row.distances)
    series: dict[str, Values] = {
        recorded(metric, "psi", labels): row.distances,
        recorded(metric, "samples", labels): [row.then] * length,
        recorded(metric, "samples", {**labels, "reference": NOW}): [row.now] * length,
    }
    if not condition.bounds:
        series[recorded(metric, "chance", labels)] = [row.chance] * length
    enough = min(row.now, row.then) >= condition.minimum
    least = max(condition.threshold, row.chance)
    values = [level if enough and level is not None and level > least else None for level in row.distances]
    return TestCase(
        name, alert.name, series, (ExpectedAlert(alert.rule(config), labels, values, alert.settings.for_seconds),)
    )
