"""The end of a call of which its answer, or the code within it, has said something: what was said counts first."""

from mlmetrics.calls.answers import Answer
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.outcome import end_as, is_cancellation
from mlmetrics.calls.results import After, read_nothing
from mlmetrics.calls.saying import Saying
from mlmetrics.calls.surroundings import record_exhausted


def end_answered(  # noqa: PLR0917 (what is known of a call at its end)
    series: CallSeries,
    start: float,
    error: BaseException | None,
    seconds: float,
    answer: Answer | None,
    saying: Saying | None,
) -> None:
    """End a call of which its answer or the code within it may have said something.

    What the code said counts first, then what the call raised. An error inside the answer makes a failure
    of a call that raised nothing, and also of one that was left afterwards.
    """
    verdict = None if saying is None else saying.verdict
    if verdict is None and answer is not None and (error is None or is_cancellation(error)):
        verdict = answer.said.failure
    ended = series if saying is None else saying.ending(series)
    counted_on = series if saying is None else saying.counted_on or series
    failed = end_as(ended, verdict, error, seconds, start + seconds)
    if answer is not None:
        answer.count_on(counted_on)
        answer.record(start, seconds, complete=error is None, saying=saying)
    if saying is not None:
        if failed and saying.fell_back:
            record_exhausted(counted_on)
        saying.settle(counted_on, seconds)


def after_on(after: After, series: CallSeries, saying: Saying | None) -> After:
    """Return what reads the result of a call on the series that the call is counted on, whichever it is given."""
    counted_on = None if saying is None else saying.counted_on
    if counted_on is None or counted_on is series:
        return after
    return lambda _series, result, seconds: after(counted_on, result, seconds)


class Told:
    """The end of a call whose result, or whose code, says more than that it is over; `after` reads the result then."""

    __slots__ = ("_answer", "_ended", "_saying", "_seconds", "_series", "_start", "after")

    def __init__(  # noqa: PLR0917 (what is known of a call at its end)
        self,
        series: CallSeries,
        start: float,
        seconds: float,
        answer: Answer | None,
        saying: Saying | None,
        after: After | None,
    ) -> None:
        self.after = read_nothing if after is None else after_on(after, series, saying)
        self._series = series
        self._start = start
        self._seconds = seconds
        self._answer = answer
        self._saying = saying
        self._ended = False

    def end(self) -> None:
        """End the call, once."""
        if not self._ended:
            self._ended = True
            end_answered(self._series, self._start, None, self._seconds, self._answer, self._saying)

    def __del__(self) -> None:
        self.end()  # a signal handler may have raised before it was called
