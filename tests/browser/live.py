"""The live page in a tab: what it shows, and what its reader does with mouse, keyboard and finger."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mlmetrics.live.server import create_app
from tests.browser.chromium import Chromium, Tab
from tests.live.generated import GeneratedFeed
from tests.programs import wait_until
from tests.servers import ThreadServer

NOTHING = "\N{EN DASH}"
RATE = "#tile-api-request-rate"
WITHIN_SECONDS = 60.0
KEYS = {
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "End": 35,
    "Enter": 13,
    "Escape": 27,
    "Home": 36,
    "Tab": 9,
}
# Runs before the page's own scripts.
WATCH = """
window.watched = {shift: 0, refused: [], errors: []};
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) watched.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});
addEventListener("securitypolicyviolation", (event) => watched.refused.push(event.violatedDirective));
addEventListener("error", (event) => watched.errors.push(event.message));
addEventListener("unhandledrejection", (event) => watched.errors.push(String(event.reason)));
"""


class LivePage:
    """A tab with the page open, and the feed that it shows."""

    def __init__(
        self, browser: Chromium, feed: GeneratedFeed, url: str, *, width: int = 1280, height: int = 900, theme: str = ""
    ) -> None:
        self.feed = feed
        self.tab: Tab = browser.open("about:blank")
        self.send = self.tab.send
        self.send("Page.enable")
        self.send("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        mobile = width < 600
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        self.send("Emulation.setTouchEmulationEnabled", enabled=mobile)
        if theme:
            self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.open(url)

    def open(self, url: str) -> None:
        """Open an address, and wait for its numbers."""
        self.send("Page.navigate", url=url)
        self.wait(f"location.href == {json.dumps(url)} && document.documentElement?.dataset.ticks > 0")

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        return self.tab.evaluate(script)

    def wait(self, script: str) -> None:
        """Wait until an expression in the page is true."""
        wait_until(
            lambda: self.evaluate(script),
            timeout=WITHIN_SECONDS,
            what=lambda: (
                f"{script}\n{self.evaluate('JSON.stringify(watched) + document.body.innerText.slice(0, 500)')}"
            ),
        )

    def tick(self) -> dict[str, Any]:
        """Have the feed send a tick, wait until it is drawn, and return it."""
        last = f"Number(document.documentElement.dataset.newest) >= {self.feed.time + 2000}"
        self.feed.tick()
        self.wait(last)
        return self.feed.newest

    def text(self, selector: str) -> str:
        """Return the text of the first element that fits."""
        shown: str = self.evaluate(f"document.querySelector({json.dumps(selector)})?.textContent ?? 'nothing'")
        return shown

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements that fit."""
        shown: list[str] = self.evaluate(
            f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.textContent)"
        )
        return shown

    def names(self, tile: str) -> list[str]:
        """Return the whole names of the series in the legend of a tile, which it may show shortened."""
        shown: list[str] = self.evaluate(
            f"[...document.querySelectorAll({json.dumps(f'{tile} .legend span')})].map(e => e.title)"
        )
        return shown

    def column(self, number: int) -> list[str]:
        """Return the cells of a column of the table by model, from the top."""
        return self.texts(f"#models tbody td:nth-child({number})")

    def click(self, selector: str) -> None:
        """Click the middle of an element, as a mouse does."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        x, y = self.middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def move(self, selector: str, share: float) -> None:
        """Move the mouse over an element, to a share of its width."""
        box = self.box(selector)
        x, y = box["x"] + share * box["width"], box["y"] + box["height"] / 2
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def touch(self, selector: str, share: float) -> None:
        """Tap an element with a finger."""
        box = self.box(selector)
        point = {"x": box["x"] + share * box["width"], "y": box["y"] + box["height"] / 2}
        self.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[point])
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            options = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
            self.send("Input.dispatchKeyEvent", type="keyDown", text="\r" if key == "Enter" else "", **options)
            self.send("Input.dispatchKeyEvent", type="keyUp", **options)

    def write(self, selector: str, text: str) -> None:
        """Type into a field, in place of what it holds."""
        self.evaluate(f"{{const e = document.querySelector({json.dumps(selector)}); e.focus(); e.select()}}")
        if text:
            self.send("Input.insertText", text=text)
        else:
            self.evaluate(f"document.querySelector({json.dumps(selector)}).value = ''")
            self.evaluate(f"document.querySelector({json.dumps(selector)}).dispatchEvent(new Event('input'))")

    def middle(self, selector: str) -> tuple[float, float]:
        """Return the place of an element's middle on the screen."""
        box = self.box(selector)
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def box(self, selector: str) -> dict[str, float]:
        """Return the place and size of an element on the screen."""
        found: dict[str, float] = self.evaluate(
            f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()"
        )
        return found

    def colour(self, selector: str, name: str = "color") -> str:
        """Return a colour of an element, as it is drawn."""
        shown: str = self.evaluate(
            f"getComputedStyle(document.querySelector({json.dumps(selector)}))[{json.dumps(name)}]"
        )
        return shown


@contextmanager
def live_page(browser: Chromium, feed: GeneratedFeed, path: str = "/", **options: Any) -> Iterator[LivePage]:
    """Serve a feed, and open the page; at the end, check that nothing was refused and nothing failed."""
    with ThreadServer(create_app(feed), timeout_graceful_shutdown=1) as server:
        page = LivePage(browser, feed, server.url + path, **options)
        yield page
        assert {"refused": [], "errors": []} == page.evaluate("({refused: watched.refused, errors: watched.errors})")
        page.tab.close()
        feed.end()  # a server waits for the ends of its streams


def number(text: str) -> float:
    """Return the number at the beginning of a text such as `38.6/s` or `1.38k`."""
    found = re.match(r"[$]?(-?[\d.]+)([kM]?)", text)
    assert found, text
    return float(found[1]) * {"": 1, "k": 1e3, "M": 1e6}[found[2]]
