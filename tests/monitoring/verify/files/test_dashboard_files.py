"""Dashboards of every form that Grafana exports."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlmetrics.monitoring.verify.files.dashboard_files import DashboardFile, read_dashboards
from mlmetrics.monitoring.verify.files.variables import filled

PROMETHEUS = {"type": "prometheus", "uid": "abc"}


def read(tmp_path: Path, document: Any) -> DashboardFile:
    """Return a dashboard that was written as JSON."""
    path = tmp_path / "shop.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    (found,) = read_dashboards([path])
    return found


def panel(expr: str = "up", title: str = "Orders", **more: Any) -> dict[str, Any]:
    """Return a panel with a query."""
    return {"title": title, "type": "timeseries", "datasource": PROMETHEUS, "targets": [{"expr": expr}], **more}


def dashboard(*panels: Any, variables: Any = (), **more: Any) -> dict[str, Any]:
    """Return a dashboard with panels and variables."""
    return {"title": "Shop", "panels": list(panels), "templating": {"list": list(variables)}, **more}


def texts(found: DashboardFile) -> list[str]:
    """Return the queries of a dashboard, interpolated."""
    return [each.query.text for each in found.queries]


class TestPanels:
    """Queries are found in every panel, however deep."""

    def test_nested(self, tmp_path: Path) -> None:
        """Panels, collapsed rows, rows of old dashboards, and a library panel without a query."""
        row = {"type": "row", "title": "Row", "collapsed": True, "panels": [panel("b", "In a row")]}
        library = {"title": "Library", "libraryPanel": {"uid": "x", "name": "y"}}
        found = read(tmp_path, dashboard(panel("a"), row, library))
        assert ["a", "b"] == texts(found)
        assert ["shop.json: Orders", "shop.json: In a row"] == [each.query.subject for each in found.queries]
        old = {"rows": [{"panels": [panel("c")]}, {"panels": [panel("d"), {"type": "text"}]}]}
        assert ["c", "d"] == texts(read(tmp_path, old))
        assert ["a"] == texts(read(tmp_path, {"meta": {}, "dashboard": dashboard(panel("a"))}))

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("{", "cannot be read"),
            ("[]", "has no panels"),
            ("{}", "has no panels"),
            ('{"dashboard": {}}', "has no panels"),
            ('{"panels": 3}', "has no panels"),
        ],
    )
    def test_refused(self, tmp_path: Path, text: str, problem: str) -> None:
        """What is no dashboard is an error."""
        (finding,) = read(tmp_path, text).findings
        assert ("error", "file") == (finding.level, finding.kind)
        assert problem in finding.text

    def test_legend_and_instant(self, tmp_path: Path) -> None:
        """Labels of legends are shown; a panel without a title has its number."""
        target = {"expr": "up", "legendFormat": "{{job}} on {{ instance }}", "instant": True}
        (query,) = read(tmp_path, dashboard({"id": 7, "targets": [target, "odd", {"refId": "B"}]})).queries
        assert [("job", "the legend"), ("instance", "the legend")] == list(query.query.shown)
        assert query.instant
        assert "shop.json: panel 7" == query.query.subject


class TestDatasources:
    """Queries of other data sources are left out, and of unknown ones are read with care."""

    @pytest.mark.parametrize(
        ("source", "kept", "sure"),
        [
            ({"type": "prometheus", "uid": "x"}, True, True),
            ({"type": "loki", "uid": "x"}, False, False),
            ({"type": "datasource", "uid": "-- Mixed --"}, True, False),
            ({"uid": "${DS_SHOP}"}, True, True),
            ("${DS_SHOP}", True, True),
            ("${DS_LOGS}", False, False),
            ("$source", True, True),
            ("$logs", False, False),
            ("Shop metrics", True, False),
            ("-- Grafana --", False, False),
            (None, True, False),
        ],
    )
    def test_kinds(self, tmp_path: Path, *, source: Any, kept: bool, sure: bool) -> None:
        """A kind is given, or by an input of the export, or by a variable of the dashboard, or not at all."""
        inputs = [
            {"name": "DS_SHOP", "type": "datasource", "pluginId": "prometheus"},
            {"name": "DS_LOGS", "type": "datasource", "pluginId": "loki"},
        ]
        variables = [
            {"name": "source", "type": "datasource", "query": "prometheus"},
            {"name": "logs", "type": "datasource", "query": "loki"},
        ]
        document = dashboard(panel(datasource=source), variables=variables, __inputs=inputs)
        assert [sure] * kept == [each.query.sure for each in read(tmp_path, document).queries]

    def test_of_target(self, tmp_path: Path) -> None:
        """The data source of a query counts before that of its panel."""
        targets = [{"expr": "a", "datasource": PROMETHEUS}, {"expr": "b", "datasource": {"type": "loki"}}]
        mixed = panel(datasource={"type": "datasource", "uid": "-- Mixed --"}, targets=targets)
        assert ["a"] == texts(read(tmp_path, dashboard(mixed)))


class TestVariables:
    """Variables are replaced before a query is read, and their own queries are checked."""

    def test_forms(self, tmp_path: Path) -> None:
        """Each form of a variable, and those that Grafana sets."""
        query = 'rate(x{a=~"$shop",b=~"${shop:regex}",c=~"[[shop]]",d="${shop.text}"}[$__rate_interval]) * $__range_s'
        found = read(tmp_path, dashboard(panel(query), variables=[{"name": "shop", "type": "query"}]))
        name = "grafana_variable_shop"
        assert [f'rate(x{{a=~"{name}",b=~"{name}",c=~"{name}",d="{name}"}}[1m]) * 3600'] == texts(found)
        assert [] == found.findings

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ({"type": "constant", "query": "shop_orders"}, "shop_orders"),
            ({"type": "custom", "query": "a,b", "current": {"value": "b"}}, "b"),
            ({"type": "custom", "query": "one : a, two : b", "current": {"value": "$__all"}}, "a"),
            ({"type": "custom", "query": "a,b", "current": {"value": ["b", "a"]}}, "b"),
            ({"type": "interval", "query": "auto,1m,5m", "current": {"value": "$__auto_interval_x"}}, "1m"),
            ({"type": "textbox", "query": "7"}, "7"),
            ({"type": "query", "current": {"value": "there"}}, "grafana_variable_x"),
        ],
    )
    def test_values(self, tmp_path: Path, variable: dict[str, Any], value: str) -> None:
        """A value that needs no query is known."""
        assert [value] == texts(read(tmp_path, dashboard(panel("$x"), variables=[{"name": "x", **variable}])))

    def test_window_of_unknown_length(self, tmp_path: Path) -> None:
        """Where only a duration may stand, a variable without a known value is one."""
        document = dashboard(panel("rate(a[$w]) + b offset $w"), variables=[{"name": "w", "type": "query"}])
        assert ["rate(a[5m]) + b offset 5m"] == texts(read(tmp_path, document))

    def test_undeclared(self, tmp_path: Path) -> None:
        """A variable that nobody declares stays in the query, so Prometheus refuses it: an error."""
        query = 'label_replace(up{job=~"$shop|x$"}, "a", "$1", "b", "(.*)") + ${lost}'
        found = read(tmp_path, dashboard(panel(query), variables=[{"name": "shop", "type": "query"}]))
        assert ["$lost is not a variable of the dashboard"] == [each.text for each in found.findings]

    def test_own_queries(self, tmp_path: Path) -> None:
        """The selector and the label of `label_values`, the query of `query_result`, and annotations are checked."""
        variables = [
            {"name": "a", "type": "query", "datasource": PROMETHEUS, "query": 'label_values(up{x="y"}, job)'},
            {"name": "b", "type": "query", "query": {"query": "label_values(shop)", "refId": "b"}},
            {"name": "c", "type": "query", "query": "query_result(topk(3, up))"},
            {"name": "d", "type": "query", "query": "metrics(up)"},
            {"name": "e", "type": "query", "definition": "label_values(up, instance)", "query": 3},
            {"name": "f", "type": "query", "datasource": {"type": "loki"}, "query": "label_values(job)"},
        ]
        notes = [{"name": "Deploys", "datasource": PROMETHEUS, "expr": "changes(z[5m]) > 0"}, {"builtIn": 1}, "odd"]
        document = dashboard(panel("w"), variables=variables, annotations={"list": notes})
        found = read(tmp_path, document)
        asked = [
            (each.query.subject, each.query.text, [label for label, _ in each.query.shown]) for each in found.queries
        ]
        assert [
            ("shop.json: $a", 'up{x="y"}', ["job"]),
            ("shop.json: $b", "", ["shop"]),
            ("shop.json: $c", "topk(3, up)", []),
            ("shop.json: $e", "up", ["instance"]),
            ("shop.json: @ Deploys", "changes(z[5m]) > 0", []),
            ("shop.json: Orders", "w", []),
        ] == asked

    def test_lists(self) -> None:
        """Several chosen values are a regular expression, as in `interpolate`."""
        assert 'up{a=~"(b|c)"}' == filled('up{a=~"$a"}', {"a": ["b", "c"]})


@pytest.mark.parametrize("odd", [None, 3, "x", [], {}, [3], ["x"], {"a": 1}, [[]]], ids=repr)
@pytest.mark.parametrize(
    "key",
    ["templating", "annotations", "__inputs", "rows", "targets", "datasource", "list", "type", "query", "current"],
)
def test_parts_of_another_shape(tmp_path: Path, key: str, odd: Any) -> None:
    """A part that has not the shape that Grafana writes is passed over, and the rest is read."""
    variable = {"name": "v", "type": "custom", "query": "a", "current": {"value": "a"}, key: odd}
    document = dashboard(panel("a"), {**panel("b"), key: odd}, variables=[variable])
    if key in {"templating", "annotations", "__inputs", "rows"}:
        document[key] = odd
    if key == "list":
        document["templating"] = {"list": odd}
    assert "a" in texts(read(tmp_path, document))
