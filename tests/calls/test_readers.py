"""Values read from arguments and results (sizes, scores, tokens), and readers that raise."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import DeclarationError, MLMetrics, arg
from tests.recorded import absent, errors, in_progress, label_values, outcomes, samples, value

ACCURACY = "parsing_accuracy_score"
SCORES = "matching_score_distribution"
SIZES = "file_processing_size_bytes"


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own."""
    return MLMetrics(service="s", registry=registry)


class Raising:
    """An object that raises whatever it is asked."""

    def __init__(self, error: type[BaseException] = RuntimeError) -> None:
        object.__setattr__(self, "error", error)

    def _raise(self, *_: object) -> Any:
        raise object.__getattribute__(self, "error")("hostile")

    __getattr__ = __str__ = __repr__ = __hash__ = __eq__ = __float__ = __bool__ = __len__ = __iter__ = _raise
    __format__ = __index__ = __int__ = __lt__ = __contains__ = _raise


class HostileFloat(float):
    """A number that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("hostile")

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        raise RuntimeError("hostile")


def kind(value: object) -> str:
    """Return what to call a value that may not be asked anything itself."""
    return type(value).__name__


GOOD = [
    *(0.25, 0, 1, True, Decimal("0.5"), Fraction(1, 4), np.float64(0.5), np.float32(0.5), np.array(0.5)),
    *(np.array([0.25, 0.75]), [0.1, None, 0.2], (0.5,), {0.5}, 1.0000000000000002, -1e-12, None, []),
]
BAD = [
    *(float("nan"), float("inf"), -0.1, 3.7, "0.5", b"1", object(), 1j, Decimal("NaN"), Decimal("sNaN"), 10**400),
    *(Raising(), HostileFloat("inf"), [0.5, "0.5"], {"a": 0.5}, iter([0.5]), np.array([[0.5]])),
]


@pytest.mark.parametrize("score", GOOD, ids=kind)
def test_good_scores(registry: CollectorRegistry, metrics: MLMetrics, score: Any) -> None:
    """Numbers of any type in 0..1 are recorded, one or several; rounding errors are allowed, and None is ignored."""
    metrics.track_matching(matcher="m", score=lambda result: result)(lambda: score)()
    several = list(score) if isinstance(score, set) else np.array(score, dtype=object).ravel().tolist()
    expected = [float(each) for each in several if each is not None]
    assert len(expected) == value(registry, f"{SCORES}_count")
    assert pytest.approx(sum(expected)) == value(registry, f"{SCORES}_sum")
    assert {} == errors(registry)


@pytest.mark.parametrize("score", BAD, ids=kind)
def test_bad_scores(registry: CollectorRegistry, metrics: MLMetrics, score: Any) -> None:
    """A wrong score is counted, not raised, and not in the sum; the caller gets the result."""
    assert score is metrics.track_matching(matcher="m", score=lambda result: result)(lambda: (score,))()[0]
    call: Callable[[Any], Any] = metrics.track_matching(matcher="m", score=lambda result: result[0])(lambda s: (s,))
    assert score is call(score)[0]
    assert {"success": 2} == outcomes(registry, "matching")
    assert value(registry, f"{SCORES}_sum") in (0, 0.5)  # [0.5, "0.5"] has a good one
    assert 2 <= errors(registry)["score"]


def test_iterator_of_scores_is_left_to_its_owner(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """An iterator of scores is not read, because the caller needs it."""
    result = metrics.track_matching(matcher="m", score="scores")(lambda: {"scores": iter([0.5])})()
    assert [0.5] == list(result["scores"])
    assert {"score": 1} == errors(registry)


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -0.1, 3.7, "0.5", Raising(), None], ids=kind)
def test_direct_functions_take_no_bad_score(registry: CollectorRegistry, metrics: MLMetrics, score: Any) -> None:
    """NaN never reaches a sum (pitfall 20), nor does any other wrong score."""
    metrics.track_parsing_accuracy("document", "pdf", score)
    metrics.track_matching_score("tfidf", score)
    metrics.track_parsing_accuracy("document", "pdf", 0.5)
    metrics.track_matching_score("tfidf", 0.5)
    for name in (ACCURACY, SCORES):
        assert 1 == value(registry, f"{name}_count")
        assert 0.5 == value(registry, f"{name}_sum")
    assert {"score": 2} == errors(registry)


@pytest.mark.parametrize("duration", [float("nan"), float("inf"), -1.0, "1", None, Raising()], ids=kind)
@pytest.mark.parametrize("success", [True, False])
def test_direct_call_without_a_usable_duration(
    registry: CollectorRegistry, metrics: MLMetrics, duration: Any, *, success: bool
) -> None:
    """The outcome is counted even when the duration cannot be."""
    metrics.track_ml_inference("gpt-4", "mon-service", duration, success=success)
    assert {"success" if success else "failure": 1} == outcomes(registry)
    assert 0 == value(registry, "ml_inference_duration_seconds_count")
    counted = [sample.value for sample in samples(registry, "ml_inference_errors_total")]
    assert {True: [], False: [1]}[success] == counted
    assert {"duration": 1} == errors(registry)


def test_direct_call_with_an_outcome_that_cannot_say(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A success that is neither true nor false is counted as a mistake and a failure."""
    metrics.track_ml_inference("gpt-4", "mon-service", 1.0, success=np.array([True, False]))  # type: ignore[arg-type]  # that is the test
    metrics.track_ml_inference("gpt-4", "mon-service", 1.0, success=np.bool_(1))  # type: ignore[arg-type]  # as numpy users do
    assert {"success": 1, "failure": 1} == outcomes(registry)
    assert {"success": 1} == errors(registry)


class TestReaders:
    """`accuracy`, `score`, `size`, `usage` and computed labels."""

    def test_confidence_is_read_where_there_is_one(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The default reads `confidence` of objects and mappings, and its absence is not an error."""

        class Parsed:
            confidence = 0.75

        parse: Callable[[Any], Any] = metrics.track_parsing(doc_type="d")(lambda result: result)
        for result in (Parsed(), {"confidence": 0.25}, {}, "text", None, {"confidence": None}):
            parse(result)
        assert 1.0 == value(registry, f"{ACCURACY}_sum")
        assert 2 == value(registry, f"{ACCURACY}_count")
        assert {} == errors(registry)

    def test_a_named_accuracy_that_is_missing_is_counted(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A missing attribute that was given by name is counted as an error."""
        metrics.track_parsing(doc_type="d", accuracy="quality")(lambda: "text")()
        assert {"accuracy": 1} == errors(registry)

    def test_size_is_recorded_whatever_becomes_of_the_call(
        self, registry: CollectorRegistry, metrics: MLMetrics
    ) -> None:
        """The size of a file is known when it comes, and recorded though parsing it fails."""

        class Parser:
            @metrics.track_parsing(doc_type=arg("kind"), size=len)
            def parse(self, content: bytes, kind: str) -> None:
                raise ValueError(kind)

        with pytest.raises(ValueError, match="pdf"):
            Parser().parse(b"x" * 2048, kind="pdf")
        assert 2048 == value(registry, f"{SIZES}_sum", file_type="pdf")

    def test_size_of_an_argument(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """`arg` names the argument that is measured: a number of bytes, or what has a length."""
        parse = metrics.track_parsing(doc_type="pdf", size=arg("content"))(lambda name, content=b"": name)
        parse("a", b"xyz")
        parse("a", content=7)
        parse("a")
        assert 10 == value(registry, f"{SIZES}_sum")
        assert 3 == value(registry, f"{SIZES}_count")

    def test_usage(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Tokens are counted by type; None is counted as missing, an unknown type as a mistake."""
        ask: Callable[[Any], Any] = metrics.track_inference(model="m", usage=lambda result: result)(lambda r: r)
        ask({"input": 120, "output": 48, "cache_read": None})
        ask(None)
        ask({"prompt": 3})
        ask({"input": "many"})
        assert 120 == value(registry, "ml_inference_tokens_total", token_type="input")  # noqa: S106 (a kind of token, no secret)
        assert 48 == value(registry, "ml_inference_tokens_total", token_type="output")  # noqa: S106 (as above)
        assert 1 == value(registry, "ml_inference_usage_missing_total")
        assert {"tokens": 2} == errors(registry)

    @pytest.mark.parametrize("reader", ["label", "usage", "accuracy", "score", "confidence", "class", "size"])
    def test_readers_that_raise_are_counted(self, registry: CollectorRegistry, metrics: MLMetrics, reader: str) -> None:
        """A reader's exception reaches nobody: it is counted by place, and the call has its outcome."""
        declared, where, operation = self.declared(metrics, reader, RuntimeError)
        assert "result" == declared("text")
        assert {where: 1} == errors(registry)
        assert {"success": 1} == outcomes(registry, operation)

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    @pytest.mark.parametrize("reader", ["label", "usage", "accuracy", "score", "confidence", "class", "size"])
    def test_exits_of_readers_go_on(
        self, registry: CollectorRegistry, metrics: MLMetrics, reader: str, error: type[BaseException]
    ) -> None:
        """Ctrl-C in a reader is raised on, and leaves no call in progress."""
        declared, _, operation = self.declared(metrics, reader, error)
        with pytest.raises(error):
            declared("text")
        assert {} == errors(registry)
        if reader == "label":
            assert absent(registry, "ml_inference_in_progress")
        else:
            assert ({} if reader == "size" else {"success": 1}) == outcomes(registry, operation)
            assert 0 == in_progress(registry, operation)

    def declared(self, metrics: MLMetrics, reader: str, error: type[BaseException]) -> tuple[Any, str, str]:
        """Return a recorded function whose reader raises, the place of it, and the operation."""

        def read(_: object) -> Any:
            raise error

        decorators: dict[str, tuple[Any, str, str]] = {
            "label": (metrics.track_inference(model=read), "label.model", "inference"),
            "usage": (metrics.track_inference(model="m", usage=read), "usage", "inference"),
            "accuracy": (metrics.track_parsing(doc_type="d", accuracy=read), "accuracy", "parsing"),
            "score": (metrics.track_matching(matcher="m", score=read), "score", "matching"),
            "confidence": (metrics.track_inference(model="m", score=read), "score", "inference"),
            "class": (metrics.track_inference(model="m", predicted_class=read), "prediction", "inference"),
            "size": (metrics.track_parsing(doc_type="d", size=read), "size", "parsing"),
        }
        decorator, where, operation = decorators[reader]
        return decorator(lambda text: "result"), where, operation


class TestCall:
    """What a block says to its call."""

    def test_everything_an_inference_can_say(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Tokens, cost, batch, queue, size and first chunk are recorded, the first chunk once."""
        with metrics.inference_timer(model="m") as call:
            call.tokens(input=120, output=48)
            call.cost(0.25)
            call.batch(8)
            call.queued(2.0)
            call.size(2048)
            call.first_chunk()
            call.first_chunk()
        assert 168 == value(registry, "ml_inference_tokens_total")
        assert 0.25 == value(registry, "ml_inference_cost_usd_total")
        assert 8 == value(registry, "ml_inference_batch_size_sum")
        assert 2 == value(registry, "ml_inference_queue_duration_seconds_sum")
        assert 2048 == value(registry, f"{SIZES}_sum", file_type="unknown")
        assert 1 == value(registry, "ml_inference_first_chunk_seconds_count")
        assert {} == errors(registry)

    def test_file_types(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The size of a parsing's file has the document type as its file type, unless another is named."""
        with metrics.parsing_timer(doc_type="cv") as call:
            call.size(10)
            call.size(20, file_type="pdf")
        assert ["cv", "pdf"] == label_values(registry, f"{SIZES}_sum", "file_type")

    def test_what_does_not_apply_is_counted(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Tokens or classes of a parsing, or the score of a batch job, are counted as mistakes and not raised."""
        with metrics.parsing_timer(doc_type="d") as call:
            call.tokens(input=1)
            call.cost(1)
            call.batch(1)
            call.queued(1)
            call.first_chunk()
            call.predicted("invoice")
        with metrics.batch_job("nightly") as run:
            run.score(0.5)
        expected = dict.fromkeys(("tokens", "cost", "batch", "queued", "first_chunk", "prediction", "score"), 1.0)
        assert expected == errors(registry)

    @pytest.mark.parametrize("what", ["cost", "batch", "queued", "size"])
    @pytest.mark.parametrize("number", [float("nan"), float("inf"), -1, "1", None, Raising()], ids=kind)
    def test_bad_numbers(self, registry: CollectorRegistry, metrics: MLMetrics, what: str, number: Any) -> None:
        """A value that is not a number of 0 or more is counted and not raised."""
        with metrics.inference_timer(model="m") as call:
            getattr(call, what)(number)
        assert {what: 1} == errors(registry)
        assert {"success": 1} == outcomes(registry)

    @pytest.mark.parametrize("said", [None, 3, KeyError, Raising(), b"quota"], ids=kind)
    def test_error_types_of_any_sort(self, registry: CollectorRegistry, metrics: MLMetrics, said: Any) -> None:
        """`fail` with a value that is not a text is a failure of type `error`."""
        with metrics.inference_timer(model="m") as call:
            call.fail(said)
        assert 1 == value(registry, "ml_inference_errors_total", error_type="error")


def test_stream_with_size(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """The size of a streamed parsing's file is recorded when it begins."""

    @metrics.track_parsing(doc_type="pdf", size=len)
    def pages(content: bytes) -> Iterator[int]:
        yield from content

    stream = pages(b"abc")
    assert absent(registry, f"{SIZES}_count")
    next(stream)
    assert 3 == value(registry, f"{SIZES}_sum")


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda m: m.track_parsing(accuracy=3), r"accuracy=3: expected an attribute or key by name"),
        (lambda m: m.track_parsing(accuracy=""), r"accuracy='': expected an attribute or key by name"),
        (lambda m: m.track_matching(score=0.5), r"score=0\.5: expected an attribute or key by name"),
        (lambda m: m.track_inference(usage="usage"), r"usage='usage': expected a function from the result"),
        (lambda m: m.track_parsing(size="len")(len), r"size='len': expected a function such as len"),
        (lambda m: m.track_parsing(size=len)(lambda: None), r"takes no argument to measure"),
        (lambda m: m.track_parsing(size=arg("nothing"))(lambda x: x), r"arg\('nothing'\).*no such parameter; it has x"),
    ],
)
def test_wrong_readers(metrics: MLMetrics, declare: Callable[[Any], Any], message: str) -> None:
    """A reader that cannot work is refused when it is declared, with what would."""
    with pytest.raises(DeclarationError, match=message):
        declare(metrics)


class TestStreams:
    """Readers read the return value of a generator, else its last chunk."""

    def drained(self, metrics: MLMetrics, kind: str, chunks: list[Any], returned: Any = None) -> Any:
        """Return a started stream of a parsing and an inference with readers, of a kind."""

        def generator() -> Generator[Any, None, Any]:
            yield from chunks
            return returned

        async def async_generator() -> AsyncIterator[Any]:
            for chunk in chunks:
                yield chunk

        body: Any = generator if kind == "generator" else async_generator
        usage = metrics.track_inference(model="m", usage=lambda result: result["usage"])
        accuracy = metrics.track_parsing(doc_type="d")
        score = metrics.track_matching(matcher="m", score=lambda result: result["confidence"])
        return usage(accuracy(score(body)))()

    def drain(self, stream: Any) -> list[Any]:
        """Return all chunks."""

        async def chunks() -> list[Any]:
            return [chunk async for chunk in stream]

        return asyncio.run(chunks()) if hasattr(stream, "__anext__") else list(stream)

    @pytest.mark.parametrize("kind", ["generator", "async generator"])
    def test_last_chunk(self, registry: CollectorRegistry, metrics: MLMetrics, kind: str) -> None:
        """The last chunk has the usage, as those of SDKs have."""
        chunks = [{"text": "a"}, {"usage": {"output": 7}, "confidence": 0.5}]
        assert chunks == self.drain(self.drained(metrics, kind, chunks))
        assert 7 == value(registry, "ml_inference_tokens_total", token_type="output")  # noqa: S106 (tokens of text)
        assert 0.5 == value(registry, f"{ACCURACY}_sum")
        assert 0.5 == value(registry, f"{SCORES}_sum")
        assert absent(registry, "ml_inference_usage_missing_total")
        assert {} == errors(registry)

    def test_return_value(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The return value of a generator is read instead of its last chunk."""
        returned = {"usage": {"output": 3}, "confidence": 0.25}
        self.drain(self.drained(metrics, "generator", ["a", "b"], returned))
        assert 3 == value(registry, "ml_inference_tokens_total")
        assert 0.25 == value(registry, f"{ACCURACY}_sum")
        assert 0.25 == value(registry, f"{SCORES}_sum")
        assert {} == errors(registry)

    @pytest.mark.parametrize("kind", ["generator", "async generator"])
    def test_no_chunk(self, registry: CollectorRegistry, metrics: MLMetrics, kind: str) -> None:
        """A stream without a chunk has no score, and its usage is missing."""
        assert [] == self.drain(self.drained(metrics, kind, []))
        assert 1 == value(registry, "ml_inference_usage_missing_total")
        assert 0 == value(registry, f"{ACCURACY}_count")
        assert 0 == value(registry, f"{SCORES}_count")
        assert {} == errors(registry)

    @pytest.mark.parametrize("ending", ["close", "drop", "throw"])
    @pytest.mark.parametrize("kind", ["generator", "async generator"])
    def test_left_early(self, registry: CollectorRegistry, metrics: MLMetrics, kind: str, ending: str) -> None:
        """The usage of a stream that is left or fails is unknown, and is counted as missing."""
        stream = self.drained(metrics, kind, [{"confidence": 0.5}, "b"])

        with contextlib.suppress(KeyError):
            if kind == "async generator":
                asyncio.run(self.leave(stream, ending))
            else:
                next(stream)
                {"throw": lambda: stream.throw(KeyError()), "close": stream.close, "drop": int}[ending]()
        stream = None
        assert 1 == value(registry, "ml_inference_usage_missing_total")
        assert absent(registry, "ml_inference_tokens_total")
        assert 0 == value(registry, f"{ACCURACY}_count")
        assert 0 == value(registry, f"{SCORES}_count")
        assert {"failure" if ending == "throw" else "cancelled": 1} == outcomes(registry)
        assert {} == errors(registry)

    async def leave(self, stream: Any, ending: str) -> None:
        """Leave an async generator after its first chunk."""
        await anext(stream)
        if ending == "throw":
            await stream.athrow(KeyError())
        elif ending == "close":
            await stream.aclose()
