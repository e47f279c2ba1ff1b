"""What `import mlmetrics` offers of the runtime: its classes, and the functions of a default toolkit.

Apart from the package itself, which loads this when the first of the names is asked for.
"""

from mlmetrics.calls.call import Call
from mlmetrics.calls.ending import current_call
from mlmetrics.calls.labels import BoundCall, arg
from mlmetrics.calls.own import OwnOperation
from mlmetrics.errors import ConfigurationError, DeclarationError, MissingExtraError, MLMetricsError, RegistrationError
from mlmetrics.handle import Instrumentation
from mlmetrics.http.labels import header
from mlmetrics.http.middleware import PrometheusMiddleware
from mlmetrics.jobs.batch import JobRun
from mlmetrics.plain.verbs import Counter, Gauge, Histogram
from mlmetrics.recording.fallback import follow
from mlmetrics.toolkit import MLMetrics

_default = MLMetrics()
follow(lambda: _default.store)  # what names no registry, such as PrometheusMiddleware, goes with the functions below

agent_timer = _default.agent_timer
batch_job = _default.batch_job
configure = _default.configure
counter = _default.counter
gauge = _default.gauge
histogram = _default.histogram
inference_timer = _default.inference_timer
instrument = _default.instrument
instrument_anthropic = _default.instrument_anthropic
instrument_google_genai = _default.instrument_google_genai
instrument_langchain = _default.instrument_langchain
instrument_litellm = _default.instrument_litellm
instrument_mistralai = _default.instrument_mistralai
instrument_openai = _default.instrument_openai
instrument_opentelemetry = _default.instrument_opentelemetry
instrument_sentence_transformers = _default.instrument_sentence_transformers
instrument_stamina = _default.instrument_stamina
instrument_tenacity = _default.instrument_tenacity
instrument_transformers = _default.instrument_transformers
lifespan = _default.lifespan
matching_timer = _default.matching_timer
metrics_app = _default.metrics_app
metrics_endpoint = _default.metrics_endpoint
model_load_timer = _default.model_load_timer
operation = _default.operation
parsing_timer = _default.parsing_timer
push_metrics = _default.push_metrics
start_metrics_server = _default.start_metrics_server
tool_timer = _default.tool_timer
track_agent = _default.track_agent
track_feedback = _default.track_feedback
track_file_processing = _default.track_file_processing
track_inference = _default.track_inference
track_matching = _default.track_matching
track_matching_score = _default.track_matching_score
track_ml_inference = _default.track_ml_inference
track_model_load = _default.track_model_load
track_parsing = _default.track_parsing
track_parsing_accuracy = _default.track_parsing_accuracy
track_prediction = _default.track_prediction
track_prediction_error = _default.track_prediction_error
track_tool = _default.track_tool
watch = _default.watch

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
    "agent_timer",
    "arg",
    "batch_job",
    "configure",
    "counter",
    "current_call",
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
