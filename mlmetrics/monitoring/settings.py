"""What may be set about each alert, and the defaults: one row an alert.

A row names only what the alert has; the configuration refuses the rest.
"""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["critical", "warning", "info", "none"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info", "none")

MINUTE_SECONDS = 60.0
HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """The numbers of one alert.

    `threshold` is in the unit of what is measured; where `bucketed` names a histogram it must
    be one of its bounds. `share` is the part, 0 to 1, beyond which the alert fires; `minimum`
    the calls in `window_seconds` under which it stays silent.
    """

    severity: Severity
    for_seconds: float = 0.0
    threshold: float | None = None
    share: float | None = None
    window_seconds: float | None = None
    minimum: float | None = None
    bucketed: str = ""
    enabled: bool = True


DEFAULTS: dict[str, Settings] = {
    "HighAPIResponseTime": Settings(
        "warning", 5 * MINUTE_SECONDS, 5.0, 0.05, 5 * MINUTE_SECONDS, 20, "fastapi_request_duration_seconds"
    ),
    "SlowMLInference": Settings(
        "warning", 5 * MINUTE_SECONDS, 30.0, 0.05, 10 * MINUTE_SECONDS, 10, "ml_inference_duration_seconds"
    ),
    "HighErrorRate": Settings("critical", 5 * MINUTE_SECONDS, None, 0.05, 5 * MINUTE_SECONDS, 20),
    "LowParsingAccuracy": Settings(
        "warning", 10 * MINUTE_SECONDS, 0.8, 0.5, 30 * MINUTE_SECONDS, 30, "parsing_accuracy_score"
    ),
    "HighMLFailureRate": Settings("critical", 5 * MINUTE_SECONDS, None, 0.10, 10 * MINUTE_SECONDS, 10),
    "ServiceDown": Settings("critical", 2 * MINUTE_SECONDS),
    "HighMemoryUsage": Settings("warning", 5 * MINUTE_SECONDS, None, 0.9),
    "HighCPUUsage": Settings("warning", 15 * MINUTE_SECONDS, None, 0.8, 5 * MINUTE_SECONDS),
    "InstanceDown": Settings("warning", 5 * MINUTE_SECONDS),
    "SlowFirstChunk": Settings(
        "warning", 5 * MINUTE_SECONDS, 5.0, 0.05, 10 * MINUTE_SECONDS, 10, "ml_inference_first_chunk_seconds"
    ),
    "UsageMissing": Settings("info", 10 * MINUTE_SECONDS, None, 0.05, HOUR_SECONDS, 20),
    "Unpriced": Settings("info", 0.0, 0.0, None, HOUR_SECONDS),
    "CostBudget": Settings("warning", 5 * MINUTE_SECONDS, 10.0, None, HOUR_SECONDS),
    "MatchingScoreDrift": Settings("warning", 30 * MINUTE_SECONDS, 0.2, None, HOUR_SECONDS, 500),
    "ParsingAccuracyDrift": Settings("warning", 30 * MINUTE_SECONDS, 0.2, None, HOUR_SECONDS, 500),
    "RecordingErrors": Settings("info", 0.0, 0.0, None, 15 * MINUTE_SECONDS),
    "LabelOverflow": Settings("warning", 0.0, 0.0, None, 15 * MINUTE_SECONDS),
    "SlowScrape": Settings("warning", 5 * MINUTE_SECONDS, 2.0),
    "Watchdog": Settings("none"),
}
DRIFT_HISTOGRAMS = {
    "MatchingScoreDrift": "matching_score_distribution",
    "ParsingAccuracyDrift": "parsing_accuracy_score",
}
