"""The parts of every dashboard: variables, annotations, links and rows. Ids of panels are computed from titles."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from mlmetrics.monitoring.config import Config
from mlmetrics.monitoring.grafana.panels import DATASOURCE, GRID_WIDTH, Panel
from mlmetrics.monitoring.grafana.queries import WINDOW, Queries, matches_variable
from mlmetrics.monitoring.recorded import Recorded
from mlmetrics.monitoring.rules.promql import any_of, job_matcher, selector

TAG = "mlmetrics"
ALL = dashboard.VariableOption(selected=True, text="All", value="$__all")
_ID_COUNT = 1_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading.

    `about` is the sample that the heading is about; if it is not recorded, panels that are left join the row before.
    """

    title: str
    panels: tuple[Panel, ...]
    about: str = ""


def board(
    config: Config,
    uid: str,
    title: str,
    description: str,
    rows: Sequence[Row],
    *,
    variables: Sequence[dashboard.VariableModel] = (),
    span: str = "now-1h",
) -> dashboard.Dashboard:
    """Return a dashboard; `variables` are added to the common ones.

    Queries of what is not recorded are left out, and with them panels and rows without any.
    """
    queries, recorded = Queries(config), Recorded.of(config)
    return dashboard.Dashboard(
        uid=uid,
        title=title,
        description=description,
        tags=[TAG],
        editable=False,
        graph_tooltip=dashboard.DashboardCursorSync.CROSSHAIR,
        time=dashboard.DashboardDashboardTime(span, "now"),
        refresh="30s",
        panels=_place(_shown_rows(recorded, rows)),
        templating=dashboard.DashboardDashboardTemplating([*_variables(config, queries), *variables]),
        annotations=dashboard.AnnotationContainer(_annotations(queries)),
        links=[_links()],
    )


def json_text(model: dashboard.Dashboard) -> str:
    """Return a dashboard as JSON text."""
    return json.dumps(model, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def query_variable(name: str, label: str, query: str, all_value: str | None = ".+") -> dashboard.VariableModel:
    """Return a variable whose values come from Prometheus; one, several or all of them may be chosen.

    The choice All is `all_value` or, without one, every value from Prometheus.
    """
    return dashboard.VariableModel(
        type_val=dashboard.VariableType.QUERY,
        name=name,
        label=label,
        query={"query": query, "refId": f"variable-{name}"},
        datasource=DATASOURCE,
        current=ALL,
        multi=True,
        include_all=True,
        all_value=all_value,
        refresh=dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED,
        sort=dashboard.VariableSort.ALPHABETICAL_ASC,
    )


def _shown_rows(recorded: Recorded, rows: Sequence[Row]) -> list[Row]:
    shown: list[Row] = []
    for row in rows:
        panels = [panel for each in row.panels if (panel := _shown_panel(recorded, each)) is not None]
        if shown and not recorded.has(row.about):
            shown[-1] = replace(shown[-1], panels=(*shown[-1].panels, *panels))
        elif panels:
            shown.append(replace(row, panels=_filling(panels) if len(panels) < len(row.panels) else tuple(panels)))
    return shown


def _filling(panels: Sequence[Panel]) -> tuple[Panel, ...]:
    """Return panels as wide as the row allows, where others are left out."""
    width = GRID_WIDTH // len(panels)
    return tuple(replace(panel, width=max(panel.width, width)) for panel in panels)


def _shown_panel(recorded: Recorded, panel: Panel) -> Panel | None:
    queries = tuple(query for query in panel.queries if recorded.has(query.text))
    threshold = panel.threshold
    if threshold is not None and threshold.alert and threshold.alert not in recorded.alerts:
        threshold = None
    return replace(panel, queries=queries, threshold=threshold) if queries else None


def _place(rows: Sequence[Row]) -> list[dashboard.Panel | dashboard.RowPanel]:
    placed: list[dashboard.Panel | dashboard.RowPanel] = []
    y = 0
    for row in rows:
        heading = dashboard.GridPos(1, GRID_WIDTH, 0, y)
        placed.append(dashboard.RowPanel(title=row.title, id_val=_stable_id("row", row.title), grid_pos=heading))
        y += 1
        x = height = 0
        for panel in row.panels:
            if x + panel.width > GRID_WIDTH:
                x, y, height = 0, y + height, 0
            placed.append(panel.model(_stable_id("panel", panel.title), x, y))
            x, height = x + panel.width, max(height, panel.height)
        y += height
    return placed


def _stable_id(kind: str, title: str) -> int:
    """Return an id that is computed from the title, so that links stay valid when the panel moves."""
    return crc32(f"{kind}:{title}".encode()) % _ID_COUNT + 1


def _variables(config: Config, queries: Queries) -> list[dashboard.VariableModel]:
    placed = [matches_variable(label) for label in config.grouping]
    # Without declared services, All means the jobs that mlmetrics runs in, not every job of Prometheus.
    source, all_jobs = ("up", ".+") if queries.config.jobs else ("mlmetrics_build_info", None)
    jobs = selector(source, *placed, job_matcher(queries.config.jobs))
    of_job = [*placed, matches_variable("job")]
    finished = selector("", '__name__=~"fastapi_requests_total|ml_.+_total"', *of_job)
    return [
        dashboard.VariableModel(
            type_val=dashboard.VariableType.DATASOURCE, name="datasource", label="Data source", query="prometheus"
        ),
        *(query_variable(each, each.capitalize(), f"label_values({jobs}, {each})", ".*") for each in config.grouping),
        query_variable("job", "Job", f"label_values({jobs}, job)", all_jobs),
        query_variable("service", "Service", f"label_values({finished}, service)"),
        *_model_variable(config, of_job),
        query_variable("instance", "Instance", f"label_values({selector('up', *of_job)}, instance)"),
    ]


def _model_variable(config: Config, of_job: Sequence[str]) -> Iterator[dashboard.VariableModel]:
    """Yield the variable of models, if there is an operation with models."""
    counters = [operation.finished for operation in config.operations if "model" in operation.labels]
    if counters:
        name, *others = counters
        named = [f"__name__=~{any_of(counters)}"] if others else []
        found = selector("" if others else name, *named, *of_job, matches_variable("service"))
        yield query_variable("model", "Model", f"label_values({found}, model)")


def _annotations(queries: Queries) -> list[dashboard.AnnotationQuery]:
    started = queries.select("process_start_time_seconds")
    return [
        _annotation("Firing alerts", "red", queries.firing()),
        # Not changes(): VictoriaMetrics counts that a series begins for a change of it.
        _annotation("Restarts", "blue", f"max_over_time({started}[{WINDOW}]) > min_over_time({started}[{WINDOW}])"),
    ]


def _annotation(name: str, colour: str, query: str) -> dashboard.AnnotationQuery:
    return dashboard.AnnotationQuery(name=name, datasource=DATASOURCE, enable=True, icon_color=colour, expr=query)


def _links() -> dashboard.DashboardLink:
    return dashboard.DashboardLink(
        title="Dashboards",
        type_val=dashboard.DashboardLinkType.DASHBOARDS,
        icon="external link",
        tags=[TAG],
        as_dropdown=True,
        include_vars=True,
        keep_time=True,
    )
