"""The unit test of the fleet's recording rules: two pods, whose sums are known."""

from typing import Any

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.promtool.test_cases import TestCase, Values, placeholder_labels, series_name, test_document
from mlmetrics.monitoring.rules.fleet import TOTALS, WINDOW_SECONDS, Total
from mlmetrics.monitoring.rules.promql import series_of

_STEP_SECONDS = WINDOW_SECONDS / 5
_STEPS = 6
# What the two pods grow by in a step; their sum is a whole number each second.
_PODS = {"one:80": _STEP_SECONDS, "two:80": 2 * _STEP_SECONDS}


def fleet_test_files(config: Config) -> dict[str, dict[str, Any]]:
    """Return the unit test of the fleet's rules by file name."""
    return {"fleet.test.yml": test_document("fleet.yml", _STEP_SECONDS, [_case(config)])}


def _case(config: Config) -> TestCase:
    series: dict[str, Values] = {
        series_name(config, total.sample, {"instance": instance}): _values(total, growth)
        for total in TOTALS
        for instance, growth in _PODS.items()
    }
    return TestCase("two pods", "", series, (), tuple(_query(config, total) for total in TOTALS))


def _values(total: Total, growth: float) -> list[float | None]:
    return [step * growth if total.counter else 1.0 for step in range(_STEPS + 1)]


def _query(config: Config, total: Total) -> dict[str, Any]:
    labels = placeholder_labels(config, (*config.grouping, *total.by))
    value = sum(_PODS.values()) / _STEP_SECONDS if total.counter else len(_PODS)
    sample = {"labels": series_of(total.name, labels), "value": value}
    return {"expr": total.name, "eval_time": format_seconds(_STEPS * _STEP_SECONDS), "exp_samples": [sample]}
