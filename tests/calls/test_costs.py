"""What a call costs, whoever tells its tokens, and that a cost which the call tells itself counts instead."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics, current_call
from tests.recorded import value

COST = "ml_inference_cost_usd_total"
TOKENS = {"input": 1_000_000, "output": 500_000}
ANSWER = {
    "id": "a",
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 500_000, "total_tokens": 1_500_000},
}


def plain(say: Callable[[], object], metrics: MLMetrics) -> Callable[[], object]:
    """Let a function of the result say the tokens."""

    def answer() -> int:
        say()
        return 1

    return metrics.track_inference(model="m", usage=lambda _: TOKENS)(answer)


def stream(say: Callable[[], object], metrics: MLMetrics) -> Callable[[], object]:
    """Let a function of the chunk say the tokens."""

    def answer() -> Iterator[str]:
        say()
        yield "yes"

    function = metrics.track_inference(model="m", usage=lambda _: TOKENS)(answer)
    return lambda: list(function())


def known(say: Callable[[], object], metrics: MLMetrics) -> Callable[[], object]:
    """Return a response that says the tokens."""

    def answer() -> dict[str, Any]:
        say()
        return {**ANSWER}

    return metrics.track_inference(model="m")(answer)


def told(say: Callable[[], object], metrics: MLMetrics) -> Callable[[], object]:
    """Let the code of the call say the tokens."""

    def answer() -> int:
        say()
        current_call().tokens(**TOKENS)
        return 1

    return metrics.track_inference(model="m")(answer)


def timed(say: Callable[[Any], object], metrics: MLMetrics) -> Callable[[], object]:
    """Let the block of a timer say the tokens."""

    def answer() -> None:
        with metrics.inference_timer(model="m") as call:
            say(call)
            call.tokens(**TOKENS)

    return answer


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit with prices of its own."""
    return MLMetrics(service="s", registry=registry, prices={"m": {"input": 1, "output": 2}})


def cost(registry: CollectorRegistry) -> float:
    """Return what the calls of the model have cost."""
    return value(registry, COST, service="s", model="m", operation="")


@pytest.mark.parametrize("way", [plain, stream, known, told, timed])
class TestCost:
    """The cost of a call is added once."""

    @pytest.mark.parametrize("times", [1, 3])
    def test_of_its_tokens(
        self, registry: CollectorRegistry, metrics: MLMetrics, way: Callable[..., Callable[[], object]], times: int
    ) -> None:
        """Of its tokens, by the prices in use, the first time and later."""
        call = way(lambda *_: None, metrics)
        for _ in range(times):
            call()
        assert times * 2.0 == pytest.approx(cost(registry))

    def test_that_it_says(
        self, registry: CollectorRegistry, metrics: MLMetrics, way: Callable[..., Callable[[], object]]
    ) -> None:
        """What the call says counts instead of what its tokens cost."""
        call = way(lambda call=None: (call or current_call()).cost(5), metrics)
        for _ in range(2):
            call()
        assert 10.0 == pytest.approx(cost(registry))
        labels = {"service": "s", "model": "m", "operation": "", "token_type": "input"}
        assert 2_000_000 == value(registry, "ml_inference_tokens_total", **labels)
