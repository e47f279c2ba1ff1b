"""The live page for everyone: on a phone, in light and dark, with a keyboard, and with names that are no names."""

import json
from importlib import resources
from itertools import pairwise
from typing import Any

import pytest

from tests.browser.chromium import Chromium
from tests.browser.live import LivePage, live_page
from tests.live.generated import MODELS, SERVICES, GeneratedFeed

MOST_SHIFT = 0.01
EVIL = ("<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "'\"><svg onload=alert(1)>", "x" * 300)
FOCUSED = """(e => [
  e == document.body ? "BODY" : e.id || e.className || e.tagName + (e.title || e.textContent).trim(),
  getComputedStyle(e).outlineStyle,
])(document.activeElement)"""
DANGEROUS = {"serious", "critical"}


def alarmed(past: int = 31) -> GeneratedFeed:
    """Return a feed with an alert that fires, one that is pending, and a target that is down."""

    def change(tick: dict[str, Any]) -> None:
        tick["alerts"][0].update(state="firing", value=7.2, since=tick["times"][0] - 60_000)
        tick["alerts"][1].update(state="pending", value=0.06, since=tick["times"][0] - 2_000)
        tick["targets"][1].update(up=False, why="connection refused")
        tick["tiles"]["response-time-p95"]["series"][0]["values"] = [7.2]

    feed = GeneratedFeed(past=past)
    feed.change = change
    return feed


class TestWidths:
    """1280 and 390 pixels."""

    @pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
    def test_nothing_jumps_when_numbers_come(self, browser: Chromium, width: int, height: int) -> None:
        """The skeleton has the places of all that comes: what is shown hardly moves."""
        with live_page(browser, GeneratedFeed(past=450), width=width, height=height) as page:
            page.tick()
            assert MOST_SHIFT >= page.evaluate("watched.shift")

    @pytest.mark.parametrize("width", [1280, 768, 390])
    def test_nothing_scrolls_sideways(self, browser: Chromium, width: int) -> None:
        """The page is as wide as the screen; only the table scrolls, in its own box."""
        with live_page(browser, alarmed(), width=width) as page:
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            wide = page.evaluate("""[...document.querySelectorAll('main *')]
              .filter(e => !e.closest('.scroll, #strip, svg') && e.getBoundingClientRect().right > innerWidth + 1)
              .map(e => e.outerHTML.slice(0, 100))""")
            assert [] == wide

    @pytest.mark.parametrize("width", [1280, 390])
    def test_labels_of_axes_do_not_overlap(self, browser: Chromium, width: int) -> None:
        """Times and values beside the charts have room, and stand inside their card."""
        with live_page(browser, alarmed(past=450), width=width) as page:
            boxes = page.evaluate("""[...document.querySelectorAll('.chart:not(.nothing) .plot')].map(plot => {
              plot.scrollIntoView();
              const card = plot.closest('.card').getBoundingClientRect();
              const box = e => { const r = e.getBoundingClientRect(); return [r.left, r.right, r.top, r.bottom]; };
              const shown = e => e.textContent && !e.hasAttribute('hidden');
              return [[card.left, card.right], ...['.clocks', '.labels'].map(g =>
                [...plot.querySelectorAll(g + ' text')].filter(shown).map(box))];
            })""")
            assert boxes
            for (left, right), clocks, labels in boxes:
                assert all(left <= box[0] and box[1] <= right for box in [*clocks, *labels])
                assert all(a[1] < b[0] for a, b in pairwise(sorted(clocks)))
                assert all(a[2] >= b[3] - 3 for a, b in pairwise(sorted(labels, key=lambda box: -box[2])))

    @pytest.mark.parametrize("width", [1280, 390])
    def test_what_is_cut_off_has_a_title(self, browser: Chromium, width: int) -> None:
        """A text that has no room can be read as the title of its element."""
        feed = alarmed()
        feed.models = ("a-model-with-a-name-that-is-longer-than-any-cell-" * 3, *MODELS)
        feed.services = ("a-service-with-a-name-that-is-longer-than-any-legend-" * 3, *SERVICES)
        with live_page(browser, feed, width=width) as page:
            cut = page.evaluate("""[...document.querySelectorAll('main *, header *')]
              .filter(e => e.children.length == 0 && e.clientWidth && e.scrollWidth > e.clientWidth + 1)
              .filter(e => getComputedStyle(e).textOverflow == 'ellipsis' && !e.closest('[title]'))
              .map(e => e.outerHTML.slice(0, 200))""")
            assert [] == cut


class TestThemes:
    """Light and dark."""

    def theme(self, page: LivePage) -> str:
        """Return which one is shown."""
        shown: str = page.evaluate("document.documentElement.dataset.theme")
        return shown

    @pytest.mark.parametrize(("system", "other"), [("dark", "light"), ("light", "dark")])
    def test_as_the_system_until_one_chooses(self, browser: Chromium, system: str, other: str) -> None:
        """The page follows the system; a press of the button changes it, and the choice is kept."""
        with live_page(browser, GeneratedFeed(past=3), theme=system) as page:
            assert system == self.theme(page)
            card = page.colour("#models", "background-color")
            page.click("#theme")
            assert other == self.theme(page)
            assert card != page.colour("#models", "background-color")
            page.open(page.evaluate("location.href"))
            assert other == self.theme(page)

    def test_heatmaps_change_their_colours(self, browser: Chromium) -> None:
        """What is painted is painted anew in the other theme."""
        canvas = "document.querySelector('#tile-latency canvas')"
        pixel = f"{canvas}.getContext('2d').getImageData({canvas}.width - 1, 0, 1, 1).data.join()"
        with live_page(browser, GeneratedFeed(past=3), theme="dark", height=3000) as page:
            page.wait("document.querySelector('#tile-latency .cell') != null")
            before = page.evaluate(pixel)
            page.click("#theme")
            page.wait(f"{pixel} != '{before}'")

    @pytest.mark.parametrize("theme", ["light", "dark"])
    @pytest.mark.parametrize("width", [1280, 390])
    def test_axe_finds_nothing_serious(self, browser: Chromium, theme: str, width: int) -> None:
        """axe-core, which checks contrast, names, roles and keyboard, has no serious finding."""
        script = resources.files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
        with live_page(browser, alarmed(), theme=theme, width=width, height=2600) as page:
            page.evaluate(f"{script}; undefined")
            found = page.evaluate(
                "axe.run().then(r => r.violations.map(v => [v.impact, v.id, v.nodes.map(n => n.html)]))"
            )
            assert [] == [each for each in found if each[0] in DANGEROUS]

    def test_all_by_keyboard(self, browser: Chromium) -> None:
        """The tabulator reaches all that can be used, from the skip link to the table, each with an outline."""
        with live_page(browser, GeneratedFeed(past=3)) as page:
            reached = []
            while "BODY" not in reached:
                page.press("Tab")
                name, outline = page.evaluate(FOCUSED)
                assert "none" != outline or name in {"service", "model", "BODY"}
                reached.append(name)
            assert ["skip", "service", "model", "theme"] == reached[:4]
            assert {"plot", "filter", "BUTTONModel", "Agpt-5-mini"} <= set(reached)


class TestHostileNames:
    """Names of models, services and error types that try to be markup."""

    def test_are_texts(self, browser: Chromium) -> None:
        """They are shown as they are, and nothing of them runs."""
        feed = GeneratedFeed(past=3)
        feed.models, feed.services = (*EVIL, *MODELS[:2]), (*EVIL, *SERVICES[:1])

        def change(tick: dict[str, Any]) -> None:
            for row, text in zip(tick["models"], EVIL, strict=False):
                row.update(operation=text, error=text)
            for alert, text in zip(tick["alerts"], EVIL, strict=False):
                alert.update(name=text, state="firing", labels={"model": text}, why=text, summary=text)
            for target, text in zip(tick["targets"], EVIL, strict=False):
                target.update(url=f"http://localhost/{text}", why=text, up=False)

        feed.change = change
        with live_page(browser, feed, height=3000) as page:
            assert set(EVIL) <= set(page.column(1))
            assert set(EVIL) <= set(page.names("#tile-api-request-rate"))
            assert set(EVIL) <= set(page.texts("#alerts li .title"))
            assert 0 == page.evaluate("document.querySelectorAll('main img, main script, svg svg').length")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            first = json.dumps(EVIL[0])
            page.evaluate(f"[...document.querySelectorAll('#models a')].find(e => e.textContent == {first}).click()")
            page.wait("document.querySelectorAll('#models tbody tr').length == 1")
            assert EVIL[0] == page.evaluate("model.value")
            assert [EVIL[0]] == page.column(1)
            assert 0 == page.evaluate("document.querySelectorAll('main img, main script').length")
