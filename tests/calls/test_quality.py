"""Scores, classes, feedback and errors of predictions: from results, in blocks, and by direct functions."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import enum
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import ConfigurationError, DeclarationError, MLMetrics, arg
from tests.contract.kinds import FLAVOURS, HOLDERS, Flavour, Script
from tests.recorded import absent, errors, label_values, outcomes, samples, value

SCORES, PREDICTIONS = "ml_inference_score", "ml_prediction_total"
FEEDBACK, ERRORS = "ml_feedback_total", "ml_prediction_error"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own."""
    return MLMetrics(service="s", registry=registry)


class Kind(enum.Enum):
    """Classes as members of an enum."""

    INVOICE = "invoice"
    LETTER = 2


class Marks(enum.Flag):
    """Classes whose members can be iterated."""

    URGENT = 1


class Hostile:
    """An object that raises whatever it is asked."""

    def _raise(self, *_: object) -> Any:
        raise RuntimeError("hostile")

    __getattr__ = __str__ = __repr__ = __hash__ = __eq__ = __bool__ = __len__ = __iter__ = __format__ = _raise


def counted(registry: CollectorRegistry, **labels: str) -> dict[str, float]:
    """Return how often each class was predicted."""
    found = samples(registry, PREDICTIONS, **labels)
    return {sample.labels["predicted_class"]: sample.value for sample in found}


def verdicts(registry: CollectorRegistry, **labels: str) -> dict[str, float]:
    """Return how often each verdict was given."""
    return {sample.labels["verdict"]: sample.value for sample in samples(registry, FEEDBACK, **labels)}


def kind(value: object) -> str:
    """Return what to call a value that may not be asked anything itself."""
    return type(value).__name__


class TestResults:
    """`score=` and `predicted_class=` of an inference."""

    def test_of_an_object_and_of_a_mapping(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """An attribute or a key by name; the histogram of scores exists from the declaration on."""

        class Answer:
            confidence, label = 0.75, "invoice"

        classify: Any = metrics.track_inference(model="m", score="confidence", predicted_class="label")(lambda r: r)
        assert 0 == value(registry, f"{SCORES}_count", service="s", model="m", operation="")
        classify(Answer()), classify({"confidence": 0.5, "label": "letter"})
        assert 1.25 == value(registry, f"{SCORES}_sum")
        assert {"invoice": 1, "letter": 1} == counted(registry, service="s", model="m")
        assert {"success": 2} == outcomes(registry)
        assert {} == errors(registry)

    def test_what_is_named_must_be_there(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A missing score or class that was named is counted, `confidence` too: it was not the default."""
        metrics.track_inference(model="m", score="confidence", predicted_class="label")(lambda: "text")()
        assert {"score": 1, "prediction": 1} == errors(registry)
        assert {"success": 1} == outcomes(registry)

    def test_several(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A batch has several scores and classes."""
        decorate = metrics.track_inference(model="m", score=lambda each: each[0], predicted_class=lambda each: each[1])
        classify: Any = decorate(lambda *batch: batch)
        classify([0.5, 0.25], ["a", "b"])
        classify(np.array([0.5, 0.25]), np.array(["a", "b", "b"]))
        classify((), ())
        assert 1.5 == value(registry, f"{SCORES}_sum")
        assert 4 == value(registry, f"{SCORES}_count")
        assert {"a": 2, "b": 3} == counted(registry)
        assert {} == errors(registry)

    def test_none(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A model that abstains gives None, which is no class and no mistake."""
        classify = metrics.track_inference(model="m", score="confidence", predicted_class="label")(lambda r: r)
        classify({"confidence": None, "label": None})
        assert absent(registry, PREDICTIONS)
        assert 0 == value(registry, f"{SCORES}_count")
        assert {} == errors(registry)

    @pytest.mark.parametrize("option", ["score", "predicted_class"])
    @pytest.mark.parametrize("wrong", [3, "", [], arg("label"), lambda: None], ids=kind)
    def test_refused_when_declared(self, metrics: MLMetrics, option: str, wrong: Any) -> None:
        """What cannot be read from a result is refused by the decorator, with the name of the option."""
        options: Any = {option: wrong}
        with pytest.raises(DeclarationError, match=option):
            metrics.track_inference(model="m", **options)

    def test_other_calls_have_their_own_labels(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A model that is an argument labels its classes; its operation does not."""
        classify = metrics.track_inference(model=arg("model"), operation="sort", predicted_class=str.upper)(
            lambda text, model: text
        )
        classify("a", "one"), classify("a", model="two")
        assert ["one", "two"] == label_values(registry, PREDICTIONS, "model")
        assert {"service", "model", "predicted_class"} == set(next(samples(registry, PREDICTIONS)).labels)

    @pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: holder.__name__)
    @pytest.mark.parametrize(
        ("flavour", "ending"),
        [pytest.param(each, ending, id=f"{each.name}-{ending}") for each in FLAVOURS for ending in each.endings],
    )
    def test_every_kind_of_call(
        self, registry: CollectorRegistry, metrics: MLMetrics, flavour: Flavour, holder: Callable[..., Any], ending: str
    ) -> None:
        """A call that ends with a result has its score and its class once; one that does not has neither."""
        decorate = metrics.track_inference(model="m", score=lambda result: 0.5, predicted_class=lambda result: "a")
        with suppress(BaseException):
            flavour.run(holder(decorate, flavour.body), Script(ending))
        expected = {"a": 1} if ending == "return" else {}
        assert expected == counted(registry)
        assert len(expected) == sum(sample.value for sample in samples(registry, f"{SCORES}_count"))
        assert {} == errors(registry)

    def test_a_stream_is_read_at_its_end(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The result is what a generator returns, else the last chunk."""

        @metrics.track_inference(model="returns", predicted_class=str)
        def returning() -> Any:
            yield "chunk"
            return "returned"

        @metrics.track_inference(model="yields", predicted_class=str)
        def yielding() -> Any:
            yield "first"
            yield "last"

        list(returning()), list(yielding())
        assert {"returned": 1, "last": 1} == counted(registry)


class TestCall:
    """`call.score` and `call.predicted` of an inference."""

    def test_score_and_classes(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A block says its scores and its classes."""
        with metrics.inference_timer(model="m", operation="sort") as call:
            call.score(0.5)
            call.predicted("invoice")
            call.predicted(["letter", "invoice"])
        assert 0.5 == value(registry, f"{SCORES}_sum", model="m", operation="sort")
        assert {"invoice": 2, "letter": 1} == counted(registry, model="m")

    @pytest.mark.parametrize("said", [iter(["a"]), {"a": 0.9, "b": 0.1}, Hostile()], ids=kind)
    def test_what_cannot_be_read(self, registry: CollectorRegistry, metrics: MLMetrics, said: Any) -> None:
        """An iterator, which belongs to the caller, and an object that raises are counted and not raised."""
        with metrics.inference_timer(model="m") as call:
            call.predicted(said)
        assert {"prediction": 1} == errors(registry)
        assert {"success": 1} == outcomes(registry)


GOOD_CLASSES = [
    *(("spam", "spam"), (3, "3"), (True, "True"), (1.0, "1.0"), (Kind.INVOICE, "invoice"), (Kind.LETTER, "2")),
    *((Marks.URGENT, "1"), (np.str_("spam"), "spam"), (np.int64(3), "3"), (np.bool_(1), "True"), (np.array(3), "3")),
    (np.float32(0.5), "0.5"),
]
BAD_CLASSES = [None, "", b"spam", Decimal(1), {"spam": 0.9}, object(), Hostile(), np.array([[1]]), 1j]


class TestTrackPrediction:
    """`track_prediction`."""

    @pytest.mark.parametrize(("predicted", "label"), GOOD_CLASSES, ids=kind)
    def test_classes_of_any_type(
        self, registry: CollectorRegistry, metrics: MLMetrics, predicted: Any, label: str
    ) -> None:
        """A class is its text, its number, or the value of its enum, however it comes to be recorded."""
        metrics.track_prediction("m", predicted)
        metrics.track_inference(model="m", predicted_class=lambda result: result)(lambda: predicted)()
        with metrics.inference_timer(model="m") as call:
            call.predicted(predicted)
        assert {label: 3} == counted(registry, service="s", model="m")
        assert {} == errors(registry)

    @pytest.mark.parametrize("predicted", BAD_CLASSES, ids=kind)
    def test_what_is_no_class(self, registry: CollectorRegistry, metrics: MLMetrics, predicted: Any) -> None:
        """It is counted as `unknown`, and as a mistake."""
        metrics.track_prediction("m", predicted)
        assert {"unknown": 1} == counted(registry)
        assert {"label.predicted_class": 1} == errors(registry)

    def test_a_number_and_its_text_are_one_class(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """`1`, `"1"` and numpy's 1 are one series; `True` is another."""
        for predicted in (1, "1", np.int32(1), True):
            metrics.track_prediction("m", predicted)
        assert {"1": 3, "True": 1} == counted(registry)

    def test_limit(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Beyond the limit of values, a class is `other`, and the overflow is counted."""
        metrics.configure(max_label_values=2)
        for predicted in ("a", "b", "c", "d", "a"):
            metrics.track_prediction("m", predicted)
        assert {"a": 2, "b": 1, "other": 2} == counted(registry)
        overflow = {"metric": PREDICTIONS, "label": "predicted_class"}
        assert 2 == value(registry, "mlmetrics_label_overflow_total", **overflow)

    @pytest.mark.parametrize(("given", "label"), [(None, "s"), ("", "s"), ("other-service", "other-service")])
    def test_service(self, registry: CollectorRegistry, metrics: MLMetrics, given: str | None, label: str) -> None:
        """The service is the given one, else the toolkit's, in all three functions."""
        metrics.track_prediction("m", "a", service=given)
        metrics.track_feedback("m", service=given)
        metrics.track_prediction_error("m", 1, service=given)
        for name in (PREDICTIONS, FEEDBACK, f"{ERRORS}_count"):
            assert [label] == label_values(registry, name, "service")


class TestTrackFeedback:
    """`track_feedback`."""

    def test_both_verdicts_exist(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """From the first verdict on, whichever it is, so that `rate()` sees the first of the other."""
        metrics.track_feedback("liked")
        metrics.track_feedback("disliked", good=False)
        assert {"good": 1, "bad": 0} == verdicts(registry, service="s", model="liked")
        assert {"good": 0, "bad": 1} == verdicts(registry, service="s", model="disliked")

    @pytest.mark.parametrize("good", [True, 1, np.bool_(1), 1.0], ids=kind)
    def test_true_and_false(self, registry: CollectorRegistry, metrics: MLMetrics, good: Any) -> None:
        """Booleans of every kind are verdicts."""
        metrics.track_feedback("m", good)
        metrics.track_feedback("m", type(good)(0))
        assert {"good": 1, "bad": 1} == verdicts(registry)

    @pytest.mark.parametrize("good", ["bad", "", None, 3, 0.5, np.array([1, 0]), Hostile()], ids=kind)
    def test_anything_else_is_a_mistake(self, registry: CollectorRegistry, metrics: MLMetrics, good: Any) -> None:
        """A text or a rating is neither good nor bad: it is counted as a mistake, and as no verdict."""
        metrics.track_feedback("m", good)
        assert absent(registry, FEEDBACK)
        assert {"feedback": 1} == errors(registry)


class TestTrackPredictionError:
    """`track_prediction_error`."""

    def test_buckets_of_ones_own(self, registry: CollectorRegistry) -> None:
        """The bounds are those of `configure`."""
        metrics = MLMetrics(service="s", registry=registry)
        metrics.configure(buckets={ERRORS: [1, 10, 100]})
        for error in (0.5, 5, np.float32(50), Decimal(500)):
            metrics.track_prediction_error("m", error)  # type: ignore[arg-type]  # as users of numpy and Decimal do
        found = {sample.labels["le"]: sample.value for sample in samples(registry, f"{ERRORS}_bucket", model="m")}
        assert {"1.0": 1, "10.0": 2, "100.0": 3, "+Inf": 4} == found
        assert 555.5 == value(registry, f"{ERRORS}_sum")
        with pytest.raises(ConfigurationError, match="already has samples"):
            metrics.configure(buckets={ERRORS: [1, 2]})

    @pytest.mark.parametrize("error", [-1, float("nan"), float("inf"), "1", None, Hostile()], ids=kind)
    def test_bad_numbers(self, registry: CollectorRegistry, metrics: MLMetrics, error: Any) -> None:
        """What is no number of 0 or more, such as an error with its sign, is counted and not recorded."""
        metrics.track_prediction_error("m", error)
        assert absent(registry, f"{ERRORS}_count")
        assert {"prediction_error": 1} == errors(registry)


def test_models_of_any_type(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A model that is no text is `unknown`, and counted as a mistake, once for each function."""
    metrics.track_prediction(None, "a")  # type: ignore[arg-type]  # that is the test
    metrics.track_feedback(None)  # type: ignore[arg-type]  # as above
    metrics.track_prediction_error(None, 1)  # type: ignore[arg-type]  # as above
    for name in (PREDICTIONS, FEEDBACK, f"{ERRORS}_count"):
        assert ["unknown"] == label_values(registry, name, "model")
    assert {"label.model": 3} == errors(registry)


def test_pickled(registry: CollectorRegistry, metrics: MLMetrics) -> None:
    """A pickled method of a toolkit records into the same registry."""
    for _ in range(2):
        pickle.loads(pickle.dumps(metrics.track_feedback))("m")  # noqa: S301 (bytes of our own)
    assert {"good": 2, "bad": 0} == verdicts(registry)


PROGRAM = """
import multiprocessing, sys
from prometheus_client import REGISTRY
from mlmetrics import configure, track_feedback, track_inference, track_prediction, track_prediction_error

WANTED = ("ml_inference_score_count", "ml_prediction_total", "ml_feedback_total", "ml_prediction_error_sum")
configure(service="s", buckets={"ml_prediction_error": [1, 10]})

@track_inference(model="m", score="confidence", predicted_class="label")
def classify(label):
    return {"confidence": 0.5, "label": label}

def work(number):
    classify("a"), classify(f"own {number}"), track_prediction("m", "a")
    track_feedback("m", good=number == 0), track_prediction_error("m", 5)

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=work, args=(number,)) for number in range(2)]
    for child in children: child.start()
    for child in children: child.join()
    for family in REGISTRY.collect():
        for sample in family.samples:
            name, labels = sample.name, sample.labels
            if name in WANTED:
                print(name, labels.get("predicted_class", labels.get("verdict", "")), sample.value, sep="|")
            if name == "mlmetrics_recording_errors_total" and sample.value:
                print(labels)
"""


def test_several_processes(tmp_path: Path) -> None:
    """What two processes recorded, which have ended, is added up by a third."""
    program, shared = tmp_path / "program.py", tmp_path / "shared"
    program.write_text(PROGRAM)
    shared.mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PROMETHEUS_MULTIPROC_DIR": str(shared)}
    done = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, check=True)
    expected = {
        *("ml_inference_score_count||4.0", "ml_prediction_error_sum||10.0"),
        *("ml_prediction_total|a|4.0", "ml_prediction_total|own 0|1.0", "ml_prediction_total|own 1|1.0"),
        *("ml_feedback_total|good|1.0", "ml_feedback_total|bad|1.0"),
    }
    assert expected == set(done.stdout.splitlines()), done.stderr
