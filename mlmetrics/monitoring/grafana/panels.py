"""The vocabulary of panels: stat, series, heatmap, table. A dashboard's module says what, this says how it looks."""

from dataclasses import dataclass
from string import ascii_uppercase
from typing import Literal

from grafana_foundation_sdk.models import common, dashboard, heatmap, prometheus, stat, table, timeseries

from mlmetrics.monitoring.grafana.thresholds import Limit

Kind = Literal["stat", "timeseries", "heatmap", "table"]
GRID_WIDTH = 24
DATASOURCE = dashboard.DataSourceRef("prometheus", "${datasource}")
SECONDS, SHARE, PER_SECOND, COUNT, BYTES, DOLLARS = "s", "percentunit", "reqps", "short", "bytes", "currencyUSD"


@dataclass(frozen=True, slots=True)
class Query:
    """A query and the legend of its series; with `exemplar`, traces are shown as points."""

    text: str
    legend: str = ""
    exemplar: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """What a panel shows. `empty` says why it may have nothing to show, and is shown then."""

    kind: Kind
    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    width: int = 8
    height: int = 8
    limit: Limit | None = None
    empty: str = ""
    stacked: bool = False
    hidden: tuple[str, ...] = ()

    def model(self, panel_id: int, x: int, y: int) -> dashboard.Panel:
        """Return the panel as Grafana reads it."""
        return dashboard.Panel(
            type_val=self.kind,
            id_val=panel_id,
            title=self.title,
            description=self._description(),
            datasource=DATASOURCE,
            grid_pos=dashboard.GridPos(self.height, self.width, x, y),
            links=self.limit.links() if self.limit else None,
            targets=[self._target(query, letter) for query, letter in zip(self.queries, ascii_uppercase, strict=False)],
            options=_OPTIONS[self.kind](),
            field_config=dashboard.FieldConfigSource(self._field()),
            transformations=[_hide(self.hidden)] if self.kind == "table" else None,
        )

    def _description(self) -> str:
        return self.description + self.limit.words() if self.limit else self.description

    def _target(self, query: Query, letter: str) -> prometheus.Dataquery:
        forms: dict[str, prometheus.PromQueryFormat] = {
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
            format_val=forms.get(self.kind, prometheus.PromQueryFormat.TIME_SERIES),
            datasource=DATASOURCE,
        )

    def _field(self) -> dashboard.FieldConfig:
        return dashboard.FieldConfig(
            unit=self.unit,
            min_val=0 if self.kind == "timeseries" and not self._may_fall_below_zero() else None,
            thresholds=self.limit.thresholds() if self.limit else _no_thresholds(),
            color=self._color(),
            no_value=self.empty or None,
            custom=self._drawn(),
        )

    def _may_fall_below_zero(self) -> bool:
        return self.limit is not None and self.limit.signed

    def _color(self) -> dashboard.FieldColor | None:
        if self.kind == "timeseries":
            return dashboard.FieldColor(dashboard.FieldColorModeId.PALETTE_CLASSIC_BY_NAME)
        return dashboard.FieldColor(dashboard.FieldColorModeId.THRESHOLDS) if self.kind == "stat" else None

    def _drawn(self) -> object:
        plain = {"heatmap": heatmap.FieldConfig, "table": common.TableFieldOptions}
        if self.kind == "timeseries":
            return self._lines()
        return plain[self.kind]() if self.kind in plain else None

    def _lines(self) -> timeseries.FieldConfig:
        drawn = common.GraphThresholdsStyleMode.DASHED if self.limit else common.GraphThresholdsStyleMode.OFF
        return timeseries.FieldConfig(
            line_width=1,
            fill_opacity=25 if self.stacked else 5,
            show_points=common.VisibilityMode.AUTO,
            thresholds_style=common.GraphThresholdsStyleConfig(drawn),
            stacking=common.StackingConfig(common.StackingMode.NORMAL if self.stacked else common.StackingMode.NONE),
        )


def _hide(names: tuple[str, ...]) -> dashboard.DataTransformerConfig:
    hidden = dict.fromkeys(("Time", "__name__", *names), True)
    return dashboard.DataTransformerConfig("organize", options={"excludeByName": hidden})


def _no_thresholds() -> dashboard.ThresholdsConfig:
    return dashboard.ThresholdsConfig(dashboard.ThresholdsMode.ABSOLUTE, [dashboard.Threshold(None, "text")])


def _stat_options() -> stat.Options:
    return stat.Options(
        graph_mode=common.BigValueGraphMode.AREA,
        color_mode=common.BigValueColorMode.VALUE,
        justify_mode=common.BigValueJustifyMode.AUTO,
        text_mode=common.BigValueTextMode.AUTO,
        reduce_options=common.ReduceDataOptions(values=False, calcs=["lastNotNull"], fields=""),
    )


def _series_options() -> timeseries.Options:
    return timeseries.Options(
        legend=common.VizLegendOptions(
            common.LegendDisplayMode.TABLE,
            common.LegendPlacement.BOTTOM,
            show_legend=True,
            calcs=["lastNotNull", "max"],
        ),
        tooltip=common.VizTooltipOptions(common.TooltipDisplayMode.MULTI, common.SortOrder.DESCENDING),
    )


def _heatmap_options() -> heatmap.Options:
    return heatmap.Options(
        calculate=False,
        color=heatmap.HeatmapColorOptions(
            heatmap.HeatmapColorMode.SCHEME, "Oranges", "dark-orange", heatmap.HeatmapColorScale.EXPONENTIAL, 0.5, 64
        ),
        cell_values=heatmap.CellValues(PER_SECOND),
        y_axis=heatmap.YAxisConfig(axis_placement=common.AxisPlacement.LEFT),
        legend=heatmap.HeatmapLegend(show=True),
        tooltip=heatmap.HeatmapTooltip(common.TooltipDisplayMode.SINGLE, y_histogram=True),
        exemplars=heatmap.ExemplarConfig("rgba(255,0,255,0.7)"),
    )


def _table_options() -> table.Options:
    return table.Options(show_header=True, cell_height=common.TableCellHeight.SM)


_OPTIONS = {
    "stat": _stat_options,
    "timeseries": _series_options,
    "heatmap": _heatmap_options,
    "table": _table_options,
}


def single(
    title: str, description: str, unit: str, query: str, *, limit: Limit | None = None, empty: str = ""
) -> Panel:
    """Return one number with its course behind it."""
    return Panel("stat", title, description, unit, (Query(query, title),), 3, 4, limit, empty)


def series(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    limit: Limit | None = None,
    empty: str = "",
    width: int = 8,
    stacked: bool = False,
) -> Panel:
    """Return lines over time."""
    return Panel("timeseries", title, description, unit, queries, width, 8, limit, empty, stacked)


def cells(title: str, description: str, unit: str, query: str, *, empty: str = "", width: int = 8) -> Panel:
    """Return the buckets of a histogram over time, as a heatmap."""
    return Panel("heatmap", title, description, unit, (Query(query, "{{le}}"),), width, 8, None, empty)


def rows(
    title: str,
    description: str,
    unit: str,
    query: str,
    *,
    hidden: tuple[str, ...] = (),
    empty: str = "",
    width: int = 12,
) -> Panel:
    """Return a table of what holds now, without the columns that are `hidden`."""
    return Panel("table", title, description, unit, (Query(query),), width, 8, None, empty, hidden=hidden)
