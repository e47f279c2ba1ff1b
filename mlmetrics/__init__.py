"""Metrics for ML services: decorators, timers and middleware that feed Prometheus.

Every name is loaded when it is first asked for, from `default` or from monitoring: rendering
rules loads nothing that records, and a service nothing of monitoring.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlmetrics.version import __version__

if TYPE_CHECKING:
    from mlmetrics.default import (
        BoundCall,
        Call,
        ConfigurationError,
        Counter,
        DeclarationError,
        Gauge,
        Histogram,
        Instrumentation,
        JobRun,
        MissingExtraError,
        MLMetrics,
        MLMetricsError,
        OwnOperation,
        PrometheusMiddleware,
        RegistrationError,
        agent_timer,
        arg,
        batch_job,
        configure,
        counter,
        current_call,
        gauge,
        header,
        histogram,
        inference_timer,
        instrument,
        instrument_anthropic,
        instrument_google_genai,
        instrument_langchain,
        instrument_litellm,
        instrument_mistralai,
        instrument_openai,
        instrument_opentelemetry,
        instrument_sentence_transformers,
        instrument_stamina,
        instrument_tenacity,
        instrument_transformers,
        lifespan,
        matching_timer,
        metrics_app,
        metrics_endpoint,
        model_load_timer,
        operation,
        parsing_timer,
        push_metrics,
        start_metrics_server,
        tool_timer,
        track_agent,
        track_feedback,
        track_file_processing,
        track_inference,
        track_matching,
        track_matching_score,
        track_ml_inference,
        track_model_load,
        track_parsing,
        track_parsing_accuracy,
        track_prediction,
        track_prediction_error,
        track_tool,
        watch,
    )
    from mlmetrics.monitoring.rules.baseline import export_baseline

__all__ = [
    "BoundCall",
    "Call",
    "ConfigurationError",
    "Counter",
    "DeclarationError",
    "Gauge",
    "Histogram",
    "Instrumentation",
    "JobRun",
    "MLMetrics",
    "MLMetricsError",
    "MissingExtraError",
    "OwnOperation",
    "PrometheusMiddleware",
    "RegistrationError",
    "__version__",
    "agent_timer",
    "arg",
    "batch_job",
    "configure",
    "counter",
    "current_call",
    "export_baseline",
    "gauge",
    "header",
    "histogram",
    "inference_timer",
    "instrument",
    "instrument_anthropic",
    "instrument_google_genai",
    "instrument_langchain",
    "instrument_litellm",
    "instrument_mistralai",
    "instrument_openai",
    "instrument_opentelemetry",
    "instrument_sentence_transformers",
    "instrument_stamina",
    "instrument_tenacity",
    "instrument_transformers",
    "lifespan",
    "matching_timer",
    "metrics_app",
    "metrics_endpoint",
    "model_load_timer",
    "operation",
    "parsing_timer",
    "push_metrics",
    "start_metrics_server",
    "tool_timer",
    "track_agent",
    "track_feedback",
    "track_file_processing",
    "track_inference",
    "track_matching",
    "track_matching_score",
    "track_ml_inference",
    "track_model_load",
    "track_parsing",
    "track_parsing_accuracy",
    "track_prediction",
    "track_prediction_error",
    "track_tool",
    "watch",
]

ELSEWHERE = {"export_baseline": ".monitoring.rules.baseline"}
"""The names that are not in `default`, with their modules."""


def __getattr__(name: str) -> Any:
    """Load what a public name stands for, and keep it: the next time it is an ordinary attribute."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(ELSEWHERE.get(name, ".default"), __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the names that are loaded, and those that will be when they are asked for."""
    return sorted({*globals(), *__all__})
