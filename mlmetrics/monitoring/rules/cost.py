"""What was spent and which tokens were used, recorded: over the last day, and the windows of the alerts on spending.

A month of a counter is read whole, so it is exact: a restart, or an hour without Prometheus, loses nothing. That takes
long with many pods, so it is computed once every two minutes, for the alert and for every reader of a dashboard.
"""

from collections.abc import Iterator

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import DAY_SECONDS, MINUTE_SECONDS, format_seconds
from mlmetrics.monitoring.rules.model import Group, RecordingRule
from mlmetrics.monitoring.rules.promql import sum_by

SPENT, TOKENS = "ml_inference_cost_usd_total", "ml_inference_tokens_total"
BUDGET, DAILY = "MonthlyBudget", "DailySpend"
SPENDER = ("service", "model")
MONTH_SECONDS = 30 * DAY_SECONDS
INTERVAL_SECONDS = 2 * MINUTE_SECONDS
_WINDOWS = {BUDGET: MONTH_SECONDS, DAILY: DAY_SECONDS}


def grown_over(seconds: float, counter: str) -> str:
    """Return the name under which the growth of a counter is recorded; it names the unscaled window."""
    return f"mlmetrics:{counter.removesuffix('_total')}:increase{format_seconds(seconds)}"


def spent_over(seconds: float) -> str:
    """Return the name under which spending over a window is recorded."""
    return grown_over(seconds, SPENT)


def alert_seconds(config: Config, alert: str) -> float:
    """Return the window of an alert on spending."""
    return config.alerts[alert].window_seconds or _WINDOWS[alert]


def recorded_growth(config: Config) -> Iterator[tuple[str, tuple[str, ...], float]]:
    """Yield what is recorded: a counter, the labels by which it is summed, and the window."""
    if SPENT in config.metrics:
        windows = {DAY_SECONDS, *(alert_seconds(config, alert) for alert in _WINDOWS)}
        yield from ((SPENT, SPENDER, seconds) for seconds in sorted(windows))
    if TOKENS in config.metrics:
        yield TOKENS, (*SPENDER, "token_type"), DAY_SECONDS


def cost_group(config: Config) -> Group:
    """Return the recording rules of spending and tokens; none if neither is recorded."""
    rules = (
        RecordingRule(
            grown_over(seconds, counter),
            sum_by((*config.grouping, *by), f"increase({counter}[{config.span(seconds)}])"),
        )
        for counter, by, seconds in recorded_growth(config)
    )
    return Group("mlmetrics-cost", tuple(rules), config.span(INTERVAL_SECONDS))
