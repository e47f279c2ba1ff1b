"""What a running service records, read from its `/metrics` page: operations, and what of requests."""

from collections.abc import Iterator

from mlmetrics.catalog import SHIPPED
from mlmetrics.cli.init.operations import Reading, Recorded
from mlmetrics.cli.init.requests import joined_requests, requests_on
from mlmetrics.errors import ConfigurationError
from mlmetrics.monitoring.verify.absence import OURS
from mlmetrics.monitoring.verify.metrics_page import MetricsPage
from mlmetrics.monitoring.verify.own_operations import own_operations
from mlmetrics.monitoring.verify.pages import read_pages


def recorded_at(url: str) -> Reading:
    """Return what is recorded on the page at an address, or at `/metrics` beneath it.

    Raises:
        ConfigurationError: no page can be read there, or it is not one of mlmetrics.
    """
    pages = read_pages([url])
    for finding in (*pages.unreachable, *pages.other):
        raise ConfigurationError(f"{finding.subject}: {finding.text}")
    (page,) = pages.read.values()
    if OURS not in page.names:
        raise ConfigurationError(f"{url}: expected the /metrics page of a service that uses mlmetrics")
    own = (Recorded(row, calls=True) for row in own_operations(page.names, page.labels))
    requests = joined_requests((key, ()) for key in requests_on(page.names))
    return Reading((*_shipped(page), *own), requests=requests)


def _shipped(page: MetricsPage) -> Iterator[Recorded]:
    for row in SHIPPED.values():
        parts = {metric.part for metric in row.metrics if metric.part and page.names & set(metric.sample_names)}
        calls = row.finished in page.names
        if calls or parts:
            yield Recorded(row, parts, calls)
