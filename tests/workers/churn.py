"""A program in which workers die, reapers are killed, and a reader reads: `python -m tests.workers.churn DIRECTORY`.

Each round leaves the files of one more dead worker. Two children reap all the time, and are killed
and replaced. The sum that the reader finds must be exact in each round, whatever the reapers do.
"""

import json
import os
import random
import signal
import sys

from mlmetrics.workers import mapped
from mlmetrics.workers.reaper import reap
from tests.workers.shared import SERVICE, Totals, dead_worker, sample

ROUNDS = 400
ROUNDS_OF_A_REAPER = 7
COUNTED = (sample("calls_total", model="a"), sample("seconds_bucket", model="a", le="1.0"))


def reaper(directory: str) -> int:
    """Start a child that reaps until it is killed."""
    child = os.fork()
    if child == 0:
        while os.getppid() != 1:
            reap(directory, SERVICE)
    return child


def main() -> None:
    """Run the rounds."""
    directory, aside, chance = f"{sys.argv[1]}/shared", f"{sys.argv[1]}/aside", random.Random(11)  # noqa: S311 (chooses whom to kill)
    os.mkdir(directory)
    os.mkdir(aside)
    mapped.FIRST_BYTES = 256
    totals, wrong = Totals(directory, reaps=False), []
    reapers = [reaper(directory), reaper(directory)]
    for number in range(1, 1 + ROUNDS):
        dead_worker(aside)
        for name in os.listdir(aside):
            os.rename(f"{aside}/{name}", f"{directory}/{name}")
        found = totals.read()
        if any(found.get(key) != number for key in COUNTED):
            wrong.append([number, sorted(found.items())])
        if number % ROUNDS_OF_A_REAPER == 0:
            victim = chance.randrange(len(reapers))
            end(reapers[victim])
            reapers[victim] = reaper(directory)
    for child in reapers:
        end(child)
    reap(directory, SERVICE)
    if any(totals.read().get(key) != ROUNDS for key in COUNTED) or totals.failures:
        wrong.append(["reaped", totals.failures])
    reaped = not [name for name in os.listdir(directory) if name.startswith("counter") and "_dead-" not in name]
    print(json.dumps({"wrong": wrong, "reaped": reaped}))  # noqa: T201 (read by the test)


def end(child: int) -> None:
    """Kill a reaper, wherever it is."""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()
