"""Calls that outlive their function, such as streams: each begins once, and ends once with one outcome."""

from collections.abc import Callable
from typing import Any, Self

from mlmetrics.calls.answers import Answer, only_content
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.outcome import end_as
from mlmetrics.calls.saying import Saying, said_after
from mlmetrics.calls.told import end_answered
from mlmetrics.catalog.models import STREAMS
from mlmetrics.recording.series import BOUND, NumberSeries
from mlmetrics.responses.said import ANSWER, REASONING, Hear


class Run:
    """A call that outlives its function; begins and ends once. Garbage collection counts as cancelled.

    `answer` reads what its answer says, if anything does; `saying` is what code within the call has said of it.
    """

    __slots__ = ("_begun", "_ended", "_series", "_spot", "_start", "answer", "saying")

    def __init__(
        self, series: CallSeries, start: float, answer: Answer | None = None, *, started: bool = False
    ) -> None:
        self._series = series
        self._start = start
        self._begun = started
        self._ended = False
        self._spot = series.spot
        self.answer = answer
        self.saying: Saying | None = None

    def begin(self) -> None:
        """Begin the call, if it has not begun."""
        if not self._begun:
            self._begun = True
            self._series.begin(None)
            self._spot = self._series.spot

    @property
    def series(self) -> CallSeries:
        """Its series."""
        return self._series

    @property
    def counted_on(self) -> CallSeries:
        """The series that it is counted on, which may be another one than it began on."""
        return self._series if self.saying is None else self.saying.counted_on or self._series

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._ended

    @property
    def start(self) -> float:
        """When it was called."""
        return self._start

    def said(self) -> Saying:
        """Return what is to be said of it by the code within it."""
        if self.saying is None:
            self.saying = said_after() if self._ended else Saying()
        return self.saying

    @property
    def seconds(self) -> float:
        """Seconds since it was called."""
        return self._series.clock() - self._start

    def end(self, error: BaseException | None = None, seconds: float | None = None) -> None:
        """End the call, with its error if it raised; only the first end counts, and only if the call has begun."""
        if not self._begun or self._ended:
            return
        seconds = self.seconds if seconds is None else seconds
        self._ended = True
        if self._series.spot is not self._spot:
            return  # it began in the process that this one was forked from, which records it
        if self.answer is None and self.saying is None:
            end_as(self._series, None, error, seconds, self._start + seconds)
        else:
            end_answered(self._series, self._start, error, seconds, self.answer, self.saying)
        self.tell_chunks()

    def tell_chunks(self) -> None:
        """Record what is kept of its chunks; most runs have none."""

    def disown(self) -> bool:
        """Record nothing of it from now on; False if it has been recorded."""
        recorded, self._ended = self._ended, True
        return not recorded

    def leave(self) -> None:
        """End the call as cancelled: its consumer stopped early."""
        self.end(GeneratorExit())

    def __del__(self) -> None:
        if self._begun and not self._ended:
            self.leave()


class Chunks:
    """The first chunk of a stream with content, and the gaps between those; a part of runs."""

    __slots__ = ()
    SLOTS = ("_answered", "_gap", "_gaps", "_kept", "_record_first")
    """The slots of a run that has chunks; Python lets only one of several bases have any."""
    answer: Answer | None
    counted_on: CallSeries
    _answered: bool
    _gap: Callable[[float], object]
    _gaps: NumberSeries
    _kept: "KeptChunks | None"
    _record_first: Callable[[float], object]
    _series: CallSeries
    _start: float

    def record_chunks(self, stream: bool | None = None) -> Self:  # noqa: FBT001 (as the user said it)
        """Find the series of its chunks, which are recorded as they come; returns itself."""
        self._answered = False  # type: ignore[misc]  # the slot is that of each kind
        self._kept = None  # type: ignore[misc]  # as above
        self._record_first, self._gaps, self._gap = chunk_recorders(self.counted_on, stream)  # type: ignore[misc]  # as above
        return self

    def keep_chunks(self, kept: "KeptChunks") -> Self:
        """Keep its chunks until it ends, because the code of its steps may give it other labels; returns itself."""
        self._answered = False  # type: ignore[misc]  # as above
        self._kept = self._gaps = kept  # type: ignore[misc]  # as above
        self._record_first = kept.record_first
        self._gap = kept.record
        return self

    def tell_chunks(self) -> None:
        """Record what is kept of its chunks, by the labels that it has by now."""
        kept = getattr(self, "_kept", None)  # a call of a provider that is no stream has no chunks
        if kept is not None:
            kept.release(self.counted_on)

    def hear(self, item: Any, last: float | None) -> tuple[type | None, float | None]:
        """Read a chunk, and record its time if it has content.

        Returns its type if the next chunks of it need not be read, and when the last one with content came.
        """
        answer: Any = self.answer
        kind = type(item)
        content = ANSWER if kind in answer.silent else answer.chunk(item)
        last = self.timed(content, last) if content else last
        return kind if kind in answer.silent and self._answered else None, last

    def listen(self, item: Any, last: float | None) -> tuple[type | None, Hear, float | None]:
        """Read a chunk, as `hear` does, and say what reads the next ones of its type in less time.

        Returns that type, or None, and what reads its chunks, and when the last one with content came.
        """
        answer = self.answer
        if answer is None:
            last = self.timed(ANSWER, last)
            return type(item), only_content, last
        _, last = self.hear(item, last)
        quick = answer.quick(type(item)) if self._answered else None
        return (None, only_content, last) if quick is None else (type(item), quick, last)

    @property
    def gaps(self) -> tuple[Callable[[float], object], NumberSeries]:
        """What records a gap, and the series of gaps."""
        return self._gap, self._gaps

    def timed(self, content: int, last: float | None) -> float:
        """Record that a chunk with content came now; return the time."""
        now = self._series.clock()
        if last is not None:
            self._gap(now - last)
            if len(self._gaps.pending) > BOUND:
                if self._kept is None:
                    self._series.store.fold(self._gaps)
                else:
                    self.tell_chunks()
        if not self._answered:
            self._first(content, now - self._start, last)
        return now

    def _first(self, content: int, seconds: float, last: float | None) -> None:
        if content != REASONING:
            self._answered = True  # type: ignore[misc]  # as above
            self._record_first(seconds)
        elif last is None and STREAMS in self._series.operation.parts:
            name = f"{self._series.operation.prefix}_first_reasoning_seconds"
            if self._kept is None:
                self._series.store.record(self._series.histogram(name), seconds)
            else:
                self._kept.first.append((name, seconds))


class StreamRun(Chunks, Run):
    """A stream as a call."""

    __slots__ = Chunks.SLOTS


class KeptChunks:
    """The first chunk of a stream and the gaps between its chunks, kept until it ends, or until they are many.

    Operations that have no metrics for them keep them as well, and nothing is recorded.
    """

    __slots__ = ("_gaps", "_series", "first", "pending", "record")

    def __init__(self, series: CallSeries, stream: bool | None = None) -> None:  # noqa: FBT001 (as the user said it)
        self.pending: list[float] = []
        self.record = self.pending.append
        self.first: list[tuple[str, float]] = []
        self._series = series
        self._gaps: Any = None
        if STREAMS in series.operation.parts and stream is not False:
            prefix = series.operation.prefix
            series.histogram(f"{prefix}_first_chunk_seconds")  # it stands at 0 from now on
            self._gaps = series.histogram(f"{prefix}_chunk_interval_seconds")

    def record_first(self, seconds: float) -> None:
        """Keep the time to the first chunk."""
        self.first.append((f"{self._series.operation.prefix}_first_chunk_seconds", seconds))

    def release(self, series: CallSeries) -> None:
        """Record what is kept on a series."""
        gaps = self._gaps
        if gaps is None:
            self.pending.clear()
            return
        store = series.store
        while self.first:
            name, seconds = self.first.pop()
            store.record(series.histogram(name), seconds)
        if self.pending:
            if series is not self._series:
                gaps = series.histogram(f"{series.operation.prefix}_chunk_interval_seconds")
            gaps.take(self.pending)
            if len(gaps.pending) > BOUND:
                store.fold(gaps)


def chunk_recorders(
    series: CallSeries,
    stream: bool | None = None,  # noqa: FBT001 (a template passes what the user said)
) -> tuple[Callable[[float], object], NumberSeries, Callable[[float], object]]:
    """Return the recorders of a stream's first chunk and gaps; most operations have no metrics for them."""
    if STREAMS not in series.operation.parts or stream is False:
        return _ignore, _UNUSED, _ignore
    prefix = series.operation.prefix
    first = series.histogram(f"{prefix}_first_chunk_seconds")
    gaps = series.histogram(f"{prefix}_chunk_interval_seconds")
    return lambda seconds: series.store.record(first, seconds), gaps, gaps.record


def _ignore(_seconds: float) -> None:
    """Record nothing."""


class _Unused:
    """The series of gaps that are not recorded: one for all streams, with nothing to fold."""

    record = staticmethod(_ignore)
    pending = ()


_UNUSED = _Unused()
