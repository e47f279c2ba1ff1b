"""`watch`: what it takes and refuses, its handle, and that the watched object stays what it is."""

import copy
import gc
import inspect
import pickle
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path
from typing import Any
from weakref import ref

import cloudpickle  # type: ignore[import-untyped]  # ships no types
import joblib  # type: ignore[import-untyped]  # ships no types
import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from sklearn.base import BaseEstimator, clone  # type: ignore[import-untyped]  # ships no types
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # ships no types
from sklearn.model_selection import GridSearchCV, KFold  # type: ignore[import-untyped]  # ships no types
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]  # ships no types
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]  # ships no types
from sklearn.svm import LinearSVC  # type: ignore[import-untyped]  # ships no types

import mlmetrics
from mlmetrics import DeclarationError, Instrumentation, MLMetrics
from mlmetrics.integrations import methods
from tests import recorded
from tests.models.calls import calls_of, classes, expected, operations

X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.where(X[:, 0] > 0, "spam", "ham")
COPIES: dict[str, Callable[[Any, Path], Any]] = {
    "clone": lambda estimator, _folder: clone(estimator).fit(X, Y),
    "cloudpickle": lambda estimator, _folder: pickle.loads(cloudpickle.dumps(estimator)),  # noqa: S301 (our own bytes)
    "copy": lambda estimator, _folder: copy.copy(estimator),
    "deepcopy": lambda estimator, _folder: copy.deepcopy(estimator),
    "joblib": lambda estimator, folder: joblib.load(joblib.dump(estimator, folder / "model.joblib")[0]),
    "pickle": lambda estimator, _folder: pickle.loads(pickle.dumps(estimator)),  # noqa: S301 (our own bytes)
}


class Own(BaseEstimator):  # type: ignore[misc]  # without types
    """An estimator of one's own."""

    def predict(self, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
        """Return a number for each row."""
        return np.zeros(len(X))


@pytest.fixture
def untouched() -> None:
    """Have no estimator watched that an earlier test has left, as those do that its errors keep."""
    gc.collect()
    assert not methods._replaced


@pytest.fixture
def estimator() -> Any:
    """Return a fitted classifier."""
    return LogisticRegression().fit(X, Y)


class TestDeclaration:
    """What `watch` takes."""

    def test_defaults(self, metrics: MLMetrics, estimator: Any) -> None:
        """The model is the name of the class, the operation the method, the service the toolkit's."""
        metrics.watch(estimator)
        estimator.predict(X)
        labels = {"model": "LogisticRegression", "operation": "predict", "service": "tests"}
        assert 1 == recorded.value(metrics.registry, "ml_inference_total", outcome="success", **labels)

    def test_labels(self, metrics: MLMetrics, estimator: Any) -> None:
        """All labels may be given."""
        metrics.watch(estimator, model="spam-filter", operation="classify", service="mail")
        estimator.predict_proba(X)
        labels = {"model": "spam-filter", "operation": "classify", "service": "mail"}
        assert 1 == recorded.value(metrics.registry, "ml_inference_total", outcome="success", **labels)

    def test_at_zero(self, metrics: MLMetrics, estimator: Any) -> None:
        """Every outcome of every method stands at 0 before the first call."""
        metrics.watch(estimator, model="m")
        assert 0 == recorded.value(metrics.registry, "ml_inference_total", outcome="failure", operation="predict")
        assert 0 == recorded.value(metrics.registry, "ml_inference_score_count", operation="predict_proba")

    def test_default_toolkit(self, estimator: Any) -> None:
        """The function of the package is that of the default toolkit."""
        with mlmetrics.watch(estimator, model="default-toolkit") as handle:
            assert isinstance(handle, Instrumentation)

    @pytest.mark.parametrize("watched", [object(), "a text", LogisticRegression, len, None, {}])
    def test_unknown(self, metrics: MLMetrics, watched: object) -> None:
        """What is of no known library is refused, and the message says what is known."""
        with pytest.raises(DeclarationError, match=r"expected one of .*scikit-learn estimators.*@track_inference"):
            metrics.watch(watched, model="m")

    def test_a_class(self, metrics: MLMetrics) -> None:
        """The message guesses the mistake."""
        with pytest.raises(DeclarationError, match="give an object, not its class"):
            metrics.watch(LogisticRegression, model="m")

    @pytest.mark.parametrize("label", ["model", "operation", "service"])
    @pytest.mark.parametrize("value", ["", 4, "\ud800"])
    @pytest.mark.usefixtures("untouched")
    def test_no_label(self, metrics: MLMetrics, estimator: Any, label: str, value: Any) -> None:
        """A label that is empty, or no text, is refused."""
        with pytest.raises(DeclarationError, match=f"{label}=.*expected a non-empty string"):
            metrics.watch(estimator, **{label: value})
        assert "predict" not in vars(LogisticRegression)


class TestHandle:
    """The handle that is returned."""

    @pytest.mark.usefixtures("untouched")
    def test_uninstrument(self, metrics: MLMetrics, estimator: Any) -> None:
        """The methods of the class are put back; a second time does nothing."""
        before = dict(vars(LogisticRegression))
        handle = metrics.watch(estimator, model="m")
        assert "<watch of m, active>" == repr(handle)
        assert before != dict(vars(LogisticRegression))
        handle.uninstrument()
        handle.uninstrument()
        assert before == dict(vars(LogisticRegression))
        assert "<watch of m, undone>" == repr(handle)
        estimator.predict(X)
        assert {} == operations(metrics.registry)

    def test_block(self, metrics: MLMetrics, estimator: Any) -> None:
        """It may be used in `with`."""
        with metrics.watch(estimator, model="m"):
            estimator.predict(X)
        estimator.predict(X)
        assert expected(1, len(X)) == calls_of(metrics.registry, "predict")

    @pytest.mark.usefixtures("untouched")
    def test_the_last_one(self, metrics: MLMetrics) -> None:
        """The methods stay replaced until the last object of the class is no longer watched, in any order."""
        first, second = LogisticRegression().fit(X, Y), LogisticRegression().fit(X, Y)
        handles = [metrics.watch(first, model="first"), metrics.watch(second, model="second")]
        handles[0].uninstrument()
        first.predict(X)
        second.predict(X)
        handles[1].uninstrument()
        assert {} == calls_of(metrics.registry, "predict", "first")
        assert expected(1, len(X)) == calls_of(metrics.registry, "predict", "second")
        assert "predict" not in vars(LogisticRegression)

    @pytest.mark.parametrize("first", [0, 1])
    @pytest.mark.usefixtures("untouched")
    def test_twice(self, metrics: MLMetrics, estimator: Any, first: int) -> None:
        """An object that is watched twice is recorded by the newest that is still active."""
        handles = [metrics.watch(estimator, model="old"), metrics.watch(estimator, model="new")]
        estimator.predict(X)
        handles[first].uninstrument()
        estimator.predict(X)
        handles[1 - first].uninstrument()
        estimator.predict(X)
        assert expected(2 - first, 40 * (2 - first)) == calls_of(metrics.registry, "predict", "new")
        assert (expected(1, 40) if first else {}) == calls_of(metrics.registry, "predict", "old")
        assert "predict" not in vars(LogisticRegression)

    def test_after_collection(self, metrics: MLMetrics) -> None:
        """The handle of an object that is gone ends nothing of another one."""
        gone = metrics.watch(LogisticRegression().fit(X, Y), model="gone")
        estimator = LogisticRegression().fit(X, Y)
        metrics.watch(estimator, model="m")
        gone.uninstrument()
        estimator.predict(X)
        assert expected(1, len(X)) == calls_of(metrics.registry, "predict")

    def test_replaced_since(self, metrics: MLMetrics) -> None:
        """A method that somebody else has replaced since is left alone."""

        class Mine(Own):
            pass

        mine = Mine()
        handle = metrics.watch(mine, model="m")
        replaced = vars(Mine)["predict"]
        theirs = partialmethod(replaced)
        setattr(Mine, "predict", theirs)  # noqa: B010 (a type checker knows better)
        handle.uninstrument()
        assert theirs is vars(Mine)["predict"]
        assert 40 == len(mine.predict(X))
        assert {} == operations(metrics.registry)


class TestIdentity:
    """The watched object stays what it is."""

    def test_the_object(self, metrics: MLMetrics, estimator: Any) -> None:
        """Its type, parameters, attributes and state are those that it had."""
        state = dict(vars(estimator))
        metrics.watch(estimator, model="m")
        estimator.threshold = 0.5
        assert LogisticRegression is type(estimator)
        assert {**state, "threshold": 0.5} == vars(estimator)
        assert LogisticRegression().get_params() == estimator.get_params()
        estimator.set_params(C=2.0)
        assert 2.0 == estimator.C

    def test_the_methods(self, metrics: MLMetrics, estimator: Any) -> None:
        """A method has its name, signature and text."""
        bare = estimator.predict_proba
        metrics.watch(estimator, model="m")
        for name in ("__name__", "__qualname__", "__doc__", "__module__"):
            assert getattr(bare, name) == getattr(estimator.predict_proba, name)
        assert inspect.signature(bare) == inspect.signature(estimator.predict_proba)
        assert inspect.isfunction(LogisticRegression.predict_proba)

    def test_availability(self, metrics: MLMetrics) -> None:
        """A method that an estimator has only under a condition is there when it was."""
        grid = GridSearchCV(LinearSVC(), {"C": [1.0]}, cv=2).fit(X, Y)
        pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
        metrics.watch(grid, model="grid")
        metrics.watch(pipeline, model="pipeline")
        assert [True, False, False] == [hasattr(grid, name) for name in ("predict", "predict_proba", "transform")]
        assert [True, True, False] == [hasattr(pipeline, name) for name in ("predict", "predict_proba", "transform")]
        with pytest.raises(AttributeError, match="predict_proba"):
            grid.predict_proba(X)
        GridSearchCV.predict(grid, X)
        assert {} == recorded.errors(metrics.registry)

    @pytest.mark.parametrize("way", sorted(COPIES))
    def test_copies(self, metrics: MLMetrics, estimator: Any, tmp_path: Path, way: str) -> None:
        """Its copies are plain, and predict the same."""
        metrics.watch(estimator, model="m")
        copied = COPIES[way](estimator, tmp_path)
        assert LogisticRegression is type(copied)
        np.testing.assert_array_equal(copied.predict(X), copied.predict(X))
        assert {} == operations(metrics.registry)
        np.testing.assert_array_equal(copied.predict(X), estimator.predict(X))
        assert {"predict": 1.0} == operations(metrics.registry)

    def test_bytes(self, metrics: MLMetrics, estimator: Any) -> None:
        """Its pickle is the same, byte for byte."""
        before = pickle.dumps(estimator)
        metrics.watch(estimator, model="m")
        estimator.predict(X)
        assert before == pickle.dumps(estimator)

    def test_class_by_value(self, metrics: MLMetrics) -> None:
        """A class that is pickled as a whole, as that of a notebook is, takes nothing of the watch along."""

        class Local(Own):
            def predict(self, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
                return np.ones(len(X))

        local = Local()
        metrics.watch(local, model="m")
        copied = pickle.loads(cloudpickle.dumps(local))  # noqa: S301 (our own bytes)
        np.testing.assert_array_equal(np.ones(40), copied.predict(X))
        assert {} == operations(metrics.registry)

    @pytest.mark.usefixtures("untouched")
    def test_collected(self, metrics: MLMetrics) -> None:
        """Nothing keeps it alive, and when it is gone, it is forgotten."""
        estimator = LogisticRegression().fit(X, Y)
        handle = metrics.watch(estimator, model="m")
        estimator.predict(X)
        gone = ref(estimator)
        del estimator
        gc.collect()
        assert gone() is None
        assert "predict" not in vars(LogisticRegression)
        assert not [key for key in methods._replaced if key[0] is LogisticRegression]
        handle.uninstrument()

    @pytest.mark.usefixtures("untouched")
    def test_in_a_cycle(self, metrics: MLMetrics) -> None:
        """One that only the garbage collector finds is forgotten as well."""
        estimator = LogisticRegression()
        estimator.itself = estimator
        metrics.watch(estimator, model="m")
        del estimator
        gc.collect()
        assert "predict" not in vars(LogisticRegression)


class TestMisses:
    """What cannot be recorded is used as before, counted, and logged once."""

    def test_no_weak_references(self, metrics: MLMetrics) -> None:
        """An object that cannot be forgotten is not watched."""

        class Bare:
            __slots__ = ()
            __module__ = "sklearn.own"

            def predict(self, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
                return X

        bare = Bare()
        metrics.watch(bare, model="m").uninstrument()
        assert X is bare.predict(X)
        assert 1 <= recorded.errors(metrics.registry)["watch"]
        assert {} == operations(metrics.registry)

    def test_no_methods(self, metrics: MLMetrics) -> None:
        """An object of the library that predicts nothing is counted."""
        metrics.watch(KFold(), model="m")
        assert 1 <= recorded.errors(metrics.registry)["watch"]

    def test_no_function(self, metrics: MLMetrics) -> None:
        """A method that is no function is left alone; the others are watched."""

        class Odd(Own):
            transform = staticmethod(len)

        odd = Odd()
        metrics.watch(odd, model="m")
        assert 40 == odd.transform(X)
        odd.predict(X)
        assert {"watch": 1.0} == recorded.errors(metrics.registry)
        assert expected(1, len(X)) == calls_of(metrics.registry, "predict")

    async def test_coroutine(self, metrics: MLMetrics) -> None:
        """A method that is a coroutine function is left alone: its call is not over when it returns."""

        class Later(Own):
            async def transform(self, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
                return X

        later = Later()
        metrics.watch(later, model="m")
        assert X is await later.transform(X)
        assert {"watch": 1.0} == recorded.errors(metrics.registry)
        assert {} == operations(metrics.registry)

    def test_own_method(self, metrics: MLMetrics) -> None:
        """A method of the object itself hides the watched one, and is counted when it is watched."""
        own = Own()
        own.__dict__["predict"] = lambda rows: rows
        metrics.watch(own, model="m")
        assert X is own.predict(X)
        assert {"watch": 1.0} == recorded.errors(metrics.registry)

    @pytest.mark.parametrize("given", [5, None, object(), np.float64(3)])
    def test_no_batch(self, metrics: MLMetrics, given: Any) -> None:
        """An input without a length is no batch, and the call is as before."""

        class Any_(Own):  # noqa: N801 (Any is taken)
            def predict(self, X: Any = None, **_more: Any) -> Any:  # noqa: N803 (as in scikit-learn)
                return X

        own = Any_()
        metrics.watch(own, model="m")
        assert given is own.predict(given)
        assert {"calls": 1.0, "timed": 1.0} == calls_of(metrics.registry, "predict")
        assert {"batch": 1.0} == recorded.errors(metrics.registry)

    @pytest.mark.parametrize("given", [None, 3, "text", {"a": 1}, np.zeros((2, 2, 2)), iter([1]), [[1], [2]]])
    def test_no_classes(self, metrics: MLMetrics, given: Any) -> None:
        """A result that is no array of classes or probabilities is handed on as it is."""

        class Odd(Own):
            _estimator_type = "classifier"

            def __sklearn_tags__(self) -> Any:
                tags = super().__sklearn_tags__()
                tags.estimator_type = "classifier"
                return tags

            def predict(self, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
                return given

            def predict_proba(self, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
                return given

        odd = Odd()
        metrics.watch(odd, model="m")
        assert given is odd.predict(X)
        assert given is odd.predict_proba(X)
        assert expected(1, 40) == calls_of(metrics.registry, "predict")
        assert {} == classes(metrics.registry)

    def test_bad_scores(self, metrics: MLMetrics) -> None:
        """Probabilities that are none are counted, and the others of the batch recorded."""

        class Odd(Own):
            def predict_proba(self, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
                return np.array([[np.nan, np.nan], [0.5, 1.5], [0.25, 0.75]])

        odd = Odd()
        metrics.watch(odd, model="m")
        odd.predict_proba(X)
        assert {"score": 2.0} == recorded.errors(metrics.registry)
        assert expected(1, 40, 1) == calls_of(metrics.registry, "predict_proba")

    def test_recursion(self, registry: CollectorRegistry) -> None:
        """An estimator that recurses without end fails as it did."""

        class Deep(Own):
            def predict(self, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
                return self.predict(X)

        metrics, deep = MLMetrics(service="tests", registry=registry), Deep()
        metrics.watch(deep, model="m")
        with pytest.raises(RecursionError):
            deep.predict(X)
        assert {"failure": 1.0} == recorded.outcomes(registry)
        assert 0 == recorded.in_progress(registry)
