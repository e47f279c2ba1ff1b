"""The families of a store: those of the catalogue, those that a project has declared, and the buckets of both."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mlmetrics.catalog import METRICS
from mlmetrics.catalog.metric import Metric
from mlmetrics.catalog.own import clashing_name
from mlmetrics.errors import ConfigurationError, DeclarationError, shown
from mlmetrics.recording.family import Family
from mlmetrics.recording.host import Host

if TYPE_CHECKING:
    from mlmetrics.recording.folding import Foldable


class Group:
    """Metrics that a project has declared together; a scrape of these alone folds only what is recorded of them."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self.metrics = {metric.name: metric for metric in metrics}
        self.foldables: list[Foldable] = []


class Families:
    """The families of a store by name, and the group of each that a project has declared."""

    host: Host | None

    def __init__(self) -> None:
        super().__init__()
        self.families = {metric.name: Family(metric) for metric in METRICS}
        self.own: dict[str, Group] = {}
        self.request_labels: tuple[str, ...] | None = None
        """The labels that applications add to the metrics of requests, once it is known."""
        self._sent_bounds: dict[str, Sequence[float]] = {}

    def group(self, metrics: Iterable[Metric]) -> Group | None:
        """Return these metrics, without those that are declared already, as a group; None if all of them are.

        Raises:
            DeclarationError: another metric has the name of one, or of one of its samples.
        """
        new = [metric for metric in metrics if self._is_new(metric)]
        clash = clashing_name(new, [family.metric for family in tuple(self.families.values())])
        if clash is not None:
            raise DeclarationError(
                f"{clash}: this name, or that of one of its samples, is that of another metric of mlmetrics or of this "
                "project; choose another name"
            )
        return Group(new) if new else None

    def _is_new(self, metric: Metric) -> bool:
        group = self.own.get(metric.name)
        if group is None:
            return True
        known = group.metrics[metric.name]
        if known != metric:
            raise DeclarationError(
                f"{metric.name} is declared already, in another way: as a {known.kind} with the labels {known.labels}, "
                f"now as a {metric.kind} with the labels {metric.labels}, or with another text, unit or buckets; "
                "declare it once, or alike each time"
            )
        return False

    def include(self, group: Group) -> None:
        """Have the families of a group, with the buckets that were sent for them before."""
        made = {name: Family(metric) for name, metric in group.metrics.items()}
        for name in made.keys() & self._sent_bounds.keys():
            made[name] = made[name].with_bounds(self._sent_bounds[name])
        # First: the collector of the catalogue's families leaves out what stands there.
        self.own.update(dict.fromkeys(made, group))
        self.families.update(made)
        if self.host is not None:
            self.host.look_again()

    def exclude(self, group: Group) -> None:
        """Forget a group in which nothing has been recorded."""
        for name in group.metrics:
            self.families.pop(name, None)
            self.own.pop(name, None)
        if self.host is not None:
            self.host.look_again()

    def settle_request_labels(self, names: Sequence[str]) -> tuple[str, ...]:
        """Add labels to the metrics of requests, the first time; return them in the order in which they have them.

        Raises:
            ConfigurationError: the metrics have others by now.
        """
        known = self.request_labels
        if known is None:
            self.request_labels = known = tuple(names)
            for name, family in tuple(self.families.items()):
                metric = family.metric
                if metric.extensible:
                    self.families[name] = Family(replace(metric, labels=(*metric.labels, *known), extensible=False))
            if self.host is not None:
                self.host.look_again()
        elif {*known} != {*names}:
            raise ConfigurationError(
                f"labels={shown(tuple(names))}: the requests in this registry have the labels {shown(known)}, of an "
                "application that was instrumented before, and a metric has the same labels everywhere; give all "
                "applications of a registry labels of the same names, or this one a registry of its own"
            )
        return known

    def set_buckets(self, buckets: Mapping[str, Sequence[float]], *, sent: bool = False) -> None:
        """Replace default buckets; to be called before the first sample of the metric.

        Names that are not declared are refused, as typing mistakes. If they are `sent`, another process has declared
        them: they are kept until they are declared here.
        """
        if not isinstance(buckets, Mapping):
            raise ConfigurationError(f"buckets={buckets!r:.100}: expected upper bounds by histogram name")
        later = {name: bounds for name, bounds in buckets.items() if sent and name not in self.families}
        families = {name: self._with_buckets(name, bounds) for name, bounds in buckets.items() if name not in later}
        self.families.update(families)
        self._sent_bounds.update(later)

    def configured_buckets(self) -> dict[str, Sequence[float]]:
        """Return the buckets that are not those of the rows, for another process."""
        rows = [*METRICS, *(metric for group in tuple(self.own.values()) for metric in group.metrics.values())]
        uppers = {row.name: self.families[row.name].bounds.uppers for row in rows if row.kind == "histogram"}
        changed = {row.name: uppers[row.name] for row in rows if row.buckets != uppers.get(row.name, row.buckets)}
        return {**self._sent_bounds, **changed}

    def _with_buckets(self, name: str, bounds: Sequence[float]) -> Family:
        family = self.families.get(name)
        if family is None or family.metric.kind != "histogram":
            rows = [family.metric for family in tuple(self.families.values())]
            known = ", ".join(row.name for row in rows if row.kind == "histogram")
            raise ConfigurationError(
                f"buckets: {name!r} is no histogram of mlmetrics; there are {known}; one of your own is to be declared "
                "first, or takes its buckets=... where it is declared"
            )
        changed = family.with_bounds(bounds)
        if changed is not family and (not family.empty or (self.host is not None and self.host.has(name))):
            raise ConfigurationError(f"buckets: {name!r} already has samples; set its buckets before the first call")
        return changed
