"""Objectives: error ratios over many windows, budgets, and burn-rate alerts on pairs of windows."""

import re
from dataclasses import dataclass

from mlmetrics.monitoring.config import AlertSettings, Config, Objective, Severity
from mlmetrics.monitoring.durations import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS, format_seconds
from mlmetrics.monitoring.operations import REQUEST
from mlmetrics.monitoring.rules.alert import PERCENT, Alert
from mlmetrics.monitoring.rules.indicators import Indicator, Sample, failed_calls, failed_requests, slow
from mlmetrics.monitoring.rules.model import Group, RecordingRule
from mlmetrics.monitoring.rules.promql import number, quote, selector

PERIOD_SECONDS = 30 * DAY_SECONDS
BURN = "ErrorBudgetBurn"
RATIO = "mlmetrics:slo_errors:ratio"
TARGET = "mlmetrics:slo_target:ratio"
REMAINING = "mlmetrics:slo_budget_remaining:ratio"


@dataclass(frozen=True, slots=True)
class WindowPair:
    """Two windows, and the burn rate that both must exceed: a rate of 1 uses the budget up in exactly 30 days."""

    short_seconds: float
    long_seconds: float
    factor: float
    severity: Severity
    for_seconds: float


PAIRS = (
    WindowPair(5 * MINUTE_SECONDS, HOUR_SECONDS, 14.4, "critical", 2 * MINUTE_SECONDS),
    WindowPair(30 * MINUTE_SECONDS, 6 * HOUR_SECONDS, 6.0, "critical", 15 * MINUTE_SECONDS),
    WindowPair(2 * HOUR_SECONDS, DAY_SECONDS, 3.0, "warning", HOUR_SECONDS),
    WindowPair(6 * HOUR_SECONDS, 3 * DAY_SECONDS, 1.0, "warning", 3 * HOUR_SECONDS),
)
WINDOWS_SECONDS = tuple(
    sorted({s for pair in PAIRS for s in (pair.short_seconds, pair.long_seconds)} | {PERIOD_SECONDS})
)


@dataclass(frozen=True, slots=True)
class BudgetBurn:
    """The budget of one objective burns too fast in both windows of a pair."""

    objective: Objective
    pair: WindowPair
    by: tuple[str, ...]
    indicator: Indicator

    @property
    def burn_limit(self) -> float:
        """The error ratio beyond which the budget burns too fast."""
        return round(self.pair.factor * (1 - self.objective.target), 12)

    def expression(self, window: str) -> str:
        """Return the PromQL; `window` is the short window, scaled already."""
        short, long = (
            f"sum without (window) ({ratio_of(self.objective, seconds)}) > {number(self.burn_limit)}"
            for seconds in (self.pair.short_seconds, self.pair.long_seconds)
        )
        calls = self.indicator.total_increase(self.by, window)
        return f"{short}\nand {long}\nand ignoring (objective) {calls} >= {number(self.objective.minimum)}"

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples that the recorded ratios read."""
        return self.indicator.samples


def ratio_of(objective: Objective, seconds: float) -> str:
    """Return the recorded error ratio of an objective over a window, named by its unscaled length."""
    return selector(RATIO, f"objective={quote(objective.name)}", f"window={quote(format_seconds(seconds))}")


def measured_by(operation: str) -> str:
    """Return the histogram of the durations of an operation, or of the HTTP requests."""
    return "fastapi_request_duration_seconds" if operation == REQUEST else f"ml_{operation}_duration_seconds"


def indicator_of(objective: Objective) -> Indicator:
    """Return the indicator of an objective; cancelled calls are not counted."""
    fixed = {"service": objective.service, **objective.only}
    matchers = [f"{label}={quote(text)}" for label, text in fixed.items()]
    metric = measured_by(objective.operation)
    if objective.threshold_seconds is not None:
        return slow(metric, objective.threshold_seconds, *matchers)
    if objective.operation == REQUEST:
        return failed_requests(*matchers)
    return failed_calls(metric.replace("_duration_seconds", "_total"), *matchers)


def burn_alerts(config: Config, objective: Objective) -> tuple[Alert, ...]:
    """Return an alert for each pair of windows, without those whose limit even 100 % errors would not exceed."""
    calls, by = indicator_of(objective), (*config.grouping, "service")
    conditions = (BudgetBurn(objective, pair, by, calls) for pair in PAIRS)
    return tuple(_burn_alert(condition) for condition in conditions if condition.burn_limit < 1)


def _burn_alert(condition: BudgetBurn) -> Alert:
    pair, objective = condition.pair, condition.objective
    short, long = format_seconds(pair.short_seconds), format_seconds(pair.long_seconds)
    return Alert(
        BURN,
        AlertSettings(pair.severity, pair.for_seconds, window_seconds=pair.short_seconds),
        condition,
        "{{ $labels.service }} burns the error budget of {{ $labels.objective }}",
        f"{PERCENT} of the calls in the last {short} missed the objective of {objective.target * 100:.6g} %: "
        f"over {short} and over {long}, more than {pair.factor:g} times what 30 days allow.",
        "objectives",
        {"objective": objective.name, "long": long, "short": short},
    )


def objective_file(config: Config, objective: Objective) -> str:
    """Return the name, without ending, of the file that holds an objective's rules."""
    position = config.objectives.index(objective) + 1
    words = re.sub(r"[^a-z0-9]+", "-", objective.name.lower()).strip("-")
    return f"objective-{position}-{words}".rstrip("-")


def objective_group(config: Config, objective: Objective) -> Group:
    """Return the rules of one objective: its ratios first, then the rules that read them."""
    ratios = (_ratio(config, objective, seconds) for seconds in WINDOWS_SECONDS)
    labels = {"objective": objective.name}
    budget = number(round(1 - objective.target, 12))
    target = RecordingRule(TARGET, f"vector({number(objective.target)})", {**labels, "service": objective.service})
    spent = ratio_of(objective, PERIOD_SECONDS)
    remaining = RecordingRule(REMAINING, f"1 - sum without (window) ({spent}) / {budget}", labels)
    burns = (alert.rule(config) for alert in burn_alerts(config, objective))
    return Group(f"mlmetrics-objective: {objective.name}", (*ratios, target, remaining, *burns))


def _ratio(config: Config, objective: Objective, seconds: float) -> RecordingRule:
    calls, by, window = indicator_of(objective), (*config.grouping, "service"), config.span(seconds)
    bad, total = calls.bad_rate(by, window), calls.total_rate(by, window)
    if not calls.not_bad:
        # A service that never failed has no series of failures: its ratio is 0, not absent.
        bad = f"({bad}\n  or {total} * 0)"
    labels = {"objective": objective.name, "window": format_seconds(seconds)}
    return RecordingRule(RATIO, f"{bad}\n  / ({total} > 0)", labels)
