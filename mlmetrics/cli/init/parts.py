"""Which parts of an operation each function, keyword and method of mlmetrics records, for who reads source."""

from mlmetrics.catalog import INFERENCE, MATCHING, PARSING
from mlmetrics.catalog.documents import SIZE
from mlmetrics.catalog.models import (
    BATCHES,
    CLASSES,
    COST,
    FEEDBACK,
    LOADING,
    PREDICTION_ERROR,
    PROVIDERS,
    QUEUE,
    REASONING,
    STREAMS,
    TOKENS,
)
from mlmetrics.catalog.operation import SCORE
from mlmetrics.catalog.surroundings import CACHE, FALLBACKS, FINISH, GUARDRAILS, LENGTHS, RATE_LIMITS, RETRIES
from mlmetrics.cli.init.reading.recording import RETRYING, SDKS, TIMERS, TRACKING

OPTIONAL = "confidence"
"""What `track_parsing` reads by default."""
KEYWORDS = {
    "score": (SCORE,),
    "usage": (TOKENS, COST, LENGTHS),
    "predicted_class": (CLASSES,),
    "size": (SIZE,),
    "accuracy": (SCORE,),
}
"""The keywords of decorators, and the parts that are recorded by them."""
METHODS = {
    "batch": (BATCHES,),
    "blocked": (GUARDRAILS,),
    "cached": (CACHE,),
    "cost": (COST,),
    "fell_back": (FALLBACKS,),
    "finish_reason": (FINISH,),
    "first_chunk": (STREAMS,),
    "predicted": (CLASSES,),
    "queued": (QUEUE,),
    "score": (SCORE,),
    "size": (SIZE,),
    "tokens": (TOKENS, LENGTHS),
    "waiting": (QUEUE,),
}
"""The methods of a call, and the parts that are recorded by them."""
DIRECT = {
    "track_parsing_accuracy": (PARSING, SCORE),
    "track_matching_score": (MATCHING, SCORE),
    "track_file_processing": (PARSING, SIZE),
    "model_load_timer": (INFERENCE, LOADING),
    "track_model_load": (INFERENCE, LOADING),
    "track_prediction": (INFERENCE, CLASSES),
    "track_feedback": (INFERENCE, FEEDBACK),
    "track_prediction_error": (INFERENCE, PREDICTION_ERROR),
}
"""The functions that record a part without a call."""
_OF_SDKS = (STREAMS, TOKENS, COST, LENGTHS, REASONING, PROVIDERS, RETRIES, RATE_LIMITS, FINISH)
_PREDICTIONS = (BATCHES, SCORE, CLASSES)
INSTRUMENTS = {
    **dict.fromkeys(SDKS, _OF_SDKS),
    **dict.fromkeys(RETRYING, (RETRIES,)),
    "instrument_langchain": (*_OF_SDKS, FALLBACKS),
    "instrument_litellm": (*_OF_SDKS, FALLBACKS),
    "instrument_sentence_transformers": (BATCHES,),
    "instrument_transformers": (STREAMS, TOKENS, LENGTHS, *_PREDICTIONS),
    "watch": _PREDICTIONS,
}
"""What is recorded of inferences by each instrument; whether a model classifies, only running it shows."""
WITH_CALL = {"track_ml_inference": "inference", "batch_job": "batch_job", **TRACKING, **TIMERS}
