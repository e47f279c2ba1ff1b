"""Labels that a query or its template uses, and that are gone or were never there."""

import pytest

from tests.monitoring.verify.files.shop import errors_of, notes_of, problems_of

BUCKETS = "rate(shop_order_seconds_bucket[5m])"


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("sum by (land) (shop_orders_total)", "label"),
        ("sum by (country) (sum by (code) (shop_orders_total))", "label"),
        ("topk by (land) (3, shop_orders_total)", "label"),
        ('label_replace(shop_orders_total, "to", "$1", "land", "(.+)")', "label"),
        ("shop_orders_total / on (land) shop_stock", "label"),
        ("shop_orders_total * on (country) shop_queue", "label"),
        ("shop_orders_total * on (country) group_left (item) sum by (country) (shop_order_seconds_sum)", "label"),
        ("sum by (code, country) (shop_orders_total) / sum by (country) (shop_orders_total)", "match"),
        ("shop_orders_total and shop_queue", "match"),
        ("shop_queue > vector(1)", "match"),
        (f"histogram_quantile(0.9, sum by (country) ({BUCKETS}))", "label"),
        (f"histogram_quantile(0.9, sum({BUCKETS}))", "label"),
    ],
)  # fmt: skip
def test_error(query: str, kind: str) -> None:
    """A label that no series can have at that place is an error."""
    assert [kind] == errors_of(query)


@pytest.mark.parametrize(
    "query",
    [
        "sum by (country, job, pod) (shop_orders_total)",
        "sum without (code) (shop_orders_total)",
        "sum by (code) (sum without (country) (shop_orders_total))",
        'sum by (to) (label_replace(shop_orders_total, "to", "$1", "country", "(.+)"))',
        'label_replace(shop_queue, "fixed", "value", "", "")',
        'label_replace(shop_queue, "fixed", "value", "land", ".*")',
        'sum by (both) (label_join(shop_orders_total, "both", "-", "country", "code"))',
        'count_values by (country) ("value", shop_orders_total) > on (country, value) group_left shop_x',
        "sum by (country, code) (shop_orders_total) / ignoring (code) group_left sum by (country) (shop_orders_total)",
        "sum by (country) (shop_orders_total) / on (country) sum by (country, job) (shop_orders_total)",
        "shop_queue * on (job) group_left (version) shop_build_info",
        f"histogram_quantile(0.9, sum by (country, le) ({BUCKETS}))",
        f"histogram_quantile(0.9, {BUCKETS})",
        "shop_orders_total and on () shop_queue",
        "sum by (country) (shop_orders_total) > 3 or sum by (item) (shop_stock)",
        'absent(shop_queue{job="shop"})',
        "-sum by (country) (avg_over_time((shop_orders_total * 2)[1h:5m]))",
        'count by (__name__) ({__name__=~"shop_.+"})',
        "sum by (anything) (shop_unknown)",
        "time() - shop_queue > 5",
    ],
)
def test_nothing(query: str) -> None:
    """Nothing is said about what can be right; that a metric is unknown is said elsewhere."""
    assert not {"label", "match"} & {problem.kind for problem in problems_of(query)}


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ("sum by (country) (shop_orders_total) > 1", "instance"),
        ("count(shop_orders_total)", "country"),
        ("sum by (country) (shop_orders_total) / on (country) sum by (country, code) (shop_orders_total)", "code"),
        ('absent(shop_queue{job="shop"})', "instance"),
        (f"histogram_quantile(0.9, {BUCKETS})", "le"),
        ("shop_queue * on (job) group_left (version) shop_build_info", "country"),
    ],
)
def test_shown_but_gone(query: str, label: str) -> None:
    """An annotation or a legend that shows a label that the result does not have is an error."""
    (problem,) = problems_of(query, label)
    assert ("error", "label") == (problem.level, problem.kind)
    assert problem.text.startswith(f"summary shows the label {label}, which the result does not have: it has ")


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ("sum by (country) (shop_orders_total) > 1", "country"),
        ('absent(shop_queue{job="shop"})', "job"),
        ("shop_queue * on (job) group_left (version) shop_build_info", "version"),
        ("shop_orders_total or shop_stock", "item"),
        ("shop_unknown > 1", "anything"),
        ("shop_queue", "__name__"),
    ],
)
def test_shown_and_there(query: str, label: str) -> None:
    """A label that some series of the result may have is there."""
    assert "label" not in errors_of(query, label)


def test_without_that_does_nothing() -> None:
    """`without` a label that no series has does nothing: a note."""
    assert ([], ["label"]) == (
        errors_of("sum without (land) (shop_orders_total)"),
        notes_of("sum without (land) (shop_orders_total)"),
    )


def test_both_sides_must_have_the_same_labels() -> None:
    """The text names the labels that only one side has."""
    (problem,) = problems_of("sum by (code) (shop_orders_total) / sum(shop_orders_total)")
    assert "never match: only the left one has code; add on (…) or ignoring (…)" in problem.text
