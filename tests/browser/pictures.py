"""Take the pictures of the live page that README and docs show, in Chromium, from the running demo.

`python -m tests.browser.pictures docs/images`; all pictures, in light and dark, are kept in `build/pictures`.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from tests.browser.chromium import Chromium
from tests.browser.demo import (
    ALERT,
    HEIGHT,
    PHONE,
    PICTURES,
    SLOW_SECONDS,
    WIDTH,
    Demo,
    DemoPage,
    Traffic,
    demo_page,
    running_demo,
)
from tests.programs import wait_until

# Ticks of two seconds: charts are full enough, and the alert is seen for as long as it took to fire.
FILLED_TICKS, FIRING_TICKS = 50, 12
ALERT_HEIGHT = 1200
ONE_MODEL = "?service=cv-parser-service&model=gpt-4"
MOST_BYTES = 300_000
SCALES = (2, 1.5, 1.25)
SHOWN = {"live.png": "live-dark.png", "live-phone.png": "live-phone-dark.png", "live-alert.png": "live-alert-light.png"}
"""The pictures in README and docs, and which of those that are taken they are."""


def main() -> None:
    """Run the demo, take all pictures, and copy those for the docs into a folder."""
    with tempfile.TemporaryDirectory() as folder, running_demo(Path(folder)) as demo:
        demo.start_page()
        with Traffic(), Chromium() as browser:
            take(browser, demo)
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for name, taken in SHOWN.items():
        shutil.copyfile(PICTURES / taken, target / name)


def take(browser: Chromium, demo: Demo) -> None:
    """Take the main page and the phone under usual traffic, then the page of the one model whose alert fires."""
    with demo_page(browser, demo) as page:
        wait_for_ticks(page, FILLED_TICKS)
    for theme in ("light", "dark"):
        with demo_page(browser, demo, width=WIDTH, height=HEIGHT, theme=theme) as page:
            save(page, f"live-{theme}.png")
        with demo_page(browser, demo, theme=theme, **PHONE) as page:
            save(page, f"live-phone-{theme}.png")
    demo.set_first_word(SLOW_SECONDS)
    with demo_page(browser, demo) as page:
        page.wait(f"document.querySelector('#strip.firing')?.textContent.includes('{ALERT}')")
        ticks = page.evaluate("Number(document.documentElement.dataset.ticks)")
        wait_for_ticks(page, ticks + FIRING_TICKS)
    for theme in ("light", "dark"):
        with demo_page(browser, demo, ONE_MODEL, width=WIDTH, height=ALERT_HEIGHT, theme=theme) as page:
            save(page, f"live-alert-{theme}.png")


def wait_for_ticks(page: DemoPage, ticks: int) -> None:
    """Wait until the page has so many ticks."""
    shown = "Number(document.documentElement.dataset.ticks)"
    wait_until(lambda: page.evaluate(shown) >= ticks, timeout=10 * ticks, what=lambda: f"{page.evaluate(shown)} ticks")


def save(page: DemoPage, name: str) -> None:
    """Keep a picture, as sharp as its size allows."""
    for scale in SCALES:
        path = page.save(name, scale=scale)
        if path.stat().st_size < MOST_BYTES:
            return
    raise ValueError(f"{name} has {path.stat().st_size} bytes, expected fewer than {MOST_BYTES}")


if __name__ == "__main__":
    main()
