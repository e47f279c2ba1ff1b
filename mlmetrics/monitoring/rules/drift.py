"""Drift, written in PromQL alone: the distance of what this hour brought from a reference.

References are the same hour a week earlier (`week`) and a distribution recorded at training time
(`baseline`). `score_drift` and `class_drift` write the rules; this module has what both of them need.
The population stability index (PSI) is Σ (now - then) · ln((now + h) / (then + h)) over the bins or
classes. `h` is half an observation as a share of the smaller side, so that an empty bin has a logarithm,
and one that few observations fall into does not count for more than they can tell.
"""

from collections.abc import Iterator, Sequence
from math import ceil, sqrt
from statistics import NormalDist

from mlmetrics.monitoring.rules.model import RecordingRule
from mlmetrics.monitoring.rules.promql import number, quote, selector, sum_by

CLASS_COUNTER = "ml_prediction_total"
FEWEST_CLASSES = 2
WEEK_SECONDS = 604_800.0
NOW, WEEK, BASELINE = "now", "week", "baseline"
LEAST_CONFIDENCE = 0.95
"""How often the PSI of equal distributions stays under the threshold, with the lowest `minimum` that is accepted."""
CHANCE_CONFIDENCE = 0.99
"""How often the PSI of equal distributions of classes stays under what is recorded as `chance`."""
VERSUS = "ignoring (reference) group_left ()"
_PAST = f"reference!={quote(NOW)}"
_PRESENT = f"reference={quote(NOW)}"


def record_name(metric: str, what: str) -> str:
    """Return the name under which drift rules record `samples`, `share`, `psi` and the others."""
    return f"mlmetrics:{metric}:{what}"


def now(metric: str, what: str, *matchers: str) -> str:
    """Return the selector of what was recorded of the last hour."""
    return selector(record_name(metric, what), _PRESENT, *matchers)


def then(metric: str, what: str) -> str:
    """Return the selector of what was recorded of the references."""
    return selector(record_name(metric, what), _PAST)


def least_samples(psi: float, bins: int) -> int:
    """Return how many observations both sides need so that equal distributions stay under `psi` 95 times in 100.

    PSI of equal distributions is about χ² with `bins - 1` degrees of freedom, times 1/N + 1/M.
    """
    return ceil(2 * chi_squared(bins - 1, LEAST_CONFIDENCE) / psi)


def chi_squared(degrees: int, confidence: float) -> float:
    """Return the quantile of χ², as Wilson and Hilferty approximate it: within 3 % of the table."""
    spread = 2 / (9 * degrees)
    return float(degrees * (1 - spread + _normal_quantile(confidence) * sqrt(spread)) ** 3)


def _normal_quantile(confidence: float) -> float:
    return round(NormalDist().inv_cdf(confidence), 3)


def samples_rules(
    metric: str, labels: Sequence[str], by: Sequence[str], total: str, week: str
) -> Iterator[RecordingRule]:
    """Yield the rules of how many observations there are on each side; `total` is the expression of the last hour."""
    samples = record_name(metric, "samples")
    yield RecordingRule(samples, sum_by(by, total), {"reference": NOW})
    yield RecordingRule(samples, f"{now(metric, 'samples')} offset {week}", {"reference": WEEK})
    yield from_baseline(metric, "samples", labels)
    # The smaller of both sides is (N + M - |N - M|) / 2; PromQL has no function for it.
    one, other = then(metric, "samples"), f"{VERSUS} {now(metric, 'samples')}"
    yield RecordingRule(record_name(metric, "half"), f"1 / ({one} + {other}\n  - abs({one} - {other}))")


def from_baseline(metric: str, what: str, on: Sequence[str]) -> RecordingRule:
    """Return the rule that takes a part of the recorded baseline over."""
    # `* 0 +` keeps the labels of the service that runs, which the recorded baseline may not have.
    expression = (
        f"{now(metric, what)} * 0\n  + on ({', '.join(on)}) group_left () {record_name(metric, f'baseline_{what}')}"
    )
    return RecordingRule(record_name(metric, what), expression, {"reference": BASELINE})


def psi_rule(metric: str, shift: str, of: str, condition: str = "") -> RecordingRule:
    """Return the rule of the PSI; `shift` is the expression of now - then, and `of` the label of bins or classes.

    `condition` is added at the end.
    """
    # (now + h) / (then + h) is 1 + shift / (then + h), whose operands have the same labels.
    before = f"({then(metric, 'share')} + ignoring ({of}) group_left () {record_name(metric, 'half')})"
    expression = f"sum without ({of}) (\n  ({shift})\n  * ln(1 + ({shift})\n  / {before})\n)"
    expression += f"\n{condition}" if condition else ""
    return RecordingRule(record_name(metric, "psi"), expression)


def chance_rule(metric: str) -> RecordingRule:
    """Return the rule of the PSI that 99 of 100 hours with equal distributions stay under, by the classes there are."""
    degrees = f"clamp_min({record_name(metric, 'classes')} - 1, 1)"
    spread = f"2 / (9 * {degrees})"
    quantile = number(_normal_quantile(CHANCE_CONFIDENCE))
    expression = (
        f"{degrees}\n"
        f"  * (1 - {spread} + {quantile} * sqrt({spread})) ^ 3\n"
        f"  * (1 / {then(metric, 'samples')} + {VERSUS} 1 / {now(metric, 'samples')})"
    )
    return RecordingRule(record_name(metric, "chance"), expression)
