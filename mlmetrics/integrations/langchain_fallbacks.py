"""Fallbacks of LangChain: a runnable of `with_fallbacks` asks the next model when the one before has failed.

Its models are runs of their own, each a call. The first one that failed is the one that went on to another model.
"""

from contextvars import ContextVar
from typing import Any

from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.outcome import is_cancellation
from mlmetrics.calls.surroundings import record_exhausted, record_fallback
from mlmetrics.integrations.layers import ProviderCall
from mlmetrics.integrations.patches import Patch
from mlmetrics.interruption import Tolerating, interrupted
from mlmetrics.recording.store import Store

MODULE = "langchain_core.runnables.fallbacks"


class Block:
    """One run of such a runnable: the call that failed last in it, and the first that went on to another model."""

    __slots__ = ("failed", "first", "outer")
    failed: CallSeries | None
    first: CallSeries | None

    def __init__(self, outer: "Block | None") -> None:
        self.outer = outer
        self.failed = self.first = None


class Fallbacks:
    """The fallbacks that one toolkit records."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._block: ContextVar[Block | None] = ContextVar("mlmetrics_fallbacks", default=None)

    def patches(self) -> list[Patch]:
        """Return what is to be replaced."""
        return [
            Patch(MODULE, "RunnableWithFallbacks.invoke", self.invoke),
            Patch(MODULE, "RunnableWithFallbacks.ainvoke", self.invoke_async),
        ]

    def invoke(self, wrapped: Any, _runnable: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Ask the models until one answers."""
        block = Block(self._block.get())
        token = self._block.set(block)
        try:
            return wrapped(*args, **kwargs)
        except BaseException as error:
            self._exhausted(block, error)
            raise
        finally:
            self._block.reset(token)

    async def invoke_async(self, wrapped: Any, _runnable: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Ask the models until one answers."""
        block = Block(self._block.get())
        token = self._block.set(block)
        try:
            return await wrapped(*args, **kwargs)
        except BaseException as error:
            self._exhausted(block, error)
            raise
        finally:
            with Tolerating(ValueError):  # a coroutine that is dropped is closed in another context
                self._block.reset(token)

    def begun(self, call: ProviderCall, model: object) -> None:
        """Note that a call begins; after one of another model has failed in the same block, it is the fallback."""
        block = self._block.get()
        if block is None or block.failed is None:
            return
        failed, block.failed = block.failed, None
        if failed.labels != call.run.series.labels:
            block.first = block.first or failed
            record_fallback(failed, model)

    def failed(self, call: ProviderCall) -> None:
        """Note that a call has failed."""
        block = self._block.get()
        if block is not None:
            block.failed = call.run.series

    def _exhausted(self, block: Block, error: BaseException) -> None:
        try:
            if is_cancellation(error):
                return
            if block.first is not None:
                record_exhausted(block.first)
            if block.outer is not None:
                block.outer.failed = block.failed
        except Exception as other:  # nothing of ours reaches the user's call
            if interrupted(other):
                raise
            self._store.failed("fallback", other)
