"""The attempts of a call: those that fail, and those that are made again, whatever has them made again.

A failed attempt waits for what comes next in its call: another attempt, which makes it one that was tried again, or
the end. By then the body of an error has been read too, which tells a quota that is used up from a limit of the rate.
"""

import json
from typing import Any

from mlmetrics.calls.inner import Inner, InnerRun
from mlmetrics.calls.outcome import is_cancellation
from mlmetrics.calls.surroundings import record_attempt, record_exhausted, record_fallback, record_limits
from mlmetrics.interruption import Tolerating, interrupted
from mlmetrics.responses.limits import read_limits
from mlmetrics.responses.reasons import OTHER, QUOTA, of_both, of_error, of_name

LONGEST_BODY_BYTES = 1 << 16
"""A longer body of an error is not read."""


class ProviderRun(InnerRun):
    """The run of a call of a provider, which knows how its attempts went.

    `pending` is what the last attempt failed by, until it is known whether it is made again: an exception, or the
    response. `sent` tells that there was an attempt, and `fallen` that the call went on to another model.
    """

    __slots__ = ("fallen", "pending", "sent")

    def prepare(self, inner: Inner) -> None:
        """Decide what it means if the stream is never read."""
        super().prepare(inner)
        self.pending: Any = None
        self.sent = False
        self.fallen = False

    def attempt(self) -> None:
        """Note that an attempt begins; if the one before it failed, it is that one again."""
        self.sent = True
        self.settle(again=True)

    def fell_back(self, model: object) -> None:
        """Note that the call goes on to another model, which is no retry."""
        self.settle(again=False)
        self.fallen = True
        record_fallback(self._series, model)

    def settle(self, *, again: bool, error: BaseException | None = None) -> None:
        """Count the attempt that failed last, if it is not counted yet; `error` is what the call raised by it."""
        cause, self.pending = self.pending, None
        if cause is not None:
            record_attempt(self._series, _reason(cause, error), again=again)

    def end(self, error: BaseException | None = None, seconds: float | None = None) -> None:
        """End the call; see `Run.end`. Its last attempt is counted before it, if that failed."""
        if not self._ended and (error is not None or self.pending is not None or self.fallen or self._failure):
            self._settle(error)
        super().end(error, seconds)

    @property
    def _failure(self) -> str | None:
        """The failure that its answer tells."""
        return None if self.answer is None else self.answer.said.failure

    def _settle(self, error: BaseException | None) -> None:
        if not self._begun or self._series.spot is not self._spot:
            return  # the process that this one was forked from records it
        try:
            failed = error is not None and not is_cancellation(error)
            if self.pending is None and self.sent and (failed or self._failure):
                self.pending = _inside(self._failure, error)
            self.settle(again=False, error=error)
            if self.fallen and (failed or (error is None and self._failure)):
                record_exhausted(self._series)
        except Exception as other:  # nothing of ours reaches the user's call
            if interrupted(other):
                raise
            self._series.store.failed("retry", other)

    def responded(self, status: Any, headers: Any, response: Any) -> None:
        """Read the response to an attempt: its status, and what its headers say of limits."""
        limits, strange = read_limits(headers)
        if strange:
            self._series.store.failed("rate_limit", f"no number in the header {strange[0]}")
        if limits:
            record_limits(self._series, limits)
        if type(status) is int and of_both(status, None) is not None:
            self.pending = response

    def raised(self, error: BaseException) -> None:
        """Note that an attempt raised; one that was cancelled has not failed."""
        if isinstance(error, Exception) and not is_cancellation(error):
            self.pending = error


def _inside(failure: str | None, error: BaseException | None) -> Any:
    """Return what an attempt failed by whose response had begun: an error inside of it, or a connection that broke.

    What else a call raises by then, such as an answer that cannot be parsed, is no failure of the attempt.
    """
    if failure is not None:
        return of_name(failure) or (OTHER if error is None else of_error(error))
    return error if error is not None and of_error(error) != OTHER else None


def _reason(cause: Any, error: BaseException | None) -> str:
    """Return why an attempt failed, by its response, its exception, or a reason that is known."""
    if isinstance(cause, str):
        return cause
    if isinstance(cause, BaseException):
        return of_error(cause)
    status = getattr(cause, "status_code", None)
    reason = of_both(status, _body(cause)) or OTHER
    return QUOTA if error is not None and of_error(error) == QUOTA else reason


def _body(response: Any) -> Any:
    """Return the body of an error, if somebody has read it by now and it is JSON."""
    body = getattr(response, "_content", None)
    if isinstance(body, bytes) and len(body) <= LONGEST_BODY_BYTES:
        with Tolerating(ValueError, RecursionError):
            return json.loads(body)
    return None
