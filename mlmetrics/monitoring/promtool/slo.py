"""Unit tests of objectives: each burn-rate pair by its alerts, the recorded ratios by their values."""

from collections.abc import Iterator
from typing import Any

from mlmetrics.monitoring.config import Config, Objective
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.promtool.scenarios import (
    SLIGHTLY,
    Flows,
    Pace,
    Run,
    calls,
    exact,
    exact_size,
    in_window,
    ratio,
)
from mlmetrics.monitoring.promtool.test_case import Expected, Story, Values, series_name, stand_ins
from mlmetrics.monitoring.rules.alert import Alert
from mlmetrics.monitoring.rules.promql import number, quote, selector
from mlmetrics.monitoring.rules.slo import (
    PAIRS,
    RATIO,
    REMAINING,
    TARGET,
    WINDOWS_SECONDS,
    Burn,
    burn_alerts,
    objective_file,
    indicator_of,
)

# Steps of the short window: every other window is then a whole number of steps, or too short for a rate.
_STEPS = {pair.short_seconds: steps for pair, steps in zip(PAIRS, (8, 4, 4, 2), strict=True)}
_SAME = 1e-9


def objective_proofs(config: Config) -> dict[str, dict[str, Any]]:
    """Return the unit tests of all objectives by file name."""
    files: dict[str, dict[str, Any]] = {}
    for objective in config.objectives:
        name = objective_file(config, objective)
        alerts = burn_alerts(config, objective)
        for alert in alerts:
            pace = _pace(alert)
            told = [_burn_story(config, objective, alerts, pace, run) for run in _burn_runs(alert, pace)]
            files[f"{name}.{alert.labels['short']}.test.yml"] = _document(name, pace, told)
        pace = Pace(PAIRS[0].short_seconds / 8, 8, 0.0)
        files[f"{name}.ratios.test.yml"] = _document(name, pace, list(_ratio_stories(config, objective, pace)))
    return files


def _document(name: str, pace: Pace, told: list[Story]) -> dict[str, Any]:
    return {
        "rule_files": [f"{name}.yml"],
        "evaluation_interval": format_seconds(pace.step_seconds),
        "tests": [story.document(pace.step_seconds) for story in told],
    }


def _burn(alert: Alert) -> Burn:
    if not isinstance(alert.shape, Burn):
        message = f"{alert.name} is no burn-rate alert"
        raise TypeError(message)
    return alert.shape


def _pace(alert: Alert) -> Pace:
    pair = _burn(alert).pair
    steps = _STEPS[pair.short_seconds]
    return Pace(pair.short_seconds / steps, steps, pair.for_seconds)


def _burn_runs(alert: Alert, pace: Pace) -> Iterator[Run]:
    shape = _burn(alert)
    num, den = ratio(shape.limit)
    long = round(shape.pair.long_seconds / pace.step_seconds)
    size = exact_size(shape.limit, [shape.pair.short_seconds, shape.pair.long_seconds])
    each = den * pace.step_seconds * size
    fault, after = pace.fault, pace.window + 2
    least = exact(shape.objective.minimum) / pace.window
    few = (exact(shape.objective.minimum) - 0.5) / pace.window
    more = min(shape.limit * SLIGHTLY, (1 + shape.limit) / 2)
    high = min(4 / 3, 1 / shape.limit)
    at_limit = num * pace.step_seconds * size
    # Any long window holds one period of this: it stands at the limit while short windows are above it.
    period = [0.0] * (long // 4) + [at_limit * high] * (long - long // 4)
    none = [0.0] * fault
    stories: dict[str, tuple[list[float], list[float]]] = {
        "the long window exactly at the limit": ([each] * 2 * long, 2 * period),
        "the short window exactly at the limit": (
            [each] * (long + fault),
            [at_limit * high] * long + [at_limit] * fault,
        ),
        "just above the limit, then well": ([each] * (fault + after), [each * more] * fault + [0.0] * after),
        "all bad, then all good: the short window ends it": (
            [each] * (fault + after),
            [each] * fault + [0.0] * after,
        ),
        "a burst that the long window forgives": (
            [each] * (long + fault),
            [0.0] * long + [at_limit * high] * (fault - 1) + [0.0],
        ),
        "just enough traffic": ([least] * fault, [least] * fault),
        "low traffic": ([few] * fault, [few] * fault),
        "idle service": (none, none),
    }
    for name, (total, bad) in stories.items():
        yield Run(name, calls([0.0, *total], [0.0, *bad]), [])
    healthy = calls([each] * fault * 2, [each * shape.limit / 8] * fault * 2)
    yield Run("counter reset", healthy, [], restart=fault)
    yield Run("restart with a gap", healthy, [], restart=fault, gap=2)


def _burn_story(config: Config, objective: Objective, alerts: tuple[Alert, ...], pace: Pace, run: Run) -> Story:
    labels = _named(config, objective, {})
    quiet = run.restart is not None
    length = len(run.flows["all"])
    expected = tuple(
        Expected(
            alert.rule(config),
            labels,
            [None] * length if quiet else _burn_state(_burn(alert), run.flows, pace.step_seconds),
            alert.settings.for_seconds,
        )
        for alert in alerts
    )
    return Story(run.name, "ErrorBudgetBurn", _series(config, objective, run), expected)


def _burn_state(shape: Burn, flows: Flows, step_seconds: float) -> list[float | None]:
    short, long = (int(s / step_seconds) for s in (shape.pair.short_seconds, shape.pair.long_seconds))
    state: list[float | None] = []
    for step in range(len(flows["all"])):
        ratios = [_error_ratio(flows, window, step) for window in (short, long)]
        enough = in_window(flows["all"], short, step) >= shape.objective.minimum
        burning = enough and all(ratio > shape.limit * (1 + _SAME) for ratio in ratios)
        state.append(ratios[0] if burning else None)
    return state


def _error_ratio(flows: Flows, window: int, step: int) -> float:
    total = in_window(flows["all"], window, step)
    return in_window(flows["bad"], window, step) / total if window and total else 0.0


def _series(config: Config, objective: Objective, run: Run, parts: tuple[str, ...] = ()) -> dict[str, Values]:
    fixed = {"service": objective.service, **objective.only}
    return {
        series_name(config, sample.name, {**fixed, **sample.all_labels()}): run.counter(sample.part)
        for sample in indicator_of(objective).samples
        if not parts or sample.part in parts
    }


def _place(config: Config, objective: Objective) -> dict[str, str]:
    return {**stand_ins(config, config.grouping), "service": objective.service}


def _ratio_stories(config: Config, objective: Objective, pace: Pace) -> Iterator[Story]:
    steps = 12
    share = (1 - objective.target) / 2
    slow = Run("half the budget", calls([0.0, *([0.01] * steps)], [0.0, *([0.01 * share] * steps)]), [])
    queries = (
        *_ratio_queries(config, objective, share, pace, steps),
        _query(f"abs({REMAINING} - 0.5) < bool {_SAME}", pace, steps, [_named(config, objective, {})]),
        _query(f"{TARGET} == bool {number(objective.target)}", pace, steps, [_target(objective)]),
    )
    yield Story("half of the budget spent at very low traffic", "", _series(config, objective, slow), (), queries)
    idle = Run("idle", calls([5.0] + [0.0] * steps, [0.0] * (steps + 1)), [])
    none = (_query(selector(RATIO, f"objective={quote(objective.name)}"), pace, steps, []),)
    yield Story("an idle service has no ratio", "", _series(config, objective, idle), (), none)
    if not indicator_of(objective).not_bad:
        well = Run("well", calls([0.0, *([1.0] * steps)], [0.0] * (steps + 1)), [])
        zeros = _ratio_queries(config, objective, 0.0, pace, steps)
        yield Story("no failure was ever seen", "", _series(config, objective, well, ("good",)), (), tuple(zeros))


def _ratio_queries(
    config: Config, objective: Objective, ratio: float, pace: Pace, step: int
) -> Iterator[dict[str, Any]]:
    labels = [_named(config, objective, {"window": format_seconds(seconds)}) for seconds in WINDOWS_SECONDS]
    yield _query(f"abs({RATIO} - {number(ratio)}) < bool {_SAME}", pace, step, labels)


def _named(config: Config, objective: Objective, labels: dict[str, str]) -> dict[str, str]:
    return {**_place(config, objective), "objective": objective.name, **labels}


def _target(objective: Objective) -> dict[str, str]:
    return {"objective": objective.name, "service": objective.service}


def _query(expression: str, pace: Pace, step: int, series: list[dict[str, str]]) -> dict[str, Any]:
    query: dict[str, Any] = {"expr": expression, "eval_time": format_seconds(step * pace.step_seconds)}
    samples = [
        {"labels": selector("", *(f"{name}={quote(text)}" for name, text in labels.items())), "value": 1}
        for labels in series
    ]
    return query | ({"exp_samples": samples} if samples else {})
