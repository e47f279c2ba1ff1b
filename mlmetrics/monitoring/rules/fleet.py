"""What the fleet dashboard shows of all pods together, recorded once by a rule instead of computed for every reader.

A rule's name says by which labels it adds up, what, and how: `job_where:mlmetrics_recording_errors:rate5m`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import MINUTE_SECONDS
from mlmetrics.monitoring.rules.conditions import of_services
from mlmetrics.monitoring.rules.model import Group, RecordingRule
from mlmetrics.monitoring.rules.promql import sum_by

WINDOW_SECONDS = 5 * MINUTE_SECONDS


@dataclass(frozen=True, slots=True)
class Total:
    """A sum over all pods, by labels: of a gauge, or of the rate of a counter."""

    sample: str
    by: tuple[str, ...]
    counter: bool = True

    @property
    def name(self) -> str:
        """The name that it is recorded under."""
        what = self.sample.removesuffix("_total")
        return f"{'_'.join(self.by)}:{what}:{'rate5m' if self.counter else 'sum'}"

    def expression(self, grouping: Sequence[str], selected: str, window: str) -> str:
        """Return the PromQL over the selected series."""
        return sum_by([*grouping, *self.by], f"rate({selected}[{window}])" if self.counter else selected)


ANSWERING = Total("up", ("job",), counter=False)
VERSIONS = Total("mlmetrics_build_info", ("job", "version"), counter=False)
LOST = Total("mlmetrics_recording_errors_total", ("job", "where"))
OVERFLOWS = Total("mlmetrics_label_overflow_total", ("job", "metric", "label"))
TOTALS = (ANSWERING, VERSIONS, LOST, OVERFLOWS)


def fleet_group(config: Config) -> Group:
    """Return the recording rules of the fleet."""
    window = config.span(WINDOW_SECONDS)
    rules = (
        RecordingRule(
            total.name,
            total.expression(
                config.grouping, of_services("up", config.jobs) if total is ANSWERING else total.sample, window
            ),
        )
        for total in TOTALS
    )
    return Group("mlmetrics-fleet", tuple(rules))
