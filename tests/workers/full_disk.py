"""A program that records on a disk that is full: `python -m tests.workers.full_disk DIRECTORY`, a small file system.

It prints what was wrong. A number that is written where the disk has no room would end it by SIGBUS.
"""

import json
import os
import sys

from mlmetrics.workers.files import SCRATCH
from mlmetrics.workers.reaper import reap
from tests.workers.shared import SERVICE, Totals, Worker, client_totals, sample


def fill(path: str) -> None:
    """Write until there is no room."""
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def main() -> None:
    """Record before, while and after the disk is full."""
    directory, wrong = sys.argv[1], []

    def expect(what: str, expected: object, found: object) -> None:
        if expected != found:
            wrong.append(f"{what}: expected {expected}, found {found}")

    dead = Worker(directory, dead=True)
    dead.add("counter", "calls_total", model="a")
    del dead
    worker, totals = Worker(directory), Totals(directory, reaps=False)
    worker.add("counter", "calls_total", model="a")
    fill(f"{directory}/filler")
    expect("reaped without room", 0, reap(directory, SERVICE))
    expect("the dead", 2.0, totals.read()[sample("calls_total", model="a")])

    view = worker.files.views.counter
    for index in range(len(view) - 100, len(view)):  # the whole file has room: no SIGBUS
        view[index] += 0.0
    places = [worker.place("counter", "calls_total", model=str(number)) for number in range(2000)]
    expect("values without a place", {SCRATCH}, {SCRATCH} & set(places))
    expect("a kind without a file", SCRATCH, worker.place("histogram", "seconds_bucket", le="+Inf"))
    for place in places:
        worker.files.views.counter[place] += 1.0
    worker.files.views.histogram[SCRATCH] += 1.0
    worker.add("counter", "calls_total", model="a")
    expect("reports", ["workers"] * 2, [where for where, _ in worker.failures])
    with_place = len([place for place in places if place != SCRATCH])
    found = totals.read()
    expect("values with a place", with_place + 1, len([key for key in found if key[0] == "calls_total"]))
    expect("their numbers", {1.0, 3.0}, {number for (name, _), number in found.items() if name == "calls_total"})
    expect("left behind", [], [name for name in os.listdir(directory) if name.endswith(".tmp")])

    os.unlink(f"{directory}/filler")
    worker.add("counter", "late_total")
    expect("with room again", 1.0, totals.read().get(sample("late_total")))
    before = totals.read()
    expect("reaped with room", 1, reap(directory, SERVICE))
    expect("after reaping", before, totals.read())
    expect("the client's", before, client_totals(directory))
    print(json.dumps(wrong))  # noqa: T201 (read by the test)


if __name__ == "__main__":
    main()
