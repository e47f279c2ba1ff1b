"""The promtool unit tests that are rendered beside the rules: a file an alert, a file an objective's pair.

For every alert: it fires, it resolves, and it is silent at its threshold, at low traffic, on an idle
service, on a counter reset and on a restart, as far as its inputs know such things.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.promtool.drift import drift_proofs, drifted_stories
from mlmetrics.monitoring.promtool.scenarios import Pace, Run, growth_runs, level_runs, rate_runs, share_runs
from mlmetrics.monitoring.promtool.slo import objective_proofs
from mlmetrics.monitoring.promtool.test_case import Expected, Story, Values, series_name, stand_ins, target_labels
from mlmetrics.monitoring.rules.alert import Alert
from mlmetrics.monitoring.rules.alert_rules import enabled_alerts
from mlmetrics.monitoring.rules.conditions import Always, Down, Drifted, Growth, HostMemory, Level, Shape, Share

_WINDOW_STEPS = 8
_STEP_SECONDS = 15.0


def proof_files(config: Config) -> dict[str, dict[str, Any]]:
    """Return the unit tests by file name."""
    files: dict[str, dict[str, Any]] = {}
    for alert in enabled_alerts(config):
        scope = alert.labels.get("scope", "process")
        suffix = "" if scope == "process" else f"-{scope}"
        pace = pace_of(alert)
        files[f"{alert.name}{suffix}.test.yml"] = proof_document(
            ["alerts.yml"], pace.step_seconds, stories(config, alert)
        )
    return files | drift_proofs(config) | objective_proofs(config)


def proof_document(rule_files: list[str], step_seconds: float, told: Iterable[Story]) -> dict[str, Any]:
    """Return a file of unit tests."""
    return {
        "rule_files": rule_files,
        "evaluation_interval": format_seconds(step_seconds),
        "tests": [story.document(step_seconds) for story in told],
    }


def pace_of(alert: Alert) -> Pace:
    """Return the steps in which an alert is proven: eight a window, or four a wait."""
    wait = alert.settings.for_seconds
    window = getattr(alert.shape, "window_seconds", None)
    if window is None:
        return Pace(max(_STEP_SECONDS, wait / 4), 1, wait)
    return Pace(window / _WINDOW_STEPS, _WINDOW_STEPS, wait)


def stories(config: Config, alert: Alert) -> Iterator[Story]:
    """Return the stories of one alert."""
    shape = alert.shape
    if isinstance(shape, Down):
        for outage in _outages(shape, pace_of(alert).wait):
            yield _outage_story(config, alert, shape, outage)
    elif isinstance(shape, Drifted):
        yield from drifted_stories(config, alert, shape, pace_of(alert))
    elif isinstance(shape, Always):
        series: dict[str, Values] = {series_name(config, "up", {}): [1.0] * 3}
        yield Story("always", alert.name, series, (_expect(config, alert, {}, [1.0] * 3),))
    else:
        for run in _runs(shape, pace_of(alert)):
            yield _run_story(config, alert, run)


def _runs(shape: Shape, pace: Pace) -> list[Run]:
    match shape:
        case Share():
            return share_runs(pace, shape.share, shape.minimum)
        case Growth():
            return growth_runs(pace, shape.threshold)
        case Level(window_seconds=None):
            return level_runs(pace, shape.threshold, limited=shape.limit is not None)
        case Level():
            return rate_runs(pace, shape.threshold)
        case HostMemory():
            return [_of_total(run) for run in level_runs(pace, shape.share, limited=True) if run.name != "no limit"]
    message = f"no runs for {shape!r}"
    raise TypeError(message)


def _of_total(run: Run) -> Run:
    """Return a run of use and limit as one of what is available and all there is."""
    used, limit = run.flows["used"], run.flows["limit"]
    available = [every - part for every, part in zip(limit, used, strict=True)]
    return Run(run.name, {"good": available, "all": limit}, run.state, run.restart, run.gap)


def _run_story(config: Config, alert: Alert, run: Run) -> Story:
    shape = alert.shape
    by = getattr(shape, "by", ("instance", "job", *config.grouping))
    labels = stand_ins(config, by)
    if getattr(shape, "of_target", isinstance(shape, Level)):
        labels["service"] = labels["job"]
    series: dict[str, Values] = {
        series_name(config, sample.name, sample.all_labels()): (
            run.counter(sample.part) if _is_counter(sample.name) else run.gauge(sample.part)
        )
        for sample in shape.samples
    }
    if isinstance(shape, Level) and shape.limit is not None:
        # A second worker that does not know the limit must not hide it.
        series[series_name(config, shape.limit.name, {"pid": "2"})] = [0.0] * len(run.state)
    return Story(run.name, alert.name, series, (_expect(config, alert, labels, run.state),))


def _is_counter(name: str) -> bool:
    return name.endswith(("_total", "_bucket", "_count"))


def _expect(config: Config, alert: Alert, labels: dict[str, str], state: Iterable[float | None]) -> Expected:
    return Expected(alert.rule(config), labels, list(state), alert.settings.for_seconds)


@dataclass(frozen=True, slots=True)
class _Outage:
    """What becomes of `up` of one job, and whether a second instance of it stays up."""

    name: str
    job: str
    up: Values
    second_up: bool = False


def _outages(shape: Down, wait: int) -> Iterator[_Outage]:
    long, first = [0.0] * (wait + 3), shape.jobs[0]
    for job in shape.jobs:
        yield _Outage(f"{job} is down, then back", job, [1.0, 1.0, *long, 1.0, 1.0, 1.0])
        if not shape.each:
            vanished: list[float | None] = [1.0, 1.0, *([None] * len(long)), 1.0, 1.0, 1.0]
            yield _Outage(f"{job} has left the configuration, then back", job, vanished)
    yield _Outage("restart: down for less than the wait", first, [1.0, 1.0, *([0.0] * wait), 1.0, 1.0])
    yield _Outage("one of two instances is down", first, [1.0, 1.0, *long, 1.0], second_up=True)


def _outage_story(config: Config, alert: Alert, shape: Down, outage: _Outage) -> Story:
    job, up = outage.job, outage.up
    others = [other.name for other in config.services if other.name != job]
    series: dict[str, Values] = {series_name(config, "up", {"job": job}): up}
    series |= {series_name(config, "up", {"job": other}): [1.0] * len(up) for other in others}
    if outage.second_up:
        series[series_name(config, "up", {"job": job, "instance": "two:80"})] = [1.0] * len(up)
    labels = {**target_labels(config), "job": job, "service": job}
    state: list[float | None] = [None if value == 1 else value or 0.0 for value in up]
    if not shape.each:
        labels.pop("instance")
        state = [None] * len(up) if outage.second_up else state
    if None in up:
        # absent() knows the job it was asked for, and nothing else.
        labels, state = {"job": job, "service": job}, [None if value == 1 else 1.0 for value in up]
    return Story(outage.name, alert.name, series, (_expect(config, alert, labels, state),))
