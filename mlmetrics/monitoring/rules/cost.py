"""What was spent, recorded by service and model: over the last day, and over the window of MonthlyBudget.

A month of a counter is read whole, so it is exact: a restart, or an hour without Prometheus, loses nothing. That takes
long with many pods, so it is computed once every two minutes, for the alert and for every reader of a dashboard.
"""

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import DAY_SECONDS, MINUTE_SECONDS, format_seconds
from mlmetrics.monitoring.rules.model import Group, RecordingRule
from mlmetrics.monitoring.rules.promql import sum_by

SPENT = "ml_inference_cost_usd_total"
BUDGET = "MonthlyBudget"
SPENDER = ("service", "model")
MONTH_SECONDS = 30 * DAY_SECONDS
INTERVAL_SECONDS = 2 * MINUTE_SECONDS


def spent_over(seconds: float) -> str:
    """Return the name under which spending over a window is recorded; it names the unscaled window."""
    return f"mlmetrics:{SPENT.removesuffix('_total')}:increase{format_seconds(seconds)}"


def budget_seconds(config: Config) -> float:
    """Return the window of the budget."""
    return config.alerts[BUDGET].window_seconds or MONTH_SECONDS


def spending_windows(config: Config) -> tuple[float, ...]:
    """Return the windows over which spending is recorded."""
    return tuple(sorted({DAY_SECONDS, budget_seconds(config)}))


def cost_group(config: Config) -> Group:
    """Return the recording rules of spending; none if no cost is recorded."""
    by = (*config.grouping, *SPENDER)
    rules = (
        RecordingRule(spent_over(seconds), sum_by(by, f"increase({SPENT}[{config.span(seconds)}])"))
        for seconds in spending_windows(config)
        if SPENT in config.metrics
    )
    return Group("mlmetrics-cost", tuple(rules), config.span(INTERVAL_SECONDS))
