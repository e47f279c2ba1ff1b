"""The demo as its user sees it: real services under traffic that a test begins and ends, and their live page."""

import asyncio
import base64
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

import httpx

from examples.recruiting.addresses import JOB_PARSER, LANGUAGE_MODEL, SERVICES, STARTED
from examples.recruiting.demo.page import LivePage as LiveProgram
from examples.recruiting.demo.processes import Processes
from examples.recruiting.demo.settings import free_ports, move_to_free_ports
from examples.recruiting.demo.traffic import drive
from mlmetrics.monitoring.loading import CONFIGURATION
from tests.browser.chromium import Chromium
from tests.browser.live import LivePage
from tests.live.generated import GeneratedFeed
from tests.programs import HOST

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build" / "pictures"
WIDTH, HEIGHT = 1280, 900
PHONE = {"width": 390, "height": 844}
ALERT = "SlowFirstChunk"
SLOW_SECONDS, USUAL_SECONDS = 1.6, 0.02
# The rules of the project, one of which decides within seconds: half of the streams begin after more than a second.
QUICK_RULE = f"""
[alert.{ALERT}]
threshold = 1.0
share = 0.5
window = "10s"
for = "6s"
minimum = 3
"""
_FOREVER_SECONDS = 3600.0


class Traffic:
    """The traffic of the demo, until the end of the block."""

    def __enter__(self) -> Self:
        self._over = threading.Event()
        self._failures: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        assert [] == self._failures

    def _run(self) -> None:
        try:
            asyncio.run(drive(_FOREVER_SECONDS, self._watch))
        except _Over:
            return
        except BaseException as error:  # noqa: BLE001 - shown where the traffic ends
            self._failures.append(error)

    def _watch(self, _seconds: float, _sent: int) -> None:
        if self._over.is_set():
            raise _Over


class _Over(Exception):  # noqa: N818 - nothing is wrong
    """The traffic has gone on long enough."""


class Demo:
    """The running services of the demo, and the address of their page."""

    def __init__(self, folder: Path, others: Processes, job_parser: Processes) -> None:
        self.url = ""
        self._folder = folder
        self._others = others
        self._job_parser = job_parser

    def start_page(self) -> None:
        """Start the live page as the demo does, with a rule that decides within seconds."""
        config = self._folder / CONFIGURATION
        config.write_text((ROOT / CONFIGURATION).read_text("utf-8") + QUICK_RULE, "utf-8")
        program = LiveProgram(free_ports(1)[0])
        self._others.start("live-page", [*program.command(), "--config", str(config)], program.url)
        self._others.wait_ready()
        self.url = program.url

    def send(self, seconds: float) -> None:
        """Send the traffic of the demo for some seconds, and wait until all of it is answered as expected."""
        tally = asyncio.run(drive(seconds, lambda _seconds, _sent: None))
        assert {} == tally.surprises

    def stop_job_parser(self) -> None:
        """End one of the services with SIGTERM."""
        self._job_parser.stop()

    def start_job_parser(self) -> None:
        """Start it again."""
        self._job_parser.start_service(JOB_PARSER)
        self._job_parser.wait_ready()

    def set_first_word(self, seconds: float) -> None:
        """Set how long the language model takes to begin an answer, from now on."""
        answer = httpx.put(
            f"{LANGUAGE_MODEL.url}/behaviour", json={"first_word_seconds": seconds}, timeout=10, trust_env=False
        )
        answer.raise_for_status()

    def scrape(self) -> dict[str, str]:
        """Return the metrics page of each service."""
        return {each.name: httpx.get(f"{each.url}/metrics", timeout=10, trust_env=False).text for each in SERVICES}

    @property
    def job_parser_address(self) -> str:
        """Where the page reads the service that can be stopped."""
        return f"http://{HOST}:{JOB_PARSER.port}/metrics"


@contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """Start the language model and the four services of the demo on free ports; at the end of the block end all."""
    with ExitStack() as started, patch.dict(os.environ):
        move_to_free_ports()
        folders = [folder / name for name in ("others", "job-parser")]
        for each in folders:
            each.mkdir()
        others, job_parser = (started.enter_context(Processes(each, lambda: None)) for each in folders)
        for service in STARTED:
            (job_parser if service == JOB_PARSER else others).start_service(service)
        others.wait_ready()
        job_parser.wait_ready()
        yield Demo(folder, others, job_parser)


# The lowest place on the screen at which a row of cards ends.
END_OF_ROWS = """(() => {
  const boxes = [...document.querySelectorAll(".card")].map(e => e.getBoundingClientRect());
  const ends = boxes.map(box => box.bottom).filter(end => end < innerHeight);
  return Math.ceil(Math.max(...ends.filter(end => !boxes.some(box => box.top < end && end < box.bottom)))) + 8;
})()"""


class DemoPage(LivePage):
    """A tab with the live page of the demo, whose numbers come from real services."""

    def __init__(self, browser: Chromium, demo: Demo, query: str, **options: Any) -> None:
        super().__init__(browser, GeneratedFeed(past=0), demo.url + query, **options)

    def save(self, name: str, *, scale: float = 1) -> Path:
        """Keep what is on the screen as a picture, with so many of its points for one of the page.

        It ends below a row of cards, so that none is cut.
        """
        self.send("Emulation.setScrollbarsHidden", hidden=True)
        self.evaluate("document.documentElement.style.scrollbarGutter = 'auto'")
        size = self.evaluate("({width: innerWidth, height: innerHeight, mobile: innerWidth < 600})")
        self.send("Emulation.setDeviceMetricsOverride", deviceScaleFactor=scale, **size)
        # Lines are drawn anew for another number of points, with the next frame of the screen.
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))")
        clip = {"x": 0, "y": 0, "width": size["width"], "height": self.evaluate(END_OF_ROWS), "scale": 1}
        picture = self.send("Page.captureScreenshot", format="png", clip=clip)["data"]
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / name
        path.write_bytes(base64.b64decode(picture))
        return path


@contextmanager
def demo_page(browser: Chromium, demo: Demo, query: str = "", /, **options: Any) -> Iterator[DemoPage]:
    """Open the page; at the end, check that nothing was refused and nothing failed, and close it."""
    page = DemoPage(browser, demo, query, **options)
    yield page
    assert {"refused": [], "errors": []} == page.evaluate("({refused: watched.refused, errors: watched.errors})")
    page.tab.close()
