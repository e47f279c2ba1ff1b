"""Models: calls, latency, streams, tokens and cost of each model."""

from grafana_foundation_sdk.models import dashboard

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana import panels
from mlmetrics.monitoring.grafana.layout import Row, board
from mlmetrics.monitoring.grafana.panels import Panel, Query, above, good_share_below, share_above
from mlmetrics.monitoring.grafana.queries import WINDOW, Queries, bad_share, share_of
from mlmetrics.monitoring.rules.alert import DASHBOARDS
from mlmetrics.monitoring.rules.indicators import usage_missing
from mlmetrics.monitoring.rules.promql import sum_by

MODEL = ["service", "model"]
LEGEND = "{{model}} · {{service}}"
NOT_STREAMED = "No model streamed in this time"
NO_USAGE = "No model reported tokens in this time"
NO_COST = "No model has a price, or none was called"


def models(config: Config) -> dashboard.Dashboard:
    """Return the dashboard of models."""
    queries = Queries(config)
    rows = (
        Row("Calls", _calls(config, queries)),
        Row("Latency", _latency(config, queries)),
        Row("Streams", _streams(config, queries)),
        Row("Tokens and cost", _cost(config, queries)),
        Row("Batches, queues and loading", _work(queries)),
    )
    description = "Calls, latency, success, tokens and cost of each model."
    return board(config, DASHBOARDS["models"], "ML Models", description, rows)


def _calls(config: Config, queries: Queries) -> tuple[Panel, ...]:
    finished = "ml_inference_total"
    return (
        panels.timeseries(
            "Calls by model",
            "Model calls that end each second.",
            panels.PER_SECOND,
            Query(queries.per_second(MODEL, finished), LEGEND),
            width=6,
        ),
        panels.timeseries(
            "Outcomes",
            "How calls ended; a cancelled call is not a failure.",
            panels.PER_SECOND,
            Query(queries.per_second(["outcome"], finished), "{{outcome}}"),
            width=6,
            stacked=True,
        ),
        panels.timeseries(
            "Success rate by model",
            "Share of calls that succeeded; cancelled calls are not counted.",
            panels.SHARE,
            Query(queries.success(MODEL, finished), LEGEND),
            threshold=good_share_below(config, "HighMLFailureRate"),
            width=6,
        ),
        panels.timeseries(
            "Failures by error type",
            "Calls that failed each second.",
            panels.PER_SECOND,
            Query(
                queries.per_second(["model", "error_type"], "ml_inference_errors_total"), "{{error_type}} · {{model}}"
            ),
            empty="No model has failed yet",
            width=6,
        ),
    )


def _latency(config: Config, queries: Queries) -> tuple[Panel, ...]:
    seconds = "ml_inference_duration_seconds"
    return (
        panels.heatmap("Latency", "Number of calls by duration.", panels.SECONDS, queries.buckets(seconds)),
        panels.timeseries(
            "Latency percentiles",
            "50 %, 95 % and 99 % of the calls end within this time; the last bucket's bound is the highest value.",
            panels.SECONDS,
            *(
                Query(queries.quantile(share, MODEL, seconds), f"p{share * 100:g} {LEGEND}", exemplar=True)
                for share in (0.5, 0.95, 0.99)
            ),
            threshold=above(config, "SlowMLInference"),
        ),
        panels.timeseries(
            "Inferences in progress",
            "Calls that are running now.",
            panels.COUNT,
            Query(sum_by(MODEL, queries.select("ml_inference_in_progress")), LEGEND),
        ),
    )


def _streams(config: Config, queries: Queries) -> tuple[Panel, ...]:
    first, gap = "ml_inference_first_chunk_seconds", "ml_inference_chunk_interval_seconds"
    return (
        panels.timeseries(
            "First chunk",
            "50 % and 95 % of the streams send their first chunk within this time.",
            panels.SECONDS,
            Query(queries.quantile(0.95, MODEL, first), f"p95 {LEGEND}", exemplar=True),
            Query(queries.quantile(0.5, MODEL, first), f"p50 {LEGEND}"),
            threshold=above(config, "SlowFirstChunk"),
            empty=NOT_STREAMED,
            width=12,
        ),
        panels.timeseries(
            "Gaps between chunks",
            "50 % and 95 % of the gaps are shorter than this.",
            panels.SECONDS,
            Query(queries.quantile(0.95, MODEL, gap), f"p95 {LEGEND}"),
            Query(queries.quantile(0.5, MODEL, gap), f"p50 {LEGEND}"),
            empty=NOT_STREAMED,
            width=12,
        ),
    )


def _cost(config: Config, queries: Queries) -> tuple[Panel, ...]:
    spent = "ml_inference_cost_usd_total"
    hidden = usage_missing(select=queries.select)
    unpriced = share_of(queries.per_second(MODEL, "ml_inference_unpriced_total"), hidden.total_rate(MODEL, WINDOW))
    return (
        panels.timeseries(
            "Tokens",
            "Tokens each second by type; no token is counted under two types.",
            panels.PER_SECOND,
            Query(
                queries.per_second(["model", "token_type"], "ml_inference_tokens_total"), "{{token_type}} · {{model}}"
            ),
            empty=NO_USAGE,
            width=6,
            stacked=True,
        ),
        panels.timeseries(
            "Cost an hour by model",
            "What an hour costs at the present rate.",
            panels.DOLLARS,
            Query(queries.per_hour(MODEL, spent), LEGEND),
            empty=NO_COST,
            width=6,
        ),
        panels.timeseries(
            "Cost an hour by service",
            "What an hour costs at the present rate.",
            panels.DOLLARS,
            Query(queries.per_hour(["service"], spent), "{{service}}"),
            threshold=above(config, "CostBudget"),
            empty=NO_COST,
            width=6,
        ),
        panels.timeseries(
            "Unknown usage and price",
            "Share of answers without token usage, and share of answers whose model has no price.",
            panels.SHARE,
            Query(bad_share(MODEL, hidden), f"hidden {LEGEND}"),
            Query(unpriced, f"no price {LEGEND}"),
            threshold=share_above(config, "UsageMissing"),
            empty="No model has answered in this time",
            width=6,
        ),
    )


def _work(queries: Queries) -> tuple[Panel, ...]:
    queued = "ml_inference_queue_duration_seconds"
    return (
        panels.timeseries(
            "Batch size",
            "Mean number of items in a call.",
            panels.COUNT,
            Query(queries.mean(MODEL, "ml_inference_batch_size"), LEGEND),
            empty="No model works in batches",
            width=6,
        ),
        panels.timeseries(
            "Waiting for the model",
            "50 % and 95 % of the calls wait less than this before the model begins.",
            panels.SECONDS,
            Query(queries.quantile(0.95, MODEL, queued), f"p95 {LEGEND}"),
            Query(queries.quantile(0.5, MODEL, queued), f"p50 {LEGEND}"),
            empty="No model has a queue",
            width=6,
        ),
        panels.timeseries(
            "Loading",
            "Duration of the last load of the model.",
            panels.SECONDS,
            Query(f"max by ({', '.join(MODEL)}) ({queries.select('ml_model_load_duration_seconds')})", LEGEND),
            empty="No model has reported how long it took to load",
            width=6,
        ),
        panels.table(
            "Versions",
            "Models and versions that are loaded, and the number of processes for each.",
            panels.COUNT,
            f"count by (service, model, version) ({queries.select('ml_model_info')} == 1)",
            empty="No model has reported its version",
            width=6,
        ),
    )
