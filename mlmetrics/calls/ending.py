"""The end of a call of a wrapper, and the call that code within it can reach.

`current_call` finds the wrapper among the frames of its caller, so a call that nobody asks for pays nothing for it.
"""

import sys
import threading
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

from mlmetrics.calls import iteration
from mlmetrics.calls.call import Call
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.outcome import raised, slow_path
from mlmetrics.calls.runs import Run
from mlmetrics.calls.saying import Record, Saying, said_after
from mlmetrics.calls.templates import OWN, WRAPPER
from mlmetrics.calls.told import Told, end_answered
from mlmetrics.calls.unfinished import UnfinishedResults
from mlmetrics.calls.waiting import Waiting
from mlmetrics.recording.fallback import default_store

if TYPE_CHECKING:
    from collections.abc import Callable

_saying = threading.RLock()
ENDS = frozenset({f"{OWN}seconds", f"{OWN}now"})
"""Variables that a wrapper sets when its function has returned, or raised."""
_NO_TYPES: frozenset[type] = frozenset()


class Ending:
    """What a wrapper needs when a call ends, in one cell of its closure, because each cell slows down every call.

    While the code of a call has something to say of it, no type of result is plain, so that every call of this
    wrapper asks what was said; and `raised` is a method that asks.
    """

    __slots__ = ("_results", "_sayings", "exception", "plain", "raised", "slow_path")

    RecursionError = RecursionError
    Told = Told

    def __init__(self, results: UnfinishedResults) -> None:
        self._results = results
        self._sayings: dict[FrameType, Saying] = {}
        # Slots are found faster than attributes of the class.
        self.plain: Any = results.plain
        self.raised: Callable[[CallSeries, BaseException, float, float], object] = raised
        self.slow_path = slow_path
        self.exception = sys.exception

    def __reduce__(self) -> tuple[Any, ...]:
        return Ending, (self._results,)

    def told(self, series: CallSeries, start: float, seconds: float, result: Any) -> Any:
        """Return what replaces the result if the call is still running, else how it ends; None for a plain success."""
        saying = self._said(sys._getframe(1)) if self._sayings else None  # noqa: SLF001 (the frame of the wrapper)
        return self._results.told(series, start, seconds, result, saying)

    def _raised(self, series: CallSeries, error: BaseException, seconds: float, now: float) -> None:
        """End a call that raised, while there are calls of which something was said."""
        saying = self._said(sys._getframe(1))  # noqa: SLF001 (as above)
        if saying is None:
            raised(series, error, seconds, now)
        else:
            end_answered(series, now - seconds, error, seconds, None, saying)

    def saying(self, frame: FrameType) -> Saying:
        """Return what is said of the call whose wrapper runs in this frame; recorded at once if the call is over."""
        if not ENDS.isdisjoint(frame.f_locals):
            return said_after()
        with _saying:
            found = self._sayings.setdefault(frame, Saying())
            self.plain = _NO_TYPES
            self.raised = self._raised
        return found

    def _said(self, frame: FrameType) -> Saying | None:
        with _saying:
            found = self._sayings.pop(frame, None)
            if not self._sayings:
                self.plain = self._results.plain
                self.raised = raised
        return found


class CurrentCall(Call):
    """The call of a decorated function, as the code within it reaches it."""

    __slots__ = ("_find",)

    def __init__(self, series: CallSeries, start: float, find: "Callable[[], Saying]") -> None:
        super().__init__(series)
        self._start = start
        self._find = find  # what is said is only kept where something is
        self.state = False

    def _said(self) -> Saying:
        saying: Saying | None = getattr(self, "_saying", None)
        if saying is None:
            saying = self._saying = self._find()
        return saying

    def _is_first_chunk(self) -> bool:
        saying = self._said()
        is_first, saying.first_chunk = not saying.first_chunk, True
        return is_first

    def _keep(self, record: Record, value: Any) -> None:
        self._said().keep(self._series, record, value)

    def begin(self) -> None:
        """Do nothing: the wrapper begins it."""

    def end(self, error: BaseException | None = None) -> None:
        """Do nothing: the wrapper ends it."""


def current_call() -> Call:
    """Return the call of the innermost decorated function, generator or coroutine that runs here.

    It is found from the frames of the caller, so it also works in functions that a decorated one calls; not in other
    threads and tasks. Outside of any call, what is said is counted in `mlmetrics_recording_errors_total` and logged.

    Metrics: those of the `Call`'s methods.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 (there is no public way)
    while frame is not None:
        found = _call_in(frame)
        if found is not None:
            return found
        frame = frame.f_back
    return NO_CALL


def _call_in(frame: FrameType) -> Call | None:
    """Return the call whose wrapper, or the step of whose stand-in, runs in this frame."""
    code = frame.f_code
    if code.co_filename.startswith(WRAPPER):
        found, run = frame.f_locals, frame.f_locals.get(f"{OWN}run")
    elif frame.f_globals.get("__name__") == iteration.__name__:
        found, run = {}, frame.f_locals.get("progress")
    else:
        return None
    if isinstance(run, Run):
        return CurrentCall(run.series, run.start, run.said)
    start = found.get(f"{OWN}start")
    if start is None:
        return None  # it has not begun: a label is computed, or an argument measured
    return CurrentCall(found[f"{OWN}series"], start, partial(found[f"{OWN}ending"].saying, frame))


def _nowhere(_self: object, *_said: object, **_more: object) -> None:
    default_store().failed("current_call", "no decorated function, generator or coroutine runs here")


def _waiting_nowhere(_self: object) -> Waiting:
    _nowhere(_self)
    return Waiting(None)


class _NoCall(Call):
    """What `current_call` returns outside of any call."""

    __slots__ = ()
    fail = cancel = label = tokens = cost = score = predicted = size = first_chunk = cast("Any", _nowhere)
    batch = queued = cast("Any", _nowhere)
    cached = fell_back = blocked = finish_reason = cast("Any", _nowhere)
    waiting = cast("Any", _waiting_nowhere)
    duration = cast("Any", 0.0)


NO_CALL: Call = object.__new__(_NoCall)
