"""Measures requests while four clients scrape a page of 1,000 models without pause: throughput and median.

Requests and scrapes are sent by `wrk`, over sockets, to a uvicorn with one process.
"""

import re
import shutil
import signal
import statistics
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
SETTLED_SECONDS = 0.5
"""A server that has used no processor time for so long does nothing more."""
GZIP = ("-H", "Accept-Encoding: gzip")


@dataclass(frozen=True, slots=True)
class Figures:
    """Of each round: requests a second, median latency, and requests a second of the server's processor time."""

    throughput: list[float] = field(default_factory=list)
    median: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def add(self, server: Server) -> None:
        """Send requests for a while."""
        before = server.processor_seconds()
        found = load(server, RUN_SECONDS)
        self.processor.append(found.answered / (server.processor_seconds() - before))
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
    scrapes: list[float] = field(default_factory=list)
    """Answered scrapes a second, of each round."""

    def measure(self, rounds: int) -> None:
        """Send requests in short runs, with and without scrapers, in turn."""
        with serving(f"benchmarks.greedy_app:{self.app}") as server:
            load(server, 1)
            for _ in repeat(None, rounds):
                self.alone.add(server)
                with scrapers(server, self.options, self.scrapes):
                    self.scraped.add(server)
                settle(server)
        if self.app == "ours" and not all(self.scrapes):
            raise NotTheSameError(f"answered scrapes a second: {self.scrapes}; expected some in each round")

    def rows(self) -> Iterator[Row]:
        """Return the ratios: while scraped ÷ alone."""
        note = f"{statistics.median(self.scrapes):.1f} scrapes/s"
        for what, unit in (("throughput", "requests/s"), ("median", "ms"), ("processor", "requests/s")):
            sides = {"scraped": getattr(self.scraped, what), "alone": getattr(self.alone, what)}
            yield Row(
                f"greedy/{self.name}{what}", ratio(sides["scraped"], sides["alone"]), unit, medians(**sides), note
            )


def measure_greedy(rounds: int) -> list[Row | Missing]:
    """Measure each app, and ours with both kinds of scrapers."""
    if shutil.which("wrk") is None:
        return [Missing("greedy/throughput", "wrk is not installed")]
    cases = (Case("", "ours"), Case("gzip_", "ours", GZIP), Case("instrumentator_", "instrumentator"))
    for case in cases:
        case.measure(rounds)
    return [row for case in cases for row in case.rows()]


def settle(server: Server) -> None:
    """Wait until the server does nothing more: a scrape whose client has gone may still be written."""
    before = -1.0
    while before != (before := server.processor_seconds()):
        time.sleep(SETTLED_SECONDS)


@contextmanager
def scrapers(server: Server, options: tuple[str, ...], answered: list[float]) -> Iterator[None]:
    """Have four clients scrape without pause until the block ends; note how many scrapes were answered a second."""
    seconds = f"-d{RUN_SECONDS + LONGER_SECONDS}s"
    command = ["wrk", "-t1", f"-c{SCRAPERS}", seconds, *options, f"http://127.0.0.1:{server.port}/metrics"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 (wrk)
    try:
        time.sleep(BEGUN_SECONDS)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate()
    a_second = re.search(r"Requests/sec:\s+([\d.]+)", told)
    if a_second is None or "Non-2xx" in told:
        raise NotTheSameError(f"wrk says of its scrapes: {told}")
    answered.append(float(a_second[1]))
