"""What cannot be recorded of transformers is counted, and the call is untouched."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from prometheus_client import CollectorRegistry
from transformers import TextClassificationPipeline

from mlmetrics import MLMetrics
from tests.models.tiny import PADDING, classifier, generator, tokenizer
from tests.recorded import absent, errors, in_progress, outcomes

PROMPT = torch.tensor([[3, 5]])


@pytest.fixture(autouse=True)
def instrumented(metrics: MLMetrics) -> Iterator[None]:
    """Instrument the library during the test."""
    with metrics.instrument_transformers():
        yield


class Slotted:
    """A streamer that no attribute can be set on."""

    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def put(self, tokens: Any) -> None:
        """Keep the tokens."""
        self.seen.append(tokens)

    def end(self) -> None:
        """Do nothing."""


class Odd(TextClassificationPipeline):  # type: ignore[misc]  # where transformers is not installed
    """A pipeline whose results are of its own shape."""

    def postprocess(self, *_args: Any, **_kwargs: Any) -> Any:
        """Return a text."""
        return "good"


class TestHostile:
    """The call gives what it gave before."""

    def test_passes_on_to_a_streamer_with_slots(self, registry: CollectorRegistry) -> None:
        """Its chunks are not timed."""
        streamer = Slotted()
        generator().generate(PROMPT, streamer=streamer, max_new_tokens=3, min_new_tokens=3, pad_token_id=PADDING)
        assert 4 == len(streamer.seen)
        assert {"success": 1} == outcomes(registry)
        assert {"instrument": 1} == errors(registry)
        assert absent(registry, "ml_inference_first_chunk_seconds_count", operation="generate")

    def test_leaves_odd_results(self, registry: CollectorRegistry) -> None:
        """A result of another shape has no class."""
        assert "good" in Odd(model=classifier(), tokenizer=tokenizer(), task="text-classification")("good day")
        assert {"success": 1} == outcomes(registry)
        assert {"instrument": 1} == errors(registry)

    @pytest.mark.parametrize("given", [None, 3, object()])
    def test_raises_as_ever(self, given: Any, registry: CollectorRegistry) -> None:
        """Arguments that the library refuses are refused by itself, and the call fails."""
        asked = Odd(model=classifier(), tokenizer=tokenizer())
        with pytest.raises(Exception, match=r".") as caught:
            asked(given)
        assert not type(caught.value).__module__.startswith("mlmetrics")
        assert {"failure": 1} == outcomes(registry)
        assert 0 == in_progress(registry)

    def test_leaves_a_model_without_a_name(self, registry: CollectorRegistry) -> None:
        """A model whose name is no text is known by its class."""
        model = generator()
        model.name_or_path = 3
        model.generate(PROMPT, max_new_tokens=1, pad_token_id=PADDING)
        assert {"success": 1} == outcomes(registry, model="GPT2LMHeadModel")
