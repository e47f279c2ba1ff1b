"""A block in which a call waits for its model: how many wait now, and how long it took."""

import os
from collections.abc import Callable
from types import TracebackType

from mlmetrics.calls.operation import CallSeries
from mlmetrics.recording.series import BOUND

MORE, LESS = (1.0,), (-1.0,)
"""Changes of a gauge."""


class Waiting:
    """A block, `with` or `async with`, that waits until it is left, whatever its end.

    A forked process that leaves a block of its parent records nothing: the parent does. A block that is dropped
    ends too. Without a series it records nothing.
    """

    __slots__ = ("_process", "_record", "_series", "_start", "_waits")

    def __init__(self, series: CallSeries | None, record: Callable[[float], object] = id) -> None:
        self._series = series
        self._record = record
        self._waits = False

    def __enter__(self) -> None:
        series = self._series
        if series is not None and not self._waits:
            gauge = series.store.running(f"{series.operation.prefix}_waiting", series.labels)
            self._process = os.getpid()
            self._start = series.clock()
            self._waits = True  # nothing comes between this and the change: a signal handler may raise after it
            gauge.record(MORE)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        # `__init__` may have been interrupted before it began.
        if not getattr(self, "_waits", False) or (series := self._series) is None:
            return
        if self._process != os.getpid():
            self._waits = False
            return
        store, prefix = series.store, series.operation.prefix
        gauge = store.running(f"{prefix}_waiting", series.labels)
        seconds = max(series.clock() - self._start, 0.0)
        self._waits = False  # nothing comes between this and the change, as above
        gauge.record(LESS)
        if len(gauge.pending) > BOUND:
            store.fold(gauge)
        self._record(seconds)

    def __del__(self) -> None:
        self._end()
