"""The live page in Chromium: the table by model, alerts, targets, and what it says when something is wrong."""

import re
from typing import Any

import pytest

from tests.browser.chromium import Chromium
from tests.browser.live import NOTHING, RATE, LivePage, live_page, number
from tests.live.generated import STEP, GeneratedFeed
from tests.programs import wait_until

SORTED = "th[aria-sort]"


class TestModels:
    """The table by model."""

    def test_rows(self, page: LivePage) -> None:
        """Each model has a row with its numbers, the one with the most calls first, and a bar as long as its calls."""
        tick = page.tick()
        rows = sorted(tick["models"], key=lambda row: -row["calls"])
        assert [row["model"] for row in rows] == page.column(1)
        assert [f"{row['calls']:.3g}" for row in rows] == [f"{number(text):.3g}" for text in page.column(4)]
        assert [row["error"] for row in rows] == page.column(10)
        widths = page.evaluate(
            "[...document.querySelectorAll('td.bar')].map(e => parseFloat(e.style.getPropertyValue('--share')))"
        )
        assert 100 == widths[0]
        assert pytest.approx(100 * rows[3]["calls"] / rows[0]["calls"], abs=0.1) == widths[3]
        assert "(12)" == page.text("#models-count")

    def test_more_than_are_sent(self, page: LivePage) -> None:
        """Models that the server has left out, because there are very many, are counted."""
        before = page.feed.change
        page.feed.change = lambda tick: tick.update(more_models=4_800)
        page.tick()
        assert "(12 of 4812)" == page.text("#models-count")
        page.feed.change = before

    def test_sorted_by_a_click(self, page: LivePage) -> None:
        """A click sorts by a column, the next one the other way; what is missing is last both times."""
        page.click("th[data-column=cost] button")
        assert ("cost", "descending") == self.order(page)
        first = page.column(9)
        assert [NOTHING] * 3 == first[-3:]
        assert sorted(map(number, first[:-3]), reverse=True) == [number(text) for text in first[:-3]]
        page.click("th[data-column=cost] button")
        assert ("cost", "ascending") == self.order(page)
        assert [*reversed(first[:-3]), NOTHING, NOTHING, NOTHING] == page.column(9)

    def test_sorted_by_keys(self, page: LivePage) -> None:
        """The heads are buttons; names begin with A."""
        page.evaluate("document.querySelector('th[data-column=model] button').focus()")
        page.press("Enter")
        assert ("model", "ascending") == self.order(page)
        assert "all-MiniLM-L6-v2" == page.column(1)[0]
        assert sorted(page.column(1), key=str.lower) == page.column(1)

    def order(self, page: LivePage) -> tuple[str, str]:
        """Return by what the table says that it is sorted."""
        column, direction = page.evaluate(
            f"(e => [e.dataset.column, e.getAttribute('aria-sort')])(document.querySelector('{SORTED}'))"
        )
        assert 1 == len(page.texts(SORTED))
        return column, direction

    def test_filtered_as_one_types(self, page: LivePage) -> None:
        """What is typed is looked for in all names, in any order and case; ticks keep the filter."""
        page.write("#filter", "GPT-5")
        page.wait("document.querySelectorAll('#models tbody tr').length == 2")
        assert {"gpt-5-mini", "gpt-5-mini-v2"} == set(page.column(1))
        assert "(2 of 12)" == page.text("#models-count")
        page.tick()
        assert 2 == len(page.column(1))
        page.write("#filter", "matching bge")
        page.wait("document.querySelectorAll('#models tbody tr').length == 0")
        assert "No model fits the filter" == page.text("#models .empty")
        page.write("#filter", "")
        page.wait("document.querySelectorAll('#models tbody tr').length == 12")

    @pytest.mark.parametrize("way", ["click", "enter"])
    def test_drills_down_and_comes_back(self, page: LivePage, way: str) -> None:
        """A click or Enter on a model shows it alone, at an address of its own; the browser's back goes back."""
        colour = page.colour(f"{RATE} .legend li:nth-child(3) i", "border-top-color")
        if way == "click":
            page.click("#models tbody tr:nth-child(3) td:nth-child(5)")
        else:
            page.evaluate("document.querySelector('#models tbody tr:nth-child(3) a').focus()")
            page.press("Enter")
        page.wait("document.querySelectorAll('#models tbody tr').length == 1")
        assert "?service=matching-service&model=gemini-2-flash" == page.evaluate("location.search")
        assert ["matching-service", "gemini-2-flash"] == page.evaluate("[service.value, model.value]")
        assert ["matching-service"] == page.names(RATE)
        assert colour == page.colour(f"{RATE} .legend i", "border-top-color")
        assert page.evaluate("document.title").startswith("gemini-2-flash · matching-service")
        page.evaluate("history.back()")
        page.wait("document.querySelectorAll('#models tbody tr').length == 12")
        assert ["", "", ""] == page.evaluate("[location.search, service.value, model.value]")
        assert 3 == len(page.names(RATE))
        page.tick()

    def test_chosen_in_the_lists(self, page: LivePage) -> None:
        """The lists at the top choose a service and a model too."""
        assert ["all", *page.feed.services] == page.texts("#service option")
        page.evaluate("service.value = 'cv-parser-service'; service.dispatchEvent(new Event('change'))")
        page.wait("document.querySelectorAll('#models tbody tr').length == 4")
        assert "?service=cv-parser-service" == page.evaluate("location.search")


class TestTrouble:
    """What the page says when something is wrong."""

    def test_alerts(self, page: LivePage) -> None:
        """What fires is said at the top with its value and its threshold, and first in the list."""

        def raise_alert(tick: dict[str, Any]) -> None:
            tick["alerts"][2].update(state="firing", value=42.0, since=tick["times"][0] - 180_000)

        assert page.text("#strip").startswith("No alert is pending or firing")
        page.feed.change = raise_alert
        page.tick()
        assert "1 firingSlowMLInference 42.0 s > 30 s · cv-parser-service" == page.text("#strip")
        assert "SlowMLInference" == page.text("#alerts li .title")
        assert re.search(r"since \d\d:\d\d, 3 min", page.text("#alerts li .name span"))
        assert "1 firing · 4 ok · 2 unknown" == page.text("#alerts .note")
        assert ["2 unknownneeds --prometheusErrorBudgetBurn, PredictionDrift"] == page.texts("#alerts .unknown")

    def test_alerts_of_one_rule_share_a_row(self, page: LivePage) -> None:
        """The three furthest beyond the threshold have rows of their own; each alert is a link to its chart."""

        def raise_many(tick: dict[str, Any]) -> None:
            alert = tick["alerts"][1]
            many = [
                {**alert, "state": "firing", "value": n / 10, "labels": {"service": f"cv-{n}"}} for n in range(1, 8)
            ]
            tick["alerts"] = [*many, *tick["alerts"]]

        page.feed.change = raise_many
        page.tick()
        assert page.text("#strip").startswith("7 firingHighErrorRate 70.0% > 5% · cv-7")
        values = page.texts("#alerts .firing .number")
        assert ["70.0% > 5%", "60.0% > 5%", "50.0% > 5%", ""] == values
        assert "4 firingHighErrorRate, 4 morecv-4, cv-3, cv-2, cv-1" == page.text("#alerts .firing.group")
        assert "#tile-error-rate-per-service" == page.evaluate("document.querySelector('#strip .raised').hash")

    def test_a_target_is_down(self, page: LivePage) -> None:
        """The bar says how many are down, and the list which and why; when it is back, all is well."""

        def down(tick: dict[str, Any]) -> None:
            tick["targets"][1].update(up=False, why="connection refused")

        page.feed.change = down
        page.tick()
        assert "1 of 3 targets down" == page.text("#state")
        assert "downhttp://localhost:5052/metricsconnection refused" == page.text("#targets li")
        page.feed.change = lambda tick: None
        page.tick()
        assert "3 targets up" == page.text("#state")

    def test_connection_lost_and_back(self, browser: Chromium) -> None:
        """While the server is away, the page says so and how old its numbers are; then it goes on by itself."""
        feed = GeneratedFeed(past=5)
        with live_page(browser, feed) as page:
            page.send("Network.enable")
            offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
            page.send("Network.emulateNetworkConditions", offline=True, **offline)
            feed.end()
            said = "Connection lost, trying again; the numbers are "
            page.wait(f"document.querySelector('#state').textContent.startsWith('{said}')")
            assert page.evaluate("document.body.classList.contains('stale')")
            assert 5 == page.evaluate("Number(document.documentElement.dataset.ticks)")
            page.send("Network.emulateNetworkConditions", offline=False, **offline)
            page.wait("document.querySelector('#state').textContent == '3 targets up'")
            assert not page.evaluate("document.body.classList.contains('stale')")

    def test_comes_back_with_other_tiles(self, browser: Chromium) -> None:
        """A server that was started anew may show something else; the page follows it."""
        feed = GeneratedFeed(past=5)
        charts, feed.charts = feed.charts, {}
        with live_page(browser, feed) as page:
            assert not page.evaluate(f"document.querySelector('{RATE}')")
            feed.charts = charts
            feed.forget()
            feed.end()
            page.wait(f"document.querySelector('{RATE} .legend span')?.title == 'cv-parser-service'")

    def test_no_target_answers(self, browser: Chromium) -> None:
        """Without any number the page says what to do; when a target answers, the tiles come by themselves."""
        feed = GeneratedFeed(past=2)
        stats, charts = feed.stats, feed.charts
        feed.stats, feed.charts = {}, {}

        def down(tick: dict[str, Any]) -> None:
            for target in tick["targets"]:
                target.update(up=False, why="connection refused")

        feed.change = down
        with live_page(browser, feed) as page:
            page.wait("document.querySelector('#notice h2').textContent == 'No target answers yet'")
            assert page.text("#notice pre").startswith("mlmetrics live http://")
            assert "http://localhost:5051/metrics connection refused" == page.text("#notice li")
            feed.stats, feed.charts, feed.change = stats, charts, lambda tick: None
            feed.change_layout()
            page.wait(f"document.querySelector('{RATE}') != null")
            page.tick()
            assert 3 == len(page.names(RATE))

    def test_nothing_recorded(self, browser: Chromium) -> None:
        """Targets that record nothing get an example of what to write."""
        feed = GeneratedFeed(past=2)
        feed.stats, feed.charts = {}, {}
        with live_page(browser, feed) as page:
            page.wait("document.querySelector('#notice h2').textContent == 'Nothing is recorded yet'")
            assert "@track_inference" in page.text("#notice pre")
            page.open(page.evaluate("location.href + '?service=no-service'"))
            page.wait("document.querySelector('#notice h2').textContent == 'Nothing is recorded for this choice'")
            assert "of no-service." in page.text("#notice p")

    def test_a_jump_of_the_clock(self, page: LivePage) -> None:
        """A tick that is older than the last one begins the page anew."""
        page.feed.jump(-3_600_000)
        expected = page.feed.time + STEP
        page.feed.tick()
        page.wait(f"Number(document.documentElement.dataset.newest) == {expected}")
        assert 31 == page.evaluate("Number(document.documentElement.dataset.ticks)")

    def test_viewers_are_forgotten(self, browser: Chromium) -> None:
        """A page that goes elsewhere is no viewer any more."""
        feed = GeneratedFeed(past=2)
        with live_page(browser, feed) as page:
            assert 1 == feed.viewers
            page.send("Page.navigate", url=page.evaluate("location.href + 'layout'"))
            wait_until(lambda: feed.viewers == 0, timeout=30, what=lambda: f"{feed.viewers} viewers")
