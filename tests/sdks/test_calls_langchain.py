"""Calls of models through LangChain: models of its own kind, without any SDK, and what SDKs ask inside of them."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.language_models import LLM, BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, GenerationChunk
from langchain_core.tracers import context as tracers
from prometheus_client import CollectorRegistry, generate_latest

from mlmetrics import MLMetrics
from tests import recorded
from tests.sdks.asking import by_labels, tokens, total
from tests.sdks.servers import OpenAIServer

pytestmark = pytest.mark.usefixtures("frozen")

SECRET = "planted-prompt"  # noqa: S105 (planted to be searched for)
WORDS = ("these ", "three ", "words")
ONE = {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8, "input_token_details": {"cache_read": 2}}
SPENT = {"input": 3.0, "cache_read": 2.0, "output": 3.0}


class Own(BaseChatModel):  # type: ignore[misc]  # mypy does not see LangChain
    """A model that answers by itself; `fails_at` is the word before which it raises."""

    model: str = "own"
    fails_at: int | None = None
    told: bool = True

    @property
    def _llm_type(self) -> str:
        return "own"

    def _generate(self, messages: list[Any], stop: Any = None, run_manager: Any = None, **_more: Any) -> ChatResult:
        if self.fails_at is not None or "raise" in messages[-1].content:
            raise LookupError(SECRET)
        usage: Any = ONE if self.told else None
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=SECRET, usage_metadata=usage))])

    def _stream(
        self, messages: list[Any], stop: Any = None, run_manager: Any = None, **_more: Any
    ) -> Iterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=AIMessageChunk(content=""))
        for number, word in enumerate(WORDS):
            if number == self.fails_at:
                raise LookupError(SECRET)
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
        usage: Any = ONE if self.told else None
        yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=usage))


class Waiting(Own):
    """A model that never answers; `asked` is set when it is asked."""

    asked: Any = None

    async def _agenerate(self, messages: list[Any], stop: Any = None, run_manager: Any = None, **_more: Any) -> Any:
        self.asked.set()
        await asyncio.Event().wait()

    async def _astream(
        self, messages: list[Any], stop: Any = None, run_manager: Any = None, **_more: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=AIMessageChunk(content="these "))
        await asyncio.Event().wait()


class Completing(LLM):  # type: ignore[misc]  # as above
    """A model that completes a text."""

    @property
    def _llm_type(self) -> str:
        return "completing"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": "completing"}

    def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **_more: Any) -> str:
        return prompt

    def _stream(
        self, prompt: str, stop: Any = None, run_manager: Any = None, **_more: Any
    ) -> Iterator[GenerationChunk]:
        for word in prompt.split():
            if run_manager:
                run_manager.on_llm_new_token(word)
            yield GenerationChunk(text=word)


class Forwarding(Own):
    """A model that asks a server by the SDK of OpenAI, and tells no usage."""

    url: str

    def _generate(self, messages: list[Any], stop: Any = None, run_manager: Any = None, **_more: Any) -> ChatResult:
        with openai.OpenAI(base_url=self.url, api_key="any") as client:
            asked: Any = [{"role": "user", "content": messages[-1].content}]
            answer = client.chat.completions.create(model="inner", messages=asked)
        content = str(answer.choices[0].message.content)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=content))])


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Iterator[MLMetrics]:
    """Return a toolkit that records LangChain."""
    toolkit = MLMetrics(service="tests", registry=registry)
    with toolkit.instrument_langchain():
        yield toolkit


def verify(
    registry: CollectorRegistry, outcomes: dict[str, int], spent: dict[str, float], *, missing: int = 0, error: str = ""
) -> None:
    """Check all that was recorded of calls of one model."""
    assert outcomes == recorded.outcomes(registry)
    failures = outcomes.get("failure", 0)
    assert ({(error,): float(failures)} if error else {}) == by_labels(
        registry, "ml_inference_errors_total", "error_type"
    )
    assert 0 == recorded.in_progress(registry)
    assert spent == tokens(registry)
    assert missing == total(registry, "ml_inference_usage_missing_total")
    assert {} == recorded.errors(registry)


class TestInvoke:
    """`invoke`, `ainvoke` and what runs several."""

    def test_whole(self, metrics: MLMetrics) -> None:
        """A call has its operation, its model, its provider and its tokens."""
        Own().invoke("any")
        verify(metrics.registry, {"success": 1}, SPENT)
        assert {("own", "chat"): 1.0} == by_labels(metrics.registry, "ml_inference_total", "model", "operation")
        assert {("own",): 1.0} == by_labels(metrics.registry, "ml_inference_response_model_info", "provider")

    async def test_async(self, metrics: MLMetrics) -> None:
        """The same without waiting."""
        await Own().ainvoke("any")
        verify(metrics.registry, {"success": 1}, SPENT)

    def test_failure(self, metrics: MLMetrics) -> None:
        """A model that raises has failed; no usage is missing."""
        with pytest.raises(LookupError):
            Own(fails_at=0).invoke("any")
        verify(metrics.registry, {"failure": 1}, {}, error="LookupError")

    async def test_cancelled(self, metrics: MLMetrics) -> None:
        """A task that is cancelled is a cancelled call, though LangChain tells of no end."""
        asked = asyncio.Event()

        async def client() -> None:
            await Waiting(asked=asked).ainvoke("any")

        task = asyncio.create_task(client())
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        verify(metrics.registry, {"cancelled": 1}, {})

    def test_batch(self, metrics: MLMetrics) -> None:
        """Each input is a call."""
        Own().batch(["one", "two", "three"])
        verify(metrics.registry, {"success": 3}, {kind: 3 * count for kind, count in SPENT.items()})

    async def test_abatch(self, metrics: MLMetrics) -> None:
        """The same without waiting."""
        await Own().abatch(["one", "two", "three"])
        verify(metrics.registry, {"success": 3}, {kind: 3 * count for kind, count in SPENT.items()})

    async def test_generate(self, metrics: MLMetrics) -> None:
        """Each prompt is a call."""
        Own().generate([[HumanMessage("one")], [HumanMessage("two")]])
        await Own().agenerate([[HumanMessage("one")], [HumanMessage("two")]])
        verify(metrics.registry, {"success": 4}, {kind: 4 * count for kind, count in SPENT.items()})

    def test_generate_fails(self, metrics: MLMetrics) -> None:
        """LangChain forgets the other prompts of one that fails: they are cancelled when they are dropped."""
        with pytest.raises(LookupError):
            Own().generate([[HumanMessage("raise")], [HumanMessage("two")]])
        gc.collect()
        verify(metrics.registry, {"failure": 1, "cancelled": 1}, {}, error="LookupError")

    def test_missing(self, metrics: MLMetrics) -> None:
        """A model that tells no usage has a missing one."""
        Own(told=False).invoke("any")
        verify(metrics.registry, {"success": 1}, {}, missing=1)

    async def test_completions(self, metrics: MLMetrics) -> None:
        """Models that complete texts have an operation of their own."""
        Completing().invoke("any")
        await Completing().ainvoke("any")
        Completing().generate(["one", "two"])
        await Completing().agenerate(["one", "two"])
        list(Completing().stream("any text"))
        assert ["any", "text"] == [word async for word in Completing().astream("any text")]
        labels = by_labels(metrics.registry, "ml_inference_total", "model", "operation", "outcome")
        assert {("completing", "completions", "success"): 8.0} == labels
        assert 2 == total(metrics.registry, "ml_inference_first_chunk_seconds_count")
        assert {} == recorded.errors(metrics.registry)


class TestStream:
    """`stream` and `astream`."""

    def test_read(self, metrics: MLMetrics) -> None:
        """The first chunk is the first with content, and the usage comes at the end."""
        list(Own().stream("any"))
        verify(metrics.registry, {"success": 1}, SPENT)
        assert 1 == total(metrics.registry, "ml_inference_first_chunk_seconds_count")
        assert 2 == total(metrics.registry, "ml_inference_chunk_interval_seconds_count")

    async def test_read_async(self, metrics: MLMetrics) -> None:
        """The same without waiting."""
        assert "".join(WORDS) == "".join([str(chunk.content) async for chunk in Own().astream("any")])
        verify(metrics.registry, {"success": 1}, SPENT)
        assert 2 == total(metrics.registry, "ml_inference_chunk_interval_seconds_count")

    def test_failure(self, metrics: MLMetrics) -> None:
        """A stream that raises has failed, and its usage is missing."""
        with pytest.raises(LookupError):
            list(Own(fails_at=1).stream("any"))
        verify(metrics.registry, {"failure": 1}, {}, missing=1, error="LookupError")

    def test_left(self, metrics: MLMetrics) -> None:
        """A stream that is left is cancelled."""
        next(Own().stream("any"))
        gc.collect()
        verify(metrics.registry, {"cancelled": 1}, {}, missing=1)

    async def test_left_async(self, metrics: MLMetrics) -> None:
        """The same without waiting, closed or cancelled."""
        chunks: Any = Own().astream("any")
        await anext(chunks)
        await chunks.aclose()
        chunks = Waiting().astream("any")
        await anext(chunks)
        task = asyncio.create_task(anext(chunks))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        verify(metrics.registry, {"cancelled": 2}, {}, missing=2)

    def test_never_iterated(self, metrics: MLMetrics) -> None:
        """A stream that nobody reads asks nothing, and is no call."""
        Own().stream("any")
        gc.collect()
        assert recorded.absent(metrics.registry, "ml_inference_total")


class TestInside:
    """What models ask by SDKs that are recorded."""

    def test_one_call(self, metrics: MLMetrics, openai_server: OpenAIServer) -> None:
        """A request inside of a run is no call of its own, and tells the run its tokens."""
        with metrics.instrument_openai():
            Forwarding(url=f"{openai_server.url}/v1").invoke("two words")
        verify(metrics.registry, {"success": 1}, {"input": 2.0, "output": 2.0})
        assert [("own",)] == list(by_labels(metrics.registry, "ml_inference_total", "model"))

    async def test_several(self, metrics: MLMetrics, openai_server: OpenAIServer) -> None:
        """Each of several prompts gets the tokens of its own request."""
        model = Forwarding(url=f"{openai_server.url}/v1")
        prompts: Any = [[HumanMessage("one")], [HumanMessage("two words")]]
        with metrics.instrument_openai():
            model.generate(prompts)
            await model.agenerate(prompts)
            model.batch(["one", "two words"])
        verify(metrics.registry, {"success": 6}, {"input": 9.0, "output": 9.0})

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_between_chunks(self, metrics: MLMetrics, openai_server: OpenAIServer, *, asynchronous: bool) -> None:
        """What the program asks between two chunks, or after a run, is a call of its own."""

        def ask() -> None:
            with openai.OpenAI(base_url=f"{openai_server.url}/v1", api_key="any") as client:
                client.chat.completions.create(model="other", messages=[{"role": "user", "content": "hello"}])

        async def asking() -> None:
            chunks = Own().astream("any")
            await anext(chunks)
            ask()
            assert [chunk async for chunk in chunks]
            await Own().ainvoke("any")
            ask()

        with metrics.instrument_openai():
            if asynchronous:
                asyncio.run(asking())
            else:
                chunks = Own().stream("any")
                next(chunks)
                ask()
                list(chunks)
                Own().invoke("any")
                ask()
        assert {("own",): 2.0, ("other",): 2.0} == by_labels(metrics.registry, "ml_inference_total", "model")

    def test_decorated(self, metrics: MLMetrics) -> None:
        """A decorated function is a call of its own, and the tokens are those of the model's call."""

        @metrics.track_inference(model="rag")
        def answer() -> Any:
            return Own().invoke("any")

        @metrics.track_inference(model="rag")
        def chunks() -> Any:
            yield from Own().stream("any")

        answer()
        list(chunks())
        assert {("rag",): 2.0, ("own",): 2.0} == by_labels(metrics.registry, "ml_inference_total", "model")
        assert {("own",): 16.0} == by_labels(metrics.registry, "ml_inference_tokens_total", "model")


class TestInstrument:
    """`instrument_langchain`."""

    def test_undone(self, registry: CollectorRegistry) -> None:
        """Nothing is left of it, and a run that has begun is recorded to its end."""
        hooks = list(tracers._configure_hooks)
        with MLMetrics(service="tests", registry=registry).instrument_langchain():
            chunks = Own().stream("any")
            next(chunks)
        Own().invoke("any")
        list(chunks)
        verify(registry, {"success": 1}, SPENT)
        assert hooks == tracers._configure_hooks

    async def test_other_handlers(self, metrics: MLMetrics) -> None:
        """Handlers of the program are called as ever: LangChain leaves some out where others run inline."""

        class Handler(AsyncCallbackHandler):  # type: ignore[misc]  # mypy does not see LangChain
            def __init__(self) -> None:
                self.heard: list[str] = []

            async def on_llm_start(self, *_given: Any, **_more: Any) -> None:
                self.heard.append("start")

            async def on_llm_end(self, *_given: Any, **_more: Any) -> None:
                self.heard.append("end")

        handler = Handler()
        await Completing().ainvoke("any", config={"callbacks": [handler]})
        assert ["start", "end"] == handler.heard
        assert {"success": 1} == recorded.outcomes(metrics.registry)

    def test_several_toolkits(self, metrics: MLMetrics, openai_server: OpenAIServer) -> None:
        """Each toolkit records each call once."""
        other = MLMetrics(service="other", registry=CollectorRegistry())
        with other.instrument_langchain(), metrics.instrument_openai(), other.instrument_openai():
            Forwarding(url=f"{openai_server.url}/v1").invoke("two words")
        for registry in (metrics.registry, other.registry):
            verify(registry, {"success": 1}, {"input": 2.0, "output": 2.0})

    def test_secrets(self, metrics: MLMetrics, caplog: pytest.LogCaptureFixture) -> None:
        """No prompt, answer or message of an error is in what is shown or logged."""
        Own().invoke(SECRET)
        list(Own().stream(SECRET))
        with pytest.raises(LookupError):
            Own(fails_at=0).invoke(SECRET)
        logged = "".join(each.getMessage() for each in caplog.records if each.name.startswith("mlmetrics"))
        assert SECRET not in generate_latest(metrics.registry).decode() + logged
