"""Log events whose keys are the labels of the metrics, so that a series can be found from an event and back.

Logging is only configured when a program calls `configure_logging`. As long as a program
configures neither structlog nor logging, no event is written.
"""

import logging
import sys
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

import structlog

from mlmetrics.interruption import interrupted

NAME = "mlmetrics"
# Without any handler, the standard library writes warnings to standard error. The program
# decides whether and where events are written.
logging.getLogger(NAME).addHandler(logging.NullHandler())
_structured = structlog.get_logger(NAME)
# structlog without configuration prints to standard output, where a program may write its
# results. So until structlog is configured, events go to a logger of the standard library.
_standard = structlog.wrap_logger(
    logging.getLogger(NAME),
    processors=[structlog.contextvars.merge_contextvars, structlog.processors.KeyValueRenderer(key_order=["event"])],
    wrapper_class=structlog.stdlib.BoundLogger,
)


TAKEN = frozenset(
    {
        *("duration_seconds", "slow_seconds", "where", "problem", "metric", "label", "request_id"),
        *("event", "level", "timestamp", "logger", "exception", "exc_info", "stack_info", "extra", "stacklevel"),
        *("self", "method_name", "positional_args"),
    }
)
"""Fields of events, and arguments of loggers: a label of such a name has `label_` before it."""


class Failures(Protocol):
    """Where an event that could not be written is counted, which is the store of what it tells."""

    slow_seconds: float

    def failed(self, where: str, problem: object) -> None:
        """Count it."""


def logger() -> Any:
    """Return the logger of mlmetrics: structlog's if the program configured structlog, else the standard library's."""
    return _structured if structlog.is_configured() else _standard


def heard() -> bool:
    """Whether the program has configured where events are written."""
    place: logging.Logger | None = logging.getLogger(NAME)
    handlers: list[logging.Handler] = []
    while place is not None:
        handlers += place.handlers
        place = place.parent if place.propagate else None
    return structlog.is_configured() or not all(isinstance(handler, logging.NullHandler) for handler in handlers)


def fields_of(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a series as fields of an event."""
    return {f"label_{name}" if name in TAKEN else name: value for name, value in labels.items()}


def call_failed(store: Failures, operation: str, labels: Mapping[str, str], error_type: str, seconds: float) -> None:
    """Log `<operation>.failed`, such as `inference.failed`."""
    emit(
        store,
        "warning",
        f"{operation}.failed",
        {**fields_of(labels), "error_type": error_type, "duration_seconds": seconds},
    )


def call_slow(store: Failures, operation: str, labels: Mapping[str, str], seconds: float) -> None:
    """Log `<operation>.slow`, such as `inference.slow`: the call took longer than `slow_seconds`."""
    slow = {"duration_seconds": seconds, "slow_seconds": store.slow_seconds}
    emit(store, "warning", f"{operation}.slow", {**fields_of(labels), **slow})


def emit(store: Failures, level: str, event: str, fields: Mapping[str, object]) -> None:
    """Log one event; what the logger raises is counted and does not reach the user's call."""
    try:
        getattr(logger(), level)(event, **fields)
    except Exception as error:  # processors are the user's code
        if interrupted(error):
            raise
        store.failed("log", error)


def configure_logging(level: int | str = logging.INFO, stream: TextIO | None = None) -> None:
    """Send structlog and standard logging to one stream as JSON lines, for log stores such as ELK and Loki.

    Each line has `timestamp` (ISO 8601, UTC), `level`, `event`, and the bound context, such as
    the `request_id` of the current request.

    Args:
        level: the lowest level that is written.
        stream: the stream to write to; standard output by default.

    Example:
        >>> import io
        >>> lines = io.StringIO()
        >>> configure_logging(stream=lines)
        >>> structlog.get_logger().info("model.loaded", model="gpt-4")
        >>> '"event": "model.loaded"' in lines.getvalue()
        True
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.dict_tracebacks,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(default=str),
        ],
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
