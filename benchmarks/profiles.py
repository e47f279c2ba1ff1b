"""Shows where the time of a row is spent: `python -m benchmarks.profiles call|request|scrape|import`.

The parts of a call are too short for a profiler. So variants of the wrapper are measured, each with
one step more than the one before. The other rows are run under a profiler.
"""

import asyncio
import cProfile
import pstats
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.floor import Pending, calling, floored, noop
from benchmarks.ours import Toolkit
from benchmarks.requests import ours as our_requests
from benchmarks.scrapes import Filled, text
from benchmarks.timing import Side, added, interleave

ROUNDS = 100
LINES = 20
REQUESTS = 2000
MODEL = "gpt-4"
SLOW_SECONDS = 30.0
PLAIN = {int}
Step = Callable[[Pending], Callable[[int], int]]


def forwarded(_pending: Pending) -> Callable[..., int]:
    """Return a closure that calls the function and does nothing else."""

    def wrapper(*args: Any, **kwargs: Any) -> int:
        return noop(*args, **kwargs)

    return wrapper


def started(pending: Pending) -> Callable[..., int]:
    """Return the floor with an append when the call begins."""
    begin, append, clock = pending.started.append, pending.numbers.append, perf_counter

    def wrapper(*args: Any, **kwargs: Any) -> int:
        start = clock()
        begin(None)
        result = noop(*args, **kwargs)
        append(clock() - start)
        return result

    return wrapper


def looked_at(pending: Pending) -> Callable[..., int]:
    """Return the same with a check of the result's type."""
    begin, append, clock, plain = pending.started.append, pending.numbers.append, perf_counter, PLAIN

    def wrapper(*args: Any, **kwargs: Any) -> int:
        start = clock()
        begin(None)
        result = noop(*args, **kwargs)
        seconds = clock() - start
        if type(result) not in plain:
            raise TypeError(result)
        append(seconds)
        return result

    return wrapper


def bounded(pending: Pending) -> Callable[..., int]:
    """Return the same with two checks: whether the call was slow, and whether it is time to fold."""
    begin, append, clock, plain, all_begun = (
        *(pending.started.append, pending.numbers.append),
        *(perf_counter, PLAIN, pending.started),
    )

    def wrapper(*args: Any, **kwargs: Any) -> int:
        start = clock()
        begin(None)
        result = noop(*args, **kwargs)
        seconds = clock() - start
        if type(result) not in plain:
            raise TypeError(result)
        append(seconds)
        if seconds > SLOW_SECONDS or len(all_begun) > sys.maxsize:
            raise TypeError(seconds)
        return result

    return wrapper


STEPS: dict[str, Step] = {
    "a closure that only calls": forwarded,
    "the floor: two clock readings and an append": lambda pending: floored(noop, pending),
    "an append when it begins": started,
    "the type of the result": looked_at,
    "slow? time to fold?": bounded,
}


def profile_call() -> None:
    """Measure what each step of a recorded call adds."""
    sides = [Side("bare", calling(noop))]
    for name, step in STEPS.items():
        pending = Pending()
        sides.append(Side(name, calling(step(pending), pending.empty)))
    toolkit = Toolkit()
    tracked = toolkit.metrics.track_inference(model=MODEL)(noop)
    sides.append(Side("folding: `track_inference` itself", calling(tracked, toolkit.fold)))
    times = interleave(sides, ROUNDS)
    before = 0.0
    for side in sides[1:]:
        cost = statistics.median(added(times, side.name))
        sys.stdout.write(f"{cost:7.0f} ns  {cost - before:+6.0f}  {side.name}\n")
        before = cost


def profile_request() -> None:
    """Print the functions that a request to the instrumented app calls."""
    loop = asyncio.new_event_loop()
    side = our_requests(loop)
    side.run(REQUESTS)
    _profile(lambda: side.run(REQUESTS), "mlmetrics")
    loop.close()


def profile_scrape() -> None:
    """Print the functions that a scrape in text calls when every series has changed."""
    filled = Filled()
    text(filled.registry)
    filled.change()
    _profile(lambda: text(filled.registry))


def profile_import() -> None:
    """Print the modules that are imported, the slowest first."""
    command = [sys.executable, "-X", "importtime", "-c", "import prometheus_client, structlog, wrapt, mlmetrics"]
    done = subprocess.run(  # noqa: S603 (our own program)
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )
    timed = [line.removeprefix("import time:").split("|") for line in done.stderr.splitlines()[1:]]
    longest = sorted((int(own), name.strip()) for own, _, name in timed if own.strip().isdigit())[-LINES:]
    sys.stdout.writelines(f"{own:7} µs  {name}\n" for own, name in reversed(longest))


def _profile(run: Callable[[], object], where: str = "") -> None:
    profile = cProfile.Profile()
    profile.runcall(run)
    pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(where, LINES)


PROFILES = {"call": profile_call, "request": profile_request, "scrape": profile_scrape, "import": profile_import}

if __name__ == "__main__":
    for asked in sys.argv[1:] or PROFILES:
        PROFILES[asked]()
