"""What users say of a call in numbers: scores, classes, sizes; checked at once, and kept until the call ends."""

from functools import partial
from typing import Any

from mlmetrics.calls.measures import (
    MOST_BYTES,
    append_score,
    append_size,
    classes_of,
    number,
    record_batch,
    record_classes,
    record_first_chunk,
    record_size,
    score_of,
)
from mlmetrics.calls.operation import KEPT
from mlmetrics.calls.saying import Kept
from mlmetrics.calls.surroundings import Surrounded, has, record_queued
from mlmetrics.catalog.models import BATCHES, CLASSES, QUEUE, STREAMS


class Measured(Surrounded):
    """What is measured of a call by its own code; a part of `Call`."""

    __slots__ = ()
    state: bool | float | str | None
    duration: Any
    _first_chunk_seen: bool
    _kept: Kept

    def score(self, score: float) -> None:
        """Record the score of the result, 0 to 1.

        Metrics: `parsing_accuracy_score` of a parsing, `matching_score_distribution` of a matching,
        `ml_<operation>_score` of the others.
        """
        if self.state is True and type(score) is float and 0.0 <= score <= 1.0 and self._series.scores is not None:
            self._kept = [(append_score, score)]  # type: ignore[misc]  # as `_keep`, without its call; the slot is the call's
            self.state = KEPT  # type: ignore[misc]  # as above
        elif (value := score_of(self._series, score)) is not None:
            self._keep(append_score, value)

    def predicted(self, predicted_class: object) -> None:
        """Count what the model predicted: a class, or a list of several. Metrics: `ml_prediction_total`."""
        if self._records(CLASSES, "prediction"):
            classes = (
                predicted_class if type(predicted_class) is str else classes_of(self._series.store, predicted_class)
            )
            if classes is not None:
                self._keep(record_classes, classes)

    def size(self, size_bytes: float, file_type: str | None = None) -> None:
        """Record the size of the file that the call works on, in bytes. Metrics: `file_processing_size_bytes`.

        Args:
            size_bytes: the size.
            file_type: the label; by default the `doc_type` of a parsing, else `unknown`.
        """
        if type(size_bytes) is int and 0 <= size_bytes <= MOST_BYTES:
            amount: float | None = size_bytes
        else:
            amount = number(self._series.store, "size", size_bytes)
        if amount is not None:
            self._keep(append_size if file_type is None else partial(record_size, file_type=file_type), amount)

    def first_chunk(self) -> None:
        """Record the time to the first chunk; only once. Metrics: `ml_inference_first_chunk_seconds`."""
        if self._records(STREAMS, "first_chunk") and self._is_first_chunk():
            self._keep(record_first_chunk, self.duration)

    def _is_first_chunk(self) -> bool:
        """Whether nobody has said it before; notes that somebody has."""
        if hasattr(self, "_first_chunk_seen"):
            return False
        self._first_chunk_seen = True  # type: ignore[misc]  # as above
        return True

    def batch(self, items: int) -> None:
        """Record how many items the call handles. Metrics: `ml_inference_batch_size`."""
        if self._records(BATCHES, "batch"):
            amount = number(self._series.store, "batch", items)
            if amount is not None:
                self._keep(record_batch, amount)

    def queued(self, seconds: float) -> None:
        """Record how many seconds the call waited for its model. Metrics: `ml_inference_queue_duration_seconds`."""
        if self._records(QUEUE, "queued"):
            amount = number(self._series.store, "queued", seconds)
            if amount is not None:
                self._keep(record_queued, amount)

    def _records(self, part: str, where: str) -> bool:
        return has(self._series, part, where)
