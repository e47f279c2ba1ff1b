"""What surrounds the calls of models, part of their dashboard: attempts, fallbacks, limits, caches, and answers."""

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana import panels
from mlmetrics.monitoring.grafana.boards.by_model import LEGEND, MODEL
from mlmetrics.monitoring.grafana.panels import Panel, Query
from mlmetrics.monitoring.grafana.queries import Queries, bad_share, share_of
from mlmetrics.monitoring.grafana.thresholds import good_share_below, share_above
from mlmetrics.monitoring.rules.indicators import retried
from mlmetrics.monitoring.rules.promql import quote, sum_by

NO_ATTEMPT_FAILED = "No attempt has failed yet"
NO_LENGTHS = "No model reported tokens in this time"
NOT_STREAMED = "No model streamed in this time"


def attempts(config: Config, queries: Queries) -> tuple[Panel, ...]:
    """Return the panels of attempts, fallbacks and the provider's limits."""
    return (
        panels.timeseries(
            "Failed attempts",
            "Attempts that failed each second, by why; the call may have succeeded in a later one.",
            panels.PER_SECOND,
            Query(
                queries.per_second(["model", "reason"], "ml_inference_attempt_errors_total"), "{{reason}} · {{model}}"
            ),
            empty=NO_ATTEMPT_FAILED,
        ),
        panels.timeseries(
            "Retries",
            "Attempts that were made again each second, by why the one before failed.",
            panels.PER_SECOND,
            Query(queries.per_second(["model", "reason"], "ml_inference_retries_total"), "{{reason}} · {{model}}"),
            empty=NO_ATTEMPT_FAILED,
        ),
        panels.timeseries(
            "Share of retries",
            "Share of the attempts that repeat one that failed; an attempt is a call that has ended, or a retry.",
            panels.SHARE,
            Query(bad_share(MODEL, retried(select=queries.select)), LEGEND),
            threshold=share_above(config, "RetryStorm"),
            empty="No attempt has failed yet, or no model was called in this time",
        ),
        panels.timeseries(
            "Fallbacks",
            "Calls that went on to another model each second, and those that failed all the same.",
            panels.PER_SECOND,
            Query(
                queries.per_second(["model", "fallback"], "ml_inference_fallbacks_total"), "{{model}} to {{fallback}}"
            ),
            Query(queries.per_second(["model"], "ml_inference_fallbacks_exhausted_total"), "failed · {{model}}"),
            empty="No call has gone on to another model yet",
        ),
        panels.timeseries(
            "Rate-limit headroom",
            "What is left of what the provider allows, as the last response of the instance that has least said.",
            panels.SHARE,
            Query(_headroom(queries), f"{{{{limit}}}} · {LEGEND}"),
            empty="No response has told its limits",
        ),
        panels.timeseries(
            "Guardrail blocks",
            "Prompts and answers that a guardrail blocked each second.",
            panels.PER_SECOND,
            Query(
                queries.per_second(["model", "guardrail"], "ml_inference_guardrail_blocks_total"),
                "{{guardrail}} · {{model}}",
            ),
            empty="No guardrail has blocked yet",
        ),
    )


def _headroom(queries: Queries) -> str:
    remaining, limit = (queries.select(f"ml_inference_rate_limit{each}") for each in ("_remaining", ""))
    return f"min by ({', '.join([*MODEL, 'limit'])}) ({remaining} / ({limit} > 0))"


def answers(queries: Queries) -> tuple[Panel, ...]:
    """Return the panels of caches, of why answers end, and of how long and how fast they are."""
    lookups, speed = "ml_inference_cache_lookups_total", "ml_inference_output_tokens_per_second"
    hits = queries.per_second(MODEL, lookups, f"result={quote('hit')}")
    return (
        panels.timeseries(
            "Cache hit rate",
            "Share of the lookups in a cache that found an answer.",
            panels.SHARE,
            Query(share_of(hits, queries.per_second(MODEL, lookups)), LEGEND),
            empty="No answer was looked for in a cache in this time",
        ),
        panels.timeseries(
            "Finish reasons",
            "Answers each second by why they ended; `length` is an answer that was cut off.",
            panels.PER_SECOND,
            Query(
                queries.per_second(["model", "finish_reason"], "ml_inference_finish_reasons_total"),
                "{{finish_reason}} · {{model}}",
            ),
            empty="No answer has said why it ended",
            stacked=True,
        ),
        panels.timeseries(
            "Output tokens a second",
            "Tokens of an answer for each second of its call: 50 % and 95 % of the calls are faster than this.",
            panels.COUNT,
            Query(queries.quantile(0.5, MODEL, speed), f"50 % {LEGEND}"),
            Query(queries.quantile(0.05, MODEL, speed), f"95 % {LEGEND}"),
            empty=NO_LENGTHS,
        ),
        panels.heatmap(
            "Prompt tokens",
            "Number of calls by the tokens of their prompt.",
            panels.COUNT,
            queries.buckets("ml_inference_prompt_tokens"),
            empty=NO_LENGTHS,
            width=12,
        ),
        panels.heatmap(
            "Answer tokens",
            "Number of calls by the tokens of their answer, reasoning included.",
            panels.COUNT,
            queries.buckets("ml_inference_completion_tokens"),
            empty=NO_LENGTHS,
            width=12,
        ),
    )


def attainment(config: Config, queries: Queries) -> tuple[Panel, ...]:
    """Return the panels of the shares of streams and chunks that came in the time that the alerts on them give."""
    first, gap = (config.alerts[alert].threshold or 0.0 for alert in ("SlowFirstChunk", "SlowChunks"))
    return (
        panels.timeseries(
            "First chunks in time",
            f"Share of the streams that sent the first token of their answer within {first:g} s.",
            panels.SHARE,
            Query(queries.at_most(first, MODEL, "ml_inference_first_chunk_seconds"), LEGEND),
            threshold=good_share_below(config, "SlowFirstChunk"),
            empty=NOT_STREAMED,
            width=12,
        ),
        panels.timeseries(
            "Chunks in time",
            f"Share of the chunks that came within {gap:g} s of the one before.",
            panels.SHARE,
            Query(queries.at_most(gap, MODEL, "ml_inference_chunk_interval_seconds"), LEGEND),
            threshold=good_share_below(config, "SlowChunks"),
            empty=NOT_STREAMED,
            width=12,
        ),
    )


def waiting_and_running(queries: Queries) -> Panel:
    """Return the panel of the calls that wait, beside those that run."""
    waiting, begun = (sum_by(MODEL, queries.select(f"ml_inference_{each}")) for each in ("waiting", "in_progress"))
    return panels.timeseries(
        "Waiting and running",
        "Calls that wait for their model now, and those of the same models that have begun and do not wait.",
        panels.COUNT,
        Query(waiting, f"waiting {LEGEND}"),
        Query(f"{begun} - {waiting}", f"running {LEGEND}"),
        empty="No call has waited yet",
    )


def loads(queries: Queries) -> Panel:
    """Return the panel of the loads of models."""
    return panels.table(
        "Model loads",
        "Loads in the dashboard's time range, by how they ended, without those before the first scrape of a process.",
        panels.COUNT,
        queries.grown([*MODEL, "outcome"], "ml_model_load_total"),
        empty="No model was loaded in this time",
        width=8,
    )
