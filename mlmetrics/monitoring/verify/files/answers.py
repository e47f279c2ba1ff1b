"""What a Prometheus answers to the queries of rules and panels: refused, or nothing, and what in it has no series."""

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.verify.files.dashboard_files import DashboardFile, PanelQuery, query_of_variable
from mlmetrics.monitoring.verify.files.promql import VARIABLE, matchers_of, name_of, selectors, text_of
from mlmetrics.monitoring.verify.files.queries import parsed
from mlmetrics.monitoring.verify.files.series import SPAN_SECONDS, Known, matches
from mlmetrics.monitoring.verify.files.variables import filled, variables_of
from mlmetrics.monitoring.verify.finding import Finding
from mlmetrics.monitoring.verify.interpolation import Choice
from mlmetrics.monitoring.verify.label_values import read_label_values
from mlmetrics.monitoring.verify.prometheus_api import PrometheusAPI

_STEPS = 120
_EVERYTHING = ".*"


class Answers:
    """Sends queries to a Prometheus, over the last hour."""

    def __init__(self, known: Known, prometheus: PrometheusAPI) -> None:
        self._known = known
        self._prometheus = prometheus

    def of(self, subject: str, text: str, *, instant: bool = True) -> Iterator[Finding]:
        """Yield a finding if a query is refused or has no result."""
        end = time.time()
        try:
            if instant:
                numbers = [[series["value"]] for series in self._prometheus.query(text, end)]
            else:
                found = self._prometheus.query_range(text, end - SPAN_SECONDS, end, SPAN_SECONDS / _STEPS)
                numbers = [series["values"] for series in found]
        except ConfigurationError as error:
            yield Finding("error", "query", subject, _without_address(error), self._prometheus.url)
            return
        except (TypeError, KeyError):
            return  # a number, not series
        when = "now" if instant else "in the last hour"
        if not numbers:
            yield Finding("note", "empty", subject, f"returns nothing {when}{self._reason(text)}", self._prometheus.url)
        elif all(math.isnan(float(value)) for series in numbers for _, value in series):
            yield Finding("note", "empty", subject, f"returns only NaN {when}, as 0 / 0 is", self._prometheus.url)

    def of_panel(self, panel: PanelQuery, choices: Mapping[str, Choice]) -> Iterator[Finding]:
        """Yield the same for a query of a dashboard whose variables have these values."""
        text = filled(panel.written, choices)
        if VARIABLE not in text:
            yield from self.of(panel.query.subject, text, instant=panel.instant)

    def choices_of(self, dashboard: DashboardFile) -> Mapping[str, Choice]:
        """Return the values of a dashboard's variables that Grafana offers first: All, else the first value."""
        choices = dict(dashboard.choices)
        for variable in variables_of(dashboard.document):
            value = self._value(variable, choices)
            if value:
                choices[str(variable.get("name"))] = value
        return choices

    def _value(self, variable: Mapping[str, Any], choices: Mapping[str, Choice]) -> str:
        if variable.get("type") != "query":
            return ""
        if variable.get("includeAll"):
            return str(variable.get("allValue") or _EVERYTHING)
        query = filled(query_of_variable(variable), choices)
        try:
            values = read_label_values(self._prometheus, query, time.time() - SPAN_SECONDS)
        except ConfigurationError:
            return ""
        return values[0] if values else ""

    def _reason(self, text: str) -> str:
        """Return which selectors have no series; nothing of a query that Prometheus reads and we do not."""
        try:
            empty = [text_of(each) for each in selectors(parsed(text)) if self._is_empty(each)]
        except ValueError:
            return ""
        if not empty:
            return ", although all that it selects has series"
        return f": no series of {'; '.join(dict.fromkeys(empty))}"

    def _is_empty(self, selector: Any) -> bool:
        metric = self._known.metric(name_of(selector)) if name_of(selector) else None
        if metric is None or not metric.series:
            return False
        asked = matchers_of(selector)
        return not any(
            all(matches(operator, text, series.get(label, "")) for label, operator, text in asked)
            for series in metric.series
        )


def _without_address(error: ConfigurationError) -> str:
    """Return what Prometheus says about a query, without the long address that has the query in it."""
    return f"is refused: {str(error).partition(': cannot be read (')[2].rpartition(');')[0] or error}"
