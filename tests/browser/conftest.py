"""One browser for all tests; each has tabs of its own."""

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Chromium
from tests.browser.live import LivePage, live_page
from tests.live.generated import GeneratedFeed


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    """Start the browser."""
    with Chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Chromium) -> Iterator[LivePage]:
    """Open the page on a minute of numbers."""
    with live_page(browser, GeneratedFeed(past=31)) as page:
        yield page
