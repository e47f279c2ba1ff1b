"""Trace ids for samples: the OpenTelemetry span that is recording now, if there is one.

This module does not import OpenTelemetry: if the program has not imported it, there are no traces.
Reading the current span costs more than recording a call, so callers check `tracing` at each
fold, and read `current` only while it is true.
"""

import sys
import time

from prometheus_client.samples import Exemplar

from mlmetrics.interruption import interrupted


def tracing() -> bool:
    """Whether the program has set a tracer provider."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return False
    try:
        return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    except Exception as error:  # a provider that cannot be loaded counts as none
        if interrupted(error):
            raise
        return False


def current(value: float) -> Exemplar | None:
    """Return an exemplar with this value and the ids of the span that is recording now; None if there is no span."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    span = trace.get_current_span()
    context = span.get_span_context()
    if not (span.is_recording() and context.is_valid):
        return None
    labels = {"span_id": f"{context.span_id:016x}", "trace_id": f"{context.trace_id:032x}"}
    return Exemplar(labels, value, round(time.time(), 3))
