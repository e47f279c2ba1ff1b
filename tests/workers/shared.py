"""A directory that workers share: workers that write to it, and what a reader and the client make of it."""

import os
from collections.abc import Mapping
from glob import glob
from itertools import count

from prometheus_client.multiprocess import MultiProcessCollector

from mlmetrics.workers.directory import Kind
from mlmetrics.workers.files import WorkerFiles
from mlmetrics.workers.reading import Reader

SERVICE = "cv-parser-service"
Sample = tuple[str, tuple[tuple[str, str], ...]]
"""The name of a sample and its labels in order."""
_starts = count(1)


def sample(name: str, **labels: str) -> Sample:
    """Return the key of a sample."""
    return name, tuple(sorted(labels.items()))


class Failures(list[tuple[str, str]]):
    """What was reported: the place and the problem."""

    def __call__(self, where: str, problem: object) -> None:
        """Keep it."""
        self.append((where, str(problem)))


class Worker:
    """A worker in this process; its files are those of a process that has died once `die` was called."""

    def __init__(self, directory: object, *, service: str = SERVICE, dead: bool = False) -> None:
        self.failures = Failures()
        self.files = WorkerFiles(str(directory), service, self.failures)
        if dead:  # a process with this pid that started at another time does not run
            self.files._start = next(_starts)

    def place(self, kind: Kind, name: str, **labels: str) -> int:
        """Return the place of the value of a sample, whose family has the name of the sample up to `_bucket`."""
        family = name.removesuffix("_bucket").removesuffix("_sum")
        return self.files.place(kind, family, name, tuple(labels), tuple(labels.values()), "Help.")

    def add(self, kind: Kind, name: str, amount: float = 1.0, **labels: str) -> None:
        """Add to the value of a sample."""
        place = self.place(kind, name, **labels)
        getattr(self.files.views, kind)[place] += amount

    def set(self, name: str, value: float, timestamp: float, **labels: str) -> None:
        """Set a gauge of which the newest value counts."""
        place = self.place("gauge_mostrecent", name, **labels)
        view = self.files.views.gauge_mostrecent
        view[place], view[place + 1] = value, timestamp


def dead_worker(directory: object, amount: float = 1.0, service: str = SERVICE) -> None:
    """Leave files of every kind, as a worker that has died does."""
    worker = Worker(directory, service=service, dead=True)
    worker.add("counter", "calls_total", amount, model="a")
    worker.add("histogram", "seconds_bucket", amount, model="a", le="1.0")
    worker.add("histogram", "seconds_sum", amount / 2, model="a")
    worker.add("gauge_livesum", "in_progress", amount, model="a")
    worker.set("loaded", amount, amount, model="a")


class Totals:
    """What a reader makes of a directory, sample by sample, and what it reports."""

    def __init__(self, directory: object, service: str = SERVICE, *, reaps: bool = True) -> None:
        self.slots: dict[Sample, list[float]] = {}
        self.asked: list[Sample] = []
        self.failures = Failures()
        self.reader = Reader(str(directory), service, self._slot, self.failures)
        if not reaps:
            self.reader._reaped_at = float("inf")

    def _slot(self, kind: str, family: str, name: str, labels: Mapping[str, str], text: str) -> tuple[list[float], int]:
        key = sample(name, **labels)
        self.asked.append(key)
        return self.slots.setdefault(key, [0.0]), 0

    def read(self) -> dict[Sample, float]:
        """Read, and return the value of every sample that is not 0."""
        self.reader.read()
        return {key: numbers[0] for key, numbers in self.slots.items() if numbers[0]}


def client_totals(directory: object) -> dict[Sample, float]:
    """Return what the client's collector makes of a directory, its buckets not cumulative, without zeros."""
    files = glob(os.path.join(str(directory), "*.db"))
    families = MultiProcessCollector.merge(files, accumulate=False)
    return {
        sample(each.name, **each.labels): each.value for family in families for each in family.samples if each.value
    }
