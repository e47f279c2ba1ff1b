"""What `watch` costs: a call of a small estimator of scikit-learn, with its batch size, its classes and its scores.

The estimators return an array that is there already. One that computes takes a hundred times as long as what is
measured, and the difference of two such times would be noise.
"""

from collections.abc import Callable
from importlib.util import find_spec
from itertools import repeat
from typing import Any

from benchmarks.floor import floor_sides
from benchmarks.ours import Toolkit
from benchmarks.results import Missing, Row, medians
from benchmarks.timing import Side, added, interleave, ratio

MODEL = "spam-filter"
ROWS = ("watch/predict", "watch/classes", "watch/scores")


def measure_models(rounds: int) -> list[Row | Missing]:
    """Measure a watched call of one row, if scikit-learn is installed."""
    if find_spec("sklearn") is None:
        return [Missing(name, "scikit-learn is not installed") for name in ROWS]
    regressor, classifier = estimators()
    return [
        measure_call("watch/predict", regressor, "predict", rounds),
        measure_call("watch/classes", classifier, "predict", rounds),
        measure_call("watch/scores", classifier, "predict_proba", rounds),
    ]


def estimators() -> tuple[type, type]:
    """Return the classes of a regressor and of a classifier."""
    import numpy as np  # noqa: PLC0415 (it may be missing)
    from sklearn.base import (  # type: ignore[import-untyped]  # noqa: PLC0415 (ships no types; as above)
        BaseEstimator,
        ClassifierMixin,
        RegressorMixin,
    )

    numbers, classes, probabilities = np.array([0.5]), np.array(["spam"]), np.array([[0.1, 0.9]])

    class Regressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # as above
        def predict(self, X: Any) -> Any:  # noqa: ARG002, N803 (as in scikit-learn)
            return numbers

    class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # as above
        def predict(self, X: Any) -> Any:  # noqa: ARG002, N803 (as in scikit-learn)
            return classes

        def predict_proba(self, X: Any) -> Any:  # noqa: ARG002, N803 (as in scikit-learn)
            return probabilities

    return Regressor, Classifier


def measure_call(name: str, kind: type, method: str, rounds: int) -> Row:
    """Measure a call of a watched estimator, beside that of one whose class is as it was, and the floor of a call."""
    toolkit, estimator = Toolkit(), kind()
    plain = getattr(estimator, method)  # bound before the class is changed
    bare, floor = floor_sides()
    with toolkit.metrics.watch(estimator, model=MODEL):
        sides = [
            *(Side("bare call", bare.run), floor),
            Side("bare", predicting(plain)),
            Side("ours", predicting(getattr(estimator, method), toolkit.fold), lambda: toolkit.calls(MODEL)),
        ]
        times = interleave(sides, rounds)
    ours, least = added(times, "ours"), added(times, "floor", "bare call")
    return Row(name, ratio(ours, least), "ns", medians(ours=ours, floor=least))


def predicting(method: Callable[..., Any], finish: Callable[[], object] = lambda: None) -> Callable[[int], None]:
    """Return a loop of predictions of one row."""
    import numpy as np  # noqa: PLC0415 (as above)

    row = np.ones((1, 4))

    def run(units: int) -> None:
        for _ in repeat(None, units):
            method(row)
        finish()

    return run
