"""The tokens of calls: counted by type when they are told, and as lengths of prompt and answer when the call is over.

The series of both are found once for each series of calls, so that a call appends to them and looks up nothing else.
"""

from collections.abc import Mapping
from sys import float_info
from typing import Any

from mlmetrics.calls.measures import number
from mlmetrics.calls.operation import CallSeries
from mlmetrics.catalog import TOKEN_TYPES
from mlmetrics.recording.series import BOUND, NumberSeries

PROMPT = frozenset({"input", "cache_read", "cache_write"})
"""The types of tokens of a prompt; the others are of the answer."""
_PLAIN = frozenset({int, float})
_MOST = float_info.max


class TokenSeries:
    """What the tokens of a series of calls are recorded in; each is made when it is first needed."""

    __slots__ = ("_calls", "_counters", "_histograms")

    def __init__(self, calls: CallSeries) -> None:
        self._calls = calls
        self._counters: dict[str, NumberSeries] = {}
        self._histograms: dict[str, NumberSeries] = {}

    def count(self, tokens: Mapping[str, Any]) -> dict[str, float]:
        """Count tokens by type; types whose value is None are skipped. Returns what was counted."""
        counted, store, counters = dict[str, float](), self._calls.store, self._counters
        for token_type, value in tokens.items():
            counter = counters.get(token_type) or self._counter(token_type)
            if counter is None or value is None:
                continue
            amount = value if type(value) in _PLAIN and 0 <= value <= _MOST else number(store, "tokens", value)
            if amount is not None:
                counter.record(amount)
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

    def _counter(self, token_type: str) -> NumberSeries | None:
        if token_type not in TOKEN_TYPES:
            self._calls.store.failed(
                "tokens", f"unknown token type {token_type!r:.100}; there are {', '.join(TOKEN_TYPES)}"
            )
            return None
        return self._counters.setdefault(token_type, self._calls.counter("tokens_total", token_type))

    def _observe(self, suffix: str, amount: float) -> None:
        histogram = self._histograms.get(suffix)
        if histogram is None:
            calls = self._calls
            found = calls.histogram(f"{calls.operation.prefix}_{suffix}")
            histogram = self._histograms.setdefault(suffix, found)
        histogram.record(amount)
        if len(histogram.pending) > BOUND:
            self._calls.store.fold(histogram)


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
