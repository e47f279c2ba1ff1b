"""Watched models of XGBoost: every method x {call, batch, raise, cancel}, with exact counts; copies."""

import asyncio
import copy
import pickle
from typing import Any

import numpy as np
import pytest
import xgboost
from sklearn.base import clone  # type: ignore[import-untyped]  # ships no types
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]  # ships no types
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]  # ships no types

from mlmetrics import MLMetrics
from tests import recorded
from tests.models.calls import Cancelling, calls_of, classes, error_types, expected, failed, operations

ROWS = 40
X = np.random.default_rng(0).normal(size=(ROWS, 3))
Y = (X[:, 0] > 0).astype(int)
SMALL = {"n_estimators": 3, "max_depth": 2}


def classifier() -> Any:
    """Return a fitted classifier."""
    return xgboost.XGBClassifier(**SMALL).fit(X, Y)


def booster() -> Any:
    """Return a trained booster."""
    return xgboost.train({"objective": "binary:logistic", "max_depth": 2}, xgboost.DMatrix(X, Y), 3)


def pickled(model: Any) -> Any:
    """Return a copy by its pickle."""
    return pickle.loads(pickle.dumps(model))  # noqa: S301 (our own bytes)


class TestEstimators:
    """`XGBClassifier` and `XGBRegressor`, which are scikit-learn's estimators."""

    @pytest.mark.parametrize("rows", [1, 2, ROWS])
    @pytest.mark.parametrize("method", ["predict", "predict_proba"])
    def test_classifier(self, metrics: MLMetrics, method: str, rows: int) -> None:
        """A call is one inference with its batch and classes or scores, as scikit-learn's."""
        estimator = classifier()
        bare = getattr(estimator, method)(X[:rows])
        metrics.watch(estimator, model="m")
        np.testing.assert_array_equal(bare, getattr(estimator, method)(X[:rows]))
        assert expected(1, rows, rows if method == "predict_proba" else 0) == calls_of(metrics.registry, method)
        assert {method: 1.0} == operations(metrics.registry)
        counted = {str(each): float((bare == each).sum()) for each in set(bare.tolist())} if method == "predict" else {}
        assert counted == classes(metrics.registry)

    def test_regressor(self, metrics: MLMetrics) -> None:
        """Numbers are no classes."""
        estimator = xgboost.XGBRegressor(**SMALL).fit(X, X[:, 0])
        metrics.watch(estimator)
        estimator.predict(X)
        estimator.predict(X[:1])
        assert expected(2, ROWS + 1) == calls_of(metrics.registry, "predict", "XGBRegressor")
        assert {} == classes(metrics.registry)

    def test_raise(self, metrics: MLMetrics) -> None:
        """A call that raises is a failure."""
        estimator = classifier()
        metrics.watch(estimator, model="m")
        with pytest.raises(ValueError, match="shape mismatch"):
            estimator.predict(X[:, :2])
        assert failed(1) == calls_of(metrics.registry, "predict")

    @pytest.mark.parametrize("method", ["predict", "predict_proba"])
    def test_cancel(self, metrics: MLMetrics, method: str) -> None:
        """A call that is cancelled has that outcome alone."""
        estimator = classifier()
        metrics.watch(estimator, model="m")
        with pytest.raises(asyncio.CancelledError):
            getattr(estimator, method)(Cancelling())
        assert {"calls": 1.0} == calls_of(metrics.registry, method)
        assert {"cancelled": 1.0} == recorded.outcomes(metrics.registry)

    def test_unfitted(self, metrics: MLMetrics) -> None:
        """One that is not fitted raises what it raised."""
        estimator = xgboost.XGBClassifier(**SMALL)
        metrics.watch(estimator, model="m")
        with pytest.raises(Exception, match="need to call fit") as raised:
            estimator.predict(X)
        assert {raised.type.__name__: 1.0} == error_types(metrics.registry)
        estimator.fit(X, Y).predict(X)
        assert {"failure": 1.0, "success": 1.0} == recorded.outcomes(metrics.registry)

    def test_parts(self, metrics: MLMetrics) -> None:
        """The booster inside of a watched estimator, and that inside of a watched pipeline, count once."""
        pipeline = make_pipeline(StandardScaler(), xgboost.XGBClassifier(**SMALL)).fit(X, Y)
        metrics.watch(pipeline, model="m")
        metrics.watch(pipeline[-1], model="part")
        metrics.watch(pipeline[-1].get_booster(), model="part")
        pipeline.predict(X)
        assert {"predict": 1.0} == operations(metrics.registry)
        assert expected(1, ROWS) == calls_of(metrics.registry, "predict")

    @pytest.mark.parametrize("way", [copy.deepcopy, clone, pickled])
    def test_copies(self, metrics: MLMetrics, way: Any) -> None:
        """Copies are plain."""
        estimator = classifier()
        metrics.watch(estimator, model="m")
        copied = way(estimator).fit(X, Y)
        assert xgboost.XGBClassifier is type(copied)
        np.testing.assert_array_equal(copied.predict(X), estimator.predict(X))
        assert {"predict": 1.0} == operations(metrics.registry)


class TestBooster:
    """`Booster`."""

    @pytest.mark.filterwarnings("ignore:.*Empty dataset:UserWarning")
    @pytest.mark.parametrize("rows", [0, 1, ROWS])
    def test_predict(self, metrics: MLMetrics, rows: int) -> None:
        """The rows of a matrix of XGBoost are the batch."""
        model, data = booster(), xgboost.DMatrix(X[:rows])
        bare = model.predict(data)
        metrics.watch(model, model="m")
        np.testing.assert_array_equal(bare, model.predict(data))
        assert expected(1, rows) == calls_of(metrics.registry, "predict")
        assert ({}, {}) == (classes(metrics.registry), recorded.errors(metrics.registry))

    @pytest.mark.parametrize("rows", [1, ROWS])
    def test_inplace_predict(self, metrics: MLMetrics, rows: int) -> None:
        """The rows of an array are the batch."""
        model = booster()
        metrics.watch(model)
        model.inplace_predict(data=X[:rows])
        assert expected(1, rows) == calls_of(metrics.registry, "inplace_predict", "Booster")

    def test_raise(self, metrics: MLMetrics) -> None:
        """A call that raises is a failure."""
        model = booster()
        metrics.watch(model, model="m")
        with pytest.raises(xgboost.core.XGBoostError):
            model.predict(xgboost.DMatrix(np.hstack([X, X])))
        assert failed(1) == calls_of(metrics.registry, "predict")
        assert {"XGBoostError": 1.0} == error_types(metrics.registry)

    @pytest.mark.parametrize("method", ["predict", "inplace_predict"])
    def test_cancel(self, metrics: MLMetrics, method: str) -> None:
        """A call that is cancelled has that outcome alone."""

        class Cancelled(xgboost.DMatrix):  # type: ignore[misc]  # may be missing
            @property
            def feature_names(self) -> Any:
                raise asyncio.CancelledError

            @feature_names.setter
            def feature_names(self, names: Any) -> None: ...

        model = booster()
        metrics.watch(model, model="m")
        given: Any = {"data": Cancelled(X)} if method == "predict" else {"data": X, "base_margin": Cancelling()}
        with pytest.raises(asyncio.CancelledError):
            getattr(model, method)(**given)
        assert {"calls": 1.0} == calls_of(metrics.registry, method)
        assert {"cancelled": 1.0} == recorded.outcomes(metrics.registry)

    def test_copies(self, metrics: MLMetrics) -> None:
        """It is pickled as before, and its copies are plain."""
        model, data = booster(), xgboost.DMatrix(X)
        before = pickle.dumps(model)
        handle = metrics.watch(model, model="m")
        assert before == pickle.dumps(model)
        for copied in (copy.deepcopy(model), model.copy(), pickled(model)):
            copied.predict(data)
        assert {} == operations(metrics.registry)
        handle.uninstrument()
        model.predict(data)
        assert {} == operations(metrics.registry)
