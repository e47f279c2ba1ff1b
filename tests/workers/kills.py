"""Kill a worker of a server each second, under load, and see that nothing is lost: `python -m tests.workers.kills`.

Between scrapes no counter goes down. The application keeps a tally that is on the disk before each answer: the
calls that are counted are never fewer, and more by at most one for each kill, because a worker of this
application has one call between its last number and its tally at a time.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.workers.serving import WorkersServer, samples_of, total

CLIENTS = 8
COUNTED = ("_total", "_bucket", "_count", "_sum")
OF_ONE_WORKER = ("process_", "python_")


@dataclass
class Seen:
    """What was seen."""

    kills: int = 0
    scrapes: int = 0
    tally: int = 0
    counted: float = 0.0
    jobs: float = 0.0
    in_progress: float = 0.0
    down: list[str] = field(default_factory=list)


def kill_workers(server: str, seconds: float, workers: int = 4, pause_seconds: float = 1.0) -> Seen:
    """Kill one worker after the other, for this time; return what was seen."""
    seen = Seen()
    with tempfile.TemporaryDirectory() as folder:
        tally = Path(folder) / "tally"
        with WorkersServer(server, "run", workers=workers, env={"TALLY": str(tally), "FSYNC": "1"}) as program:
            alive: set[int] = set()
            end = threading.Event()
            threads = [threading.Thread(target=work, args=(program, alive, end)) for _ in range(CLIENTS)]
            threads.append(threading.Thread(target=watch, args=(program, seen, end)))
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                time.sleep(pause_seconds)
                seen.kills += kill_one(alive)
            end.set()
            for thread in threads:
                thread.join()
            program.work()
            samples = program.scrape()
            seen.tally = tally.stat().st_size
            seen.counted = total(samples, "ml_inference_total", outcome="success")
            seen.jobs = total(samples, "jobs_total")
            seen.in_progress = total(samples, "ml_inference_in_progress")
    return seen


def kill_one(alive: set[int]) -> int:
    """Kill one of the workers that have answered since they were started; return whether there was one."""
    try:
        pid = random.choice(sorted(alive))  # noqa: S311 (any of them)
        alive.discard(pid)
        os.kill(pid, signal.SIGKILL)
    except (IndexError, ProcessLookupError):
        return 0
    return 1


def work(program: WorkersServer, alive: set[int], end: threading.Event) -> None:
    """Send requests, each by a connection of its own; those to a worker that is killed fail."""
    while not end.is_set():
        try:
            alive.add(program.get("/work").json())
        except httpx.TransportError:
            continue


def watch(program: WorkersServer, seen: Seen, end: threading.Event) -> None:
    """Scrape again and again, and note each counter that goes down."""
    last: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    while not end.is_set():
        try:
            page = program.get("/metrics").text
        except httpx.TransportError:
            continue
        seen.scrapes += 1
        for sample in samples_of(page):
            if sample.name.endswith(COUNTED) and not sample.name.startswith(OF_ONE_WORKER):
                key = sample.name, frozenset(sample.labels.items())
                if sample.value < last.get(key, 0.0):
                    seen.down.append(f"{sample}: it was {last[key]}")
                last[key] = sample.value


def main() -> None:
    """Print what was seen; the exit code is 1 if a number was lost or invented."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--server", default="uvicorn")
    given = parser.parse_args()
    seen = kill_workers(given.server, given.seconds)
    sys.stdout.write(f"{seen}\n")
    sys.exit(0 if not seen.down and 0 <= seen.counted - seen.tally <= seen.kills else 1)


if __name__ == "__main__":
    main()
