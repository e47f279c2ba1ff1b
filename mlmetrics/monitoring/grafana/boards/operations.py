"""Tools, agents, and the operations that a project declares: one row each, with its calls, durations and scores."""

from collections.abc import Callable, Iterator

from grafana_foundation_sdk.models import dashboard

from mlmetrics.catalog import AGENT, TOOL, Operation
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana import panels
from mlmetrics.monitoring.grafana.boards.drift import psi_of_scores
from mlmetrics.monitoring.grafana.layout import Row, board
from mlmetrics.monitoring.grafana.panels import Panel, Query
from mlmetrics.monitoring.grafana.queries import Queries, bad_share
from mlmetrics.monitoring.grafana.thresholds import Threshold, above, below, share_above
from mlmetrics.monitoring.rules.alert import DASHBOARDS
from mlmetrics.monitoring.rules.indicators import failed_calls
from mlmetrics.monitoring.rules.promql import sum_by
from mlmetrics.monitoring.rules.rows.own import DRIFT, FAILURES, LOW_SCORE, SLOW, camel_case, subject_labels

AGENTS = (TOOL.name, AGENT.name)
NO_SCORES = "No result was scored in this time"


def operations(config: Config) -> dashboard.Dashboard:
    """Return the dashboard of tools and agents, and of the project's own operations."""
    description = "Tools, agents and the operations that this project declares: their calls, durations and scores."
    return board(config, DASHBOARDS["operations"], "ML Operations", description, operation_rows(config))


def operation_rows(config: Config) -> tuple[Row, ...]:
    """Return the rows of the dashboard of tools, agents and a project's own operations."""
    shown = (operation for operation in config.operations if not operation.ships or operation.name in AGENTS)
    return tuple(Row(operation.noun.capitalize(), tuple(_Of(config, operation).panels())) for operation in shown)


class _Of:
    """The panels of one operation, by service and by the label that tells its calls apart."""

    def __init__(self, config: Config, operation: Operation) -> None:
        self._config, self._operation, self._queries = config, operation, Queries(config)
        self._by = ["service", *subject_labels(operation)]
        self._legend = " · ".join(f"{{{{{label}}}}}" for label in reversed(self._by))
        self._title = f"{operation.noun.capitalize()}: {{}}".format

    def panels(self) -> Iterator[Panel]:
        """Yield the panels of the calls and, if there are scores, those of the scores."""
        yield from self._calls()
        yield from self._durations()
        if self._operation.score is not None:
            yield from self._scores(self._operation.score.name)

    def _alert(self, template: str) -> str:
        return template.format(camel_case(self._operation.name))

    def _line(self, threshold: Callable[[Config, str], Threshold | None], template: str) -> Threshold | None:
        """Return the threshold of an alert on the operation; tools and agents have none."""
        return None if self._operation.ships else threshold(self._config, self._alert(template))

    def _calls(self) -> Iterator[Panel]:
        finished, errors = self._operation.finished, self._operation.errors
        yield panels.timeseries(
            self._title("calls"),
            "Calls that end each second.",
            panels.PER_SECOND,
            Query(self._queries.per_second(self._by, finished), self._legend),
            width=6,
        )
        yield panels.timeseries(
            self._title("outcomes"),
            "How calls ended; a cancelled call is not a failure.",
            panels.PER_SECOND,
            Query(self._queries.per_second(["outcome"], finished), "{{outcome}}"),
            width=6,
            stacked=True,
        )
        yield panels.timeseries(
            self._title("failures"),
            "Share of calls that failed; cancelled calls are not counted.",
            panels.SHARE,
            Query(bad_share(self._by, failed_calls(finished, select=self._queries.select)), self._legend),
            threshold=self._line(share_above, FAILURES),
            width=6,
        )
        yield panels.timeseries(
            self._title("failures by error type"),
            "Calls that failed each second.",
            panels.PER_SECOND,
            Query(self._queries.per_second(["service", "error_type"], errors), "{{error_type}} · {{service}}"),
            empty="No call has failed yet",
            width=6,
        )

    def _durations(self) -> Iterator[Panel]:
        seconds, running = self._operation.duration, self._operation.in_progress
        yield panels.heatmap(
            self._title("durations"), "Number of calls by duration.", panels.SECONDS, self._queries.buckets(seconds)
        )
        yield panels.timeseries(
            self._title("percentiles of durations"),
            "50 %, 95 % and 99 % of the calls end within this time; the last bucket's bound is the highest value.",
            panels.SECONDS,
            *(
                Query(
                    self._queries.quantile(share, self._by, seconds), f"p{share * 100:g} {self._legend}", exemplar=True
                )
                for share in (0.5, 0.95, 0.99)
            ),
            threshold=self._line(above, SLOW),
        )
        yield panels.timeseries(
            self._title("in progress"),
            "Calls that are running now.",
            panels.COUNT,
            Query(sum_by(self._by, self._queries.select(running)), self._legend),
        )

    def _scores(self, scores: str) -> Iterator[Panel]:
        alert = self._alert(LOW_SCORE)
        bound = self._config.alerts[alert].threshold or 0.0
        yield panels.heatmap(
            self._title("scores"),
            "Number of results by score.",
            panels.SHARE,
            self._queries.buckets(scores),
            empty=NO_SCORES,
            width=6,
        )
        yield panels.timeseries(
            self._title("median score"),
            "Half of the results have a lower score.",
            panels.SHARE,
            Query(self._queries.quantile(0.5, self._by, scores), self._legend),
            threshold=below(self._config, alert),
            empty=NO_SCORES,
            width=6,
        )
        yield panels.timeseries(
            self._title("low scores"),
            f"Share of results that scored at most {bound:g}.",
            panels.SHARE,
            Query(self._queries.at_most(bound, self._by, scores), self._legend),
            threshold=share_above(self._config, alert),
            empty=NO_SCORES,
            width=6,
        )
        title, alert = self._title("drift of scores"), self._alert(DRIFT)
        yield psi_of_scores(self._config, scores, alert, title, self._legend, width=6)
