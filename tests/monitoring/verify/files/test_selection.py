"""What selectors ask for: metrics, labels, values and bounds that are not on the page."""

import pytest

from mlmetrics.monitoring.verify.files.series import Known
from mlmetrics.monitoring.verify.metrics_page import read_page
from tests.monitoring.verify.files.shop import errors_of, notes_of, problems_of, shop_page


class TestMetrics:
    """A metric that is nowhere is an error, unless the query can do without it."""

    @pytest.mark.parametrize(
        "query",
        [
            "shop_order_total",
            "rate(shop_orders_total[5m]) / rate(shop_orderz_total[5m])",
            "sum(shop_missing) > 0",
            '{__name__="shop_missing"}',
            '{__name__=~"shop_missing_.+"}',
            "shop_missing or shop_missing_too",
            "max_over_time(shop_missing[1h:1m])",
            "topk(3, shop_missing)",
            "shop_missing unless shop_queue",
        ],
    )
    def test_missing(self, query: str) -> None:
        """It is found wherever it stands."""
        assert ["metric"] == list(dict.fromkeys(errors_of(query)))

    @pytest.mark.parametrize(
        "query",
        [
            "shop_missing or shop_queue",
            "sum(shop_missing) or vector(0)",
            "absent(shop_missing)",
            "absent_over_time(shop_missing[1h])",
            "shop_queue unless on () shop_missing",
        ],
    )
    def test_the_query_can_do_without_it(self, query: str) -> None:
        """One side of `or`, what `unless` takes away, and what `absent` asks for are notes."""
        assert [] == errors_of(query)
        assert ["metric"] == notes_of(query)

    def test_it_names_what_is_similar(self) -> None:
        """The text has the name that differs in a letter."""
        (problem,) = problems_of("shop_order_total")
        assert "shop_order_total is not there; did you mean shop_orders_total?" == problem.text

    def test_declared_without_samples(self) -> None:
        """A metric whose type is on the page, and that has no sample yet, waits: all may be well."""
        assert [] == errors_of('sum by (reason) (rate(shop_payment_errors_total{reason="card"}[5m])) > 0', "reason")
        assert ["waits"] == notes_of("rate(shop_payment_errors_total[5m])")

    def test_declared_under_a_longer_name(self) -> None:
        """The name without `_total`, as before a counter was renamed, is not declared: an error."""
        (problem,) = problems_of("rate(shop_orders[5m])")
        assert "shop_orders is not there; did you mean shop_orders_total?" == problem.text
        assert ["metric"] == errors_of("rate(shop_payment_errors[5m])")

    def test_metrics_of_prometheus_itself(self) -> None:
        """`up` and its like have the labels of targets, and of alerts nobody knows the labels."""
        assert [] == errors_of('up{job="shop"} == 0 and on (instance) scrape_duration_seconds > 1', "job", "instance")
        assert ["label"] == errors_of('up{country="fr"} == 0')
        assert [] == errors_of('ALERTS{alertname="A", anything="b"}', "whatever")

    def test_several_pages(self) -> None:
        """A metric may be on any of the pages."""
        pages = [shop_page(), read_page("# TYPE bank_loans gauge\nbank_loans 3\n", "text/plain")]
        assert [] == errors_of("shop_queue + on () bank_loans", known=Known(pages))


class TestLabels:
    """A matcher with a label that no series of the metric has selects nothing, or all."""

    @pytest.mark.parametrize(
        "query",
        ['shop_orders_total{land="fr"}', 'shop_orders_total{land=~".+"}', 'rate(shop_orders_total{land!=""}[5m])'],
    )
    def test_selects_nothing(self, query: str) -> None:
        """It is an error."""
        (problem,) = problems_of(query)
        assert ("error", "label") == (problem.level, problem.kind)
        assert "shop_orders_total has no label land" in problem.text
        assert "it has code, country, instance, job" in problem.text

    @pytest.mark.parametrize("matcher", ['land!="fr"', 'land=""', 'land=~".*"', 'land!~"f.*"'])
    def test_selects_all(self, matcher: str) -> None:
        """A matcher that accepts a missing label is a note."""
        assert ([], ["label"]) == (
            errors_of(f"shop_orders_total{{{matcher}}}"),
            notes_of(f"shop_orders_total{{{matcher}}}"),
        )

    @pytest.mark.parametrize("label", ["job", "instance", "namespace", "pod", "cluster"])
    def test_labels_that_prometheus_adds(self, label: str) -> None:
        """Nothing is said about the labels of targets."""
        assert [] == problems_of(f'sum by ({label}) (shop_orders_total{{{label}="x"}})', label)

    def test_labels_that_the_user_names(self) -> None:
        """Other labels of targets are given by name."""
        known = Known([shop_page()], target_labels=frozenset({"rack"}))
        assert [] == problems_of('shop_queue{rack="7"}', known=known)
        assert ["label"] == errors_of('shop_queue{rack="7"}')

    def test_value_that_no_series_has(self) -> None:
        """A value that is not there now may come: a note with those that are there."""
        (problem,) = problems_of('shop_orders_total{code="404"}')
        assert "note" == problem.level
        assert 'shop_orders_total has no series with code="404" now, but code is 200, 500' == problem.text
        assert [] == problems_of('shop_orders_total{code=~"5..|4.."}')


class TestBounds:
    """A bucket that the histogram does not have."""

    @pytest.mark.parametrize("matcher", ['le="0.7"', 'le="10"', 'le=~"0.7|10"', 'le="fast"'])
    def test_no_bound(self, matcher: str) -> None:
        """It is an error that lists the bounds."""
        (problem,) = problems_of(f"rate(shop_order_seconds_bucket{{{matcher}}}[5m])")
        assert ("error", "bucket") == (problem.level, problem.kind)
        assert problem.text.endswith("but 0.1, 0.5, 1, 5, inf")

    @pytest.mark.parametrize("matcher", ['le="0.5"', 'le="+Inf"', 'le="1.0"', 'le=~"1(\\\\.0)?"', 'le!="7"'])
    def test_bound(self, matcher: str) -> None:
        """Nothing is said about a bound that is there, as it is written on the page."""
        assert [] == problems_of(f"rate(shop_order_seconds_bucket{{{matcher}}}[5m])")

    def test_another_way_to_write_it(self) -> None:
        """A bound is a text: written otherwise than the page and Prometheus write it, it selects nothing."""
        (problem,) = problems_of('shop_order_seconds_bucket{le="1"}')
        assert ("error", 'shop_order_seconds_bucket has the bucket bound 1 as le="1.0", not "1"') == (
            problem.level,
            problem.text,
        )
        go = read_page('# TYPE a histogram\na_bucket{le="1"} 1\na_bucket{le="+Inf"} 1\n', "text/plain")
        assert ["bucket"] == notes_of('a_bucket{le="1.0"}', Known([go]))
        assert [] == problems_of('a_bucket{le="1"}', known=Known([go]))
