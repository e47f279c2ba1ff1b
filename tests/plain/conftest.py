"""Fixtures for the tests of plain metrics."""

import pytest
from prometheus_client import CollectorRegistry

from mlmetrics import MLMetrics


@pytest.fixture
def metrics(registry: CollectorRegistry) -> MLMetrics:
    """Return a toolkit on a registry of its own."""
    return MLMetrics(service="s", registry=registry)
