"""The unit tests of objectives: the alerts of each pair of windows, and the values of the recorded ratios."""

from collections.abc import Iterator
from typing import Any

from mlmetrics.monitoring.config import Config, Objective
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.promtool.scenarios import (
    SLIGHTLY_MORE,
    Inputs,
    Scenario,
    StepPlan,
    call_counts,
    exact_multiple,
    exactly_summable,
    fraction,
    in_window,
)
from mlmetrics.monitoring.promtool.test_cases import (
    ExpectedAlert,
    TestCase,
    Values,
    placeholder_labels,
    series_name,
    test_document,
)
from mlmetrics.monitoring.rules.alert import Alert
from mlmetrics.monitoring.rules.promql import number, series_of
from mlmetrics.monitoring.rules.slo import (
    PAIRS,
    RATIO,
    REMAINING,
    TARGET,
    WINDOWS_SECONDS,
    BudgetBurn,
    burn_alerts,
    indicator_of,
    objective_file,
)

# Steps of the short window: every other window is then a whole number of steps, or too short for a rate.
_WINDOW_STEPS = {pair.short_seconds: steps for pair, steps in zip(PAIRS, (8, 4, 4, 2), strict=True)}
_TOLERANCE = 1e-9
CallsByName = dict[str, tuple[list[float], list[float]]]
"""All calls and the bad ones of each step, by what they are."""


def objective_test_files(config: Config) -> dict[str, dict[str, Any]]:
    """Return the unit tests of all objectives by file name."""
    files: dict[str, dict[str, Any]] = {}
    for objective in config.objectives:
        name = objective_file(config, objective)
        alerts = burn_alerts(config, objective)
        for alert in alerts:
            plan = _plan(alert)
            cases = [_burn_case(config, objective, alerts, plan, scenario) for scenario in _burn_scenarios(alert, plan)]
            files[f"{name}.{alert.labels['short']}.test.yml"] = test_document(f"{name}.yml", plan.step_seconds, cases)
        plan = StepPlan(PAIRS[0].short_seconds / 8, 8, 0.0)
        cases = list(_ratio_cases(config, objective, plan))
        files[f"{name}.ratios.test.yml"] = test_document(f"{name}.yml", plan.step_seconds, cases)
    return files


def _burn(alert: Alert) -> BudgetBurn:
    if not isinstance(alert.condition, BudgetBurn):
        raise TypeError(f"{alert.name} is not a burn-rate alert")
    return alert.condition


def _plan(alert: Alert) -> StepPlan:
    pair = _burn(alert).pair
    steps = _WINDOW_STEPS[pair.short_seconds]
    return StepPlan(pair.short_seconds / steps, steps, pair.for_seconds)


def _burn_scenarios(alert: Alert, plan: StepPlan) -> Iterator[Scenario]:
    """Yield calls on both sides of an alert's limit, few calls, and calls of an instance that restarts."""
    condition = _burn(alert)
    calls_by_name = _at_the_limit(condition, plan) | _faults(condition, plan) | _low_traffic(condition, plan)
    for name, (total, bad) in calls_by_name.items():
        yield Scenario(name, call_counts([0.0, *total], [0.0, *bad]), [])
    each, _ = _calls_of_a_step(condition, plan)
    steps = 2 * plan.fault_steps
    healthy = call_counts([each] * steps, [each * condition.burn_limit / 8] * steps)
    yield Scenario("counter reset", healthy, [], restart=plan.fault_steps)
    yield Scenario("restart with a gap", healthy, [], restart=plan.fault_steps, gap=2)


def _calls_of_a_step(condition: BudgetBurn, plan: StepPlan) -> tuple[float, float]:
    """Return the calls of a step, and how many of them are bad exactly at the limit."""
    num, den = fraction(condition.burn_limit)
    size = exact_multiple(condition.burn_limit, [condition.pair.short_seconds, condition.pair.long_seconds])
    return den * plan.step_seconds * size, num * plan.step_seconds * size


def _long_steps(condition: BudgetBurn, plan: StepPlan) -> int:
    return round(condition.pair.long_seconds / plan.step_seconds)


def _high(condition: BudgetBurn) -> float:
    """Return by what bad calls at the limit are multiplied to be above it, without more bad calls than calls."""
    return min(4 / 3, 1 / condition.burn_limit)


def _at_the_limit(condition: BudgetBurn, plan: StepPlan) -> CallsByName:
    """Return calls of which one window is above the limit, and the other exactly at it."""
    each, at_limit = _calls_of_a_step(condition, plan)
    long, high, fault_steps = _long_steps(condition, plan), at_limit * _high(condition), plan.fault_steps
    # Every long window contains one period of this, so it is at the limit while short windows are above it.
    period = [0.0] * (long // 4) + [high] * (long - long // 4)
    return {
        "the long window exactly at the limit": ([each] * 2 * long, 2 * period),
        "the short window exactly at the limit": (
            [each] * (long + fault_steps),
            [high] * long + [at_limit] * fault_steps,
        ),
    }


def _faults(condition: BudgetBurn, plan: StepPlan) -> CallsByName:
    """Return calls that are bad for long enough, and good then, and calls that are bad for a moment."""
    each, at_limit = _calls_of_a_step(condition, plan)
    long = _long_steps(condition, plan)
    more = min(condition.burn_limit * SLIGHTLY_MORE, (1 + condition.burn_limit) / 2)
    fault_steps, after = plan.fault_steps, plan.window_steps + 2
    total = [each] * (fault_steps + after)
    return {
        "just above the limit, then good": (total, [each * more] * fault_steps + [0.0] * after),
        "all bad, then all good: the short window resolves the alert": (
            total,
            [each] * fault_steps + [0.0] * after,
        ),
        "a burst that is too short for the long window": (
            [each] * (long + fault_steps),
            [0.0] * long + [at_limit * _high(condition)] * (fault_steps - 1) + [0.0],
        ),
    }


def _low_traffic(condition: BudgetBurn, plan: StepPlan) -> CallsByName:
    """Return bad calls alone: as many as the objective asks for, too few, and none."""
    minimum = exactly_summable(condition.objective.minimum)
    least, few = ([calls / plan.window_steps] * plan.fault_steps for calls in (minimum, minimum - 0.5))
    none = [0.0] * plan.fault_steps
    return {"just enough traffic": (least, least), "low traffic": (few, few), "idle service": (none, none)}


def _burn_case(
    config: Config, objective: Objective, alerts: tuple[Alert, ...], plan: StepPlan, scenario: Scenario
) -> TestCase:
    labels = _recorded_labels(config, objective, {})
    quiet = scenario.restart is not None
    length = len(scenario.inputs["all"])
    expected = tuple(
        ExpectedAlert(
            alert.rule(config),
            labels,
            [None] * length if quiet else _burn_values(_burn(alert), scenario.inputs, plan.step_seconds),
            alert.settings.for_seconds,
        )
        for alert in alerts
    )
    return TestCase(scenario.name, "ErrorBudgetBurn", _series(config, objective, scenario), expected)


def _burn_values(condition: BudgetBurn, inputs: Inputs, step_seconds: float) -> list[float | None]:
    short, long = (int(s / step_seconds) for s in (condition.pair.short_seconds, condition.pair.long_seconds))
    values: list[float | None] = []
    for step in range(len(inputs["all"])):
        ratios = [_error_ratio(inputs, window, step) for window in (short, long)]
        enough = in_window(inputs["all"], short, step) >= condition.objective.minimum
        burning = enough and all(ratio > condition.burn_limit * (1 + _TOLERANCE) for ratio in ratios)
        values.append(ratios[0] if burning else None)
    return values


def _error_ratio(inputs: Inputs, window: int, step: int) -> float:
    total = in_window(inputs["all"], window, step)
    return in_window(inputs["bad"], window, step) / total if window and total else 0.0


def _series(config: Config, objective: Objective, scenario: Scenario, parts: tuple[str, ...] = ()) -> dict[str, Values]:
    fixed = {"service": objective.service, **objective.only}
    return {
        series_name(config, sample.name, {**fixed, **sample.all_labels()}): scenario.counter(sample.part)
        for sample in indicator_of(objective).samples
        if not parts or sample.part in parts
    }


def _place_labels(config: Config, objective: Objective) -> dict[str, str]:
    return {**placeholder_labels(config, config.grouping), "service": objective.service}


def _ratio_cases(config: Config, objective: Objective, plan: StepPlan) -> Iterator[TestCase]:
    steps = 12
    share = (1 - objective.target) / 2
    slow = Scenario("half the budget", call_counts([0.0, *([0.01] * steps)], [0.0, *([0.01 * share] * steps)]), [])
    queries = (
        *_ratio_queries(config, objective, share, plan, steps),
        _query(f"abs({REMAINING} - 0.5) < bool {_TOLERANCE}", plan, steps, [_recorded_labels(config, objective, {})]),
        _query(f"{TARGET} == bool {number(objective.target)}", plan, steps, [_target(objective)]),
    )
    yield TestCase("half of the budget spent at very low traffic", "", _series(config, objective, slow), (), queries)
    idle = Scenario("idle", call_counts([5.0] + [0.0] * steps, [0.0] * (steps + 1)), [])
    none = (_query(series_of(RATIO, {"objective": objective.name}), plan, steps, []),)
    yield TestCase("an idle service has no ratio", "", _series(config, objective, idle), (), none)
    if not indicator_of(objective).not_bad:
        well = Scenario("well", call_counts([0.0, *([1.0] * steps)], [0.0] * (steps + 1)), [])
        zeros = _ratio_queries(config, objective, 0.0, plan, steps)
        yield TestCase("no failure was ever seen", "", _series(config, objective, well, ("good",)), (), tuple(zeros))


def _ratio_queries(
    config: Config, objective: Objective, ratio: float, plan: StepPlan, step: int
) -> Iterator[dict[str, Any]]:
    labels = [_recorded_labels(config, objective, {"window": format_seconds(seconds)}) for seconds in WINDOWS_SECONDS]
    yield _query(f"abs({RATIO} - {number(ratio)}) < bool {_TOLERANCE}", plan, step, labels)


def _recorded_labels(config: Config, objective: Objective, labels: dict[str, str]) -> dict[str, str]:
    return {**_place_labels(config, objective), "objective": objective.name, **labels}


def _target(objective: Objective) -> dict[str, str]:
    return {"objective": objective.name, "service": objective.service}


def _query(expression: str, plan: StepPlan, step: int, series: list[dict[str, str]]) -> dict[str, Any]:
    query: dict[str, Any] = {"expr": expression, "eval_time": format_seconds(step * plan.step_seconds)}
    samples = [{"labels": series_of("", labels), "value": 1} for labels in series]
    return query | ({"exp_samples": samples} if samples else {})
