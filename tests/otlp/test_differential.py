"""Random calls, decoded from an exporter's bytes, against the same numbers counted here, and our own metrics."""

import asyncio
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import AggregationTemporality
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from mlmetrics.integrations.conventions import INSTRUMENTS
from tests.conftest import Clock
from tests.otlp.collector import CUMULATIVE, DELTA, Collector, Key, Point, exporting, key
from tests.recorded import errors, samples

pytestmark = pytest.mark.in_memory  # in files single numbers are not kept

MODELS = ("gpt-4", "gpt-4o-mini", "claude-3")
TICK = 1 / 64
"""Sums of these are exact, in whatever order they are added."""
ROWS = {row.name: row for row in INSTRUMENTS.values()}
ENDINGS = ("success", "quota", "ValueError", "cancelled")


@dataclass(frozen=True)
class Step:
    """One call, or a collection."""

    kind: str
    model: str = ""
    ending: str = "success"
    ticks: tuple[int, ...] = ()
    tokens: dict[str, int] = field(default_factory=dict)


TICKS = st.integers(0, 64 * 100)
TOKENS = st.dictionaries(
    st.sampled_from(("input", "cache_read", "cache_write", "output", "reasoning")), st.integers(0, 1 << 21)
)
CALLS = st.builds(
    Step,
    st.sampled_from(("timer", "decorated", "stream", "async_stream", "tool", "agent")),
    st.sampled_from(MODELS),
    st.sampled_from(ENDINGS),
    st.lists(TICKS, min_size=1, max_size=5).map(tuple),
    TOKENS,
)
STEPS = st.lists(st.one_of(CALLS, CALLS, CALLS, st.just(Step("collect"))), max_size=30)


class Service:
    """A toolkit that makes the calls, and notes each number that OpenTelemetry should get."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.registry = CollectorRegistry()
        self.metrics = MLMetrics("s", self.registry, clock=self.clock)
        self.expected: dict[Key, list[float]] = defaultdict(list)

    def note(self, name: str, number: float, **attributes: str) -> None:
        """Note a number."""
        self.expected[key(name, **attributes)].append(number)

    def make(self, step: Step) -> None:
        """Make a call."""
        getattr(self, f"_{step.kind}")(step)

    def _end(self, name: str, step: Step, ticks: int, **labels: str) -> None:
        if step.ending != "cancelled":
            error = {} if step.ending == "success" else {"error": step.ending}
            self.note(name, ticks * TICK, **labels, **error)

    def _raise(self, ending: str) -> None:
        if ending == "ValueError":
            raise ValueError
        if ending == "cancelled":
            raise asyncio.CancelledError

    def _timed(self, timer: Any, step: Step) -> None:
        with suppress(ValueError, asyncio.CancelledError), timer as call:
            self.clock.advance(step.ticks[0] * TICK)
            if step.tokens and step.kind == "timer":
                call.tokens(**step.tokens)
            if step.ending == "quota":
                call.fail("quota")
            self._raise(step.ending)

    def _timer(self, step: Step) -> None:
        self._timed(self.metrics.inference_timer(model=step.model, operation="chat"), step)
        self._end("client.operation.duration", step, step.ticks[0], operation="chat", model=step.model)
        for token_type, parts in (
            ("input", ("input", "cache_read", "cache_write")),
            ("output", ("output", "reasoning")),
        ):
            told = [step.tokens[part] for part in parts if part in step.tokens]
            if told:
                attributes = {"operation": "chat", "model": step.model, "provider": "_OTHER", "of": token_type}
                self.note("client.token.usage", sum(told), **attributes)

    def _tool(self, step: Step) -> None:
        self._timed(self.metrics.tool_timer(tool=step.model), step)
        self._end("execute_tool.duration", step, step.ticks[0], tool=step.model)

    def _agent(self, step: Step) -> None:
        self._timed(self.metrics.agent_timer(agent=step.model), step)
        self._end("invoke_agent.duration", step, step.ticks[0], agent=step.model)

    def _decorated(self, step: Step) -> None:
        @self.metrics.track_inference(model=step.model, failure=lambda result: result)
        def ask() -> str | None:
            self.clock.advance(step.ticks[0] * TICK)
            self._raise(step.ending)
            return "quota" if step.ending == "quota" else None

        with suppress(ValueError, asyncio.CancelledError):
            ask()
        self._end("client.operation.duration", step, step.ticks[0], operation="inference", model=step.model)

    def _streamed(self, step: Step) -> None:
        """Note the chunks of a stream that was read to its end, or that raised at its end."""
        attributes = {"operation": "inference", "model": step.model, "provider": "_OTHER"}
        first, *gaps = step.ticks
        self.note("client.operation.time_to_first_chunk", first * TICK, **attributes)
        for gap in gaps:
            self.note("client.operation.time_per_output_chunk", gap * TICK, **attributes)
        self._end("client.operation.duration", step, sum(step.ticks), operation="inference", model=step.model)

    def _stream(self, step: Step) -> None:
        @self.metrics.track_inference(model=step.model, failure=_quota)
        def chunks() -> Generator[str]:
            for number, ticks in enumerate(step.ticks, 1):
                self.clock.advance(ticks * TICK)
                yield "quota" if number == len(step.ticks) and step.ending == "quota" else "chunk"
            self._raise(step.ending)

        with suppress(ValueError, asyncio.CancelledError):
            list(chunks())
        self._streamed(step)

    def _async_stream(self, step: Step) -> None:
        @self.metrics.track_inference(model=step.model, failure=_quota)
        async def chunks() -> AsyncGenerator[str]:
            for number, ticks in enumerate(step.ticks, 1):
                self.clock.advance(ticks * TICK)
                yield "quota" if number == len(step.ticks) and step.ending == "quota" else "chunk"
            self._raise(step.ending)

        async def read() -> None:
            with suppress(ValueError, asyncio.CancelledError):
                async for _ in chunks():
                    pass

        asyncio.run(read())
        self._streamed(step)

    def points(self) -> dict[Key, Point]:
        """Return the points that the noted numbers make."""
        return {key: point(key[0], numbers) for key, numbers in self.expected.items()}

    def ours(self) -> dict[str, tuple[float, float]]:
        """Return the count and the sum of each histogram of our own that has a counterpart, under the name of that."""
        found: dict[str, tuple[float, float]] = {}
        for name, row in INSTRUMENTS.items():
            count, total = found.get(row.name, (0.0, 0.0))
            count += sum(sample.value for sample in samples(self.registry, f"{name}_count"))
            total += sum(sample.value for sample in samples(self.registry, f"{name}_sum"))
            if count:
                found[row.name] = count, total
        return found


def _quota(chunk: str) -> str | None:
    return "quota" if chunk == "quota" else None


def point(name: str, numbers: list[float]) -> Point:
    """Return the point that these numbers make, with the bounds of the convention."""
    bounds = ROWS[name].bounds
    buckets = [0] * (len(bounds) + 1)
    for number in numbers:
        buckets[bisect_left(bounds, number)] += 1
    return Point(len(numbers), sum(numbers), bounds, tuple(buckets), ROWS[name].unit)


def by_name(collector: Collector) -> dict[str, tuple[float, float]]:
    """Return the count and the sum of each histogram that was sent, over all attributes."""
    found: dict[str, tuple[float, float]] = {}
    for (name, _), sent in collector.points().items():
        count, total = found.get(name, (0.0, 0.0))
        found[name] = count + sent.count, total + sent.total
    return found


@pytest.mark.parametrize("temporality", [CUMULATIVE, DELTA])
@given(steps=STEPS)
@settings(max_examples=25)
def test_sums_counts_and_buckets(temporality: AggregationTemporality, steps: list[Step]) -> None:
    """At every collection, sums and counts are ours, and buckets those of the same numbers."""
    service = Service()
    with exporting(temporality) as (provider, collector), service.metrics.instrument_opentelemetry(provider):
        for step in (*steps, Step("collect")):
            if step.kind != "collect":
                service.make(step)
                continue
            provider.force_flush()
            assert service.points() == collector.points()
            assert service.ours() == by_name(collector)
    assert {} == errors(service.registry)


@pytest.mark.parametrize("temporality", [CUMULATIVE, DELTA])
def test_collections_beside_threads(temporality: AggregationTemporality) -> None:
    """Nothing is lost or doubled where threads record while a reader collects again and again."""
    service = Service()
    metrics, each = service.metrics, 3000

    def record(model: str) -> None:
        for number in range(each):
            metrics.track_ml_inference(model, "s", (number % 640) * TICK, success=number % 7 != 0)

    threads = [threading.Thread(target=partial(record, model)) for model in MODELS]
    with exporting(temporality) as (provider, collector), metrics.instrument_opentelemetry(provider):
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            provider.force_flush()
        provider.force_flush()
        assert [each * len(MODELS)] == [count for count, _ in by_name(collector).values()]
        assert service.ours() == by_name(collector)
