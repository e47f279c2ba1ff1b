"""Alerts on the calls of models, and on what they cost."""

from mlmetrics.monitoring.config import AlertSettings
from mlmetrics.monitoring.durations import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from mlmetrics.monitoring.rules import cost, indicators
from mlmetrics.monitoring.rules.alert import PERCENT, VALUE, AlertDefinition
from mlmetrics.monitoring.rules.building import growth, share, slow, spent

MODEL = "{{ $labels.model }} in {{ $labels.service }}"

MODELS = (
    AlertDefinition(
        "SlowMLInference",
        AlertSettings("warning", 5 * MINUTE_SECONDS, 30.0, 0.05, 10 * MINUTE_SECONDS, 10),
        slow("ml_inference_duration_seconds", "model"),
        f"{MODEL} is slow",
        f"{PERCENT} of the inferences took longer than <threshold> s.",
        "models",
        "seconds",
    ),
    AlertDefinition(
        "HighMLFailureRate",
        AlertSettings("critical", 5 * MINUTE_SECONDS, None, 0.1, 10 * MINUTE_SECONDS, 10),
        share(lambda _: indicators.failed_calls("ml_inference_total"), "service", "model"),
        f"{MODEL} fails",
        f"{PERCENT} of the inferences failed; cancelled inferences are not counted.",
        "models",
    ),
    AlertDefinition(
        "SlowFirstChunk",
        AlertSettings("warning", 5 * MINUTE_SECONDS, 5.0, 0.05, 10 * MINUTE_SECONDS, 10),
        slow("ml_inference_first_chunk_seconds", "model"),
        f"{MODEL} sends the first chunk late",
        f"{PERCENT} of the streams sent their first chunk after more than <threshold> s.",
        "models",
        "seconds",
    ),
    AlertDefinition(
        "SlowChunks",
        AlertSettings("warning", 5 * MINUTE_SECONDS, 1.0, 0.05, 10 * MINUTE_SECONDS, 100),
        slow("ml_inference_chunk_interval_seconds", "model"),
        f"{MODEL} pauses while it streams",
        f"{PERCENT} of the chunks came more than <threshold> s after the chunk before.",
        "models",
        "seconds",
    ),
    AlertDefinition(
        "UsageMissing",
        AlertSettings("info", 10 * MINUTE_SECONDS, None, 0.05, HOUR_SECONDS, 20),
        share(lambda _: indicators.usage_missing(), "service", "model"),
        f"{MODEL} does not report its token usage",
        f"{PERCENT} of the answers did not contain their token usage.",
        "models",
    ),
    AlertDefinition(
        "RetryStorm",
        AlertSettings("warning", 5 * MINUTE_SECONDS, None, 0.2, 10 * MINUTE_SECONDS, 20),
        share(lambda _: indicators.retried(), "service", "model"),
        f"{MODEL} is asked again and again",
        f"{PERCENT} of the attempts repeat one that failed.",
        "models",
    ),
    AlertDefinition(
        "FallbacksExhausted",
        AlertSettings("warning", 0.0, 0.0, window_seconds=15 * MINUTE_SECONDS),
        growth("ml_inference_fallbacks_exhausted_total", "service", "model", first=True),
        f"{MODEL} fails, and so do the models that it falls back to",
        f"{VALUE} calls in the last <window> failed after they had gone on to another model.",
        "models",
        "calls",
    ),
    AlertDefinition(
        "AuthenticationOrQuotaFailures",
        AlertSettings("warning", 0.0, 0.0, window_seconds=15 * MINUTE_SECONDS),
        growth(indicators.refused_attempts(), "service", "model", "reason", first=True),
        f"{MODEL} is refused",
        f"{VALUE} attempts in the last <window> were refused for their {{{{ $labels.reason }}}}.",
        "models",
        "attempts",
    ),
    AlertDefinition(
        "ModelLoadFailed",
        AlertSettings("warning", 0.0, 0.0, window_seconds=15 * MINUTE_SECONDS),
        growth(indicators.failed_loads(), "service", "model", first=True),
        f"{MODEL} could not be loaded",
        f"{VALUE} loads in the last <window> failed.",
        "models",
        "loads",
    ),
)
COST = (
    AlertDefinition(
        "Unpriced",
        AlertSettings("info", 0.0, 0.0, window_seconds=HOUR_SECONDS),
        growth("ml_inference_unpriced_total", "service", "model"),
        f"{MODEL} has no price",
        f"{VALUE} calls in the last <window> are missing from the cost.",
        "models",
        "calls",
    ),
    AlertDefinition(
        "CostBudget",
        AlertSettings("warning", 5 * MINUTE_SECONDS, 10.0, window_seconds=HOUR_SECONDS),
        growth("ml_inference_cost_usd_total", "service"),
        "{{ $labels.service }} spends more than its budget",
        f"{VALUE} USD were spent in the last <window>.",
        "models",
        "US dollars",
    ),
    AlertDefinition(
        cost.DAILY,
        AlertSettings("warning", 0.0, 100.0, window_seconds=DAY_SECONDS),
        spent(cost.DAILY),
        "{{ $labels.service }} spends more in a day than it should",
        f"{VALUE} USD were spent in the last <window>.",
        "models",
        "US dollars",
    ),
    AlertDefinition(
        cost.BUDGET,
        AlertSettings("warning", 0.0, 1000.0, window_seconds=cost.MONTH_SECONDS),
        spent(cost.BUDGET),
        "{{ $labels.service }} has used up its monthly budget",
        f"{VALUE} USD were spent in the last <window>.",
        "models",
        "US dollars",
    ),
)
