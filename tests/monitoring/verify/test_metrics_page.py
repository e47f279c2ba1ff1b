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
