"""Alerts on the operations that a project declares: each row is made from the row of the operation."""

import re
from collections.abc import Iterator

from mlmetrics.catalog import Operation
from mlmetrics.monitoring.config import AlertSettings
from mlmetrics.monitoring.durations import MINUTE_SECONDS
from mlmetrics.monitoring.rules import indicators
from mlmetrics.monitoring.rules.alert import PERCENT, AlertDefinition
from mlmetrics.monitoring.rules.building import drift_row, drifted, share, slow

SLOW, FAILURES, LOW_SCORE, DRIFT = "Slow{}", "High{}FailureRate", "Low{}Score", "{}ScoreDrift"
"""The names of the alerts of an operation; its own name takes the place of the braces."""
OWN_ALERTS = (FAILURES, LOW_SCORE, DRIFT, SLOW)
OF_SCORES = (LOW_SCORE, DRIFT)
_CAMEL_CASE = "((?:[A-Z][a-z0-9]+)+)"


def own_alerts(operation: Operation) -> Iterator[AlertDefinition]:
    """Yield the alerts of an operation: on slow calls, on failures and, if it has scores, on those."""
    yield from _on_calls(operation)
    if operation.score is not None:
        yield from _on_scores(operation, operation.score.name)


def _on_calls(operation: Operation) -> Iterator[AlertDefinition]:
    name, noun, by = camel_case(operation.name), operation.noun, subject_labels(operation)
    what = f"{noun.capitalize()}{_of_subject(operation)} in {{{{ $labels.service }}}}"
    yield AlertDefinition(
        SLOW.format(name),
        AlertSettings("warning", 5 * MINUTE_SECONDS, 30.0, 0.05, 10 * MINUTE_SECONDS, 10),
        slow(operation.duration, *by),
        f"{what} is slow",
        f"{PERCENT} of the {noun} calls took longer than <threshold> s.",
        "operations",
        "seconds",
    )
    yield AlertDefinition(
        FAILURES.format(name),
        AlertSettings("critical", 5 * MINUTE_SECONDS, None, 0.1, 10 * MINUTE_SECONDS, 10),
        share(lambda _: indicators.failed_calls(operation.finished), "service", *by),
        f"{what} fails",
        f"{PERCENT} of the {noun} calls failed; cancelled calls are not counted.",
        "operations",
    )


def _on_scores(operation: Operation, scores: str) -> Iterator[AlertDefinition]:
    name, noun, subject = camel_case(operation.name), operation.noun, _of_subject(operation)
    yield AlertDefinition(
        LOW_SCORE.format(name),
        AlertSettings("warning", 10 * MINUTE_SECONDS, 0.5, 0.5, 30 * MINUTE_SECONDS, 30),
        share(lambda threshold: indicators.low(scores, threshold), "service", *subject_labels(operation)),
        f"{noun.capitalize()}{subject} in {{{{ $labels.service }}}} gives low scores",
        f"{PERCENT} of the {noun} results scored at most <threshold>, so the median is at or below it.",
        "operations",
        "score, 0 to 1",
    )
    yield drift_row(
        DRIFT.format(name),
        drifted(operation),
        f"Scores of {noun}{subject} in {{{{ $labels.service }}}} have shifted",
        "operations",
    )


def camel_case(name: str) -> str:
    """Return the name of an operation as names of alerts have it.

    >>> camel_case("query_rewriting")
    'QueryRewriting'
    """
    return "".join(word.capitalize() for word in name.split("_"))


def operation_of_alert(alert: str) -> tuple[str, bool] | None:
    """Return the name of the operation that would have an alert of this name, and whether it needs scores.

    >>> operation_of_alert("LowQueryRewritingScore")
    ('query_rewriting', True)
    """
    for template in OWN_ALERTS:
        found = re.fullmatch(template.format(_CAMEL_CASE), alert)
        if found:
            return "_".join(word.lower() for word in re.findall("[A-Z][a-z0-9]+", found[1])), template in OF_SCORES
    return None


def subject_labels(operation: Operation) -> tuple[str, ...]:
    """Return the label that tells the calls of an operation apart, nothing if it has no labels."""
    return (operation.subject,) if operation.subject else ()


def _of_subject(operation: Operation) -> str:
    """Return the words for the subject of an operation, such as ` (index {{ $labels.index }})`."""
    return f" ({operation.subject} {{{{ $labels.{operation.subject} }}}})" if operation.subject else ""
