"""Tokens and money, part of the dashboard of models: what calls use, what that costs, and the budget of a service."""

from collections.abc import Iterator

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import DAY_SECONDS
from mlmetrics.monitoring.grafana import panels
from mlmetrics.monitoring.grafana.boards.by_model import LEGEND, MODEL
from mlmetrics.monitoring.grafana.panels import Panel, Query
from mlmetrics.monitoring.grafana.queries import WINDOW, Queries, bad_share, share_of
from mlmetrics.monitoring.grafana.thresholds import above, share_above
from mlmetrics.monitoring.rules.cost import BUDGET, DAILY, SPENT, TOKENS, alert_seconds, grown_over, spent_over
from mlmetrics.monitoring.rules.indicators import usage_missing
from mlmetrics.monitoring.rules.promql import number, sum_by

NO_USAGE = "No model reported tokens in this time"
NO_COST = "No model has a price, or none was called"
EXACT = "What a process spent before its first scrape is missing, unless its series began at 0."


def money(config: Config, queries: Queries) -> tuple[Panel, ...]:
    """Return the panels."""
    return *_tokens(config, queries), *_cost(config, queries), *_spent(config, queries)


def _tokens(config: Config, queries: Queries) -> tuple[Panel, ...]:
    hidden = usage_missing(select=queries.select)
    unpriced = share_of(queries.per_second(MODEL, "ml_inference_unpriced_total"), hidden.total_rate(MODEL, WINDOW))
    return (
        panels.timeseries(
            "Tokens",
            "Tokens each second by type; no token is counted under two types.",
            panels.PER_SECOND,
            Query(queries.per_second(["model", "token_type"], TOKENS), "{{token_type}} · {{model}}"),
            empty=NO_USAGE,
            stacked=True,
        ),
        panels.timeseries(
            "Tokens per call",
            "Mean number of tokens by type. All calls are counted, also those that reported none.",
            panels.COUNT,
            Query(queries.per_call(MODEL, "token_type", TOKENS, "ml_inference_total"), f"{{{{token_type}}}} {LEGEND}"),
            empty=NO_USAGE,
            stacked=True,
        ),
        panels.timeseries(
            "Unknown usage and price",
            "Share of answers without token usage, and share of answers whose model has no price.",
            panels.SHARE,
            Query(bad_share(MODEL, hidden), f"hidden {LEGEND}"),
            Query(unpriced, f"no price {LEGEND}"),
            threshold=share_above(config, "UsageMissing"),
            empty="No model has answered in this time",
        ),
    )


def _cost(config: Config, queries: Queries) -> tuple[Panel, ...]:
    return (
        panels.timeseries(
            "Cost an hour by model",
            "What an hour costs at the present rate.",
            panels.DOLLARS,
            Query(queries.per_hour(MODEL, SPENT), LEGEND),
            empty=NO_COST,
        ),
        panels.timeseries(
            "Cost an hour by service",
            "What an hour costs at the present rate.",
            panels.DOLLARS,
            Query(queries.per_hour(["service"], SPENT), "{{service}}"),
            threshold=above(config, "CostBudget"),
            empty=NO_COST,
        ),
        panels.table(
            "Spent in this time",
            f"US dollars in the dashboard's time range. {EXACT}",
            panels.DOLLARS,
            queries.grown(MODEL, SPENT),
            empty=NO_COST,
            width=8,
        ),
        panels.table(
            "Spent today",
            "US dollars since midnight, of the dashboard's time zone; providers bill days of UTC. A time range that"
            f" does not end now has its own sum instead. {EXACT}",
            panels.DOLLARS,
            queries.grown(MODEL, SPENT),
            empty="No cost was recorded today",
            width=8,
            since=panels.TODAY,
        ),
    )


def _spent(config: Config, queries: Queries) -> Iterator[Panel]:
    """Yield what the rules of spending record, of all models of a service together, as its budget is."""
    budget, window = config.alerts[BUDGET], config.span(alert_seconds(config, BUDGET))
    by = [*config.grouping, "service"]
    legend = " · ".join(f"{{{{{label}}}}}" for label in reversed(by))
    month, of_alert, day = (
        sum_by(by, queries.recorded(spent_over(seconds)))
        for seconds in (alert_seconds(config, BUDGET), alert_seconds(config, DAILY), DAY_SECONDS)
    )
    yield panels.timeseries(
        "Daily spending",
        f"US dollars that a service spent in the last {config.span(alert_seconds(config, DAILY))}, of all its models;"
        " the value at midnight is that of the day before.",
        panels.DOLLARS,
        Query(of_alert, legend),
        threshold=above(config, DAILY),
        empty=NO_COST,
    )
    tokens = queries.recorded(grown_over(DAY_SECONDS, TOKENS))
    yield panels.timeseries(
        "Daily tokens",
        f"Tokens that a service used in the last {config.span(DAY_SECONDS)}, by type; the value at midnight is that of"
        " the day before.",
        panels.COUNT,
        Query(sum_by([*by, "token_type"], tokens), f"{{{{token_type}}}} · {legend}"),
        empty=NO_USAGE,
        stacked=True,
    )
    yield panels.timeseries(
        "Monthly spending",
        f"US dollars that a service spent in the last {window}, of all its models and instances.",
        panels.DOLLARS,
        Query(month, legend),
        threshold=above(config, BUDGET),
        empty=NO_COST,
    )
    if budget.enabled:
        limit = number(budget.threshold or 0.0)
        yield panels.timeseries(
            "Days to the monthly budget",
            f"Days until a service has spent {limit} US dollars, at the pace of the last day; what leaves the window of"
            f" {window} is not considered.",
            panels.DAYS,
            Query(f"clamp_min({limit} - {month}, 0) / ({day} > 0)", legend),
            empty="Nothing was spent in the last day",
        )
