"""A small number for each worker, used again after the worker has died, to label what is told of each worker.

The numbers stand in one file of the directory, which is replaced as a whole under a file lock.
"""

import json
import os
from itertools import count
from typing import NamedTuple

from mlmetrics.interruption import interrupted
from mlmetrics.workers.directory import PARTIAL, is_alive, locked, start_of, tag_of


class Worker(NamedTuple):
    """A process that has a slot."""

    slot: int
    pid: int
    start: int


def slot_of_this_process(directory: str, service: str) -> int:
    """Return the slot of this process, the smallest that is free when it first asks.

    Raises:
        OSError: the directory is missing, not writable or full.
    """
    pid = os.getpid()
    path = _path(directory, service)
    with locked(f"{path}.lock", wait=True) as mine:
        workers = _alive(_read(path))
        for worker in workers:
            if worker.pid == pid:
                return worker.slot
        taken = {worker.slot for worker in workers}
        slot = next(number for number in count() if number not in taken)
        if mine:  # else it interrupts this process in here, which is about to list itself
            _write(path, [*workers, Worker(slot, pid, start_of(pid) or 0)])
    return slot


def live_workers(directory: str, service: str) -> list[Worker]:
    """Return the workers that have a slot and run, by slot."""
    return sorted(_alive(_read(_path(directory, service))))


def _path(directory: str, service: str) -> str:
    return os.path.join(directory, f"workers-{tag_of(service)}-ml.json")


def _alive(workers: list[Worker]) -> list[Worker]:
    return [worker for worker in workers if is_alive(worker.pid, worker.start)]


def _read(path: str) -> list[Worker]:
    """Return the workers in the file; none if it is missing or none of ours."""
    try:
        with open(path, encoding="utf-8") as file:
            return [Worker(int(slot), int(pid), int(start)) for slot, pid, start in json.load(file)]
    except (OSError, TypeError, ValueError) as error:
        if interrupted(error):
            raise
        return []


def _write(path: str, workers: list[Worker]) -> None:
    with open(path + PARTIAL, "w", encoding="utf-8") as file:
        json.dump(workers, file)
    os.replace(path + PARTIAL, path)
