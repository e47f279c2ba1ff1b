"""PromQL of panels: metrics matched by the dashboard's variables, over the window that Grafana chooses for rates.

Where a rule measures the same, the query is built from the rule's indicator. A ratio has no value if there was no
traffic, and is 0 if there was traffic but none of the calls that it counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.operations import metric_of
from mlmetrics.monitoring.rules.fleet import Total
from mlmetrics.monitoring.rules.indicators import Indicator, failed_calls, low
from mlmetrics.monitoring.rules.promql import job_matcher, quote, selector, sum_by

WINDOW = "$__rate_interval"
RANGE = "$__range"
SECONDS_PER_HOUR = 3600


def matches_variable(label: str) -> str:
    """Return the matcher of a label by the dashboard variable of the same name."""
    return f'{label}=~"${label}"'


@dataclass(frozen=True, slots=True)
class Queries:
    """The queries of panels, for one configuration."""

    config: Config

    def select(self, sample: str, *matchers: str) -> str:
        """Return the selector of a sample, with every variable whose label it has.

        Of samples that other programs have too (`up`, `process_...`), those of the declared services are selected.
        """
        ours = metric_of(self.config.metrics, sample)
        own = [label for label in ("service", "model") if ours is not None and label in ours.labels]
        variables = [matches_variable(label) for label in (*self.config.grouping, *own, "job", "instance")]
        return selector(sample, *variables, "" if ours is not None else job_matcher(self.config.jobs), *matchers)

    def rate(self, sample: str, *matchers: str, offset: str = "") -> str:
        """Return the rate of a counter; `offset` is a duration to look back."""
        shift = f" offset {offset}" if offset else ""
        return f"rate({self.select(sample, *matchers)}[{WINDOW}]{shift})"

    def per_second(self, by: Sequence[str], sample: str, *matchers: str) -> str:
        """Return how much a counter grows each second."""
        return sum_by(by, self.rate(sample, *matchers))

    def per_hour(self, by: Sequence[str], sample: str) -> str:
        """Return how much a counter grows in an hour at its present rate."""
        return f"{SECONDS_PER_HOUR} * {self.per_second(by, sample)}"

    def grown(self, by: Sequence[str], sample: str) -> str:
        """Return how much a counter has grown in the time range of the panel."""
        return sum_by(by, f"increase({self.select(sample)}[{RANGE}])")

    def per_call(self, by: Sequence[str], more: str, sample: str, calls: str) -> str:
        """Return how much a counter grows, by one label more, for each of the calls that a counter counts."""
        whole = self.per_second(by, calls)
        return f"{self.per_second([*by, more], sample)}\n  / on ({', '.join(by)}) group_left () ({whole} > 0)"

    def success(self, by: Sequence[str], sample: str) -> str:
        """Return the share of finished calls that succeeded; cancelled ones are not counted."""
        finished = failed_calls(sample, select=self.select).total_rate(by, WINDOW)
        return share_of(self.per_second(by, sample, f"outcome={quote('success')}"), finished)

    def quantile(self, share: float, by: Sequence[str], histogram: str) -> str:
        """Return a quantile; it has no value if nothing was observed."""
        buckets = sum_by([*by, "le"], self.rate(f"{histogram}_bucket"))
        observed = sum_by(by, self.rate(f"{histogram}_count"))
        return f"histogram_quantile({share:g}, {buckets}) and ({observed} > 0)"

    def at_most(self, limit: float, by: Sequence[str], scores: str) -> str:
        """Return the share of scores up to a limit; every bucket exists, so it is 0 if there are none."""
        scored = low(scores, limit, select=self.select)
        return f"{scored.bad_rate(by, WINDOW)} / ({scored.total_rate(by, WINDOW)} > 0)"

    def mean(self, by: Sequence[str], histogram: str) -> str:
        """Return the mean of the observations."""
        return f"{self.per_second(by, f'{histogram}_sum')} / ({self.per_second(by, f'{histogram}_count')} > 0)"

    def buckets(self, histogram: str, *, offset: str = "") -> str:
        """Return the buckets of a heatmap, in observations per second."""
        return sum_by(["le"], self.rate(f"{histogram}_bucket", offset=offset))

    def recorded(self, name: str, *matchers: str) -> str:
        """Return the selector of a recorded metric, which has a label `service` and no labels of a target."""
        grouping = [matches_variable(label) for label in self.config.grouping]
        return selector(name, *grouping, matches_variable("service"), *matchers)

    def total(self, total: Total) -> str:
        """Return what a rule recorded of all instances of a job."""
        labels = (*self.config.grouping, "job")
        return selector(total.name, *(matches_variable(label) for label in labels))

    def firing(self, *matchers: str) -> str:
        """Return the alerts that fire for the selected services, and for hosts, which have no service."""
        shown = ('service=~"$service|"', f"alertstate={quote('firing')}", f"alertname!={quote('Watchdog')}")
        return selector("ALERTS", *shown, *matchers)


def bad_share(by: Sequence[str], indicator: Indicator) -> str:
    """Return the share of bad calls, 0 if no bad call was counted yet."""
    return share_of(indicator.bad_rate(by, WINDOW), indicator.total_rate(by, WINDOW))


def share_of(part: str, whole: str) -> str:
    """Return the share of one rate in another, 0 if the part has no series yet."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"
