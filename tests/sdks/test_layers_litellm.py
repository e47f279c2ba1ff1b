"""LangChain calls LiteLLM, which calls the SDK of OpenAI, which asks a server: one call, whatever is instrumented."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import combinations, permutations
from typing import Any

import litellm
import openai
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from opentelemetry import context
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics
from tests import recorded
from tests.sdks.asking import by_labels, tokens, total
from tests.sdks.asking_litellm import dropped
from tests.sdks.conftest import installed
from tests.sdks.servers import OpenAIServer, Scenario

pytestmark = pytest.mark.usefixtures("frozen")

PROMPT = "say these four words"
SPENT = {"input": 4, "output": 4}
LAYERS = {"langchain": "openai/asked", "litellm": "openai/asked", "openai": "asked"}
"""From the outermost, each with the model that it is asked for."""
SUBSETS = [subset for size in (1, 2, 3) for subset in combinations(LAYERS, size)]
USAGE: Any = {"include_usage": True}


class Asking(BaseChatModel):  # type: ignore[misc]  # mypy does not see LangChain
    """A chat model by LiteLLM, where langchain-litellm is not installed."""

    model: str
    place: dict[str, Any]

    @property
    def _llm_type(self) -> str:
        return "asking"

    def _asked(self, messages: list[Any], **more: Any) -> Any:
        asked = [{"role": "user", "content": messages[-1].content}]
        return litellm.completion(model=self.model, messages=asked, max_retries=0, **self.place, **more)

    def _generate(self, messages: list[Any], stop: Any = None, run_manager: Any = None, **_more: Any) -> ChatResult:
        message = AIMessage(content=self._asked(messages).choices[0].message.content)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self, messages: list[Any], stop: Any = None, run_manager: Any = None, **_more: Any
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self._asked(messages, stream=True, stream_options=USAGE):
            text = chunk.choices[0].delta.content if chunk.choices else None
            yield ChatGenerationChunk(message=AIMessageChunk(content=text or ""))


@pytest.fixture
def place(openai_server: OpenAIServer) -> dict[str, Any]:
    """Return where the server is."""
    return {"api_base": f"{openai_server.url}/v1", "api_key": "any"}


@pytest.fixture(params=["own", *(["langchain_litellm"] if installed("langchain_litellm") else [])])
def model(request: pytest.FixtureRequest, place: dict[str, Any]) -> BaseChatModel:
    """Return a chat model that asks by LiteLLM."""
    if request.param == "own":
        return Asking(model="openai/asked", place=place)
    from langchain_litellm import ChatLiteLLM  # noqa: PLC0415  # installed in some environments

    return ChatLiteLLM(model="openai/asked", max_retries=0, **place)


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit."""
    return MLMetrics(service="tests", registry=registry)


def instrumented(metrics: MLMetrics, *layers: str) -> ExitStack:
    """Return the instruments of these layers, for a `with` block."""
    stack = ExitStack()
    for layer in layers:
        stack.enter_context(getattr(metrics, f"instrument_{layer}")())
    return stack


def only(registry: CollectorRegistry, model: str, outcome: str = "success") -> None:
    """Check that there was one call, of this model."""
    assert {(model, outcome): 1.0} == by_labels(registry, "ml_inference_total", "model", "outcome")
    assert 0 == recorded.in_progress(registry)
    assert {} == recorded.errors(registry)


async def read_async(model: BaseChatModel) -> None:
    """Read a stream without waiting."""
    _ = [chunk async for chunk in model.astream(PROMPT)]


WAYS: dict[str, Callable[[Any], Any]] = {
    "invoke": lambda model: model.invoke(PROMPT),
    "ainvoke": lambda model: asyncio.run(model.ainvoke(PROMPT)),
    "stream": lambda model: list(model.stream(PROMPT)),
    "astream": lambda model: asyncio.run(read_async(model)),
}


class TestOneCall:
    """However many layers are instrumented, the outermost is the call."""

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("layers", SUBSETS, ids="+".join)
    def test_subsets(
        self, metrics: MLMetrics, openai_server: OpenAIServer, model: BaseChatModel, layers: tuple[str, ...], way: str
    ) -> None:
        """One call of the outermost layer that is instrumented, with its tokens and their lengths, once."""
        with instrumented(metrics, *layers):
            WAYS[way](model)
        only(metrics.registry, LAYERS[layers[0]])
        assert SPENT == openai_server.ledger.tokens()
        told = layers != ("langchain",) or not isinstance(model, Asking)  # which tells LangChain no usage
        assert (SPENT if told else {}) == tokens(metrics.registry)
        assert float(not told) == total(metrics.registry, "ml_inference_usage_missing_total")
        for length in ("prompt_tokens", "completion_tokens", "output_tokens_per_second"):
            assert float(told) == total(metrics.registry, f"ml_inference_{length}_count")

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("layers", SUBSETS, ids="+".join)
    def test_missing(
        self, metrics: MLMetrics, openai_server: OpenAIServer, model: BaseChatModel, layers: tuple[str, ...], way: str
    ) -> None:
        """Usage that the server did not send is missing, although LiteLLM shows an estimate to the layers outside."""
        openai_server.queue(Scenario(usage=False))
        with instrumented(metrics, *layers):
            WAYS[way](model)
        only(metrics.registry, LAYERS[layers[0]])
        if layers != ("langchain",):  # which sees the estimate only
            assert {} == tokens(metrics.registry)
            assert 1 == total(metrics.registry, "ml_inference_usage_missing_total")

    @pytest.mark.parametrize("way", ["invoke", "stream"])
    def test_decorated(self, metrics: MLMetrics, openai_server: OpenAIServer, model: BaseChatModel, way: str) -> None:
        """A decorated function around it is another call; the tokens are those of the outermost instrument."""

        @metrics.track_inference(model="rag")
        def answer() -> Any:
            return WAYS[way](model)

        with instrumented(metrics, *LAYERS):
            answer()
        assert {("rag",): 1.0, ("openai/asked",): 1.0} == by_labels(metrics.registry, "ml_inference_total", "model")
        assert {("openai/asked",): 8.0} == by_labels(metrics.registry, "ml_inference_tokens_total", "model")
        assert SPENT == openai_server.ledger.tokens() == tokens(metrics.registry)
        assert 0 == recorded.in_progress(metrics.registry)

    def test_failures(self, metrics: MLMetrics, openai_server: OpenAIServer, place: dict[str, Any]) -> None:
        """A request that is rejected, or a stream that breaks off, is one failure."""
        model = Asking(model="openai/asked", place=place)
        openai_server.queue(Scenario(status=500), Scenario(cut_at=2), Scenario(error_at=2))
        with instrumented(metrics, *LAYERS):
            for way in ("invoke", "stream", "stream"):
                with pytest.raises(Exception, match=r"."):
                    WAYS[way](model)
        assert {"failure": 3} == recorded.outcomes(metrics.registry)
        assert {} == tokens(metrics.registry)
        assert 2 == total(metrics.registry, "ml_inference_usage_missing_total")

    @pytest.mark.parametrize("layers", SUBSETS, ids="+".join)
    def test_left(
        self, metrics: MLMetrics, openai_server: OpenAIServer, model: BaseChatModel, layers: tuple[str, ...]
    ) -> None:
        """A stream that is left is one cancelled call."""
        scenario = openai_server.queue(Scenario(hold_at=2))
        with instrumented(metrics, *layers):
            chunks = model.stream(PROMPT)
            next(chunks)
            next(chunks)
            chunks.close()
            del chunks
            dropped(metrics.registry)
        scenario.release()
        only(metrics.registry, LAYERS[layers[0]], "cancelled")
        assert {} == tokens(metrics.registry)
        assert 1 == total(metrics.registry, "ml_inference_usage_missing_total")

    def test_retried(self, metrics: MLMetrics, openai_server: OpenAIServer, place: dict[str, Any]) -> None:
        """What a layer inside tries again is one call."""
        openai_server.queue(Scenario(status=429), Scenario(status=429))
        messages = [{"role": "user", "content": PROMPT}]
        with instrumented(metrics, "litellm", "openai"):
            litellm.completion(model="openai/asked", messages=messages, num_retries=1, max_retries=1, **place)
        only(metrics.registry, "openai/asked")
        assert SPENT == tokens(metrics.registry)

    def test_alone(self, metrics: MLMetrics, place: dict[str, Any]) -> None:
        """A call of an inner layer alone is a call, beside the calls of outer ones."""
        messages: Any = [{"role": "user", "content": PROMPT}]
        with instrumented(metrics, *LAYERS):
            litellm.completion(model="openai/asked", messages=messages, **place)
            with openai.OpenAI(base_url=place["api_base"], api_key="any") as client:
                client.chat.completions.create(model="asked", messages=messages)
        assert {("openai/asked",): 1.0, ("asked",): 1.0} == by_labels(metrics.registry, "ml_inference_total", "model")
        assert {kind: 2 * count for kind, count in SPENT.items()} == tokens(metrics.registry)


class TestUninstrument:
    """Each instrument is undone by itself."""

    @pytest.mark.parametrize("order", list(permutations(LAYERS)), ids="-".join)
    def test_any_order(
        self, metrics: MLMetrics, openai_server: OpenAIServer, place: dict[str, Any], order: tuple[str, ...]
    ) -> None:
        """In whatever order, there is one call as long as one instrument is left, and then none."""
        model = Asking(model="openai/asked", place=place)
        handles = {layer: getattr(metrics, f"instrument_{layer}")() for layer in reversed(order)}
        for number, layer in enumerate(order, start=1):
            model.invoke(PROMPT)
            assert number == sum(recorded.outcomes(metrics.registry).values())
            handles[layer].uninstrument()
        model.invoke(PROMPT)
        assert {"success": 3} == recorded.outcomes(metrics.registry)
        assert 4 == len(openai_server.ledger.rows)


class TestSuppressed:
    """Who asks by the context of OpenTelemetry that nothing is recorded is heard."""

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize(
        "key",
        [
            context._SUPPRESS_INSTRUMENTATION_KEY,
            "suppress_instrumentation",
            "suppress_language_model_instrumentation",
        ],
        ids=["own", "instrumentation", "language_model"],
    )
    def test_keys(self, metrics: MLMetrics, model: BaseChatModel, key: str, way: str) -> None:
        """No layer records anything, and each does so again afterwards."""
        with instrumented(metrics, *LAYERS):
            token = context.attach(context.set_value(key, True))  # noqa: FBT003 (as its instruments do)
            WAYS[way](model)
            context.detach(token)
            assert recorded.absent(metrics.registry, "ml_inference_total")
            model.invoke(PROMPT)
        assert {"success": 1} == recorded.outcomes(metrics.registry)

    def test_other_keys(self, metrics: MLMetrics, model: BaseChatModel) -> None:
        """Keys of other instruments, as that for HTTP, mean nothing."""
        with instrumented(metrics, *LAYERS):
            token = context.attach(context.set_value("suppress_http_instrumentation", True))  # noqa: FBT003 (as above)
            model.invoke(PROMPT)
            context.detach(token)
        assert {"success": 1} == recorded.outcomes(metrics.registry)
