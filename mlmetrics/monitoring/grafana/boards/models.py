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
    description = "For each model: how often, how fast, how well, and at what cost."
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
            "How calls ended; a cancelled call is no failure.",
            panels.PER_SECOND,
            Query(queries.per_second(["outcome"], finished), "{{outcome}}"),
            width=6,
            stacked=True,
        ),
        panels.timeseries(
            "Success rate by model",
            "Share of calls that succeeded; cancelled ones are left out.",
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
        panels.heatmap("Latency", "How many calls took how long.", panels.SECONDS, queries.buckets(seconds)),
        panels.timeseries(
            "Latency percentiles",
            "So many of 100 calls end within this time; no more is seen than the last bucket's bound.",
            panels.SECONDS,
            *(
                Query(queries.quantile(share, MODEL, seconds), f"p{share * 100:g} {LEGEND}", exemplar=True)
                for share in (0.5, 0.95, 0.99)
            ),
            threshold=above(config, "SlowMLInference"),
        ),
        panels.timeseries(
            "Inferences in progress",
            "Calls that run at this moment.",
            panels.COUNT,
            Query(sum_by(MODEL, queries.select("ml_inference_in_progress")), LEGEND),
        ),
    )


def _streams(config: Config, queries: Queries) -> tuple[Panel, ...]:
    first, gap = "ml_inference_first_chunk_seconds", "ml_inference_chunk_interval_seconds"
    return (
        panels.timeseries(
            "First chunk",
            "Half of the streams, and 95 of 100, begin within this time.",
            panels.SECONDS,
            Query(queries.quantile(0.95, MODEL, first), f"p95 {LEGEND}", exemplar=True),
            Query(queries.quantile(0.5, MODEL, first), f"p50 {LEGEND}"),
            threshold=above(config, "SlowFirstChunk"),
            empty=NOT_STREAMED,
            width=12,
        ),
        panels.timeseries(
            "Gaps between chunks",
            "Half of the gaps, and 95 of 100, are shorter.",
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
            "Tokens each second, by type; the types add up.",
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
            "Share of answers that hid their tokens, and of those whose model has no price.",
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
            "Items that a call handles, on average.",
            panels.COUNT,
            Query(queries.mean(MODEL, "ml_inference_batch_size"), LEGEND),
            empty="No model works in batches",
            width=6,
        ),
        panels.timeseries(
            "Waiting for the model",
            "Half of the calls, and 95 of 100, begin within this time.",
            panels.SECONDS,
            Query(queries.quantile(0.95, MODEL, queued), f"p95 {LEGEND}"),
            Query(queries.quantile(0.5, MODEL, queued), f"p50 {LEGEND}"),
            empty="No model has a queue",
            width=6,
        ),
        panels.timeseries(
            "Loading",
            "Time that the last load of the model took.",
            panels.SECONDS,
            Query(f"max by ({', '.join(MODEL)}) ({queries.select('ml_model_load_duration_seconds')})", LEGEND),
            empty="No model has told how long it loaded",
            width=6,
        ),
        panels.table(
            "Versions",
            "Models and versions that are loaded, and by how many processes.",
            panels.COUNT,
            f"count by (service, model, version) ({queries.select('ml_model_info')} == 1)",
            empty="No model has told its version",
            width=6,
        ),
    )
