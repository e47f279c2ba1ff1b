"""`instrument_tenacity`, with tenacity itself."""

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest
import tenacity as bare
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics, arg
from tests import recorded
from tests.integrations.trying import ERRORS, RETRIES, Failing, LimitedError, counted, metrics, tenacity

__all__ = ["metrics", "tenacity"]
THREE = bare.stop_after_attempt(3)
AROUND = "test_block"


class TestFunctions:
    """A function that is tried again."""

    def test_again(self, tenacity: Any, registry: CollectorRegistry) -> None:
        """Each attempt that failed counts, and each one that followed it, by the function's name."""
        assert "done" == tenacity.retry(Failing(LimitedError(), TimeoutError(), ConnectionError()).ask)()
        expected = {("ask", "rate_limit"): 1, ("ask", "timeout"): 1, ("ask", "connection"): 1}
        assert expected == counted(registry, ERRORS)
        assert expected == counted(registry, RETRIES)
        assert recorded.absent(registry, "ml_inference_total")

    def test_given_up(self, tenacity: Any, registry: CollectorRegistry) -> None:
        """The last attempt counts as an error, and is not made again."""
        errors = [ValueError(), ValueError(), LimitedError()]
        with pytest.raises(LimitedError) as raised:
            tenacity.retry(stop=THREE, reraise=True)(Failing(*errors).ask)()
        assert errors[-1] is raised.value
        assert {("ask", "other"): 2, ("ask", "rate_limit"): 1} == counted(registry, ERRORS)
        assert {("ask", "other"): 2} == counted(registry, RETRIES)

    def test_not_retried(self, tenacity: Any, registry: CollectorRegistry) -> None:
        """An error that is not tried again counts once."""
        only = tenacity.retry(retry=tenacity.retry_if_exception_type(OSError))
        with pytest.raises(ValueError, match="any"):
            only(Failing(ValueError("any")).ask)()
        assert {("ask", "other"): 1} == counted(registry, ERRORS)
        assert {} == counted(registry, RETRIES)

    def test_at_once(self, tenacity: Any, registry: CollectorRegistry) -> None:
        """A call that succeeds at once counts nothing."""
        assert "done" == tenacity.retry(Failing().ask)()
        assert recorded.absent(registry, ERRORS)
        assert recorded.absent(registry, RETRIES)

    def test_results(self, tenacity: Any, registry: CollectorRegistry) -> None:
        """A result that is refused is a failed attempt; one that is taken is none, also while an error is handled."""
        answers = iter([None, None, "done"])

        def ask() -> str | None:
            return next(answers)

        tried = tenacity.retry(retry=tenacity.retry_if_result(lambda result: result is None), stop=THREE)(ask)
        with pytest.raises(KeyError):  # noqa: PT012 (both are needed)
            try:
                raise KeyError
            finally:
                assert "done" == tried()
        assert {("ask", "other"): 2} == counted(registry, ERRORS)
        assert {("ask", "other"): 2} == counted(registry, RETRIES)

    @pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
    async def test_last_result(self, tenacity: Any, registry: CollectorRegistry, *, asynchronous: bool) -> None:
        """The last one that is refused counts too, whether tenacity raises then, or returns what a callback gives."""
        failing = Failing()
        refuse = tenacity.retry_if_result(lambda result: result == "done")
        for callback in (None, lambda _state: "instead"):
            tried = tenacity.retry(retry=refuse, stop=THREE, retry_error_callback=callback)
            with nullcontext() if callback else pytest.raises(bare.RetryError):
                assert "instead" == (await tried(failing.ask_async)() if asynchronous else tried(failing.ask)())
        name = "ask_async" if asynchronous else "ask"
        assert {(name, "other"): 6} == counted(registry, ERRORS)
        assert {(name, "other"): 4} == counted(registry, RETRIES)

    async def test_async(self, tenacity: Any, registry: CollectorRegistry) -> None:
        """A coroutine function counts the same."""
        assert "done" == await tenacity.retry(Failing(LimitedError()).ask_async)()
        with pytest.raises(bare.RetryError):
            await tenacity.retry(stop=THREE)(Failing(*[TimeoutError()] * 3).ask_async)()
        assert {("ask_async", "rate_limit"): 1, ("ask_async", "timeout"): 3} == counted(registry, ERRORS)
        assert {("ask_async", "rate_limit"): 1, ("ask_async", "timeout"): 2} == counted(registry, RETRIES)

    async def test_cancelled(self, tenacity: Any, registry: CollectorRegistry) -> None:
        """An attempt that is cancelled has not failed."""
        with pytest.raises(asyncio.CancelledError):
            await tenacity.retry(Failing(asyncio.CancelledError()).ask_async)()
        assert recorded.absent(registry, ERRORS)


class TestBlocks:
    """A block that is tried again."""

    def test_block(self, tenacity: Any, registry: CollectorRegistry) -> None:
        """It counts by the name of the function that it stands in."""
        failing = Failing(LimitedError())
        for attempt in tenacity.Retrying():
            with attempt:
                failing.ask()
        assert {(AROUND, "rate_limit"): 1} == counted(registry, ERRORS)
        assert {(AROUND, "rate_limit"): 1} == counted(registry, RETRIES)

    async def test_async_block(self, tenacity: Any, registry: CollectorRegistry) -> None:
        """An async one too."""
        failing = Failing(LimitedError())
        async for attempt in tenacity.AsyncRetrying():
            with attempt:
                failing.ask()
        assert {("test_async_block", "rate_limit"): 1} == counted(registry, RETRIES)


class TestLabels:
    """Which call an attempt belongs to."""

    def test_within(self, tenacity: Any, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Within a decorated function, it is that of its call."""

        @metrics.track_inference(model="gpt-4")
        def answer() -> Any:
            return tenacity.retry(Failing(LimitedError()).ask)()

        assert "done" == answer()
        assert {("gpt-4", "rate_limit"): 1} == counted(registry, ERRORS)
        assert {("gpt-4", "rate_limit"): 1} == counted(registry, RETRIES)
        assert {"success": 1} == recorded.outcomes(registry)

    async def test_within_async(self, tenacity: Any, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Within a coroutine, too."""

        @metrics.track_inference(model="gpt-4")
        async def answer() -> Any:
            return await tenacity.retry(Failing(LimitedError()).ask_async)()

        assert "done" == await answer()
        assert {("gpt-4", "rate_limit"): 1} == counted(registry, RETRIES)

    def test_around(self, tenacity: Any, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Around a decorated function, it has the labels of that; each attempt is a call."""
        tried = tenacity.retry(metrics.track_inference(model="gpt-4")(Failing(LimitedError()).ask))
        assert "done" == tried()
        assert {("gpt-4", "rate_limit"): 1} == counted(registry, RETRIES)
        assert {"success": 1, "failure": 1} == recorded.outcomes(registry)

    def test_around_varying(self, tenacity: Any, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Labels that only a call has are not those of the function."""
        failing = Failing(LimitedError())

        @metrics.track_inference(model=arg("model"))
        def answer(model: str) -> str:
            return failing.ask() + model

        assert "donegpt-4" == tenacity.retry(answer)("gpt-4")
        assert {("answer", "rate_limit"): 1} == counted(registry, RETRIES)

    def test_other_operation(self, tenacity: Any, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """A call that is no inference counts no retries."""

        @metrics.track_parsing(doc_type="pdf")
        def parse() -> Any:
            return tenacity.retry(Failing(LimitedError()).ask)()

        assert "done" == parse()
        assert {("ask", "rate_limit"): 1} == counted(registry, RETRIES)
        assert {} == recorded.errors(registry)


class TestHandle:
    """The handle that is returned."""

    async def test_uninstrument(self, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """Nothing is counted after it, and the functions are as they were."""
        before = bare.BaseRetrying.iter, bare.AsyncRetrying.iter
        with metrics.instrument_tenacity():
            assert "done" == bare.retry(Failing(LimitedError()).ask)()
        assert before == (bare.BaseRetrying.iter, bare.AsyncRetrying.iter)
        assert "done" == bare.retry(Failing(LimitedError()).ask)()
        assert "done" == await bare.retry(Failing(LimitedError()).ask_async)()
        assert {("ask", "rate_limit"): 1} == counted(registry, RETRIES)

    def test_hostile(self, tenacity: Any, registry: CollectorRegistry) -> None:
        """An error whose own attributes raise is tried again as before."""

        class HostileError(Exception):
            @property
            def status_code(self) -> int:
                raise RuntimeError

        assert "done" == tenacity.retry(Failing(HostileError()).ask)()
        assert {("ask", "other"): 1} == counted(registry, RETRIES)
