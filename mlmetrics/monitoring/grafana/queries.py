"""PromQL of panels: what the variables select, over what Grafana takes for a rate's window.

Every ratio is absent where there was no traffic, and 0 where there was traffic and nothing of the part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mlmetrics.catalog import METRICS
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.rules.promql import any_of, bound_matcher, quote, selector, sum_by

WINDOW = "$__rate_interval"
HOUR_SECONDS = 3600
SELECTED = ("service", "model")
NOT_CANCELLED = f"outcome!={quote('cancelled')}"

_LABELS = {sample: metric.labels for metric in METRICS for sample in metric.sample_names}


def selected(label: str) -> str:
    """Return the matcher of a label by the variable of its name."""
    return f'{label}=~"${label}"'


@dataclass(frozen=True, slots=True)
class Queries:
    """The forms that queries take, for one configuration."""

    config: Config

    def pick(self, sample: str, *matchers: str) -> str:
        """Return a sample's selector: matched by every variable whose label it has.

        What other programs have too (`up`, `process_...`) is taken from the services only.
        """
        own = _LABELS.get(sample)
        labels = [*self.config.grouping, *(label for label in SELECTED if label in (own or ())), "job", "instance"]
        theirs = () if own is not None else (f"job=~{any_of(service.name for service in self.config.services)}",)
        return selector(sample, *(selected(label) for label in labels), *theirs, *matchers)

    def rate(self, sample: str, *matchers: str, offset: str = "") -> str:
        """Return the rate of a counter; `offset` is a duration to look back."""
        behind = f" offset {offset}" if offset else ""
        return f"rate({self.pick(sample, *matchers)}[{WINDOW}]{behind})"

    def per_second(self, by: Sequence[str], sample: str, *matchers: str) -> str:
        """Return how often something happened."""
        return _sum(by, self.rate(sample, *matchers))

    def share(self, by: Sequence[str], sample: str, part: str, whole: str) -> str:
        """Return the share of a counter that `part` matches, of what `whole` matches."""
        return share_of(self.per_second(by, sample, part), self.per_second(by, sample, whole))

    def success(self, by: Sequence[str], sample: str) -> str:
        """Return the share of finished calls that succeeded; cancelled ones are left out."""
        return self.share(by, sample, f"outcome={quote('success')}", NOT_CANCELLED)

    def failure(self, by: Sequence[str], sample: str) -> str:
        """Return the share of finished calls that failed; cancelled ones are left out."""
        return self.share(by, sample, f"outcome={quote('failure')}", NOT_CANCELLED)

    def request_errors(self, by: Sequence[str]) -> str:
        """Return the share of requests answered by 5xx; a client that left (499) is no request of ours."""
        return self.share(by, "fastapi_requests_total", f"status=~{quote('5..')}", f"status!={quote('499')}")

    def at_most(self, by: Sequence[str], histogram: str, bound: float) -> str:
        """Return the share of observations up to a bucket's bound."""
        total = _sum(by, self.rate(f"{histogram}_count"))
        return f"{_sum(by, self.rate(f'{histogram}_bucket', bound_matcher(bound)))} / ({total} > 0)"

    def quantile(self, share: float, by: Sequence[str], histogram: str) -> str:
        """Return a quantile, where anything was observed."""
        buckets = _sum([*by, "le"], self.rate(f"{histogram}_bucket"))
        observed = _sum(by, self.rate(f"{histogram}_count"))
        return f"histogram_quantile({share:g}, {buckets}) and ({observed} > 0)"

    def mean(self, by: Sequence[str], histogram: str) -> str:
        """Return the mean of what was observed."""
        return f"{_sum(by, self.rate(f'{histogram}_sum'))} / ({_sum(by, self.rate(f'{histogram}_count'))} > 0)"

    def buckets(self, histogram: str, *, offset: str = "") -> str:
        """Return the buckets of a heatmap, in observations per second."""
        return _sum(["le"], self.rate(f"{histogram}_bucket", offset=offset))

    def per_hour(self, by: Sequence[str], sample: str) -> str:
        """Return how much a counter grows in an hour at its present rate."""
        return f"{HOUR_SECONDS} * {self.per_second(by, sample)}"

    def recorded(self, name: str, *matchers: str) -> str:
        """Return what a recording rule wrote; rules keep the service and no target."""
        grouping = [selected(label) for label in self.config.grouping]
        return selector(name, *grouping, selected("service"), *matchers)

    def firing(self, *matchers: str) -> str:
        """Return the alerts that fire for the selected services, and for hosts, which have no service."""
        shown = ('service=~"$service|"', f"alertstate={quote('firing')}", f"alertname!={quote('Watchdog')}")
        return selector("ALERTS", *shown, *matchers)


def share_of(part: str, whole: str) -> str:
    """Return the share of one rate in another."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


def _sum(by: Sequence[str], expression: str) -> str:
    return sum_by(by, expression) if by else f"sum({expression})"
