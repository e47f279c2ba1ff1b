"""Families that stand in the files of other processes and that this one has not declared.

A project's own metrics may be declared in some workers only, or by an earlier start. A key of the files says the
name, the labels and the help of its family, and the file its kind; the upper bounds are those that were found.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.samples import Exemplar

from mlmetrics.catalog.metric import Metric
from mlmetrics.catalog.own import clashing_name
from mlmetrics.interruption import interrupted
from mlmetrics.recording.cells import HistogramCell, Numbers
from mlmetrics.recording.family import EXPOSED_NAME_SUFFIX, Family
from mlmetrics.workers.kinds import Kind, kind_of_metric

METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
OURS = "mlmetrics_"
"""Metrics of mlmetrics itself that this version does not have are those of another version."""
SERVICE = "service"
SECONDS = "_seconds"
Slot = tuple[Numbers, int]


@dataclass(slots=True)
class Found:
    """A family as the files have it, with each of its numbers by label values and bound; the sum has no bound."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...]
    numbers: dict[tuple[tuple[str, ...], float | None], Numbers] = field(default_factory=dict)
    exemplars: dict[tuple[tuple[str, ...], float], Exemplar] = field(default_factory=dict)

    def metric(self, uppers: tuple[float, ...] = ()) -> Metric:
        """Return the row of the family, as far as the files say it."""
        unit = "seconds" if self.name.endswith(SECONDS) else ""
        return Metric(self.name, kind_of_metric(self.kind), self.help, self.labels, unit, uppers)

    def family(self) -> Family:
        """Return the family with its present numbers."""
        uppers = sorted({upper for _, upper in self.numbers if upper is not None and upper != float("inf")})
        family = Family(self.metric(tuple(uppers)))
        for (labels, upper), numbers in tuple(self.numbers.items()):
            cell = family.cell(labels)
            cell.numbers[-1 if upper is None else bisect_left(uppers, upper)] = numbers[0]
        for (labels, upper), exemplar in self.exemplars.items():
            cell = family.cell(labels)
            if isinstance(cell, HistogramCell):
                cell.exemplars[bisect_left(uppers, upper)] = exemplar
        return family


class Undeclared:
    """All of them, by the names that they are exposed under."""

    def __init__(self) -> None:
        self._found: dict[str, Found] = {}

    def slot(self, kind: Kind, family: str, sample: str, labels: Mapping[str, str], text: str) -> Slot | None:
        """Return the list and the place in it of a number; None if it is no number of a family of ours.

        Raises:
            ValueError: the family has been found with other labels, or as another kind, or another family of its name.
        """
        name = family + EXPOSED_NAME_SUFFIX if kind == "counter" else family
        suffixes = (f"{name}_bucket", f"{name}_sum") if kind == "histogram" else (name,)
        upper = upper_bound(labels.get("le", "")) if sample == f"{name}_bucket" else None
        values = {label: value for label, value in labels.items() if kind != "histogram" or label != "le"}
        if (
            sample not in suffixes
            or not _is_possible(name, values)
            or (upper is None and sample == suffixes[0] != name)
        ):
            return None
        names = (SERVICE, *sorted(values.keys() - {SERVICE}))
        found = self._found.get(name) or self._new(Found(name, kind, text, names))
        if (found.kind, found.labels) != (kind, names):
            raise ValueError(
                f"{name} has the labels {names} there, and {found.labels} as a {found.kind} in other files"
            )
        key = tuple(values[label] for label in names), upper
        return found.numbers.setdefault(key, [0.0]), 0

    def _new(self, found: Found) -> Found:
        if clashing_name([found.metric()], [each.metric() for each in self._found.values()]) is not None:
            raise ValueError(f"{found.name} is a {found.kind}; other files have another metric of such a name")
        return self._found.setdefault(found.name, found)

    def keep(self, name: str, values: tuple[str, ...], le: str, exemplar: Exemplar) -> None:
        """Give an exemplar to its bucket. Which value is of which label is not said: it goes where they fit alone."""
        found = self._found.get(name)
        if found is None:
            return
        alike = {labels for labels, _ in found.numbers if sorted(labels) == sorted(values)}
        upper = upper_bound(le)
        if len(alike) == 1 and upper is not None:
            key = alike.pop(), upper
            if key in found.numbers:
                found.exemplars[key] = exemplar

    def families(self) -> Iterator[Family]:
        """Return the families with the numbers that the last read has found."""
        return (found.family() for found in tuple(self._found.values()))


def upper_bound(le: str) -> float | None:
    """Return the upper bound of a bucket; None if the text is no number."""
    try:
        return float(le)
    except ValueError as error:
        if interrupted(error):
            raise
        return None


def _is_possible(name: str, labels: Mapping[str, str]) -> bool:
    if name.startswith(OURS) or METRIC_NAME.fullmatch(name) is None or SERVICE not in labels:
        return False
    return all(LABEL_NAME.fullmatch(label) for label in labels)
