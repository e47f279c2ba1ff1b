"""The live page in Chromium: it shows what the feed says, and its reader can sort, filter, look back and drill down."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.chromium import Chromium
from tests.browser.live import LivePage, live_page
from tests.live.generated import STEP, GeneratedFeed
from tests.programs import wait_until

RATE = "#tile-api-request-rate"
HEAT = "#tile-distribution-of-matching-scores"
NOTHING = "\N{EN DASH}"
SORTED = "th[aria-sort]"


@pytest.fixture
def page(browser: Chromium) -> Iterator[LivePage]:
    """Open the page on a minute of numbers."""
    with live_page(browser, GeneratedFeed(past=31)) as page:
        yield page


def values(tick: dict[str, Any], tile: str) -> dict[str, float]:
    """Return the newest values of a tile."""
    return {series["name"]: series["values"][0] for series in tick["tiles"][tile]["series"]}


def number(text: str) -> float:
    """Return the number at the beginning of a text such as `38.6/s` or `1.38k`."""
    found = re.match(r"[$]?(-?[\d.]+)([kM]?)", text)
    assert found, text
    return float(found[1]) * {"": 1, "k": 1e3, "M": 1e6}[found[2]]


class TestCharts:
    """What the charts and the numbers above them say."""

    def test_legends_have_the_newest_values(self, page: LivePage) -> None:
        """Each series has its name and its newest value; three digits are shown."""
        tick = page.tick()
        shown = dict(zip(page.names(RATE), page.texts(f"{RATE} .legend b"), strict=True))
        assert values(tick, "api-request-rate").keys() == shown.keys()
        for name, value in values(tick, "api-request-rate").items():
            assert f"{value:.3g}" == f"{number(shown[name]):.3g}"
            assert shown[name].endswith("/s")

    def test_stats_have_the_newest_value(self, page: LivePage) -> None:
        """Each number is the newest one, with a unit that people read."""
        tick = page.tick()
        expected = {
            "requests": r"[\d.]+/s",
            "errors": r"[\d.]+%",
            "response-time-p95": r"\d+ ms|[\d.]+ s",
            "tokens": r"\d+k/s",
            "cost-an-hour": r"\$[\d.]+k",
        }
        for tile, form in expected.items():
            shown = page.text(f"#tile-{tile} .value")
            assert re.fullmatch(form, shown), shown
        assert f"{values(tick, 'requests')['']:.3g}" == f"{number(page.text('#tile-requests .value')):.3g}"

    def test_lines_are_where_the_numbers_are(self, page: LivePage) -> None:
        """The end of a line stands as high on its axis as its value."""
        tick = page.tick()
        labels = f"[...document.querySelectorAll('{RATE} .labels text')]"
        axis = {number(t): y for t, y in page.evaluate(f"{labels}.map(e => [e.textContent, e.getAttribute('y') - 4])")}
        (low, y_low), (high, y_high) = min(axis.items()), max(axis.items())
        ends = page.evaluate(f"[...document.querySelectorAll('{RATE} .ends circle')].map(e => +e.getAttribute('cy'))")
        for value, y in zip(values(tick, "api-request-rate").values(), ends, strict=True):
            assert pytest.approx(value, abs=1) == low + (y_low - y) / (y_low - y_high) * (high - low)

    def test_a_gap_breaks_the_line(self, page: LivePage) -> None:
        """Where a value is missing, no line is drawn, and the legend says so."""

        def lose(tick: dict[str, Any]) -> None:
            tick["tiles"]["api-request-rate"]["series"][0]["values"] = [None]

        page.feed.change = lose
        page.tick()
        assert NOTHING == page.text(f"{RATE} .legend b")
        page.feed.change = lambda tick: None
        page.tick()
        page.tick()
        assert 2 == page.evaluate(f"document.querySelector('{RATE} path.line').getAttribute('d').split('M').length - 1")

    def test_thresholds(self, page: LivePage) -> None:
        """The line of an alert is dashed and in the colour of alerts, and its value is told in words."""
        assert "alert > 5%" == page.text("#tile-error-rate-per-service .limit")
        line = "#tile-error-rate-per-service line.threshold"
        assert page.colour(line, "stroke") not in page.evaluate(
            "[...document.querySelectorAll('path.line')].map(e => getComputedStyle(e).stroke)"
        )
        assert "none" != page.colour(line, "stroke-dasharray")

    def test_a_broken_threshold_is_red(self, page: LivePage) -> None:
        """A number beyond its threshold is marked by colour and by a frame."""

        def slow(tick: dict[str, Any]) -> None:
            tick["tiles"]["response-time-p95"]["series"][0]["values"] = [7.2]

        before = page.colour("#tile-response-time-p95 .value b")
        page.feed.change = slow
        page.tick()
        assert "7.20 s" == page.text("#tile-response-time-p95 .value")
        assert page.evaluate("document.querySelector('#tile-response-time-p95').classList.contains('bad')")
        page.wait(f"getComputedStyle(document.querySelector('#tile-response-time-p95 .value b')).color != '{before}'")

    def test_heatmaps_are_as_bright_as_buckets_are_full(self, browser: Chromium) -> None:
        """In the newest column of the picture, a fuller bucket is no darker than an emptier one."""
        with live_page(browser, GeneratedFeed(past=3), theme="dark", height=3000) as page:
            (row,) = page.tick()["tiles"]["distribution-of-matching-scores"]["buckets"]
            column = page.evaluate(f"""(() => {{
              const canvas = document.querySelector('{HEAT} canvas');
              const pixels = canvas.getContext('2d').getImageData(canvas.width - 1, 0, 1, canvas.height).data;
              return Array.from({{length: canvas.height}}, (_, i) => pixels[4 * i]).reverse();
            }})()""")
            most = page.text(f"{HEAT} .cell")
        row = [value for value in row if value]
        assert len(row) <= len(column) <= len(row) + 2
        assert [column[n] for n in sorted(range(len(row)), key=lambda n: row[n])] == sorted(column[: len(row)])
        assert len(set(column)) > 5
        assert re.fullmatch(rf"Most in ≤ .*: {max(row):.3g}/s", most)

    def test_no_data_says_why(self, page: LivePage) -> None:
        """A tile without data shows its own sentence in the place of the chart."""
        assert page.evaluate("document.querySelector('#tile-first-chunk .empty').checkVisibility()")
        assert "No model streamed in this time" == page.text("#tile-first-chunk .empty")
        assert not page.evaluate(f"document.querySelector('{RATE} .empty').checkVisibility()")

    def test_a_histogram_without_bounds(self, browser: Chromium) -> None:
        """Where nothing was observed yet, a heatmap says so, and begins when there is something."""

        def nothing(tick: dict[str, Any]) -> None:
            tick["tiles"]["latency"] = {"bounds": [], "buckets": [[]]}

        feed = GeneratedFeed(past=3)
        feed.change = nothing
        with live_page(browser, feed, height=3000) as page:
            assert page.evaluate("document.querySelector('#tile-latency .empty').checkVisibility()")
            feed.change = lambda tick: None
            page.tick()
            page.wait("document.querySelector('#tile-latency .cell')?.textContent.startsWith('Most in')")
            shown = page.text("#tile-latency .labels")
            feed.change = nothing
            page.tick()
            assert "Nothing at this time" == page.text("#tile-latency .cell")
            assert shown == page.text("#tile-latency .labels")

    def test_series_come_and_go(self, page: LivePage) -> None:
        """A new series appears with the next tick, and keeps its colour when it comes back."""
        page.feed.services = (*page.feed.services, "new-service")
        page.tick()
        colour = page.colour(f"{RATE} .legend li:last-child i", "border-top-color")
        assert "new-service" == page.names(RATE)[-1]
        others = page.evaluate(
            f"[...document.querySelectorAll('{RATE} .legend i')].map(e => getComputedStyle(e).borderTopColor)"
        )
        assert 4 == len(set(others))
        page.feed.services = page.feed.services[1:]
        page.open(page.evaluate("location.href"))
        assert "new-service" == page.names(RATE)[-1]
        assert colour == page.colour(f"{RATE} .legend li:last-child i", "border-top-color")


class TestCursor:
    """The time under the pointer, on all charts at once."""

    def past(self, page: LivePage, back: int) -> str:
        """Return what the first series showed some ticks ago, as its legend writes it."""
        value = page.feed.ago(back)["tiles"]["api-request-rate"]["series"][0]["values"][0]
        return f"{value:.3g}"

    def cursors(self, page: LivePage) -> list[str]:
        """Return the times that the cursors of the charts on the screen show."""
        return page.texts("g.cursor:not([hidden]) ~ text.now")

    def test_mouse(self, page: LivePage) -> None:
        """All charts show the values of the time under the mouse, and the newest again when it leaves."""
        newest = page.text(f"{RATE} .legend b")
        page.move(f"{RATE} .plot", 0.5)
        page.wait("document.querySelectorAll('g.cursor:not([hidden])').length > 2")
        assert 1 == len(set(self.cursors(page)))
        assert re.fullmatch(r"\d\d:\d\d:\d\d", self.cursors(page)[0])
        assert newest != page.text(f"{RATE} .legend b")
        page.send("Input.dispatchMouseEvent", type="mouseMoved", x=5, y=5)
        page.wait("document.querySelectorAll('g.cursor:not([hidden])').length == 0")
        assert newest == page.text(f"{RATE} .legend b")

    def test_keyboard(self, page: LivePage) -> None:
        """The arrows step from tick to tick, Home and End go to the ends, and Escape ends it; a reader hears it."""
        page.evaluate(f"document.querySelector('{RATE} .plot').focus()")
        page.press("ArrowLeft", "ArrowLeft", "ArrowLeft")
        shown = page.text(f"{RATE} .legend b")
        assert self.past(page, 3) == f"{number(shown):.3g}"
        told = page.evaluate(f"document.querySelector('{RATE} .plot').getAttribute('aria-valuetext')")
        assert f"cv-parser-service {shown}" in told
        page.press("Home")
        assert self.past(page, 30) == f"{number(page.text(f'{RATE} .legend b')):.3g}"
        page.press("ArrowRight")
        assert self.past(page, 29) == f"{number(page.text(f'{RATE} .legend b')):.3g}"
        page.press("Escape")
        assert self.past(page, 0) == f"{number(page.text(f'{RATE} .legend b')):.3g}"

    def test_stays_at_its_time(self, page: LivePage) -> None:
        """The next tick moves the lines, and the cursor with them."""
        page.evaluate(f"document.querySelector('{RATE} .plot').focus()")
        page.press("ArrowLeft")
        shown = page.text(f"{RATE} .legend b")
        page.tick()
        assert shown == page.text(f"{RATE} .legend b")

    def test_finger(self, browser: Chromium) -> None:
        """A tap shows the values of its time, and a tap elsewhere the newest."""
        with live_page(browser, GeneratedFeed(past=31), width=390, height=844) as page:
            page.evaluate(f"document.querySelector('{RATE}').scrollIntoView({{block: 'center'}})")
            page.touch(f"{RATE} .plot", 0.5)
            page.wait("document.querySelectorAll('g.cursor:not([hidden])').length > 0")
            page.touch(f"{RATE} h3", 0.5)
            page.wait("document.querySelectorAll('g.cursor:not([hidden])').length == 0")

    def test_buckets(self, page: LivePage) -> None:
        """On a heatmap the arrows up and down go through the buckets."""
        page.evaluate(f"document.querySelector('{HEAT} .plot').focus()")
        page.press("ArrowUp", "ArrowUp")
        page.wait(f"document.querySelector('{HEAT} .cell')?.textContent.startsWith('≤ 0.2: ')")


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
