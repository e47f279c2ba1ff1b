"""The ledger matrix of LiteLLM, and its functions: each call is told once, with what the server has sent."""

import asyncio
import gc
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from types import ModuleType
from typing import Any

import litellm
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from mlmetrics import MLMetrics
from tests import recorded
from tests.sdks.asking import by_labels, got, run, tokens, total
from tests.sdks.asking_litellm import dropped
from tests.sdks.servers import AnthropicServer, OpenAIServer, Scenario

pytestmark = pytest.mark.usefixtures("frozen")

KEY = "sk-planted-0123456789"
SECRET = "planted-prompt"  # noqa: S105 (planted to be searched for)
MESSAGES = [{"role": "user", "content": f"say these four {SECRET}"}]
USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}
SPENT = {"input": 4, "output": 4}
IMPORTED = """
import sys
from mlmetrics import MLMetrics
with MLMetrics(service="tests").instrument_litellm():
    assert "litellm" not in sys.modules
"""

Program = Callable[[], Coroutine[Any, Any, Any]]


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Iterator[MLMetrics]:
    """Return a toolkit that records LiteLLM."""
    toolkit = MLMetrics(service="tests", registry=registry)
    with toolkit.instrument_litellm():
        yield toolkit


@pytest.fixture(params=["sync", "async"])
def asynchronous(request: pytest.FixtureRequest) -> bool:
    """Say which functions are called."""
    return bool(request.param == "async")


class Asking:
    """Calls the functions of LiteLLM, and drops all that is left of them."""

    def __init__(self, server: OpenAIServer, *, asynchronous: bool) -> None:
        self.server = server
        self.place = {"api_base": f"{server.url}/v1", "api_key": KEY, "max_retries": 0}
        self.asynchronous = asynchronous

    def call(self, name: str, **more: Any) -> Any:
        """Call a function, or its async form."""
        function = getattr(litellm, f"a{name}" if self.asynchronous else name)
        return function(**{"model": "openai/asked", **self.place, **more})

    def chat(self, **more: Any) -> Any:
        """Ask for a chat completion."""
        return self.call("completion", messages=MESSAGES, **more)

    async def read(self, stream: Any) -> list[Any]:
        """Read a stream, which can be read both ways."""
        return [item async for item in stream] if self.asynchronous else list(stream)

    async def take(self, stream: Any, chunks: int) -> None:
        """Read the first chunks of a stream."""
        for _ in range(chunks):
            await anext(stream) if self.asynchronous else next(stream)

    def play(self, program: Program) -> BaseException | None:
        """Run a program; return what it raised."""
        raised: BaseException | None = None
        try:
            (asyncio.run if self.asynchronous else run)(program())
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (whatever LiteLLM raises is compared)
            raised = error.with_traceback(None)
            raised.__cause__ = raised.__context__ = None
        gc.collect()
        return raised


@pytest.fixture
def asking(openai_server: OpenAIServer, metrics: MLMetrics, *, asynchronous: bool) -> Asking:
    """Return what asks the server of OpenAI while LiteLLM is recorded."""
    return Asking(openai_server, asynchronous=asynchronous)


def verify(  # what is known of one call
    registry: CollectorRegistry, outcome: str, spent: dict[str, int], *, missing: bool, error: str = ""
) -> None:
    """Check all that was recorded of one call."""
    assert {(outcome,): 1.0} == by_labels(registry, "ml_inference_total", "outcome")
    assert ({(error,): 1.0} if error else {}) == by_labels(registry, "ml_inference_errors_total", "error_type")
    assert 0 == recorded.in_progress(registry)
    assert spent == tokens(registry)
    assert float(missing) == total(registry, "ml_inference_usage_missing_total")
    assert {} == recorded.errors(registry)


def error_name(error: BaseException) -> str:
    """Return the type of an error, within what tells LiteLLM's router that a fallback can go on."""
    return type(getattr(error, "original_exception", None) or error).__name__


CASES: dict[str, tuple[list[Callable[[], Scenario]], dict[str, Any]]] = {
    "ok": ([Scenario], {}),
    "no_usage": ([lambda: Scenario(usage=False)], {}),
    "timed_out": ([lambda: Scenario(timed_out=True)], {"timeout": 0.2}),
    "held": ([lambda: Scenario(hold_at=2)], {"timeout": 0.4}),
    "limited": ([lambda: Scenario(status=429), Scenario], {"num_retries": 1}),
    "rejected": ([lambda: Scenario(status=500)], {}),
    "cut": ([lambda: Scenario(cut_at=2)], {}),
    "cut_and_terminated": ([lambda: Scenario(cut_at=2, terminated=True)], {}),
    "error_inside": ([lambda: Scenario(error_at=2)], {}),
}


class TestLedger:
    """Every case against the ledger: one outcome, nothing in progress, tokens by type, missing usage."""

    @pytest.mark.parametrize("case", CASES)
    @pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
    def test_told(self, asking: Asking, registry: CollectorRegistry, case: str, *, streams: bool) -> None:
        """A call that is read to its end."""
        scenarios, options = CASES[case]
        asking.server.queue(*(make() for make in scenarios))
        more = {"stream": True, **USAGE} if streams else {}

        async def program() -> None:
            answer = await got(asking.chat(**more, **options))
            if streams:
                await asking.read(answer)

        error = asking.play(program)
        row, spent = asking.server.ledger.rows[-1], asking.server.ledger.tokens()
        if not (case == "cut_and_terminated" and streams):  # only newer releases raise where a stream lacks its end
            failing = {"timed_out", "held", "rejected", "cut", "cut_and_terminated", "error_inside"}
            assert (error is not None) == (case in failing)
        answered = error is None or (streams and row.status == 200)
        outcome = "success" if error is None else "failure"
        name = "" if error is None else error_name(error)
        verify(registry, outcome, spent, missing=answered and not spent, error=name)

    @pytest.mark.parametrize("chunks", [0, 2], ids=["never_iterated", "left"])
    def test_left(self, asking: Asking, registry: CollectorRegistry, chunks: int) -> None:
        """A stream that is dropped is cancelled."""
        scenario = asking.server.queue(Scenario(hold_at=2))

        async def program() -> None:
            stream = await got(asking.chat(stream=True, **USAGE))
            await asking.take(stream, chunks)
            del stream

        assert asking.play(program) is None
        dropped(registry)
        scenario.release()
        verify(registry, "cancelled", {}, missing=True)

    @pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
    def test_cancelled(self, openai_server: OpenAIServer, metrics: MLMetrics, *, streams: bool) -> None:
        """A task that is cancelled while it waits is a cancelled call."""
        asking = Asking(openai_server, asynchronous=True)
        scenario = openai_server.queue(Scenario(hold_at=2))

        async def program() -> None:
            under_way = asyncio.Event()

            async def client() -> None:
                if streams:
                    stream = await asking.chat(stream=True)
                    await asking.take(stream, 2)
                    under_way.set()
                    await asking.read(stream)
                await asking.chat()

            task = asyncio.create_task(client())
            await (under_way.wait() if streams else asyncio.to_thread(scenario.wait_held))
            await asyncio.sleep(0)  # it waits for its next chunk then
            task.cancel()
            await task

        assert isinstance(asking.play(program), asyncio.CancelledError)
        scenario.release()
        verify(metrics.registry, "cancelled", {}, missing=streams)

    def test_closed(self, openai_server: OpenAIServer, metrics: MLMetrics) -> None:
        """A stream that is closed is cancelled at once, though it is kept."""
        asking, kept = Asking(openai_server, asynchronous=True), []
        scenario = openai_server.queue(Scenario(hold_at=2))

        async def program() -> None:
            stream = await asking.chat(stream=True)
            kept.append(stream)
            await asking.take(stream, 2)
            if hasattr(stream, "aclose"):  # earlier releases cannot close one
                await stream.aclose()
            else:
                kept.clear()

        assert asking.play(program) is None
        dropped(metrics.registry)
        scenario.release()
        verify(metrics.registry, "cancelled", {}, missing=True)

    def test_of_anthropic(self, anthropic_server: AnthropicServer, metrics: MLMetrics) -> None:
        """LiteLLM's own clients, of which some ask when a stream is first read, are told like those of SDKs."""
        place = {"model": "anthropic/asked", "api_base": anthropic_server.url, "api_key": KEY, "max_tokens": 64}
        litellm.completion(**place, messages=MESSAGES)
        assert anthropic_server.ledger.tokens() == tokens(metrics.registry)
        list(litellm.completion(**place, messages=MESSAGES, stream=True))
        assert anthropic_server.ledger.tokens() == tokens(metrics.registry)
        anthropic_server.queue(Scenario(error_at=2))
        with pytest.raises(Exception, match=r"."):
            list(litellm.completion(**place, messages=MESSAGES, stream=True))
        assert {"success": 2, "failure": 1} == recorded.outcomes(metrics.registry, model="anthropic/asked")
        assert {("anthropic",)} == set(
            by_labels(metrics.registry, "ml_inference_response_model_info", "provider")
        )  # fmt: skip


FUNCTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "completion": ("chat", {"messages": MESSAGES}),
    "text_completion": ("completions", {"prompt": "say these four words"}),
    "responses": ("responses", {"model": "openai/gpt-4o", "input": "say these four words"}),
}


class TestFunctions:
    """The functions of LiteLLM."""

    @pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_answers(self, asking: Asking, registry: CollectorRegistry, name: str, *, streams: bool) -> None:
        """An answer has its operation, the model as it was given, its provider and its tokens."""
        operation, given = FUNCTIONS[name]
        options = USAGE if name != "responses" else {}

        async def program() -> None:
            answer = await got(asking.call(name, **given, **({"stream": True, **options} if streams else {})))
            if streams:
                await asking.read(answer)

        assert asking.play(program) is None
        model = given.get("model", "openai/asked")
        labels = by_labels(registry, "ml_inference_total", "model", "operation", "outcome")
        assert {(model, operation, "success"): 1.0} == labels
        assert {("openai",): 1.0} == by_labels(registry, "ml_inference_response_model_info", "provider")
        assert asking.server.ledger.tokens() == tokens(registry) == SPENT
        assert float(streams) == total(registry, "ml_inference_first_chunk_seconds_count")
        assert {} == recorded.errors(registry)

    def test_embeddings(self, asking: Asking, registry: CollectorRegistry) -> None:
        """Embeddings have no output."""

        async def program() -> None:
            await got(asking.call("embedding", input=["one", "two words"]))

        assert asking.play(program) is None
        assert {("embeddings", "success"): 1.0} == by_labels(registry, "ml_inference_total", "operation", "outcome")
        assert {"input": 3} == tokens(registry)

    def test_reasoning_and_cache(self, asking: Asking, registry: CollectorRegistry) -> None:
        """Types of tokens are those of the ledger; the first chunk of the reasoning is apart."""
        asking.server.cached.add("Be brief.")
        asking.server.queue(Scenario(reasoning_content=True))
        more = {"stream": True, **USAGE, "extra_body": {"reasoning_effort": "low"}}

        async def program() -> None:
            messages = [{"role": "system", "content": "Be brief."}, *MESSAGES]
            await asking.read(await got(asking.call("completion", messages=messages, **more)))

        assert asking.play(program) is None
        assert {"input": 4, "cache_read": 2, "output": 4, "reasoning": 7} == tokens(registry)
        assert asking.server.ledger.tokens() == tokens(registry)
        assert 1 == total(registry, "ml_inference_first_reasoning_seconds_count")

    def test_without_usage(self, asking: Asking, registry: CollectorRegistry) -> None:
        """Usage that nobody asked for is missing, and not what LiteLLM estimates."""

        async def program() -> None:
            await asking.read(await got(asking.chat(stream=True)))

        assert asking.play(program) is None
        verify(registry, "success", {}, missing=True)

    def test_cached(self, asking: Asking, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
        """What comes from LiteLLM's cache is a call without tokens."""
        monkeypatch.setitem(sys.modules, "soundfile", ModuleType("soundfile"))  # reads audio; some releases import it
        monkeypatch.setattr(litellm, "cache", litellm.Cache())

        async def program() -> None:
            for _ in range(2):
                await got(asking.chat(caching=True))
                while asking.asynchronous and not litellm.cache.cache.cache_dict:  # noqa: ASYNC110 (it tells nobody)
                    await asyncio.sleep(0)

        assert asking.play(program) is None
        assert 1 == len(asking.server.ledger.rows)
        assert {"success": 2} == recorded.outcomes(registry)
        assert SPENT == tokens(registry)
        assert 0 == total(registry, "ml_inference_usage_missing_total")

    def test_router(self, asking: Asking, registry: CollectorRegistry) -> None:
        """A router's attempts are calls, each of the deployment that was asked."""
        deployment = {"model_name": "any", "litellm_params": {"model": "openai/asked", **asking.place}}
        router = litellm.Router([deployment], num_retries=0)

        async def program() -> None:
            ask: Any = router.acompletion if asking.asynchronous else router.completion
            await got(ask(model="any", messages=MESSAGES))
            await asking.read(await got(ask(model="any", messages=MESSAGES, stream=True, **USAGE)))

        assert asking.play(program) is None
        assert {"success": 2} == recorded.outcomes(registry, model="openai/asked")
        assert asking.server.ledger.tokens() == tokens(registry)
        assert 0 == recorded.in_progress(registry)

    def test_decorated(self, asking: Asking, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A decorated function is a call of its own, and the tokens of its response are those of LiteLLM's call."""

        @metrics.track_inference(model="rag")
        def answer(**more: Any) -> Any:
            return litellm.completion(model="openai/asked", messages=MESSAGES, **asking.place, **more)

        answer()
        list(answer(stream=True, **USAGE))
        asking.server.queue(Scenario(usage=False))
        answer()
        assert {"success": 3} == recorded.outcomes(registry, model="rag")
        assert {"success": 3} == recorded.outcomes(registry, model="openai/asked")
        assert asking.server.ledger.tokens() == tokens(registry)
        assert {("openai/asked",)} == set(by_labels(registry, "ml_inference_tokens_total", "model"))


class TestInstrument:
    """`instrument_litellm`."""

    def test_not_imported(self) -> None:
        """It does not import LiteLLM, which takes seconds."""
        subprocess.run([sys.executable, "-c", IMPORTED], check=True)

    def test_names(self, openai_server: OpenAIServer, registry: CollectorRegistry) -> None:
        """A function is replaced wherever a module has it by its name, and put back there."""
        place = {"model": "openai/asked", "api_base": f"{openai_server.url}/v1", "api_key": KEY, "messages": MESSAGES}
        before = litellm.completion, litellm.main.completion, litellm.aresponses
        globals()["completion"] = litellm.completion  # as `from litellm import completion` does
        try:
            with MLMetrics(service="tests", registry=registry).instrument_litellm():
                for function in (litellm.completion, litellm.main.completion, globals()["completion"]):
                    function(**place)
            assert before[0] is globals()["completion"]
        finally:
            del globals()["completion"]
        assert before == (litellm.completion, litellm.main.completion, litellm.aresponses)
        litellm.completion(**place)
        assert {"success": 3} == recorded.outcomes(registry)

    def test_undone_within_a_stream(self, openai_server: OpenAIServer, registry: CollectorRegistry) -> None:
        """A stream that has begun is recorded to its end, and is the same object for the program."""
        metrics = MLMetrics(service="tests", registry=registry)
        asking = Asking(openai_server, asynchronous=False)
        with metrics.instrument_litellm():
            stream = asking.chat(stream=True, **USAGE)
        assert (litellm.CustomStreamWrapper.__name__, True) == (
            type(stream).__name__,
            isinstance(stream, litellm.CustomStreamWrapper),
        )
        list(stream)
        verify(registry, "success", SPENT, missing=False)

    def test_several_toolkits(self, openai_server: OpenAIServer, metrics: MLMetrics) -> None:
        """Each toolkit records each call once."""
        other = MLMetrics(service="other", registry=CollectorRegistry())
        asking = Asking(openai_server, asynchronous=False)
        with other.instrument_litellm():
            asking.chat()
            list(asking.chat(stream=True, **USAGE))
        for registry in (metrics.registry, other.registry):
            assert {"success": 2} == recorded.outcomes(registry)
            assert openai_server.ledger.tokens() == tokens(registry)

    def test_secrets(self, asking: Asking, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture) -> None:
        """No prompt, answer or key is in what is shown or logged."""
        asking.server.queue(Scenario(), Scenario(error_at=2), Scenario(status=401))

        async def program() -> None:
            await got(asking.chat())
            for more in ({"stream": True}, {}):
                with pytest.raises(Exception, match=r"."):
                    await asking.read(await got(asking.chat(**more)))
            with pytest.raises(Exception, match=r"."):
                await got(asking.call("text_completion", prompt=SECRET, model=None))

        assert asking.play(program) is None
        shown = generate_latest(registry).decode() + "".join(
            each.getMessage() for each in caplog.records if each.name.startswith("mlmetrics")
        )
        assert SECRET not in shown
        assert KEY not in shown
