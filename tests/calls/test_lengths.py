"""Lengths of prompts and answers, and the speed of answers: once at the end of each call whose tokens are known."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics, current_call
from tests.conftest import Clock
from tests.recorded import absent, errors, samples, value

PROMPT, COMPLETION = "ml_inference_prompt_tokens", "ml_inference_completion_tokens"
SPEED = "ml_inference_output_tokens_per_second"
TOKENS = "ml_inference_tokens_total"
RESPONSE = {
    "id": "c1",
    "object": "chat.completion",
    "model": "gpt-4",
    "choices": [{"message": {"content": "to be"}}],
    "usage": {"prompt_tokens": 120, "completion_tokens": 48},
}
CHUNKS = [
    {"id": "c2", "object": "chat.completion.chunk", "choices": [{"delta": {"content": "to"}}]},
    {"id": "c2", "object": "chat.completion.chunk", "choices": [], "usage": RESPONSE["usage"]},
]


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> MLMetrics:
    """Return a toolkit on a registry and a clock of its own."""
    return MLMetrics(service="s", registry=registry, clock=clock)


def found(registry: CollectorRegistry) -> dict[str, tuple[float, float]]:
    """Return the count and the sum of each of the three histograms that there is."""
    return {
        name: (value(registry, f"{name}_count"), value(registry, f"{name}_sum"))
        for name in (PROMPT, COMPLETION, SPEED)
        if not absent(registry, f"{name}_count")
    }


ONCE = {PROMPT: (1, 120), COMPLETION: (1, 48), SPEED: (1, 24)}
"""What a call of two seconds with the usage above records."""


class TestCall:
    """What the code of a call says by `tokens`."""

    def test_timer(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """All that was said together, at the end: the prompt with what was cached, the answer with its reasoning."""
        with metrics.inference_timer(model="m") as call:
            clock.advance(2)
            call.tokens(input=100, cache_read=15, output=40)
            call.tokens(cache_write=5, reasoning=8)
            assert {} == found(registry)
        assert ONCE == found(registry)
        assert 168 == value(registry, TOKENS)

    def test_current_call(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """Of a decorated function too; what its answer says is not counted then."""

        @metrics.track_inference(model="m")
        def ask() -> Any:
            clock.advance(2)
            current_call().tokens(input=120, output=48)
            return RESPONSE

        ask()
        assert ONCE == found(registry)

    @pytest.mark.parametrize("error", [TimeoutError, asyncio.CancelledError])
    def test_call_that_raises(
        self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, error: type[BaseException]
    ) -> None:
        """The tokens of a call that fails or is cancelled have been used all the same."""

        def ask() -> None:
            with metrics.inference_timer(model="m") as call:
                clock.advance(2)
                call.tokens(input=120, output=48)
                raise error

        with pytest.raises(error):
            ask()
        assert ONCE == found(registry)

    def test_only_a_prompt(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """An embedding has no answer, and no speed."""
        with metrics.inference_timer(model="m") as call:
            clock.advance(2)
            call.tokens(input=120)
        assert {PROMPT: (1, 120)} == found(registry)

    def test_no_time(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A call that took no time has no speed; nor has an answer without a token."""
        with metrics.inference_timer(model="m") as call:
            call.tokens(output=48)
        assert {COMPLETION: (1, 48)} == found(registry)

    def test_empty_answer(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """An answer without a token has a length, which is 0, and no speed."""
        with metrics.inference_timer(model="m") as call:
            clock.advance(2)
            call.tokens(input=0, output=0)
        assert {PROMPT: (1, 0), COMPLETION: (1, 0)} == found(registry)

    def test_after_the_end(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """Tokens that are told when the call is over are counted, and change no length."""
        with metrics.inference_timer(model="m") as call:
            clock.advance(2)
            call.tokens(input=100)
        call.tokens(input=20, output=48)
        assert {PROMPT: (1, 100)} == found(registry)
        assert 168 == value(registry, TOKENS)

    def test_nothing_known(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """A call of which no tokens are known, or none that can be counted, records none of it."""
        with metrics.inference_timer(model="m") as call:
            clock.advance(2)
            call.tokens(input=None, output="many", moons=3)  # type: ignore[arg-type]
        with metrics.inference_timer(model="m"):
            clock.advance(2)
        assert {} == found(registry)
        assert {"tokens": 2} == errors(registry)

    def test_many(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """Many calls are folded as they come."""
        for _ in range(2000):
            with metrics.inference_timer(model="m") as call:
                clock.advance(2)
                call.tokens(input=120, output=48)
        assert {PROMPT: (2000, 240_000), COMPLETION: (2000, 96_000), SPEED: (2000, 48_000)} == found(registry)


def usage_of(result: Any) -> dict[str, float] | None:
    """Return the tokens of a response or a chunk."""
    used = result.get("usage")
    return used and {"input": used["prompt_tokens"], "output": used["completion_tokens"]}


@pytest.mark.parametrize("usage", ["auto", usage_of], ids=["auto", "usage"])
class TestAnswer:
    """What the answer of a decorated function says."""

    def test_function(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, usage: Any) -> None:
        """Whole."""

        def ask() -> Any:
            clock.advance(2)
            return RESPONSE

        metrics.track_inference(model="m", usage=usage)(ask)()
        assert ONCE == found(registry)

    def test_coroutine(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, usage: Any) -> None:
        """Awaited, of a coroutine function and of a function that returns a coroutine."""

        async def ask() -> Any:
            clock.advance(2)
            return RESPONSE

        asyncio.run(metrics.track_inference(model="m", usage=usage)(ask)())
        assert ONCE == found(registry)
        clock.advance(1)  # at the same time, it would be the same response
        asyncio.run(metrics.track_inference(model="m", usage=usage)(lambda: ask())())  # noqa: PLW0108 (a function)
        assert {name: (2, 2 * total) for name, (_, total) in ONCE.items()} == found(registry)

    def test_future(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, usage: Any) -> None:
        """Of a future, when it is done."""
        future: Future[Any] = Future()
        metrics.track_inference(model="m", usage=usage)(lambda: future)()
        clock.advance(2)
        future.set_result(RESPONSE)
        assert ONCE == found(registry)

    def test_generator(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, usage: Any) -> None:
        """Of a stream, by the duration of the stream."""

        def ask() -> Iterator[Any]:
            for chunk in CHUNKS:
                clock.advance(1)
                yield chunk

        list(metrics.track_inference(model="m", usage=usage)(ask)())
        assert ONCE == found(registry)
        clock.advance(1)  # as above
        list(metrics.track_inference(model="m", usage=usage)(lambda: ask())())  # noqa: PLW0108 (a function)
        assert {name: (2, 2 * total) for name, (_, total) in ONCE.items()} == found(registry)

    def test_async_generator(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, usage: Any) -> None:
        """Of an asynchronous stream too, read to its end or left after its usage."""

        async def ask() -> AsyncIterator[Any]:
            for chunk in CHUNKS:
                clock.advance(1)
                yield chunk

        async def read() -> None:
            assert 2 == len([chunk async for chunk in metrics.track_inference(model="m", usage=usage)(ask)()])

        asyncio.run(read())
        assert ONCE == found(registry)


class TestOnce:
    """One response has one length, however many layers hand it on."""

    @pytest.mark.parametrize("usage", ["auto", usage_of], ids=["auto", "usage"])
    @pytest.mark.parametrize("kind", ["function", "coroutine", "made coroutine", "future", "generator"])
    def test_told_twice(
        self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock, usage: Any, kind: str
    ) -> None:
        """Where the code of a call has told its tokens, its answer is not asked for them."""

        def ask() -> Any:
            current_call().tokens(input=120, output=48)
            clock.advance(2)
            return RESPONSE

        async def ask_later() -> Any:
            return ask()

        def ask_elsewhere() -> Any:
            current_call().tokens(input=120, output=48)
            return future

        def chunks() -> Iterator[Any]:
            yield ask()

        future: Future[Any] = Future()
        asked: dict[str, Any] = {
            "function": ask,
            "coroutine": ask_later,
            "made coroutine": lambda: ask_later(),  # noqa: PLW0108 (a function)
            "future": ask_elsewhere,
            "generator": chunks,
        }
        result = metrics.track_inference(model="m", usage=usage)(asked[kind])()
        if kind == "future":
            clock.advance(2)
            future.set_result(RESPONSE)
        elif kind == "generator":
            list(result)
        elif kind != "function":
            asyncio.run(result)
        assert ONCE == found(registry)
        assert 168 == value(registry, TOKENS)

    def test_layers(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """A function that returns the response of another one that is decorated too does not count it."""

        @metrics.track_inference(model="inner")
        def inner() -> Any:
            clock.advance(2)
            return RESPONSE

        metrics.track_inference(model="outer")(lambda: inner())()  # noqa: PLW0108 (a function)
        assert ONCE == found(registry)
        assert ["inner"] == list({each.labels["model"] for each in samples(registry, f"{PROMPT}_count")})

    def test_usage_none(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """With `usage=None` nothing of it is recorded."""
        metrics.track_inference(model="m", usage=None)(lambda: RESPONSE)()
        assert {} == found(registry)
