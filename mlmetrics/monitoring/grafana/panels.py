"""Panels as Grafana reads them: stat, timeseries, heatmap and table, with their queries."""

from dataclasses import dataclass
from string import ascii_uppercase
from typing import Literal

from grafana_foundation_sdk.models import common, dashboard, prometheus
from grafana_foundation_sdk.models import heatmap as heatmap_model
from grafana_foundation_sdk.models import stat as stat_model
from grafana_foundation_sdk.models import table as table_model
from grafana_foundation_sdk.models import timeseries as timeseries_model

from mlmetrics.monitoring.grafana.thresholds import Threshold

Kind = Literal["stat", "timeseries", "heatmap", "table"]
GRID_WIDTH = 24
DATASOURCE = dashboard.DataSourceRef("prometheus", "${datasource}")
SECONDS, SHARE, PER_SECOND, COUNT, BYTES, DOLLARS = "s", "percentunit", "reqps", "short", "bytes", "currencyUSD"
DAYS = "d"
BYTES_PER_SECOND = "binBps"
TODAY = "now/d"
"""Midnight in the time zone of the dashboard, as Grafana writes it."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query and the legend of its series; with `exemplar`, traces are shown as points."""

    text: str
    legend: str = ""
    exemplar: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel. `empty` is the text that it shows when no query returns data; `hidden` are columns of a table.

    `since` is where the panel's own time range begins, such as `TODAY`; without it, it has that of the dashboard.
    """

    kind: Kind
    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    width: int = 8
    height: int = 8
    threshold: Threshold | None = None
    empty: str = ""
    stacked: bool = False
    hidden: tuple[str, ...] = ()
    since: str = ""

    def model(self, panel_id: int, x: int, y: int) -> dashboard.Panel:
        """Return the panel as Grafana reads it, at a position in the grid."""
        return dashboard.Panel(
            type_val=self.kind,
            id_val=panel_id,
            title=self.title,
            description=self.description + (self.threshold.description() if self.threshold else ""),
            datasource=DATASOURCE,
            grid_pos=dashboard.GridPos(self.height, self.width, x, y),
            links=self.threshold.links() if self.threshold else None,
            targets=[self._target(query, letter) for query, letter in zip(self.queries, ascii_uppercase, strict=False)],
            options=_OPTIONS[self.kind](),
            field_config=dashboard.FieldConfigSource(self._field()),
            time_from=self.since or None,
            transformations=[_hide(self.hidden)] if self.kind == "table" else None,
        )

    @property
    def _line(self) -> Threshold | None:
        """The threshold, if it is one to draw."""
        return None if self.threshold is None or self.threshold.of_limit else self.threshold

    def _target(self, query: Query, letter: str) -> prometheus.Dataquery:
        formats: dict[str, prometheus.PromQueryFormat] = {
            "heatmap": prometheus.PromQueryFormat.HEATMAP,
            "table": prometheus.PromQueryFormat.TABLE,
        }
        instant = self.kind == "table"
        return prometheus.Dataquery(
            expr=query.text,
            ref_id=letter,
            legend_format=query.legend or "__auto",
            exemplar=query.exemplar,
            instant=instant,
            range_val=not instant,
            editor_mode=prometheus.QueryEditorMode.CODE,
            format_val=formats.get(self.kind, prometheus.PromQueryFormat.TIME_SERIES),
            datasource=DATASOURCE,
        )

    def _field(self) -> dashboard.FieldConfig:
        signed = self.threshold is not None and self.threshold.signed
        return dashboard.FieldConfig(
            unit=self.unit,
            min_val=0 if self.kind == "timeseries" and not signed else None,
            thresholds=self._line.steps() if self._line else _no_thresholds(),
            color=_color(self.kind),
            no_value=self.empty or None,
            custom=self._custom(),
        )

    def _custom(self) -> object:
        plain = {"heatmap": heatmap_model.FieldConfig, "table": common.TableFieldOptions}
        if self.kind == "timeseries":
            return self._lines()
        return plain[self.kind]() if self.kind in plain else None

    def _lines(self) -> timeseries_model.FieldConfig:
        style = common.GraphThresholdsStyleMode.DASHED if self._line else common.GraphThresholdsStyleMode.OFF
        return timeseries_model.FieldConfig(
            line_width=1,
            fill_opacity=25 if self.stacked else 5,
            show_points=common.VisibilityMode.AUTO,
            thresholds_style=common.GraphThresholdsStyleConfig(style),
            stacking=common.StackingConfig(common.StackingMode.NORMAL if self.stacked else common.StackingMode.NONE),
        )


def _color(kind: Kind) -> dashboard.FieldColor | None:
    if kind == "timeseries":
        return dashboard.FieldColor(dashboard.FieldColorModeId.PALETTE_CLASSIC_BY_NAME)
    return dashboard.FieldColor(dashboard.FieldColorModeId.THRESHOLDS) if kind == "stat" else None


def _hide(names: tuple[str, ...]) -> dashboard.DataTransformerConfig:
    hidden = dict.fromkeys(("Time", "__name__", *names), True)
    return dashboard.DataTransformerConfig("organize", options={"excludeByName": hidden})


def _no_thresholds() -> dashboard.ThresholdsConfig:
    return dashboard.ThresholdsConfig(dashboard.ThresholdsMode.ABSOLUTE, [dashboard.Threshold(None, "text")])


def _stat_options() -> stat_model.Options:
    return stat_model.Options(
        graph_mode=common.BigValueGraphMode.AREA,
        color_mode=common.BigValueColorMode.VALUE,
        justify_mode=common.BigValueJustifyMode.AUTO,
        text_mode=common.BigValueTextMode.AUTO,
        reduce_options=common.ReduceDataOptions(values=False, calcs=["lastNotNull"], fields=""),
    )


def _timeseries_options() -> timeseries_model.Options:
    return timeseries_model.Options(
        legend=common.VizLegendOptions(
            common.LegendDisplayMode.TABLE,
            common.LegendPlacement.BOTTOM,
            show_legend=True,
            calcs=["lastNotNull", "max"],
        ),
        tooltip=common.VizTooltipOptions(common.TooltipDisplayMode.MULTI, common.SortOrder.DESCENDING),
    )


def _heatmap_options() -> heatmap_model.Options:
    colours = heatmap_model.HeatmapColorOptions(
        heatmap_model.HeatmapColorMode.SCHEME,
        "Oranges",
        "dark-orange",
        heatmap_model.HeatmapColorScale.EXPONENTIAL,
        0.5,
        64,
    )
    return heatmap_model.Options(
        calculate=False,
        color=colours,
        cell_values=heatmap_model.CellValues(PER_SECOND),
        y_axis=heatmap_model.YAxisConfig(axis_placement=common.AxisPlacement.LEFT),
        legend=heatmap_model.HeatmapLegend(show=True),
        tooltip=heatmap_model.HeatmapTooltip(common.TooltipDisplayMode.SINGLE, y_histogram=True),
        exemplars=heatmap_model.ExemplarConfig("rgba(255,0,255,0.7)"),
    )


def _table_options() -> table_model.Options:
    return table_model.Options(show_header=True, cell_height=common.TableCellHeight.SM)


_OPTIONS = {
    "stat": _stat_options,
    "timeseries": _timeseries_options,
    "heatmap": _heatmap_options,
    "table": _table_options,
}


def stat(
    title: str, description: str, unit: str, query: str, *, threshold: Threshold | None = None, empty: str = ""
) -> Panel:
    """Return a panel with one number, and its recent values as a line behind it."""
    return Panel("stat", title, description, unit, (Query(query, title),), 3, 4, threshold, empty)


def timeseries(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    threshold: Threshold | None = None,
    empty: str = "",
    width: int = 8,
    stacked: bool = False,
) -> Panel:
    """Return a panel with lines over time."""
    return Panel("timeseries", title, description, unit, queries, width, 8, threshold, empty, stacked)


def heatmap(title: str, description: str, unit: str, query: str, *, empty: str = "", width: int = 8) -> Panel:
    """Return a panel with the buckets of a histogram over time."""
    return Panel("heatmap", title, description, unit, (Query(query, "{{le}}"),), width, 8, None, empty)


def table(
    title: str,
    description: str,
    unit: str,
    query: str,
    *,
    hidden: tuple[str, ...] = (),
    empty: str = "",
    width: int = 12,
    since: str = "",
) -> Panel:
    """Return a panel with a row for the present value of each series, without the `hidden` columns."""
    return Panel("table", title, description, unit, (Query(query),), width, 8, None, empty, hidden=hidden, since=since)
