"""Operations of a project's own: declared, refused, and recorded as those that ship."""

# mypy: allow-untyped-calls
# A lambda has no types, and is often all that a test has to record.

import inspect
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from structlog.testing import capture_logs

import mlmetrics
from mlmetrics import ConfigurationError, DeclarationError, MLMetrics, OwnOperation, RegistrationError, arg
from mlmetrics.catalog import OPERATIONS
from mlmetrics.catalog.own import KEYWORDS, RESERVED_LABELS
from mlmetrics.exposition.text import render
from tests.conftest import Clock
from tests.recorded import absent, errors, in_progress, label_values, outcomes, samples, value

TOTAL = "ml_retrieval_total"
DURATION = "ml_retrieval_duration_seconds"
SCORE = "ml_retrieval_score"
OVERFLOW = "mlmetrics_label_overflow_total"


class Name(StrEnum):
    """Names as many projects keep them."""

    RETRIEVAL = "retrieval"
    INDEX = "index"


class Hostile:
    """An object that cannot be shown, compared, counted or hashed."""

    def __repr__(self) -> str:
        return str(1 / 0)

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return bool(1 / 0)

    def __hash__(self) -> int:
        return int(1 / 0)

    def __iter__(self) -> Any:
        raise TypeError


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> MLMetrics:
    """Return a toolkit on a registry and a clock of its own."""
    return MLMetrics(service="s", registry=registry, clock=clock)


@pytest.fixture
def retrieval(metrics: MLMetrics) -> OwnOperation:
    """Return an operation with two labels and scores."""
    return metrics.operation("retrieval", labelnames=("index", "region"), score=True)


class TestDeclaration:
    """`operation`."""

    def test_what_is_exposed(self, registry: CollectorRegistry, retrieval: OwnOperation) -> None:
        """From the first declared function on, its metrics stand at 0, and its labels have their places of mistakes."""
        retrieval.track(index="docs", score="relevance")(lambda: None)
        page = render(registry).decode()
        labels = 'index="docs"', 'region="",service="s"'
        for outcome in ("success", "failure", "cancelled"):
            assert f'{TOTAL}{{{labels[0]},outcome="{outcome}",{labels[1]}}} 0.0\n' in page
        for name in (f"{DURATION}_count", f"{SCORE}_count", "ml_retrieval_in_progress"):
            assert f"{name}{{{','.join(labels)}}} 0.0\n" in page
        assert "# HELP ml_retrieval_score Scores of retrieval results, 0 to 1.\n" in page
        assert {"label.index", "label.region"} <= set(
            label_values(registry, "mlmetrics_recording_errors_total", "where")
        )

    def test_alike_by_several_toolkits(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Declared again alike, on the same registry, it is the same operation, with the same series."""
        other = MLMetrics(service="other", registry=registry)
        for each in (metrics, metrics, other):
            each.operation("retrieval", ["index"]).track(index="docs")(lambda: None)()
        assert {"success": 2} == outcomes(registry, "retrieval", service="s")
        assert {"success": 1} == outcomes(registry, "retrieval", service="other")
        assert 1 == render(registry).decode().count("# TYPE ml_retrieval_total counter")

    @pytest.mark.parametrize(
        "other",
        [
            {"labelnames": ("index",), "score": True},
            {"labelnames": ("region", "index"), "score": True},
            {"labelnames": ("index", "region")},
            {"labelnames": ("index", "region"), "score": True, "subject": "region"},
            {"labelnames": ("index", "region"), "score": True, "buckets": (1, 2)},
        ],
        ids=str,
    )
    def test_in_another_way(
        self, registry: CollectorRegistry, metrics: MLMetrics, retrieval: OwnOperation, other: dict[str, Any]
    ) -> None:
        """Another row under the same name is refused, and changes nothing."""
        retrieval.track(index="docs")(lambda: None)()
        before = registry.get_sample_value(f"{DURATION}_count", {"service": "s", "index": "docs", "region": ""})
        with pytest.raises(DeclarationError, match=r"operation\('retrieval'\): it is declared already, in another way"):
            metrics.operation("retrieval", **other)
        assert 1 == before
        retrieval.track(index="docs")(lambda: None)()
        assert {"success": 2} == outcomes(registry, "retrieval")

    @pytest.mark.parametrize("score", ["relevance", 1, None, len])
    def test_score_that_is_not_true_or_false(self, metrics: MLMetrics, score: Any) -> None:
        """Where to find the score is said when a function is decorated; said here, it would never be read."""
        with pytest.raises(DeclarationError, match=r"score=.*expected True or False; .*track\(score="):
            metrics.operation("retrieval", score=score)
        assert "ml_retrieval_total" not in metrics.store.families

    def test_scores_are_not_added_later(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """An operation that was declared without scores has none, whoever asks for them."""
        metrics.operation("retrieval").record(1.0)
        with pytest.raises(DeclarationError, match="no scores"):
            metrics.operation("retrieval", score=True)
        assert SCORE not in metrics.store.families
        assert {"success": 1} == outcomes(registry, "retrieval")

    @pytest.mark.parametrize("label", RESERVED_LABELS)
    def test_labels_that_others_set(self, metrics: MLMetrics, label: str) -> None:
        """What mlmetrics or Prometheus sets is no label of an operation."""
        with pytest.raises(DeclarationError, match=f"label '{label}': mlmetrics or Prometheus sets this label"):
            metrics.operation("retrieval", labelnames=("index", label))

    @pytest.mark.parametrize("label", sorted(set(KEYWORDS) - set(RESERVED_LABELS)))
    def test_labels_that_are_keywords(self, metrics: MLMetrics, label: str) -> None:
        """What `track` and `record` take by keyword is no label."""
        with pytest.raises(DeclarationError, match=f"label '{label}': it is a keyword of `track` or `record`"):
            metrics.operation("retrieval", labelnames=(label,))

    @pytest.mark.parametrize("method", ["track", "timer", "record", "record_score"])
    def test_every_keyword_is_in_the_list(self, method: str) -> None:
        """The list of keywords is complete."""
        parameters = inspect.signature(getattr(OwnOperation, method)).parameters.values()
        named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        assert {each.name for each in parameters if each.kind in named} - {"self"} <= set(KEYWORDS)

    @pytest.mark.parametrize("name", [operation.name for operation in OPERATIONS])
    def test_operations_that_ship(self, metrics: MLMetrics, name: str) -> None:
        """The names of the operations that ship are theirs."""
        with pytest.raises(DeclarationError, match="mlmetrics has an operation of this name") as refused:
            metrics.operation(name)
        advice = re.search(r"use (\w+), or", str(refused.value))
        assert advice is not None
        assert callable(getattr(metrics, advice[1]))

    @pytest.mark.parametrize(
        "name",
        [
            *("Retrieval", "re trieval", "", "_retrieval", "retrieval_", "re__trieval", "9", "ré", "a" * 61, "a\n"),
            *("retrieval_total", "retrieval_count", "retrieval_sum", "retrieval_bucket", "retrieval_created", "x_info"),
            *(None, 3, b"retrieval", ["retrieval"], object),
        ],
        ids=repr,
    )
    def test_names_that_cannot_be_used(self, registry: CollectorRegistry, metrics: MLMetrics, name: Any) -> None:
        """A name that is none, or breaks the conventions of Prometheus, is refused, and nothing is declared."""
        with pytest.raises(DeclarationError, match=r"^operation\("):
            metrics.operation(name)
        assert not [family for family in registry.collect() if "retrieval" in family.name]

    @pytest.mark.parametrize("name", ["inference_queue", "inference_first", "model_load"])
    def test_names_near_those_that_ship(self, registry: CollectorRegistry, metrics: MLMetrics, name: str) -> None:
        """A name whose metrics would be those of the catalogue is refused; one that is only near it is not."""
        refused = f"ml_{name}_duration_seconds" in metrics.store.families
        if refused:
            with pytest.raises(DeclarationError, match=f"ml_{name}_duration_seconds has the name of one of mlmetrics"):
                metrics.operation(name)
        else:
            metrics.operation(name).record(1.0)
            assert {"success": 1} == outcomes(registry, name)
        assert refused is (name != "inference_first")

    @pytest.mark.parametrize(
        "labels",
        [
            *("index", ("a", "a"), ("a-b",), ("__a",), ("class",), ("é",), ("",), (3,), (None,), ([],)),
            *(3, None, {"a"}, ("a", ["a"])),
        ],
        ids=repr,
    )
    def test_labels_that_cannot_be_used(self, metrics: MLMetrics, labels: Any) -> None:
        """Labels that are no names, or no tuple of them, are refused."""
        with pytest.raises(DeclarationError, match=r"operation\('retrieval'\): label"):
            metrics.operation("retrieval", labels)

    @pytest.mark.parametrize("what", ["name", "labelnames", "label", "subject", "buckets"])
    def test_objects_that_cannot_be_shown(self, metrics: MLMetrics, what: str) -> None:
        """Any object may come by mistake; the message says of which class it is."""
        hostile: Any = Hostile()
        given = {what: hostile} if what != "label" else {"labelnames": (hostile,)}
        with pytest.raises(DeclarationError, match="<Hostile whose repr raised ZeroDivisionError>"):
            metrics.operation(**{"name": "retrieval", **given})

    def test_names_of_a_class_of_their_own(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Members of an enumeration of texts are texts."""
        metrics.operation(Name.RETRIEVAL, (Name.INDEX,)).record(0.5, index="docs")
        metrics.operation("retrieval", ("index",)).record(0.5, index=Name.INDEX)
        assert {"success": 1} == outcomes(registry, "retrieval", index="docs")
        assert {"success": 1} == outcomes(registry, "retrieval", index="index")

    @pytest.mark.parametrize(
        "buckets", [[], [2, 1], [1, 1], [float("inf")], [10**400], ["a"], 3], ids=lambda given: f"{given!r:.20}"
    )
    def test_buckets_that_cannot_work(self, metrics: MLMetrics, buckets: Any) -> None:
        """Bounds are finite numbers, ascending, each once."""
        with pytest.raises(DeclarationError, match=r"operation\('retrieval'\): buckets="):
            metrics.operation("retrieval", buckets=buckets)

    def test_a_subject_that_is_no_label(self, metrics: MLMetrics) -> None:
        """The subject is one of the labels."""
        with pytest.raises(DeclarationError, match="subject='region': expected one of its labels"):
            metrics.operation("retrieval", ("index",), subject="region")

    @pytest.mark.parametrize(
        "taken",
        [
            lambda registry: Counter("ml_retrieval", "By hand.", registry=registry),
            lambda registry: Gauge("ml_retrieval_errors_created", "By hand.", registry=registry),
            lambda registry: Histogram("ml_retrieval_score", "By hand.", registry=registry),
            lambda registry: Gauge("ml_retrieval_in_progress", "By hand.", registry=registry),
        ],
    )
    def test_names_that_are_taken_in_the_registry(
        self, registry: CollectorRegistry, metrics: MLMetrics, taken: Callable[[CollectorRegistry], Any]
    ) -> None:
        """A metric of somebody else is not touched; the operation is refused as a whole, until its names are free."""
        theirs = taken(registry)
        before = {family.name for family in registry.collect()}
        with pytest.raises(RegistrationError, match=r"ml_retrieval_.*: the registry already holds a metric of such"):
            metrics.operation("retrieval", score=True)
        metrics.track_inference(model="m")
        assert not [name for name in metrics.store.families if "retrieval" in name]
        assert before <= {family.name for family in registry.collect()}
        registry.unregister(theirs)
        metrics.operation("retrieval", score=True).record_score(0.5)
        assert 0.5 == value(registry, f"{SCORE}_sum")

    def test_names_that_the_project_has_taken(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Two operations whose metrics have the same names are refused, the second one as a whole."""
        metrics.operation("retrieval").record(1.0)
        with pytest.raises(DeclarationError, match="ml_retrieval_errors_total is declared already, in another"):
            metrics.operation("retrieval_errors")
        metrics.operation("retrieval").record(1.0)
        assert absent(registry, "ml_retrieval_errors_duration_seconds_count")
        assert {"success": 2} == outcomes(registry, "retrieval")

    def test_another_registry_comes_too_late(self, metrics: MLMetrics, retrieval: OwnOperation) -> None:
        """As after every other declaration, and the registry stays."""
        with pytest.raises(ConfigurationError, match=r"configure\(registry=\.\.\.\) came after something was declared"):
            metrics.configure(registry=CollectorRegistry())
        assert "retrieval" == retrieval.name
        assert ("index", "region") == retrieval.labelnames

    def test_of_the_module(self) -> None:
        """The function of the module declares on the default registry."""
        operation = mlmetrics.operation("of_the_module", ("kind",))
        operation.record(0.5, kind="x")
        assert 1 == value(REGISTRY, "ml_of_the_module_total", kind="x", outcome="success")
        assert "<operation of_the_module with the labels ('kind',)>" == repr(operation)


class TestBuckets:
    """Buckets by the declaration and by `configure`."""

    def bounds(self, registry: CollectorRegistry, name: str = DURATION) -> list[str]:
        """Return the bounds of a histogram."""
        return label_values(registry, f"{name}_bucket", "le")

    def test_of_the_declaration(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """The declaration gives those of durations."""
        metrics.operation("retrieval", buckets=(1, 2.5)).record(2.0)
        assert ["1.0", "2.5", "+Inf"] == self.bounds(registry)

    @pytest.mark.parametrize("name", [DURATION, SCORE])
    def test_configured(self, registry: CollectorRegistry, name: str) -> None:
        """They may be configured after the declaration; before it, a name is a typing mistake, and nothing is kept."""
        metrics = MLMetrics(registry=registry)
        with pytest.raises(ConfigurationError, match=f"'{name}' is no histogram .* own is to be declared first"):
            metrics.configure(buckets={name: (0.25, 0.3)})
        retrieval = metrics.operation("retrieval", score=True, buckets=(1, 2.5))
        metrics.configure(buckets={name: (0.5, 0.75)})
        retrieval.record(0.6)
        retrieval.record_score(0.6)
        assert ["0.5", "0.75", "+Inf"] == self.bounds(registry, name)

    def test_too_late(self, metrics: MLMetrics, retrieval: OwnOperation) -> None:
        """Other bounds after the first sample are refused, and later configurations are not."""
        retrieval.track(index="docs")(lambda: None)()
        render(metrics.registry)
        with pytest.raises(ConfigurationError, match=f"'{DURATION}' already has samples"):
            metrics.configure(buckets={DURATION: (1,)})
        metrics.configure(slow_seconds=3)

    @pytest.mark.parametrize(
        "buckets",
        [
            {"ml_inferense_duration_seconds": [1]},
            {3: [1]},
            {"ml_inference_score": [2, 1]},
            {"ml_inference_score": "12"},
        ],
        ids=str,
    )
    def test_what_is_wrong(self, buckets: Any) -> None:
        """A typing mistake in a name, what is no name, and wrong bounds are refused before there is a store."""
        with pytest.raises(ConfigurationError, match=r"is no histogram of mlmetrics|must be finite and ascending"):
            MLMetrics(registry=CollectorRegistry(), buckets=buckets)


class TestTrack:
    """`track`; how calls end is in the contract matrix."""

    def test_labels(self, registry: CollectorRegistry, retrieval: OwnOperation) -> None:
        """Labels are texts, arguments or functions of the call."""
        tracked = retrieval.track(index=arg("index"), region=lambda call: call.arguments["region"].upper())
        tracked(lambda index, region: None)("docs", "eu")
        assert {"success": 1} == outcomes(registry, "retrieval", index="docs", region="EU", service="s")

    def test_subject(self, registry: CollectorRegistry, metrics: MLMetrics, retrieval: OwnOperation) -> None:
        """The subject that is left out is the function's name, and other labels are empty."""

        @retrieval.track
        def first() -> None: ...

        @retrieval.track(region="eu")
        def second() -> None: ...

        @metrics.operation("reranking", ("task", "model"), subject="model").track
        def third() -> None: ...

        first(), second(), third()
        assert {"success": 1} == outcomes(registry, "retrieval", index="first", region="")
        assert {"success": 1} == outcomes(registry, "retrieval", index="second", region="eu")
        assert {"success": 1} == outcomes(registry, "reranking", task="", model="third")

    def test_service_and_stream(self, registry: CollectorRegistry, retrieval: OwnOperation, clock: Clock) -> None:
        """A service may be named, and a stream is one call until it ends."""

        @retrieval.track(index="docs", service="other", stream=True)
        def found() -> Any:
            return map(clock.advance, (1, 2))

        stream = found()
        next(stream)
        assert 1 == in_progress(registry, "retrieval")
        list(stream)
        assert {"success": 1} == outcomes(registry, "retrieval", service="other")
        assert 3 == value(registry, f"{DURATION}_sum")

    @pytest.mark.parametrize("score", ["relevance", lambda result: result["relevance"]])
    def test_scores(self, registry: CollectorRegistry, retrieval: OwnOperation, score: Any) -> None:
        """Scores are read from the result, one or several; a wrong one is counted and reaches nobody."""
        tracked = retrieval.track(index="docs", score=score)(lambda relevance: {"relevance": relevance})
        for relevance in (0.5, [0.25, 0.75], None, 7):
            assert {"relevance": relevance} == tracked(relevance)
        assert 3 == value(registry, f"{SCORE}_count")
        assert 1.5 == value(registry, f"{SCORE}_sum")
        assert {"score": 1} == errors(registry)

    def test_no_scores(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """Where the operation has no scores, `score` is refused, and a score of a block is counted as a mistake."""
        embedding = metrics.operation("embedding")
        with pytest.raises(DeclarationError, match=r"embedding\.track\(score='a'\): the operation has no scores; decl"):
            embedding.track(score="a")
        with embedding.timer() as call:
            call.score(0.5)
        embedding.record_score(0.5)
        assert {"score": 2} == errors(registry)

    @pytest.mark.parametrize(
        "labels",
        [{"indx": "docs"}, {"usage": len}, {"model": "m"}, {"content": len}],
        ids=str,
    )
    def test_keywords_that_it_does_not_have(self, retrieval: OwnOperation, labels: dict[str, Any]) -> None:
        """The message names the keyword and the labels that there are."""
        (name,) = labels
        with pytest.raises(
            DeclarationError, match=rf"retrieval\.track\({name}=\.\.\.\): .*its labels are index, region"
        ):
            retrieval.track(**labels)

    @pytest.mark.parametrize(
        "labels",
        [{"index": ""}, {"index": 3}, {"region": None}, {"region": 3}, {"index": arg("no")}, {"index": lambda: "x"}],
    )
    def test_labels_that_cannot_work(self, retrieval: OwnOperation, labels: dict[str, Any]) -> None:
        """A label is refused for the same reasons as a model."""
        with pytest.raises(DeclarationError):
            retrieval.track(**labels)(lambda query: query)

    def test_computed_labels_that_fail(self, registry: CollectorRegistry, retrieval: OwnOperation) -> None:
        """A label that cannot be computed is unknown, and counted at its own place."""
        assert 3 == retrieval.track(index=lambda call: 1 / 0)(lambda: 3)()
        assert {"success": 1} == outcomes(registry, "retrieval", index="unknown")
        assert {"label.index": 1} == errors(registry)


class TestTimer:
    """`timer`."""

    def test_labels(self, registry: CollectorRegistry, retrieval: OwnOperation) -> None:
        """Labels are those of the block; the subject is `default`, and the others are empty, if they are left out."""
        for _ in range(2):
            with retrieval.timer(index="docs", region="eu") as call:
                call.score(0.5)
            with retrieval.timer(region="eu", index="docs"):
                pass
            with retrieval.timer():
                pass
            with retrieval.timer(index="docs", region="eu", service="other"):
                pass
        assert {"success": 4} == outcomes(registry, "retrieval", index="docs", region="eu", service="s")
        assert {"success": 2} == outcomes(registry, "retrieval", index="default", region="", service="s")
        assert {"success": 2} == outcomes(registry, "retrieval", index="docs", service="other")
        assert 2 == value(registry, f"{SCORE}_count")

    @pytest.mark.parametrize("index", [1, True, None, [], "", "x" * 300, "\ud800"], ids=repr)
    def test_values_that_are_no_label(self, registry: CollectorRegistry, retrieval: OwnOperation, index: Any) -> None:
        """A value that is no valid text becomes one, each time alike, and does not reach the block."""
        for _ in range(2):
            with retrieval.timer(index=index):
                pass
        (labels,) = {sample.labels["index"] for sample in samples(registry, TOTAL)}
        assert {"success": 2} == outcomes(registry, "retrieval")
        assert labels in {"1", "True", "unknown", "x" * 200, "?"}

    def test_values_that_are_equal_and_not_alike(self, registry: CollectorRegistry, retrieval: OwnOperation) -> None:
        """A number is never mistaken for the text that was used before, nor for another number."""
        for index in ("1", 1, True, 1.0):
            made: Any = index
            with retrieval.timer(index=made):
                pass
        assert {"success": 2} == outcomes(registry, "retrieval", index="1")
        assert {"success": 1} == outcomes(registry, "retrieval", index="True")
        assert {"success": 1} == outcomes(registry, "retrieval", index="1.0")

    @pytest.mark.parametrize("index", [arg("index"), lambda call: "x"], ids=["arg", "function"])
    @pytest.mark.parametrize("method", ["timer", "record", "record_score"])
    def test_labels_of_a_call(self, retrieval: OwnOperation, method: str, index: Any) -> None:
        """There is no call to take labels from."""
        arguments = () if method == "timer" else (0.5,)
        with pytest.raises(DeclarationError, match=rf"retrieval\.{method}\(index=\.\.\.\): there is no call to take"):
            getattr(retrieval, method)(*arguments, index=index)

    @pytest.mark.parametrize("method", ["timer", "record", "record_score"])
    def test_keywords_that_it_does_not_have(self, retrieval: OwnOperation, method: str) -> None:
        """A label that the operation does not have is a mistake of the code."""
        arguments = () if method == "timer" else (0.5,)
        with pytest.raises(DeclarationError, match=rf"retrieval\.{method}\(indx=\.\.\.\): .*its labels are index, reg"):
            getattr(retrieval, method)(*arguments, indx="docs")


class TestDirect:
    """`record` and `record_score`."""

    def test_record(self, registry: CollectorRegistry, retrieval: OwnOperation) -> None:
        """A finished call has its duration and its outcome."""
        retrieval.record(1.5, index="docs")
        retrieval.record(0.5, False, index="docs", region="eu")  # noqa: FBT003 (as users write it)
        retrieval.record(2.5, success=False, service="other")
        assert {"success": 1, "failure": 1} == outcomes(registry, "retrieval", index="docs")
        assert {"failure": 1} == outcomes(registry, "retrieval", index="default", region="", service="other")
        assert 4.5 == value(registry, f"{DURATION}_sum")
        assert 2 == value(registry, "ml_retrieval_errors_total", error_type="error")

    def test_record_score(self, registry: CollectorRegistry, retrieval: OwnOperation) -> None:
        """A score has the labels that it is given; one that is none is counted."""
        retrieval.record_score(0.5, index="docs", region="eu")
        retrieval.record_score(0.25, service="other")
        retrieval.record_score(3, index="docs")
        assert 0.5 == value(registry, f"{SCORE}_sum", index="docs", region="eu", service="s")
        assert 0.25 == value(registry, f"{SCORE}_sum", index="default", service="other")
        assert {"score": 1} == errors(registry)

    def test_no_number(self, registry: CollectorRegistry, retrieval: OwnOperation) -> None:
        """A duration that is none leaves the outcome."""
        bad: Any = "soon"
        retrieval.record(bad, index="docs")
        assert {"success": 1} == outcomes(registry, "retrieval", index="docs")
        assert {"duration": 1} == errors(registry)


class TestLimits:
    """Limits of label values and of combinations."""

    def test_values(self, registry: CollectorRegistry, metrics: MLMetrics, retrieval: OwnOperation) -> None:
        """Values beyond the limit are `other`, and counted."""
        metrics.configure(max_label_values=2)
        tracked = retrieval.track(index=arg("index"))(lambda index: None)
        for index in "abcd":
            tracked(index)
            retrieval.record_score(0.5, index=index)
        assert {"success": 2} == outcomes(registry, "retrieval", index="other")
        assert 2 == value(registry, OVERFLOW, metric=TOTAL, label="index")
        assert 2 == value(registry, OVERFLOW, metric=SCORE, label="index")

    def test_combinations(self, registry: CollectorRegistry, metrics: MLMetrics, retrieval: OwnOperation) -> None:
        """Combinations beyond the limit are `other`."""
        metrics.configure(max_series=3)
        for number in range(9):
            with retrieval.timer(index=f"i{number % 3}", region=f"r{number // 3}"):
                pass
        assert {"success": 6} == outcomes(registry, "retrieval", index="other", region="other")


class TestEvents:
    """What is logged."""

    def test_failures_and_slow_calls(self, metrics: MLMetrics, retrieval: OwnOperation, clock: Clock) -> None:
        """The events have the name of the operation, and its labels."""
        metrics.configure(slow_seconds=2)
        with capture_logs() as logs:
            with retrieval.timer(index="docs", region="eu") as call:
                call.fail("quota")
            with retrieval.timer(index="docs"):
                clock.advance(3)
        labels = {"service": "s", "index": "docs", "log_level": "warning"}
        failed = {"event": "retrieval.failed", "region": "eu", "error_type": "quota", "duration_seconds": 0.0}
        slow = {"event": "retrieval.slow", "region": "", "duration_seconds": 3.0, "slow_seconds": 2}
        assert [{**labels, **failed}, {**labels, **slow}] == logs

    def test_labels_that_are_fields(self, registry: CollectorRegistry, metrics: MLMetrics) -> None:
        """A label with the name of a field of events, or of an argument of loggers, stands beside it."""
        names = ("event", "self", "method_name", "metric", "label", "where", "problem", "level", "exc_info")
        operation = metrics.operation("retrieval", names)
        metrics.configure(max_label_values=1)
        with capture_logs() as logs:
            operation.record(0.5, success=False, **dict.fromkeys(names, "a"))
            operation.record(0.5, success=False, **dict.fromkeys(names, "b" * 300))
        assert {} == {place: count for place, count in errors(registry).items() if not place.startswith("label.")}
        events = {log["event"] for log in logs}
        assert {"retrieval.failed", "recording.failed", "label.overflow"} == events
        assert {f"label_{name}": "a" for name in names}.items() <= logs[0].items()
        assert not absent(registry, TOTAL, event="other")
