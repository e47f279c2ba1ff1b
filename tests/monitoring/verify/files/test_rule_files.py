"""Rule files of every form that Prometheus and its operator read."""

from pathlib import Path

import pytest

from mlmetrics.monitoring.verify.files.rule_files import RuleFiles, read_rule_files
from mlmetrics.monitoring.verify.files.templates import labels_of_annotation

GROUPS = """
groups:
- name: shop
  rules:
  - record: country:shop_orders:rate5m
    expr: sum by (country) (rate(shop_orders_total[5m]))
    labels: {level: country}
  - alert: NoOrders
    expr: country:shop_orders:rate5m == 0
    labels: {severity: warning, where: '{{ $labels.country }}'}
    annotations: {summary: 'None from {{ $labels.country }} of {{ $labels.shop }}'}
"""
RESOURCE = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: x}\nspec:\n"


def read(tmp_path: Path, text: str) -> RuleFiles:
    """Return the rules of a file with a text."""
    path = tmp_path / "shop.yml"
    path.write_text(text)
    return read_rule_files([path])


def resource(groups: str) -> str:
    """Return groups as a resource of the operator."""
    return RESOURCE + "\n".join(f"  {line}" for line in groups.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        GROUPS,
        resource(GROUPS),
        f"---\n{resource(GROUPS)}\n---\nkind: Service\n",
        "kind: List\nitems:\n- " + resource(GROUPS).replace("\n", "\n  "),
    ],
    ids=["groups", "resource", "documents", "list"],
)
def test_forms(tmp_path: Path, text: str) -> None:
    """Groups alone, a resource, one of several documents, and a list of resources have the same rules."""
    found = read(tmp_path, text)
    assert [] == found.findings
    recording, alert = found.rules
    assert ("country:shop_orders:rate5m", False, {"level"}) == (recording.name, recording.alert, set(recording.labels))
    assert ("NoOrders", True, {"severity", "where"}) == (alert.name, alert.alert, set(alert.labels))
    assert "shop.yml: NoOrders" == alert.query.subject
    assert {("country", "summary"), ("shop", "summary"), ("country", "where")} == set(alert.query.shown)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1", "cannot be read: while parsing"),
        ("{{- if .Values.rules }}\ngroups: []\n{{ end }}", "cannot be read"),
        ("scrape_configs: []", "has no groups of rules"),
        ("groups: [{name: x, rules: 3}]", "has a group that is no list of rules"),
        ("groups: [3]", "has a group that is no list of rules"),
        ("groups: [{name: x, rules: [{alert: A}]}]", "has a rule without alert or record, or without expr"),
        ("groups: [{name: x, rules: [just text]}]", "has a rule without alert or record, or without expr"),
        ("groups: [{rules: [{alert: A, expr: up, labels: 3}]}]", "has labels or annotations of A that are no names"),
        ("kind: PrometheusRule\nspec: 3", "has no groups of rules"),
        ("items: 3", "has no groups of rules"),
        ("- 1", "has no groups of rules"),
        ("", "has no groups of rules"),
    ],
)
def test_refused(tmp_path: Path, text: str, problem: str) -> None:
    """A file that has no rules is an error in one line."""
    (finding,) = read(tmp_path, text).findings
    assert ("error", "file", "shop.yml") == (finding.level, finding.kind, finding.subject)
    assert problem in finding.text
    assert "\n" not in finding.text


@pytest.mark.parametrize("group", ["{name: x}", "{name: x, rules: }", "{name: x, rules: []}"])
def test_group_without_rules(tmp_path: Path, group: str) -> None:
    """A group may have no rules."""
    assert RuleFiles() == read(tmp_path, f"groups: [{group}]")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A file that is not UTF-8 is an error."""
    path = tmp_path / "shop.yml"
    path.write_bytes(b"\xff\xfe\x00")
    (finding,) = read_rule_files([path]).findings
    assert "cannot be read" in finding.text


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("{{ $labels.a }} and {{$labels.b | title}}", ["a", "b"]),
        ('{{ index $labels "a-b" }}{{ index $labels "c" }}', ["c"]),
        ("{{ .Labels.a }} {{ $value }} {{ $externalLabels.cluster }}", ["a"]),
        ("{{ if $labels.a }}{{ $labels.a }}{{ end }}{{ $labels.b }}", ["b"]),
        ("{{- with $labels.a }}{{ . }}{{ end }}", []),
        ('{{`{{ $labels.a }}`}} {{ "{{" }} $labels.b {{ "}}" }}', ["a", "b"]),
        ('{{ range query "up" }}{{ .Labels.instance }}{{ end }}', []),
        ("no label", []),
    ],
)
def test_labels_of_annotation(text: str, labels: list[str]) -> None:
    """Labels of the alert are found, whatever is around them; those that the text asks for first may be missing."""
    assert labels == list(labels_of_annotation(text))
