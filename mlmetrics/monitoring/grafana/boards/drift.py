"""The panels of drift: what was scored or predicted now and a week ago, and how far apart both are."""

from collections.abc import Iterator

from mlmetrics.catalog import Metric
from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana import panels
from mlmetrics.monitoring.grafana.panels import Panel, Query
from mlmetrics.monitoring.grafana.queries import Queries, matches_variable
from mlmetrics.monitoring.grafana.thresholds import above
from mlmetrics.monitoring.rules.drift import CLASS_COUNTER, NOW, WEEK, WEEK_SECONDS, record_name
from mlmetrics.monitoring.rules.promql import quote

NO_REFERENCE = "Needs scores of a week ago, or a recorded baseline"
NO_CLASSES = "Needs predictions of a week ago, or a recorded baseline"
CLASSES_OF = "{{model}} · {{service}}"


def score_drift(config: Config, scores: Metric, alert: str, title: str) -> Iterator[Panel]:
    """Yield the panels of a histogram of scores; `title` names them, such as `matching scores`."""
    queries, histogram = Queries(config), scores.name
    subject = " · ".join(f"{{{{{label}}}}}" for label in reversed(scores.labels))
    legend = f"{subject} against {{{{reference}}}}"
    yield panels.heatmap(
        f"Now: {title}", "Number of scores by value.", panels.SHARE, queries.buckets(histogram), width=12
    )
    yield panels.heatmap(
        f"A week ago: {title}",
        "Number of scores by value, in the same hours a week earlier.",
        panels.SHARE,
        queries.buckets(histogram, offset=config.span(WEEK_SECONDS)),
        empty=NO_REFERENCE,
        width=12,
    )
    yield psi_of_scores(config, histogram, alert, f"PSI of {title}", subject)
    yield panels.timeseries(
        f"KS of {title}",
        "Kolmogorov-Smirnov distance: the largest difference between the two cumulative distributions.",
        panels.SHARE,
        Query(queries.recorded(record_name(histogram, "ks")), legend),
        empty=NO_REFERENCE,
    )
    yield panels.timeseries(
        f"Wasserstein distance of {title}",
        "Mean distance by which scores have moved.",
        panels.COUNT,
        Query(queries.recorded(record_name(histogram, "w1")), legend),
        empty=NO_REFERENCE,
    )


def psi_of_scores(config: Config, histogram: str, alert: str, title: str, subject: str, *, width: int = 8) -> Panel:
    """Return the panel of the distance that an alert is on; `subject` is the legend of a series' labels."""
    return panels.timeseries(
        title,
        "Population stability index against a week ago and against the baseline; 0 is no shift.",
        panels.COUNT,
        Query(Queries(config).recorded(record_name(histogram, "psi")), f"{subject} against {{{{reference}}}}"),
        threshold=above(config, alert),
        empty=NO_REFERENCE,
        width=width,
    )


def class_drift(config: Config, alert: str) -> Iterator[Panel]:
    """Yield the panels of predicted classes."""
    queries, model = Queries(config), matches_variable("model")
    for title, reference, words in (
        ("now", NOW, "in the last hour"),
        ("a week ago", WEEK, "in that hour a week earlier"),
    ):
        share = queries.recorded(record_name(CLASS_COUNTER, "share"), model, f"reference={quote(reference)}")
        yield panels.timeseries(
            f"Classes {title}",
            f"Share of each class in the predictions of a model, {words}.",
            panels.SHARE,
            Query(share, "{{predicted_class}} · {{model}}"),
            empty=NO_CLASSES if reference == WEEK else "No class was predicted in this time",
        )
    yield panels.timeseries(
        "PSI of classes",
        "Population stability index against a week ago and against the baseline; 0 is no shift. "
        "By chance: what it stays under in 99 of 100 hours without a shift, with so many classes and predictions.",
        panels.COUNT,
        Query(queries.recorded(record_name(CLASS_COUNTER, "psi"), model), f"{CLASSES_OF} against {{{{reference}}}}"),
        Query(
            queries.recorded(record_name(CLASS_COUNTER, "chance"), model), f"by chance: {CLASSES_OF}, {{{{reference}}}}"
        ),
        threshold=above(config, alert),
        empty=NO_CLASSES,
    )
