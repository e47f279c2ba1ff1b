"""What surrounds the calls of models: attempts, fallbacks, limits, caches, guardrails, waiting, lengths of answers."""

from mlmetrics.catalog.metric import LENGTH_BUCKETS_TOKENS, SPEED_BUCKETS, Metric

RETRIES, FALLBACKS, RATE_LIMITS, CACHE = "retries", "fallbacks", "rate_limits", "cache"
GUARDRAILS, FINISH, LENGTHS = "guardrails", "finish_reasons", "lengths"

REASONS = ("authentication", "bad_request", "connection", "other", "quota", "rate_limit", "server_error", "timeout")
"""Why an attempt failed: every value of `reason`."""
LIMITS = ("input_tokens", "output_tokens", "requests", "tokens")
"""What a provider limits: every value of `limit`."""
LOOKUPS = ("hit", "miss")

_INFERENCE = ("service", "model", "operation")
_MODEL = ("service", "model")

SURROUNDINGS = (
    Metric(
        "ml_inference_attempt_errors_total",
        "counter",
        "Attempts of calls that failed, by why they failed; a call that was tried again has several.",
        (*_INFERENCE, "reason"),
        part=RETRIES,
    ),
    Metric(
        "ml_inference_retries_total",
        "counter",
        "Attempts that were made again, by why the one before failed.",
        (*_INFERENCE, "reason"),
        part=RETRIES,
    ),
    Metric(
        "ml_inference_fallbacks_total",
        "counter",
        "Calls that went on to another model, by the model that they went on to.",
        (*_INFERENCE, "fallback"),
        part=FALLBACKS,
    ),
    Metric(
        "ml_inference_fallbacks_exhausted_total",
        "counter",
        "Calls that failed after they had gone on to another model.",
        _INFERENCE,
        part=FALLBACKS,
    ),
    Metric(
        "ml_inference_rate_limit",
        "gauge",
        "What the provider allows in its window, as its last response said, by what it limits.",
        (*_MODEL, "limit"),
        part=RATE_LIMITS,
    ),
    Metric(
        "ml_inference_rate_limit_remaining",
        "gauge",
        "What the provider's last response said to be left of it.",
        (*_MODEL, "limit"),
        part=RATE_LIMITS,
    ),
    Metric(
        "ml_inference_cache_lookups_total",
        "counter",
        "Calls whose answer was looked for in a cache, by whether it was there.",
        (*_INFERENCE, "result"),
        part=CACHE,
    ),
    Metric(
        "ml_inference_guardrail_blocks_total",
        "counter",
        "Prompts and answers that a guardrail blocked, by guardrail.",
        (*_INFERENCE, "guardrail"),
        part=GUARDRAILS,
    ),
    Metric(
        "ml_inference_finish_reasons_total",
        "counter",
        "Answers by why they ended, as the provider says.",
        (*_INFERENCE, "finish_reason"),
        part=FINISH,
    ),
    Metric(
        "ml_inference_prompt_tokens",
        "histogram",
        "Tokens of a call's prompt: input, read from a cache and written to it.",
        _INFERENCE,
        "tokens",
        LENGTH_BUCKETS_TOKENS,
        LENGTHS,
    ),
    Metric(
        "ml_inference_completion_tokens",
        "histogram",
        "Tokens of a call's answer: output and reasoning.",
        _INFERENCE,
        "tokens",
        LENGTH_BUCKETS_TOKENS,
        LENGTHS,
    ),
    Metric(
        "ml_inference_output_tokens_per_second",
        "histogram",
        "Tokens of a call's answer divided by the seconds that the call took.",
        _INFERENCE,
        "",
        SPEED_BUCKETS,
        LENGTHS,
    ),
)
