"""The private directory: two that start at the same moment, and directories of others."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mlmetrics.cli.run.private import PREFIX, PrivateDirectory, parents, remove_leftovers, remove_unused


def test_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that another run removes, before it is locked, is replaced by another."""
    make = tempfile.mkdtemp
    made: list[Path] = []

    def removed_at_first(**options: object) -> str:
        path: str = make(**options)  # type: ignore[call-overload]  # as they come
        if not made:
            shutil.rmtree(path)
        made.append(Path(path))
        return path

    monkeypatch.setattr(tempfile, "mkdtemp", removed_at_first)
    directory = PrivateDirectory(tmp_path)
    first, second = made
    assert (second, [second]) == (directory.path, list(tmp_path.iterdir()))
    assert first != second
    assert directory.end()


def test_is_made_again_if_removed_while_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same between its being opened and its being locked."""
    lock = fcntl.flock
    locked: list[int] = []

    def removed_at_first(descriptor: int, how: int) -> None:
        if not locked:
            shutil.rmtree(next(tmp_path.iterdir()))
        locked.append(descriptor)
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", removed_at_first)
    directory = PrivateDirectory(tmp_path)
    assert [directory.path] == list(tmp_path.iterdir())
    assert directory.end()


class TestLeftovers:
    """What `remove_leftovers` removes."""

    def test_keeps_what_is_locked(self, tmp_path: Path) -> None:
        """A directory that is in use stays, with its files."""
        directory = PrivateDirectory(tmp_path)
        (directory.path / "counter_1.db").touch()
        remove_leftovers(tmp_path)
        assert (directory.path / "counter_1.db").exists()
        assert directory.end()

    def test_keeps_what_is_not_ours(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Other names, links, files and directories of other users stay."""
        target = tmp_path / "target"
        target.mkdir()
        (tmp_path / f"{PREFIX}link").symlink_to(target)
        (tmp_path / f"{PREFIX}file").touch()
        remove_leftovers(tmp_path)
        assert 3 == len(list(tmp_path.iterdir()))
        (tmp_path / f"{PREFIX}directory").mkdir()
        with monkeypatch.context() as patch:
            patch.setattr(os, "geteuid", lambda: os.getuid() + 1)
            remove_leftovers(tmp_path)
        assert 4 == len(list(tmp_path.iterdir()))
        remove_leftovers(tmp_path)
        assert 3 == len(list(tmp_path.iterdir()))

    def test_may_be_gone(self, tmp_path: Path) -> None:
        """One that somebody else has removed counts as removed."""
        assert remove_unused(tmp_path / "gone")


def test_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory first, then the user's runtime directory, then the temporary one; only those that can be written."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    assert [Path("/dev/shm"), tmp_path] == list(parents())  # noqa: S108 (what is promised)
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert [Path("/dev/shm"), tmp_path] == list(parents())  # noqa: S108 (as above)


def test_a_directory_whose_files_are_written_stays(tmp_path: Path) -> None:
    """Where a process that an ended server has spawned still records, the directory stays until that ends."""
    directory = PrivateDirectory(tmp_path)
    code = f"""
import sys
from mlmetrics.workers.files import WorkerFiles
files = WorkerFiles({str(directory.path)!r}, "s", print)
files.place("counter", "calls", "calls_total", (), (), "Calls.")
print("ready", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as spawned:
        assert spawned.stdout is not None
        assert b"ready\n" == spawned.stdout.readline()
        assert not directory.end()
        remove_leftovers(tmp_path)
        assert directory.path.exists()
        spawned.kill()
    remove_leftovers(tmp_path)
    assert not directory.path.exists()
