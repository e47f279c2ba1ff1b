"""Models: calls, latency, streams, what surrounds the calls, tokens, cost and providers of each model."""

from grafana_foundation_sdk.models import dashboard

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana import panels
from mlmetrics.monitoring.grafana.boards.by_model import LEGEND, MODEL, percentiles
from mlmetrics.monitoring.grafana.boards.money import money
from mlmetrics.monitoring.grafana.boards.surroundings import (
    NOT_STREAMED,
    answers,
    attainment,
    attempts,
    loads,
    waiting_and_running,
)
from mlmetrics.monitoring.grafana.layout import Row, board
from mlmetrics.monitoring.grafana.panels import Panel, Query
from mlmetrics.monitoring.grafana.queries import Queries, share_of
from mlmetrics.monitoring.grafana.thresholds import above, good_share_below
from mlmetrics.monitoring.rules.alert import DASHBOARDS
from mlmetrics.monitoring.rules.promql import quote, sum_by


def models(config: Config) -> dashboard.Dashboard:
    """Return the dashboard of models."""
    description = "Calls, latency, success, tokens, cost and providers of each model."
    return board(config, DASHBOARDS["models"], "ML Models", description, model_rows(config))


def model_rows(config: Config) -> tuple[Row, ...]:
    """Return the rows of the dashboard of models."""
    queries = Queries(config)
    return (
        Row("Calls", (*_calls(queries), *_failures(config, queries))),
        Row("Latency", _latency(config, queries)),
        Row("Streams", (*_streams(config, queries), *attainment(config, queries))),
        Row("Attempts and fallbacks", attempts(config, queries)),
        Row("Answers", answers(queries)),
        Row("Tokens and cost", money(config, queries)),
        Row("Providers", _providers(queries)),
        Row("Batches, queues and loading", _work(queries)),
    )


def _calls(queries: Queries) -> tuple[Panel, ...]:
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
    )


def _failures(config: Config, queries: Queries) -> tuple[Panel, ...]:
    return (
        panels.timeseries(
            "Success rate by model",
            "Share of calls that succeeded; cancelled calls are not counted.",
            panels.SHARE,
            Query(queries.success(MODEL, "ml_inference_total"), LEGEND),
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
            *percentiles(queries, "ml_inference_first_chunk_seconds", exemplar=True),
            threshold=above(config, "SlowFirstChunk"),
            empty=NOT_STREAMED,
        ),
        panels.timeseries(
            "First chunk of the reasoning",
            "50 % and 95 % of the streams whose model sends its reasoning begin it within this time.",
            panels.SECONDS,
            *percentiles(queries, reasoning),
            empty="No model sent its reasoning in this time",
        ),
        panels.timeseries(
            "Gaps between chunks",
            "50 % and 95 % of the gaps are shorter than this.",
            panels.SECONDS,
            *percentiles(queries, gap),
            threshold=above(config, "SlowChunks"),
            empty=NOT_STREAMED,
        ),
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
    return (
        panels.timeseries(
            "Batch size",
            "Mean number of items in a call.",
            panels.COUNT,
            Query(queries.mean(MODEL, "ml_inference_batch_size"), LEGEND),
            empty="No model works in batches",
        ),
        panels.timeseries(
            "Waiting for the model",
            "50 % and 95 % of the calls wait less than this before the model begins.",
            panels.SECONDS,
            *percentiles(queries, "ml_inference_queue_duration_seconds"),
            empty="No model has a queue",
        ),
        waiting_and_running(queries),
        panels.timeseries(
            "Loading",
            "Duration of the last load of the model.",
            panels.SECONDS,
            Query(f"max by ({', '.join(MODEL)}) ({queries.select('ml_model_load_duration_seconds')})", LEGEND),
            empty="No model has reported how long it took to load",
        ),
        loads(queries),
        panels.table(
            "Versions",
            "Models and versions that are loaded, and the number of processes for each.",
            panels.COUNT,
            f"count by (service, model, version) ({queries.select('ml_model_info')} == 1)",
            empty="No model has reported its version",
            width=8,
        ),
    )
