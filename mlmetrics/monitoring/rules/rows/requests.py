"""Alerts on HTTP requests."""

from mlmetrics.monitoring.config import AlertSettings
from mlmetrics.monitoring.durations import MINUTE_SECONDS
from mlmetrics.monitoring.rules import indicators
from mlmetrics.monitoring.rules.alert import PERCENT, AlertDefinition
from mlmetrics.monitoring.rules.building import share, slow

REQUESTS = (
    AlertDefinition(
        "HighAPIResponseTime",
        AlertSettings("warning", 5 * MINUTE_SECONDS, 5.0, 0.05, 5 * MINUTE_SECONDS, 20),
        slow("fastapi_request_duration_seconds", "route"),
        "{{ $labels.service }} answers {{ $labels.route }} slowly",
        f"{PERCENT} of the requests took longer than <threshold> s.",
        "main",
        "seconds",
    ),
    AlertDefinition(
        "HighErrorRate",
        AlertSettings("critical", 5 * MINUTE_SECONDS, None, 0.05, 5 * MINUTE_SECONDS, 20),
        share(lambda _: indicators.failed_requests(), "service"),
        "{{ $labels.service }} answers with errors",
        f"{PERCENT} of the requests were answered with a 5xx status.",
        "main",
    ),
)
