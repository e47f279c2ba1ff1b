"""The attempts of a call: those that fail, and those that are made again, whatever has them made again.

A failed attempt waits for what comes next in its call: another attempt, which makes it one that was tried again, or
the end. By then the body of an error has been read too, which tells a quota that is used up from a limit of the rate.
"""

from typing import Any

from mlmetrics.calls.inner import Inner, InnerRun
from mlmetrics.calls.outcome import is_cancellation
from mlmetrics.calls.surroundings import record_attempt, record_fallback, record_limits
from mlmetrics.interruption import interrupted
from mlmetrics.responses.failures import HTTP_FAILURES
from mlmetrics.responses.limits import read_limits


class ProviderRun(InnerRun):
    """The run of a call of a provider, which knows how its attempts went.

    `pending` is what attempts failed by, until it is known whether they are made again: exceptions, responses, or
    reasons. There are several only if requests were sent at the same time. `sent` tells that there was an attempt.
    """

    __slots__ = ("pending", "sent")

    def prepare(self, inner: Inner) -> None:
        """Decide what it means if the stream is never read."""
        super().prepare(inner)
        self.pending: list[Any] = []
        self.sent = False

    def attempt(self) -> None:
        """Note that an attempt begins; if one before it failed, it is that one again."""
        self.sent = True
        self.made_again()

    def made_again(self) -> None:
        """Count the attempt that failed first, if it is not counted yet; it is made again."""
        if self.pending:
            self._count(self.pending.pop(0), None, again=True)

    def fell_back(self, model: object) -> None:
        """Note that the call goes on to another model, which is no retry."""
        self.settle()
        self.said().fell_back = True
        record_fallback(self._series, model)

    def settle(self, error: BaseException | None = None) -> None:
        """Count the attempts that failed and are not made again; `error` is what the call raised by the last one."""
        while self.pending:
            cause = self.pending.pop(0)
            self._count(cause, None if self.pending else error, again=False)

    def _count(self, cause: Any, error: BaseException | None, *, again: bool) -> None:
        from mlmetrics.responses.reasons import of_attempt  # noqa: PLC0415 (only who has a failed attempt pays for it)

        record_attempt(self._series, of_attempt(cause, error), again=again)

    def end(self, error: BaseException | None = None, seconds: float | None = None) -> None:
        """End the call; see `Run.end`. Its last attempt is counted before it, if that failed."""
        if not self._ended and (error is not None or self.pending or self._failure):
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
            if not self.pending and self.sent and (failed or self._failure):
                self._inside(error)
            self.settle(error)
        except Exception as other:  # nothing of ours reaches the user's call
            if interrupted(other):
                raise
            self._series.store.failed("retry", other)

    def _inside(self, error: BaseException | None) -> None:
        from mlmetrics.responses.reasons import of_inside  # noqa: PLC0415 (as above)

        reason = of_inside(self._failure, error)
        if reason is not None:
            self.pending.append(reason)

    def responded(self, status: Any, headers: Any, response: Any) -> None:
        """Read the response to an attempt: its status, and what its headers say of limits."""
        limits, strange = read_limits(headers)
        if strange:
            self._series.store.failed("rate_limit", f"no number in the header {strange[0]}")
        if limits:
            record_limits(self._series, limits)
        if type(status) is int and status in HTTP_FAILURES:
            self._failed(response)

    def raised(self, error: BaseException) -> None:
        """Note that an attempt raised; one that was cancelled has not failed."""
        if isinstance(error, Exception) and not is_cancellation(error):
            self._failed(error)

    def _failed(self, cause: Any) -> None:
        """Keep what an attempt failed by; two handles of one toolkit may both tell it."""
        if all(each is not cause for each in self.pending):
            self.pending.append(cause)
