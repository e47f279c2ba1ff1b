"""The three timers and the direct functions, as methods of a toolkit."""

from types import FunctionType

from mlmetrics.calls.direct import (
    known_series,
    remember,
    track_call,
    track_known_call,
    track_score,
    track_size,
)
from mlmetrics.calls.labels import Argument
from mlmetrics.calls.loading import LoadTimer, load_labels, record_load
from mlmetrics.calls.measures import append_known
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.recorder import Recorder
from mlmetrics.calls.timers import Timer
from mlmetrics.catalog import INFERENCE, MATCHING, PARSING, Operation
from mlmetrics.catalog.documents import FILE_SIZE
from mlmetrics.errors import DeclarationError
from mlmetrics.interruption import interrupted

DEFAULT = "default"
NO_OPERATION = ""
_ACCURACY, _SCORE = "parsing_accuracy_score", "matching_score_distribution"
_new = object.__new__


class Timing(Recorder):
    """Context managers that record a block, and functions that record a number."""

    def __init__(self) -> None:
        super().__init__()
        self._by_model: dict[str, CallSeries] = {}

    def inference_timer(
        self, *, model: str = DEFAULT, operation: str = NO_OPERATION, service: str | None = None
    ) -> Timer:
        """Record a block as an inference: `with` or `async with`, yields the `Call`; or, as a decorator, every run.

        Args:
            model: the model; `default` if it is left out.
            operation: what is asked of the model.
            service: the service, if it is not the toolkit's.

        Metrics: as `track_inference`, and those of the `Call`'s methods.

        Example:
            >>> from prometheus_client import CollectorRegistry
            >>> from mlmetrics import MLMetrics
            >>> metrics = MLMetrics(service="docs", registry=CollectorRegistry())
            >>> with metrics.inference_timer(model="gpt-4") as call:
            ...     call.tokens(input=120, output=48)
        """
        # By identity, because comparing an unknown object may raise. Another empty text takes the slower path.
        if service is None and operation is NO_OPERATION:
            try:
                # One look-up for a model that is known, and `Timer(...)` without its call.
                timer = _new(Timer)
                timer._series = self._by_model[model]  # noqa: SLF001 (as above)
                timer.state = None
                return timer  # noqa: TRY300 (a block is left sooner than an `else` is reached)
            except Exception as error:  # a label that is new, or that cannot be hashed
                if interrupted(error):
                    raise
                return Timer(self._timed_model(model))
        return Timer(self._timed(INFERENCE, service, model, operation))

    def parsing_timer(self, *, doc_type: str = DEFAULT, parser: str = "", service: str | None = None) -> Timer:
        """Record a block as a parsing. Metrics: as `track_parsing`, and those of the `Call`'s methods.

        Args:
            doc_type: the type of document; `default` if it is left out.
            parser: which parser it is.
            service: the service, if it is not the toolkit's.
        """
        return Timer(self._timed(PARSING, service, parser, doc_type))

    def matching_timer(self, *, matcher: str = DEFAULT, service: str | None = None) -> Timer:
        """Record a block as a matching. Metrics: as `track_matching`, and those of the `Call`'s methods.

        Args:
            matcher: the matcher; `default` if it is left out.
            service: the service, if it is not the toolkit's.
        """
        return Timer(self._timed(MATCHING, service, matcher))

    def _timed(self, operation: Operation, service: str | None, *labels: object) -> CallSeries:
        """Return the series of a timer."""
        if any(type(label) in (Argument, FunctionType) for label in labels):
            raise DeclarationError(
                f"a timer has no call to take {operation.subject} from; give it a string: "
                f"{operation.name}_timer({operation.subject}=name)"
            )
        return self.calls(operation).series(self.service if service is None else service, labels)

    def _timed_model(self, model: object) -> CallSeries:
        """Return the series of a timer with only a model; remembered by the model's name if that is its label."""
        series = self._timed(INFERENCE, None, model, "")
        if type(model) is str and model == series.labels[1]:
            self._by_model[model] = series
        return series

    def track_ml_inference(self, model: str, service: str, duration: float, success: bool = True) -> None:  # noqa: FBT001, FBT002 (the first users' signature)
        """Record one finished inference whose duration you have measured.

        Args:
            model: the model.
            service: the service.
            duration: seconds.
            success: False for a failure; its error type is `error`.

        Metrics: `ml_inference_total`, `ml_inference_duration_seconds`, `ml_inference_errors_total`.
        """
        store, key = self.store, (INFERENCE.name, service, model)
        if not track_known_call(known_series(store, key), duration, success):
            series = track_call(self.calls(INFERENCE), service, (model, ""), duration, success)
            remember(store, key, series, (service, model, ""), series.labels)

    def track_parsing_accuracy(self, parser: str, doc_type: str, score: float) -> None:
        """Record the accuracy of one parsed document, 0 to 1. Metrics: `parsing_accuracy_score`.

        Args:
            parser: which parser it is.
            doc_type: the type of document.
            score: the accuracy (confidence).
        """
        store, key = self.store, (_ACCURACY, self.service, parser, doc_type)
        if not append_known(store, store.direct, key, score, 1.0):
            track_score(self.calls(PARSING), self.service, (parser, doc_type), score)

    def track_matching_score(self, matcher: str, score: float) -> None:
        """Record one score of a matcher, 0 to 1. Metrics: `matching_score_distribution`.

        Args:
            matcher: the matcher.
            score: the score.
        """
        store, key = self.store, (_SCORE, self.service, matcher)
        if not append_known(store, store.direct, key, score, 1.0):
            track_score(self.calls(MATCHING), self.service, (matcher,), score)

    def track_file_processing(self, file_type: str, service: str, size_bytes: float) -> None:
        """Record the size of one file. Metrics: `file_processing_size_bytes`.

        Args:
            file_type: the type of file, such as `pdf`.
            service: the service.
            size_bytes: the size in bytes.
        """
        store, key = self.store, (FILE_SIZE.name, service, file_type)
        if not append_known(store, store.direct, key, size_bytes):
            track_size(self.calls(PARSING), service, file_type, size_bytes)

    def track_model_load(self, model: str, duration: float, version: str = "", service: str | None = None) -> None:
        """Record that a model has been loaded.

        Args:
            model: the model.
            duration: seconds that loading took.
            version: the model's version, if it has one.
            service: the service, if it is not the toolkit's.

        Metrics: `ml_model_load_total`, `ml_model_load_duration_seconds`, `ml_model_info`.
        """
        store = self.store
        record_load(store, load_labels(store, self.service_of(service), model, version), duration)

    def model_load_timer(self, model: str, version: str = "", *, service: str | None = None) -> LoadTimer:
        """Record a block that loads a model: `with` or `async with`, yields the timer; or a function, as a decorator.

        A load that raises is a failure, and one that is cancelled is cancelled; both leave the last duration as it is.

        Args:
            model: the model.
            version: the model's version, if it has one.
            service: the service, if it is not the toolkit's.

        Metrics: `ml_model_load_total`; after a success `ml_model_load_duration_seconds` and `ml_model_info`.

        Example:
            >>> from prometheus_client import CollectorRegistry
            >>> from mlmetrics import MLMetrics
            >>> metrics = MLMetrics(service="docs", registry=CollectorRegistry())
            >>> with metrics.model_load_timer("bge-small", version="1") as load:
            ...     model = str.split
            >>> load.duration >= 0
            True
        """
        store = self.store
        return LoadTimer(store, load_labels(store, self.service_of(service), model, version))
