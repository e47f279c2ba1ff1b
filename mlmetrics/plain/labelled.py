"""What the three kinds share: from label values to the series that is recorded in, and what becomes of mistakes.

A mistake in recording is counted and logged, and never reaches the user's code. Labels that are wrong or missing
become `unknown`, so that nothing is missing from a total.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, ClassVar, Self, TypeVar, cast

from mlmetrics.catalog.metric import Kind, Metric
from mlmetrics.errors import name_of_type
from mlmetrics.interruption import interrupted
from mlmetrics.recording.collector import declare
from mlmetrics.recording.labels import UNKNOWN, RawLabels, number_as_text
from mlmetrics.recording.store import Store

L = TypeVar("L", bound="Labelled")


class Labelled:
    """A metric, or one of its series if `labels` is given: that is all of a metric which has no labels."""

    KIND: ClassVar[Kind]

    __slots__ = (
        "__weakref__",
        "_by_name",
        "_by_value",
        "_children",
        "_metric",
        "_pending",
        "_record",
        "_series",
        "_service",
        "_store",
        "_values",
    )

    def __init__(self, store: Store, metric: Metric, service: RawLabels, values: RawLabels | None) -> None:
        self._store = store
        self._metric = metric
        self._service = service
        self._values = values
        self._by_name: dict[str, dict[object, Any]] = {}
        self._by_value: dict[Any, Self] = {}
        self._children: dict[RawLabels, Self] = {}
        self._series: Any = None
        self._record: Callable[[Any], object] = self._record_without_labels
        self._pending: Any = ()
        if values is not None:
            self._series = series = self._series_of((*service, *values))
            self._record, self._pending = series.record, series.pending

    def _series_of(self, labels: RawLabels) -> Any:
        """Return the series of these labels in the store, whose method for a kind has its name."""
        return getattr(self._store, self.KIND)(self._metric.name, labels)

    def __repr__(self) -> str:
        labels = dict(zip(self._metric.labels[1:], self._values, strict=True)) if self._values else ""
        return f"<{self.KIND} {self._metric.name}{labels}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Unpickled in another process, it records there; numbers are not sent."""
        return _here, (type(self), self._store, self._metric, self._service[0], self._values)

    def labels(self, /, *values: object, **named: object) -> Self:
        """Return the series of these label values, all by their order or all by their names.

        Values become text, and are limited in number, as those of all metrics. Wrong or missing labels are
        counted in `mlmetrics_recording_errors_total{where="metric"}`, and recorded as `unknown`.

        Args:
            *values: a value for each label, in the order of the declaration.
            **named: a value for each label.
        """
        try:
            # Their keys are texts as they came, so 1 and True are never mistaken for "1".
            if not values:
                found: Any = self._by_name
                for name, value in named.items():
                    found = found[name][value]
                if found.__class__ is self.__class__:  # not where further labels are expected
                    return found
            elif not named:
                return self._by_value[values]
        except Exception as error:  # new, unhashable or hostile values
            if interrupted(error):
                raise
        return self._learn(values, named)

    def _learn(self, values: tuple[object, ...], named: Mapping[str, object]) -> Self:
        names = self._metric.labels[1:]
        if self._values is not None:
            why = "it has no labels" if not names else "its labels are given already"
            self._mistake(f"{self!r}.labels({_shown(values, named)}): {why}")
            return self
        given = {**dict(zip(names, values, strict=False)), **{name: named[name] for name in names if name in named}}
        whole = len(values) + len(named) == len(names) == len(given)
        if not whole or (values and named):
            self._mistake(
                f"{self._metric.name}.labels({_shown(values, named)}): expected {', '.join(names)}, "
                "all by their order or all by their names"
                + ("; the service is that of MLMetrics or configure" if "service" in named else "")
            )
            known = given if whole or not values else {}  # which of them a value is meant for is not known
            return self._child(tuple(known.get(name, UNKNOWN) for name in names))
        texts = tuple(given[name] for name in names)
        child = self._child(texts)
        if all(type(text) is str for text in texts) and texts == child._values:  # noqa: SLF001 (of this class)
            if named:
                self._remember(named, child)
            else:
                self._by_value[values] = child
        return child

    def _remember(self, named: Mapping[str, object], child: Self) -> None:
        """Keep a series by its labels, in the order in which they came: a dictionary by value for each name."""
        *before, last = named.items()
        place: dict[Any, Any] = self._by_name
        for name, value in before:
            place = place.setdefault(name, {}).setdefault(value, {})
        place.setdefault(last[0], {})[last[1]] = child

    def _child(self, values: tuple[object, ...]) -> Self:
        """Return the series of these values, cleaned, and `other` beyond a limit."""
        store, metric = self._store, self._metric
        labels = store.admit(metric.name, self._service, tuple(map(number_as_text, values)))[1:]
        child = self._children.get(labels)
        if child is None:
            child = self._children.setdefault(labels, type(self)(store, metric, self._service, labels))
        return child

    def _record_without_labels(self, number: Any) -> None:
        names = self._metric.labels[1:]
        self._mistake(
            f"{self._metric.name} has labels; record in .labels({', '.join(f'{name}=...' for name in names)})"
        )
        self._child((UNKNOWN,) * len(names))._add(number)  # noqa: SLF001 (of this class)

    def _add(self, number: Any) -> None:
        """Record what has been checked."""
        self._store.record(self._series, number) if self._series is not None else self._record(number)

    def _fold(self) -> None:
        """Fold what many calls have recorded."""
        self._store.fold(self._series)

    def _number(self, verb: str, value: object) -> float | None:
        """Return the value as a number; count any other, and return None."""
        problem: object = "expected a number"
        try:
            if not isinstance(value, str | bytes):
                return float(value)  # type: ignore[arg-type]  # any object may come, with any __float__
        except Exception as error:
            if interrupted(error):
                raise
            problem = f"{name_of_type(type(error))} where a number was expected"
        self._mistake(f"{self._metric.name}.{verb}: {problem}; got {name_of_type(type(value))}")
        return None

    def _finite(self, verb: str, value: object) -> float | None:
        """Return the value as a finite number; count any other, and return None."""
        number = self._number(verb, value)
        if number is not None and not isfinite(number):
            self._mistake(f"{self._metric.name}.{verb}: expected a finite number; got {number}")
            return None
        return number

    def _mistake(self, problem: str) -> None:
        """Count a mistake, and log the first."""
        self._store.failed("metric", problem)


def _shown(values: tuple[object, ...], named: Mapping[str, object]) -> str:
    """Return the call's arguments without their values, which may be long, or secret."""
    return ", ".join((*("..." for _ in values), *(f"{name}=..." for name in named)))


def declared(kind: type[L], store: Store, metric: Metric, service: str | None) -> L:
    """Return the one metric of this row and this service in a store, however often it is declared.

    Raises:
        DeclarationError: the store has another metric with such a name.
        RegistrationError: the registry has one.
    """
    declare(store, (metric,))
    known = store.plain.get((metric.name, service))
    if known is None:
        base = store.admit_service(metric.name, service)
        made = kind(store, metric, base, None if len(metric.labels) > 1 else ())
        known = store.plain.setdefault((metric.name, service), made)
    return cast("L", known)


def _here(
    kind: type[Labelled], store: Store, metric: Metric, service: str | None, values: RawLabels | None
) -> Labelled:
    """Return the metric or series of this process; called when one is unpickled."""
    found = declared(kind, store, metric, service)
    return found if not values else found._child(values)  # noqa: SLF001 (of this module)
