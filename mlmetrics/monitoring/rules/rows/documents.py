"""Alerts on the scores of parsed and matched documents."""

from mlmetrics.catalog import MATCHING, PARSING
from mlmetrics.monitoring.config import AlertSettings
from mlmetrics.monitoring.durations import MINUTE_SECONDS
from mlmetrics.monitoring.rules import indicators
from mlmetrics.monitoring.rules.alert import PERCENT, AlertDefinition
from mlmetrics.monitoring.rules.building import drift_row, drifted, share

DOCUMENTS = (
    AlertDefinition(
        "LowParsingAccuracy",
        AlertSettings("warning", 10 * MINUTE_SECONDS, 0.8, 0.5, 30 * MINUTE_SECONDS, 30),
        share(lambda threshold: indicators.low("parsing_accuracy_score", threshold), "service", "doc_type"),
        "{{ $labels.service }} parses {{ $labels.doc_type }} documents with low accuracy",
        f"{PERCENT} of the documents scored at most <threshold>, so the median is below it.",
        "quality",
        "score, 0 to 1",
    ),
    drift_row(
        "MatchingScoreDrift",
        drifted(MATCHING),
        "Scores of {{ $labels.matcher }} in {{ $labels.service }} have shifted",
    ),
    drift_row(
        "ParsingAccuracyDrift",
        drifted(PARSING),
        "Scores of {{ $labels.parser }} {{ $labels.doc_type }} in {{ $labels.service }} have shifted",
    ),
)
