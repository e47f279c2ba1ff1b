"""Drift of classes: the recording rules that compare how often a model predicts each class, by PSI.

A class that is predicted on one side only has no series on the other; there its share is 0, so that
classes that are new and classes that are gone count.
"""

from collections.abc import Iterator, Sequence

from mlmetrics.catalog import BY_NAME
from mlmetrics.monitoring.rules.drift import (
    BASELINE,
    CLASS_COUNTER,
    NOW,
    WEEK,
    chance_rule,
    now,
    psi_rule,
    record_name,
    samples_rules,
    then,
)
from mlmetrics.monitoring.rules.model import Group, RecordingRule
from mlmetrics.monitoring.rules.promql import sum_by

CLASS_LABEL = "predicted_class"
CLASS_SUBJECT = tuple(label for label in BY_NAME[CLASS_COUNTER].labels if label != CLASS_LABEL)
"""The labels that say whose classes they are."""


def class_drift_group(grouping: Sequence[str], *, window: str, week: str) -> Group:
    """Return the recording rules behind the drift alert; `window` and `week` are durations, scaled already."""
    by = (*grouping, *CLASS_SUBJECT)
    grown = f"increase({CLASS_COUNTER}[{window}])"
    present, past = now(CLASS_COUNTER, "share"), then(CLASS_COUNTER, "share")
    change = f"{present} - ignoring (reference) group_right () {past}"
    running = f"and on ({', '.join(by)}) {present}"
    # A class that is gone has no share now: the difference is the share that it had.
    shift = f"{change}\n  or -1 * {past}"
    seen = f"{past} + abs({change}\n  or {past}) > 0"
    rules = (
        *samples_rules(CLASS_COUNTER, CLASS_SUBJECT, by, grown, week),
        *_shares(by, grown, week),
        psi_rule(CLASS_COUNTER, shift, CLASS_LABEL, running),
        RecordingRule(
            record_name(CLASS_COUNTER, "classes"), f"count without ({CLASS_LABEL}) (\n  {seen}\n)\n{running}"
        ),
        chance_rule(CLASS_COUNTER),
    )
    return Group(f"mlmetrics-drift: {CLASS_COUNTER}", rules)


def _shares(by: Sequence[str], grown: str, week: str) -> Iterator[RecordingRule]:
    name = record_name(CLASS_COUNTER, "share")
    present = now(CLASS_COUNTER, "share")
    of_subject = f"on ({', '.join(by)})"
    # Not what was recorded a moment ago: vmalert reads that one evaluation late, and shares would exceed 1.
    expression = f"{sum_by((*by, CLASS_LABEL), grown)}\n  / {of_subject} group_left () ({sum_by(by, grown)} > 0)"
    yield RecordingRule(name, expression, {"reference": NOW})
    # A class that is new has the share 0 in the reference, if there is a reference at all.
    new = f"{present} * 0 and {of_subject}"
    last_week, recorded = f"{present} offset {week}", record_name(CLASS_COUNTER, "baseline_share")
    yield RecordingRule(name, f"{last_week}\n  or {new} {last_week}", {"reference": WEEK})
    yield RecordingRule(name, f"{recorded}\n  or ignoring (reference) {new} {recorded}", {"reference": BASELINE})
