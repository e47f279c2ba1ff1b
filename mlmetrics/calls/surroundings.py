"""What surrounds a call, recorded: attempts, fallbacks, limits of the provider, cache, guardrails, why an answer ended.

What users say, and what SDKs and their responses show, is recorded by the same functions; none of them raises.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from mlmetrics.calls.measures import append_known, number
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.waiting import Waiting
from mlmetrics.catalog.models import QUEUE
from mlmetrics.catalog.surroundings import (
    CACHE,
    FALLBACKS,
    FINISH,
    GUARDRAILS,
    LIMITS,
    LOOKUPS,
    RATE_LIMITS,
    REASONS,
    RETRIES,
)
from mlmetrics.interruption import interrupted

OTHER_REASON = "other"
_LOOKUPS_TOTAL = "cache_lookups_total"
_KEYS = tuple((_LOOKUPS_TOTAL, result) for result in reversed(LOOKUPS))
"""By what the lookups of a series are known: of those without and with a hit."""


def has(series: CallSeries, part: str, where: str) -> bool:
    """Whether the operation of a call records this part; if not, that is counted under `where`."""
    if part in series.operation.parts:
        return True
    series.store.failed(where, f"{series.operation.name} calls have no {where}")
    return False


def record_attempt(series: CallSeries, reason: str, *, again: bool) -> None:
    """Count a failed attempt of a call by why it failed, and, if it is made again, that it is.

    Args:
        series: the series of the call.
        reason: one of `REASONS`; any other is a mistake, and counts as `other`.
        again: whether the attempt is made again.
    """
    if not has(series, RETRIES, "retry"):
        return
    if reason not in REASONS:
        series.store.failed("retry", f"unknown reason {reason!r:.100}; there are {', '.join(REASONS)}")
        reason = OTHER_REASON
    _count_one(series, "attempt_errors_total", reason, REASONS)
    _count_one(series, "retries_total", reason if again else None, REASONS)


def record_finish(series: CallSeries, reason: object) -> None:
    """Count why an answer ended, as its provider says; None says nothing.

    Args:
        series: the series of the call.
        reason: such as `stop`.
    """
    if reason is not None:
        _count_named(series, FINISH, "finish_reason", "finish_reasons_total", reason)


def record_limits(series: CallSeries, limits: Mapping[str, tuple[float | None, float | None]]) -> None:
    """Set what the provider allows, and what is left of it.

    Args:
        series: the series of the call.
        limits: a limit and what remains of it, by what is limited: one of `LIMITS`; None is not known.
    """
    if not has(series, RATE_LIMITS, "rate_limit"):
        return
    store, prefix = series.store, series.operation.prefix
    for name, (limit, remaining) in limits.items():
        if name not in LIMITS:
            store.failed("rate_limit", f"unknown limit {name!r:.100}; there are {', '.join(LIMITS)}")
            continue
        for metric, value in ((f"{prefix}_rate_limit", limit), (f"{prefix}_rate_limit_remaining", remaining)):
            amount = None if value is None else number(store, "rate_limit", value)
            if amount is not None:
                store.record(store.gauge(metric, (*series.labels[:2], name)), amount)


def record_queued(series: CallSeries, seconds: float) -> None:
    """Record how long a call waited for its model."""
    series.store.record(series.further("queue_duration_seconds"), seconds)


def record_fallback(series: CallSeries, fallback: object) -> bool:
    """Count that a call goes on to another model; return whether its operation counts that.

    Args:
        series: the series of the call.
        fallback: the other model.
    """
    if not has(series, FALLBACKS, "fallback"):
        return False
    series.counter("fallbacks_exhausted_total")  # it stands at 0 from the first fallback on
    _count_named(series, FALLBACKS, "fallback", "fallbacks_total", fallback)
    return True


def record_exhausted(series: CallSeries) -> None:
    """Count that a call failed after it had gone on to another model.

    Args:
        series: the series of the call.
    """
    series.store.record(series.counter("fallbacks_exhausted_total"), 1)


def record_lookup(series: CallSeries, hit: bool) -> None:  # noqa: FBT001 (it is all that is recorded)
    """Count that the answer of a call was looked for in a cache.

    Args:
        series: the series of the call.
        hit: whether it was there.
    """
    _count_one(series, "cache_lookups_total", LOOKUPS[0] if hit else LOOKUPS[1], LOOKUPS)


def record_block(series: CallSeries, guardrail: object) -> None:
    """Count that a guardrail blocked a prompt or an answer.

    Args:
        series: the series of the call.
        guardrail: its name.
    """
    _count_named(series, GUARDRAILS, "guardrail", "guardrail_blocks_total", guardrail)


def _count_one(series: CallSeries, suffix: str, value: str | None, values: Iterable[str]) -> None:
    """Add 1 for one value of a label whose values are known; the others stand at 0 from then on."""
    known = series.known.get((suffix, value))
    if known is not None:
        series.store.record(known, 1)
        return
    for each in values:
        counter = series.counter(suffix, each)
        if each == value:
            series.store.record(counter, 1)


def _count_named(series: CallSeries, part: str, where: str, suffix: str, value: Any) -> None:
    """Add 1 for a value of the last label, which is cleaned and limited as all are, where the operation records it."""
    store, is_text = series.store, type(value) is str
    if (is_text and append_known(store, series.known, (suffix, value), 1)) or not has(series, part, where):
        return
    metric = f"{series.operation.prefix}_{suffix}"
    labels = store.admit(metric, series.labels, (value,))
    # A text that is recorded as it came is known from now on.
    counter = series.counter(suffix, value) if is_text and labels[-1] == value else store.counter(metric, labels)
    store.record(counter, 1)


class Surrounded:
    """What users say of what surrounds a call; a part of `Call`."""

    __slots__ = ()
    _series: CallSeries
    _keep: Callable[[Callable[[CallSeries, Any], object], Any], None]
    """Keeps something to record until the end of the call."""
    _note_fallback: Callable[[], None]
    """Keeps until the end of the call that it fell back."""

    def cached(self, hit: bool) -> None:  # noqa: FBT001 (it is all that is said)
        """Count that the answer was looked for in a cache, and whether it was there.

        Args:
            hit: True if it was there.

        Metrics: `ml_inference_cache_lookups_total`.
        """
        if has(self._series, CACHE, "cache"):
            try:
                found = bool(hit)
            except Exception as error:  # any object may come, with any __bool__
                if interrupted(error):
                    raise
                self._series.store.failed("cache", error)
            else:
                self._keep(record_lookup, found)

    def fell_back(self, model: str) -> None:
        """Count that the call goes on to another model; if it fails all the same, that is counted at its end.

        Args:
            model: the other model.

        Metrics: `ml_inference_fallbacks_total`, `ml_inference_fallbacks_exhausted_total`.
        """
        if has(self._series, FALLBACKS, "fallback"):
            self._keep(record_fallback, model)
            self._note_fallback()

    def blocked(self, guardrail: str) -> None:
        """Count that a guardrail blocked the prompt or the answer. The outcome stays as it is.

        Args:
            guardrail: its name, such as `pii`.

        Metrics: `ml_inference_guardrail_blocks_total`.
        """
        if has(self._series, GUARDRAILS, "guardrail"):
            self._keep(record_block, guardrail)

    def finish_reason(self, reason: str | None) -> None:
        """Count why the answer ended; None says nothing.

        Args:
            reason: in the words of the provider, such as `stop` or `length`.

        Metrics: `ml_inference_finish_reasons_total`.
        """
        if reason is not None and has(self._series, FINISH, "finish_reason"):
            self._keep(record_finish, reason)

    def waiting(self) -> Waiting:
        """Count the call as waiting for its model while a block runs: `with` or `async with`.

        Metrics: `ml_inference_waiting`, and at the end of the block `ml_inference_queue_duration_seconds`.

        Example:
            >>> from prometheus_client import CollectorRegistry
            >>> from mlmetrics import MLMetrics
            >>> metrics = MLMetrics(service="docs", registry=CollectorRegistry())
            >>> with metrics.inference_timer(model="gpt-4") as call:
            ...     with call.waiting():
            ...         slot = "free"
        """
        if has(self._series, QUEUE, "waiting"):
            return Waiting(self._series, partial(self._keep, record_queued))
        return Waiting(None)
