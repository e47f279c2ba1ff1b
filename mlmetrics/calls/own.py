"""An operation of a project's own, whose calls are recorded as those of the operations that ship."""

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, TypeVar, overload

from mlmetrics.calls.decorators import Declaration, decorate
from mlmetrics.calls.direct import known_series, track_call, track_known_call, track_score
from mlmetrics.calls.labels import Argument, Label, fixed_label
from mlmetrics.calls.operation import CallSeries
from mlmetrics.calls.reads import Failure, declared_reads
from mlmetrics.calls.recorder import Recorder, declare_operation
from mlmetrics.calls.results import Read, after_score, all_of, attribute_of
from mlmetrics.calls.stored import Calls
from mlmetrics.calls.timers import Timer
from mlmetrics.calls.timing import DEFAULT
from mlmetrics.catalog import Operation
from mlmetrics.errors import DeclarationError
from mlmetrics.interruption import interrupted

F = TypeVar("F", bound=Callable[..., Any])
_CALLS, _SCORES = 0, 1
"""What is remembered of a set of labels; no label has such a name."""
_new = object.__new__


class OwnOperation:
    """An operation of a project's own: a decorator, a timer and direct functions; `operation` makes one.

    Its labels are keywords of each of them. A label that is left out is empty; the subject, which is the first
    label unless the declaration says otherwise, is then the function's name, or `default` in a timer.
    """

    def __init__(self, recorder: Recorder, operation: Operation) -> None:
        self._recorder = recorder
        self._operation = operation
        self._known: dict[Any, Any] = {}
        """What has been recorded in by the toolkit's service: by name and value of each label, as these came."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Unpickled in another process, the operation is declared there."""
        return operation_here, (self._recorder, self._operation)

    def __repr__(self) -> str:
        return f"<operation {self.name} with the labels {self.labelnames}>"

    @property
    def name(self) -> str:
        """Its name, such as `retrieval`."""
        return self._operation.name

    @property
    def labelnames(self) -> tuple[str, ...]:
        """Its labels after `service`."""
        return self._operation.labels

    @overload
    def track(self, function: F, /) -> F: ...
    @overload
    def track(
        self,
        function: None = None,
        /,
        *,
        service: str | None = None,
        stream: bool | None = None,
        score: Read | None = None,
        failure: Failure | None = None,
        **labels: Label,
    ) -> Callable[[F], F]: ...
    def track(
        self,
        function: Any = None,
        /,
        *,
        service: str | None = None,
        stream: bool | None = None,
        score: Read | None = None,
        failure: Failure | None = None,
        **labels: Label,
    ) -> Any:
        """Record every call of a function, of whatever kind, as `track_inference` does.

        Args:
            service: the service, if it is not the toolkit's.
            stream: as for `track_inference`; a stream is one call.
            score: attribute or key of the result, or a function of it, that gives a score in 0..1 or several of
                them; for an operation that has scores.
            **labels: each a text, `arg("parameter")`, or a function of the call.

        Raises:
            DeclarationError: as `track_inference`; the operation has no such label, or no scores.

        Metrics: `ml_<name>_total`, `ml_<name>_duration_seconds`, `ml_<name>_in_progress`, `ml_<name>_errors_total`;
        with `score`, `ml_<name>_score`.
        """
        operation = self._operation
        if score is not None and operation.score is None:
            raise DeclarationError(
                f"{self.name}.track(score={score!r:.100}): the operation has no scores; "
                f"declare it by operation({self.name!r}, ..., score=True)"
            )
        after = all_of([after_score("score", score)] if score is not None else [])
        values = self._values("track", labels, None)
        calls, named = self._recorder.calls(operation), self._recorder.named(service)
        reads = declared_reads(failure=failure)
        declaration = Declaration(
            *(calls, named, values, None, after, stream),
            scored=score is not None,
            reads=reads,
            score_name=attribute_of(score),
        )
        return decorate(declaration, function)

    def timer(self, /, *, service: str | None = None, **labels: str) -> Timer:
        """Record a block as a call: `with` or `async with`, yields the `Call`; or a decorator. Metrics: as `track`.

        Args:
            service: the service, if it is not the toolkit's.
            **labels: the values of its labels.

        Raises:
            DeclarationError: the operation has no such label.
        """
        if service is None:
            try:
                # One look-up for labels that are known, and `Timer(...)` without its call, as `inference_timer`.
                timer, known = _new(Timer), self._known
                for name, value in labels.items():
                    known = known[name][value]
                timer._series = known[_CALLS]  # noqa: SLF001 (as above)
                timer.state = None
                return timer  # noqa: TRY300 (a block is left sooner than an `else` is reached)
            except Exception as error:  # labels that are new, or that cannot be hashed
                if interrupted(error):
                    raise
        return Timer(self._series("timer", service, labels))

    def record(
        self,
        /,
        duration: float,
        success: bool = True,  # noqa: FBT001, FBT002 (as `track_ml_inference`)
        *,
        service: str | None = None,
        **labels: str,
    ) -> None:
        """Record one finished call whose duration you have measured.

        Args:
            duration: seconds.
            success: False for a failure; its error type is `error`.
            service: the service, if it is not the toolkit's.
            **labels: the values of its labels.

        Raises:
            DeclarationError: the operation has no such label.

        Metrics: `ml_<name>_total`, `ml_<name>_duration_seconds`, `ml_<name>_errors_total`.
        """
        series: CallSeries | None = None
        if service is None and self._recorder.store is not None:  # reading it registers again in a cleared registry
            try:
                known = self._known
                for name, value in labels.items():
                    known = known[name][value]
                series = known[_CALLS]
            except Exception as error:  # labels that are new, or that cannot be hashed
                if interrupted(error):
                    raise
        if not track_known_call(series, duration, success):
            named = self._recorder.service if service is None else service
            track_call(self._calls(), named, self._texts("record", labels), duration, success)
            if service is None and series is None:
                self._series("record", None, labels)

    def record_score(self, /, score: float, *, service: str | None = None, **labels: str) -> None:
        """Record one score, 0 to 1; counted as a recording error if the operation has none. Metrics: `ml_<name>_score`.

        Args:
            score: the score.
            service: the service, if it is not the toolkit's.
            **labels: the values of its labels.

        Raises:
            DeclarationError: the operation has no such label.
        """
        store = self._recorder.store
        if service is None and type(score) is float and 0.0 <= score <= 1.0:
            try:
                known = self._known
                for name, value in labels.items():
                    known = known[name][value]
                store.record(known[_SCORES], score)
                return  # noqa: TRY300 (as in `timer`)
            except Exception as error:  # labels that are new, or that cannot be hashed
                if interrupted(error):
                    raise
        named = self._recorder.service if service is None else service
        values = self._texts("record_score", labels)
        track_score(self._calls(), named, values, score)
        if service is None and self._operation.score is not None:
            scores = known_series(store, (self._operation.score.name, named, *values))
            if scores is not None:
                self._remember(labels, _SCORES, scores)

    def _calls(self) -> Calls:
        return self._recorder.calls(self._operation)

    def _series(self, what: str, service: str | None, labels: Mapping[str, object]) -> CallSeries:
        """Return the series of a block; remembered by its labels if these are what is recorded."""
        values = self._texts(what, labels)
        series = self._calls().series(self._recorder.service if service is None else service, values)
        if service is None and all(type(value) is str for value in values) and values == series.labels[1:]:
            self._remember(labels, _CALLS, series)
        return series

    def _remember(self, labels: Mapping[str, object], what: int, series: object) -> None:
        known = self._known
        for name, value in labels.items():
            known = known.setdefault(name, {}).setdefault(value, {})
        known[what] = series

    def _texts(self, what: str, labels: Mapping[str, object]) -> tuple[object, ...]:
        """Return the values where there is no call to take them from."""
        for label, value in labels.items():
            if type(value) in (Argument, FunctionType):
                raise DeclarationError(
                    f"{self.name}.{what}({label}=...): there is no call to take the label from; give it a string"
                )
        return self._values(what, labels, DEFAULT)

    def _values(self, what: str, labels: Mapping[str, object], subject: str | None) -> tuple[Any, ...]:
        """Return the values in the order of the labels; `subject` is that of the subject if it is left out."""
        operation = self._operation
        unknown = sorted(labels.keys() - set(operation.labels))
        if unknown:
            raise DeclarationError(
                f"{self.name}.{what}({unknown[0]}=...): {self.name} has no such label, and {what} no such keyword; "
                f"its labels are {', '.join(operation.labels) or 'none'}"
            )
        for label in labels.keys() - {operation.subject}:
            if what == "track" and labels[label] is None:
                fixed_label(label, None, empty=True)
        return tuple(labels.get(each, subject if each == operation.subject else "") for each in operation.labels)


def operation_here(recorder: Recorder, operation: Operation) -> OwnOperation:
    """Return an operation that is declared in the store of this recorder."""
    declare_operation(recorder.store, operation)
    return OwnOperation(recorder, operation)
