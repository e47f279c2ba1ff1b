"""Models of XGBoost: boosters; its estimators are scikit-learn's too."""

from typing import Any

from xgboost import Booster

from mlmetrics.handle import Undo
from mlmetrics.integrations import sklearn
from mlmetrics.integrations.methods import watch_methods
from mlmetrics.integrations.watch import Watch
from mlmetrics.integrations.watched_calls import Method

METHODS = (Method("predict"), Method("inplace_predict"))
"""What the numbers mean that they return is known to the objective only."""


def watch(watched: Any, told: Watch) -> Undo:
    """Watch a booster or an estimator."""
    if isinstance(watched, Booster):
        return watch_methods(watched, told, METHODS, lambda _name, _series: None)
    return sklearn.watch(watched, told)
