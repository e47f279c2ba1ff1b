"""The unit tests of an alert on what is too old: a date that is kept up, ages, or is no longer exposed."""

from collections.abc import Iterator, Sequence

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.promtool.scenarios import SLIGHTLY_MORE, StepPlan
from mlmetrics.monitoring.promtool.test_cases import ExpectedAlert, TestCase, Values, placeholder_labels, series_name
from mlmetrics.monitoring.rules.alert import Alert
from mlmetrics.monitoring.rules.conditions import Aged


def aged_cases(config: Config, alert: Alert, condition: Aged, plan: StepPlan) -> Iterator[TestCase]:
    """Yield the test cases of a date that ages."""
    labels = {**placeholder_labels(config, condition.by), "service": config.services[0].name}
    name = condition.date.name
    for story, instances in _stories(plan):
        series = {series_name(config, name, {"instance": instance}): dates for instance, dates in instances.items()}
        ages = _ages(list(instances.values()), plan)
        expected = ExpectedAlert(alert.rule(config), labels, ages, alert.settings.for_seconds)
        yield TestCase(story, alert.name, series, (expected,))


def _ages(instances: Sequence[Values], plan: StepPlan) -> list[float | None]:
    """Return by step the age of the oldest date, where it is too old."""
    oldest = [min((date for date in dates if date is not None), default=None) for dates in zip(*instances, strict=True)]
    ages = [None if date is None else step * plan.step_seconds - date for step, date in enumerate(oldest)]
    return [None if age is None or age <= plan.window_steps * plan.step_seconds else age for age in ages]


def _stories(plan: StepPlan) -> Iterator[tuple[str, dict[str, Values]]]:
    """Yield what may happen to the dates of instances, by step; the window has `plan.window_steps` steps."""
    window, step_seconds = plan.window_steps, plan.step_seconds
    first = window + 2
    enough = first + plan.wait_steps + 2
    slightly = first * step_seconds - window * step_seconds * SLIGHTLY_MORE
    new = [first * step_seconds] * (enough + 3)
    yield "kept up to date", {"one:80": [step * step_seconds for step in range(enough)]}
    yield "exactly at the threshold", {"one:80": [step_seconds] * first}
    yield "just above the threshold, then a new table", {"one:80": [*[slightly] * enough, *new[:3]]}
    yield "an old instance beside a new one", {"one:80": new, "two:80": [0.0] * len(new)}
    yield "is gone", {"one:80": [*[0.0] * enough, *[None] * 3]}
