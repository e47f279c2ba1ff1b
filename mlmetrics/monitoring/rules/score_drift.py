"""Drift of scores: the recording rules that compare the bins of a histogram, by PSI, KS and W1.

For each bucket, a rule records its cumulative share with the label `bin`, so that other rules can select
any bound. Scores above the last bound are not counted: no score exceeds 1.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from mlmetrics.catalog import Metric
from mlmetrics.monitoring.rules.drift import (
    NOW,
    VERSUS,
    WEEK,
    from_baseline,
    now,
    psi_rule,
    record_name,
    samples_rules,
    then,
)
from mlmetrics.monitoring.rules.model import Group, RecordingRule
from mlmetrics.monitoring.rules.promql import any_of, bound, bound_matcher, number, quote, selector, sum_by


def score_drift_group(
    metric: Metric, grouping: Sequence[str], bounds: Sequence[float], *, window: str, week: str
) -> Group:
    """Return the recording rules behind one drift alert; `window` and `week` are durations, scaled already."""
    by, histogram = (*grouping, *metric.labels), metric.name
    rules = (
        *samples_rules(histogram, metric.labels, by, f"increase({histogram}_count[{window}])", week),
        *_cumulated(metric, by, window, week, bounds),
        *_shares(histogram, bounds),
        *_distances(histogram, bounds),
    )
    return Group(f"mlmetrics-drift: {histogram}", rules)


def _cumulated(
    metric: Metric, by: Sequence[str], window: str, week: str, bounds: Sequence[float]
) -> Iterator[RecordingRule]:
    histogram, name = metric.name, record_name(metric.name, "cdf")
    total = sum_by(by, f"increase({histogram}_count[{window}])")
    for upper in bounds:
        cumulated = sum_by(by, f"increase({selector(f'{histogram}_bucket', bound_matcher(upper))}[{window}])")
        # Not what was recorded a moment ago: vmalert reads that one evaluation late, and shares would exceed 1.
        expression = f"{cumulated}\n  / ({total} > 0)"
        yield RecordingRule(name, expression, {"bin": bound(upper), "reference": NOW})
    yield RecordingRule(name, f"{now(histogram, 'cdf')} offset {week}", {"reference": WEEK})
    yield from_baseline(histogram, "cdf", (*metric.labels, "bin"))


def _shares(histogram: str, bounds: Sequence[float]) -> Iterator[RecordingRule]:
    cdf, share = record_name(histogram, "cdf"), record_name(histogram, "share")
    first = selector(cdf, f"bin={quote(bound(bounds[0]))}")
    yield RecordingRule(share, first, {"bin": bound(bounds[0])})
    for lower, upper in pairwise(bounds):
        above, below = (selector(cdf, f"bin={quote(bound(edge))}") for edge in (upper, lower))
        # `increase` extrapolates each bucket by itself, so one may seem to have grown less than the one below it.
        yield RecordingRule(share, f"clamp_min({above} - ignoring (bin) {below}, 0)", {"bin": bound(upper)})


def _distances(histogram: str, bounds: Sequence[float]) -> Iterator[RecordingRule]:
    present, past = now(histogram, "share"), then(histogram, "share")
    yield psi_rule(histogram, f"{present} - ignoring (reference) group_right () {past}", "bin")
    gap = f"abs({then(histogram, 'cdf')} - {VERSUS} {now(histogram, 'cdf')})"
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
