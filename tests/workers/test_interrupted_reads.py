"""Reads that a signal handler breaks off at every place where it can: the next one is right."""

from pathlib import Path

import pytest

from tests.interruption import Interruption, points
from tests.workers.shared import Totals, Worker, dead_worker, sample

READING = tuple(
    f"/workers/{name}.py"
    for name in ("reading", "source", "totals", "records", "merged", "reaper", "directory", "exemplars")
)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file is open, its `with` not begun
def test_a_signal_handler_that_raises(memory_path: Path) -> None:
    """What a handler raises during a read or while the dead are reaped reaches the program; the next read is right."""
    workers: list[Worker] = []

    def fresh() -> Totals:
        directory = memory_path / str(len(workers))
        directory.mkdir()
        dead_worker(directory, 2.0)
        workers.append(Worker(directory))
        workers[-1].add("counter", "calls_total", model="a")
        return Totals(directory)

    expected = fresh().read()
    assert 3.0 == expected[sample("calls_total", model="a")]
    for at in points(lambda: fresh().read, *READING):
        totals = fresh()
        Interruption(at, *READING).during(totals.read)
        totals.reader._reaped_at = -float("inf")
        assert expected == totals.read()
        assert [] == totals.failures
        workers[-1].add("counter", "calls_total", model="a")
        assert 4.0 == totals.read()[sample("calls_total", model="a")]
