"""Alerts on what models predict: how sure they are of it, and what users or a later truth say."""

from dataclasses import replace

from mlmetrics.catalog import INFERENCE
from mlmetrics.monitoring.config import AlertSettings
from mlmetrics.monitoring.durations import HOUR_SECONDS, MINUTE_SECONDS
from mlmetrics.monitoring.rules import indicators
from mlmetrics.monitoring.rules.alert import PERCENT, AlertDefinition
from mlmetrics.monitoring.rules.building import DRIFT_DEFAULTS, classes_drifted, drift_row, drifted, share
from mlmetrics.monitoring.rules.rows.models import MODEL

PREDICTIONS = (
    # At 0.5 a result is as likely wrong as right, if the model knows how sure it can be; so this is every second one.
    AlertDefinition(
        "LowConfidence",
        AlertSettings("warning", 10 * MINUTE_SECONDS, 0.5, 0.5, 30 * MINUTE_SECONDS, 30),
        share(lambda threshold: indicators.low(f"{INFERENCE.prefix}_score", threshold), "service", "model"),
        f"{MODEL} is unsure of its results",
        f"{PERCENT} of the results scored at most <threshold>, so the median is at or below it.",
        "quality",
        "score, 0 to 1",
    ),
    # Few users judge a result, so the window is long. A model of which 15 % are bad exceeds the share by chance in
    # fewer than one of a hundred windows, with the least verdicts.
    AlertDefinition(
        "BadFeedback",
        AlertSettings("warning", 10 * MINUTE_SECONDS, None, 0.3, 6 * HOUR_SECONDS, 30),
        share(lambda _: indicators.bad_feedback(), "service", "model"),
        f"{MODEL} gives bad results",
        f"{PERCENT} of the verdicts on its results were bad.",
        "quality",
    ),
    drift_row(
        "InferenceScoreDrift",
        drifted(INFERENCE),
        "Scores of {{ $labels.model }} {{ $labels.operation }} in {{ $labels.service }} have shifted",
    ),
    drift_row(
        "PredictedClassDrift",
        classes_drifted,
        f"Classes that {MODEL} predicts have shifted",
        # With so many classes, too: the condition asks for more than chance gives, however few predictions there are.
        defaults=replace(DRIFT_DEFAULTS, minimum=100),
    ),
)
