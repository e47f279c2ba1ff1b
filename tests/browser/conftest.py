"""One browser for all tests of the live page; each has tabs of its own."""

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    """Start the browser."""
    with Chromium() as browser:
        yield browser
