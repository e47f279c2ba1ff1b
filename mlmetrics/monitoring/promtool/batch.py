"""The unit tests of the alert for batch jobs: a job that succeeds in time, late, never, or is gone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.promtool.scenarios import SLIGHTLY_MORE, StepPlan
from mlmetrics.monitoring.promtool.test_cases import ExpectedAlert, TestCase, Values, placeholder_labels, series_name
from mlmetrics.monitoring.rules.alert import Alert
from mlmetrics.monitoring.rules.conditions import Unsuccessful

_SUCCESS_STEP = 2


@dataclass(frozen=True, slots=True)
class _Story:
    """The time of the last success by step, None where it is not known; and from which step to which it is too old.

    `gone` is the step from which on nothing is exposed; `other` is the last success that another process knows.
    """

    name: str
    successes: Values
    late: range
    gone: int | None = None
    other: float | None = None


def unsuccessful_cases(config: Config, alert: Alert, condition: Unsuccessful, plan: StepPlan) -> Iterator[TestCase]:
    """Yield the test cases of a batch job."""
    labels = placeholder_labels(config, condition.by)
    for story in _stories(plan):
        length = len(story.successes)
        runs: Values = [None if story.gone is not None and step >= story.gone else 1.0 for step in range(length)]
        series = {
            series_name(config, condition.runs.name, {"outcome": "failure"}): runs,
            series_name(config, condition.success.name, {}): story.successes,
        }
        if story.other is not None:
            series[series_name(config, condition.success.name, {"instance": "two:80"})] = [story.other] * length
        late = [1.0 if step in story.late else None for step in range(length)]
        yield TestCase(
            story.name,
            alert.name,
            {name: values for name, values in series.items() if any(value is not None for value in values)},
            (ExpectedAlert(alert.rule(config), labels, late, alert.settings.for_seconds),),
        )


def _stories(plan: StepPlan) -> Iterator[_Story]:
    """Yield what may happen; the window has `plan.window_steps` steps, and a success is at `_SUCCESS_STEP`."""
    window, step_seconds = plan.window_steps, plan.step_seconds
    first = _SUCCESS_STEP + window + 1  # the step at which the success has become too old
    enough = first + plan.wait_steps + 2
    at = _SUCCESS_STEP * step_seconds
    yield _Story("succeeds in time", [step * step_seconds for step in range(enough)], range(0))
    exactly = _known_from(_SUCCESS_STEP, at, first)
    yield _Story("exactly at the threshold", exactly, range(0))
    slightly = first * step_seconds - window * step_seconds * SLIGHTLY_MORE
    again = [enough * step_seconds] * 3
    yield _Story(
        "just above the threshold, then a success",
        [*_known_from(_SUCCESS_STEP, slightly, enough), *again],
        range(first, enough),
    )
    yield _Story("never succeeds", [None] * enough, range(window, enough))
    yield _Story("another process succeeds later", [at] * enough, range(0), other=enough * step_seconds)
    restarted = _SUCCESS_STEP + 2
    forgotten = [*_known_from(_SUCCESS_STEP, at, restarted), *([None] * (2 * window + first))]
    yield _Story("restart, then no success", forgotten, range(first, len(forgotten)))
    yield _Story("restart, then a success in time", [*forgotten[:first], first * step_seconds], range(0))
    yield _Story("is gone", forgotten, range(first, restarted + window), gone=restarted)


def _known_from(step: int, time: float, length: int) -> Sequence[float | None]:
    """Return the time of a success that is known from a step on."""
    return [None if each < step else time for each in range(length)]
