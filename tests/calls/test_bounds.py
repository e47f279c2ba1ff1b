"""Lists that grow are folded exactly when they pass their bound, and not before."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.catalog import INFERENCE
from mlmetrics.recording.series import BOUND
from tests.recorded import outcomes, samples, value

pytestmark = pytest.mark.in_memory  # in files nothing waits to be folded

FIRST = "ml_inference_first_chunk_seconds"
GAPS = "ml_inference_chunk_interval_seconds"


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own."""
    return MLMetrics(service="s", registry=registry)


def started(metrics: MLMetrics) -> list[Any]:
    """Return the calls of the model `m` that have begun and wait to be folded."""
    series: Any = metrics.calls(INFERENCE).series("s", ("m", ""))
    waiting: list[Any] = series.started
    return waiting


def test_calls(metrics: MLMetrics) -> None:
    """Fast calls are folded by the call that exceeds the bound."""
    call = metrics.track_inference(model="m")(lambda: None)
    for _ in range(2):  # the first round takes the slow path in any case, to check whether tracing is on
        for _ in range(BOUND):
            call()
        assert BOUND == len(started(metrics))
        call()
        assert 0 == len(started(metrics))


def test_cancelled_calls(metrics: MLMetrics) -> None:
    """The same of calls that are cancelled."""

    @metrics.track_inference(model="m")
    def call() -> None:
        raise asyncio.CancelledError

    for expected in (*range(1, BOUND + 1), 0):
        with pytest.raises(asyncio.CancelledError):
            call()
        assert expected == len(started(metrics))


async def test_coroutine_functions(metrics: MLMetrics) -> None:
    """Calls of coroutine functions are folded at the bound."""

    @metrics.track_inference(model="m")
    async def call() -> None: ...

    for _ in range(BOUND):
        await call()
    assert BOUND == len(started(metrics))
    await call()
    assert 0 == len(started(metrics))


def test_timers(metrics: MLMetrics) -> None:
    """Calls of timers are folded at the bound."""
    for _ in range(2):
        for _ in range(BOUND):
            with metrics.inference_timer(model="m"):
                pass
        assert BOUND == len(started(metrics))
        with metrics.inference_timer(model="m"):
            pass
        assert 0 == len(started(metrics))


def test_streams_that_are_handed_out(metrics: MLMetrics) -> None:
    """Streams that nobody iterates are folded too, although their calls do not end."""
    call = metrics.track_inference(model="m")(lambda: map(str, "ab"))
    kept = [call() for _ in range(BOUND)]
    assert BOUND == len(started(metrics))
    kept.append(call())
    assert 0 == len(started(metrics))


def decorated(metrics: MLMetrics) -> Iterator[int]:
    """Return a stream from a generator function."""

    @metrics.track_inference(model="m")
    def stream() -> Iterator[int]:
        yield from range(BOUND + 2)

    return stream()


def handed_out(metrics: MLMetrics) -> Iterator[int]:
    """Return a stream from a function that returns an iterator."""
    made: Iterator[int] = metrics.track_inference(model="m")(lambda: map(int, range(BOUND + 2)))()
    return made


@pytest.mark.parametrize("made", [decorated, handed_out])
def test_chunks(metrics: MLMetrics, made: Any) -> None:
    """The intervals of one long stream are recorded while it runs: a call keeps no more than so many."""
    stream = made(metrics)
    for _ in range(BOUND + 1):
        next(stream)
    assert 0 == value(metrics.registry, f"{GAPS}_count")
    next(stream)
    assert BOUND + 1 == value(metrics.registry, f"{GAPS}_count")


async def test_chunks_of_an_async_generator(metrics: MLMetrics) -> None:
    """The intervals of an async generator are recorded while it runs, likewise."""

    @metrics.track_inference(model="m")
    async def stream() -> AsyncIterator[int]:
        for number in range(BOUND + 2):
            yield number

    chunks = stream()
    for _ in range(BOUND + 1):
        await anext(chunks)
    assert 0 == value(metrics.registry, f"{GAPS}_count")
    await anext(chunks)
    assert BOUND + 1 == value(metrics.registry, f"{GAPS}_count")


class Chunks:
    """An async stream as an SDK returns it."""

    def __init__(self) -> None:
        self._left = iter("abc")

    def __aiter__(self) -> "Chunks":
        return self

    async def __anext__(self) -> str:
        for chunk in self._left:
            return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the connection."""


def asked() -> Chunks:
    """Return a stream; a class cannot be decorated."""
    return Chunks()


async def test_chunks_of_an_async_stream(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """Each chunk of an async stream that was handed out is recorded."""
    stream: Any = metrics.track_inference(model="m")(asked)()
    assert ["a", "b", "c"] == [chunk async for chunk in stream]
    assert [1] == [sample.value for sample in samples(registry, f"{FIRST}_count")]
    assert [2] == [sample.value for sample in samples(registry, f"{GAPS}_count")]


async def test_closing_ends_an_async_stream(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A closed async stream has ended, although there is still a reference to it."""
    stream: Any = metrics.track_inference(model="m")(asked)()
    await anext(stream)
    await stream.aclose()
    assert {"cancelled": 1} == outcomes(registry)


@pytest.mark.parametrize(("stream", "declared"), [(None, [0]), (True, [0]), (False, [])])
def test_chunks_stand_at_0(
    registry: CollectorRegistry,
    metrics: MLMetrics,
    stream: bool | None,  # noqa: FBT001 (as the user says it)
    declared: list[int],
) -> None:
    """A generator function has series of chunks at 0 before its first call, unless `stream=False`."""

    @metrics.track_inference(model="m", stream=stream)
    def chunks() -> Iterator[str]:
        yield "a"

    for name in (FIRST, GAPS):
        assert declared == [sample.value for sample in samples(registry, f"{name}_count")]
