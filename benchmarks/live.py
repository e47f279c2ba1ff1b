"""Measures the live page: what a refresh of many targets costs, what their history takes, and reading a page.

The page is measured in a process of its own, and its targets are served by another one. `python -m benchmarks.live
REFRESHES` is that process: it refreshes as if two seconds had passed each time, and prints what it has seen.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from time import process_time, thread_time_ns
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.live_served import Service
from benchmarks.results import Row
from benchmarks.timing import NotTheSameError, Ratio, collecting, ratio
from mlmetrics.live.clock import Clock
from mlmetrics.live.reader import TargetReader
from mlmetrics.live.target import Access
from mlmetrics.live.text import Interned, PageReader
from mlmetrics.live.views import View, encoded

ROOT = Path(__file__).parents[1]
TARGETS, MODELS, SERIES = 50, 15, 2000
INTERVAL_MS = 2000
SETTLED = 3
"""The first refreshes work out what belongs together, and are not measured."""
PAGES = 9
_PAGE_BYTES = 4096


class SteppedClock(Clock):
    """A clock that is told each time."""

    at = 1_700_000_000_000

    def milliseconds(self, monotonic: float) -> int:  # noqa: ARG002 - the time is told
        """Return the time."""
        return self.at

    def jump(self) -> int:
        """Return that it has not jumped."""
        return 0


def measure_live(rounds: int) -> list[Row]:
    """Measure refreshes in a process of their own, and the reading of pages here."""
    command = [sys.executable, "-m", "benchmarks.live", str(rounds)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)  # noqa: S603 (our own program)
    seen = json.loads(done.stdout)
    if seen["series"] < TARGETS * SERIES or seen["down"]:
        raise NotTheSameError(f"{seen['series']} series of {TARGETS * SERIES}, {seen['down']} targets down")
    seconds = seen["seconds"]
    note = f"{seen['series']} series, {seen['samples']} samples kept; a tick of {seen['tick_bytes']} bytes"
    refresh = Row("live/refresh", ratio(seconds, [1.0] * len(seconds)), "s", {"longest": round(max(seconds), 2)}, note)
    megabytes = seen["bytes"] / 1e6
    memory = Row(
        "live/memory",
        Ratio(megabytes, megabytes, megabytes),
        "MB",
        {"a_series_in_bytes": seen["bytes"] / seen["series"]},
    )
    return [refresh, memory, _text()]


def _text() -> Row:
    """Compare the reading of pages of one service after each other, after checking that both read the same."""
    service = Service(0, MODELS)
    pages = [service.page().decode() for _ in range(PAGES)]
    reader = PageReader(Interned())
    read = {(head.name, head.labels): value for head, value in reader.read(pages[0]).changed}
    times: dict[str, list[float]] = {"client": [], "ours": []}
    with collecting(on=False):
        for page in pages[1:]:
            begun = thread_time_ns()
            changed = reader.read(page).changed
            times["ours"].append((thread_time_ns() - begun) / 1e6)
            begun = thread_time_ns()
            families = list(text_string_to_metric_families(page))
            times["client"].append((thread_time_ns() - begun) / 1e6)
            read |= {(head.name, head.labels): value for head, value in changed}
            theirs = {
                (each.name, tuple(sorted(each.labels.items()))): each.value
                for family in families
                for each in family.samples
            }
            if read != theirs:
                raise NotTheSameError(f"{len(read)} samples read, and {len(theirs)} by the client")
    sides = {name: round(sorted(each)[len(each) // 2], 2) for name, each in times.items()}
    return Row("live/text", ratio(times["client"], times["ours"]), "ms", sides)


@contextmanager
def _served() -> Iterator[list[int]]:
    """Run the services until the block ends, and yield their ports."""
    command = [sys.executable, "-m", "benchmarks.live_served", str(TARGETS), str(MODELS)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 (our own)
    assert process.stdin is not None  # noqa: S101 (they were asked for)
    assert process.stdout is not None  # noqa: S101 (they were asked for)
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


async def _refreshed(ports: list[int], refreshes: int) -> dict[str, Any]:
    before = _resident_bytes()
    clock = SteppedClock()
    reader = TargetReader(
        [f"http://127.0.0.1:{port}/metrics" for port in ports], Access(timeout_seconds=60), None, clock
    )
    reader.open(View())
    seconds, tick = [], b""
    for _ in repeat(None, refreshes + SETTLED):
        clock.at += INTERVAL_MS
        begun = process_time()
        answers: list[Any] = []
        while len(answers) < len(ports):
            answers += await reader.answers()
        reader.step(answers)
        tick = encoded(reader.data(View(), 1))
        seconds.append(process_time() - begun)
    states = reader.data(View(), 1)["targets"]
    history = reader.engine.history
    reader.close()
    return {
        "seconds": seconds[SETTLED:],
        "bytes": _resident_bytes() - before,
        "series": history.series,
        "samples": sum(source.samples for source in history.sources),
        "tick_bytes": len(tick),
        "down": sum(not state["up"] for state in states),
    }


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES


def main() -> None:
    """Refresh, and print what was seen."""
    with _served() as ports:
        sys.stdout.write(json.dumps(asyncio.run(_refreshed(ports, int(sys.argv[1])))))


if __name__ == "__main__":
    main()
