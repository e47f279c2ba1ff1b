"""Slots: small numbers for workers, used again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlmetrics.workers.directory import locked, start_of, tag_of
from mlmetrics.workers.slots import Worker, live_workers, slot_of_this_process

ROOT = Path(__file__).parents[2]
ASKS = """
import sys
from mlmetrics.workers.slots import slot_of_this_process
print(slot_of_this_process(sys.argv[1], "s"), flush=True)
input()
"""


def other(directory: Path) -> "subprocess.Popen[str]":
    """Start another worker, which ends when its input does."""
    command = [sys.executable, "-c", ASKS, str(directory)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def first_line(process: "subprocess.Popen[str]") -> int:
    """Return the slot that another worker has got."""
    assert process.stdout
    return int(process.stdout.readline())


def test_slots_are_used_again(tmp_path: Path) -> None:
    """Each worker gets the smallest number that no living worker has, and keeps it."""
    first = other(tmp_path)
    assert 0 == first_line(first)
    assert 1 == slot_of_this_process(str(tmp_path), "s")
    third = other(tmp_path)
    assert 2 == first_line(third)
    assert [0, 1, 2] == [worker.slot for worker in live_workers(str(tmp_path), "s")]
    first.communicate("\n")
    assert [1, 2] == [worker.slot for worker in live_workers(str(tmp_path), "s")]
    fourth = other(tmp_path)
    assert 0 == first_line(fourth)
    assert 1 == slot_of_this_process(str(tmp_path), "s")
    for process in (third, fourth):
        process.communicate("\n")
    mine = Worker(1, os.getpid(), start_of(os.getpid()) or 0)
    assert [mine] == live_workers(str(tmp_path), "s")


def test_services_have_slots_of_their_own(tmp_path: Path) -> None:
    """Two services in one directory count apart."""
    first = other(tmp_path)
    assert 0 == first_line(first)
    assert 0 == slot_of_this_process(str(tmp_path), "another")
    first.communicate("\n")


@pytest.mark.parametrize("text", ["", "{", "[[1]]", "7", json.dumps([["a", "b", "c"]])])
def test_a_file_of_somebody_else(tmp_path: Path, text: str) -> None:
    """What is not ours counts as no worker, and is replaced."""
    (tmp_path / f"workers-{tag_of('s')}-ml.json").write_text(text)
    assert [] == live_workers(str(tmp_path), "s")
    assert 0 == slot_of_this_process(str(tmp_path), "s")
    assert [0] == [worker.slot for worker in live_workers(str(tmp_path), "s")]


def test_missing(tmp_path: Path) -> None:
    """Without a directory there is no slot, which the caller is told, and no worker."""
    with pytest.raises(FileNotFoundError):
        slot_of_this_process(str(tmp_path / "missing"), "s")
    assert [] == live_workers(str(tmp_path / "missing"), "s")


def test_a_lock_that_this_process_has(tmp_path: Path) -> None:
    """A signal handler that asks for a lock that its thread holds does not wait for itself."""
    path = str(tmp_path / "lock")
    with locked(path, wait=True) as first, locked(path, wait=True) as second:
        assert (True, False) == (first, second)
    with locked(path, wait=True) as again:
        assert again
