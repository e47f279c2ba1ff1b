"""What is known of predictions apart from their calls, as methods of a toolkit: classes, feedback, errors."""

from mlmetrics.calls.direct import remember
from mlmetrics.calls.measures import PREDICTIONS, append_known, class_labels, number
from mlmetrics.calls.recorder import Recorder
from mlmetrics.catalog.models import VERDICTS
from mlmetrics.errors import name_of_type
from mlmetrics.interruption import interrupted
from mlmetrics.recording.labels import RawLabels, number_as_text
from mlmetrics.recording.store import Store

FEEDBACK = "ml_feedback_total"
PREDICTION_ERROR = "ml_prediction_error"
GOOD, BAD = VERDICTS
_CLASSES = (int, bool)
"""Types of classes that are remembered as their text; of a float, there may be any number that are `nan`."""


class Quality(Recorder):
    """Functions that record what a model predicted, and what users or a later truth say of it."""

    def track_prediction(self, model: str, predicted_class: object, service: str | None = None) -> None:
        """Count one prediction of a class; for code that records no inference, or predicts later.

        Args:
            model: the model.
            predicted_class: the class: a text, a number or a member of an enum.
            service: the service, if it is not the toolkit's.

        Metrics: `ml_prediction_total`; its `predicted_class` is limited as every label.

        Example:
            >>> from prometheus_client import CollectorRegistry
            >>> from mlmetrics import MLMetrics
            >>> metrics = MLMetrics(service="docs", registry=CollectorRegistry())
            >>> metrics.track_prediction("spam-filter", "spam")
            >>> labels = {"service": "docs", "model": "spam-filter", "predicted_class": "spam"}
            >>> metrics.registry.get_sample_value("ml_prediction_total", labels)
            1.0
        """
        store, key = self.store, (PREDICTIONS, self.service, service, model, type(predicted_class), predicted_class)
        if not append_known(store, store.direct, key, 1):
            labels = class_labels(store, self._of_model(PREDICTIONS, service, model), predicted_class)
            counter = store.counter(PREDICTIONS, labels)
            store.record(counter, 1)
            text = number_as_text(predicted_class) if type(predicted_class) in _CLASSES else predicted_class
            remember(store, key, counter, (self.service_of(service), model, text), labels)

    def track_feedback(self, model: str, good: bool = True, service: str | None = None) -> None:  # noqa: FBT001, FBT002 (as `success` of track_ml_inference)
        """Count one verdict on a result of a model: of its user, or of a truth that is known later.

        Args:
            model: the model.
            good: True if the result was good, False if it was bad; anything else is counted as a mistake.
            service: the service, if it is not the toolkit's.

        Metrics: `ml_feedback_total`; of a model that has feedback, both verdicts exist, at 0 if there was none.

        Example:
            >>> from prometheus_client import CollectorRegistry
            >>> from mlmetrics import MLMetrics
            >>> metrics = MLMetrics(service="docs", registry=CollectorRegistry())
            >>> metrics.track_feedback("spam-filter", good=False)
            >>> labels = {"service": "docs", "model": "spam-filter"}
            >>> [metrics.registry.get_sample_value("ml_feedback_total", labels | {"verdict": verdict})
            ...  for verdict in ("good", "bad")]
            [0.0, 1.0]
        """
        store, key = self.store, (FEEDBACK, self.service, service, model, good)
        if append_known(store, store.direct, key, 1):
            return
        verdict = _verdict(store, good)
        if verdict is not None:
            labels = self._of_model(FEEDBACK, service, model)
            for each in VERDICTS:  # the other one too, so that its first verdict is seen by `rate()`
                counter = store.counter(FEEDBACK, (*labels, each))
                store.record(counter, 1 if each == verdict else 0)
                if each == verdict and type(good) is bool:
                    remember(store, key, counter, (self.service_of(service), model), labels)

    def track_prediction_error(self, model: str, absolute_error: float, service: str | None = None) -> None:
        """Record how far a predicted number was from the true one, once that is known.

        Args:
            model: the model.
            absolute_error: the difference without its sign, in the unit of what is predicted. The buckets
                are yours to choose, for all models: `configure(buckets={"ml_prediction_error": [...]})`.
            service: the service, if it is not the toolkit's.

        Metrics: `ml_prediction_error`.

        Example:
            >>> from prometheus_client import CollectorRegistry
            >>> from mlmetrics import MLMetrics
            >>> metrics = MLMetrics(service="docs", registry=CollectorRegistry(),
            ...                     buckets={"ml_prediction_error": [1, 2, 5, 10, 20]})
            >>> predicted, arrived_after = 12.0, 9.5                        # minutes
            >>> metrics.track_prediction_error("arrival-time", abs(predicted - arrived_after))
            >>> labels = {"service": "docs", "model": "arrival-time"}
            >>> metrics.registry.get_sample_value("ml_prediction_error_sum", labels)
            2.5
        """
        store, key = self.store, (PREDICTION_ERROR, self.service, service, model)
        if append_known(store, store.direct, key, absolute_error):
            return
        labels = self._of_model(PREDICTION_ERROR, service, model)
        value = number(store, "prediction_error", absolute_error)
        if value is not None:
            errors = store.histogram(PREDICTION_ERROR, labels)
            store.record(errors, value)
            remember(store, key, errors, (self.service_of(service), model), labels)

    def _of_model(self, metric: str, service: str | None, model: object) -> RawLabels:
        """Return the labels of service and model, admitted."""
        store = self.store
        return store.admit(metric, store.admit_service(metric, self.service_of(service)), (model,))


def _verdict(store: Store, good: object) -> str | None:
    """Return the verdict; count a value that is neither true nor false, such as a text or a rating, and return None."""
    try:
        if good in (True, False):
            return GOOD if good else BAD
    except Exception as error:  # any object may come, with any __eq__
        if interrupted(error):
            raise
    store.failed("feedback", f"expected True or False; got a value of type {name_of_type(type(good))}")
    return None
