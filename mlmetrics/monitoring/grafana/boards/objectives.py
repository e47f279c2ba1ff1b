"""Objectives: their targets, how fast their error budgets burn, and what remains of the budgets."""

from grafana_foundation_sdk.models import dashboard

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import format_seconds
from mlmetrics.monitoring.grafana import panels
from mlmetrics.monitoring.grafana.layout import Row, board, query_variable
from mlmetrics.monitoring.grafana.panels import Panel, Query
from mlmetrics.monitoring.grafana.queries import Queries, matches_variable
from mlmetrics.monitoring.grafana.thresholds import Threshold
from mlmetrics.monitoring.rules.alert import DASHBOARDS
from mlmetrics.monitoring.rules.promql import selector
from mlmetrics.monitoring.rules.slo import BURN, PAIRS, PERIOD_SECONDS, RATIO, REMAINING, TARGET, WindowPair

NO_OBJECTIVE = "No objective is declared (add [[objective]] to mlmetrics.toml), or none had calls yet"
LEGEND = "{{objective}} · {{service}}"


def objectives(config: Config) -> dashboard.Dashboard:
    """Return the dashboard of objectives."""
    queries = Queries(config)
    rows = (
        Row("Budget", _budget(config, queries)),
        Row("Burn rate, 1 being what 30 days allow", tuple(_burning(config, queries, pair) for pair in PAIRS)),
        Row("Alerts", (_firing(queries),)),
    )
    description = "Objectives, how fast their error budgets burn, and what remains of the budgets."
    known = f"label_values({selector(TARGET, matches_variable('service'))}, objective)"
    variables = (query_variable("objective", "Objective", known),)
    return board(
        config, DASHBOARDS["objectives"], "ML Objectives", description, rows, variables=variables, span="now-6h"
    )


def _budget(config: Config, queries: Queries) -> tuple[Panel, ...]:
    period = format_seconds(PERIOD_SECONDS)
    return (
        panels.timeseries(
            "Budget remaining",
            "Share of the error budget of 30 days that remains; below 0 the objective is missed.",
            panels.SHARE,
            Query(queries.recorded(REMAINING, matches_variable("objective")), LEGEND),
            threshold=Threshold(BURN, 0, config.runbooks, low=True, signed=True),
            empty=NO_OBJECTIVE,
        ),
        panels.timeseries(
            "Errors in 30 days",
            "Share of calls that missed the objective, over 30 days.",
            panels.SHARE,
            Query(_ratio(queries, period), LEGEND),
            empty=NO_OBJECTIVE,
        ),
        panels.table(
            "Promises",
            "The target of each objective.",
            panels.SHARE,
            f"max by (service, objective) ({_target()})",
            empty=NO_OBJECTIVE,
            width=8,
        ),
    )


def _burning(config: Config, queries: Queries, pair: WindowPair) -> Panel:
    short, long = format_seconds(pair.short_seconds), format_seconds(pair.long_seconds)
    return panels.timeseries(
        f"Burn over {short} and {long}",
        f"How many times faster than allowed the budget burns; the alert fires if both are above {pair.factor:g}.",
        panels.COUNT,
        *(Query(_burn(queries, window), f"{window} {LEGEND}") for window in (short, long)),
        threshold=Threshold(BURN, pair.factor, config.runbooks),
        empty=NO_OBJECTIVE,
        width=12,
    )


def _burn(queries: Queries, window: str) -> str:
    # A target below 1 is a rule of the configuration, so the divisor is never 0.
    return f"{_ratio(queries, window)}\n  / on (service, objective) group_left () (1 - {_target()})"


def _ratio(queries: Queries, window: str) -> str:
    return queries.recorded(RATIO, matches_variable("objective"), f'window="{window}"')


def _target() -> str:
    return selector(TARGET, matches_variable("service"), matches_variable("objective"))


def _firing(queries: Queries) -> Panel:
    return panels.table(
        "Burning budgets",
        "Objectives whose budget burns too fast now.",
        panels.COUNT,
        queries.firing(f'alertname="{BURN}"'),
        hidden=("Value", "alertstate"),
        empty="No budget burns too fast",
        width=panels.GRID_WIDTH,
    )
