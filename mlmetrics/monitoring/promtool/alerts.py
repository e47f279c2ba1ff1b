"""The unit tests of the alerts, one file for each alert.

The tests show that the alert fires and resolves, and that it does not fire at its threshold, at low traffic, on an
idle service, at a counter reset and at a restart, as far as these apply to its condition.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.promtool.age import aged_cases
from mlmetrics.monitoring.promtool.batch import unsuccessful_cases
from mlmetrics.monitoring.promtool.cost import spent_cases
from mlmetrics.monitoring.promtool.drift import drift_cases
from mlmetrics.monitoring.promtool.scenarios import (
    Scenario,
    StepPlan,
    begun_scenarios,
    growth_scenarios,
    level_scenarios,
    rate_scenarios,
    share_scenarios,
)
from mlmetrics.monitoring.promtool.test_cases import (
    ExpectedAlert,
    TestCase,
    Values,
    placeholder_labels,
    series_name,
    target_labels,
    test_document,
)
from mlmetrics.monitoring.rules.alert import Alert
from mlmetrics.monitoring.rules.alerts import enabled_alerts
from mlmetrics.monitoring.rules.conditions import (
    STARTED,
    Aged,
    Always,
    Condition,
    Down,
    Drifted,
    Growth,
    HostMemory,
    Level,
    Share,
    Spent,
    Unsuccessful,
)

_WINDOW_STEPS = 8
_STEP_SECONDS = 15.0


def alert_test_files(config: Config) -> dict[str, dict[str, Any]]:
    """Return the unit tests of the enabled alerts by file name."""
    files: dict[str, dict[str, Any]] = {}
    for alert in enabled_alerts(config):
        scope = alert.labels.get("scope", "process")
        suffix = "" if scope == "process" else f"-{scope}"
        plan = plan_of(alert)
        files[f"{alert.name}{suffix}.test.yml"] = test_document(
            "alerts.yml", plan.step_seconds, alert_cases(config, alert)
        )
    return files


def plan_of(alert: Alert) -> StepPlan:
    """Return the steps in which an alert is tested: eight for its window or, without a window, four for its wait."""
    for_seconds = alert.settings.for_seconds
    window = getattr(alert.condition, "window_seconds", None)
    if window is None:
        return StepPlan(max(_STEP_SECONDS, for_seconds / 4), 1, for_seconds)
    return StepPlan(window / _WINDOW_STEPS, _WINDOW_STEPS, for_seconds)


def alert_cases(config: Config, alert: Alert) -> Iterator[TestCase]:
    """Yield the test cases of one alert."""
    condition = alert.condition
    if isinstance(condition, Down):
        for outage in _outages(condition, plan_of(alert).wait_steps):
            yield _outage_case(config, alert, condition, outage)
    elif isinstance(condition, Drifted):
        yield from drift_cases(config, alert, condition, plan_of(alert))
    elif isinstance(condition, Aged):
        yield from aged_cases(config, alert, condition, plan_of(alert))
    elif isinstance(condition, Unsuccessful):
        yield from unsuccessful_cases(config, alert, condition, plan_of(alert))
    elif isinstance(condition, Spent):
        yield from spent_cases(config, alert, condition, plan_of(alert))
    elif isinstance(condition, Always):
        series: dict[str, Values] = {series_name(config, "up", {}): [1.0] * 3}
        yield TestCase("always", alert.name, series, (_expect(config, alert, {}, [1.0] * 3),))
    else:
        for scenario in _scenarios(condition, plan_of(alert)):
            yield _scenario_case(config, alert, scenario)
        yield from _begun_cases(config, alert)


def _begun_cases(config: Config, alert: Alert) -> Iterator[TestCase]:
    """Yield the cases of a condition that counts what a series begins with."""
    condition = alert.condition
    if isinstance(condition, Growth) and condition.first:
        for begun in begun_scenarios(plan_of(alert), condition.threshold):
            others = {STARTED: [begun.started_seconds] * len(begun.up), "up": begun.up}
            yield _scenario_case(config, alert, begun.scenario, others)


def _scenarios(condition: Condition, plan: StepPlan) -> list[Scenario]:
    match condition:
        case Share():
            return share_scenarios(plan, condition.share, condition.minimum)
        case Growth():
            return growth_scenarios(plan, condition.threshold)
        case Level(window_seconds=None):
            return level_scenarios(plan, condition.threshold, limited=condition.limit is not None)
        case Level():
            return rate_scenarios(plan, condition.threshold)
        case HostMemory():
            return [
                _of_total(scenario)
                for scenario in level_scenarios(plan, condition.share, limited=True)
                if scenario.name != "no limit"
            ]
    raise TypeError(f"no scenarios for {condition!r}")


def _of_total(scenario: Scenario) -> Scenario:
    """Return a scenario of used and limit as a scenario of available and total."""
    used, limit = scenario.inputs["used"], scenario.inputs["limit"]
    available = [every - part for every, part in zip(limit, used, strict=True)]
    return Scenario(scenario.name, {"good": available, "all": limit}, scenario.expected, scenario.restart, scenario.gap)


def _scenario_case(
    config: Config, alert: Alert, scenario: Scenario, others: Mapping[str, Values] = MappingProxyType({})
) -> TestCase:
    """Return the test case of a scenario; `others` are the values of series that are no samples of the condition."""
    condition = alert.condition
    by = getattr(condition, "by", ("instance", "job", *config.grouping))
    labels = placeholder_labels(config, by)
    if getattr(condition, "of_target", isinstance(condition, Level)):
        labels["service"] = labels["job"]
    if isinstance(condition, Growth):
        labels |= {name: text for name, text in condition.samples[0].labels.items() if name in condition.by}
    series: dict[str, Values] = {
        series_name(config, sample.name, sample.all_labels()): (
            scenario.counter(sample.part) if _is_counter(sample.name) else scenario.gauge(sample.part)
        )
        for sample in condition.samples
    }
    series |= {series_name(config, name, {}): values for name, values in others.items()}
    if isinstance(condition, Level) and condition.limit is not None:
        # A second worker that does not know the limit must not hide it.
        series[series_name(config, condition.limit.name, {"pid": "2"})] = [0.0] * len(scenario.expected)
    return TestCase(scenario.name, alert.name, series, (_expect(config, alert, labels, scenario.expected),))


def _is_counter(name: str) -> bool:
    return name.endswith(("_total", "_bucket", "_count"))


def _expect(config: Config, alert: Alert, labels: dict[str, str], values: Iterable[float | None]) -> ExpectedAlert:
    return ExpectedAlert(alert.rule(config), labels, list(values), alert.settings.for_seconds)


@dataclass(frozen=True, slots=True)
class _Outage:
    """The values of `up` of one job, and whether a second instance of it stays up."""

    name: str
    job: str
    up: Values
    second_up: bool = False


def _outages(condition: Down, wait_steps: int) -> Iterator[_Outage]:
    long, first = [0.0] * (wait_steps + 3), condition.jobs[0]
    for job in condition.jobs:
        yield _Outage(f"{job} is down, then back", job, [1.0, 1.0, *long, 1.0, 1.0, 1.0])
        if not condition.each:
            vanished: list[float | None] = [1.0, 1.0, *([None] * len(long)), 1.0, 1.0, 1.0]
            yield _Outage(f"{job} is removed from the configuration, then back", job, vanished)
    yield _Outage("restart: down for less than the wait", first, [1.0, 1.0, *([0.0] * wait_steps), 1.0, 1.0])
    yield _Outage("one of two instances is down", first, [1.0, 1.0, *long, 1.0], second_up=True)


def _outage_case(config: Config, alert: Alert, condition: Down, outage: _Outage) -> TestCase:
    job, up = outage.job, outage.up
    others = [other.name for other in config.services if other.name != job]
    series: dict[str, Values] = {series_name(config, "up", {"job": job}): up}
    series |= {series_name(config, "up", {"job": other}): [1.0] * len(up) for other in others}
    if outage.second_up:
        series[series_name(config, "up", {"job": job, "instance": "two:80"})] = [1.0] * len(up)
    labels = {**target_labels(config), "job": job, "service": job}
    values: list[float | None] = [None if value == 1 else value or 0.0 for value in up]
    if not condition.each:
        labels.pop("instance")
        values = [None] * len(up) if outage.second_up else values
    if None in up:
        # absent() returns the labels of its selector only, which is the job.
        labels, values = {"job": job, "service": job}, [None if value == 1 else 1.0 for value in up]
    return TestCase(outage.name, alert.name, series, (_expect(config, alert, labels, values),))
