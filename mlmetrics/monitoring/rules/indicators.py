"""Indicators (SLIs): events and the bad ones among them, as PromQL and as the samples that the PromQL reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mlmetrics.monitoring.rules.promql import bound, bound_matcher, quote, selector, sum_by

# Writes the selector of a metric with an indicator's own matchers; dashboards add those of their variables.
Select = Callable[..., str]
Part = Literal["all", "good", "bad", "excluded", "used", "limit"]


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample that a rule reads, and which part of the calls it counts (for unit tests of the rule).

    `labels` are those that the rule selects by; `bound` is the upper bound if the sample is a bucket.
    """

    name: str
    part: Part
    labels: dict[str, str] = field(default_factory=dict)
    bound: float | None = None

    def all_labels(self) -> dict[str, str]:
        """Return the labels, with `le` if the sample is a bucket."""
        return self.labels if self.bound is None else {**self.labels, "le": bound(self.bound)}


@dataclass(frozen=True, slots=True)
class Indicator:
    """Counters of events: all of them in `total`, or in `total` and `more`; the bad ones are `bad` minus `not_bad`."""

    total: str
    bad: str
    not_bad: str
    samples: tuple[Sample, ...]
    more: str = ""

    def bad_rate(self, by: Sequence[str], window: str) -> str:
        """Return the rate of bad events; all versions of Prometheus from 2.42 compute the same number."""
        bad = sum_by(by, f"rate({self.bad}[{window}])")
        if not self.not_bad:
            return bad
        return f"({bad} - {sum_by(by, f'rate({self.not_bad}[{window}])')})"

    def total_rate(self, by: Sequence[str], window: str) -> str:
        """Return the rate of all calls."""
        return self._total(by, "rate", window)

    def total_increase(self, by: Sequence[str], window: str) -> str:
        """Return how many calls there were."""
        return self._total(by, "increase", window)

    def _total(self, by: Sequence[str], function: str, window: str) -> str:
        total, *more = (sum_by(by, f"{function}({each}[{window}])") for each in (self.total, self.more) if each)
        return f"({' + '.join([total, *more])})" if more else total


@dataclass(frozen=True, slots=True)
class Events:
    """A counter of which only the series that `matcher` selects count; `samples` are one of them, then one other."""

    name: str
    matcher: str = ""
    samples: tuple[Sample, ...] = ()

    def selected(self) -> str:
        """Return the selector."""
        return selector(self.name, self.matcher)


def slow(metric: str, threshold: float, *matchers: str) -> Indicator:
    """Return the calls that a histogram timed, those beyond `threshold` being bad."""
    count = selector(f"{metric}_count", *matchers)
    return Indicator(
        total=count,
        bad=count,
        not_bad=selector(f"{metric}_bucket", bound_matcher(threshold), *matchers),
        samples=(Sample(f"{metric}_count", "all"), Sample(f"{metric}_bucket", "good", {}, threshold)),
    )


def low(metric: str, threshold: float, *matchers: str, select: Select = selector) -> Indicator:
    """Return the scores of a histogram, those of at most `threshold` being bad."""
    return Indicator(
        total=select(f"{metric}_count", *matchers),
        bad=select(f"{metric}_bucket", bound_matcher(threshold), *matchers),
        not_bad="",
        samples=(Sample(f"{metric}_count", "all"), Sample(f"{metric}_bucket", "bad", {}, threshold)),
    )


def failed_requests(*matchers: str, select: Select = selector) -> Indicator:
    """Return HTTP requests, those answered by 5xx being bad; a request whose client left (499) is not counted."""
    name = "fastapi_requests_total"
    return Indicator(
        total=select(name, f"status!={quote('499')}", *matchers),
        bad=select(name, f"status=~{quote('5..')}", *matchers),
        not_bad="",
        samples=(
            Sample(name, "good", {"status": "200"}),
            Sample(name, "bad", {"status": "500"}),
            Sample(name, "excluded", {"status": "499"}),
        ),
    )


def failed_calls(metric: str, *matchers: str, select: Select = selector) -> Indicator:
    """Return finished calls of an operation, failures being bad and cancelled calls left out."""
    return Indicator(
        total=select(metric, f"outcome!={quote('cancelled')}", *matchers),
        bad=select(metric, f"outcome={quote('failure')}", *matchers),
        not_bad="",
        samples=(
            Sample(metric, "good", {"outcome": "success"}),
            Sample(metric, "bad", {"outcome": "failure"}),
            Sample(metric, "excluded", {"outcome": "cancelled"}),
        ),
    )


def usage_missing(*, select: Select = selector) -> Indicator:
    """Return successful inferences, those whose answer did not contain its token usage being bad."""
    missing, total = "ml_inference_usage_missing_total", "ml_inference_total"
    return Indicator(
        total=select(total, f"outcome={quote('success')}"),
        bad=select(missing),
        not_bad="",
        samples=(Sample(total, "all", {"outcome": "success"}), Sample(missing, "bad")),
    )


def retried(*, select: Select = selector) -> Indicator:
    """Return the attempts of inferences, those that were made again being bad: each call has one more than these."""
    calls, retries = "ml_inference_total", "ml_inference_retries_total"
    return Indicator(
        total=select(calls),
        bad=select(retries),
        not_bad="",
        samples=(Sample(calls, "good"), Sample(retries, "bad")),
        more=select(retries),
    )


def refused_attempts() -> Events:
    """Return the attempts of inferences that no later attempt heals: the credentials or the quota are refused."""
    name = "ml_inference_attempt_errors_total"
    return Events(
        name,
        f"reason=~{quote('authentication|quota')}",
        (Sample(name, "all", {"reason": "quota"}), Sample(name, "excluded", {"reason": "timeout"})),
    )


def failed_loads() -> Events:
    """Return the loads of models that failed."""
    name = "ml_model_load_total"
    return Events(
        name,
        f"outcome={quote('failure')}",
        (Sample(name, "all", {"outcome": "failure"}), Sample(name, "excluded", {"outcome": "success"})),
    )


def bad_feedback(*, select: Select = selector) -> Indicator:
    """Return the verdicts on results of models, the bad ones being bad."""
    name = "ml_feedback_total"
    return Indicator(
        total=select(name),
        bad=select(name, f"verdict={quote('bad')}"),
        not_bad="",
        samples=(Sample(name, "good", {"verdict": "good"}), Sample(name, "bad", {"verdict": "bad"})),
    )


def busy_host(*, select: Select = selector) -> Indicator:
    """Return the processor time of hosts, all modes except idle and iowait being bad."""
    name = "node_cpu_seconds_total"
    return Indicator(
        total=select(name),
        bad=select(name, f"mode!~{quote('idle|iowait')}"),
        not_bad="",
        samples=(Sample(name, "good", {"mode": "idle"}), Sample(name, "bad", {"mode": "user"})),
    )
