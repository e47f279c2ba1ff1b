"""Quality and drift: predictions of models, scores of documents, and their distance from the scores of a week ago."""

from collections.abc import Iterator

from grafana_foundation_sdk.models import dashboard

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana import panels
from mlmetrics.monitoring.grafana.boards.drift import class_drift, score_drift
from mlmetrics.monitoring.grafana.boards.predictions import predictions
from mlmetrics.monitoring.grafana.layout import Row, board
from mlmetrics.monitoring.grafana.panels import Panel, Query
from mlmetrics.monitoring.grafana.queries import Queries, bad_share
from mlmetrics.monitoring.grafana.thresholds import below, share_above
from mlmetrics.monitoring.rules.alert import DASHBOARDS
from mlmetrics.monitoring.rules.alerts import drift_alerts
from mlmetrics.monitoring.rules.indicators import failed_calls

PARSER = ["service", "parser", "doc_type"]
PARSER_LEGEND = "{{doc_type}} · {{parser}} · {{service}}"
NO_SCORES = "No document was scored in this time"
TITLES = {
    "InferenceScoreDrift": "inference scores",
    "MatchingScoreDrift": "matching scores",
    "ParsingAccuracyDrift": "accuracy scores",
}


def quality(config: Config) -> dashboard.Dashboard:
    """Return the dashboard of quality and drift."""
    description = "Scores of parsed and matched documents, and their distance from the scores of a week ago."
    rows = quality_rows(config)
    return board(config, DASHBOARDS["quality"], "ML Quality and Drift", description, rows, span="now-6h")


def quality_rows(config: Config) -> tuple[Row, ...]:
    """Return the rows of the dashboard of quality and drift."""
    queries = Queries(config)
    return (
        Row("Predictions", predictions(config, queries)),
        Row("Documents", _documents(config, queries)),
        *_drift_rows(config),
        Row("Parsing and matching", (*_failures(queries), *_times(queries))),
    )


def _drift_rows(config: Config) -> Iterator[Row]:
    for alert, drifted in drift_alerts(config):
        if not drifted.bounds:
            yield Row("Drift of classes", tuple(class_drift(config, alert.name)))
        elif alert.name in TITLES:
            title = TITLES[alert.name]
            yield Row(
                f"Drift of {title}", tuple(score_drift(config, config.metrics[drifted.metric], alert.name, title))
            )


def _documents(config: Config, queries: Queries) -> tuple[Panel, ...]:
    score, kind = "parsing_accuracy_score", ["service", "doc_type"]
    bound = config.alerts["LowParsingAccuracy"].threshold or 0.0
    return (
        panels.timeseries(
            "Median accuracy",
            "Half of the documents of this type have a lower score.",
            panels.SHARE,
            Query(queries.quantile(0.5, kind, score), "{{doc_type}} · {{service}}"),
            threshold=below(config, "LowParsingAccuracy"),
            empty=NO_SCORES,
        ),
        panels.timeseries(
            "Low confidence by document type",
            f"Share of documents that scored at most {bound:g}.",
            panels.SHARE,
            Query(queries.at_most(bound, kind, score), "{{doc_type}} · {{service}}"),
            threshold=share_above(config, "LowParsingAccuracy"),
            empty=NO_SCORES,
        ),
        panels.heatmap(
            "File sizes",
            "Number of files by size.",
            panels.BYTES,
            queries.buckets("file_processing_size_bytes"),
            empty="No file was processed in this time",
        ),
    )


def _failures(queries: Queries) -> tuple[Panel, ...]:
    return (
        panels.timeseries(
            "Parsing failures",
            "Share of documents that could not be parsed; cancelled calls are not counted.",
            panels.SHARE,
            Query(bad_share(PARSER, failed_calls("ml_parsing_total", select=queries.select)), PARSER_LEGEND),
            width=6,
        ),
        panels.timeseries(
            "Parsing failures by error type",
            "Documents that could not be parsed, each second.",
            panels.PER_SECOND,
            Query(
                queries.per_second(["doc_type", "error_type"], "ml_parsing_errors_total"),
                "{{error_type}} · {{doc_type}}",
            ),
            empty="No document has failed yet",
            width=6,
        ),
    )


def _times(queries: Queries) -> tuple[Panel, ...]:
    return (
        panels.timeseries(
            "Parsing time",
            "95 % of the documents are parsed within this time.",
            panels.SECONDS,
            Query(queries.quantile(0.95, PARSER, "ml_parsing_duration_seconds"), PARSER_LEGEND),
            width=6,
        ),
        panels.timeseries(
            "Matching time",
            "95 % of the pairs are matched within this time.",
            panels.SECONDS,
            Query(
                queries.quantile(0.95, ["service", "matcher"], "ml_matching_duration_seconds"),
                "{{matcher}} · {{service}}",
            ),
            width=6,
        ),
    )
