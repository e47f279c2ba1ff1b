"""The unit tests of spending: of what is recorded over each window, and of the alerts, which read that as input."""

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
from mlmetrics.monitoring.rules.cost import grown_over, recorded_growth
from mlmetrics.monitoring.rules.promql import series_of

_WINDOW_STEPS = 8
_STEPS = _WINDOW_STEPS + 4
_GROWN_IN_A_STEP = (3.0, 5.0)
_PODS = {
    "one:80": Scenario("", {"all": [_GROWN_IN_A_STEP[0]] * _STEPS}, [], restart=_STEPS // 2),
    "two:80": Scenario("", {"all": [_GROWN_IN_A_STEP[1]] * _STEPS}, []),
}
"""Two pods that spend the same in each step; the first one restarts within the window."""


def cost_test_files(config: Config) -> dict[str, dict[str, Any]]:
    """Return the unit tests of the recording rules of spending and tokens by file name, one for each window."""
    cases: dict[float, list[TestCase]] = {}
    for counter, by, seconds in recorded_growth(config):
        cases.setdefault(seconds, []).append(_recorded(config, counter, by, seconds))
    return {
        f"cost-{format_seconds(seconds)}.test.yml": test_document("cost.yml", seconds / _WINDOW_STEPS, of_window)
        for seconds, of_window in cases.items()
    }


def _recorded(config: Config, counter: str, by: tuple[str, ...], seconds: float) -> TestCase:
    series: dict[str, Values] = {
        series_name(config, counter, {"instance": instance}): pod.counter("all") for instance, pod in _PODS.items()
    }
    labels, name = placeholder_labels(config, (*config.grouping, *by)), grown_over(seconds, counter)
    query = {
        "expr": name,
        "eval_time": format_seconds((_STEPS - 1) * seconds / _WINDOW_STEPS),
        "exp_samples": [{"labels": series_of(name, labels), "value": _WINDOW_STEPS * sum(_GROWN_IN_A_STEP)}],
    }
    return TestCase(f"{counter} of two pods, of which one restarts", "", series, (), (query,))


def spent_cases(config: Config, alert: Alert, condition: Spent, plan: StepPlan) -> Iterator[TestCase]:
    """Yield the test cases of the alert: two models, each of which spent a half."""
    labels = placeholder_labels(config, condition.by)
    for scenario in level_scenarios(plan, condition.threshold, limited=False):
        half: Values = [None if level is None else level / 2 for level in scenario.gauge("used")]
        series = {series_of(condition.recorded, {**labels, "model": model}): half for model in ("one", "two")}
        expected = ExpectedAlert(alert.rule(config), labels, scenario.expected, alert.settings.for_seconds)
        yield TestCase(scenario.name, alert.name, series, (expected,))
