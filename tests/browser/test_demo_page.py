"""The live page of the running demo in Chromium: real services, real traffic, and nothing made up."""

import re
from collections.abc import Iterator

import pytest

from tests.browser.chromium import Chromium
from tests.browser.comparison import CALLS, ERRORS, SHOWN, Comparison
from tests.browser.demo import (
    ALERT,
    PHONE,
    SLOW_SECONDS,
    USUAL_SECONDS,
    Demo,
    DemoPage,
    Traffic,
    demo_page,
    running_demo,
)
from tests.browser.growth import number
from tests.programs import wait_until

ROWS = 6
BURST_SECONDS = 6.0
WITHIN_SECONDS = 90.0


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Start the demo, and its page once all that the services count has been counted before."""
    with running_demo(tmp_path_factory.mktemp("demo")) as demo:
        demo.send(BURST_SECONDS)
        demo.start_page()
        yield demo


@pytest.fixture(scope="module")
def busy(demo: Demo) -> Iterator[Demo]:
    """Send traffic from here on."""
    with Traffic():
        yield demo


@pytest.fixture
def page(busy: Demo, browser: Chromium) -> Iterator[DemoPage]:
    """Open the page under traffic."""
    with demo_page(browser, busy) as page:
        wait_for_calls(page)
        yield page


def wait_for_calls(page: DemoPage) -> None:
    """Wait until all models are called, and have all their numbers."""
    times = "[...document.querySelectorAll('#models td:nth-child(7)')].filter(e => /\\d/.test(e.textContent))"
    page.wait(f"{times}.length == {ROWS}")


def test_numbers_are_those_of_the_services(demo: Demo, browser: Chromium) -> None:
    """Traffic between two silences: all rates, shares and quantiles are those of the difference of two scrapes."""
    with demo_page(browser, demo, height=4000) as page:
        page.wait("document.documentElement.dataset.ticks > 2")
        compared = Comparison(demo, page)
        demo.send(BURST_SECONDS)
        wait_until(compared.agrees, timeout=WITHIN_SECONDS, what=compared.least)
        rows, growth = compared.shown["rows"], compared.growth
        assert growth.groups(CALLS, "model", "service", "operation") == {tuple(row[:3]) for row in rows}
        (gpt,) = (row for row in rows if row[0] == "gpt-4")
        assert growth.total(ERRORS, model="gpt-4", error_type=gpt[-1]) > 0
        counts = sorted(f"{len(samples)} samples" for samples in growth.after.values())
        assert counts == sorted(re.findall(r"/metrics\D*(\d+ samples)", compared.shown["targets"]))


class TestTable:
    """The table by model, as its reader uses it."""

    def test_sorted_by_a_click(self, page: DemoPage) -> None:
        """A click on a head sorts by its column, and the next one the other way."""
        slowest = self.read_sorted(page, "descending")
        assert sorted(map(number, slowest), reverse=True) == list(map(number, slowest))
        assert number(slowest[0]) > number(slowest[-1])
        fastest = self.read_sorted(page, "ascending")
        assert sorted(map(number, fastest)) == list(map(number, fastest))

    def read_sorted(self, page: DemoPage, order: str) -> list[str]:
        """Click the head of p95, and return the column."""
        page.click("th[data-column=p95] button")
        page.wait(f"document.querySelector('th[data-column=p95]').ariaSort == '{order}'")
        return page.column(7)

    def test_filtered_as_one_types(self, page: DemoPage) -> None:
        """What is typed is looked for in the names of models and services."""
        page.write("#filter", "classifier CV")
        page.wait("document.querySelectorAll('#models tbody tr').length == 2")
        assert {"document-classifier", "role-classifier"} == set(page.column(1))
        assert {"cv-parser-service"} == set(page.column(2))
        assert f"(2 of {ROWS})" == page.text("#models-count")
        page.write("#filter", "")
        page.wait(f"document.querySelectorAll('#models tbody tr').length == {ROWS}")

    def test_a_click_drills_down(self, page: DemoPage) -> None:
        """A click on a model shows it alone, with its past; the browser's way back leads to all again."""
        page.wait("Number(document.documentElement.dataset.ticks) > 9")
        page.evaluate(
            "[...document.querySelectorAll('#models tr')].find(e => e.cells[0].textContent == 'gpt-4').id = 'gpt'"
        )
        page.click("#gpt td:nth-child(5)")
        page.wait("document.querySelectorAll('#models tbody tr').length == 1")
        assert "?service=cv-parser-service&model=gpt-4" == page.evaluate("location.search")
        assert ["gpt-4"] == page.column(1)
        legends = page.evaluate(SHOWN)["legends"]
        assert ["cv-parser-service"] == list(legends["api-request-rate"])
        assert ["gpt-4 · cv-parser-service"] == list(legends["success-rate-by-model"])
        # Without a past there would be one time, or two; a busy machine computes fewer than there were.
        assert page.evaluate("Number(document.documentElement.dataset.ticks)") > 2
        page.evaluate("history.back()")
        page.wait(f"document.querySelectorAll('#models tbody tr').length == {ROWS}")
        assert "" == page.evaluate("location.search")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_light_and_dark(busy: Demo, browser: Chromium, theme: str) -> None:
    """The page is as the system wishes: dark letters on light ground, or light letters on dark ground."""
    with demo_page(browser, busy, theme=theme) as page:
        wait_for_calls(page)
        ground, letters = (brightness(page.colour("body", name)) for name in ("background-color", "color"))
        assert (ground > letters) == (theme == "light")
        assert abs(ground - letters) > 0.7
        page.save(f"live-{theme}.png")


def brightness(colour: str) -> float:
    """Return how bright a colour is, such as `rgb(255, 255, 255)`, from 0 to 1."""
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / (3 * 255)


def test_phone(busy: Demo, browser: Chromium) -> None:
    """On a screen 390 wide nothing stands outside, numbers stand in two columns, and charts are as wide as they can."""
    with demo_page(browser, busy, **PHONE) as page:
        wait_for_calls(page)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        assert 2 == page.evaluate(
            "new Set([...document.querySelectorAll('.stat')].map(e => e.getBoundingClientRect().left)).size"
        )
        assert page.box("#tile-api-request-rate")["width"] > 0.9 * PHONE["width"]
        assert number(page.text("#tile-requests .value")) > 0
        page.save("live-phone.png")


def test_a_service_goes_down_and_comes_back(busy: Demo, page: DemoPage) -> None:
    """A service that was ended is down with the reason; once it is started again, it is up and has begun at 0."""
    page.wait("document.querySelector('#state').textContent == '4 targets up'")
    busy.stop_job_parser()
    page.wait("document.querySelector('#state').textContent == '1 of 4 targets down'")
    wait_for_target(page, busy, "down", "the connection was refused: no server listens there; is the service running?")
    busy.start_job_parser()
    page.wait("document.querySelector('#state').textContent == '4 targets up'")
    wait_for_target(page, busy, "up", "counters began again at 0: the process has restarted")


def wait_for_target(page: DemoPage, demo: Demo, state: str, told: str) -> None:
    """Wait until the list says this of the service that was stopped."""

    def found() -> list[str]:
        return [text for text in page.texts("#targets li") if demo.job_parser_address in text]

    def is_told() -> bool:
        (text,) = found()
        return text.startswith(state) and told in text

    wait_until(is_told, timeout=WITHIN_SECONDS, what=lambda: str(found()))


def test_an_alert_appears_and_goes(busy: Demo, page: DemoPage) -> None:
    """When the language model becomes slow, its alert is pending, then fires with its value; then all is well again."""
    assert "ok" == alert_state(page)
    assert ALERT not in page.text("#strip")
    busy.set_first_word(SLOW_SECONDS)
    seen = [alert_state(page)]

    def fires() -> bool:
        state = alert_state(page)
        seen.extend([state] if state != seen[-1] else [])
        return state == "firing"

    wait_until(fires, timeout=WITHIN_SECONDS, what=lambda: f"{seen}: {page.text('#strip')}")
    assert ["ok", "pending", "firing"] == seen
    told = re.search(rf"{ALERT} .*?([\d.]+)% .*50% · gpt-4 · cv-parser-service", page.text("#strip"))
    assert told, page.text("#strip")
    assert 50 < float(told[1]) <= 100
    assert page.text("#alerts li.firing .name").startswith(ALERT)
    page.save("live-alert.png")
    busy.set_first_word(USUAL_SECONDS)
    wait_until(lambda: alert_state(page) == "ok", timeout=WITHIN_SECONDS, what=lambda: page.text("#strip"))
    assert ALERT not in page.text("#strip")


def alert_state(page: DemoPage) -> str:
    """Return what the list says about the alert."""
    names = f"[...document.querySelectorAll('#alerts .name')].filter(e => e.firstChild.textContent == '{ALERT}')"
    state: str = page.evaluate(f"{names}[0].parentNode.querySelector('.state').textContent")
    return state
