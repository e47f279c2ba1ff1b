"""The unit tests of the recording rules of classes: classes on both sides, new ones, and ones that are gone."""

from collections.abc import Iterator, Mapping
from typing import Any

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.promtool.distances import psi, recorded, recorded_values
from mlmetrics.monitoring.promtool.scenarios import StepPlan
from mlmetrics.monitoring.promtool.test_cases import TestCase, Values, placeholder_labels, series_name
from mlmetrics.monitoring.rules.class_drift import CLASS_LABEL, CLASS_SUBJECT
from mlmetrics.monitoring.rules.drift import (
    BASELINE,
    CHANCE_CONFIDENCE,
    CLASS_COUNTER,
    NOW,
    WEEK,
    WEEK_SECONDS,
    chi_squared,
    record_name,
)
from mlmetrics.monitoring.rules.promql import quote, selector

Counts = Mapping[str, int]
_BASELINE_SAMPLES = 40
# Predictions in each step. `idle` has a series and is never predicted; that of `ended`, neither, is gone by now.
_THEN = {"both": 30, "rare": 1, "gone": 12, "idle": 0, "ended": 0}
_NOW = {"both": 20, "rare": 9, "new": 25, "idle": 0}
_TRAINED = {"both": 25, "rare": 5, "forgotten": 10}


def class_drift_cases(config: Config, plan: StepPlan) -> Iterator[TestCase]:
    """Yield the test cases of the recording rules of classes."""
    rows = {
        "classes that are new, and classes that are gone": (_THEN, _NOW, _TRAINED),
        "one class": ({"only": 8}, {"only": 5}, {"only": _BASELINE_SAMPLES}),
        "nothing a week ago": ({}, _NOW, _TRAINED),
        "idle a week ago": ({"both": 0}, _NOW, {}),
        "idle now": (_THEN, {"both": 0, "gone": 0}, _TRAINED),
    }
    for name, row in rows.items():
        yield _case(config, plan, name, row)


def _case(config: Config, plan: StepPlan, name: str, row: tuple[Counts, Counts, Counts]) -> TestCase:
    then, now, trained = row
    week_steps = round(WEEK_SECONDS / plan.step_seconds)
    last = week_steps + plan.window_steps
    series: dict[str, Values] = {
        series_name(config, CLASS_COUNTER, {CLASS_LABEL: text}): _counter(
            then.get(text), now.get(text), week_steps, last
        )
        for text in sorted({*then, *now})
    }
    by = placeholder_labels(config, (*config.grouping, *CLASS_SUBJECT))
    if trained:
        series |= {
            recorded(CLASS_COUNTER, "baseline_share", {**by, CLASS_LABEL: text, "reference": BASELINE}): (
                [count / _BASELINE_SAMPLES] * (last + 1)
            )
            for text, count in trained.items()
        }
        subject = placeholder_labels(config, CLASS_SUBJECT)
        series[recorded(CLASS_COUNTER, "baseline_samples", subject)] = [float(_BASELINE_SAMPLES)] * (last + 1)
    counts_now = {text: count * plan.window_steps for text, count in now.items()}
    references = {WEEK: {text: count * plan.window_steps for text, count in then.items()}, BASELINE: trained}
    evaluated_at = format_seconds(last * plan.step_seconds)
    queries: list[dict[str, Any]] = []
    for reference, counts in references.items():
        queries += _expectations(by, reference, counts, counts_now, evaluated_at)
    return TestCase(name, "", series, (), tuple(queries))


def _counter(then: int | None, now: int | None, week_steps: int, last: int) -> list[float | None]:
    """Return a counter that grows by `then` in each step until the week is over and then by `now`, if it exists."""
    before = 0.0 if then is None else float(then * week_steps)
    return [
        *(None if then is None else float(then * step) for step in range(week_steps)),
        *(None if now is None else before + now * step for step in range(last - week_steps + 1)),
    ]


def _expectations(
    by: Mapping[str, str], reference: str, then: Counts, now: Counts, evaluated_at: str
) -> Iterator[dict[str, Any]]:
    then_total, now_total = sum(then.values()), sum(now.values())
    if not then_total or not now_total:
        for what in ("psi", "classes", "chance"):
            missing = selector(record_name(CLASS_COUNTER, what), f"reference=~{quote(f'{reference}|{NOW}')}")
            yield {"expr": missing, "eval_time": evaluated_at}
        return
    classes = sorted({*then, *now})
    before, after = ([_share(counts, text) for text in classes] for counts in (then, now))
    seen = sum(bool(then.get(text) or now.get(text)) for text in classes)
    degrees = max(1, seen - 1)
    measured = {
        "psi": psi(before, after, then_total, now_total),
        "classes": float(seen),
        "chance": chi_squared(degrees, CHANCE_CONFIDENCE) * (1 / then_total + 1 / now_total),
        "samples": float(then_total),
    }
    values = {(what, reference): value for what, value in measured.items()} | {("samples", NOW): float(now_total)}
    yield from recorded_values(CLASS_COUNTER, by, values, evaluated_at)


def _share(counts: Counts, text: str) -> float:
    return counts.get(text, 0) / sum(counts.values())
