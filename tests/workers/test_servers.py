"""Real servers with several workers: they are started, answer, and end as without us, and tell what is missing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlmetrics.workers.directory import start_of
from tests.programs import wait_until
from tests.workers.serving import SERVERS, WorkersServer

END_SECONDS = 30.0


@pytest.mark.parametrize("server", SERVERS)
def test_is_run(server: str) -> None:
    """TERM ends a server and its workers, the exit code is the server's, and the directory goes; nobody is warned."""
    with WorkersServer(server, "run") as program:
        _, workers = program.work()
        assert (program.workers, 1) == (len(workers), len(list(program.place.iterdir())))
        program.process.terminate()
        assert 0 == program.process.wait(END_SECONDS)
        assert [] == list(program.place.iterdir())
        assert [None] * len(workers) == [start_of(worker) for worker in workers]
        assert "mlmetrics" not in program.log


@pytest.mark.parametrize("server", SERVERS)
class TestWarning:
    """Without a directory, or with a directory that cannot be used."""

    def test_once_for_all_workers(self, server: str, tmp_path: Path) -> None:
        """Several workers that count alone are told once for each start."""
        with WorkersServer(server, "alone", env={"TMPDIR": str(tmp_path)}) as program:
            _, workers = program.work()
            (told,) = (line for line in program.log.splitlines() if "mlmetrics" in line)
            listed = ", ".join(map(str, sorted(workers)))
            assert f"mlmetrics: this server has 2 workers (processes {listed}), and each of them counts alone" in told

    def test_not_for_one_worker(self, server: str) -> None:
        """One worker counts for all."""
        with WorkersServer(server, "alone", workers=1) as program:
            program.work()
            assert "mlmetrics" not in program.log


class TestHangUp:
    """Signals by which servers are told more than to end."""

    def test_reloads_gunicorn(self) -> None:
        """HUP is handed on: gunicorn replaces its workers, and goes on."""
        with WorkersServer("gunicorn", "run") as program:
            _, before = program.work()
            program.process.send_signal(signal.SIGHUP)
            wait_until(lambda: not any(map(start_of, before)), timeout=END_SECONDS, what=lambda: program.log)
            _, after = program.work()
            assert set() == before & after

    def test_changes_the_number_of_workers(self) -> None:
        """TTIN is handed on: gunicorn starts one more."""
        with WorkersServer("gunicorn", "run", workers=2) as program:
            program.process.send_signal(signal.SIGTTIN)
            program.workers = 3
            assert 3 == len(program.work()[1])


def test_hooks_of_gunicorn(tmp_path: Path) -> None:
    """Its configuration loads them: an earlier start's files go, and a dead worker leaves no live gauge."""
    configuration = tmp_path / "gunicorn.conf.py"
    configuration.write_text("from mlmetrics.workers.gunicorn import child_exit, on_starting\n")
    stale = tmp_path / f"counter_{pid_of_nobody()}.db"
    stale.touch()
    env = {"GUNICORN_CMD_ARGS": f"--config {configuration}", "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    with WorkersServer("gunicorn", "alone", env=env) as program:
        _, workers = program.work()
        assert not stale.exists()
        killed = min(workers)
        live = tmp_path / f"gauge_livesum_{killed}.db"
        live.touch()
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: not live.exists(), timeout=END_SECONDS, what=lambda: program.log)
        assert killed not in program.work()[1]


def pid_of_nobody() -> int:
    """Return the pid of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid
