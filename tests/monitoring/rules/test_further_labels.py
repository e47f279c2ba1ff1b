"""Rules and dashboards stay right where an application adds labels of its own to the metrics of requests."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from mlmetrics.catalog import BY_NAME
from tests.promql import nodes, parse, result_labels, selectors

ROOT = Path(__file__).parents[3]
OWN = "tenant"


def queries_in(what: Any) -> Iterator[str]:
    """Yield the text of every `expr` in what a file says."""
    if isinstance(what, dict):
        for key, value in what.items():
            if key == "expr" and isinstance(value, str):
                yield value
            yield from queries_in(value)
    elif isinstance(what, list):
        for each in what:
            yield from queries_in(each)


def queries() -> list[str]:
    """Return every query about requests in the rendered rules and dashboards."""
    rules = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "prometheus" / "rules").glob("*.yml"))]
    boards = [json.loads(path.read_text()) for path in sorted((ROOT / "grafana" / "dashboards").rglob("*.json"))]
    found = {query for what in (*rules, *boards) for query in queries_in(what) if "fastapi_request" in query}
    return sorted(query for query in found if any(metric_of(each.metric) for each in selectors(query)))


def metric_of(sample: str) -> bool:
    """Whether a sample is of a metric to which labels are added."""
    name = next((sample.removesuffix(end) for end in ("_bucket", "_count", "_sum") if sample.endswith(end)), sample)
    return name in BY_NAME and BY_NAME[name].extensible


def labels_of(sample: str) -> set[str]:
    """Return the label that an application has added to a sample."""
    return {OWN} if metric_of(sample) else set()


def test_there_are_queries() -> None:
    """The alerts, the objectives and the dashboards ask for requests."""
    assert len(queries()) > 10


@pytest.mark.parametrize("query", queries())
def test_adds_up_over_them(query: str) -> None:
    """No result has such a label, and no operation compares series by it."""
    tree = parse(query)
    assert set() == result_labels(tree, labels_of)
    for node in nodes(tree):
        if isinstance(node, promql.BinaryExpr):
            assert set() == result_labels(node.lhs, labels_of) | result_labels(node.rhs, labels_of)
