"""Reading a metrics page."""

from mlmetrics.monitoring.verify.metrics_page import read_page


def test_names_bounds_and_values() -> None:
    """Names of samples, bounds of histograms and values of labels are read."""
    page = read_page('# TYPE a histogram\na_bucket{le="0.5",b="x"} 1\na_bucket{le="+Inf",b="y"} 1\n', "text/plain")
    assert {"a_bucket"} == page.names
    assert {0.5, float("inf")} == page.bounds["a_bucket"]
    assert {"x", "y"} == page.values["a_bucket", "b"]
    assert [] == page.malformed


def test_page_that_is_not_metrics() -> None:
    """A page that cannot be parsed is malformed."""
    assert read_page("<html>", "text/html").malformed


def test_types() -> None:
    """Counters are told from gauges, families without samples are declared, and `untyped` is a type."""
    text = "# TYPE a_total counter\na_total 1\n# TYPE b gauge\n# TYPE c untyped\nc 1\nd 1\n"
    page = read_page(text, "text/plain")
    assert page.growing["a_total"]
    assert page.growing["b"] is False
    assert "b" not in page.names
    assert ["d has no TYPE"] == page.untyped


def test_series_and_what_is_above_zero() -> None:
    """Each series has its labels, and those above 0 are found by their name."""
    page = read_page('# TYPE a_total counter\na_total{b="x"} 0\na_total{b="y"} 2\n', "text/plain")
    assert [{"b": "x"}, {"b": "y"}] == page.series["a_total"]
    assert {(("b", "y"),): 2.0} == page.above_zero("a_total")


def test_declared_names() -> None:
    """A counter is declared by its whole name in the text format, and without `_total` in OpenMetrics."""
    assert {"a_total": True} == read_page("# TYPE a_total counter\n", "text/plain").growing
    assert {"a_total": True} == read_page("# TYPE a counter\n# EOF\n", "application/openmetrics-text").growing
    histogram = read_page("# TYPE a histogram\n", "text/plain").growing
    assert {"a_bucket": True, "a_count": True, "a_sum": None, "a_created": False} == histogram
