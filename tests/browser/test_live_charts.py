"""The charts of the live page in Chromium: they show what the feed says, and what it said at the cursor."""

import re
from typing import Any

import pytest

from tests.browser.chromium import Chromium
from tests.browser.live import NOTHING, RATE, LivePage, live_page, number
from tests.live.generated import GeneratedFeed

HEAT = "#tile-distribution-of-matching-scores"


def values(tick: dict[str, Any], tile: str) -> dict[str, float]:
    """Return the newest values of a tile."""
    return {series["name"]: series["values"][0] for series in tick["tiles"][tile]["series"]}


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


class TestManySeries:
    """What the charts do where there is more than they have room for."""

    def test_percentiles_have_one_row_for_each_model(self, browser: Chromium) -> None:
        """The values stand in columns under their heads; the lines of a model share its colour."""

        def percentiles(tick: dict[str, Any]) -> None:
            names = [f"p{share} {model} · cv" for share in (50, 95, 99) for model in ("a", "b")]
            series = [{"name": name, "values": [float(n)]} for n, name in enumerate(names, 1)]
            tick["tiles"]["inference-duration"]["series"] = series

        feed = GeneratedFeed(past=3)
        feed.change = percentiles
        tile = "#tile-inference-duration"
        with live_page(browser, feed) as page:
            assert ["", "p50", "p95", "p99"] == page.texts(f"{tile} .heads i")
            assert ["a · cv", "b · cv"] == page.names(tile)
            assert ["a", "b"] == page.texts(f"{tile} .legend span")
            values = ["1.00 s", "3.00 s", "5.00 s", "2.00 s", "4.00 s", "6.00 s"]
            assert values == page.texts(f"{tile} .legend b")
            looks = page.evaluate(f"""[...document.querySelectorAll('{tile} path.line')]
              .map(e => getComputedStyle(e)).map(s => [s.stroke, s.strokeDasharray])""")
            assert [1, 1] == [len({looks[n + k][0] for k in (0, 2, 4)}) for n in (0, 1)]
            assert 6 == len({tuple(look) for look in looks})

    def test_the_worst_come_first_where_the_legend_scrolls(self, browser: Chromium) -> None:
        """Of many models, those with the lowest success stand at the top of a chart whose alert is below it."""
        share = {f"a-model-with-a-rather-long-name-{n}": 0.9 + n / 200 for n in range(12)}

        def many(tick: dict[str, Any]) -> None:
            series = [{"name": name, "values": [value]} for name, value in reversed(share.items())]
            tick["tiles"]["inference-success-rate"]["series"] = series

        feed = GeneratedFeed(past=3)
        feed.change = many
        tile = "#tile-inference-success-rate"
        with live_page(browser, feed, height=2600) as page:
            page.wait(f"document.querySelector('{tile} .legend.scrolls') != null")
            assert list(share) == page.names(tile)
            assert 0 == page.evaluate(f"document.querySelector('{tile} .legend').tabIndex")

    def test_a_share_of_a_limit_is_told_and_not_drawn(self, browser: Chromium) -> None:
        """The threshold of memory is a share of what each process may use; without limits, that is said."""
        threshold = {"alert": "HighMemoryUsage", "value": 0.9, "above": True, "of_limit": True}
        feed = GeneratedFeed(past=3)
        ((declared, by, shape), *others) = feed.charts["Surroundings"]
        feed.charts = {"Surroundings": (({**declared, "threshold": threshold}, by, shape), *others)}
        with live_page(browser, feed) as page:
            assert "no limits are set" == page.text("#tile-memory .limit")
            limited = {"name": f"limit {feed.services[0]}", "values": [1e9]}
            feed.change = lambda tick: tick["tiles"]["memory"]["series"].append(limited)
            page.tick()
            page.wait("document.querySelector('#tile-memory .limit').textContent == 'alert > 90% of the limit'")
            assert page.evaluate("document.querySelector('#tile-memory line.threshold').hasAttribute('hidden')")

    def test_a_late_tick_leaves_no_hole_in_a_heatmap(self, page: LivePage) -> None:
        """Its column reaches back to the tick before it; a long time without any tick stays empty, and breaks lines."""
        for jump, is_empty in ((6_000, False), (60_000, True)):
            page.feed.start_time += jump
            page.tick()
            page.evaluate(f"document.querySelector('{HEAT}').scrollIntoView()")
            page.wait(f"document.querySelector('{HEAT} .cell') != null")
            pixels = f"""(() => {{
              const canvas = document.querySelector('{HEAT} canvas');
              return canvas.getContext('2d').getImageData(canvas.width - 3, canvas.height / 2, 1, 1).data[3];
            }})()"""
            page.wait(f"({pixels} == 0) == {str(is_empty).lower()}")
        page.evaluate(f"document.querySelector('{RATE}').scrollIntoView()")
        page.wait(f"document.querySelector('{RATE} path.line').getAttribute('d').split('M').length == 3")


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
