"""Inference: the calls of models, and what is known of the models themselves and of their predictions."""

from mlmetrics.catalog.metric import (
    BATCH_BUCKETS,
    CHUNK_INTERVAL_BUCKETS_SECONDS,
    FIRST_CHUNK_BUCKETS_SECONDS,
    PREDICTION_ERROR_BUCKETS,
    QUEUE_BUCKETS_SECONDS,
    SCORE_BUCKETS,
    Metric,
)
from mlmetrics.catalog.operation import SCORE, Operation
from mlmetrics.catalog.surroundings import SURROUNDINGS

STREAMS, TOKENS, COST, BATCHES, QUEUE, LOADING = "streams", "tokens", "cost", "batches", "queue", "loading"
REASONING, PROVIDERS = "reasoning", "providers"
CLASSES, FEEDBACK, PREDICTION_ERROR = "classes", "feedback", "prediction_error"
TOKEN_TYPES = ("input", "cache_read", "cache_write", "output", "reasoning")
VERDICTS = ("good", "bad")

_LABELS = ("model", "operation")
_INFERENCE = ("service", *_LABELS)
_MODEL = ("service", "model")

INFERENCE = Operation(
    "inference",
    _LABELS,
    "model",
    score=Metric(
        "ml_inference_score",
        "histogram",
        "Scores (confidence) of the models' results, 0 to 1.",
        _INFERENCE,
        "",
        SCORE_BUCKETS,
        SCORE,
    ),
    more=(
        Metric(
            "ml_inference_first_chunk_seconds",
            "histogram",
            "Streams: time to the first chunk with content (token) of the answer.",
            _INFERENCE,
            "seconds",
            FIRST_CHUNK_BUCKETS_SECONDS,
            STREAMS,
        ),
        Metric(
            "ml_inference_chunk_interval_seconds",
            "histogram",
            "Streams: time between one chunk with content and the next.",
            _INFERENCE,
            "seconds",
            CHUNK_INTERVAL_BUCKETS_SECONDS,
            STREAMS,
        ),
        Metric(
            "ml_inference_first_reasoning_seconds",
            "histogram",
            "Streams: time to the first chunk of the reasoning, where a model sends its reasoning.",
            _INFERENCE,
            "seconds",
            FIRST_CHUNK_BUCKETS_SECONDS,
            REASONING,
        ),
        Metric(
            "ml_inference_tokens_total",
            "counter",
            "Tokens by type; the types are additive.",
            (*_INFERENCE, "token_type"),
            part=TOKENS,
        ),
        Metric(
            "ml_inference_cost_usd_total",
            "counter",
            "Cost of the calls in US dollars.",
            _INFERENCE,
            "usd",
            part=COST,
        ),
        Metric(
            "ml_inference_usage_missing_total",
            "counter",
            "Calls whose answer should have said how many tokens it took, and did not.",
            _INFERENCE,
            part=TOKENS,
        ),
        Metric(
            "ml_inference_unpriced_total",
            "counter",
            "Calls whose tokens are known and whose price is not.",
            _INFERENCE,
            part=COST,
        ),
        Metric(
            "ml_inference_response_model_info",
            "gauge",
            "1 for each provider that answered, and the model that it says has answered.",
            (*_MODEL, "provider", "response_model"),
            part=PROVIDERS,
        ),
        Metric(
            "ml_inference_batch_size",
            "histogram",
            "Items handled by one call.",
            _INFERENCE,
            "",
            BATCH_BUCKETS,
            BATCHES,
        ),
        Metric(
            "ml_inference_queue_duration_seconds",
            "histogram",
            "Time that a call waited before its model began.",
            _INFERENCE,
            "seconds",
            QUEUE_BUCKETS_SECONDS,
            QUEUE,
        ),
        Metric(
            "ml_inference_waiting",
            "gauge",
            "Calls that wait for their model now.",
            _INFERENCE,
            part=QUEUE,
            multiprocess_mode="livesum",
        ),
        *SURROUNDINGS,
        Metric(
            "ml_model_load_total",
            "counter",
            "Finished loads of the model by outcome.",
            (*_MODEL, "outcome"),
            part=LOADING,
        ),
        Metric(
            "ml_model_load_duration_seconds",
            "gauge",
            "Time that the last load of the model took.",
            _MODEL,
            "seconds",
            part=LOADING,
        ),
        Metric(
            "ml_model_info",
            "gauge",
            "1 for each model and version that is loaded.",
            (*_MODEL, "version"),
            part=LOADING,
        ),
        Metric(
            "ml_prediction_total",
            "counter",
            "Predictions by class.",
            (*_MODEL, "predicted_class"),
            part=CLASSES,
        ),
        Metric(
            "ml_feedback_total",
            "counter",
            "What users, or a truth that is known later, said of the models' results.",
            (*_MODEL, "verdict"),
            part=FEEDBACK,
        ),
        Metric(
            "ml_prediction_error",
            "histogram",
            "Absolute error of predicted numbers, once the true number is known.",
            _MODEL,
            "",
            PREDICTION_ERROR_BUCKETS,
            PREDICTION_ERROR,
        ),
    ),
)
