"""Drift of a histogram, written in PromQL alone: the distance of the scores of this hour from those of a reference.

References are the same hour a week earlier (`week`) and a distribution recorded at training time
(`baseline`). For each bucket, a rule records its cumulative share with the label `bin`, so that
other rules can select any bound. Scores above the last bound are not counted: no score exceeds 1.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil, sqrt
from statistics import NormalDist

from mlmetrics.catalog import Metric
from mlmetrics.monitoring.rules.model import Group, RecordingRule
from mlmetrics.monitoring.rules.promql import any_of, bound, bound_matcher, number, quote, selector, sum_by

DRIFT_HISTOGRAMS = {
    "MatchingScoreDrift": "matching_score_distribution",
    "ParsingAccuracyDrift": "parsing_accuracy_score",
}
WEEK_SECONDS = 604_800.0
LEAST_SHARE = 1e-4
NOW, WEEK, BASELINE = "now", "week", "baseline"
_CONFIDENCE = 0.95


def record_name(histogram: str, what: str) -> str:
    """Return the name under which drift rules record `cdf`, `share`, `samples`, `psi`, `ks`, `w1`."""
    return f"mlmetrics:{histogram}:{what}"


def drift_group(scores: Metric, grouping: Sequence[str], bounds: Sequence[float], *, window: str, week: str) -> Group:
    """Return the recording rules behind one drift alert; `window` and `week` are durations, scaled already."""
    histogram, by = scores.name, (*grouping, *scores.labels)
    rules = (
        *_now(histogram, by, window, bounds),
        *_references(scores, week),
        *_shares(histogram, bounds),
        *_distances(histogram, bounds),
    )
    return Group(f"mlmetrics-drift: {histogram}", rules)


def least_samples(psi: float, bins: int) -> int:
    """Return how many scores both sides need so that equal distributions stay under `psi` 95 times in 100.

    PSI of equal distributions is about χ² with `bins - 1` degrees of freedom, times 1/N + 1/M.
    """
    return ceil(2 * _chi_squared(bins - 1) / psi)


def _chi_squared(degrees: int) -> float:
    # The approximation of Wilson and Hilferty is within 1 % of the table from 2 degrees on, without a dependency.
    spread = 2 / (9 * degrees)
    return float(degrees * (1 - spread + NormalDist().inv_cdf(_CONFIDENCE) * sqrt(spread)) ** 3)


def _now(histogram: str, by: Sequence[str], window: str, bounds: Sequence[float]) -> Iterator[RecordingRule]:
    total = sum_by(by, f"increase({histogram}_count[{window}])")
    yield RecordingRule(record_name(histogram, "samples"), total, {"reference": NOW})
    for upper in bounds:
        cumulated = sum_by(by, f"increase({selector(f'{histogram}_bucket', bound_matcher(upper))}[{window}])")
        # Not what was recorded a moment ago: vmalert reads that one evaluation late, and shares would exceed 1.
        expression = f"{cumulated}\n  / ({total} > 0)"
        yield RecordingRule(record_name(histogram, "cdf"), expression, {"bin": bound(upper), "reference": NOW})


def _references(scores: Metric, week: str) -> Iterator[RecordingRule]:
    histogram, now = scores.name, f"reference={quote(NOW)}"
    for what in ("samples", "cdf"):
        name = record_name(histogram, what)
        yield RecordingRule(name, f"{selector(name, now)} offset {week}", {"reference": WEEK})
        on = ", ".join([*scores.labels, *(["bin"] if what == "cdf" else [])])
        # `* 0 +` keeps the labels of the service that runs, which the recorded baseline may not have.
        expression = (
            f"{selector(name, now)} * 0\n  + on ({on}) group_left () {record_name(histogram, f'baseline_{what}')}"
        )
        yield RecordingRule(name, expression, {"reference": BASELINE})


def _shares(histogram: str, bounds: Sequence[float]) -> Iterator[RecordingRule]:
    cdf, share = record_name(histogram, "cdf"), record_name(histogram, "share")
    least = number(LEAST_SHARE)
    first = selector(cdf, f"bin={quote(bound(bounds[0]))}")
    yield RecordingRule(share, f"clamp_min({first}, {least})", {"bin": bound(bounds[0])})
    for lower, upper in pairwise(bounds):
        above, below = (selector(cdf, f"bin={quote(bound(edge))}") for edge in (upper, lower))
        expression = f"clamp_min({above} - ignoring (bin) {below}, {least})"
        yield RecordingRule(share, expression, {"bin": bound(upper)})


def _distances(histogram: str, bounds: Sequence[float]) -> Iterator[RecordingRule]:
    then, now = (
        selector(record_name(histogram, "share"), f"reference{operator}{quote(NOW)}") for operator in ("!=", "=")
    )
    versus = "ignoring (reference) group_left ()"
    yield RecordingRule(
        record_name(histogram, "psi"),
        f"sum without (bin) (({then} - {versus} {now})\n  * ln({then} / {versus} {now}))",
    )
    cdf = record_name(histogram, "cdf")
    gap = f"abs({selector(cdf, f'reference!={quote(NOW)}')} - {versus} {selector(cdf, f'reference={quote(NOW)}')})"
    yield RecordingRule(record_name(histogram, "ks"), f"max without (bin) ({gap})")
    yield RecordingRule(record_name(histogram, "gap"), gap)
    yield RecordingRule(record_name(histogram, "w1"), _area(histogram, bounds))


def _area(histogram: str, bounds: Sequence[float]) -> str:
    """Return the area between two step functions, which meet at the last bound; bins of equal width share a term."""
    by_width: dict[float, list[str]] = {}
    for lower, upper in pairwise((0.0, *bounds[:-1])):
        by_width.setdefault(round(upper - lower, 12), []).append(bound(upper))
    gap = record_name(histogram, "gap")
    return "\n  + ".join(
        f"{number(width)} * sum without (bin) ({selector(gap, f'bin=~{any_of(bins)}')})"
        for width, bins in by_width.items()
    )
