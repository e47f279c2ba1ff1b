"""The panels of predictions, part of the dashboard of quality: confidence, classes, feedback, errors of numbers."""

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana import panels
from mlmetrics.monitoring.grafana.boards.by_model import LEGEND, MODEL
from mlmetrics.monitoring.grafana.panels import Panel, Query
from mlmetrics.monitoring.grafana.queries import Queries, bad_share
from mlmetrics.monitoring.grafana.thresholds import below, share_above
from mlmetrics.monitoring.rules.indicators import bad_feedback

NO_SCORES = "No model scored a result in this time"
SCORE, CLASSES, ERRORS = "ml_inference_score", "ml_prediction_total", "ml_prediction_error"


def predictions(config: Config, queries: Queries) -> tuple[Panel, ...]:
    """Return the panels."""
    return *_confidence(config, queries), *_results(config, queries)


def _confidence(config: Config, queries: Queries) -> tuple[Panel, ...]:
    bound = config.alerts["LowConfidence"].threshold or 0.0
    return (
        panels.heatmap(
            "Confidence",
            "Number of results by score; the variable Model chooses the models.",
            panels.SHARE,
            queries.buckets(SCORE),
            empty=NO_SCORES,
        ),
        panels.timeseries(
            "Median confidence",
            "Half of the results of this model have a lower score.",
            panels.SHARE,
            Query(queries.quantile(0.5, MODEL, SCORE), LEGEND),
            threshold=below(config, "LowConfidence"),
            empty=NO_SCORES,
        ),
        panels.timeseries(
            "Low confidence by model",
            f"Share of results that scored at most {bound:g}.",
            panels.SHARE,
            Query(queries.at_most(bound, MODEL, SCORE), LEGEND),
            threshold=share_above(config, "LowConfidence"),
            empty=NO_SCORES,
        ),
    )


def _results(config: Config, queries: Queries) -> tuple[Panel, ...]:
    by_class = queries.per_second([*MODEL, "predicted_class"], CLASSES)
    return (
        panels.timeseries(
            "Predicted classes",
            "Share of each class in the predictions of the chosen models; choose one model to see its own.",
            panels.SHARE,
            Query(
                f"{by_class} / on () group_left () ({queries.per_second([], CLASSES)} > 0)",
                "{{predicted_class}} · {{model}}",
            ),
            empty="No class was predicted in this time",
            stacked=True,
        ),
        panels.timeseries(
            "Bad feedback",
            "Share of the verdicts of users, or of a later truth, that were bad.",
            panels.SHARE,
            Query(bad_share(MODEL, bad_feedback(select=queries.select)), LEGEND),
            threshold=share_above(config, "BadFeedback"),
            empty="No result was judged in this time",
        ),
        panels.timeseries(
            "Error of predicted numbers",
            "Mean absolute error, and the one that 95 % of the predictions keep; in the unit of what is predicted.",
            panels.COUNT,
            Query(queries.mean(MODEL, ERRORS), f"mean {LEGEND}"),
            Query(queries.quantile(0.95, MODEL, ERRORS), f"p95 {LEGEND}"),
            empty="No true number became known in this time",
        ),
    )
