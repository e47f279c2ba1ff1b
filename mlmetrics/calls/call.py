"""One call as users see it: what a timer yields, and what is said of a call while it runs."""

from typing import Any, ClassVar

from mlmetrics.calls.measured import Measured
from mlmetrics.calls.measures import number
from mlmetrics.calls.money import record_cost
from mlmetrics.calls.operation import BOTH, ENDED, KEPT, TOLD, CallSeries
from mlmetrics.calls.outcome import CANCELLED, end_as, succeeded
from mlmetrics.calls.saying import Kept, Record, Saying, record_kept, said_after
from mlmetrics.calls.surroundings import record_exhausted
from mlmetrics.calls.tokens import MOST_TOKENS, checked_tokens, record_tokens
from mlmetrics.catalog import TOKEN_TYPES
from mlmetrics.catalog.models import COST, TOKENS
from mlmetrics.recording.series import BOUND


class Call(Measured):
    """One run of an operation; a timer yields it.

    No method raises: what cannot be recorded is counted in
    `mlmetrics_recording_errors_total{where}` and logged once. What is said of a call is recorded when the call ends,
    by the labels that it has then; of one that says more than a thousand things, the earlier ones sooner.
    """

    __slots__ = (
        *("_answer", "_first_chunk_seen", "_kept", "_prompt", "_saying", "_seconds", "_series", "_start", "spot"),
        "state",
    )
    droppable: ClassVar[type["Call"]]
    _prompt: int
    _answer: int
    _kept: Kept

    def __init__(self, series: CallSeries) -> None:
        self._series = series
        # None: not begun; True: running, and its exit may take the fast path; False: running; others: see `operation`.
        # The other slots are set only when they are needed, because a timer is made for every block.
        self.state: bool | float | str | None = None

    def begin(self) -> None:
        """Start the clock, unless it runs or has run already."""
        if self.state is None:
            self.state = False
            self._start = self._series.clock()
            self._series.begin(self)

    def let_go(self) -> None:
        """Note that no series holds the call: if it is garbage collected before it ends, it counts as cancelled."""
        if not isinstance(self, Droppable):
            self.__class__ = self.droppable

    def end(self, error: BaseException | None = None) -> None:
        """Stop the clock and record the outcome: what the user set, else that of the exception, else success."""
        if self.state is None or self.state is ENDED:
            return
        self._hold()
        series: CallSeries = self._series
        # An attribute that is missing is found slowly, so it is asked for only where a call may have one.
        if series.store.host is not None and series.spot is not getattr(self, "spot", None):
            self.state = ENDED  # it began in the process that this one was forked from, which records it
            return
        self._seconds = seconds = series.clock() - self._start
        self.state = ENDED
        saying: Saying | None = getattr(self, "_saying", None)
        ending = series if saying is None else saying.ending(series)
        verdict = None if saying is None else saying.verdict
        failed = False
        if verdict is None and error is None:
            self._succeed(ending, seconds)
        else:
            failed = end_as(ending, verdict, error, seconds, self._start + seconds)
        if saying is not None:
            if failed and saying.fell_back:
                record_exhausted(saying.counted_on or series)
            saying.settle(saying.counted_on or series, seconds)
        elif hasattr(self, "_kept"):
            record_kept(series, self._kept)

    def _succeed(self, series: CallSeries, seconds: float) -> None:
        succeeded(series, seconds, self._start + seconds)

    @property
    def duration(self) -> float:
        """Seconds since the call began; after its end, the seconds that it took."""
        if self.state is ENDED:
            return self._seconds
        return 0.0 if self.state is None else self._series.clock() - self._start

    def fail(self, error_type: str = "error") -> None:
        """Make the call a failure of this type, even if nothing is raised.

        Metrics: `*_total{outcome="failure"}`, `*_errors_total{error_type}`.
        """
        self._say(error_type if isinstance(error_type, str) and error_type != CANCELLED else "error")

    def cancel(self) -> None:
        """Make the call cancelled: its caller no longer wants the result. Metrics: `*_total{outcome="cancelled"}`."""
        self._say(CANCELLED)

    def _say(self, verdict: str) -> None:
        self._said().verdict = verdict

    def label(self, /, **labels: str) -> None:
        """Count the call by other labels, known only while it runs, such as the model that answered.

        It stays in progress by the labels that it began with. All else that is recorded of it takes these: its outcome
        and its duration, and what was said of it before. A label may be given again; the last value counts. A name that
        is no label of the operation, and a value that is no text, are counted as mistakes, and change nothing.

        Args:
            **labels: values by the names of the operation's labels, such as `model`; limited as all labels are.

        Metrics: those of the call; `mlmetrics_recording_errors_total{where="label"}`.

        Example:
            >>> from prometheus_client import CollectorRegistry
            >>> from mlmetrics import MLMetrics
            >>> metrics = MLMetrics(service="docs", registry=CollectorRegistry())
            >>> with metrics.inference_timer(model="router") as call:
            ...     call.label(model="small")
            >>> labels = {"service": "docs", "model": "small", "operation": "", "outcome": "success"}
            >>> metrics.registry.get_sample_value("ml_inference_total", labels)
            1.0
        """
        self._said().label(self._series, labels)

    def _said(self) -> Saying:
        """Return what takes what is said now; if the call does not run, that is recorded at once."""
        if self.state is True:
            # There is no call after the first one, so no signal handler says something in between.
            self._saying = Saying()
            self.state = False
            return self._saying
        if self.state is None:
            return said_after()
        saying: Saying | None = getattr(self, "_saying", None)
        if self.state is ENDED:
            return said_after(saying)
        self._hold()
        if saying is None:
            saying = self._saying = getattr(self, "_saying", None) or Saying()
            saying.kept = getattr(self, "_kept", None)
        return saying

    def _hold(self) -> None:
        """Have its end look at all that was said; the call may run, or may not have begun."""
        state = self.state
        self.state = False if state is not None else None  # first: a signal handler may raise meanwhile
        if state is TOLD or state is BOTH:
            saying = self._saying = Saying()
            saying.kept = getattr(self, "_kept", None)
            saying.spending().add({"input": self._prompt, "output": self._answer})

    def _keep(self, record: Record, value: Any) -> None:
        state = self.state
        if state is True or state is TOLD:
            self._kept = [(record, value)]
            self.state = KEPT if state is True else BOTH
        elif (state is KEPT or state is BOTH) and len(self._kept) < BOUND:
            self._kept.append((record, value))
        else:
            self._said().keep(self._series, record, value)

    @property
    def _counted_on(self) -> CallSeries:
        """The series that the call is counted on."""
        saying: Saying | None = getattr(self, "_saying", None)
        return self._series if saying is None else saying.counted_on or self._series

    def tokens(
        self,
        *,
        input: float | None = None,  # noqa: A002 (the word of every provider)
        output: float | None = None,
        cache_read: float | None = None,
        cache_write: float | None = None,
        reasoning: float | None = None,
        **unknown: Any,
    ) -> None:
        """Count tokens by type; none contains another, and None says nothing.

        Where prices are in use, the call costs what its tokens cost, unless `cost` says otherwise. At its end, the
        lengths of its prompt and its answer are recorded, and how fast the answer came.

        Args:
            input: tokens of the prompt.
            output: tokens of the answer.
            cache_read: tokens of the prompt that were read from the provider's cache.
            cache_write: tokens of the prompt that were written into it.
            reasoning: tokens of the answer that were spent on reasoning.
            **unknown: any other type is counted as a mistake.

        Metrics: `ml_inference_tokens_total`, `ml_inference_prompt_tokens`, `ml_inference_completion_tokens`,
        `ml_inference_output_tokens_per_second`, `ml_inference_cost_usd_total`, `ml_inference_unpriced_total`.
        """
        state = self.state
        if (
            (state is True or state is KEPT)
            and type(input) is int
            and type(output) is int  # type: ignore[unreachable]  # a float may be an int
            and input >= 0
            and output > 0
            and input <= MOST_TOKENS
            and output <= MOST_TOKENS
            and cache_read is None
            and cache_write is None
            and reasoning is None
            and not unknown
            and self._series.tokens is not None
            and self._series.tokens.pair is not None
        ):
            self._prompt, self._answer = input, output  # type: ignore[unreachable]  # as above
            # They are counted at the end of the call, or before anything else is said of it.
            self.state = TOLD if state is True else BOTH
        elif self._records(TOKENS, "tokens"):
            told = zip(TOKEN_TYPES, (input, cache_read, cache_write, output, reasoning), strict=True)
            tokens = checked_tokens(self._series.store, {**dict(told), **unknown})
            saying = self._said()
            if saying.over:
                record_tokens(self._counted_on, tokens)
            else:
                saying.spending().add(tokens)

    def cost(self, usd: float) -> None:
        """Add the cost of the call, in US dollars; it then counts instead of one computed from its tokens.

        Metrics: `ml_inference_cost_usd_total`.
        """
        if self._records(COST, "cost"):
            amount, saying = number(self._series.store, "cost", usd), self._said()
            if not saying.over:
                saying.spending().cost(amount)
            elif amount is not None:
                record_cost(self._counted_on, amount)

    def _note_fallback(self) -> None:
        self._said().fell_back = True


class Droppable:
    """A call that its series no longer holds: only these need a finalizer, which would slow down every call."""

    __slots__ = ()

    def __del__(self: Any) -> None:
        self.end(GeneratorExit())


class _DroppableCall(Droppable, Call):
    """A call that its series has let go."""

    __slots__ = ()


Call.droppable = _DroppableCall
