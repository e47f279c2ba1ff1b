"""The numbers of the live page as people read them, asked of the page's own module in Chromium."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.chromium import Chromium
from tests.browser.live import LivePage, live_page
from tests.live.generated import GeneratedFeed

NOTHING = "\N{EN DASH}"
FORMATS = [
    *(
        (None, "s", NOTHING),
        (0, "s", "0 s"),
        (4.2e-5, "s", "42.0 µs"),
        (0.0123, "s", "12.3 ms"),
        (0.9996, "s", "1.00 s"),
    ),
    *(
        (7.2, "s", "7.20 s"),
        (119, "s", "119 s"),
        (150, "s", "2.50 min"),
        (9000, "s", "2.50 h"),
        (400_000, "s", "4.63 d"),
    ),
    *((0.5, "d", "12.0 h"), (3.25, "d", "3.25 d")),
    *(
        (0, "percentunit", "0%"),
        (1, "percentunit", "100%"),
        (0.976, "percentunit", "97.6%"),
        (0.0119, "percentunit", "1.19%"),
    ),
    *((0.99996, "percentunit", "99.99%"), (0.9995, "percentunit", "99.95%"), (1.25, "percentunit", "125%")),
    *(
        (38.62, "reqps", "38.6/s"),
        (272_000, "reqps", "272k/s"),
        (999.9, "reqps", "1.00k/s"),
        (0.00421, "reqps", "0.00421/s"),
    ),
    *(
        (0, "short", "0"),
        (30, "short", "30"),
        (1_234_567, "short", "1.23M"),
        (-4.5, "short", "-4.50"),
        (1e-7, "short", "<0.0001"),
    ),
    *((412 * 2**20, "bytes", "412 MiB"), (900, "bytes", "900 B"), (1.5 * 2**30, "bytes", "1.50 GiB")),
    *((1380, "currencyUSD", "$1.38k"), (0.012, "currencyUSD", "$0.0120"), (-2, "currencyUSD", "-$2.00")),
    (1380, "currencyUSD/h", "$1.38k/h"),
]
BRIEF = [
    (5.0, "s", "5 s"),
    (0.9, "short", "0.9"),
    (0.05, "percentunit", "5%"),
    (2.5, "s", "2.5 s"),
    (1000, "short", "1k"),
    (10, "s", "10 s"),
]
SHORTENED = [
    (["gpt-4 · cv-parser-service"], ["gpt-4"]),
    (["a · one", "a · two", "b · one"], ["a · one", "a · two", "b"]),
    (["10.0.0.1:80 · cv-service", "10.0.0.2:80 · api"], ["cv", "api"]),
    (["10.0.0.1:80 · cv", "10.0.0.2:80 · cv"], ["10.0.0.1:80 · cv", "10.0.0.2:80 · cv"]),
    (["cv-service", "cv"], ["cv-service", "cv"]),
    (["10.0.0.1:80 · 10.0.0.1:80"], ["10.0.0.1:80"]),
    (["input · gpt-4", "output · gpt-4"], ["input", "output"]),
]
AXES = [
    (1.6, "s", ["0 s", "0.5 s", "1.0 s", "1.5 s"]),
    (0.3, "s", ["0 ms", "100 ms", "200 ms", "300 ms"]),
    (800 * 2**20, "bytes", ["0 MiB", "200 MiB", "400 MiB", "600 MiB", "800 MiB"]),
    (0.06, "percentunit", ["0%", "2%", "4%", "6%"]),
    (1500, "reqps", ["0/s", "0.5k/s", "1.0k/s", "1.5k/s"]),
]


@pytest.fixture(scope="module")
def page(browser: Chromium) -> Iterator[LivePage]:
    """Open the page, whose module is asked."""
    with live_page(browser, GeneratedFeed(past=1)) as page:
        for name in ("units", "names"):
            page.evaluate(
                f"import(document.querySelector('link[href$=\"/{name}.js\"]').href).then(m => void (window.{name} = m))"
            )
        yield page


def told(page: LivePage, call: str) -> Any:
    """Return what a function of the module says."""
    return page.evaluate(f"units.{call}")


@pytest.mark.parametrize(("value", "unit", "text"), FORMATS)
def test_format(page: LivePage, value: float | None, unit: str, text: str) -> None:
    """Three digits, the prefix that fits, and never a share that is rounded up to all."""
    assert text == told(page, f"format({json.dumps(value)}, '{unit}')")


@pytest.mark.parametrize(("value", "unit", "text"), BRIEF)
def test_brief(page: LivePage, value: float, unit: str, text: str) -> None:
    """A bound has no zeros at its end."""
    assert text == told(page, f"brief({value}, '{unit}')")


@pytest.mark.parametrize(("top", "unit", "labels"), AXES)
def test_axis(page: LivePage, top: float, unit: str, labels: list[str]) -> None:
    """The labels of an axis have round values in one unit."""
    step = told(page, f"axisStep({top}, {top}, 4, '{unit}')")
    values = [n * step for n in range(int(top / step + 1e-9) + 1)]
    assert labels == told(
        page,
        f"axisFormat({top}, {step}, '{unit}') && {json.dumps(values)}.map(units.axisFormat({top}, {step}, '{unit}'))",
    )


@pytest.mark.parametrize(("names", "short"), SHORTENED)
def test_shortened(page: LivePage, names: list[str], short: list[str]) -> None:
    """A name has the words that tell its series apart, and always some."""
    assert short == page.evaluate(f"names.shortened({json.dumps(names)})")


def test_percentiles_of_one_model_belong_together(page: LivePage) -> None:
    """They are parts of one entry, each with the place of its series; what is no percentile has one part."""
    found = page.evaluate("names.entriesOf(['p95 gpt-4 · cv', 'p50 gpt-4 · cv', 'p5 minutes', 'limit x', 'x'])")
    parts = {entry["subject"]: {part["title"]: part["index"] for part in entry["parts"]} for entry in found}
    assert {"gpt-4 · cv": {"p95": 0, "p50": 1}, "minutes": {"p5": 2}, "x": {"limit": 3, "": 4}} == parts
    assert ["", "p5", "p50", "p95", "limit"] == page.evaluate(
        "names.titlesOf(names.entriesOf(['p95 a', 'p50 a', 'p5 a', 'limit x', 'x']))"
    )
