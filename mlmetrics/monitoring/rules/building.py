"""How rows of the table build their conditions from the numbers of a configuration."""

from collections.abc import Callable

from mlmetrics.catalog import Operation
from mlmetrics.monitoring.config import AlertSettings, Config
from mlmetrics.monitoring.durations import HOUR_SECONDS, MINUTE_SECONDS
from mlmetrics.monitoring.rules import cost, indicators
from mlmetrics.monitoring.rules.alert import VALUE, AlertDefinition, BuildCondition
from mlmetrics.monitoring.rules.class_drift import CLASS_SUBJECT
from mlmetrics.monitoring.rules.conditions import Condition, Drifted, Growth, Level, Share, Spent
from mlmetrics.monitoring.rules.drift import CLASS_COUNTER
from mlmetrics.monitoring.rules.indicators import Events, Indicator, Sample


def share(indicator: Callable[[float], Indicator], *by: str) -> BuildCondition:
    """Build a condition on the share of bad events; the indicator takes the alert's threshold."""

    def build(config: Config, settings: AlertSettings) -> Condition:
        return Share(
            indicator(settings.threshold or 0.0),
            (*config.grouping, *by),
            settings.window_seconds or 0.0,
            settings.share or 0.0,
            settings.minimum,
        )

    return build


def slow(histogram: str, *by: str) -> BuildCondition:
    """Build a condition on the share of calls that took longer than the alert's threshold."""
    return share(lambda threshold: indicators.slow(histogram, threshold), "service", *by)


def growth(counted: Events | str, *by: str, of_target: bool = False, first: bool = False) -> BuildCondition:
    """Build a condition on how much a counter, or a part of it, grows; the flags are those of `Growth`."""
    events = counted if isinstance(counted, Events) else Events(counted, samples=(Sample(counted, "all"),))

    def build(config: Config, settings: AlertSettings) -> Condition:
        window_seconds, threshold = settings.window_seconds or 0.0, settings.threshold or 0.0
        return Growth(events, (*config.grouping, *by), window_seconds, threshold, of_target, first)

    return build


def spent(alert: str) -> BuildCondition:
    """Build a condition on what a service spent in the window of an alert, which rules record."""

    def build(config: Config, settings: AlertSettings) -> Condition:
        recorded = cost.spent_over(cost.alert_seconds(config, alert))
        return Spent(Sample(cost.SPENT, "all"), recorded, (*config.grouping, "service"), settings.threshold or 0.0)

    return build


def level(used: str, limit: str = "") -> BuildCondition:
    """Build a condition on a value of each target, as a share of a limit if there is one."""

    def build(config: Config, settings: AlertSettings) -> Condition:
        return Level(
            Sample(used, "used"),
            (*config.grouping, "job", "instance"),
            (settings.share if limit else settings.threshold) or 0.0,
            config.jobs,
            Sample(limit, "limit") if limit else None,
            settings.window_seconds,
        )

    return build


def drifted(operation: Operation) -> BuildCondition:
    """Build a condition on how far the scores of an operation have shifted.

    Raises:
        ValueError: The operation has no scores.
    """
    scores = operation.score
    if scores is None:
        raise ValueError(f"{operation.name} has no scores whose drift could be measured")

    def build(config: Config, settings: AlertSettings) -> Condition:
        by, bounds = (*config.grouping, *scores.labels), config.buckets(scores.name)
        return Drifted(scores.name, by, settings.threshold or 0.0, settings.minimum or 0.0, bounds)

    return build


def classes_drifted(config: Config, settings: AlertSettings) -> Condition:
    """Build a condition on how far the classes that models predict have shifted."""
    by = (*config.grouping, *CLASS_SUBJECT)
    return Drifted(CLASS_COUNTER, by, settings.threshold or 0.0, settings.minimum or 0.0)


DRIFT_DEFAULTS = AlertSettings("warning", 30 * MINUTE_SECONDS, threshold=0.2, window_seconds=HOUR_SECONDS, minimum=500)


def drift_row(
    name: str,
    condition: BuildCondition,
    summary: str,
    dashboard: str = "quality",
    defaults: AlertSettings = DRIFT_DEFAULTS,
) -> AlertDefinition:
    """Return the row of an alert on a shift of scores or classes."""
    description = f"The population stability index against the reference '{{{{ $labels.reference }}}}' is {VALUE}."
    return AlertDefinition(name, defaults, condition, summary, description, dashboard, "population stability index")
