"""The unit tests of spending: of what is recorded over each window, and of the alert, which reads that as input."""

from collections.abc import Iterator
from typing import Any

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.promtool.scenarios import Scenario, StepPlan, level_scenarios
from mlmetrics.monitoring.promtool.test_cases import (
    ExpectedAlert,
    TestCase,
    Values,
    placeholder_labels,
    series_name,
    test_document,
)
from mlmetrics.monitoring.rules.alert import Alert
from mlmetrics.monitoring.rules.conditions import Spent
from mlmetrics.monitoring.rules.cost import SPENDER, SPENT, spending_windows, spent_over
from mlmetrics.monitoring.rules.promql import series_of

_WINDOW_STEPS = 8
_STEPS = _WINDOW_STEPS + 4
_SPENT_IN_A_STEP = (3.0, 5.0)
_PODS = {
    "one:80": Scenario("", {"all": [_SPENT_IN_A_STEP[0]] * _STEPS}, [], restart=_STEPS // 2),
    "two:80": Scenario("", {"all": [_SPENT_IN_A_STEP[1]] * _STEPS}, []),
}
"""Two pods that spend the same in each step; the first one restarts within the window."""


def cost_test_files(config: Config) -> dict[str, dict[str, Any]]:
    """Return the unit tests of the recording rules of spending by file name, one for each window."""
    return {
        f"cost-{format_seconds(seconds)}.test.yml": test_document(
            "cost.yml", seconds / _WINDOW_STEPS, [_recorded(config, seconds)]
        )
        for seconds in spending_windows(config)
        if SPENT in config.metrics
    }


def _recorded(config: Config, seconds: float) -> TestCase:
    series: dict[str, Values] = {
        series_name(config, SPENT, {"instance": instance}): pod.counter("all") for instance, pod in _PODS.items()
    }
    labels = placeholder_labels(config, (*config.grouping, *SPENDER))
    sample = {"labels": series_of(spent_over(seconds), labels), "value": _WINDOW_STEPS * sum(_SPENT_IN_A_STEP)}
    query = {
        "expr": spent_over(seconds),
        "eval_time": format_seconds((_STEPS - 1) * seconds / _WINDOW_STEPS),
        "exp_samples": [sample],
    }
    return TestCase("two pods, of which one restarts", "", series, (), (query,))


def spent_cases(config: Config, alert: Alert, condition: Spent, plan: StepPlan) -> Iterator[TestCase]:
    """Yield the test cases of the alert: two models, each of which spent a half."""
    labels = placeholder_labels(config, condition.by)
    for scenario in level_scenarios(plan, condition.threshold, limited=False):
        half: Values = [None if level is None else level / 2 for level in scenario.gauge("used")]
        series = {series_of(condition.recorded, {**labels, "model": model}): half for model in ("one", "two")}
        expected = ExpectedAlert(alert.rule(config), labels, scenario.expected, alert.settings.for_seconds)
        yield TestCase(scenario.name, alert.name, series, (expected,))
