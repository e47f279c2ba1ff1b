"""Models: calls, latency, streams, tokens, cost and providers of each model."""

from collections.abc import Iterator

from grafana_foundation_sdk.models import dashboard

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.durations import DAY_SECONDS
from mlmetrics.monitoring.grafana import panels
from mlmetrics.monitoring.grafana.layout import Row, board
from mlmetrics.monitoring.grafana.panels import Panel, Query
from mlmetrics.monitoring.grafana.queries import WINDOW, Queries, bad_share, share_of
from mlmetrics.monitoring.grafana.thresholds import above, good_share_below, share_above
from mlmetrics.monitoring.rules.alert import DASHBOARDS
from mlmetrics.monitoring.rules.cost import BUDGET, SPENT, budget_seconds, spent_over
from mlmetrics.monitoring.rules.indicators import usage_missing
from mlmetrics.monitoring.rules.promql import number, quote, sum_by

MODEL = ["service", "model"]
LEGEND = "{{model}} · {{service}}"
NOT_STREAMED = "No model streamed in this time"
NO_USAGE = "No model reported tokens in this time"
NO_COST = "No model has a price, or none was called"
EXACT = "What a process spent before its first scrape is missing, unless its series began at 0."


def models(config: Config) -> dashboard.Dashboard:
    """Return the dashboard of models."""
    queries = Queries(config)
    rows = (
        Row("Calls", _calls(config, queries)),
        Row("Latency", _latency(config, queries)),
        Row("Streams", _streams(config, queries)),
        Row("Tokens and cost", (*_tokens(config, queries), *_cost(config, queries), *_spent(config, queries))),
        Row("Providers", _providers(queries)),
        Row("Batches, queues and loading", _work(queries)),
    )
    description = "Calls, latency, success, tokens, cost and providers of each model."
    return board(config, DASHBOARDS["models"], "ML Models", description, rows)


def _calls(config: Config, queries: Queries) -> tuple[Panel, ...]:
    finished, cancelled = "ml_inference_total", f"outcome={quote('cancelled')}"
    return (
        panels.timeseries(
            "Calls by model",
            "Model calls that end each second.",
            panels.PER_SECOND,
            Query(queries.per_second(MODEL, finished), LEGEND),
        ),
        panels.timeseries(
            "Outcomes",
            "How calls ended; a cancelled call is not a failure.",
            panels.PER_SECOND,
            Query(queries.per_second(["outcome"], finished), "{{outcome}}"),
            stacked=True,
        ),
        panels.timeseries(
            "Cancelled calls",
            "Share of the calls that were cancelled, or whose stream was left before its end.",
            panels.SHARE,
            Query(
                share_of(queries.per_second(MODEL, finished, cancelled), queries.per_second(MODEL, finished)), LEGEND
            ),
        ),
        panels.timeseries(
            "Success rate by model",
            "Share of calls that succeeded; cancelled calls are not counted.",
            panels.SHARE,
            Query(queries.success(MODEL, finished), LEGEND),
            threshold=good_share_below(config, "HighMLFailureRate"),
            width=12,
        ),
        panels.timeseries(
            "Failures by error type",
            "Calls that failed each second.",
            panels.PER_SECOND,
            Query(
                queries.per_second(["model", "error_type"], "ml_inference_errors_total"), "{{error_type}} · {{model}}"
            ),
            empty="No model has failed yet",
            width=12,
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
    reasoning, gap = "ml_inference_first_reasoning_seconds", "ml_inference_chunk_interval_seconds"
    return (
        panels.timeseries(
            "First chunk",
            "50 % and 95 % of the streams send the first token of their answer within this time.",
            panels.SECONDS,
            *_percentiles(queries, "ml_inference_first_chunk_seconds", exemplar=True),
            threshold=above(config, "SlowFirstChunk"),
            empty=NOT_STREAMED,
        ),
        panels.timeseries(
            "First chunk of the reasoning",
            "50 % and 95 % of the streams whose model sends its reasoning begin it within this time.",
            panels.SECONDS,
            *_percentiles(queries, reasoning),
            empty="No model sent its reasoning in this time",
        ),
        panels.timeseries(
            "Gaps between chunks",
            "50 % and 95 % of the gaps are shorter than this.",
            panels.SECONDS,
            *_percentiles(queries, gap),
            threshold=above(config, "SlowChunks"),
            empty=NOT_STREAMED,
        ),
    )


def _percentiles(queries: Queries, histogram: str, *, exemplar: bool = False) -> Iterator[Query]:
    yield Query(queries.quantile(0.95, MODEL, histogram), f"p95 {LEGEND}", exemplar=exemplar)
    yield Query(queries.quantile(0.5, MODEL, histogram), f"p50 {LEGEND}")


def _tokens(config: Config, queries: Queries) -> tuple[Panel, ...]:
    tokens, hidden = "ml_inference_tokens_total", usage_missing(select=queries.select)
    unpriced = share_of(queries.per_second(MODEL, "ml_inference_unpriced_total"), hidden.total_rate(MODEL, WINDOW))
    return (
        panels.timeseries(
            "Tokens",
            "Tokens each second by type; no token is counted under two types.",
            panels.PER_SECOND,
            Query(queries.per_second(["model", "token_type"], tokens), "{{token_type}} · {{model}}"),
            empty=NO_USAGE,
            stacked=True,
        ),
        panels.timeseries(
            "Tokens per call",
            "Mean number of tokens by type. All calls are counted, also those that reported none.",
            panels.COUNT,
            Query(queries.per_call(MODEL, "token_type", tokens, "ml_inference_total"), f"{{{{token_type}}}} {LEGEND}"),
            empty=NO_USAGE,
            stacked=True,
        ),
        panels.timeseries(
            "Unknown usage and price",
            "Share of answers without token usage, and share of answers whose model has no price.",
            panels.SHARE,
            Query(bad_share(MODEL, hidden), f"hidden {LEGEND}"),
            Query(unpriced, f"no price {LEGEND}"),
            threshold=share_above(config, "UsageMissing"),
            empty="No model has answered in this time",
        ),
    )


def _cost(config: Config, queries: Queries) -> tuple[Panel, ...]:
    return (
        panels.timeseries(
            "Cost an hour by model",
            "What an hour costs at the present rate.",
            panels.DOLLARS,
            Query(queries.per_hour(MODEL, SPENT), LEGEND),
            empty=NO_COST,
        ),
        panels.timeseries(
            "Cost an hour by service",
            "What an hour costs at the present rate.",
            panels.DOLLARS,
            Query(queries.per_hour(["service"], SPENT), "{{service}}"),
            threshold=above(config, "CostBudget"),
            empty=NO_COST,
        ),
        panels.table(
            "Spent in this time",
            f"US dollars in the dashboard's time range. {EXACT}",
            panels.DOLLARS,
            queries.grown(MODEL, SPENT),
            empty=NO_COST,
            width=8,
        ),
        panels.table(
            "Spent today",
            "US dollars since midnight, of the dashboard's time zone; providers bill days of UTC. A time range that"
            f" does not end now has its own sum instead. {EXACT}",
            panels.DOLLARS,
            queries.grown(MODEL, SPENT),
            empty="No cost was recorded today",
            width=8,
            since=panels.TODAY,
        ),
    )


def _spent(config: Config, queries: Queries) -> Iterator[Panel]:
    """Yield what the rules of spending record, of all models of a service together, as its budget is."""
    budget, window = config.alerts[BUDGET], config.span(budget_seconds(config))
    by = [*config.grouping, "service"]
    legend = " · ".join(f"{{{{{label}}}}}" for label in reversed(by))
    month, day = (
        sum_by(by, queries.recorded(spent_over(seconds))) for seconds in (budget_seconds(config), DAY_SECONDS)
    )
    yield panels.timeseries(
        "Monthly spending",
        f"US dollars that a service spent in the last {window}, of all its models and instances.",
        panels.DOLLARS,
        Query(month, legend),
        threshold=above(config, BUDGET),
        empty=NO_COST,
    )
    if budget.enabled:
        limit = number(budget.threshold or 0.0)
        yield panels.timeseries(
            "Days to the monthly budget",
            f"Days until a service has spent {limit} US dollars, at the pace of the last day; what leaves the window of"
            f" {window} is not considered.",
            panels.DAYS,
            Query(f"clamp_min({limit} - {month}, 0) / ({day} > 0)", legend),
            empty="Nothing was spent in the last day",
        )


def _providers(queries: Queries) -> tuple[Panel, ...]:
    answered = queries.select("ml_inference_response_model_info")
    return (
        panels.table(
            "Models that answered",
            "Which model a provider says has answered, for each model that was asked for.",
            panels.COUNT,
            f"max by (service, model, provider, response_model) ({answered})",
            hidden=("Value",),
            empty="No provider has named the model that answered",
            width=24,
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
