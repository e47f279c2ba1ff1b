"""What the answers of calls say: usage, errors that arrive inside an answer, and which chunks have content.

A declaration says what is read (`Reads`); one call reads its answer, whole or chunk by chunk (`Answer`).
What responses of known providers say is read in `mlmetrics.responses`.
"""

from typing import Any

from mlmetrics.calls.counted import counted_once
from mlmetrics.calls.measures import tell_provider
from mlmetrics.calls.money import price
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.reads import AUTO, Content, Failure, Reads, Usage
from mlmetrics.calls.saying import Saying
from mlmetrics.calls.surroundings import record_finish
from mlmetrics.calls.tokens import record_lengths, record_tokens
from mlmetrics.interruption import interrupted
from mlmetrics.responses.kinds import hearing
from mlmetrics.responses.said import ANSWER, NOTHING, Hear, Said
from mlmetrics.responses.sse import SSE, is_sse

BUILTIN_TYPES = frozenset({type(None), bool, int, float, list, tuple, set})
"""Types of chunks that say nothing of known providers' responses; texts may be server-sent events."""
WITH_TEXTS = BUILTIN_TYPES | {str, bytes}


def only_content(_chunk: Any, _said: Said) -> int:
    """Read a chunk that has content, and says nothing else."""
    return ANSWER


class Answer:
    """What the answer of one call has said so far."""

    __slots__ = (
        "_inside",
        "_payload",
        "_problem",
        "_series",
        "_sse",
        "_unused",
        "_whole",
        "free",
        "reads",
        "said",
        "silent",
    )

    def __init__(self, series: CallSeries, reads: Reads) -> None:
        self._series = series
        self.reads = reads
        self._sse: SSE | None = None
        self._problem: Exception | None = None
        self._whole = False
        self._payload: int | None = None
        self._inside: dict[str, float] = {}
        self._unused = False
        self.free = False
        """Whether it cost nothing, such as an answer from a cache: what it shows as its usage was spent before."""
        self.said = Said()
        self.silent: frozenset[type] = frozenset() if reads.asks else BUILTIN_TYPES
        """Types of chunks that have content and say nothing else, so that they need not be read."""

    def count_on(self, series: CallSeries) -> None:
        """Record what it says on this series."""
        self._series = series

    def chunk(self, chunk: Any) -> int:
        """Read a chunk; return what content it has. Nothing that the user's functions raise goes on."""
        reads = self.reads
        content = self._known(chunk) if reads.known else ANSWER
        if reads.asks:
            if reads.failure is not None:
                self._ask_failure(reads.failure, chunk)
            if reads.content is not None:
                content = self._ask_content(reads.content, chunk)
            if callable(reads.usage):
                self._ask_usage(reads.usage, chunk)
        return content

    def quick(self, kind: type) -> Hear | None:
        """Return what reads the chunks of a type, if nothing else is asked of them; it never raises."""
        if kind in self.silent:
            return only_content
        if self.reads.asks or kind is str or kind is bytes:
            return None
        return hearing(kind) or only_content if self.reads.known else only_content

    def whole(self, result: Any) -> None:
        """Read a result that is not a stream. Its usage, if a function gives it, is read with its scores."""
        reads = self.reads
        self._whole = True
        self._payload = id(result)
        if reads.known:
            hear = hearing(type(result))
            if hear is not None:
                hear(result, self.said)
        if reads.failure is not None:
            self._ask_failure(reads.failure, result)

    def returned(self, result: Any) -> None:
        """Read what a generator returned."""
        if result is not None and callable(self.reads.usage):
            self._ask_usage(self.reads.usage, result)

    def inside(self, inner: "Answer") -> None:
        """Take over what a layer inside the call has read."""
        used, said = inner.used, inner.said
        self.said.finish = self.said.finish or said.finish
        if used is not None:
            known = self._inside
            self._inside = {name: known.get(name, 0.0) + used.get(name, 0.0) for name in {*known, *used}}
            self.said.model = self.said.model or said.model
            self.said.tier = self.said.tier or said.tier
        elif inner.free:
            self.free = True
        elif said.known and not said.broken:
            self._unused = self.said.known = True

    @property
    def used(self) -> dict[str, float] | None:
        """Tokens by type, as the layer next to the provider has read them; None if no usage came.

        A layer further out may show an estimate of its own in place of a usage that is missing, as LiteLLM does.
        """
        if self._inside:
            return self._inside
        return None if self.free or self._unused else self.said.usage

    def _known(self, chunk: Any) -> int:
        kind = type(chunk)
        if kind is str or kind is bytes:
            return self._text(chunk)
        hear = hearing(kind)
        return ANSWER if hear is None else hear(chunk, self.said)

    def _text(self, chunk: str | bytes) -> int:
        if self._sse is None:
            if not is_sse(chunk):
                if not self.reads.asks:
                    self.silent = WITH_TEXTS
                return ANSWER
            self._sse = SSE()
        return self._sse.feed(chunk, self.said)

    def _ask_failure(self, failure: Failure, item: Any) -> None:
        try:
            wrong = failure(item)
            if wrong is not None:
                self.said.failure = wrong if isinstance(wrong, str) and wrong else "error"
        except Exception as error:  # the user's code, run on behalf of a measurement
            if interrupted(error):
                raise
            self._series.store.failed("failure", error)

    def _ask_content(self, content: Content, chunk: Any) -> int:
        try:
            return ANSWER if content(chunk) else NOTHING
        except Exception as error:  # as above
            if interrupted(error):
                raise
            self._series.store.failed("content", error)
            return ANSWER

    def _ask_usage(self, usage: Usage, item: Any) -> None:
        """Ask for the usage in a chunk. Most chunks have none, and a function may raise because of that."""
        try:
            tokens = usage(item)
            if tokens is not None:
                self.said.usage = {**(self.said.usage or {}), **tokens}
        except Exception as error:  # as above
            if interrupted(error):
                raise
            self._problem = error

    def record(self, start: float, seconds: float, *, complete: bool, saying: Saying | None) -> None:
        """Record what the answer has said, after its call has ended, early or complete; never raises.

        Its tokens are left out if the code of the call has told them, and their price if it has told the cost.
        """
        try:
            self._record(start, seconds, complete=complete, saying=saying)
        except Exception as error:  # nothing of ours reaches the user's call
            if interrupted(error):
                raise
            self._series.store.failed("usage", error)

    def _record(self, start: float, seconds: float, *, complete: bool, saying: Saying | None) -> None:
        reads, said, series = self.reads, self.said, self._series
        told = saying is not None and saying.counts
        if reads.usage is None or (self._whole and reads.usage != AUTO):
            return
        if said.broken and not told:
            series.store.failed("usage", "a response whose usage is negative, or of a wrong type")
        used = self.used
        if said.usage is None:
            said.usage = used
        if used is None and self._problem is not None and complete and not told:
            series.store.failed("usage", self._problem)
        if said.usage is not None or said.known or callable(reads.usage):
            # An estimate is noted too, so that what hands the response on does not count it either.
            new = reads.usage != AUTO or counted_once(series.store, said, self._payload, start)
            if new or reads.first:
                if not told:
                    self._count(used, seconds, priced=saying is None or not saying.costed)
                if reads.usage == AUTO:
                    self._finished()
        if reads.first and (reads.provider or said.model):
            tell_provider(series, reads.provider, said.model or "")

    def _finished(self) -> None:
        """Count why each of its answers ended, if that is known."""
        for reason in (self.said.finish or {}).values():
            record_finish(self._series, reason.lower())

    def _count(self, used: dict[str, float] | None, seconds: float, *, priced: bool) -> None:
        """Count the tokens of a response, or that it did not say them."""
        series, said = self._series, self.said
        if used is not None:
            counted = record_tokens(series, used)
            record_lengths(series, counted, seconds)
            if priced:
                price(series, counted, said.model, self.reads.provider, said.tier)
        elif not self.free:
            series.store.record(series.counter("usage_missing_total"), 1)
