"""Dashboards as Grafana exports them: the Prometheus queries of their panels, variables and annotations."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlmetrics.monitoring.verify.files.documents import mapping, objects
from mlmetrics.monitoring.verify.files.queries import Query
from mlmetrics.monitoring.verify.files.templates import labels_of_legend
from mlmetrics.monitoring.verify.files.variables import (
    choices_of,
    filled,
    is_datasource_of_prometheus,
    undeclared,
    variables_of,
)
from mlmetrics.monitoring.verify.finding import Finding
from mlmetrics.monitoring.verify.interpolation import Choice
from mlmetrics.monitoring.verify.label_values import PATTERN

_PROMETHEUS = {
    "prometheus",
    "grafana-amazonprometheus-datasource",
    "grafana-azureprometheus-datasource",
}
_RESULT = re.compile(r"\s*query_result\((?P<query>.+)\)\s*", re.DOTALL)
_REFERENCE = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True, slots=True)
class PanelQuery:
    """A query of a dashboard: as it is written, and with its variables replaced."""

    query: Query
    written: str
    instant: bool = False
    kind: str = "panel"


@dataclass(slots=True)
class DashboardFile:
    """A dashboard, its Prometheus queries, and what is wrong with the file itself."""

    name: str
    document: Mapping[str, Any]
    choices: dict[str, Choice] = field(default_factory=dict)
    queries: list[PanelQuery] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read_dashboards(paths: Sequence[Path]) -> list[DashboardFile]:
    """Return the dashboards of files; of one that is none, what is wrong."""
    return [_read(path) for path in paths]


def _read(path: Path) -> DashboardFile:
    found = DashboardFile(path.name, {})
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        found.findings.append(_refused(path, f"cannot be read: {error}"))
        return found
    if isinstance(document, dict) and isinstance(document.get("dashboard"), dict):
        document = document["dashboard"]  # as the API of Grafana gives it
    if not isinstance(document, dict) or not (_lists(document, "panels") or _lists(document, "rows")):
        found.findings.append(_refused(path, "has no panels"))
        return found
    found.document = document
    found.choices = choices_of(document)
    sources = _Sources(document)
    for variable in variables_of(document):
        _add_variable(found, sources, variable)
    for annotation in objects(mapping(document.get("annotations")).get("list")):
        _add_annotation(found, sources, annotation)
    for panel in panels_of(document):
        _add_panel(found, sources, panel)
    return found


def _refused(path: Path, text: str) -> Finding:
    return Finding("error", "file", path.name, f"{text}; expected the JSON of a dashboard with `panels`")


def _lists(document: Mapping[str, Any], key: str) -> bool:
    return isinstance(document.get(key), list)


def panels_of(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the panels of a dashboard, those in rows too, however deep."""
    for key in ("panels", "rows"):
        for each in objects(document.get(key)):
            yield each
            yield from panels_of(each)


class _Sources:
    """Tells which data sources of a dashboard are Prometheus."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._kinds = {
            str(each.get("name")): str(each.get("pluginId"))
            for each in objects(document.get("__inputs"))
            if each.get("type") == "datasource"
        }
        for variable in variables_of(document):
            if variable.get("type") == "datasource":
                kind = "prometheus" if is_datasource_of_prometheus(variable) else str(variable.get("query"))
                self._kinds[str(variable.get("name"))] = kind

    def kind(self, *sources: Any) -> str:
        """Return the kind of the first data source that is given, empty if it is not known."""
        for source in sources:
            if isinstance(source, dict) and source.get("type") and source["type"] != "datasource":
                return str(source["type"])
            name = source.get("uid") if isinstance(source, dict) else source
            if isinstance(name, str) and name and "Mixed" not in name:
                reference = _REFERENCE.fullmatch(name)
                return self._kinds.get(reference[1], "") if reference else _kind_named(name)
        return ""


def _kind_named(name: str) -> str:
    return "grafana" if name.startswith("-- ") or name == "grafana" else ""


def _is_prometheus(kind: str) -> bool:
    return not kind or kind in _PROMETHEUS


def _add(
    found: DashboardFile,
    subject: str,
    text: str,
    kind: str,
    *,
    shown: Sequence[tuple[str, str]] = (),
    instant: bool = False,
    what: str = "panel",
) -> None:
    """Add a query; `kind` is that of its data source, empty if it is not known."""
    declared = {str(variable.get("name")) for variable in variables_of(found.document)}
    subject = f"{found.name}: {subject}"
    for missing in sorted(undeclared(text, found.choices, declared)):
        found.findings.append(Finding("error", "variable", subject, f"${missing} is not a variable of the dashboard"))
    query = Query(subject, filled(text, found.choices), shown, sure=bool(kind))
    found.queries.append(PanelQuery(query, text, instant, what))


def _add_panel(found: DashboardFile, sources: _Sources, panel: Mapping[str, Any]) -> None:
    title = str(panel.get("title") or f"panel {panel.get('id', '')}").strip()
    for target in objects(panel.get("targets")):
        text, kind = target.get("expr"), sources.kind(target.get("datasource"), panel.get("datasource"))
        if isinstance(text, str) and text.strip() and _is_prometheus(kind):
            shown = [(label, "the legend") for label in labels_of_legend(str(target.get("legendFormat") or ""))]
            _add(found, title, text, kind, shown=shown, instant=bool(target.get("instant")))


def _add_annotation(found: DashboardFile, sources: _Sources, annotation: Mapping[str, Any]) -> None:
    text = annotation.get("expr") or mapping(annotation.get("target")).get("expr")
    kind = sources.kind(annotation.get("datasource"))
    if isinstance(text, str) and text.strip() and _is_prometheus(kind):
        _add(found, f"@ {annotation.get('name', '')}", text, kind, what="annotation")


def _add_variable(found: DashboardFile, sources: _Sources, variable: Mapping[str, Any]) -> None:
    """Add the selector of a variable's `label_values`, with the label as one that it shows."""
    kind = sources.kind(variable.get("datasource"))
    text = query_of_variable(variable)
    if variable.get("type") != "query" or not text or not _is_prometheus(kind):
        return
    subject = f"${variable.get('name', '')}"
    values, result = PATTERN.fullmatch(text), _RESULT.fullmatch(text)
    if values:
        _add(found, subject, values["selector"] or "", kind, shown=[(values["label"], "the variable")], what="variable")
    elif result:
        _add(found, subject, result["query"], kind, what="variable")


def query_of_variable(variable: Mapping[str, Any]) -> str:
    """Return the query of a variable, which is a text or, in newer dashboards, in an object."""
    query = variable.get("query")
    found = query.get("query") if isinstance(query, dict) else query
    return found if isinstance(found, str) else str(variable.get("definition") or "")
