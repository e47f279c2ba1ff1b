"""The stage whose samples are compared: real services with traffic, and the Prometheus that reads them."""

from collections.abc import Iterator

import pytest

from tests.monitoring.grafana.stage import Stage, staged


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Return the stage, after traffic was sent."""
    with staged(tmp_path_factory.mktemp("stage")) as found:
        yield found
