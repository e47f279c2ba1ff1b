"""Measures the throughput of a FastAPI app with `wrk`: uvicorn with the bare app and with the instrumented one."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.results import Missing, Row, medians
from benchmarks.timing import NotTheSameError, ratio

ROOT = Path(__file__).parents[1]
CONNECTIONS = 16
RUN_SECONDS = 3
START_SECONDS = 30
MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def measure_served(rounds: int) -> list[Row | Missing]:
    """Measure both servers in short runs, in turn."""
    if shutil.which("wrk") is None:
        return [Missing("served/throughput", "wrk is not installed")]
    throughput: dict[str, list[float]] = {"instrumented": [], "bare": []}
    a_processor_second: dict[str, list[float]] = {"instrumented": [], "bare": []}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serving(f"benchmarks.served_app:{name}")) for name in throughput}
        answered = sum(load(server, 1).answered for name, server in servers.items() if name == "instrumented")
        for _ in repeat(None, rounds):
            for name, server in servers.items():
                before = server.processor_seconds()
                found = load(server, RUN_SECONDS)
                throughput[name].append(found.a_second)
                a_processor_second[name].append(found.answered / (server.processor_seconds() - before))
                answered += found.answered if name == "instrumented" else 0
        _check(servers["instrumented"], answered, rounds + 1)
    return [_row("served/throughput", throughput), _row("served/processor", a_processor_second)]


def _row(name: str, figures: dict[str, list[float]]) -> Row:
    return Row(name, ratio(figures["instrumented"], figures["bare"]), "requests/s", medians(**figures))


@dataclass(frozen=True, slots=True)
class Server:
    """A uvicorn, and where it listens."""

    port: int
    process: "subprocess.Popen[bytes]"

    def processor_seconds(self) -> float:
        """Return the processor time that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return sum(int(ticks) for ticks in fields[11:13]) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(app: str) -> Iterator[Server]:
    """Run uvicorn with an app, named as `module:name`, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    command = [sys.executable, "-m", "uvicorn", app, *options]
    process = subprocess.Popen(command, cwd=ROOT)  # noqa: S603 (our own app)
    try:
        yield _listening(Server(port, process))
    finally:
        process.terminate()
        process.wait()


def _listening(server: Server) -> Server:
    deadline = time.monotonic() + START_SECONDS
    while server.process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return server
    raise RuntimeError(f"uvicorn does not listen on port {server.port}")


@dataclass(frozen=True, slots=True)
class Load:
    """What `wrk` says of its requests: how many were answered, how many a second, and their median latency."""

    answered: int
    a_second: float
    median_ms: float


def load(server: Server, seconds: int) -> Load:
    """Send requests without pause for some seconds, on a few connections."""
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
    command = ["wrk", *options, f"http://127.0.0.1:{server.port}/items/42"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 (wrk)
    answered = re.search(r"(\d+) requests in", done.stdout)
    a_second = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    median = re.search(r"50%\s+([\d.]+)(us|ms|s)", done.stdout)
    if not answered or not a_second or not median or "Non-2xx" in done.stdout:
        raise NotTheSameError(f"wrk says: {done.stdout}")
    return Load(int(answered[1]), float(a_second[1]), float(median[1]) * MILLISECONDS[median[2]])


def _check(server: Server, answered: int, runs: int) -> None:
    """Check that every answered request was counted; each run leaves at most its connections unfinished."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as response:
        families = list(text_string_to_metric_families(response.read().decode()))
    samples = [sample for family in families for sample in family.samples]
    counted = sum(sample.value for sample in samples if sample.name == "fastapi_requests_total")
    if not answered <= counted <= answered + runs * CONNECTIONS:
        raise NotTheSameError(f"{counted} counted, {answered} answered")
