"""What the results of predictions say: the class of each row, and the highest probability of each.

Few rows are read in plain Python, which takes less time than a function of NumPy does.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Protocol

from mlmetrics.calls.measures import PREDICTIONS, class_labels, record_score
from mlmetrics.calls.operation import CallSeries
from mlmetrics.errors import name_of_type
from mlmetrics.interruption import interrupted
from mlmetrics.recording.labels import OTHER, RawLabels
from mlmetrics.recording.series import BOUND, NumberSeries

SCORES = "ml_inference_score"
FEW = 16
"""The most rows that are read one by one."""
MOST_SCORES = 1000
"""Of more rows, the scores of about this many are recorded, evenly spaced; their classes are counted all."""


class Telling(Protocol):
    """What is recorded of the results of one method of one object."""

    known: dict[Any, Callable[[float], object]]
    """What counts a result that is a single number or text; one that is missing is told."""

    def tell(self, result: Any) -> None:
        """Record what a result says. Never raises."""

    def fold(self) -> None:
        """Fold what there is too much of."""


class Classes:
    """Counts the class that a classifier predicts for each row; rows of several outputs are left out."""

    def __init__(self, series: CallSeries) -> None:
        self._series = series
        self._counters: dict[RawLabels, NumberSeries] = {}
        self.known: dict[Any, Callable[[float], object]] = {}
        """Of the classes that have a label of their own, so that they are no more than there may be labels."""

    def tell(self, result: Any) -> None:
        """Count the classes of a result. Never raises."""
        try:
            for predicted, times in _times(result).items():
                self._counter(predicted)(times)
        except Exception as error:  # any object may come
            if interrupted(error):
                raise
            self._series.store.failed("prediction", f"a {name_of_type(type(result))} of classes")

    def _counter(self, predicted: Any) -> Callable[[float], object]:
        """Return what counts a class."""
        return self.known[predicted] if predicted in self.known else self._learn(predicted)

    def _learn(self, predicted: Any) -> Callable[[float], object]:
        store = self._series.store
        labels = class_labels(store, self._series.labels[:2], predicted)
        counter = store.counter(PREDICTIONS, labels)
        # An overflow is counted each time, and what is not equal to itself is no key.
        if labels[-1] != OTHER and predicted == predicted:  # noqa: PLR0124 (NaN)
            self.known[predicted] = counter.record
        self._counters[labels] = counter
        return counter.record

    def fold(self) -> None:
        """Fold the counters that have much to add up."""
        _fold(self._series, tuple(self._counters.values()))


def _times(result: Any) -> Mapping[Any, int]:
    """Return the classes of a result, each with the number of its rows."""
    import numpy as np  # noqa: PLC0415 (only here: what can be watched brings it, and nothing else does)

    if type(result) in {list, tuple}:
        return Counter(value for value in result if isinstance(value, Hashable))
    array = getattr(result, "to_numpy", lambda: result)()  # of a series of pandas
    if not isinstance(array, np.ndarray):
        raise TypeError("arrays of other libraries may be lazy, or stand on another device")
    if array.ndim > 1 and array.shape[1:] != (1,):
        return {}
    if array.dtype.kind == "O" or array.size <= FEW:
        return Counter(array.reshape(-1).tolist())
    classes, times = np.unique(array, return_counts=True)
    return dict(zip(classes.tolist(), times.tolist(), strict=True))


class Scores:
    """Records the highest probability of each row; a list of several outputs is left out."""

    def __init__(self, series: CallSeries) -> None:
        self._series = series
        self._scores = series.histogram(SCORES)
        self._record = self._scores.record
        self.known: dict[Any, Callable[[float], object]] = {}

    def tell(self, result: Any) -> None:
        """Record the scores of a result. Never raises."""
        try:
            record = self._record
            for row in result.tolist() if len(result) <= FEW else _sampled(result):
                top = max(row)
                if 0.0 <= top <= 1.0:
                    record(top)
                else:
                    record_score(self._series, top)  # which accepts rounding, and counts what is no score
            if len(self._scores.pending) > BOUND:  # a call has many
                self._series.store.fold(self._scores)
        except Exception as error:  # any object may come
            if interrupted(error):
                raise
            if getattr(result, "ndim", 2) > 1 and type(result) is not list:
                self._series.store.failed("score", f"a {name_of_type(type(result))} of probabilities")

    def fold(self) -> None:
        """Fold the scores, if there are many."""
        _fold(self._series, (self._scores,))


def _sampled(result: Any) -> Iterable[tuple[float]]:
    """Return the highest probability of rows that stand evenly spaced among many."""
    tops: list[float] = result[:: -(-len(result) // MOST_SCORES)].max(axis=1).tolist()
    return zip(tops, strict=True)


def _fold(series: CallSeries, numbers: Iterable[NumberSeries]) -> None:
    for each in numbers:
        if len(each.pending) > BOUND:
            series.store.fold(each)
