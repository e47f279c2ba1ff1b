"""Metrics for ML services: decorators, timers and middleware that feed Prometheus."""

from typing import TYPE_CHECKING, Any

from .calls.call import Call
from .calls.labels import BoundCall, arg
from .errors import ConfigurationError, DeclarationError, MissingExtraError, MLMetricsError, RegistrationError
from .http.middleware import PrometheusMiddleware
from .recording.collector import follow
from .toolkit import MLMetrics
from .version import __version__

if TYPE_CHECKING:
    from .monitoring.rules.baseline import export_baseline

_default = MLMetrics()
follow(lambda: _default.store)  # what names no registry, such as PrometheusMiddleware, goes with the functions below

configure = _default.configure
inference_timer = _default.inference_timer
instrument = _default.instrument
matching_timer = _default.matching_timer
metrics_app = _default.metrics_app
metrics_endpoint = _default.metrics_endpoint
parsing_timer = _default.parsing_timer
push_metrics = _default.push_metrics
start_metrics_server = _default.start_metrics_server
track_file_processing = _default.track_file_processing
track_inference = _default.track_inference
track_matching = _default.track_matching
track_matching_score = _default.track_matching_score
track_ml_inference = _default.track_ml_inference
track_model_load = _default.track_model_load
track_parsing = _default.track_parsing
track_parsing_accuracy = _default.track_parsing_accuracy

__all__ = [
    "BoundCall",
    "Call",
    "ConfigurationError",
    "DeclarationError",
    "MLMetrics",
    "MLMetricsError",
    "MissingExtraError",
    "PrometheusMiddleware",
    "RegistrationError",
    "__version__",
    "arg",
    "configure",
    "export_baseline",
    "inference_timer",
    "instrument",
    "matching_timer",
    "metrics_app",
    "metrics_endpoint",
    "parsing_timer",
    "push_metrics",
    "start_metrics_server",
    "track_file_processing",
    "track_inference",
    "track_matching",
    "track_matching_score",
    "track_ml_inference",
    "track_model_load",
    "track_parsing",
    "track_parsing_accuracy",
]


def __getattr__(name: str) -> Any:
    """Import what belongs to monitoring when it is first asked for: services record, and never need it."""
    if name != "export_baseline":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .monitoring.rules.baseline import export_baseline  # noqa: PLC0415 (that is the point of it)

    return export_baseline
