"""Which label values a store records: cleaned, limited, and remembered, so that a known one costs a look-up."""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from mlmetrics import logs
from mlmetrics.catalog import BY_NAME
from mlmetrics.interruption import interrupted
from mlmetrics.recording.declaring import Families
from mlmetrics.recording.labels import COMBINATION, OTHER, Limits, RawLabels, cleaned, is_empty
from mlmetrics.recording.naming import Naming
from mlmetrics.recording.series import NumberSeries

OVERFLOW = "mlmetrics_label_overflow_total"


class Admitting(Naming, Families):
    """The labels of a store's series; each that is cut, replaced or over a limit is counted, and logged once."""

    slow_seconds: float
    declaring: threading.RLock
    counter: Callable[..., NumberSeries]
    record: Callable[..., None]
    """These are the store's; `declaring` is the lock for rare operations."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits()
        self._admitted: dict[tuple[str, RawLabels, tuple[object, ...]], RawLabels] = {}

    def admit_service(self, metric: str, service: object) -> RawLabels:
        """Return the service as the first label of a series of this metric; None stays None and is read later."""
        return (None,) if service is None else self.admit(metric, (), (service,))

    def admit(
        self, metric: str, base: RawLabels, values: tuple[object, ...], optional: Collection[str] = ()
    ) -> RawLabels:
        """Return the labels to record: `base`, and the values that a call adds, cleaned, and `other` beyond a limit.

        `base` has been admitted before. If a label has reached its limit of values, its new value
        becomes `other`; if the metric has reached its limit of series, all added values do. An
        empty text stays empty if the label is optional.
        """
        try:
            return self._admitted[metric, base, values]
        except Exception as error:  # new, unhashable or hostile values
            if interrupted(error):
                raise
            return self._admit(metric, base, values, optional)

    def _admit(self, metric: str, base: RawLabels, values: tuple[object, ...], optional: Collection[str]) -> RawLabels:
        names = self.families[metric].metric.labels[: len(base) + len(values)]
        added = names[len(base) :]
        found = [
            ("", None) if name in optional and is_empty(value) else cleaned(value)
            for name, value in zip(added, values, strict=True)
        ]
        texts = {name: text for name, (text, _) in zip(added, found, strict=True)}
        self.declare_overflow(metric, (*added, COMBINATION) if len(names) > 1 else added)
        with self.declaring:
            over = [name for name, text in texts.items() if text and not self.limits.admit(metric, name, text)]
            labels = (*base, *(OTHER if name in over else text for name, text in texts.items()))
            others = (*base, *(text and OTHER for text in texts.values()))
            if labels != others and not self.limits.admit_together(metric, names, labels):
                over, labels = [*over, COMBINATION], others
        problems = {name: problem for name, (_, problem) in zip(added, found, strict=True) if problem is not None}
        if over or problems:
            self._tell_replaced(metric, dict(zip(names, labels, strict=True)), over, problems)
        elif all(type(value) is str for value in values):  # so that 1 and True cannot meet "1"
            self._admitted[metric, base, values] = labels
        return labels

    def declare_overflow(self, metric: str, labels: Iterable[str]) -> None:
        """Create the overflow series of these labels at 0, before any of them overflows."""
        for label in labels:
            self.counter(OVERFLOW, (metric, label))

    def _tell_replaced(
        self, metric: str, labels: Mapping[str, str | None], over: Sequence[str], problems: Mapping[str, str]
    ) -> None:
        """Count label values that were cut or replaced; log the first of each kind with its series."""
        # What an application has added to the labels of the catalogue may be a header of a request, which no log gets.
        names = labels if metric not in BY_NAME else [name for name in labels if name in BY_NAME[metric].labels]
        texts = {name: self.service if (text := labels[name]) is None else text for name in names}
        series = {"metric": metric, **logs.fields_of(texts)}
        for name, problem in problems.items():
            self.failed(f"label.{name}", problem, series)
        for name in over:
            self.record(self.counter(OVERFLOW, (metric, name)), 1)
            place = f"{name} of {metric}"
            if place not in self._failed_places:
                self._failed_places.add(place)
                logs.emit(self, "warning", "label.overflow", {"label": name, **series})
