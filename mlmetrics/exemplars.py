"""Trace ids for samples: of the OpenTelemetry span that is recording now, or of what the program's own tracer tells.

This module does not import OpenTelemetry: if the program has not imported it, there are no spans of it. The current
span is that of its context, whichever provider made it. Reading it costs more than recording a call, so it is read only
where there are traces: callers check `tracing` at each fold. A provider that is not the global one is found by looking
for a span, which the first call of a series does, and the next one after each scrape, where it is `possible`.
"""

import inspect
import re
import sys
import time
from collections.abc import Callable

from prometheus_client.samples import Exemplar

from mlmetrics.errors import name_of_type
from mlmetrics.interruption import interrupted

TraceIds = Callable[[], tuple[str, str] | str | None]
"""Returns the ids of the current trace and of its span, or that of the trace alone; None if there is no trace."""
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,50}")
"""Both ids with their names must fit into the 128 characters that OpenMetrics allows."""


def is_source(function: object) -> bool:
    """Whether something can be called without arguments, and is no coroutine function."""
    if not callable(function) or inspect.iscoroutinefunction(function):
        return False
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError) as error:
        if interrupted(error):
            raise
        return isinstance(error, ValueError)  # a builtin that does not tell its arguments
    return True


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


def possible() -> bool:
    """Whether there may be spans, though the program has set no tracer provider."""
    return "opentelemetry.trace" in sys.modules


def current(value: float, trace_ids: TraceIds | None = None) -> Exemplar | None:
    """Return an exemplar with this value and the ids of the current trace; None if there is none.

    Args:
        value: the number that it is for.
        trace_ids: what tells the ids; by default they are those of the span that is recording now.

    Raises:
        ValueError: it tells something else.
        Exception: whatever the tracer raises.
    """
    labels = _of_span() if trace_ids is None else _checked(trace_ids())
    return None if labels is None else Exemplar(labels, value, round(time.time(), 3))


def _of_span() -> dict[str, str] | None:
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    span = trace.get_current_span()
    context = span.get_span_context()
    if not (span.is_recording() and context.is_valid):
        return None
    return {"span_id": f"{context.span_id:016x}", "trace_id": f"{context.trace_id:032x}"}


def _checked(told: object) -> dict[str, str] | None:
    """Return the labels for what the program's tracer told, which may be anything."""
    if told is None:
        return None
    ids = told if type(told) is tuple else (told,)
    labels = dict(zip(("trace_id", "span_id"), ids, strict=False))
    if not labels or len(labels) != len(ids) or not all(type(each) is str and _ID.fullmatch(each) for each in ids):
        raise ValueError(
            f"trace_ids returned a {name_of_type(type(told))} that is none of: (trace id, span id), a trace id, None; "
            "ids are texts of at most 50 letters, digits and _.:-"
        )
    return dict(sorted(labels.items()))
