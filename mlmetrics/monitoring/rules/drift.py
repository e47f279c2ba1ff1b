"""Drift of a histogram in PromQL alone: how far this hour's scores are from those of a reference.

References are the same hour a week earlier (`week`) and a distribution recorded at training time
(`baseline`). One rule a bucket writes its cumulative share under the label `bin`, so that any
bound can be named; scores above the last bound do not count, for scores end at 1.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from mlmetrics.catalog import BY_NAME
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.rules.model import Group, Record
from mlmetrics.monitoring.rules.promql import any_of, bound, bound_matcher, number, quote, selector, sum_by
from mlmetrics.monitoring.settings import DRIFT_HISTOGRAMS

WEEK_SECONDS = 604_800.0
LEAST_SHARE = 1e-4
NOW, WEEK, BASELINE = "now", "week", "baseline"


def record_name(histogram: str, what: str) -> str:
    """Return the name under which drift rules record `cdf`, `share`, `samples`, `psi`, `ks`, `w1`."""
    return f"mlmetrics:{histogram}:{what}"


def drift_group(config: Config, alert: str) -> Group:
    """Return the recording rules behind one drift alert."""
    histogram = DRIFT_HISTOGRAMS[alert]
    by = (*config.grouping, *BY_NAME[histogram].labels)
    window = config.span(config.alerts[alert].window_seconds or 0.0)
    bounds = config.buckets(histogram)
    rules = (
        *_now(histogram, by, window, bounds),
        *_references(config, histogram),
        *_shares(histogram, bounds),
        *_distances(histogram, bounds),
    )
    return Group(f"mlmetrics-drift: {histogram}", rules)


def _now(histogram: str, by: Sequence[str], window: str, bounds: Sequence[float]) -> Iterator[Record]:
    samples = record_name(histogram, "samples")
    yield Record(samples, sum_by(by, f"increase({histogram}_count[{window}])"), {"reference": NOW})
    for upper in bounds:
        cumulated = sum_by(by, f"increase({selector(f'{histogram}_bucket', bound_matcher(upper))}[{window}])")
        total = f"({selector(samples, f'reference={quote(NOW)}')} > 0)"
        expression = f"{cumulated}\n  / ignoring (reference) {total}"
        yield Record(record_name(histogram, "cdf"), expression, {"bin": bound(upper), "reference": NOW})


def _references(config: Config, histogram: str) -> Iterator[Record]:
    now = f"reference={quote(NOW)}"
    week = config.span(WEEK_SECONDS)
    for what in ("samples", "cdf"):
        name = record_name(histogram, what)
        yield Record(name, f"{selector(name, now)} offset {week}", {"reference": WEEK})
        on = ", ".join([*BY_NAME[histogram].labels, *(["bin"] if what == "cdf" else [])])
        # `* 0 +` keeps the labels of the service that runs, which the recorded baseline may not have.
        expression = (
            f"{selector(name, now)} * 0\n  + on ({on}) group_left () {record_name(histogram, f'baseline_{what}')}"
        )
        yield Record(name, expression, {"reference": BASELINE})


def _shares(histogram: str, bounds: Sequence[float]) -> Iterator[Record]:
    cdf, share = record_name(histogram, "cdf"), record_name(histogram, "share")
    least = number(LEAST_SHARE)
    first = selector(cdf, f"bin={quote(bound(bounds[0]))}")
    yield Record(share, f"clamp_min({first}, {least})", {"bin": bound(bounds[0])})
    for lower, upper in pairwise(bounds):
        above, below = (selector(cdf, f"bin={quote(bound(edge))}") for edge in (upper, lower))
        expression = f"clamp_min({above} - ignoring (bin) {below}, {least})"
        yield Record(share, expression, {"bin": bound(upper)})


def _distances(histogram: str, bounds: Sequence[float]) -> Iterator[Record]:
    then, now = (
        selector(record_name(histogram, "share"), f"reference{operator}{quote(NOW)}") for operator in ("!=", "=")
    )
    versus = "ignoring (reference) group_left ()"
    yield Record(
        record_name(histogram, "psi"),
        f"sum without (bin) (({then} - {versus} {now})\n  * ln({then} / {versus} {now}))",
    )
    cdf = record_name(histogram, "cdf")
    gap = f"abs({selector(cdf, f'reference!={quote(NOW)}')} - {versus} {selector(cdf, f'reference={quote(NOW)}')})"
    yield Record(record_name(histogram, "ks"), f"max without (bin) ({gap})")
    yield Record(record_name(histogram, "gap"), gap)
    yield Record(record_name(histogram, "w1"), _area(histogram, bounds))


def _area(histogram: str, bounds: Sequence[float]) -> str:
    """Return the area between two step functions, which meet at the last bound; bins of one width go together."""
    by_width: dict[float, list[str]] = {}
    for lower, upper in pairwise((0.0, *bounds[:-1])):
        by_width.setdefault(round(upper - lower, 12), []).append(bound(upper))
    gap = record_name(histogram, "gap")
    return "\n  + ".join(
        f"{number(width)} * sum without (bin) ({selector(gap, f'bin=~{any_of(bins)}')})"
        for width, bins in by_width.items()
    )
