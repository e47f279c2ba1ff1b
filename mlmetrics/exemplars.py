"""Trace ids for samples: the OpenTelemetry span that is recording now, if there is one.

OpenTelemetry is never imported from here: where nobody has imported it, nobody is
tracing. Asking for the current span costs more than a whole recording, so callers ask
`tracing` now and then (at a fold) and `current` only while that is so.
"""

import sys
import time

from prometheus_client.samples import Exemplar

from .interruption import interrupted


def tracing() -> bool:
    """Whether the program has set a tracer provider."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return False
    try:
        return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    except Exception as error:  # a provider that cannot be loaded is no provider
        if interrupted(error):
            raise
        return False


def current(value: float) -> Exemplar | None:
    """An exemplar of this value for the span that is recording now."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    span = trace.get_current_span()
    context = span.get_span_context()
    if not (span.is_recording() and context.is_valid):
        return None
    labels = {"span_id": f"{context.span_id:016x}", "trace_id": f"{context.trace_id:032x}"}
    return Exemplar(labels, value, round(time.time(), 3))
