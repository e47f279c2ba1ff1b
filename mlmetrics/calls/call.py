"""One call as users see it: what a timer yields, and what is said of a call while it runs."""

from typing import Any, ClassVar

from mlmetrics.calls.measures import (
    MOST_BYTES,
    add_further,
    record_classes,
    record_further,
    record_score,
    record_size,
)
from mlmetrics.calls.money import Spent
from mlmetrics.calls.operation import ENDED, TOLD, CallSeries
from mlmetrics.calls.outcome import CANCELLED, end_as, succeeded
from mlmetrics.calls.surroundings import Surrounded, has, record_exhausted
from mlmetrics.calls.tokens import MOST_TOKENS, record_tokens
from mlmetrics.catalog import TOKEN_TYPES
from mlmetrics.catalog.models import BATCHES, CLASSES, COST, QUEUE, STREAMS, TOKENS
from mlmetrics.recording.series import BOUND


class Call(Surrounded):
    """One run of an operation; a timer yields it.

    No method raises: what cannot be recorded is counted in
    `mlmetrics_recording_errors_total{where}` and logged once.
    """

    __slots__ = (
        *("_answer", "_fell_back", "_first_chunk_seen", "_prompt", "_seconds", "_series", "_spent", "_start"),
        *("_verdict", "spot", "state"),
    )
    droppable: ClassVar[type["Call"]]
    _prompt: int
    _answer: int

    def __init__(self, series: CallSeries) -> None:
        self._series = series
        # None: not begun; True: running, and its exit may take the fast path; False: running; `TOLD`; `ENDED`.
        # The other slots are set only when they are needed, because a timer is made for every block.
        self.state: bool | float | None = None

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
        series, verdict = self._series, getattr(self, "_verdict", None)
        if series.spot is not getattr(self, "spot", None):
            self.state = ENDED  # it began in the process that this one was forked from, which records it
            return
        self._seconds = seconds = series.clock() - self._start
        self.state = ENDED
        if verdict is None and error is None:
            self._succeed(seconds)
        elif end_as(series, verdict, error, seconds, self._start + seconds) and hasattr(self, "_fell_back"):
            record_exhausted(series)
        if hasattr(self, "_spent"):
            self._spent.settle(series, seconds)

    def _succeed(self, seconds: float) -> None:
        succeeded(self._series, seconds, self._start + seconds)

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
        if self.state is not None and self.state is not ENDED:
            self._verdict = verdict
            self._hold()

    def _hold(self) -> None:
        """Have its end look at all that was said; the call may run, or may not have begun."""
        told = self.state is TOLD
        self.state = False if self.state is not None else None  # first: a signal handler may raise meanwhile
        if told:
            self._spent = Spent()
            self._spent.add(record_tokens(self._series, {"input": self._prompt, "output": self._answer}))

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
        if (
            self.state is True
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
            self.state = TOLD  # they are counted at the end of the call, or before anything else is said of it
        elif self._records(TOKENS, "tokens"):
            told = zip(TOKEN_TYPES, (input, cache_read, cache_write, output, reasoning), strict=True)
            known = {token_type: number for token_type, number in told if number is not None}
            self._spending().add(record_tokens(self._series, known | unknown))

    def cost(self, usd: float) -> None:
        """Add the cost of the call, in US dollars; it then counts instead of one computed from its tokens.

        Metrics: `ml_inference_cost_usd_total`.
        """
        if self._records(COST, "cost"):
            self._spending().costed = True
            add_further(self._series, "cost_usd_total", "cost", usd)

    def _spending(self) -> Spent:
        """Return what the call has spent; priced at its end."""
        if self.state is ENDED:
            return Spent()
        self._hold()
        if not hasattr(self, "_spent"):
            self._spent = Spent()
        return self._spent

    def score(self, score: float) -> None:
        """Record the score of the result, 0 to 1.

        Metrics: `parsing_accuracy_score` of a parsing, `matching_score_distribution` of a matching,
        `ml_<operation>_score` of the others.
        """
        scores = self._series.scores
        if type(score) is float and 0.0 <= score <= 1.0 and scores is not None:
            scores.record(score)
            if len(scores.pending) > BOUND:
                self._series.store.fold(scores)
        else:
            record_score(self._series, score)

    def predicted(self, predicted_class: object) -> None:
        """Count what the model predicted: a class, or a list of several. Metrics: `ml_prediction_total`."""
        if self._records(CLASSES, "prediction"):
            record_classes(self._series, predicted_class)

    def size(self, size_bytes: float, file_type: str | None = None) -> None:
        """Record the size of the file that the call works on, in bytes. Metrics: `file_processing_size_bytes`.

        Args:
            size_bytes: the size.
            file_type: the label; by default the `doc_type` of a parsing, else `unknown`.
        """
        sizes = self._series.sizes
        if file_type is None and type(size_bytes) is int and 0 <= size_bytes <= MOST_BYTES and sizes is not None:
            sizes.record(size_bytes)
            if len(sizes.pending) > BOUND:
                self._series.store.fold(sizes)
        else:
            record_size(self._series, size_bytes, file_type)

    def first_chunk(self) -> None:
        """Record the time to the first chunk; only once. Metrics: `ml_inference_first_chunk_seconds`."""
        if not hasattr(self, "_first_chunk_seen") and self._records(STREAMS, "first_chunk"):
            self._first_chunk_seen = True
            record_further(self._series, "first_chunk_seconds", "first_chunk", self.duration)

    def batch(self, items: int) -> None:
        """Record how many items the call handles. Metrics: `ml_inference_batch_size`."""
        if self._records(BATCHES, "batch"):
            record_further(self._series, "batch_size", "batch", items)

    def queued(self, seconds: float) -> None:
        """Record how many seconds the call waited for its model. Metrics: `ml_inference_queue_duration_seconds`."""
        if self._records(QUEUE, "queued"):
            record_further(self._series, "queue_duration_seconds", "queued", seconds)

    def _note_fallback(self) -> None:
        if self.state is not ENDED:
            self._fell_back = True
            self._hold()

    def _records(self, part: str, where: str) -> bool:
        return has(self._series, part, where)


class Droppable:
    """A call that its series no longer holds: only these need a finalizer, which would slow down every call."""

    __slots__ = ()

    def __del__(self: Any) -> None:
        self.end(GeneratorExit())


class _DroppableCall(Droppable, Call):
    """A call that its series has let go."""

    __slots__ = ()


Call.droppable = _DroppableCall
