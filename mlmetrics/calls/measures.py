"""What users say of a call, in numbers and classes, checked: what cannot be recorded is counted and does not raise."""

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from math import isfinite
from sys import float_info
from typing import Any, TypeVar

from mlmetrics.calls.operation import CallSeries
from mlmetrics.catalog import Operation
from mlmetrics.catalog.documents import FILE_SIZE
from mlmetrics.errors import name_of_type
from mlmetrics.interruption import interrupted
from mlmetrics.recording.labels import UNKNOWN, RawLabels, number_as_text
from mlmetrics.recording.series import BOUND, NumberSeries
from mlmetrics.recording.store import Store

F = TypeVar("F")
PREDICTIONS = "ml_prediction_total"
ANSWERED = "ml_inference_response_model_info"

MOST = float_info.max
PLAIN = frozenset({int, float})
"""Types of numbers that need no conversion; a subclass may do anything."""
MOST_BYTES = (1 << 30) - 1
"""Whole numbers up to this are sizes as they are: CPython compares these fastest."""
ROUNDING = 1e-9
"""Rounding errors are accepted: a cosine of 1.0000000000000002 counts as 1."""


def number(store: Store, where: str, value: Any, highest: float = float("inf")) -> float | None:
    """Return the value as a finite float in 0..highest; count any other value under `where`, and return None."""
    if type(value) in PLAIN and 0 <= value <= MOST and value <= highest:
        return float(value)
    try:
        result, is_text = float(value), isinstance(value, str | bytes)
    except Exception as error:  # any object may come, with any __float__
        if interrupted(error):
            raise
        store.failed(where, f"no number: {name_of_type(type(value))} raised {name_of_type(type(error))}")
        return None
    if is_text or not isfinite(result) or not -ROUNDING <= result <= highest + ROUNDING:
        limit = f"0..{highest:g}" if isfinite(highest) else "0 or more"
        store.failed(where, f"expected a finite number, {limit}; got {name_of_type(type(value))} {result}")
        return None
    return min(max(result, 0.0), highest)


def ratio(store: Store, where: str, value: Any) -> float | None:
    """Return the value as a float in 0..1; count any other value under `where`, and return None."""
    return number(store, where, value, 1.0)


def append_known(store: Store, known: Mapping[Any, Any], key: object, value: Any, highest: float = MOST) -> bool:
    """Append a number in 0..highest to what is known by this key; return whether that was done.

    What is new, and a number that is not as expected, is for the caller to look at.
    """
    try:
        series = known.get(key)
    except Exception as error:  # any object may come, with any __hash__
        if interrupted(error):
            raise
        return False
    if series is None or type(value) not in PLAIN or not 0 <= value <= highest:
        return False
    append = series.record
    append(value)
    if len(series.pending) > BOUND:
        store.fold(series)
    return True


def score_histogram(store: Store, operation: Operation) -> str | None:
    """Return the histogram of an operation's scores; count under `score` that it has none, and return None."""
    if operation.score is None:
        store.failed("score", f"{operation.name} calls have no score")
        return None
    return operation.score.name


def observe(store: Store, name: str, labels: tuple[str | None, ...], value: float | None) -> None:
    """Record a value in a histogram; None is skipped."""
    if value is not None:
        store.record(store.histogram(name, labels), value)


def count(store: Store, name: str, labels: tuple[str | None, ...], value: float | None) -> None:
    """Add a value to a counter; None is skipped."""
    if value is not None:
        store.record(store.counter(name, labels), value)


def tell_provider(series: CallSeries, provider: str, response_model: str) -> None:
    """Say who answered, and by which model, which may be another name than the one that was asked for."""
    store = series.store
    labels = store.admit(ANSWERED, series.labels[:2], (provider, response_model), ("provider", "response_model"))
    store.record(store.gauge(ANSWERED, labels), 1)


def scores_of(series: CallSeries) -> NumberSeries | None:
    """Return what the scores of these calls are recorded in; count that their operation has none, and return None."""
    found = series.scores
    if found is None:
        name = score_histogram(series.store, series.operation)
        if name is not None:
            found = series.scores = keep_beside(series, series.histogram(name))  # type: ignore[misc]  # the slot is that of each kind
    return found


def sizes_of(series: CallSeries) -> NumberSeries:
    """Return what the sizes of the files of these calls are recorded in, by the type of document if they have one."""
    found = series.sizes
    if found is None:
        service, *values = series.labels
        names = series.operation.labels
        own = values[names.index("doc_type")] if "doc_type" in names else UNKNOWN
        found = keep_beside(series, series.store.histogram(FILE_SIZE.name, (service, own)))
        series.sizes = found  # type: ignore[misc]  # as above
    return found


def keep_beside(series: CallSeries, found: F) -> F:
    """Have it folded with the calls, so that one number from a call can be appended without a question."""
    with series.store.declaring:
        if found not in series.beside:
            series.beside = (*series.beside, found)  # type: ignore[misc]  # the slot is that of each kind
    return found


def record_score(series: CallSeries, score: Any) -> None:
    """Record the quality of a result in the histogram of its operation."""
    scores, store = scores_of(series), series.store
    if scores is not None:
        value = score if type(score) is float and 0.0 <= score <= 1.0 else ratio(store, "score", score)
        if value is not None:
            store.record(scores, value)


def score_of(series: CallSeries, score: Any) -> float | None:
    """Return a score that can be recorded; count any other, and that an operation has none, and return None."""
    if scores_of(series) is None:
        return None
    return score if type(score) is float and 0.0 <= score <= 1.0 else ratio(series.store, "score", score)


def append_score(series: CallSeries, score: float) -> None:
    """Record a score that has been checked."""
    scores = series.scores or scores_of(series)
    if scores is not None:
        append = scores.record
        append(score)
        if len(scores.pending) > BOUND:
            series.store.fold(scores)


def append_size(series: CallSeries, size_bytes: float) -> None:
    """Record the size of a file, which has been checked."""
    sizes = series.sizes or sizes_of(series)
    append = sizes.record
    append(size_bytes)
    if len(sizes.pending) > BOUND:
        series.store.fold(sizes)


def record_first_chunk(series: CallSeries, seconds: float) -> None:
    """Record the time to the first chunk of a call."""
    series.store.record(series.further("first_chunk_seconds"), seconds)


def record_batch(series: CallSeries, items: float) -> None:
    """Record how many items a call handles."""
    series.store.record(series.further("batch_size"), items)


def record_size(series: CallSeries, size_bytes: Any, file_type: str | None = None) -> None:
    """Record the size of the file that a call worked on."""
    store = series.store
    if file_type is None:
        sizes = sizes_of(series)
    else:
        sizes = store.histogram(FILE_SIZE.name, store.admit(FILE_SIZE.name, series.labels[:1], (file_type,)))
    value = number(store, "size", size_bytes)
    if value is not None:
        store.record(sizes, value)


def record_classes(series: CallSeries, predicted: Any) -> None:
    """Count each class that a call predicted, for its model."""
    try:
        if not count_known_class(series, predicted):
            for predicted_class in each_of(predicted):
                _count_class(series, predicted_class)
    except Exception as error:  # any object may come, with any __iter__
        if interrupted(error):
            raise
        series.store.failed("prediction", error)


def classes_of(store: Store, predicted: Any) -> object:
    """Return what a call predicted as it can be kept: later changes of a list, or of an array, do not change it."""
    if type(predicted) is str:
        return predicted
    try:
        return [_class_label(each) for each in each_of(predicted)]
    except Exception as error:  # any object may come, with any __iter__
        if interrupted(error):
            raise
        store.failed("prediction", error)
        return None


def count_known_class(series: CallSeries, predicted: Any) -> bool:
    """Count a class that is a text and has been counted before; return whether that was done."""
    classes = series.classes
    counter = None if classes is None or type(predicted) is not str else classes.get(predicted)
    if counter is None:
        return False
    append = counter.record
    append(1)
    if len(counter.pending) > BOUND:
        series.store.fold(counter)
    return True


def _count_class(series: CallSeries, predicted_class: object) -> None:
    """Count a class, whose label is cleaned and limited as all are, for the service and the model of a call."""
    store = series.store
    labels = class_labels(store, series.labels[:2], predicted_class)
    counter = store.counter(PREDICTIONS, labels)
    store.record(counter, 1)
    if type(predicted_class) is str and predicted_class == labels[-1]:
        with store.declaring:
            series.classes = {**(series.classes or {}), predicted_class: counter}  # type: ignore[misc]  # as above


def class_labels(store: Store, model: RawLabels, predicted_class: object) -> RawLabels:
    """Return the labels by which a class is counted."""
    return store.admit(PREDICTIONS, model, (_class_label(predicted_class),))


def _class_label(predicted_class: Any) -> object:
    """Return a class as the object to label by: a scalar of numpy or of a tensor as that of Python, numbers as text."""
    if type(predicted_class) is str:
        return predicted_class
    try:
        if getattr(predicted_class, "ndim", None) == 0:
            predicted_class = predicted_class.item()
    except Exception as error:  # any object may come; what is no label is counted as such
        if interrupted(error):
            raise
    return number_as_text(predicted_class)


def each_of(values: Any) -> Iterable[Any]:
    """Return several scores or classes as an iterable, and a single one too."""
    if isinstance(values, Iterator):
        raise TypeError("an iterator would be used up before the caller sees it; give a list")
    if isinstance(values, Mapping):
        raise TypeError("a mapping has keys and values; give a list of those that are meant")
    # Arrays and tensors of no dimension are numbers, though their classes can be iterated; so are flags.
    single = isinstance(values, str | bytes | Enum) or getattr(values, "ndim", 1) == 0
    return (values,) if single or not isinstance(values, Iterable) else values
