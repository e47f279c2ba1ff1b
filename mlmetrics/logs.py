"""Log events whose keys are the labels of the metrics, so that a series can be found from an event and back.

Logging is only configured when a program calls `configure_logging`. As long as a program
configures neither structlog nor logging, no event is written.
"""

import logging
import math
import sys
from collections.abc import Hashable, Mapping
from typing import Any, Protocol, TextIO

import structlog

from mlmetrics.interruption import interrupted
from mlmetrics.switch import DISABLED

NAME = "mlmetrics"
INTERVAL_SECONDS = 10.0
"""The least time between two events of one kind, unless it is configured."""
MOST_KINDS = 64
"""The most kinds of events of one series that are limited one by one."""
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
        *("duration_seconds", "slow_seconds", "suppressed", "where", "problem", "metric", "label", "request_id"),
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


class Limited:
    """Events of one kind: how many there were, how many of them have been told, and when the next may be written.

    An event that is written tells itself and those that were not written since the last one. `count` changes by
    `count += 1.0` alone: CPython switches threads and runs signal handlers only at calls, at backward jumps and at the
    entry of a function, so nothing comes between reading and writing.
    """

    __slots__ = ("count", "due", "told")
    told: float

    def __init__(self) -> None:
        self.count = 0.0  # a float: adding to one is faster than to a large int
        self.forget()

    def forget(self) -> None:
        """Start anew in a forked child: what was not written before is for the parent to tell."""
        self.due = -math.inf
        self.told = self.count

    def another(self, now: float, interval_seconds: float) -> int | None:
        """Count an event, and answer as `turn`."""
        self.count += 1.0
        return self.turn(now, interval_seconds)

    def turn(self, now: float, interval_seconds: float) -> int | None:
        """Return how many events before this one were not written; None if this one is not to be written either.

        Args:
            now: the time, by the clock of the calls.
            interval_seconds: the least time between two events; 0 if every one is to be written.
        """
        if interval_seconds and now < self.due:  # the usual case in an outage, and all that it costs
            return None
        listening = heard()
        # There is no call from here on, so no other thread takes the same turn.
        suppressed = self.count - self.told - 1
        if not interval_seconds:
            self.told = self.count
            return 0 if listening else None
        if now < self.due or suppressed < 0:  # if negative, another thread has told this one as not written
            return None
        self.due = now + interval_seconds
        if not listening:
            return None
        self.told = self.count
        return round(suppressed)


class LimitedKinds:
    """Limited events by what tells them apart; once there are `MOST_KINDS`, all further kinds are limited together."""

    __slots__ = ("_kinds", "_others")

    def __init__(self) -> None:
        self._kinds: dict[Hashable, Limited] = {}
        self._others = Limited()

    def of(self, kind: Hashable) -> Limited:
        """Return the events of this kind."""
        found = self._kinds.get(kind)
        if found is None:
            found = self._kinds.setdefault(kind, Limited()) if len(self._kinds) < MOST_KINDS else self._others
        return found

    def forget(self) -> None:
        """Start anew in a forked child."""
        for each in (*self._kinds.values(), self._others):
            each.forget()


def fields_of(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a series as fields of an event."""
    return {f"label_{name}" if name in TAKEN else name: value for name, value in labels.items()}


def call_failed(  # noqa: PLR0917 (all of it is one event)
    store: Failures, operation: str, labels: Mapping[str, str], error_type: str, seconds: float, suppressed: int
) -> None:
    """Log `<operation>.failed`, such as `inference.failed`."""
    failure = {"error_type": error_type, "duration_seconds": seconds}
    emit(store, "warning", f"{operation}.failed", {**fields_of(labels), **failure, **left_out(suppressed)})


def call_slow(store: Failures, operation: str, labels: Mapping[str, str], seconds: float, suppressed: int) -> None:
    """Log `<operation>.slow`, such as `inference.slow`: the call took longer than `slow_seconds`."""
    slow = {"duration_seconds": seconds, "slow_seconds": store.slow_seconds}
    emit(store, "warning", f"{operation}.slow", {**fields_of(labels), **slow, **left_out(suppressed)})


def left_out(suppressed: int) -> dict[str, int]:
    """Return the field that says how many events like this one were not written since the last one; none if none."""
    return {"suppressed": suppressed} if suppressed else {}


def emit(store: Failures, level: str, event: str, fields: Mapping[str, object]) -> None:
    """Log one event; what the logger raises is counted and does not reach the user's call."""
    if DISABLED:
        return
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
