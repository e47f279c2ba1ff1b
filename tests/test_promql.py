"""The functions that read PromQL for tests find everything in it."""

from datetime import timedelta

import pytest

from tests.promql import RATE_INTERVAL, listed_labels, operations, parse, result_labels, selectors

QUERY = 'sum by (a, b) (rate(x_total{a=~"$a",b!="y z"}[5m] offset 1w)) / on (a) group_left (c) (up > 0) or 0 * up{}'


def test_finds_every_selector() -> None:
    """Metrics are found, and not confused with functions, keywords, label lists and texts."""
    found = list(selectors(QUERY))
    assert ["x_total", "up", "up"] == [each.metric for each in found]
    assert (("a", "=~", "$a"), ("b", "!=", "y z")) == found[0].matchers
    assert (timedelta(minutes=5), "rate") == (found[0].window, found[0].function)


def test_knows_the_window_of_grafana() -> None:
    """The window that replaces Grafana's variable is used by no other query."""
    assert [RATE_INTERVAL] == [each.window for each in selectors("rate(x_total[$__rate_interval])")]


def test_finds_label_lists() -> None:
    """Labels of every kind of list are found."""
    assert {"a", "b", "c"} == listed_labels(QUERY)


def test_finds_operations() -> None:
    """Operations are found by their operator."""
    assert ["(up > 0)"] == [each.rhs.prettify() for each in operations(QUERY, "/")]


def test_refuses_what_is_not_promql() -> None:
    """A query that Prometheus would refuse is refused here too."""
    with pytest.raises(ValueError, match="unclosed"):
        list(selectors("sum(rate(x[5m])"))


@pytest.mark.parametrize(
    ("expression", "labels"),
    [
        ("x", {"a", "b"}),
        ("sum by (a) (rate(x[5m])) > 0.5", {"a"}),
        ("sum without (a) (x)", {"b"}),
        ("x - ignoring (b) x", {"a"}),
        ("x / on (a) x", {"a"}),
        ("x / on (a) group_left () x", {"a", "b"}),
        ('label_replace(max by (a) (x), "c", "$1", "a", "(.+)")', {"a", "c"}),
        ('x or absent(x{a="1",b=~"2"})', {"a"}),
        ("1 - x", {"a", "b"}),
        ("time() - max by (a) (x) > 3", {"a"}),
        ("vector(1)", set()),
    ],
)
def test_labels_of_results(expression: str, labels: set[str]) -> None:
    """The labels of results of aggregations, matching and functions are computed."""
    assert labels == result_labels(parse(expression), lambda _: {"a", "b"})
