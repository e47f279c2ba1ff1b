"""Comparisons that can never be true, and those that can."""

import itertools
import operator as arithmetic
from collections.abc import Callable

import pytest

from mlmetrics.monitoring.verify.files.intervals import ALL, POSITIVE, SHARE, Interval, combined, filtered, never, point
from mlmetrics.monitoring.verify.files.promql import parse
from mlmetrics.monitoring.verify.files.ranges import Ranges
from mlmetrics.monitoring.verify.files.series import Known
from tests.monitoring.verify.files.shop import errors_of, notes_of, problems_of, shop_page

ERRORS = 'sum by (country) (rate(shop_orders_total{code=~"5.."}[5m]))'
ALL_ORDERS = "sum by (country) (rate(shop_orders_total[5m]))"
P90 = "histogram_quantile(0.9, sum by (le) (rate(shop_order_seconds_bucket[5m])))"


@pytest.mark.parametrize(
    "query",
    [
        f"{ERRORS} / {ALL_ORDERS} > 1",
        f"{ERRORS} / {ALL_ORDERS} > 5",
        f"100 * {ERRORS} / {ALL_ORDERS} > 100",
        f"100 * ({ERRORS} / {ALL_ORDERS}) > 100",
        f"{ERRORS} / ({ALL_ORDERS} > 0) > 1",
        f"1 - {ERRORS} / {ALL_ORDERS} < 0",
        f"({ALL_ORDERS} - {ERRORS}) / {ALL_ORDERS} > 1",
        'sum(rate(shop_order_seconds_bucket{le="0.5"}[5m])) / sum(rate(shop_order_seconds_count[5m])) > 1',
        f"{P90} > 5",
        f"{P90} > 10",
        f"{P90} >= 5.1",
        f"{P90} < 0",
        f"{P90} * 1000 > 5000",
        "rate(shop_orders_total[5m]) < 0",
        "increase(shop_orders_total[1h]) <= -1",
        "shop_orders_total < 0",
        "absent(shop_queue) > 1",
        "absent(shop_queue) == 0",
        "up > 1",
        "up == 2",
        "avg by (job) (up) > 1",
        "min_over_time(up[5m]) < 0",
        "count(shop_orders_total) == 0",
        "count(up == 0) < 1",
        "0 > rate(shop_orders_total[5m])",
        "2 < up",
        "shop_queue > 10 and shop_queue < 5",
        "shop_queue > 5 and shop_queue <= 5",
        "(shop_queue > 10) and on () up == 1 and (shop_queue < 10)",
        "shop_queue > 10 < 5",
        "shop_queue == 3 and shop_queue == 4",
        "hour() > 23",
        "day_of_week() == 7",
        "clamp_max(shop_queue, 5) > 5",
        "clamp(shop_queue, 0, 1) > 2",
        "abs(shop_stock) < 0",
        "(up == bool 1) > 1",
        "vector(0) > 0",
        "histogram_fraction(0, 1, shop_order_seconds) > 1",
        "time() < bool 0",
        "histogram_quantile(90, sum by (le) (rate(shop_order_seconds_bucket[5m])))",
    ],
)
def test_never(query: str) -> None:
    """Each is found, once."""
    assert ["comparison"] == [kind for kind in errors_of(query) if kind != "metric"]


@pytest.mark.parametrize(
    "query",
    [
        f"{ERRORS} / {ALL_ORDERS} >= 1",
        f"{ERRORS} / {ALL_ORDERS} > 0.05",
        f"100 * {ERRORS} / {ALL_ORDERS} > 5",
        f"{ALL_ORDERS} / {ERRORS} > 1",
        f"{ERRORS} / sum(rate(shop_orders_total[5m])) > 1",
        'sum(rate(shop_orders_total{code="500"}[5m])) / sum(rate(shop_orders_total{country="fr"}[5m])) > 1',
        "sum(rate(shop_orders_total[5m])) / sum(rate(shop_orders_total[1h])) > 2",
        "sum(rate(shop_orders_total[5m])) / sum(rate(shop_orders_total[5m] offset 1d)) > 2",
        "sum(shop_stock) / sum(shop_stock) > 1",
        "sum(rate(shop_order_seconds_bucket[5m])) / sum(rate(shop_order_seconds_count[5m])) > 1",
        f"{P90} >= 5",
        f"{P90} > 1",
        "histogram_quantile(0.9, rate(shop_unknown_bucket[5m])) > 100",
        "delta(shop_queue[5m]) < 0",
        "deriv(shop_stock[5m]) < 0",
        "shop_stock < 0",
        "sum(shop_stock) < -100",
        "shop_orders_total <= 0",
        "absent(shop_queue) == 1",
        "up < 1",
        "up != 1",
        "count(up == 0) >= 1",
        "sum(up) > 3",
        "shop_queue > 5 and shop_queue < 10",
        "shop_queue >= 5 and shop_queue <= 5",
        'shop_orders_total{code="200"} > 5 and ignoring (code) shop_orders_total{code="500"} < 2',
        "shop_queue - shop_stock < 0",
        "1 - up > 0",
        "rate(shop_orders_total[5m]) - rate(shop_orders_total[5m] offset 1h) < 0",
        "rate(shop_orders_total[5m]) / 0 > 5",
        "1 / rate(shop_orders_total[5m]) > 100",
        "shop_queue * -1 < 0",
        "-shop_orders_total < 0",
        "ln(shop_queue) < 0",
        "(shop_queue > 5) or (shop_queue < 2)",
        "sum_over_time(up[1h]) > 100",
        "vector(1) > 0",
        "predict_linear(shop_queue[1h], 3600) < 0",
        "clamp_min(shop_queue, 5) > 7",
        "avg(up) * 100 > 99",
    ],
)  # fmt: skip
def test_possible(query: str) -> None:
    """Nothing is said about a comparison that some numbers make true."""
    assert "comparison" not in errors_of(query)


def test_text_says_why() -> None:
    """The text has the range, and where it comes from."""
    (problem,) = problems_of(f"{P90} > 5")
    assert problem.text.endswith("is between 0 and 5 (the last finite bucket bound)")
    (problem,) = problems_of("up > 1")
    assert "up > 1 is never true: up is between 0 and 1" == problem.text


def test_rate_of_a_gauge() -> None:
    """`rate` of what the page calls a gauge is a note."""
    assert ["counter"] == notes_of("rate(shop_queue[5m])")
    assert [] == notes_of("delta(shop_queue[5m])")


@pytest.mark.parametrize(
    ("sign", "function"),
    [("+", arithmetic.add), ("-", arithmetic.sub), ("*", arithmetic.mul), ("/", arithmetic.truediv)],
)
def test_intervals(sign: str, function: Callable[[float, float], float]) -> None:
    """Arithmetic on intervals holds for the ends and the middle of each."""
    lefts = (Interval(-2, 3), Interval(1, 4), Interval(-5, -1), POSITIVE)
    rights = (Interval(-1, 1), Interval(2, 3), Interval(0, 2), Interval(-3, -1))
    for left, right in itertools.product(lefts, rights):
        found = combined(sign, left, right)
        for one, other in itertools.product(within(left), within(right)):
            if other != 0 or sign != "/":
                assert found.low <= function(one, other) <= found.high, (left, right)


def within(interval: Interval) -> tuple[float, ...]:
    """Return numbers of an interval."""
    high = min(interval.high, 1e6)
    return interval.low, high, (interval.low + high) / 2


def test_filters() -> None:
    """A comparison lets through what it compares with, and nothing is certain of infinities."""
    assert Interval(5) == filtered(">", ALL, point(5))
    assert Interval(-1, 0.5) == filtered("<=", Interval(-1, 1), point(0.5))
    assert point(3) == filtered("==", ALL, point(3))
    assert ALL == combined("-", POSITIVE, POSITIVE)
    assert never("!=", point(1), point(1))
    assert not never("!=", SHARE, point(1))
    assert "always 1" == point(1).text
    assert ("at least 0", "at most 3") == (POSITIVE.text, Interval(high=3).text)


def test_range_of_what_is_unknown() -> None:
    """Of a metric that is nowhere nothing is known, but that a counter is not negative."""
    ranges = Ranges(Known([shop_page()]))
    assert ALL == ranges.of(parse("shop_unknown"))
    assert ALL == ranges.of(parse("shop_stock"))
    assert POSITIVE == ranges.of(parse("shop_orders_total"))
