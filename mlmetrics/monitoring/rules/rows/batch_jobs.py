"""Alerts on batch jobs."""

from mlmetrics.monitoring.config import AlertSettings
from mlmetrics.monitoring.durations import HOUR_SECONDS
from mlmetrics.monitoring.rules.alert import AlertDefinition
from mlmetrics.monitoring.rules.conditions import Unsuccessful

BATCH_JOBS = (
    AlertDefinition(
        "BatchJobNotSucceeded",
        AlertSettings("warning", 0.0, window_seconds=26 * HOUR_SECONDS),
        lambda config, settings: Unsuccessful((*config.grouping, "service", "batch_job"), settings.window_seconds or 0),
        "{{ $labels.batch_job }} of {{ $labels.service }} does not succeed",
        "The batch job has not succeeded in the last <window>.",
        "fleet",
    ),
)
