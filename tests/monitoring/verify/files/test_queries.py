"""Queries that cannot be read, and variables in places where they have no value yet."""

import pytest

from mlmetrics.monitoring.verify.files.queries import Query, check_query
from mlmetrics.monitoring.verify.files.series import Known
from mlmetrics.monitoring.verify.metrics_page import read_page
from tests.monitoring.verify.files.shop import problems_of, shop_page

KNOWN = Known([shop_page()])
RETRIEVAL = """\
mlmetrics_build_info{version="1"} 1
ml_retrieval_total{index="docs",outcome="success",service="s"} 3
ml_orders_total{country="fr"} 3
"""


@pytest.mark.parametrize(
    "query",
    ["sum(", "shop_orders_total[5m] + 1", "rate(shop_orders_total)", "nothing_of(up)", "up{a=b}", "", "1 > 2"],
)
def test_is_not_promql(query: str) -> None:
    """A query that Prometheus would refuse is an error."""
    (problem,) = problems_of(query or " ")
    assert ("error", "parse") == (problem.level, problem.kind)
    assert "\n" not in problem.text


def test_of_another_language() -> None:
    """A query that may be of another kind of data source is a note."""
    (problem,) = check_query(Query("panel", '{app="shop"} |= "error"', sure=False), KNOWN)
    assert ("note", "not checked") == (problem.level, problem.kind)


@pytest.mark.parametrize(
    "query",
    [
        'shop_orders_total{country=~"grafana_variable_country",code="grafana_variable_code"}',
        "sum by (grafana_variable_by) (shop_orders_total)",
        "sum by (country, grafana_variable_by) (shop_orders_total) > on (anything) shop_unknown_variable or vector(1)",
        "grafana_variable_metric{anything='1'}",
        "topk(grafana_variable_n, shop_orders_total)",
        "histogram_quantile(grafana_variable_q, rate(shop_order_seconds_bucket[5m]))",
        "shop_orders_total / on (grafana_variable_label) shop_queue",
        '{__name__=~"grafana_variable_metric"}',
        'label_replace(shop_queue, "a", "$1", "grafana_variable_label", "(.+)")',
        'shop_order_seconds_bucket{le="grafana_variable_le"}',
    ],
)  # fmt: skip
def test_variables(query: str) -> None:
    """What a variable stands for is not known, so nothing is said about it."""
    assert not [problem for problem in problems_of(query) if problem.level == "error"]


def test_a_variable_that_makes_a_part_of_the_query() -> None:
    """A query that can be read only with the value of a variable is a note."""
    (problem,) = problems_of("grafana_variable_function(rate(shop_orders_total[5m]))")
    assert ("note", "not checked") == (problem.level, problem.kind)


def test_label_of_a_variable_is_checked() -> None:
    """A variable is no excuse for a label that the metric does not have."""
    (problem,) = problems_of('shop_orders_total{land=~"grafana_variable_land"}')
    assert "shop_orders_total has no label land, so land selects nothing" in problem.text


def test_label_of_all_series() -> None:
    """`label_values(label)` asks for a label that any series may have."""
    assert [] == check_query(Query("$a", "", [("country", "the variable")]), KNOWN)
    (problem,) = check_query(Query("$a", "", [("land", "the variable")]), KNOWN)
    assert "the variable asks for the label land, which no series has" == problem.text


def test_old_and_new_functions() -> None:
    """Functions that only older or newer versions have are read."""
    assert [] == problems_of("holt_winters(shop_queue[1h], 0.5, 0.5)")
    assert [] == problems_of("double_exponential_smoothing(shop_queue[1h], 0.5, 0.5)")
    assert [] == problems_of("limitk(2, shop_orders_total)")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ml_retrieval_errors_total", ("note", "waits")),
        ("ml_retrieval_duration_seconds_count", ("error", "metric")),
        ("ml_orders_errors_total", ("error", "metric")),
    ],
)
def test_what_comes_with_the_first_event_of_an_own_operation(name: str, expected: tuple[str, str]) -> None:
    """An operation that no file of ours names is known by its page: no failure yet is no error."""
    known = Known([read_page(RETRIEVAL, "text/plain")])
    (problem,) = check_query(Query("panel", f"sum({name})"), known)
    assert expected == (problem.level, problem.kind)


def test_label_without_a_value() -> None:
    """A label that a page shows without a value is declared: another series may have one."""
    known = Known([read_page('tasks_total{kind="",queue="a"} 1\n', "text/plain")])
    assert [] == check_query(Query("panel", "sum by (kind, queue) (tasks_total)", [("kind", "the legend")]), known)
    assert [] == check_query(Query("panel", 'tasks_total{kind="", queue!=""}'), known)
