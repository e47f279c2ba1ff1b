"""A program that forks while it records: `python -m tests.workers.forked SCENARIO DIRECTORY`.

It prints what a reader should find, what it found, and what the workers reported.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from mlmetrics.workers import mapped
from mlmetrics.workers.directory import locked
from mlmetrics.workers.files import WorkerFiles
from mlmetrics.workers.mapped import MappedFile
from mlmetrics.workers.reaper import reap
from tests.workers.shared import SERVICE, Totals, Worker, dead_worker, sample

PACKAGE = os.path.dirname(mapped.__file__)
PLACING = (MappedFile.append.__code__, WorkerFiles.place.__code__, WorkerFiles._place.__code__)
KEY = sample("calls_total", model="a")
THREADS = 4
CALLS = 20_000
FORKS = 40


def child_does(work: Callable[[], object]) -> int:
    """Fork; the child does the work and ends, its files with it."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def ended(child: int) -> None:
    """Wait for a child, which must not have failed."""
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError("the child has failed, see above")


def in_a_call(worker: Worker) -> float:
    """Have a call begin before a fork and end in both processes: the parent counts it, and each counts new ones."""
    place = worker.place("counter", "calls_total", model="a")
    views, generation = worker.files.views, worker.files.generation

    def ends_and_calls() -> None:
        views.counter[place] += 1000.0
        if worker.files.generation != generation + 1 or worker.files.views is views:
            raise AssertionError("the child has not noticed the fork")
        worker.add("counter", "calls_total", 10.0, model="a")
        ended(child_does(lambda: worker.add("counter", "calls_total", 100.0, model="a")))

    ended(child_does(ends_and_calls))
    views.counter[place] += 1.0
    if worker.files.generation != generation or worker.files.views is not views:
        raise AssertionError("the parent has lost its files")
    return 111.0


def under_threads(worker: Worker) -> float:
    """Threads record and make series while another one forks."""

    def record(thread: int) -> None:
        for number in range(CALLS):
            if number % 100 == 0:
                worker.place("counter", "series_total", thread=str(thread), number=str(number))
            worker.add("counter", "calls_total", model="a")

    threads = [threading.Thread(target=record, args=(thread,)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    for _ in range(FORKS):
        ended(child_does(lambda: worker.add("counter", "calls_total", model="a")))
    for thread in threads:
        thread.join()
    return float(THREADS * CALLS + FORKS)


def fork_at_signals(children: list[int], waits: int) -> None:
    """Have the signal SIGUSR1 fork; the child waits until it reads a byte."""

    def handler(_number: int, _frame: FrameType | None) -> None:
        if child := os.fork():
            children.append(child)
        else:
            sys.settrace(None)
            os.read(waits, 1)

    signal.signal(signal.SIGUSR1, handler)


def in_a_place(worker: Worker) -> float:
    """Fork in a signal handler at each step of making a place; the parent goes on from there, and then the child."""
    children: list[int] = []
    waits, goes = os.pipe()
    fork_at_signals(children, waits)
    parent, steps = os.getpid(), 0
    while len(children) == steps:
        steps += 1
        sys.settrace(SignalAt(steps, lambda code: code in PLACING))
        place = worker.place("counter", "calls_total", model="a", step=str(steps))
        sys.settrace(None)
        if os.getpid() != parent:
            worker.add("counter", "calls_total", model="a")
            os._exit(0)
        worker.files.views.counter[place] += 1.0
        if len(children) == steps:
            os.write(goes, b"1")
            ended(children[-1])
    worker.add("counter", "calls_total", model="a")
    return float(len(children) + 1)


def in_a_reap(worker: Worker) -> float:
    """Fork in a signal handler at each step of reaping; the parent finishes, and then the child goes on."""
    children: list[int] = []
    waits, goes = os.pipe()
    fork_at_signals(children, waits)
    parent, steps = os.getpid(), 0
    while len(children) == steps:
        steps += 1
        dead_worker(worker.files.directory)
        dead_worker(worker.files.directory)
        sys.settrace(SignalAt(steps, lambda code: os.path.dirname(code.co_filename) == PACKAGE))
        reap(worker.files.directory, SERVICE)
        sys.settrace(None)
        if os.getpid() != parent:
            os._exit(0)
        if len(children) == steps:
            os.write(goes, b"1")
            ended(children[-1])
    return float(2 * steps)


def beside_a_lock(worker: Worker) -> float:
    """Fork while a thread takes and gives back a file lock all the time; no child keeps the lock."""
    path, forked = f"{worker.files.directory}/some.lock", threading.Event()
    waits, goes = os.pipe()

    def locks() -> None:
        while not forked.is_set():
            with locked(path, wait=False):
                os.stat(path)

    def ends_last() -> None:
        os.close(goes)
        os.read(waits, 1)

    thread = threading.Thread(target=locks)
    thread.start()
    children = [child_does(ends_last) for _ in range(FORKS)]
    forked.set()
    thread.join()
    with locked(path, wait=False) as mine:
        worker.add("counter", "calls_total", float(mine), model="a")
    os.close(goes)
    for child in children:
        ended(child)
    return 1.0


class SignalAt:
    """A trace function that sends a signal before the n-th line of some code."""

    def __init__(self, left: int, concerns: Callable[[CodeType], bool]) -> None:
        self.left = left
        self.concerns = concerns

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> Any:
        """Send it if it is time."""
        if not self.concerns(frame.f_code):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGUSR1)
        return self


def main() -> None:
    """Run a scenario."""
    worker = Worker(sys.argv[2])
    expected = SCENARIOS[sys.argv[1]](worker)
    totals = Totals(sys.argv[2], reaps=False)
    found, wrong = totals.read(), 0.0
    for (_, labels), (value,) in totals.slots.items():
        wrong += "step" in dict(labels) and value != 1.0
    failures = [*worker.failures, *totals.failures]
    print(json.dumps({"expected": [expected, 0.0], "found": [found[KEY], wrong], "failures": failures}))  # noqa: T201 (read by the test)


SCENARIOS = {
    scenario.__name__: scenario for scenario in (in_a_call, under_threads, in_a_place, in_a_reap, beside_a_lock)
}

if __name__ == "__main__":
    main()
