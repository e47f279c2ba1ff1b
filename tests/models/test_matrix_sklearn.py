"""Watched estimators of scikit-learn: every method x {call, batch, raise, cancel}, with exact counts."""

import asyncio
import pickle
import threading
from functools import cache
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from scipy import sparse  # type: ignore[import-untyped]  # ships no types
from sklearn.base import BaseEstimator, ClassifierMixin  # type: ignore[import-untyped]  # ships no types
from sklearn.cluster import KMeans  # type: ignore[import-untyped]  # ships no types
from sklearn.decomposition import PCA  # type: ignore[import-untyped]  # ships no types
from sklearn.ensemble import RandomForestClassifier, VotingClassifier  # type: ignore[import-untyped]  # ships no types
from sklearn.exceptions import NotFittedError  # type: ignore[import-untyped]  # ships no types
from sklearn.feature_extraction.text import CountVectorizer  # type: ignore[import-untyped]  # ships no types
from sklearn.linear_model import LogisticRegression, Ridge  # type: ignore[import-untyped]  # ships no types
from sklearn.mixture import GaussianMixture  # type: ignore[import-untyped]  # ships no types
from sklearn.model_selection import GridSearchCV  # type: ignore[import-untyped]  # ships no types
from sklearn.multioutput import MultiOutputClassifier  # type: ignore[import-untyped]  # ships no types
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]  # ships no types
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]  # ships no types

from mlmetrics import MLMetrics
from tests import recorded
from tests.models.calls import Cancelling, calls_of, classes, error_types, expected, failed, operations

ROWS = 40
X = np.random.default_rng(0).normal(size=(ROWS, 3))
Y = np.where(X[:, 0] > 0, "spam", "ham")
SPAM = int((Y == "spam").sum())
MAKERS = {
    "forest": lambda: RandomForestClassifier(5, random_state=0).fit(X, Y),
    "grid": lambda: GridSearchCV(LogisticRegression(), {"C": [1.0, 2.0]}, cv=2).fit(X, Y),
    "kmeans": lambda: KMeans(2, n_init=1, random_state=0).fit(X),
    "logistic": lambda: LogisticRegression().fit(X, Y),
    "mixture": lambda: GaussianMixture(2, random_state=0).fit(X),
    "pca": lambda: PCA(2).fit(X),
    "pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y),
    "ridge": lambda: Ridge().fit(X, X[:, 0]),
    "vote": lambda: VotingClassifier([("a", LogisticRegression()), ("b", LogisticRegression())], voting="soft").fit(
        X, Y
    ),
}
CLASSIFIERS = ("forest", "grid", "logistic", "pipeline", "vote")
METHODS = {
    "predict": (*CLASSIFIERS, "kmeans", "mixture", "ridge"),
    "predict_proba": (*CLASSIFIERS, "mixture"),
    "predict_log_proba": ("grid", "logistic", "pipeline"),
    "decision_function": ("grid", "logistic", "pipeline"),
    "score_samples": ("mixture",),
    "transform": ("kmeans", "pca"),
}


@cache
def _pickled(name: str) -> bytes:
    return pickle.dumps(MAKERS[name]())


def fitted(name: str) -> Any:
    """Return an estimator of one's own that is fitted; they are fitted once, because that takes long."""
    return pickle.loads(_pickled(name))  # noqa: S301 (our own bytes)


WAYS = [(method, name) for method, names in METHODS.items() for name in names]


@pytest.mark.parametrize(("method", "name"), WAYS)
class TestMatrix:
    """Every method of every kind of estimator."""

    @pytest.mark.parametrize("rows", [1, 2, ROWS])
    def test_call(self, metrics: MLMetrics, method: str, name: str, rows: int) -> None:
        """A call is one inference with its batch; the result is that of an estimator that is not watched."""
        estimator, bare = fitted(name), fitted(name)
        metrics.watch(estimator, model="m")
        for _ in range(2):
            np.testing.assert_array_equal(getattr(bare, method)(X[:rows]), getattr(estimator, method)(X=X[:rows]))
        scores = 2 * rows if method == "predict_proba" else 0
        assert expected(2, 2 * rows, scores) == calls_of(metrics.registry, method)
        assert {method: 2.0} == operations(metrics.registry)
        assert {} == recorded.errors(metrics.registry)
        counted = 2 * rows if method == "predict" and name in CLASSIFIERS else 0
        assert counted == sum(classes(metrics.registry).values())

    def test_raise(self, metrics: MLMetrics, method: str, name: str) -> None:
        """A call that raises is a failure, and raises the same."""
        estimator = fitted(name)
        metrics.watch(estimator, model="m")
        with pytest.raises(ValueError, match="features") as bare:
            getattr(fitted(name), method)(X[:, :2])
        with pytest.raises(ValueError, match="features") as raised:
            getattr(estimator, method)(X[:, :2])
        assert str(bare.value) == str(raised.value)
        assert failed(1) == calls_of(metrics.registry, method)
        assert {"ValueError": 1.0} == error_types(metrics.registry)

    def test_cancel(self, metrics: MLMetrics, method: str, name: str) -> None:
        """A call that is cancelled has that outcome, and no duration, batch, score or class."""
        estimator = fitted(name)
        metrics.watch(estimator, model="m")
        with pytest.raises(asyncio.CancelledError):
            getattr(estimator, method)(Cancelling())
        assert {"calls": 1.0} == calls_of(metrics.registry, method)
        assert {"cancelled": 1.0} == recorded.outcomes(metrics.registry)
        assert ({}, {}) == (classes(metrics.registry), recorded.errors(metrics.registry))


class TestParts:
    """What is inside a watched call."""

    def test_watched_too(self, metrics: MLMetrics) -> None:
        """Parts that are watched themselves are counted only where they are called from outside."""
        pipeline = fitted("pipeline")
        metrics.watch(pipeline, model="whole")
        metrics.watch(pipeline[-1], model="part")
        metrics.watch(pipeline[0], model="part")
        pipeline.predict(X)
        pipeline[-1].predict(pipeline[0].transform(X))
        assert expected(1, ROWS) == calls_of(metrics.registry, "predict", "whole")
        assert expected(1, ROWS) == calls_of(metrics.registry, "predict", "part")
        assert expected(1, ROWS) == calls_of(metrics.registry, "transform", "part")

    def test_another_toolkit(self, metrics: MLMetrics) -> None:
        """A part that another toolkit watches is a call of that one."""
        other = MLMetrics(service="tests", registry=CollectorRegistry())
        pipeline = fitted("pipeline")
        metrics.watch(pipeline, model="m")
        other.watch(pipeline[-1], model="m")
        pipeline.predict(X)
        assert {"predict": 1.0} == operations(metrics.registry)
        assert {"predict": 1.0} == operations(other.registry)

    def test_after_a_failure(self, metrics: MLMetrics) -> None:
        """The call that follows a failure is counted."""
        pipeline = fitted("pipeline")
        metrics.watch(pipeline, model="m")
        with pytest.raises(ValueError, match="features"):
            pipeline.predict(X[:, :1])
        pipeline.predict(X)
        assert {"failure": 1.0, "success": 1.0} == recorded.outcomes(metrics.registry)

    def test_threads(self, metrics: MLMetrics) -> None:
        """A call in another thread is a call, also while one is inside."""
        forest, logistic = fitted("forest"), fitted("logistic")

        class Waiting(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # without types
            def predict(self, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
                thread = threading.Thread(target=forest.predict, args=(X,))
                thread.start()
                thread.join()
                return logistic.predict(X)

        waiting = Waiting()
        for estimator, model in ((waiting, "waiting"), (forest, "forest"), (logistic, "logistic")):
            metrics.watch(estimator, model=model)
        waiting.predict(X)
        assert expected(1, ROWS) == calls_of(metrics.registry, "predict", "waiting")
        assert expected(1, ROWS) == calls_of(metrics.registry, "predict", "forest")
        assert {} == calls_of(metrics.registry, "predict", "logistic")

    def test_joblib(self, metrics: MLMetrics) -> None:
        """Workers of joblib have copies, which are plain; the call outside of them counts."""
        forest = RandomForestClassifier(4, n_jobs=2, random_state=0).fit(X, Y)
        metrics.watch(forest, model="m")
        forest.predict(X)
        assert expected(1, ROWS) == calls_of(metrics.registry, "predict")


class TestBatches:
    """What is known of the input and of the result."""

    @pytest.mark.parametrize("make", [list, sparse.csr_matrix, np.asarray, lambda rows: rows.tolist()])
    def test_inputs(self, metrics: MLMetrics, make: Any) -> None:
        """Rows of lists, arrays and sparse matrices are counted."""
        estimator = fitted("logistic")
        metrics.watch(estimator, model="m")
        estimator.predict(make(X[:7]))
        assert expected(1, 7) == calls_of(metrics.registry, "predict")

    def test_texts(self, metrics: MLMetrics) -> None:
        """Texts are rows too."""
        vectorizer = CountVectorizer().fit(["a text", "another text"])
        metrics.watch(vectorizer)
        vectorizer.transform(["text", "text", "text"])
        assert expected(1, 3) == calls_of(metrics.registry, "transform", "CountVectorizer")

    def test_empty(self, metrics: MLMetrics) -> None:
        """An empty batch fails as before, unless the estimator takes it."""
        estimator, scaler = fitted("logistic"), CountVectorizer().fit(["a text"])
        metrics.watch(estimator, model="m")
        metrics.watch(scaler, model="m")
        with pytest.raises(ValueError, match="0 sample"):
            estimator.predict(X[:0])
        scaler.transform([])
        assert failed(1) == calls_of(metrics.registry, "predict")
        assert {"calls": 1.0, "timed": 1.0, "batches": 1.0} == calls_of(metrics.registry, "transform")

    def test_unfitted(self, metrics: MLMetrics) -> None:
        """An estimator may be watched before it is fitted; until then it raises what it raised before."""
        estimator = LogisticRegression()
        metrics.watch(estimator, model="m")
        with pytest.raises(NotFittedError):
            estimator.predict(X)
        estimator.fit(X, Y).predict(X)
        assert {"NotFittedError": 1.0} == error_types(metrics.registry)
        assert {"spam": SPAM, "ham": ROWS - SPAM} == classes(metrics.registry)

    @pytest.mark.parametrize("rows", [1, 5, ROWS])
    @pytest.mark.parametrize("dtype", [str, object, int, float, bool])
    def test_classes(self, metrics: MLMetrics, rows: int, dtype: type) -> None:
        """Classes of every type are counted, as many as there are rows."""
        labels = (Y == "spam").astype(dtype) if dtype in {int, float, bool} else Y.astype(dtype)
        estimator = RandomForestClassifier(5, random_state=0).fit(X, labels)
        metrics.watch(estimator, model="m")
        for row in range(0, ROWS, rows):
            estimator.predict(X[row : row + rows])
        predicted, times = np.unique(estimator.predict(X), return_counts=True)
        counted = {format(each): 2.0 * number for each, number in zip(predicted.tolist(), times.tolist(), strict=True)}
        assert counted == classes(metrics.registry)

    def test_too_many_classes(self, registry: CollectorRegistry) -> None:
        """Beyond the limit of labels, classes are counted as others."""
        metrics = MLMetrics(service="tests", registry=registry, max_label_values=3)
        estimator = RandomForestClassifier(5, random_state=0).fit(X, np.arange(ROWS) // 2)
        metrics.watch(estimator, model="m")
        for row in X:
            estimator.predict([row])
        found = classes(registry)
        assert (4, float(ROWS)) == (len(found), sum(found.values()))
        assert found["other"] == recorded.value(
            registry, "mlmetrics_label_overflow_total", metric="ml_prediction_total", label="predicted_class"
        )

    def test_many_rows(self, metrics: MLMetrics) -> None:
        """Of a large batch, all classes are counted, and the scores of about 1,000 rows."""
        estimator, rows = fitted("logistic"), np.tile(X, (100, 1))
        metrics.watch(estimator, model="m")
        estimator.predict(rows)
        estimator.predict_proba(rows)
        assert {"spam", "ham"} == set(classes(metrics.registry))
        assert 100 * ROWS == sum(classes(metrics.registry).values())
        assert 1000 == calls_of(metrics.registry, "predict_proba")["scores"]

    @pytest.mark.parametrize("rows", [2, ROWS])
    def test_scores(self, metrics: MLMetrics, rows: int) -> None:
        """The score of a row is its highest probability."""
        estimator = fitted("logistic")
        metrics.watch(estimator, model="m")
        best = estimator.predict_proba(X[:rows]).max(axis=1)
        assert pytest.approx(best.sum()) == recorded.value(metrics.registry, "ml_inference_score_sum")

    def test_several_outputs(self, metrics: MLMetrics) -> None:
        """Rows of several outputs have neither a class nor a score."""
        estimator = MultiOutputClassifier(LogisticRegression()).fit(X, np.column_stack([Y, Y]))
        metrics.watch(estimator, model="m")
        for rows in (X[:3], X):
            estimator.predict(rows)
            estimator.predict_proba(rows)
        assert expected(2, 3 + ROWS) == calls_of(metrics.registry, "predict")
        assert expected(2, 3 + ROWS) == calls_of(metrics.registry, "predict_proba")
        assert ({}, {}) == (classes(metrics.registry), recorded.errors(metrics.registry))

    def test_thousands(self, metrics: MLMetrics) -> None:
        """Nothing is lost when numbers are folded between calls."""

        class Fixed(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # without types
            def predict(self, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
                return Y[: len(X)]

            def predict_proba(self, X: Any) -> Any:  # noqa: N803 (as in scikit-learn)
                return np.tile([0.25, 0.75], (len(X), 1))

        fixed = Fixed()
        metrics.watch(fixed, model="m")
        for _ in range(3000):
            fixed.predict(X[:1])
            fixed.predict_proba(X[:2])
        assert expected(3000, 3000) == calls_of(metrics.registry, "predict")
        assert expected(3000, 6000, 6000) == calls_of(metrics.registry, "predict_proba")
        assert {Y[0]: 3000.0} == classes(metrics.registry)
