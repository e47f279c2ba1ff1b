"""`instrument_stamina`, with stamina itself."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests import recorded
from tests.integrations.trying import ERRORS, RETRIES, Failing, LimitedError, counted, metrics, stamina, unwaiting

__all__ = ["metrics", "stamina"]


class TestFunctions:
    """A function that is tried again."""

    def test_again(self, stamina: Any, registry: CollectorRegistry) -> None:
        """Each attempt that failed counts, and each one that followed it, by the function's name."""
        assert "done" == stamina.retry(on=Exception)(Failing(LimitedError(), TimeoutError()).ask)()
        assert {("ask", "rate_limit"): 1, ("ask", "timeout"): 1} == counted(registry, ERRORS)
        assert {("ask", "rate_limit"): 1, ("ask", "timeout"): 1} == counted(registry, RETRIES)

    def test_given_up(self, stamina: Any, registry: CollectorRegistry) -> None:
        """The last attempt counts as an error, which stamina's hooks do not tell."""
        with pytest.raises(LimitedError):
            stamina.retry(on=LimitedError)(Failing(*[LimitedError()] * 3).ask)()
        with pytest.raises(ValueError, match="any"):
            stamina.retry(on=LimitedError)(Failing(ValueError("any")).ask)()
        assert {("ask", "rate_limit"): 3, ("ask", "other"): 1} == counted(registry, ERRORS)
        assert {("ask", "rate_limit"): 2} == counted(registry, RETRIES)

    async def test_async(self, stamina: Any, registry: CollectorRegistry) -> None:
        """A coroutine function counts the same."""
        assert "done" == await stamina.retry(on=LimitedError)(Failing(LimitedError()).ask_async)()
        assert {("ask_async", "rate_limit"): 1} == counted(registry, ERRORS)
        assert {("ask_async", "rate_limit"): 1} == counted(registry, RETRIES)

    def test_hooks(self, stamina: Any, registry: CollectorRegistry) -> None:
        """The program's own hooks are called, and setting them takes nothing out."""
        seen: list[Any] = []
        before = stamina.instrumentation.get_on_retry_hooks()
        stamina.instrumentation.set_on_retry_hooks([seen.append])
        try:
            assert "done" == stamina.retry(on=LimitedError)(Failing(LimitedError()).ask)()
        finally:
            stamina.instrumentation.set_on_retry_hooks(before)
        assert 1 == len(seen)
        assert {("ask", "rate_limit"): 1} == counted(registry, RETRIES)


class TestLabels:
    """Which call an attempt belongs to."""

    def test_block(self, stamina: Any, registry: CollectorRegistry) -> None:
        """A block counts by the name of the function that it stands in."""
        failing = Failing(LimitedError())
        for attempt in stamina.retry_context(on=LimitedError):
            with attempt:
                failing.ask()
        assert {("test_block", "rate_limit"): 1} == counted(registry, RETRIES)

    def test_around(self, stamina: Any, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Around a decorated function, it has the labels of that."""
        tried = stamina.retry(on=LimitedError)(metrics.track_inference(model="gpt-4")(Failing(LimitedError()).ask))
        assert "done" == tried()
        assert {("gpt-4", "rate_limit"): 1} == counted(registry, RETRIES)
        assert {"success": 1, "failure": 1} == recorded.outcomes(registry)

    async def test_within(self, stamina: Any, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Within a decorated function, it is that of its call."""

        @metrics.track_inference(model="gpt-4")
        async def answer() -> Any:
            return await stamina.retry(on=LimitedError)(Failing(LimitedError()).ask_async)()

        assert "done" == await answer()
        assert {("gpt-4", "rate_limit"): 1} == counted(registry, RETRIES)


class TestHandle:
    """The handle that is returned."""

    def test_with_tenacity(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Beside `instrument_tenacity`, each retry counts once; without `instrument_stamina`, not at all."""
        with metrics.instrument_tenacity(), unwaiting() as bare:
            bare.retry(on=LimitedError)(Failing(LimitedError()).ask)()
            assert recorded.absent(registry, RETRIES)
            with metrics.instrument_stamina():
                bare.retry(on=LimitedError)(Failing(LimitedError()).ask)()
        assert {("ask", "rate_limit"): 1} == counted(registry, RETRIES)
