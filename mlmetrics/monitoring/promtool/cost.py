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
from mlmetrics.monitoring.rules.promql import quote, selector

_WINDOW_STEPS = 8
_STEPS = _WINDOW_STEPS + 4
_RESTART = _STEPS // 2
# What two pods spend in a step; the first one restarts within the window.
_PODS = {"one:80": 3.0, "two:80": 5.0}


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
        series_name(config, SPENT, {"instance": instance}): _pod(spent).counter("all")
        for instance, spent in _PODS.items()
    }
    labels = placeholder_labels(config, (*config.grouping, *SPENDER))
    sample = {"labels": _recorded_series(seconds, labels), "value": _WINDOW_STEPS * sum(_PODS.values())}
    query = {
        "expr": spent_over(seconds),
        "eval_time": format_seconds((_STEPS - 1) * seconds / _WINDOW_STEPS),
        "exp_samples": [sample],
    }
    return TestCase("two pods, of which one restarts", "", series, (), (query,))


def _pod(spent: float) -> Scenario:
    restart = _RESTART if spent == _PODS["one:80"] else None
    return Scenario("", {"all": [spent] * _STEPS}, [None] * _STEPS, restart)


def _recorded_series(seconds: float, labels: dict[str, str]) -> str:
    return selector(spent_over(seconds), *(f"{name}={quote(text)}" for name, text in labels.items()))


def spent_cases(config: Config, alert: Alert, condition: Spent, plan: StepPlan) -> Iterator[TestCase]:
    """Yield the test cases of the alert: two models, each of which spent a half."""
    labels = placeholder_labels(config, condition.by)
    for scenario in level_scenarios(plan, condition.threshold, limited=False):
        half: Values = [None if level is None else level / 2 for level in scenario.gauge("used")]
        series = {
            selector(condition.recorded, *(f"{name}={quote(text)}" for name, text in of_model.items())): half
            for of_model in ({**labels, "model": model} for model in ("one", "two"))
        }
        expected = ExpectedAlert(alert.rule(config), labels, scenario.expected, alert.settings.for_seconds)
        yield TestCase(scenario.name, alert.name, series, (expected,))
