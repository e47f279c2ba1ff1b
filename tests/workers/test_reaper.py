"""What becomes of the files of the dead: added up, removed, never in part, and nobody else's files."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlmetrics.workers import mapped, merged
from mlmetrics.workers.directory import is_alive, is_held, locked, start_of, tag_of
from mlmetrics.workers.reaper import reap
from tests.workers.shared import SERVICE, Totals, Worker, client_totals, dead_worker, sample

ROOT = Path(__file__).parents[2]
KILLED = """
import os, signal, sys
from tests.workers.shared import Worker
worker = Worker(sys.argv[1])
worker.add("counter", "calls_total", 3.0)
worker.add("gauge_livesum", "in_progress", 3.0)
os.kill(os.getpid(), signal.SIGKILL)
"""


class TestReap:
    """`reap` adds up the files of dead workers and removes them."""

    def test_a_killed_process(self, tmp_path: Path) -> None:
        """What a process had recorded until SIGKILL stays; its calls in progress do not."""
        done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=False)
        assert -signal.SIGKILL == done.returncode
        totals = Totals(tmp_path, reaps=False)
        assert {sample("calls_total"): 3.0} == totals.read()
        assert 1 == reap(str(tmp_path), SERVICE)
        assert {sample("calls_total"): 3.0} == totals.read() == client_totals(tmp_path)
        assert [] == [path for path in tmp_path.iterdir() if str(done.args[-1]) in path.name]

    def test_a_thousand(self, memory_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of 1,000 dead workers one file of each kind is left, and a read opens no more files than with one."""
        monkeypatch.setattr(mapped, "FIRST_BYTES", 512)
        for _ in range(1000):
            dead_worker(memory_path)
        assert 1000 == reap(str(memory_path), SERVICE)
        tag = tag_of(SERVICE)
        left = [f"{kind}_dead-{tag}-ml.db" for kind in ("counter", "gauge_mostrecent", "histogram")]
        assert [*left, f"reaper-{tag}-ml.lock"] == sorted(os.listdir(memory_path))
        totals = Totals(memory_path)
        assert 1000.0 == totals.read()[sample("calls_total", model="a")]
        assert client_totals(memory_path) == totals.read()
        assert len(left) == len(totals.reader._sources)
        assert 1 << 17 > sum(path.stat().st_size for path in memory_path.iterdir())

    def test_again_and_again(self, tmp_path: Path) -> None:
        """Reaping one after the other gives what reaping all at once does, and nothing stays listed."""
        for number in range(1, 6):
            dead_worker(tmp_path, float(number))
            assert 1 == reap(str(tmp_path), SERVICE)
            assert 0 == reap(str(tmp_path), SERVICE)
            assert [[]] * 3 == [merged.included(path.read_bytes()) for path in tmp_path.glob("*_dead-*")]
        assert 15.0 == client_totals(tmp_path)[sample("calls_total", model="a")]
        assert 5.0 == client_totals(tmp_path)[sample("loaded", model="a")]

    @pytest.mark.parametrize("timestamps", [(20.0, 10.0), (10.0, 20.0)])
    def test_newest_of_the_dead(self, tmp_path: Path, timestamps: tuple[float, float]) -> None:
        """Of the states of several dead workers, the one that was set last is kept, whoever is reaped first."""
        for timestamp in timestamps:
            dead = Worker(tmp_path, dead=True)
            dead.set("loaded", timestamp * 2, timestamp)
            del dead
            reap(str(tmp_path), SERVICE)
        assert {sample("loaded"): 40.0} == client_totals(tmp_path)

    def test_leaves_the_living(self, tmp_path: Path) -> None:
        """Files of this process, and of one that is not seen here and holds them, stay."""
        workers = [Worker(tmp_path), Worker(tmp_path, dead=True)]
        for worker in workers:
            worker.add("counter", "calls_total")
        before = sorted(tmp_path.glob("*.db"))
        assert 0 == reap(str(tmp_path), SERVICE)
        assert before == sorted(tmp_path.glob("*.db"))

    def test_leaves_others(self, tmp_path: Path) -> None:
        """Files of another service, of the client, and of anybody else stay as they are."""
        dead_worker(tmp_path, service="another")
        for name in ("counter_4711.db", "gauge_livesum_4711.db", "notes.txt", "counter_1-1-zzzzzzzz-ml.db"):
            (tmp_path / name).write_bytes(b"theirs")
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        dead_worker(tmp_path)
        reap(str(tmp_path), SERVICE)
        assert before == {path: path.read_bytes() for path in before}

    def test_half_made_files(self, tmp_path: Path) -> None:
        """A file that a worker was making when it died goes."""
        path = tmp_path / f"counter_1-1-{tag_of(SERVICE)}-ml.db.tmp"
        path.write_bytes(b"")
        reap(str(tmp_path), SERVICE)
        assert not path.exists()

    def test_one_at_a_time(self, tmp_path: Path) -> None:
        """While somebody reaps, another one does nothing."""
        dead_worker(tmp_path)
        with locked(str(tmp_path / f"reaper-{tag_of(SERVICE)}-ml.lock"), wait=False):
            assert 0 == reap(str(tmp_path), SERVICE)
        assert 1 == reap(str(tmp_path), SERVICE)

    def test_more_than_a_file_holds(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Sums that are more than the format can say stay where they are, and count."""
        dead_worker(tmp_path, 3.0)
        expected = Totals(tmp_path, reaps=False).read()
        monkeypatch.setattr(merged, "MOST_BYTES", 64)
        assert 0 == reap(str(tmp_path), SERVICE)
        assert expected == Totals(tmp_path).read()

    def test_missing(self, tmp_path: Path) -> None:
        """Without a directory there is nothing to reap."""
        assert 0 == reap(str(tmp_path / "missing"), SERVICE)


def test_two_who_look(tmp_path: Path) -> None:
    """Whoever looks whether a file is held does not seem to hold it."""
    path = tmp_path / "file"
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert not is_held(str(path))
        fcntl.flock(file, fcntl.LOCK_EX)
        assert is_held(str(path))
    assert not is_held(str(path))
    assert not is_held(str(tmp_path / "missing"))


class TestIsAlive:
    """A worker is known by its pid and its start."""

    def test_pid_of_another(self) -> None:
        """A process with the same pid that started at another time is another one."""
        start = start_of(os.getpid())
        assert start
        assert is_alive(os.getpid(), start)
        assert not is_alive(os.getpid(), start + 1)

    def test_zombie(self) -> None:
        """A process that has ended is dead, although its parent has not asked how."""
        child = subprocess.Popen([sys.executable, "-c", ""])
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert start_of(child.pid) is None
        assert 0 == child.wait()

    def test_without_proc(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where there is no /proc, a pid alone must do."""
        monkeypatch.setattr("mlmetrics.workers.directory._PROC", "/proc/missing")
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        assert 0 == start_of(child.pid) == start_of(1)
        child.communicate(b"\n")
        assert start_of(child.pid) is None
