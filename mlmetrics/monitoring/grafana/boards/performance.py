"""The main dashboard, an overview of all services: requests, models, quality, saturation and alerts."""

from grafana_foundation_sdk.models import dashboard

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana import panels
from mlmetrics.monitoring.grafana.boards.by_model import LEGEND, MODEL
from mlmetrics.monitoring.grafana.boards.processes import memory, processor
from mlmetrics.monitoring.grafana.boards.requests import BODY_SIZES, WEBSOCKETS, body_sizes, websockets
from mlmetrics.monitoring.grafana.layout import Row, board
from mlmetrics.monitoring.grafana.panels import Panel, Query
from mlmetrics.monitoring.grafana.queries import Queries, bad_share
from mlmetrics.monitoring.grafana.thresholds import Threshold, above, below, good_share_below, share_above
from mlmetrics.monitoring.rules.alert import DASHBOARDS
from mlmetrics.monitoring.rules.indicators import failed_requests

NO_SCORES = "No document was scored in this time"
NO_REQUEST = "No request in this time"
NO_CALLS = "No call ended in this time"


def performance(config: Config) -> dashboard.Dashboard:
    """Return the main dashboard."""
    description = "Overview of all services: requests, models, quality, saturation and alerts."
    return board(config, DASHBOARDS["main"], config.title, description, performance_rows(config))


def performance_rows(config: Config) -> tuple[Row, ...]:
    """Return the rows of the main dashboard."""
    queries = Queries(config)
    return (
        Row("Now", _now(config, queries)),
        Row("API", _api(config, queries)),
        Row("Bodies", body_sizes(queries), about=BODY_SIZES),
        Row("WebSockets", websockets(queries), about=WEBSOCKETS),
        Row("Models", _models(config, queries), about="ml_inference_total"),
        Row("Quality", _quality(config, queries)),
        Row("Saturation and alerts", _saturation(config, queries)),
    )


def _now(config: Config, queries: Queries) -> tuple[Panel, ...]:
    return (
        panels.stat("Services up", "Services with an instance that answers.", panels.COUNT, _up(queries)),
        panels.stat(
            "Alerts",
            "Alerts that are firing.",
            panels.COUNT,
            f"count({queries.firing()}) or vector(0)",
            threshold=Threshold("", 1, config.runbooks),
        ),
        *_requests_now(config, queries),
        *_inferences_now(config, queries),
        panels.stat(
            "Median accuracy",
            "Half of the parsed documents have a lower score.",
            panels.SHARE,
            queries.quantile(0.5, [], "parsing_accuracy_score"),
            threshold=below(config, "LowParsingAccuracy"),
            empty=NO_SCORES,
        ),
    )


def _up(queries: Queries) -> str:
    return f"count(max by (job) ({queries.select('up')}) == 1) or vector(0)"


def _requests_now(config: Config, queries: Queries) -> tuple[Panel, ...]:
    return (
        panels.stat(
            "Requests", "Requests each second.", panels.PER_SECOND, queries.per_second([], "fastapi_requests_total")
        ),
        panels.stat(
            "Errors",
            "Share of requests answered by 5xx.",
            panels.SHARE,
            bad_share([], failed_requests(select=queries.select)),
            threshold=share_above(config, "HighErrorRate"),
            empty=NO_REQUEST,
        ),
        panels.stat(
            "Response time p95",
            "95 % of the requests are answered within this time.",
            panels.SECONDS,
            queries.quantile(0.95, [], "fastapi_request_duration_seconds"),
            threshold=above(config, "HighAPIResponseTime"),
            empty=NO_REQUEST,
        ),
    )


def _inferences_now(config: Config, queries: Queries) -> tuple[Panel, ...]:
    finished = "ml_inference_total"
    return (
        panels.stat(
            "Inferences", "Model calls that end each second.", panels.PER_SECOND, queries.per_second([], finished)
        ),
        panels.stat(
            "Inference success",
            "Share of model calls that succeeded; cancelled calls are not counted.",
            panels.SHARE,
            queries.success([], finished),
            threshold=good_share_below(config, "HighMLFailureRate"),
            empty=NO_CALLS,
        ),
    )


def _api(config: Config, queries: Queries) -> tuple[Panel, ...]:
    return (
        panels.timeseries(
            "API request rate",
            "Requests that ended, by service.",
            panels.PER_SECOND,
            Query(queries.per_second(["service"], "fastapi_requests_total"), "{{service}}"),
        ),
        panels.timeseries(
            "Response time (95th percentile)",
            "95 % of the requests are answered, to the last byte, within this time.",
            panels.SECONDS,
            Query(
                queries.quantile(0.95, ["service"], "fastapi_request_duration_seconds"), "{{service}}", exemplar=True
            ),
            threshold=above(config, "HighAPIResponseTime"),
        ),
        panels.timeseries(
            "Error rate per service",
            "Share of requests answered by 5xx; clients that left (499) are not counted.",
            panels.SHARE,
            Query(bad_share(["service"], failed_requests(select=queries.select)), "{{service}}"),
            threshold=share_above(config, "HighErrorRate"),
        ),
    )


def _models(config: Config, queries: Queries) -> tuple[Panel, ...]:
    seconds = "ml_inference_duration_seconds"
    return (
        panels.timeseries(
            "Inference duration",
            "50 % and 95 % of the calls end within this time.",
            panels.SECONDS,
            Query(queries.quantile(0.95, MODEL, seconds), f"p95 {LEGEND}", exemplar=True),
            Query(queries.quantile(0.5, MODEL, seconds), f"p50 {LEGEND}"),
            threshold=above(config, "SlowMLInference"),
        ),
        panels.timeseries(
            "Inference success rate",
            "Share of model calls that succeeded; cancelled calls are not counted.",
            panels.SHARE,
            Query(queries.success(MODEL, "ml_inference_total"), LEGEND),
            threshold=good_share_below(config, "HighMLFailureRate"),
        ),
        panels.timeseries(
            "In progress",
            "What is running now.",
            panels.COUNT,
            Query(f"sum by (service) ({queries.select('fastapi_requests_in_progress')})", "requests · {{service}}"),
            Query(f"sum by (service) ({queries.select('ml_inference_in_progress')})", "inferences · {{service}}"),
        ),
    )


def _quality(config: Config, queries: Queries) -> tuple[Panel, ...]:
    return (
        panels.heatmap(
            "Distribution of accuracy scores",
            "Number of documents by score.",
            panels.SHARE,
            queries.buckets("parsing_accuracy_score"),
        ),
        panels.timeseries(
            "Median accuracy by document type",
            "Half of the documents have a lower score.",
            panels.SHARE,
            Query(
                queries.quantile(0.5, ["service", "doc_type"], "parsing_accuracy_score"), "{{doc_type}} · {{service}}"
            ),
            threshold=below(config, "LowParsingAccuracy"),
            empty=NO_SCORES,
        ),
        panels.heatmap(
            "Distribution of matching scores",
            "Number of pairs by score.",
            panels.SHARE,
            queries.buckets("matching_score_distribution"),
        ),
    )


def _saturation(config: Config, queries: Queries) -> tuple[Panel, ...]:
    return (
        memory(config, queries),
        processor(config, queries),
        panels.table(
            "Firing alerts",
            "Alerts that are firing, for the selected services and for hosts.",
            panels.COUNT,
            queries.firing(),
            hidden=("Value", "alertstate"),
            empty="No alert is firing",
            width=8,
        ),
    )
