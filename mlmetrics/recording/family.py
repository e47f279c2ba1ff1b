"""One metric with all its cells, and the family that a scrape gets of it."""

from collections.abc import Sequence
from dataclasses import replace

from prometheus_client.metrics_core import Metric as ClientMetric
from prometheus_client.samples import Sample

from mlmetrics.catalog.metric import Metric
from mlmetrics.catalog.own import upper_bounds
from mlmetrics.errors import ConfigurationError, shown
from mlmetrics.recording.cells import Bounds, Cell, HistogramCell, NumberCell
from mlmetrics.recording.folding import steadily

EXPOSED_NAME_SUFFIX = "_total"  # prometheus_client names a counter's family without it


class Family:
    """The cells of one metric by label values, in the order in which they were created."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.kind = HistogramCell if metric.kind == "histogram" else NumberCell
        self.bounds = Bounds(metric.buckets)
        self._cells: dict[tuple[str, ...], Cell] = {}

    @property
    def empty(self) -> bool:
        """Whether it has no series yet."""
        return not self._cells

    def with_bounds(self, bounds: Sequence[float]) -> "Family":
        """Return the family with other upper bounds, without series; itself if they are the same.

        Raises:
            ConfigurationError: a bound is no finite number, or they do not ascend.
        """
        uppers = upper_bounds(bounds)
        if uppers is None:
            raise ConfigurationError(
                f"buckets: the bounds of {self.metric.name!r} must be finite and ascending, each once (+Inf is added); "
                f"got {shown(bounds)}"
            )
        return self if self.bounds.uppers == uppers else Family(replace(self.metric, buckets=uppers))

    def cell(self, labels: tuple[str, ...]) -> Cell:
        """Return the cell of these label values, made when first asked for."""
        cell = self._cells.get(labels)
        if cell is None:
            cell = self._cells.setdefault(labels, self._make(labels))
        return cell

    def found(self, labels: tuple[str, ...]) -> Cell | None:
        """Return the cell of these label values; None if there is none."""
        return self._cells.get(labels)

    def _make(self, labels: tuple[str, ...]) -> Cell:
        if self.kind is HistogramCell:
            return HistogramCell(self.metric, labels, self.bounds)
        return NumberCell(self.metric, labels)

    def cells(self) -> tuple[Cell, ...]:
        """All present cells; a cell keeps its place among them."""
        return tuple(self._cells.values())

    def expose(self) -> "ExposedFamily":
        """Return the family as prometheus_client's collectors yield it."""
        return ExposedFamily(self)


class ExposedFamily(ClientMetric):
    """An ordinary metric family for any exporter; `mlmetrics.exposition` writes its text from the cells instead.

    `samples` are computed only when they are read; mlmetrics' own scrape does not read them.
    """

    def __init__(self, family: Family) -> None:
        metric = family.metric
        super().__init__(metric.name.removesuffix(EXPOSED_NAME_SUFFIX), metric.help, metric.kind, metric.unit)
        self.family = family

    @property
    def samples(self) -> list[Sample]:
        """All samples of the family, read while no fold is running."""
        return steadily(lambda: [sample for cell in self.family.cells() for sample in cell.samples()])

    @samples.setter
    def samples(self, _: list[Sample]) -> None:
        """Ignore the empty list that the client's constructor sets."""
