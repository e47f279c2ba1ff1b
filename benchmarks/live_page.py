"""Measure the live page: `python -m benchmarks.live_page` prints the figures; with an address, those of that page.

Chromium loads the page from an empty cache until its first chart is drawn, as it is and on a processor that is four
times slower; its own trace says what a tick costs the main thread; and viewers who only read say what they cost the
server. The numbers come from a feed of waves, of 15 minutes and some fifty series.
"""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from mlmetrics.live.server import create_app
from tests.browser.chromium import Chromium, Tab
from tests.live.generated import GeneratedFeed
from tests.servers import UvicornServer

LOADS = 5
TICKS = 10
TICK_SECONDS = 2.0
VIEWERS = 10
DRAWN_SECONDS = 60.0
SLOW = 4
WIDTH, HEIGHT, WHOLE = 1280, 900, 2600
CATEGORIES = ["toplevel", "devtools.timeline"]
DRAWN = "performance.getEntriesByName('first-chart')[0]?.startTime ?? 0"
SENT = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"

app = create_app(GeneratedFeed(seconds=TICK_SECONDS))


def main() -> None:
    """Print one figure a line."""
    if sys.argv[1:]:
        figures = of_page(sys.argv[1].rstrip("/"))
    else:
        with UvicornServer("benchmarks.live_page:app", ready_path="/layout") as server:
            figures = of_page(server.url) | asyncio.run(viewers(server))
    for name, figure in figures.items():
        sys.stdout.write(f"{name}: {figure}\n")


def of_page(url: str) -> dict[str, Any]:
    """Return what a page costs its viewer."""
    figures: dict[str, Any] = {}
    with Chromium() as browser:
        for name, rate in (("first chart, ms", 1), (f"first chart on a {SLOW} times slower machine, ms", SLOW)):
            loads = [first_chart(browser, url, rate) for _ in range(LOADS)]
            figures[name] = round(median(drawn for drawn, _ in loads))
            figures["page, style and scripts, bytes sent"] = round(median(sent for _, sent in loads))
        figures["history, bytes sent"] = asyncio.run(history_bytes(url))
        for name, height in (("a window", HEIGHT), ("the whole page", WHOLE)):
            figures[f"main thread, ms of processor time a tick, {name}"] = a_tick(browser, url, height)
    return figures


async def history_bytes(url: str) -> int:
    """Return how much the first event takes, compressed as browsers ask for it: what comes before the next tick."""
    received = 0
    async with (
        httpx.AsyncClient(trust_env=False) as client,
        client.stream("GET", f"{url}/events", headers={"accept-encoding": "gzip"}) as answer,
    ):
        chunks = answer.aiter_raw()
        with suppress(TimeoutError):
            while True:
                received += len(await asyncio.wait_for(anext(chunks), TICK_SECONDS / 4))
    return received


@contextmanager
def opened(browser: Chromium, url: str, height: int, *, rate: int = 1) -> Iterator[Tab]:
    """Open the page without a cache, and wait until it has drawn a chart."""
    tab = browser.open("about:blank")
    tab.send("Network.enable")
    tab.send("Network.setCacheDisabled", cacheDisabled=True)
    tab.send("Emulation.setDeviceMetricsOverride", width=WIDTH, height=height, deviceScaleFactor=1, mobile=False)
    tab.send("Emulation.setCPUThrottlingRate", rate=rate)
    tab.send("Page.navigate", url=url)
    deadline = time.monotonic() + DRAWN_SECONDS
    while not tab.evaluate(DRAWN):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{url} has drawn nothing in {DRAWN_SECONDS:g} s")
        time.sleep(0.05)
    yield tab
    tab.close()


def first_chart(browser: Chromium, url: str, rate: int) -> tuple[float, float]:
    """Return when the first chart was drawn, in milliseconds, and how many bytes were sent for page and files."""
    with opened(browser, url, HEIGHT, rate=rate) as tab:
        return tab.evaluate(DRAWN), tab.evaluate(f"{SENT}.reduce((sum, each) => sum + each.transferSize, 0)")


def a_tick(browser: Chromium, url: str, height: int) -> float:
    """Return the processor time of the page's main thread for a tick, in milliseconds, from the browser's trace."""
    with opened(browser, url, height):
        time.sleep(TICK_SECONDS)
        browser.send("Tracing.start", {"traceConfig": {"includedCategories": CATEGORIES}})
        time.sleep(TICKS * TICK_SECONDS)
        browser.send("Tracing.end")
        told = browser.events("Tracing.tracingComplete")
    events = [each for part in told if part["method"] == "Tracing.dataCollected" for each in part["params"]["value"]]
    mains = {
        (each["pid"], each["tid"])
        for each in events
        if each["name"] == "thread_name" and each["args"]["name"] == "CrRendererMain"
    }
    spent: Counter[tuple[int, int]] = Counter()
    for each in events:
        thread = each["pid"], each["tid"]
        if each["name"] == "ThreadControllerImpl::RunTask" and thread in mains:
            spent[thread] += each.get("tdur", 0)
    return round(max(spent.values()) / 1000 / TICKS, 1)


async def viewers(server: UvicornServer) -> dict[str, float]:
    """Return what share of a core the server uses with one viewer and with several."""
    return {f"server with {n} viewers, % of a core": await share(server, n) for n in (1, VIEWERS)}


async def share(server: UvicornServer, number: int) -> float:
    """Return the share of a core that the server uses, in percent, while so many viewers read."""
    async with httpx.AsyncClient(trust_env=False, timeout=None) as client:  # noqa: S113 (a stream has no end)
        tasks = [asyncio.create_task(read(client, f"{server.url}/events")) for _ in range(number)]
        await asyncio.sleep(2 * TICK_SECONDS)
        before = processor_seconds(server.process.pid)
        await asyncio.sleep(TICKS * TICK_SECONDS)
        used = processor_seconds(server.process.pid) - before
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return round(100 * used / (TICKS * TICK_SECONDS), 2)


async def read(client: httpx.AsyncClient, url: str) -> None:
    """Read events for ever, as a browser does."""
    async with client.stream("GET", url, headers={"accept-encoding": "gzip"}) as answer:
        async for _ in answer.aiter_raw():
            pass


def processor_seconds(process: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:13]) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
