"""A disk that is full: the program goes on, what had its place is counted, and what had not is reported."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workers.shared import Totals, Worker, sample
from tests.workers.test_kills import run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a file system of 384 KiB in memory; only the administrator can mount one."""
    command = ["mount", "-t", "tmpfs", "-o", "size=384k", "tmpfs", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"this test mounts a small tmpfs and must run as root: {done.stderr}"
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)  # noqa: S607 (found on the path)


def test_full_disk(small_disk: Path) -> None:
    """Values that have a place go on, others get none and one report, and all is well once there is room."""
    assert [] == run("full_disk", str(small_disk))


def test_read_only(small_disk: Path) -> None:
    """Where nothing can be written, what is there is read, and new values are reported once."""
    dead = Worker(small_disk, dead=True)
    dead.add("counter", "calls_total")
    del dead
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)  # noqa: S607 (as above)
    worker, totals = Worker(small_disk), Totals(small_disk)
    worker.add("counter", "calls_total")
    worker.add("counter", "other_total")
    assert {sample("calls_total"): 1.0} == totals.read()
    assert ["workers"] == [where for where, _ in worker.failures]
    assert [] == totals.failures
