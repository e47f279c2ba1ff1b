"""What is done with our files and with prometheus_client's when workers and servers, real ones, begin and end."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

import mlmetrics
from mlmetrics import MLMetrics
from mlmetrics.workers.gunicorn import child_exit, on_starting

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
WORKS = """
import os, sys
from prometheus_client import Counter, Gauge
from mlmetrics.workers.files import WorkerFiles

Counter("jobs", "Jobs.").inc()
Gauge("busy", "Busy.", multiprocess_mode="livesum").set(1)
files = WorkerFiles(os.environ["PROMETHEUS_MULTIPROC_DIR"], "s", print)
files.place("counter", "calls", "calls_total", (), (), "Calls.")
files.place("gauge_livesum", "calls_in_progress", "calls_in_progress", (), (), "Calls.")
print(os.getpid(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory that the variable names."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


def start() -> "subprocess.Popen[str]":
    """Start a worker that has recorded something with the client and with ours."""
    command = [sys.executable, "-c", WORKS]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    assert str(worker.pid) == worker.stdout.readline().strip()
    return worker


def end(worker: "subprocess.Popen[str]") -> int:
    """End it, and return its pid."""
    worker.communicate()
    return worker.pid


def held(directory: Path, pid: int) -> set[str]:
    """Return what the directory holds of a process, its pid and what follows left out."""
    names = (path.name.partition(f"_{pid}") for path in directory.iterdir())
    return {f"{kind} of {'ours' if '-ml' in rest else 'the client'}" for kind, found, rest in names if found}


CLIENT = {"counter of the client", "gauge_livesum of the client"}
OURS = {"counter of ours", "gauge_livesum of ours"}


class TestGunicorn:
    """The hooks."""

    def test_child_exit(self, directory: Path) -> None:
        """What a dead worker has counted stays, ours in the file of the dead; its live gauges and in progress go."""
        pid, other = end(start()), start()
        assert CLIENT | OURS == held(directory, pid)
        child_exit(None, SimpleNamespace(pid=pid))
        assert {"counter of the client"} == held(directory, pid)
        assert 1 == len(list(directory.glob("counter_dead-*-ml.db")))
        assert CLIENT | OURS == held(directory, end(other))

    def test_on_starting(self, directory: Path) -> None:
        """What an earlier start of the server has left of the client's goes; ours are added up."""
        pid = end(start())
        own = directory / f"counter_{os.getpid()}.db"
        own.touch()
        (directory / "notes.txt").touch()
        on_starting(None)
        assert set() == held(directory, pid)
        assert 1 == len(list(directory.glob("counter_dead-*-ml.db")))
        assert own.exists()
        assert (directory / "notes.txt").exists()

    def test_on_starting_beside_another_server(self, directory: Path) -> None:
        """If another server uses the directory, the client's files of its dead workers stay: they count for it."""
        pid, other = end(start()), start()
        on_starting(None)
        assert CLIENT == held(directory, pid)
        assert CLIENT | OURS == held(directory, end(other))

    def test_nothing_to_do(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Without a directory, and with one that is gone, gunicorn goes on."""
        for value in ("", str(tmp_path / "gone")):
            monkeypatch.setenv(VARIABLE, value)
            on_starting(None)
            child_exit(None, SimpleNamespace(pid=1))


class TestLifespan:
    """The context manager for applications."""

    def test_reaps_and_takes_leave(self, directory: Path) -> None:
        """At the start the dead are added up; at the end the client's live gauges forget it."""
        pid, other = end(start()), f"gauge_livesum_{os.getpid()}.db"
        metrics = MLMetrics(service="s", registry=CollectorRegistry())
        (directory / other).touch()
        with TestClient(FastAPI(lifespan=metrics.lifespan)):
            assert CLIENT == held(directory, pid)
            assert (directory / other).exists()
        assert not (directory / other).exists()

    def test_is_public(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """That of the default toolkit is a name of the package; without a directory it does nothing."""
        with TestClient(FastAPI(lifespan=mlmetrics.lifespan)) as client:
            assert 404 == client.get("/").status_code
