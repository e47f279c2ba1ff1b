"""Measures requests while four clients scrape a page of 1,000 models without pause: throughput and median.

Requests and scrapes are sent by `wrk`, over sockets, to a uvicorn with one process.
"""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat

from benchmarks.results import Missing, Row, medians
from benchmarks.served import Server, load, serving
from benchmarks.timing import NotTheSameError, ratio

RUN_SECONDS = 3
LONGER_SECONDS = 5
"""So much longer the scrapers would run than the requests; they are stopped before."""
SCRAPERS = 4
BEGUN_SECONDS = 0.3
"""After this time, every scraper is in its first scrape."""
GZIP = ("-H", "Accept-Encoding: gzip")


@dataclass(frozen=True, slots=True)
class Figures:
    """Requests a second and median latencies in milliseconds, of one round each."""

    throughput: list[float] = field(default_factory=list)
    median: list[float] = field(default_factory=list)

    def add(self, server: Server) -> None:
        """Send requests for a while."""
        found = load(server, RUN_SECONDS)
        self.throughput.append(found.a_second)
        self.median.append(found.median_ms)


@dataclass(frozen=True, slots=True)
class Case:
    """An app, and what its scrapers ask for."""

    name: str
    app: str
    options: tuple[str, ...] = ()
    alone: Figures = field(default_factory=Figures)
    scraped: Figures = field(default_factory=Figures)

    def rows(self) -> Iterator[Row]:
        """Return the two ratios: while scraped ÷ alone."""
        for what, unit in (("throughput", "requests/s"), ("median", "ms")):
            sides = {"scraped": getattr(self.scraped, what), "alone": getattr(self.alone, what)}
            yield Row(f"greedy/{self.name}{what}", ratio(sides["scraped"], sides["alone"]), unit, medians(**sides))


def measure_greedy(rounds: int) -> list[Row | Missing]:
    """Measure each app in short runs, with and without scrapers, in turn."""
    if shutil.which("wrk") is None:
        return [Missing("greedy/throughput", "wrk is not installed")]
    cases = (Case("", "ours"), Case("gzip_", "ours", GZIP), Case("instrumentator_", "instrumentator"))
    for case in cases:
        with serving(f"benchmarks.greedy_app:{case.app}") as server:
            load(server, 1)
            for _ in repeat(None, rounds):
                case.alone.add(server)
                with scrapers(server, case.options):
                    case.scraped.add(server)
    return [row for case in cases for row in case.rows()]


@contextmanager
def scrapers(server: Server, options: tuple[str, ...]) -> Iterator[None]:
    """Have four clients scrape without pause until the block ends, each on a connection that stays open."""
    seconds = f"-d{RUN_SECONDS + LONGER_SECONDS}s"
    command = ["wrk", "-t1", f"-c{SCRAPERS}", seconds, *options, f"http://127.0.0.1:{server.port}/metrics"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 (wrk)
    try:
        time.sleep(BEGUN_SECONDS)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate()
    if "requests in" not in told or "Non-2xx" in told or " 0 requests in" in told:
        raise NotTheSameError(f"wrk says of its scrapes: {told}")
