"""transformers: pipelines, lazy ones too, and `generate`, with tiny models that are made here."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from prometheus_client import CollectorRegistry
from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer, TextStreamer, pipeline
from transformers.pipelines.pt_utils import PipelineIterator

from mlmetrics import MLMetrics
from mlmetrics.integrations.local import name_from
from tests.models.tiny import END, PADDING, classifier, generator, tokenizer, translator
from tests.recorded import absent, errors, in_progress, label_values, outcomes, value

NEW = 4
LENGTHS = {"max_new_tokens": NEW, "min_new_tokens": NEW, "pad_token_id": PADDING, "do_sample": False}
GENERATION = {"model": "GPT2LMHeadModel", "operation": "generate"}
TOKENS, BATCH = "ml_inference_tokens_total", "ml_inference_batch_size"
FIRST, GAP = "ml_inference_first_chunk_seconds_count", "ml_inference_chunk_interval_seconds_count"


@pytest.fixture(autouse=True)
def metrics(registry: CollectorRegistry) -> Iterator[MLMetrics]:
    """Return a toolkit that instruments the library during the test, and check that nothing is left behind."""
    metrics = MLMetrics("test", registry)
    with metrics.instrument_transformers():
        yield metrics
    assert 0 == in_progress(registry)
    assert {} == errors(registry)


class Raising(StoppingCriteria):  # type: ignore[misc]  # where transformers is not installed
    """Raises an error after the first token."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, *_args: Any, **_kwargs: Any) -> Any:
        """Raise it."""
        raise self.error


def prompts(rows: int = 2) -> Any:
    """Return prompts of two tokens each."""
    return torch.tensor([[3, 5], [4, 6], [7, 8]][:rows])


def tokens(registry: CollectorRegistry, operation: str) -> tuple[float, float]:
    """Return the tokens of the prompts, and those of the answers."""
    kinds = ("input", "output")
    told = [value(registry, TOKENS, operation=operation, token_type=kind) for kind in kinds]
    return told[0], told[1]


def sizes(registry: CollectorRegistry, operation: str) -> tuple[float, float]:
    """Return how many batch sizes were recorded, and their sum."""
    named = {"operation": operation}
    return value(registry, f"{BATCH}_count", **named), value(registry, f"{BATCH}_sum", **named)


class TestGenerate:
    """Each `generate` that is not a part of a pipeline is a call."""

    def test_counts_the_call(self, registry: CollectorRegistry) -> None:
        """With its batch, and the tokens of prompt and answer."""
        result = generator().generate(prompts(), **LENGTHS)
        assert (2, 2 + NEW) == result.shape
        assert {"success": 1} == outcomes(registry, model="GPT2LMHeadModel")
        assert (1, 2) == sizes(registry, "generate")
        assert (4, 2 * NEW) == tokens(registry, "generate")
        assert absent(registry, "ml_inference_usage_missing_total", model="GPT2LMHeadModel")
        assert absent(registry, "ml_inference_unpriced_total", model="GPT2LMHeadModel")
        assert absent(registry, FIRST, model="GPT2LMHeadModel")

    def test_tells_the_lengths(self, registry: CollectorRegistry) -> None:
        """How long prompts and answers are, and how fast they come, once for each call."""
        generator().generate(prompts(), **LENGTHS)
        assert 4 == value(registry, "ml_inference_prompt_tokens_sum", **GENERATION)
        assert 2 * NEW == value(registry, "ml_inference_completion_tokens_sum", **GENERATION)
        assert 1 == value(registry, "ml_inference_output_tokens_per_second_count", **GENERATION)

    def test_leaves_out_padding(self, registry: CollectorRegistry) -> None:
        """What the mask covers of a prompt is no token of it."""
        generator().generate(input_ids=prompts(), attention_mask=torch.tensor([[0, 1], [1, 1]]), **LENGTHS)
        assert (3, 2 * NEW) == tokens(registry, "generate")

    @pytest.mark.parametrize("padding", [PADDING, END])
    def test_leaves_out_what_follows_an_end(self, padding: int, registry: CollectorRegistry) -> None:
        """An answer that ends early is filled up to the longest of its batch; that is not counted."""
        forced = {5: END, 6: 3}  # what follows each prompt: one ends at once, the other goes on

        def force(row: int, so_far: Any) -> list[int]:
            return [END] if END in so_far.tolist() else [forced[int(so_far[1])]]

        result = generator().generate(
            prompts(), max_new_tokens=NEW, pad_token_id=padding, eos_token_id=END, prefix_allowed_tokens_fn=force
        )
        assert [[END, *[padding] * (NEW - 1)], [3] * NEW] == result[:, 2:].tolist()
        assert (4, 1 + NEW) == tokens(registry, "generate")

    def test_reads_a_result_with_more(self, registry: CollectorRegistry) -> None:
        """Where the result has scores too, its sequences are counted."""
        generator().generate(prompts(), return_dict_in_generate=True, output_scores=True, **LENGTHS)
        assert (4, 2 * NEW) == tokens(registry, "generate")

    def test_counts_embedded_prompts(self, registry: CollectorRegistry) -> None:
        """A prompt of embeddings has as many tokens as it has vectors, and is not repeated in the result."""
        model = generator()
        model.generate(inputs_embeds=model.get_input_embeddings()(prompts()), **LENGTHS)
        assert (4, 2 * NEW) == tokens(registry, "generate")
        assert (1, 2) == sizes(registry, "generate")

    def test_counts_a_decoder_apart(self, registry: CollectorRegistry) -> None:
        """A model with an encoder begins its answers with a token that is not generated."""
        translator().generate(prompts(), **LENGTHS)
        assert (4, 2 * NEW) == tokens(registry, "generate")

    @pytest.mark.parametrize(
        ("error", "outcome"), [(ValueError("no"), "failure"), (asyncio.CancelledError(), "cancelled")]
    )
    def test_counts_what_raises(self, error: BaseException, outcome: str, registry: CollectorRegistry) -> None:
        """The error is the same object, and the call has one outcome and no tokens."""
        with pytest.raises(type(error)) as caught:
            generator().generate(prompts(), stopping_criteria=StoppingCriteriaList([Raising(error)]), **LENGTHS)
        assert error is caught.value
        assert {outcome: 1} == outcomes(registry)
        assert absent(registry, TOKENS, operation="generate")

    def test_is_a_call_of_its_own_in_a_decorated_function(
        self, metrics: MLMetrics, registry: CollectorRegistry
    ) -> None:
        """A decorator around it records a call beside it."""

        @metrics.track_inference(model="ours")
        def ask() -> Any:
            return generator().generate(prompts(), **LENGTHS)

        ask()
        assert {"success": 1} == outcomes(registry, model="ours") == outcomes(registry, model="GPT2LMHeadModel")


class TestStreamer:
    """A streamer tells when the tokens came, and stays the object that it is."""

    def test_times_each_token(self, registry: CollectorRegistry) -> None:
        """The prompt, which it is given first, is no token of the answer."""
        streamer = Collecting()
        result = generator().generate(prompts(1), streamer=streamer, **LENGTHS)
        assert result[0].tolist() == streamer.seen
        assert streamer.ended
        assert ["ended", "seen"] == sorted(vars(streamer))
        assert 1 == value(registry, FIRST, **GENERATION)
        assert NEW - 1 == value(registry, GAP, **GENERATION)

    def test_works_in_a_thread(self, registry: CollectorRegistry) -> None:
        """The text comes while another thread generates."""
        model, words = generator(), tokenizer()
        streamer = TextIteratorStreamer(words, skip_prompt=True, timeout=60)
        arguments = {**LENGTHS, "streamer": streamer}
        thread = threading.Thread(target=model.generate, args=(prompts(1),), kwargs=arguments)
        thread.start()
        text = "".join(streamer)
        thread.join()
        assert NEW == len(text.split())
        assert {"success": 1} == outcomes(registry)
        assert 1 == value(registry, FIRST, **GENERATION)
        assert NEW - 1 == value(registry, GAP, **GENERATION)

    def test_raises_as_ever(self, registry: CollectorRegistry) -> None:
        """What the streamer raises ends the call, and the streamer is as it was."""
        error = RuntimeError("full")
        streamer = Collecting(error)
        with pytest.raises(RuntimeError) as caught:
            generator().generate(prompts(1), streamer=streamer, **LENGTHS)
        assert error is caught.value
        assert "put" not in vars(streamer)
        assert {"failure": 1} == outcomes(registry)

    def test_keeps_a_replaced_put(self) -> None:
        """A `put` that somebody has given the object is called, and is there afterwards."""
        seen: list[Any] = []
        streamer = TextStreamer(tokenizer())
        streamer.put = own = seen.append
        generator().generate(prompts(1), streamer=streamer, **LENGTHS)
        assert own is streamer.put
        assert 1 + NEW == len(seen)

    def test_times_the_chunks_of_a_pipeline(self, registry: CollectorRegistry) -> None:
        """In a pipeline they are those of its call."""
        asked = pipeline("text-generation", model=generator(), tokenizer=tokenizer())
        asked("good day", streamer=Collecting(), **LENGTHS)
        assert ["text-generation"] == label_values(registry, FIRST, "operation")
        assert NEW - 1 == value(registry, GAP, operation="text-generation")


class TestPipeline:
    """Each call of a pipeline is a call, whatever it calls itself."""

    @pytest.mark.parametrize(("given", "size", "asked"), [("good day", 1, 2), (["good", "bad day", "a"], 3, 4)])
    def test_counts_once(self, given: Any, size: int, asked: int, registry: CollectorRegistry) -> None:
        """A text-generation pipeline calls `generate`, and tells the tokens of that."""
        pipeline("text-generation", model=generator(), tokenizer=tokenizer())(given, **LENGTHS)
        assert {"success": 1} == outcomes(registry)
        assert ["text-generation"] == label_values(registry, "ml_inference_total", "operation")
        assert (1, size) == sizes(registry, "text-generation")
        assert (asked, size * NEW) == tokens(registry, "text-generation")

    def test_counts_a_chat_as_one(self, registry: CollectorRegistry) -> None:
        """A list of messages is one prompt, and a list of chats several."""
        words = tokenizer()
        words.chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
        chat = [{"role": "user", "content": "good"}, {"role": "user", "content": "day"}]
        asked = pipeline("text-generation", model=generator(), tokenizer=words)
        asked(chat, **LENGTHS)
        asked([chat, chat], **LENGTHS)
        assert {"success": 2} == outcomes(registry)
        assert (2, 3) == sizes(registry, "text-generation")

    @pytest.mark.parametrize("options", [{}, {"top_k": 2}])
    def test_records_classes_and_scores(self, options: dict[str, Any], registry: CollectorRegistry) -> None:
        """The best class of each text, and its score."""
        told = pipeline("text-classification", model=classifier(), tokenizer=tokenizer())
        single, several = told("good day", **options), told(["good", "bad"], **options)
        best = [first(each) for each in [single, *several]]
        assert {"success": 2} == outcomes(registry)
        assert (2, 3) == sizes(registry, "text-classification")
        for label in {each["label"] for each in best}:
            expected = sum(each["label"] == label for each in best)
            assert expected == value(registry, "ml_prediction_total", predicted_class=label)
        assert sum(each["score"] for each in best) == pytest.approx(value(registry, "ml_inference_score_sum"))

    def test_names_no_classes_of_a_request(self, registry: CollectorRegistry) -> None:
        """The classes of a zero-shot pipeline are texts of the request: only the score is recorded."""
        model = classifier()
        model.config.label2id = {"entailment": 0, "contradiction": 1}
        told = pipeline("zero-shot-classification", model=model, tokenizer=tokenizer())
        result = told("good day", candidate_labels=["secret", "other"])
        assert {"success": 1} == outcomes(registry)
        assert max(result["scores"]) == pytest.approx(value(registry, "ml_inference_score_sum"))
        assert absent(registry, "ml_prediction_total", model="BertForSequenceClassification")

    @pytest.mark.parametrize(
        ("error", "outcome"), [(ValueError("no"), "failure"), (asyncio.CancelledError(), "cancelled")]
    )
    def test_counts_what_raises(self, error: BaseException, outcome: str, registry: CollectorRegistry) -> None:
        """An error inside `generate` ends the one call."""
        asked = pipeline("text-generation", model=generator(), tokenizer=tokenizer())
        with pytest.raises(type(error)) as caught:
            asked("good", stopping_criteria=StoppingCriteriaList([Raising(error)]), **LENGTHS)
        assert error is caught.value
        assert {outcome: 1} == outcomes(registry)


class TestLazyPipeline:
    """A pipeline that is given a generator runs as its result is read: that is the call."""

    def lazy(self, *texts: str) -> Any:
        """Return what a pipeline returns for a generator of texts."""
        told = pipeline("text-classification", model=classifier(), tokenizer=tokenizer())
        result = told(text for text in texts)
        assert PipelineIterator is type(result)
        return result

    def test_has_not_begun(self, registry: CollectorRegistry) -> None:
        """What nobody reads is no call."""
        result = self.lazy("good", "bad")
        assert {} == outcomes(registry)
        del result
        gc.collect()
        assert {} == outcomes(registry)

    def test_is_counted_to_its_end(self, registry: CollectorRegistry) -> None:
        """Its size is the number of items that were read."""
        result = self.lazy("good", "bad", "day")
        assert 3 == len(list(result))
        assert {"success": 1} == outcomes(registry)
        assert (1, 3) == sizes(registry, "text-classification")
        assert 3 == value(registry, "ml_inference_score_count")
        assert 3 == value(registry, "ml_prediction_total")
        assert next(result, None) is None
        assert {"success": 1} == outcomes(registry)

    def test_is_cancelled_where_it_is_left(self, registry: CollectorRegistry) -> None:
        """Whoever leaves it early, and drops it, has cancelled it."""
        result = self.lazy("good", "bad", "day")
        for _ in result:
            break
        assert 1 == in_progress(registry)
        del result
        gc.collect()
        assert {"cancelled": 1} == outcomes(registry)

    @pytest.mark.parametrize(
        ("error", "outcome"), [(ValueError("no"), "failure"), (asyncio.CancelledError(), "cancelled")]
    )
    def test_counts_what_raises(self, error: BaseException, outcome: str, registry: CollectorRegistry) -> None:
        """What the caller's generator raises comes out as the same object."""

        def texts() -> Iterator[str]:
            yield "good"
            raise error

        told = pipeline("text-classification", model=classifier(), tokenizer=tokenizer())
        with pytest.raises(type(error)) as caught:
            list(told(texts()))
        assert error is caught.value
        assert {outcome: 1} == outcomes(registry)

    def test_generates_inside_of_it(self, registry: CollectorRegistry) -> None:
        """What is generated as it is read is a part of it."""
        asked = pipeline("text-generation", model=generator(), tokenizer=tokenizer())
        list(asked((text for text in ["good", "bad day"]), **LENGTHS))
        assert {"success": 1} == outcomes(registry)
        assert (3, 2 * NEW) == tokens(registry, "text-generation")


class TestInstrument:
    """The library is instrumented until the handle is left."""

    def test_is_put_back(self, registry: CollectorRegistry) -> None:
        """Two handles count twice, each in its own registry; afterwards nothing is recorded."""
        other = CollectorRegistry()
        model = generator()
        with MLMetrics("other", other).instrument_transformers():
            model.generate(prompts(), **LENGTHS)
        model.generate(prompts(), **LENGTHS)
        assert {"success": 1} == outcomes(other)
        assert {"success": 2} == outcomes(registry)

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("gpt2", "gpt2"),
            ("BAAI/bge-small-en-v1.5", "BAAI/bge-small-en-v1.5"),
            ("/srv/models/bge-small/", "bge-small"),
            ("./bge-small", "bge-small"),
            ("C:\\models\\bge-small", "bge-small"),
            ("/srv/hub/models--BAAI--bge-small/snapshots/0a1b2c", "BAAI/bge-small"),
        ],
    )
    def test_names_models(self, given: str, expected: str, registry: CollectorRegistry) -> None:
        """A name on the hub is kept, and a path is known by its last part."""
        assert expected == name_from(given)
        model = generator()
        model.name_or_path = given
        model.generate(prompts(), **LENGTHS)
        assert [expected] == label_values(registry, "ml_inference_total", "model")


class Collecting:
    """A streamer that keeps the tokens, or raises where the second thing comes."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.seen: list[int] = []
        self.ended: Any = error

    def put(self, tokens: Any) -> None:
        """Keep them."""
        if self.seen and self.ended is not None:
            raise self.ended
        self.seen += tokens.flatten().tolist()

    def end(self) -> None:
        """Note that all have come."""
        self.ended = True


def first(result: Any) -> Any:
    """Return the best class of a result."""
    return result if isinstance(result, dict) else result[0]
