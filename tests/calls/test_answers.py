"""What answers say: errors inside them, usage, and which chunks have content; whole, in chunks, and returned later."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import asyncio
import concurrent.futures
import gc
import json
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from mlmetrics import DeclarationError, MLMetrics
from tests.conftest import Clock
from tests.recorded import absent, errors, in_progress, outcomes, samples, value

MISSING = "ml_inference_usage_missing_total"
FIRST = "ml_inference_first_chunk_seconds"
GAPS = "ml_inference_chunk_interval_seconds"
ERRORS = "ml_inference_errors_total"
ROLE = {"id": "c1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"role": "assistant"}}]}
TOKEN = {"id": "c1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "to"}}]}
SPENT = {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}}
USAGE = {"id": "c1", "object": "chat.completion.chunk", "choices": [], "usage": SPENT}
WHOLE = {"id": "c2", "object": "chat.completion", "choices": [{"message": {"content": "to be"}}], "usage": SPENT}
BROKEN = {"error": {"message": "planted secret", "type": "server_error", "code": None}}
DONE = "data: [DONE]\n\n"


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> MLMetrics:
    """Return a toolkit on a registry and a clock of its own."""
    return MLMetrics(service="s", registry=registry, clock=clock)


def tokens(registry: CollectorRegistry) -> dict[str, float]:
    """Return the tokens that are counted, by type."""
    return {each.labels["token_type"]: each.value for each in samples(registry, "ml_inference_tokens_total")}


def error_types(registry: CollectorRegistry) -> dict[str, float]:
    """Return the failures by error type."""
    return {each.labels["error_type"]: each.value for each in samples(registry, ERRORS)}


def event(payload: object) -> str:
    """Return a server-sent event."""
    return f"data: {json.dumps(payload)}\n\n"


async def drained(stream: Any) -> list[Any]:
    """Read an async stream to its end."""
    return [chunk async for chunk in stream]


def in_kind(kind: str, decorate: Callable[[Any], Any], chunks: list[Any]) -> Callable[[], list[Any]]:
    """Return a function that reads the recorded stream of these chunks, made by a callable of this kind."""

    def generator() -> Iterator[Any]:
        yield from chunks

    async def async_generator() -> AsyncIterator[Any]:
        for chunk in chunks:
            yield chunk

    async def returning() -> Any:
        return async_generator()

    recorded = decorate(
        {
            "generator": generator,
            "async generator": async_generator,
            "returned": lambda: generator(),  # noqa: PLW0108 (a plain function)
            "returned by a coroutine": returning,
        }[kind]
    )
    if kind in ("generator", "returned"):
        return lambda: list(recorded())
    if kind == "async generator":
        return lambda: asyncio.run(drained(recorded()))

    async def read() -> Any:
        return await drained(await recorded())

    return lambda: asyncio.run(read())


KINDS = ("generator", "async generator", "returned", "returned by a coroutine")


class TestFailure:
    """`failure=` of a result or a chunk."""

    @pytest.mark.parametrize("kind", ["function", "coroutine", "awaitable", "future"])
    def test_of_a_result(self, registry: CollectorRegistry, metrics: MLMetrics, kind: str) -> None:
        """A result that is an error is a failure of the type that the function gives, and is handed back."""
        decorate = metrics.track_inference(model="m", failure=lambda result: result.get("wrong"))
        answer = {"wrong": "quota"}

        async def coroutine() -> Any:
            return answer

        def future() -> Any:
            done: concurrent.futures.Future[Any] = concurrent.futures.Future()
            done.set_result(answer)
            return done

        made = {"function": lambda: answer, "coroutine": coroutine, "awaitable": lambda: coroutine(), "future": future}  # noqa: PLW0108 (a plain function)
        result = decorate(made[kind])()
        if kind == "future":
            result = result.result()
        elif kind != "function":
            result = asyncio.run(awaited(result))
        assert answer is result
        assert {"failure": 1} == outcomes(registry)
        assert {"quota": 1} == error_types(registry)
        assert 0 == in_progress(registry)

    def test_none_is_no_failure(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """What the function does not complain about is a success, whatever its type."""
        decorate = metrics.track_inference(model="m", failure=lambda _: None)
        for result in (None, 1, "text", {}, [], object()):
            decorate(lambda result=result: result)()
        assert {"success": 6} == outcomes(registry)

    @pytest.mark.parametrize("kind", KINDS)
    def test_of_a_chunk(self, registry: CollectorRegistry, metrics: MLMetrics, kind: str) -> None:
        """One chunk that is an error makes the stream a failure, although it ends well."""
        decorate = metrics.track_inference(model="m", failure=lambda chunk: "broken" if chunk == "!" else None)
        assert ["a", "!", "b"] == in_kind(kind, decorate, ["a", "!", "b"])()
        assert {"failure": 1} == outcomes(registry)
        assert {"broken": 1} == error_types(registry)

    def test_left_after_the_error(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A stream that is left after an error in it has failed, and was not cancelled."""

        @metrics.track_inference(model="m", failure=lambda chunk: "broken" if chunk == "!" else None)
        def stream() -> Generator[Any, None, None]:
            yield "!"
            yield "a"

        chunks = stream()
        next(chunks)
        chunks.close()
        assert {"failure": 1} == outcomes(registry)

    def test_an_exception_counts_first(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """What a stream raises names the error type, and reaches the consumer."""

        @metrics.track_inference(model="m", failure=lambda _: "broken")
        def stream() -> Iterator[Any]:
            yield "!"
            raise TimeoutError

        with pytest.raises(TimeoutError):
            list(stream())
        assert {"TimeoutError": 1} == error_types(registry)

    @pytest.mark.parametrize("result", [3, "", b"x", object()], ids=repr)
    def test_no_text(self, registry: CollectorRegistry, metrics: MLMetrics, result: object) -> None:
        """An error type that is no text counts as `error`."""
        metrics.track_inference(model="m", failure=lambda _: result)(lambda: None)()  # type: ignore[arg-type,return-value]  # what a user may do
        assert {"error": 1} == error_types(registry)

    def test_that_raises(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A function that raises is counted, and the call is what it would be without."""
        recorded = metrics.track_inference(model="m", failure=lambda result: result.missing)(lambda: 5)
        assert 5 == recorded()
        assert [1, 2] == list(metrics.track_inference(model="m", failure=lambda c: c.missing)(lambda: iter_of(1, 2))())
        assert {"failure": 3} == errors(registry)
        assert {"success": 2} == outcomes(registry)

    def test_other_operations(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Parsings, matchings and a project's own operations have it, too."""
        metrics.track_parsing(doc_type="pdf", failure=lambda _: "empty")(lambda: None)()
        metrics.track_matching(matcher="m", failure=lambda _: "empty")(lambda: None)()
        metrics.operation("retrieval").track(failure=lambda _: "empty")(lambda: None)()
        for operation in ("parsing", "matching", "retrieval"):
            assert {"failure": 1} == outcomes(registry, operation)


async def awaited(awaitable: Any) -> Any:
    """Await it."""
    return await awaitable


class TestKnownAnswers:
    """The responses of known providers, as dictionaries and as server-sent events."""

    def test_usage_of_a_result(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The usage is counted without being asked for, in types that none contains another."""
        assert WHOLE is metrics.track_inference(model="m")(lambda: WHOLE)()
        assert {"input": 7, "cache_read": 3, "output": 4} == {k: v for k, v in tokens(registry).items() if v}
        assert {"success": 1} == outcomes(registry)

    def test_usage_none(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """With `usage=None` no tokens are counted, and none are missed."""
        metrics.track_inference(model="m", usage=None)(lambda: WHOLE)()
        assert {} == tokens(registry)
        assert absent(registry, MISSING)

    def test_missing(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A response without usage is counted as such; a dictionary of the user's own is no response."""
        recorded = metrics.track_inference(model="m")(lambda result: result)
        recorded({key: each for key, each in WHOLE.items() if key != "usage"})
        assert 1 == value(registry, MISSING)
        recorded({"label": "spam", "type": "mail"})
        recorded({})
        assert 1 == value(registry, MISSING)

    def test_error_in_a_result(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A response that is an error is a failure; its message goes nowhere."""
        metrics.track_inference(model="m")(lambda: BROKEN)()
        assert {"server_error": 1} == error_types(registry)
        assert not any("secret" in str(each) for family in registry.collect() for each in family.samples)

    @pytest.mark.parametrize("written", ["dictionaries", "events", "lines", "bytes"])
    @pytest.mark.parametrize("kind", KINDS)
    def test_stream(self, registry: CollectorRegistry, metrics: MLMetrics, kind: str, written: str) -> None:
        """The role event is no content, and the last chunk has the usage, however a stream is written."""
        payloads = [ROLE, TOKEN, TOKEN, USAGE]
        text = "".join(map(event, payloads)) + DONE
        written_as: dict[str, list[Any]] = {
            "dictionaries": payloads,
            "events": [*map(event, payloads), DONE],
            "lines": text.splitlines(keepends=True),
            "bytes": [text.encode()[place : place + 7] for place in range(0, len(text), 7)],
        }
        chunks = written_as[written]
        assert chunks == in_kind(kind, metrics.track_inference(model="m"), chunks)()
        assert {"success": 1} == outcomes(registry)
        assert {"input": 7, "cache_read": 3, "output": 4} == {k: v for k, v in tokens(registry).items() if v}
        assert 1 == value(registry, f"{FIRST}_count")
        assert 1 == value(registry, f"{GAPS}_count")
        assert {} == errors(registry)

    @pytest.mark.parametrize("kind", KINDS)
    def test_error_inside(self, registry: CollectorRegistry, metrics: MLMetrics, kind: str) -> None:
        """An error that arrives inside a stream makes it a failure, and its usage is missing."""
        in_kind(kind, metrics.track_inference(model="m"), [event(ROLE), event(TOKEN), event(BROKEN), DONE])()
        assert {"failure": 1} == outcomes(registry)
        assert {"server_error": 1} == error_types(registry)
        assert 1 == value(registry, MISSING)

    def test_first_content(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """The first token is timed where it comes, after the role event and comments; reasoning is timed apart."""
        thought = {"id": "c1", "choices": [{"index": 0, "delta": {"reasoning_content": "so"}}]}

        @metrics.track_inference(model="m")
        def stream() -> Iterator[Any]:
            for payload in (event(ROLE), ": keep-alive\n\n", event(thought), ": keep-alive\n\n", event(TOKEN), DONE):
                clock.advance(1)
                yield payload

        list(stream())
        assert 5 == value(registry, f"{FIRST}_sum")
        assert 3 == value(registry, "ml_inference_first_reasoning_seconds_sum")
        assert 2 == value(registry, f"{GAPS}_sum")

    def test_plain_text(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """A stream of texts that are no events has content in each of them."""

        @metrics.track_inference(model="m")
        def stream() -> Iterator[Any]:
            for text in ("to", " be", {"label": 1}):
                clock.advance(1)
                yield text

        list(stream())
        assert 1 == value(registry, f"{FIRST}_sum")
        assert 2 == value(registry, f"{GAPS}_count")
        assert absent(registry, MISSING)

    def test_one_response_counts_once(self, registry: CollectorRegistry, metrics: MLMetrics, clock: Clock) -> None:
        """Of two decorated functions that hand on one response, the inner one counts its tokens, each time."""
        inner = metrics.track_inference(model="inner")(lambda: WHOLE)
        outer = metrics.track_inference(model="outer")(inner)
        for _ in range(3):
            outer()
            clock.advance(1)
        counted = {each.labels["model"] for each in samples(registry, "ml_inference_tokens_total") if each.value}
        assert {"inner"} == counted
        assert 12 == value(registry, "ml_inference_tokens_total", token_type="output")  # noqa: S106 (tokens of text)
        assert {"success": 6} == outcomes(registry)


class TestUsage:
    """`usage=` of chunks."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_last_counts(self, registry: CollectorRegistry, metrics: MLMetrics, kind: str) -> None:
        """Cumulative usage overwrites, type by type; a chunk without any says nothing."""
        chunks = [{"u": {"input": 7, "output": 1}}, {}, {"u": {"output": 4}}, {}]
        in_kind(kind, metrics.track_inference(model="m", usage=lambda chunk: chunk.get("u")), chunks)()
        assert {"input": 7, "output": 4} == tokens(registry)

    def test_all_chunks_raise(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A function that finds nothing in any chunk is counted as wrong once a stream, and the usage as missing."""
        list(metrics.track_inference(model="m", usage=lambda chunk: chunk["u"])(lambda: iter_of({}, {}))())
        list(metrics.track_inference(model="m", usage=lambda chunk: chunk["u"])(iter_of)({}, {}))
        assert {"usage": 2} == errors(registry)
        assert 2 == value(registry, MISSING)

    @pytest.mark.parametrize("usage", [3, "automatic", object()], ids=repr)
    def test_refused(self, metrics: MLMetrics, usage: Any) -> None:
        """What is no function is refused where it is declared."""
        with pytest.raises(DeclarationError, match="usage="):
            metrics.track_inference(model="m", usage=usage)


def iter_of(*chunks: object) -> Iterator[object]:
    """Yield chunks."""
    yield from chunks


class TestContent:
    """`content=` of a chunk."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_decides_the_first(self, registry: CollectorRegistry, metrics: MLMetrics, kind: str) -> None:
        """Chunks that it says have none are neither the first one nor between two."""
        chunks = ["", "", "a", "", "b"]
        assert chunks == in_kind(kind, metrics.track_inference(model="m", content=bool), chunks)()
        assert 1 == value(registry, f"{FIRST}_count")
        assert 1 == value(registry, f"{GAPS}_count")

    def test_that_raises(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A function that raises is counted, and the chunk has content."""

        @metrics.track_inference(model="m", content=lambda chunk: chunk.text)
        def stream() -> Iterator[Any]:
            yield 1
            yield 2

        assert [1, 2] == list(stream())
        assert {"content": 2} == errors(registry)
        assert 1 == value(registry, f"{FIRST}_count")

    def test_refused_without_a_stream(self, metrics: MLMetrics) -> None:
        """What has no chunks by declaration cannot say which have content."""
        with pytest.raises(DeclarationError, match=r"content=.*stream=False"):
            metrics.track_inference(model="m", content=bool, stream=False)

    @pytest.mark.parametrize("name", ["failure", "content"])
    def test_refused(self, metrics: MLMetrics, name: str) -> None:
        """What is no function of one argument is refused where it is declared."""
        options: dict[str, Any] = {name: lambda: None}
        with pytest.raises(DeclarationError, match=name):
            metrics.track_inference(model="m", **options)
        options = {name: "text"}
        with pytest.raises(DeclarationError, match=name):
            metrics.track_inference(model="m", **options)


class TestStreamingResponse:
    """An endpoint whose response streams: measured on its body, and handed back as it is."""

    def app(self, metrics: MLMetrics, *pieces: str) -> FastAPI:
        """Return an application whose endpoint streams these pieces."""
        app = FastAPI()

        @app.get("/")
        @metrics.track_inference(model="m")
        async def endpoint() -> StreamingResponse:
            return StreamingResponse(iter_of(*pieces), media_type="text/event-stream")  # type: ignore[arg-type]  # texts

        return app

    def test_events(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The tokens of its events are counted, and the first content is timed."""
        pieces = [event(ROLE), event(TOKEN), event(TOKEN), event(USAGE), DONE]
        with TestClient(self.app(metrics, *pieces)) as client:
            assert "".join(pieces) == client.get("/").text
        assert {"success": 1} == outcomes(registry)
        assert {"input": 7, "cache_read": 3, "output": 4} == {k: v for k, v in tokens(registry).items() if v}
        assert 1 == value(registry, f"{GAPS}_count")
        assert 0 == in_progress(registry)

    def test_error_inside(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """An error in its events is a failure, though the status is 200."""
        with TestClient(self.app(metrics, event(ROLE), event(BROKEN))) as client:
            assert 200 == client.get("/").status_code
        assert {"server_error": 1} == error_types(registry)

    def test_is_the_same_object(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The decorated function returns the response that the function made; read by nobody, it was a success."""
        response = StreamingResponse(iter(["a"]))
        assert response is metrics.track_inference(model="m")(lambda given: given)(response)
        assert 1 == in_progress(registry)
        del response
        gc.collect()
        assert {"success": 1} == outcomes(registry)

    def test_left(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A body that is left half-way is cancelled, and its usage is missing."""

        async def leave() -> None:
            response = metrics.track_inference(model="m")(lambda: StreamingResponse(iter_of(event(TOKEN), DONE)))()  # type: ignore[arg-type]  # texts
            await anext(aiter(response.body_iterator))

        asyncio.run(leave())
        gc.collect()
        assert {"cancelled": 1} == outcomes(registry)
        assert 1 == value(registry, MISSING)

    @pytest.mark.parametrize("missing", [True, False], ids=["missing", "raising"])
    def test_other_internals(self, registry: CollectorRegistry, metrics: MLMetrics, missing: bool) -> None:  # noqa: FBT001 (a parameter of the test)
        """A stream whose inner iterator is not where we know it is one call that is over, and is handed back."""

        class Other(StreamingResponse):
            def __getattribute__(self, name: str) -> Any:
                if name == "body_iterator":
                    raise AttributeError(name) if missing else RuntimeError(name)
                return super().__getattribute__(name)

        response = Other(iter(["a"]))
        assert response is metrics.track_inference(model="m")(lambda given: given)(response)
        gc.collect()
        assert {"success": 1} == outcomes(registry)
        assert 0 == in_progress(registry)
        assert ({} if missing else {"result": 1}) == errors(registry)
