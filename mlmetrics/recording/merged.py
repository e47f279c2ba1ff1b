"""The numbers of all processes of a service on this host, as one store's families.

A key of the files says its metric and labels. Where its number belongs is asked once for each key: in the family
that the store has declared, in one that only other processes have declared, or nowhere.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from prometheus_client.samples import Exemplar

from mlmetrics.catalog import BY_NAME
from mlmetrics.catalog.metric import OF_EACH, Metric
from mlmetrics.interruption import interrupted
from mlmetrics.recording.cells import HistogramCell
from mlmetrics.recording.family import EXPOSED_NAME_SUFFIX, Family
from mlmetrics.recording.undeclared import Slot, Undeclared, upper_bound
from mlmetrics.version import __version__
from mlmetrics.workers.kinds import CALLS_IN_PROGRESS, Kind, kind_of_gauge

BUILD_INFO = "mlmetrics_build_info"
WORKER = "worker"
"""The label of a gauge that keeps the workers apart."""


class Merged:
    """What one reader of the files adds up.

    Args:
        families: the families of the store, by name; none of them is changed.
        failed: told once of each metric of a project's own that files have in another way.
        told: the metrics that it has been told of before.
    """

    def __init__(self, families: Mapping[str, Family], failed: Callable[[str, object], None], told: set[str]) -> None:
        self._families = families
        self._failed = failed
        self._told = told
        self._declared: dict[str, Family] = {}
        self._undeclared = Undeclared()

    def families(self) -> list[Family]:
        """Return the families that have series: those of the store in its order, then others."""
        further = list(self._undeclared.families())
        elsewhere = {family.metric.name for family in further}
        names = [name for name in tuple(self._families) if name in self._declared and name not in elsewhere]
        return [*(self._declared[name] for name in names), *further]

    def slot(self, kind: Kind, family: str, sample: str, labels: Mapping[str, str], text: str) -> Slot | None:
        """Return the list and the place in it where a number belongs; None for one of another version."""
        name = family if family in self._families else family + EXPOSED_NAME_SUFFIX
        known = self._families.get(name)
        if known is None or is_extended(known.metric, labels):
            return self._undeclared_slot(kind, family, sample, labels, text)
        return self._declared_slot(known, kind, sample, labels)

    def keep(self, name: str, labels: tuple[str, ...], le: str, exemplar: Exemplar) -> None:
        """Give an exemplar to the bucket with the bound `le`."""
        family = self._declared.get(name)
        if family is None:
            self._undeclared.keep(name, labels, le, exemplar)
            return
        cell = family.found(labels)
        if isinstance(cell, HistogramCell) and le in family.bounds.texts:
            cell.exemplars[family.bounds.texts.index(le)] = exemplar

    def _declared_slot(self, known: Family, kind: Kind, sample: str, labels: Mapping[str, str]) -> Slot | None:
        name = known.metric.name
        if labels.get("version", __version__) != __version__ and name == BUILD_INFO:
            return None  # of an earlier start, before an upgrade
        metric = exposed(known.metric)
        # Further labels, too: added up here and apart in another process, a counter would go back between scrapes.
        if {*metric.labels} != labels.keys() - {"le"} or kind != kind_of(metric):
            self._leave_out(name)
            return None
        numbers = self._cell(known, tuple(labels[each] for each in metric.labels)).numbers
        if metric.kind != "histogram":
            return numbers, 0
        if sample == f"{name}_sum":
            return numbers, len(numbers) - 1
        upper = upper_bound(labels.get("le", ""))
        # Files of an earlier start may have other bounds: their numbers go to the next bound that is known.
        return None if upper is None else (numbers, bisect_left(known.bounds.uppers, upper))

    def _undeclared_slot(
        self, kind: Kind, family: str, sample: str, labels: Mapping[str, str], text: str
    ) -> Slot | None:
        try:
            return self._undeclared.slot(kind, family, sample, labels, text)
        except ValueError as error:
            if interrupted(error):
                raise
            self._leave_out(family)
            return None

    def _leave_out(self, name: str) -> None:
        """Leave out a key of a row that is no longer that of the metric; if a project has said the row, count it."""
        own = name not in BY_NAME or BY_NAME[name].extensible
        if own and name not in self._told:
            self._told.add(name)
            self._failed("workers", f"{name} also stands in files with other labels or as another kind; left out there")

    def _cell(self, known: Family, labels: tuple[str, ...]) -> Any:
        family = self._declared.get(known.metric.name)
        if family is None:
            family = self._declared[known.metric.name] = Family(exposed(known.metric))
        return family.cell(labels)


def is_extended(metric: Metric, labels: Mapping[str, str]) -> bool:
    """Whether an application in another process has added labels to a metric, and none in this one has said which."""
    return metric.extensible and {*metric.labels} < labels.keys() - {"le"}


def kind_of(metric: Metric) -> Kind:
    """Return the kind of file in which the numbers of a metric stand."""
    if metric.kind != "gauge":
        return metric.kind
    if not metric.multiprocess_mode and metric.across_workers == "livesum":
        return CALLS_IN_PROGRESS
    return kind_of_gauge(metric.across_workers)


def exposed(metric: Metric) -> Metric:
    """Return a metric as the processes of a host expose it together."""
    return replace(metric, labels=(*metric.labels, WORKER)) if metric.multiprocess_mode in OF_EACH else metric
