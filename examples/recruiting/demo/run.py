"""The demo from start to end: start everything, show the page, send traffic, read the numbers back, end everything."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from examples.recruiting.addresses import HOST, SERVICES
from examples.recruiting.demo.figures import Figures, PrometheusFigures, ScrapedFigures
from examples.recruiting.demo.interrupts import Interrupted, Interrupts
from examples.recruiting.demo.page import LivePage
from examples.recruiting.demo.processes import Processes
from examples.recruiting.demo.report import missing_metrics, print_tables
from examples.recruiting.demo.server import command, find_prometheus
from examples.recruiting.demo.settings import DemoFailure, Settings, check_ports, free_port_for, read_settings
from examples.recruiting.demo.traffic import Tally, drive, linger

SCRAPED_WITHIN_SECONDS = 20.0
PLAIN_WIDTH = 110


def main() -> int:
    """Run the demo and return its exit code: 0 only if all is up and every metric has samples."""
    interrupts = Interrupts()
    # A file or a pipe has no width, and the tables must not be cut.
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False, markup=False)
    try:
        settings = read_settings()
        check_ports()
        with tempfile.TemporaryDirectory(prefix="mlmetrics-demo-", ignore_cleanup_errors=True) as name:
            return _run(settings, Path(name), interrupts, console)
    except Interrupted as interrupted:
        console.print(f"\nEnded by {interrupted}; every server has been stopped.")
        return interrupted.exit_code
    except DemoFailure as failure:
        console.print(str(failure))
        return 1


def _run(settings: Settings, folder: Path, interrupts: Interrupts, console: Console) -> int:
    prometheus = find_prometheus(console, folder, interrupts)
    with Processes(folder, interrupts.check) as processes:
        console.print(
            "Starting the four services, which train their models on the documents first, and a language model ..."
        )
        processes.start_services()
        url = _start_prometheus(prometheus, settings.prometheus_port, folder, processes, console)
        page = LivePage(free_port_for("live page", "LIVE_PORT", settings.live_port, console.print))
        processes.start("live-page", page.command(), page.url)
        processes.wait_ready()
        page.show(console)
        tally = _send_traffic(settings.duration_seconds, processes, console)
        figures = _read_figures(url, processes, interrupts)
        code = _report(figures, tally, console)
        if settings.keep:
            _stay(url, page, processes, console)
    page.tell_end(console, settings.live_port)
    return code


def _start_prometheus(
    program: str | None, wanted_port: int, folder: Path, processes: Processes, console: Console
) -> str | None:
    """Start Prometheus if there is one, and return its address."""
    if program is None:
        console.print("No Prometheus here: the numbers below come from the services' own /metrics instead.")
        return None
    port = free_port_for("Prometheus", "PROMETHEUS_PORT", wanted_port, console.print)
    url = f"http://{HOST}:{port}"
    processes.start("prometheus", command(program, folder, port), f"{url}/-/ready")
    return url


def _send_traffic(seconds: float, processes: Processes, console: Console) -> Tally:
    console.print(f"Sending traffic for {seconds:g} s ...")
    columns = (BarColumn(), TextColumn("{task.fields[sent]} requests"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task("traffic", total=seconds, sent=0)

        def watch(passed_seconds: float, sent: int) -> None:
            processes.check()
            progress.update(bar, completed=min(passed_seconds, seconds), sent=sent)

        tally = asyncio.run(drive(seconds, watch))
    console.print(f"{tally.sent} requests answered.")
    return tally


def _read_figures(url: str | None, processes: Processes, interrupts: Interrupts) -> Figures:
    """Return where the numbers are, once they include all of the traffic."""
    if url is None:
        return ScrapedFigures()
    figures, end = PrometheusFigures(url), time.time()
    while not figures.scraped_since(end) and time.time() < end + SCRAPED_WITHIN_SECONDS:
        processes.check()
        interrupts.pause()
    return figures


def _report(figures: Figures, tally: Tally, console: Console) -> int:
    """Print the tables and what is wrong, if anything is; return the exit code."""
    source = "Prometheus, by PromQL" if isinstance(figures, PrometheusFigures) else "the services' own /metrics"
    console.print(f"\nRead back from {source}:\n")
    print_tables(figures, console)
    problems = [f"{name} is not up" for name, up in figures.up().items() if not up]
    problems += [f"{name} has no samples" for name in missing_metrics(figures)]
    problems += [f"{count} unexpected answers: {what}" for what, count in tally.surprises.items()]
    for problem in problems:
        console.print(f"PROBLEM: {problem}")
    if not problems:
        console.print("All four services are up, and every promised metric has samples.")
    return 1 if problems else 0


def _stay(url: str | None, page: LivePage, processes: Processes, console: Console) -> None:
    """Print the addresses, and send gentle traffic, so that the page has something to show, until Ctrl-C."""
    console.print("\nStaying up, with some traffic, until Ctrl-C:")
    for service in SERVICES:
        console.print(f"  {service.name:20} {service.url}/docs  {service.url}/metrics")
    if url is not None:
        console.print(f"  {'Prometheus':20} {url}/targets")
    page.tell(console)
    asyncio.run(linger(lambda _seconds, _sent: processes.check()))
