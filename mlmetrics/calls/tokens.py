"""The tokens of calls: counted by type when they are told, and as lengths of prompt and answer when the call is over.

The series of both are found once for each series of calls, so that a call appends to them and looks up nothing else.
"""

from collections.abc import Callable, Mapping
from sys import float_info
from typing import Any, Protocol

from mlmetrics.calls.measures import keep_beside, number
from mlmetrics.calls.operation import CallSeries
from mlmetrics.catalog import TOKEN_TYPES
from mlmetrics.pricing import genai
from mlmetrics.recording.cells import HistogramCell, NumberCell, Write, plus
from mlmetrics.recording.outbox import Outbox
from mlmetrics.recording.series import BOUND, Lists, NumberSeries
from mlmetrics.recording.store import Store

PROMPT = frozenset({"input", "cache_read", "cache_write"})
"""The types of tokens of a prompt; the others are of the answer."""
PAIR = ("input", "output")
LENGTHS = ("prompt_tokens", "completion_tokens", "output_tokens_per_second")
MOST_TOKENS = (1 << 30) - 1
"""Whole numbers up to this are tokens as they are: CPython compares these fastest."""
_PLAIN = frozenset({int, float})
_MOST = float_info.max
Append = Callable[[float], object]


class Pair(Protocol):
    """What most calls record: the tokens of a prompt and of its answer, each of one type, and the speed of the answer.

    Each gets at most one number from a call, and is folded with the calls.
    """

    @property
    def prompt(self) -> Append:
        """Count the tokens of a prompt, and record its length."""

    @property
    def answer(self) -> Append:
        """Count the tokens of an answer, and record its length."""

    @property
    def speed(self) -> Append:
        """Record the tokens a second of an answer."""


class AppendedPair(Lists):
    """The same in memory: one list for the tokens of a type and for their length, because the numbers are the same."""

    __slots__ = ("_answers", "_calls", "_cells", "_prompts", "_speeds", "answer", "prompt", "speed")

    def __init__(self, calls: CallSeries) -> None:
        self._prompts: list[float] = []
        self._answers: list[float] = []
        self._speeds: list[float] = []
        super().__init__(self._prompts, self._answers, self._speeds)
        self.prompt = self._prompts.append
        self.answer = self._answers.append
        self.speed = self._speeds.append
        self._calls = calls
        self._cells: tuple[tuple[NumberCell | None, HistogramCell], ...] = ()

    def prepare(self) -> None:
        """Find what the lists are folded into."""
        if not self._cells:
            calls = self._calls
            store, prefix, labels = calls.store, calls.operation.prefix, calls.labels
            counters = [store.number_cell(f"{prefix}_tokens_total", (*labels, each)) for each in PAIR]
            lengths = [store.histogram_cell(f"{prefix}_{each}", labels) for each in LENGTHS]
            self._cells = tuple(zip((*counters, None), lengths, strict=True))

    def absorb(self, writes: list[Write], counts: list[int]) -> None:
        """Add the tokens to their counters, and place the lengths in their buckets."""
        for pending, count, (counter, length) in zip(self.lists, counts, self._cells, strict=True):
            if count:
                numbers = pending[:count]
                length.add(writes, numbers)
                if counter is not None:
                    writes.append(plus(counter.numbers, 0, sum(numbers, 0.0)))

    def hand_on(self, outbox: Outbox, writes: list[Write], counts: list[int]) -> None:
        """Put the lengths into the outbox."""
        for pending, count, (_, length) in zip(self.lists, counts, self._cells, strict=True):
            outbox.put(writes, length, pending[:count])


class PlacedPair:
    """The same in files, where every number is added in place."""

    __slots__ = ("_counters", "_lengths", "speed")

    def __init__(self, calls: CallSeries) -> None:
        self._counters = tuple(calls.counter("tokens_total", each) for each in PAIR)
        self._lengths = tuple(calls.histogram(f"{calls.operation.prefix}_{each}") for each in LENGTHS)
        self.speed: Append = self._lengths[2].record

    def prompt(self, tokens: float) -> None:
        """Count the tokens of a prompt, and record its length."""
        self._counters[0].record(tokens)
        self._lengths[0].record(tokens)

    def answer(self, tokens: float) -> None:
        """Count the tokens of an answer, and record its length."""
        self._counters[1].record(tokens)
        self._lengths[1].record(tokens)


class TokenSeries:
    """What the tokens of a series of calls are recorded in; each is made when it is first needed.

    Attributes:
        pair: that of calls that tell the tokens of a prompt and of an answer; None before the first.
        priced: whether tokens have a price even if the project has none of its own.
    """

    __slots__ = ("_calls", "_counters", "_histograms", "pair", "priced")

    def __init__(self, calls: CallSeries) -> None:
        self._calls = calls
        self._counters: dict[str, NumberSeries] = {}
        self._histograms: dict[str, NumberSeries] = {}
        self.pair: Pair | None = None
        self.priced = genai.installed()

    def count(self, tokens: Mapping[str, Any]) -> dict[str, float]:
        """Count tokens by type; types whose value is None are skipped. Returns what was counted."""
        counted: dict[str, float] = {}
        store, counters = self._calls.store, self._counters
        for token_type, value in tokens.items():
            counter = counters.get(token_type) or self._counter(token_type)
            if counter is None or value is None:
                continue
            if type(value) is int and value >= 0 and value <= MOST_TOKENS:
                amount: float | None = value
            else:
                amount = value if type(value) in _PLAIN and 0 <= value <= _MOST else number(store, "tokens", value)
            if amount is not None:
                append = counter.record
                append(amount)
                counted[token_type] = amount
                if len(counter.pending) > BOUND:
                    store.fold(counter)
        return counted

    def measure(self, counted: Mapping[str, float], seconds: float | None) -> None:
        """Record the lengths of a call's prompt and answer, and the speed of the answer if the call took any time."""
        prompt: float | None = None
        answer: float | None = None
        for token_type, amount in counted.items():
            if token_type in PROMPT:
                prompt = amount if prompt is None else prompt + amount
            else:
                answer = amount if answer is None else answer + amount
        if prompt is not None:
            self._observe("prompt_tokens", prompt)
        if answer is not None:
            self._observe("completion_tokens", answer)
            if answer and seconds is not None and seconds > 0:
                self._observe("output_tokens_per_second", answer / seconds)
        if (
            self.pair is None
            and len(counted) == len(PAIR)
            and len(self._histograms) == len(LENGTHS)
            and counted.keys() == set(PAIR)
        ):
            self._make_pair()

    def _make_pair(self) -> None:
        """From now on, calls that tell the same append to lists of their own."""
        calls = self._calls
        store = calls.store
        with store.declaring:
            if self.pair is None:
                if store.host is None:
                    pair = AppendedPair(calls)
                    store.add(pair, f"{calls.operation.prefix}_tokens_total")
                    keep_beside(calls, pair)
                    self.pair = pair
                else:
                    self.pair = PlacedPair(calls)

    def _counter(self, token_type: str) -> NumberSeries | None:
        if token_type not in TOKEN_TYPES:
            _tell_unknown(self._calls.store, token_type)
            return None
        return self._counters.setdefault(token_type, self._calls.counter("tokens_total", token_type))

    def _observe(self, suffix: str, amount: float) -> None:
        histogram = self._histograms.get(suffix)
        if histogram is None:
            calls = self._calls
            found = calls.histogram(f"{calls.operation.prefix}_{suffix}")
            histogram = self._histograms.setdefault(suffix, found)
        append = histogram.record
        append(amount)
        if len(histogram.pending) > BOUND:
            self._calls.store.fold(histogram)


def checked_tokens(store: Store, tokens: Mapping[str, Any]) -> dict[str, float]:
    """Return the tokens that can be counted, by type; count all else that is said. None says nothing."""
    checked: dict[str, float] = {}
    for token_type, value in tokens.items():
        if token_type not in TOKEN_TYPES:
            _tell_unknown(store, token_type)
        elif value is not None:
            amount = value if type(value) is int and 0 <= value <= MOST_TOKENS else number(store, "tokens", value)
            if amount is not None:
                checked[token_type] = amount
    return checked


def _tell_unknown(store: Store, token_type: object) -> None:
    store.failed("tokens", f"unknown token type {token_type!r:.100}; there are {', '.join(TOKEN_TYPES)}")


def tokens_of(series: CallSeries) -> TokenSeries:
    """Return what the tokens of a series of calls are recorded in."""
    found: TokenSeries | None = series.tokens
    if found is None:
        found = series.tokens = TokenSeries(series)
    return found


def record_tokens(series: CallSeries, tokens: Mapping[str, Any]) -> dict[str, float]:
    """Count tokens by type; types whose value is None are skipped. Returns what was counted."""
    return tokens_of(series).count(tokens)


def record_lengths(series: CallSeries, counted: Mapping[str, float], seconds: float | None) -> None:
    """Record the lengths of a call whose tokens are known, at its end, once.

    Args:
        series: the series of the call.
        counted: its tokens by type, as `record_tokens` has counted them.
        seconds: how long the call took, None if that is not known.
    """
    tokens_of(series).measure(counted, seconds)
