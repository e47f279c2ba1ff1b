"""Estimators of scikit-learn, and those of other libraries that are its estimators too, such as XGBoost's."""

from typing import Any

from sklearn.base import is_classifier  # type: ignore[import-untyped]  # ships no types

from mlmetrics.calls.operation import CallSeries
from mlmetrics.handle import Undo
from mlmetrics.integrations.methods import watch_methods
from mlmetrics.integrations.predictions import Classes, Scores, Telling
from mlmetrics.integrations.watch import Watch
from mlmetrics.integrations.watched_calls import Method
from mlmetrics.interruption import interrupted

METHODS = tuple(
    Method(name)
    for name in (
        *("predict", "predict_proba", "predict_log_proba", "decision_function"),
        *("score_samples", "transform"),
    )
)


def watch(watched: Any, told: Watch) -> Undo:
    """Watch an estimator, fitted or not."""
    classifies = _classifies(watched, told)

    def tells(name: str, series: CallSeries) -> Telling | None:
        if name == "predict_proba":
            return Scores(series)
        return Classes(series) if name == "predict" and classifies else None

    return watch_methods(watched, told, METHODS, tells)


def _classifies(watched: Any, told: Watch) -> bool:
    """Whether an estimator predicts classes; a class of one's own may not say what it is."""
    try:
        return bool(is_classifier(watched))
    except Exception as error:
        if interrupted(error):
            raise
        told.missed(error)
        return False
