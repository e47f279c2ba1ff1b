"""The operations that a running service records, read from its `/metrics` page."""

import re
from collections.abc import Iterator

from mlmetrics.catalog.own import own_operation
from mlmetrics.cli.init.operations import SHIPPED, Recorded
from mlmetrics.errors import ConfigurationError, DeclarationError
from mlmetrics.monitoring.verify.metrics_page import MetricsPage, read_page
from mlmetrics.monitoring.verify.pages import fetch

BUILD_INFO = "mlmetrics_build_info"
_FINISHED = re.compile(r"ml_(\w+)_total")
_NOT_OWN = ("service", "le")


def operations_at(url: str) -> tuple[Recorded, ...]:
    """Return the operations on the page at an address.

    Raises:
        ConfigurationError: no page can be read there, or it is not one of mlmetrics.
    """
    page = read_page(*fetch(url))
    if BUILD_INFO not in page.names:
        raise ConfigurationError(f"{url}: expected the /metrics page of a service that uses mlmetrics")
    return (*_shipped(page), *_own(page))


def _shipped(page: MetricsPage) -> Iterator[Recorded]:
    for row in SHIPPED.values():
        beside = (*row.more, row.score) if row.score is not None else row.more
        parts = {metric.part for metric in beside if metric.part and page.names & set(metric.sample_names)}
        calls = row.finished in page.names
        if calls or parts:
            yield Recorded(row, parts, calls)


def _own(page: MetricsPage) -> Iterator[Recorded]:
    for name in sorted(page.names):
        match = _FINISHED.fullmatch(name)
        if match is None or match[1] in SHIPPED or (name, "outcome") not in page.values:
            continue
        timed = f"ml_{match[1]}_duration_seconds_count"
        labels = tuple(label for sample, label in page.values if sample == timed and label not in _NOT_OWN)
        scored = f"ml_{match[1]}_score_count" in page.names
        try:
            yield Recorded(own_operation(match[1], labels, score=scored), calls=True)
        except DeclarationError:
            continue  # a metric of somebody else's
