"""A batch job as a call: a block or a function whose runs are recorded, and pushed when they end."""

import asyncio
import time
from collections.abc import Callable
from functools import partial, wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isfunction, isgeneratorfunction
from types import TracebackType
from typing import Any, TypeVar, cast

from prometheus_client import CollectorRegistry

from mlmetrics.calls.call import Call, Droppable
from mlmetrics.calls.measures import count, number
from mlmetrics.calls.operation import CallSeries
from mlmetrics.catalog.batch_jobs import ITEMS, LAST_SUCCESS
from mlmetrics.errors import DeclarationError
from mlmetrics.jobs.push import Push, attempt
from mlmetrics.loops import current_runner, running_trio
from mlmetrics.switch import DISABLED

F = TypeVar("F", bound=Callable[..., Any])


class JobRun(Call):
    """One run of a batch job; `with batch_job(...)` yields it."""

    __slots__ = ()

    def item(self) -> None:
        """Count one item that was handled. Metrics: `ml_batch_job_items_total`."""
        self.items(1)

    def items(self, handled: float) -> None:
        """Count items that were handled. Metrics: `ml_batch_job_items_total`.

        Args:
            handled: how many more there are, not how many there are by now.
        """
        series = self._counted_on
        count(series.store, ITEMS.name, series.labels, number(series.store, "items", handled))

    def _succeed(self, series: CallSeries, seconds: float) -> None:
        super()._succeed(series, seconds)
        series.store.record(series.store.gauge(LAST_SUCCESS.name, series.labels), time.time())


class _DroppableJobRun(Droppable, JobRun):
    """A run that its series has let go."""

    __slots__ = ()


JobRun.droppable = _DroppableJobRun
_Runner = tuple[int, object]


class BatchJob:
    """A batch job: `with` and `async with` around a block, or a decorator. Each run is recorded by itself."""

    def __init__(self, series: CallSeries, registry: CollectorRegistry, push: Push | None) -> None:
        self._series = series
        self._registry = registry
        self._push = push
        self._runs: list[tuple[_Runner, JobRun]] = []
        series.store.counter(ITEMS.name, series.labels)  # from now on it stands at 0

    def __enter__(self) -> JobRun:
        run, runner = JobRun(self._series), current_runner()
        with self._series.store.declaring:
            self._runs.append((runner, run))
        run.begin()
        return run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(error)
        if self._push is not None:
            self._publish(self._push, error)

    async def __aenter__(self) -> JobRun:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(error)
        if self._push is not None:
            await _in_thread(partial(self._publish, self._push, error))

    def __call__(self, function: F) -> F:
        """Record every call of a function or coroutine function as a run.

        Raises:
            DeclarationError: it is something else.
        """
        if not isfunction(function) or isgeneratorfunction(function) or isasyncgenfunction(function):
            raise DeclarationError(
                f"@batch_job on {function!r:.100}: expected a function or a coroutine function; "
                "use `with batch_job(...)` in anything else"
            )
        if DISABLED:
            return function
        if iscoroutinefunction(function):

            @wraps(function)
            async def job(*args: Any, **kwargs: Any) -> Any:
                async with self:
                    return await function(*args, **kwargs)

        else:

            @wraps(function)
            def job(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return function(*args, **kwargs)

        return cast("F", job)

    def _end(self, error: BaseException | None) -> None:
        """End the newest run of this thread and task; a block that is left elsewhere ends the newest of all."""
        runner = current_runner()
        with self._series.store.declaring:
            newest = self._runs[::-1]
            entry = next((entry for entry in newest if entry[0] == runner), newest[0] if newest else None)
            if entry is None:
                return
            self._runs.remove(entry)
        entry[1].end(error)

    def _publish(self, push: Push, error: BaseException | None) -> None:
        """Push; an exception that the block raised goes on, whatever becomes of the push."""
        attempt(push, self._registry, self._series.store, raising=push.raise_on_error and error is None)


async def _in_thread(work: Callable[[], None]) -> None:
    """Work in a thread: the event loop serves others meanwhile."""
    trio = running_trio()
    if trio is None:
        await asyncio.get_running_loop().run_in_executor(None, work)
        return
    # In a cancelled scope trio would not even begin; the push itself ends by its timeout.
    with trio.CancelScope(shield=True):
        await trio.to_thread.run_sync(work)
