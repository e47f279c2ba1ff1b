"""A program that kills workers at every step: `python -m tests.workers.killed SCENARIO DIRECTORY`.

It forks a child for each line of the package that the work of a scenario runs, ends the child by
SIGKILL before that line, and then looks at what the child has left. It prints how many children were
killed, and what was wrong.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from glob import glob
from itertools import count
from types import FrameType
from typing import Any

from mlmetrics.workers import mapped, merged
from mlmetrics.workers.directory import contents
from mlmetrics.workers.kinds import Kind
from mlmetrics.workers.reaper import reap
from tests.workers.shared import SERVICE, Sample, Totals, Worker, client_totals, dead_worker, sample

PACKAGE = os.path.dirname(mapped.__file__)


def killed(number: int, work: Callable[[], object]) -> bool:
    """Do the work in a child that is killed before the n-th line of the package; returns whether it was."""
    child = os.fork()
    if child == 0:
        try:
            sys.settrace(Killer(number))
            work()
            sys.settrace(None)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError("the work has failed, see above")
    return os.WIFSIGNALED(status)


class Killer:
    """A trace function that counts the lines of the package."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        """End this process if it is time."""
        if os.path.dirname(frame.f_code.co_filename) != PACKAGE:
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def every_kill(directory: str, work: Callable[[str, str], object]) -> Iterator[tuple[int, str, list[str]]]:
    """Yield for each kill its number, the directory that was left, and what the work had told."""
    for number in count(1):
        where, tally = f"{directory}/{number}", f"{directory}/{number}.tally"
        os.makedirs(where)
        was_killed = killed(number, lambda where=where, tally=tally: work(where, tally))  # type: ignore[misc]  # bound now
        with open(tally, "a+", encoding="utf-8") as file:
            file.seek(0)
            yield number, where, file.read().split()
        shutil.rmtree(where)
        if not was_killed:
            return


def growing(directory: str, wrong: list[object]) -> int:
    """Make files of two kinds and let them grow; a value that was told as recorded is there, no other but the last."""
    mapped.FIRST_BYTES = 256
    last = 0
    for number, where, told in every_kill(directory, record):
        last = number
        for step in ("left", "reaped"):
            found = Totals(where, reaps=step == "reaped")
            check(number, step, told, found.read(), wrong)
            check(number, f"{step}, the client's", told, client_totals(where), wrong)
            if found.failures:
                wrong.append([number, step, found.failures])
        if rest := [name for name in os.listdir(where) if "_dead-" not in name and not name.endswith(".lock")]:
            wrong.append([number, "not reaped", rest])
    return last - 1


def record(directory: str, tally: str) -> None:
    """Add to new values of two kinds, and tell each that was added to."""
    worker = Worker(directory)
    with open(tally, "ab", buffering=0) as file:
        for number in range(4):
            worker.add("counter", f"calls{number}_total", model="a")
            file.write(f"calls{number}_total ".encode())
            worker.add("histogram", f"seconds{number}_bucket", model="a", le="1.0")
            file.write(f"seconds{number}_bucket ".encode())


def check(number: int, step: str, told: list[str], found: dict[Sample, float], wrong: list[object]) -> None:
    """Compare what was found to what was told: there may be one value more, the last."""
    names = [name for name, _ in found]
    if set(found.values()) - {1.0} or not set(told) <= set(names) or len(names) > len(told) + 1:
        wrong.append([number, step, told, sorted(found.items())])


DEAD = 3
GAUGES: tuple[Kind, ...] = ("gauge_min", "gauge_livemax")
SUM = 1.0 + 2.0 + 4.0 + 8.0
EXPECTED = {
    sample("calls_total", model="a"): SUM,
    sample("seconds_bucket", model="a", le="1.0"): SUM,
    sample("seconds_sum", model="a"): SUM / 2,
    sample("loaded", model="a"): 8.0,
    sample("gauge_min", model="a"): 1.0,
}


def leave_dead(directory: str) -> None:
    """Leave a merged file of a worker that was reaped, and the files of three that were not."""
    dead_worker(directory, 1.0, gauges=GAUGES)
    reap(directory, SERVICE)
    for power in range(1, 1 + DEAD):
        dead_worker(directory, 2.0**power, gauges=GAUGES)


def reaping(directory: str, wrong: list[object]) -> int:
    """Kill a reaper at each step, and the one that comes after it at another; then let a third one finish."""
    mapped.FIRST_BYTES = 256
    template, kills = f"{directory}/template", 0
    os.makedirs(template)
    leave_dead(template)
    if not glob(f"{template}/counter_dead-*"):
        raise AssertionError("nothing was reaped")
    for number in count(1):
        where = f"{directory}/{number}"
        shutil.copytree(template, where)
        done = not killed(number, lambda where=where: reap(where, SERVICE))  # type: ignore[misc]  # bound now
        kills += not done
        look(number, "left", where, wrong)
        if number % 4 == 0:
            kills += killed(number * 7 % 97, lambda where=where: reap(where, SERVICE))  # type: ignore[misc]  # bound now
            look(number, "left twice", where, wrong)
        reap(where, SERVICE)
        look(number, "reaped", where, wrong)
        if client_totals(where) != EXPECTED:
            wrong.append([number, "the client's", sorted(client_totals(where).items())])
        if rest := [name for name in os.listdir(where) if "_dead-" not in name and not name.endswith(".lock")]:
            wrong.append([number, "not reaped", rest])
        if listed := [name for path in glob(f"{where}/*_dead-*") for name in merged.included(contents(path))]:
            wrong.append([number, "listed for ever", listed])
        shutil.rmtree(where)
        if done:
            return kills
    raise AssertionError("unreachable")


def look(number: int, step: str, where: str, wrong: list[object]) -> None:
    """Compare what a reader finds, which does not reap itself, to what the dead have recorded."""
    totals = Totals(where, reaps=False)
    found = totals.read()
    if found != EXPECTED or totals.failures:
        wrong.append([number, step, sorted(found.items()), totals.failures])


SCENARIOS = {"growing": growing, "reaping": reaping}


def main() -> None:
    """Run a scenario."""
    wrong: list[object] = []
    kills = SCENARIOS[sys.argv[1]](sys.argv[2], wrong)
    print(json.dumps({"kills": kills, "wrong": wrong}))  # noqa: T201 (read by the test)


if __name__ == "__main__":
    main()
