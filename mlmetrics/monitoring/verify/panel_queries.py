"""The queries of dashboards, sent to a running Prometheus as Grafana sends them."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import DAY_SECONDS
from mlmetrics.monitoring.grafana.panels import TODAY
from mlmetrics.monitoring.grafana.provisioning import dashboard_texts
from mlmetrics.monitoring.prometheus.scrape import INTERVAL_SECONDS
from mlmetrics.monitoring.verify.finding import Finding
from mlmetrics.monitoring.verify.interpolation import Choice, interpolate
from mlmetrics.monitoring.verify.label_values import read_label_values
from mlmetrics.monitoring.verify.prometheus_api import PrometheusAPI

SLOW_MILLISECONDS = 200.0
STEPS = 120
# Every target has these labels; other variables may have no value yet.
_LABELS_OF_TARGETS = ("$job", "$service", "$instance")


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The result of one query: how many `series` have a number, or an `error`.

    `empty` is the text that the panel shows when there is no data; without it, no data is an error.
    """

    dashboard: str
    panel: str
    query: str
    series: int
    milliseconds: float
    empty: str = ""
    error: str = ""

    def problem(self, slow_milliseconds: float) -> str:
        """Return what is wrong with the result, empty if nothing is."""
        if self.error:
            return self.error
        if self.milliseconds > slow_milliseconds:
            return f"slower than {slow_milliseconds:g} ms"
        return "" if self.series or self.empty else "no data"


@dataclass(frozen=True, slots=True)
class PanelProbe:
    """Sends the queries that Grafana would send, for the last `span_seconds` and with rates over `rate_interval`.

    Variables have the value All or, with `by_name`, every value that they offer.
    """

    prometheus: PrometheusAPI
    span_seconds: float = 3600.0
    rate_interval: str = "1m"
    by_name: bool = False
    clock: Callable[[], float] = time.time

    def results(self, dashboard: Mapping[str, Any]) -> Iterator[QueryResult]:
        """Yield the result of every variable, annotation and panel of a dashboard."""
        title, choices = dashboard["title"], self.intervals()
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                values, result = self._variable(title, variable, choices)
                all_value = variable.get("allValue") or values
                choices[variable["name"]] = values if self.by_name and values else all_value
                yield result
        for annotation in dashboard["annotations"]["list"]:
            query = interpolate(annotation["expr"], choices)
            yield self._query(title, f"@ {annotation['name']}", query, empty="No such event in this time")
        for panel in dashboard["panels"]:
            empty = panel.get("fieldConfig", {}).get("defaults", {}).get("noValue", "")
            for target in panel.get("targets", []):
                query = interpolate(target["expr"], {**choices, **self._own_range(panel)})
                yield self._query(title, panel["title"], query, instant=target.get("instant", False), empty=empty)

    def intervals(self) -> dict[str, Choice]:
        """Return the variables that Grafana itself sets."""
        span = f"{self.span_seconds:.0f}s"
        return {"__rate_interval": self.rate_interval, "__interval": self.rate_interval, "__range": span}

    def _own_range(self, panel: Mapping[str, Any]) -> dict[str, Choice]:
        """Return the range of a panel that begins at midnight, of UTC: the zone of a browser is not known."""
        seconds = self.clock() % DAY_SECONDS
        return {"__range": f"{max(1.0, seconds):.0f}s"} if panel.get("timeFrom") == TODAY else {}

    def _variable(
        self, title: str, variable: Mapping[str, Any], choices: Mapping[str, Choice]
    ) -> tuple[list[str], QueryResult]:
        name, query = f"${variable['name']}", interpolate(variable["query"]["query"], choices)
        start = time.perf_counter()
        try:
            values = read_label_values(self.prometheus, query, self.clock() - self.span_seconds)
        except ConfigurationError as error:
            return [], QueryResult(title, name, query, 0, _milliseconds_since(start), error=str(error))
        empty = "" if name in _LABELS_OF_TARGETS else "No series has this label"
        return values, QueryResult(title, name, query, len(values), _milliseconds_since(start), empty)

    def _query(self, title: str, panel: str, query: str, *, instant: bool = False, empty: str = "") -> QueryResult:
        start = time.perf_counter()
        try:
            series = self._count_series(query, instant=instant)
        except ConfigurationError as error:
            return QueryResult(title, panel, query, 0, _milliseconds_since(start), empty, str(error))
        return QueryResult(title, panel, query, series, _milliseconds_since(start), empty)

    def _count_series(self, query: str, *, instant: bool) -> int:
        """Return how many series of a query have a number."""
        end, step_seconds = self.clock(), max(self.span_seconds / STEPS, 1.0)
        if instant:
            return sum(_is_number(series["value"][1]) for series in self.prometheus.query(query, end))
        found = self.prometheus.query_range(query, end - self.span_seconds, end, step_seconds)
        return sum(any(_is_number(text) for _, text in series["values"]) for series in found)


def _is_number(text: str) -> bool:
    return not math.isnan(float(text))


def _milliseconds_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000


def query_panels(config: Config, url: str, *, by_name: bool = False) -> list[QueryResult]:
    """Return the result of every query of the dashboards that a configuration renders."""
    # Four scrapes, as in Grafana, so that one lost scrape leaves no gap.
    probe = PanelProbe(PrometheusAPI(url), rate_interval=config.span(4 * INTERVAL_SECONDS), by_name=by_name)
    return [result for text in dashboard_texts(config).values() for result in probe.results(json.loads(text))]


def panel_findings(results: Sequence[QueryResult], slow_milliseconds: float) -> Iterator[Finding]:
    """Yield an error for each query with a problem, and a note for each panel that says why it is empty."""
    for result in results:
        subject = f"{result.dashboard}, {result.panel}"
        problem = result.problem(slow_milliseconds)
        if problem:
            yield Finding("error", "panel", subject, problem)
        elif not result.series:
            yield Finding("note", "panel", subject, f"is empty: {result.empty}")


def results_text(results: Sequence[QueryResult]) -> str:
    """Return the results as lines: a panel, its series and the milliseconds of the query."""
    lines: list[str] = []
    dashboard = ""
    for result in results:
        if result.dashboard != dashboard:
            dashboard = result.dashboard
            lines.append(f"\n{dashboard}")
        lines.append(f"  {result.panel:42} {result.series:5} series {result.milliseconds:7.1f} ms")
    slowest = max((result.milliseconds for result in results), default=0.0)
    return "\n".join([*lines, f"\n{len(results)} queries, the slowest in {slowest:.0f} ms\n"])
