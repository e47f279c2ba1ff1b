"""What every test may ask for: a registry of its own, a clock that moves when told."""

import os

# Settings of the machine that the library reads; they go before anything imports it.
for _name in ("MLMETRICS_SERVICE", "OTEL_SERVICE_NAME", "PROMETHEUS_MULTIPROC_DIR"):
    os.environ.pop(_name, None)

import pytest
from hypothesis import settings
from prometheus_client import CollectorRegistry

# Machines differ in speed, and the same commit must find the same examples on each of them.
settings.register_profile("mlmetrics", deadline=None, derandomize=True)
settings.load_profile("mlmetrics")


class Clock:
    """A clock in whole seconds that stands still until `advance`."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time now."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let `seconds` go by."""
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    """Return a clock at 0."""
    return Clock()


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return an empty registry, as in a process of its own."""
    return CollectorRegistry()
