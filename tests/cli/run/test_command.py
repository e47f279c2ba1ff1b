"""`mlmetrics run` on real processes: the directory that it makes and removes, what it hands on, what it refuses."""

import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import pytest

from mlmetrics.cli.run.private import PREFIX
from mlmetrics.cli.run.wrapped import HANDED_ON, holding_signals
from mlmetrics.workers.directory import VARIABLE

RUN = (sys.executable, "-m", "mlmetrics.cli", "run")
SHOW = """
import json, os

directory = os.environ["PROMETHEUS_MULTIPROC_DIR"]
print(json.dumps([directory, os.stat(directory).st_mode, os.listdir(directory)]))
"""
# The handlers write by themselves: `print` may not be called again while a signal interrupts it.
TOLD = """
import os, signal, sys

def end(number, frame):
    os.write(1, f"{signal.Signals(number).name}\\n".encode())
    sys.exit(number)

for number in map(int, sys.argv[1:]):
    signal.signal(number, end)
print("ready", flush=True)
while True:
    signal.pause()
"""
COUNTS_INTERRUPTIONS = """
import os, signal, sys

seen = []
signal.signal(signal.SIGINT, lambda *_: (seen.append(1), os.write(1, b"interrupted\\n")))
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(len(seen)))
print("ready", flush=True)
while True:
    signal.pause()
"""
ON_A_TERMINAL = """
import fcntl, os, sys, termios

fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
OUTLIVES = "import sys; print('ready', flush=True); sys.stdin.read()"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder for private directories."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


def run(*arguments: str | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    environment = {**os.environ, **(env or {})}
    return subprocess.run([*RUN, *arguments], env=environment, capture_output=True, text=True, check=False)


def start(*arguments: str | Path, **options: int) -> "subprocess.Popen[str]":
    """Start the command, whose server prints that it is ready, and wait for that."""
    started = subprocess.Popen([*RUN, *arguments], stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]  # as they come
    assert started.stdout is not None
    assert "ready" == started.stdout.readline().strip()
    process: subprocess.Popen[str] = started
    return process


def python(code: str, *arguments: object) -> tuple[str, ...]:
    """Return a command line that runs this code."""
    return ("--", sys.executable, "-c", code, *map(str, arguments))


class TestDirectory:
    """Where the metrics of the processes meet."""

    def test_is_private_and_removed(self, place: Path) -> None:
        """The command gets a new empty directory that only this user can read; at the end it is gone."""
        done = run("--directory", place, *python(SHOW))
        path, mode, held = json.loads(done.stdout)
        assert (place, True) == (Path(path).parent, Path(path).name.startswith(PREFIX))
        assert (0o40700, []) == (mode, held)
        assert [] == list(place.iterdir())
        assert "" == done.stderr

    def test_is_in_memory_by_default(self) -> None:
        """Without --directory it is on a file system in memory, where the machine has one."""
        path, _, _ = json.loads(run(*python(SHOW)).stdout)
        assert Path("/dev/shm") == Path(path).parent  # noqa: S108 (what is promised)
        assert not Path(path).exists()

    def test_given_is_used_and_kept(self, place: Path) -> None:
        """A directory that the variable names is used as it is, kept at the end, and named in one line."""
        (place / "counter_1.db").touch()
        done = run(*python(SHOW), env={VARIABLE: str(place)})
        path, _, held = json.loads(done.stdout)
        assert (str(place), ["counter_1.db"]) == (path, held)
        assert ["counter_1.db"] == [each.name for each in place.iterdir()]
        assert [f"mlmetrics run: {VARIABLE} is set: {place} is used, and kept at the end"] == done.stderr.splitlines()

    @pytest.mark.parametrize("how", ["variable", "option"])
    @pytest.mark.parametrize("what", ["missing", "file", "unwritable"])
    def test_unusable(self, how: str, what: str, tmp_path: Path) -> None:
        """One that is missing, a file, or cannot be written ends with exit code 2 and one line; nothing is started."""
        (tmp_path / "file").touch()
        path = "/proc" if what == "unwritable" else str(tmp_path / what)
        done = (
            run(*python(SHOW), env={VARIABLE: path}) if how == "variable" else run("--directory", path, *python(SHOW))
        )
        assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
        said = {"missing": "does not exist", "file": "is not a directory", "unwritable": "cannot write"}[what]
        assert path in done.stderr
        assert said in done.stderr

    def test_without_room(self, place: Path) -> None:
        """A file system without room is found before the start: here each file may have no bytes."""
        command = f"ulimit -f 0; {shlex.join([*RUN, '--directory', str(place), 'true'])}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)  # noqa: S607 (a shell)
        assert (2, True) == (done.returncode, f"cannot write in the directory {place}" in done.stderr)

    def test_given_twice(self, place: Path) -> None:
        """The variable and the option together are refused."""
        done = run("--directory", place, *python(SHOW), env={VARIABLE: str(place)})
        assert (2, "") == (done.returncode, done.stdout)
        assert "unset it, or leave out --directory" in done.stderr

    def test_left_by_a_killed_run(self, place: Path) -> None:
        """The next run removes what a killed one has left, but not before the server that uses it has ended."""
        killed = start("--directory", place, *python(OUTLIVES), stdin=subprocess.PIPE)
        (left,) = place.iterdir()
        killed.kill()
        killed.wait()
        run("--directory", place, "true")
        assert [left] == list(place.iterdir())
        killed.communicate()  # ends the server, at the end of its input and of its output
        run("--directory", place, "true")
        assert [] == list(place.iterdir())

    def test_in_use_at_the_end(self, place: Path) -> None:
        """A server that goes on in the background keeps its directory; the next run after it removes it."""
        code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {OUTLIVES!r}], close_fds=False)"
        run_ = subprocess.Popen(
            [*RUN, "--directory", place, *python(code)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert 0 == run_.wait()
        (kept,) = place.iterdir()
        _, said = run_.communicate()
        assert f"{kept} is kept" in said
        run("--directory", place, "true")
        assert [] == list(place.iterdir())


class TestExitCode:
    """What the caller sees of the command."""

    @pytest.mark.parametrize(
        ("command", "code"),
        [(("sh", "-c", "exit 7"), 7), (("sh", "-c", "kill -9 $$"), 137), (("no-such-server",), 127), (("/",), 126)],
    )
    def test_is_that_of_a_shell(self, command: tuple[str, ...], code: int, place: Path) -> None:
        """Its own exit code, 128 + n after signal n, 127 if it is not found, 126 if it cannot be executed."""
        done = run("--directory", place, "--", *command)
        assert code == done.returncode
        assert [] == list(place.iterdir())
        assert (code in {126, 127}) == (f"mlmetrics run: {command[0]}: " in done.stderr)

    def test_names_a_program_beside_python(self, tmp_path: Path) -> None:
        """A server that is installed beside mlmetrics, and not on the path, is named where it is."""
        beside = Path(sys.executable)
        done = run("--", beside.name, env={"PATH": str(tmp_path)})
        assert (127, True) == (done.returncode, f"command not found; there is {beside}" in done.stderr)

    def test_where_child_processes_are_ignored(self) -> None:
        """It is known also where the parent ignores the end of its children, as some supervisors do."""
        code = "import os, signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
        code += f"; os.execv({RUN[0]!r}, {[*RUN, 'false']!r})"
        assert 1 == subprocess.run([sys.executable, "-c", code], check=False).returncode

    def test_needs_a_command(self) -> None:
        """Without a command there is nothing to run."""
        assert 2 == run("--").returncode

    def test_passes_options_on(self) -> None:
        """What follows the command belongs to it, with or without `--` before it."""
        for dashes in ((), ("--",)):
            assert "--workers -- 4\n" == run(*dashes, "echo", "--workers", "--", "4").stdout


class TestSignals:
    """What reaches the server."""

    @pytest.mark.parametrize("number", sorted(HANDED_ON), ids=lambda number: number.name)
    def test_are_handed_on(self, number: signal.Signals) -> None:
        """What is sent to us by a process reaches the server, whose exit code is ours."""
        program = start(*python(TOLD, *map(int, HANDED_ON)))
        program.send_signal(number)
        said, _ = program.communicate()
        assert (number.name, number) == (said.strip(), program.returncode)

    def test_end_the_server_by_default(self, place: Path) -> None:
        """A server without handlers ends by the signal, and the directory is removed."""
        program = start("--directory", place, *python(OUTLIVES), stdin=subprocess.PIPE)
        program.terminate()
        assert 128 + signal.SIGTERM == program.wait()
        assert [] == list(place.iterdir())
        program.communicate()

    def test_of_a_terminal_come_once(self) -> None:
        """Ctrl-C reaches the server once: from the terminal, not from us as well."""
        keyboard, terminal = pty.openpty()
        command = [sys.executable, "-c", ON_A_TERMINAL, *RUN, *python(COUNTS_INTERRUPTIONS)]
        program = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)
        os.close(terminal)
        lines = read_lines(keyboard)
        assert "ready" == next(lines)
        program.send_signal(signal.SIGSTOP)  # so that the server has seen it before we do
        os.write(keyboard, b"\x03")
        assert any("interrupted" in line for line in lines)
        # Of several signals that wait, the one with the lowest number comes first, and this is not the lowest.
        program.send_signal(signal.SIGUSR1)
        program.send_signal(signal.SIGCONT)
        assert 1 == program.wait()
        os.close(keyboard)

    def test_are_as_without_us(self) -> None:
        """Those that Python or we ignore or block are neither ignored nor blocked in the server."""
        command = ["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]
        bare = subprocess.run(command, capture_output=True, text=True, check=True)  # nohup ignores one, for example
        assert masks(bare.stdout) == masks(run(*command).stdout)

    def test_that_come_too_late_are_dropped(self) -> None:
        """One that comes after the server has ended does not end us before the directory is removed."""
        with holding_signals():
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)  # another thread of pytest does not block it
        assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def masks(status: str) -> list[int]:
    """Return the sets of signals in the lines of a status; the C library keeps two of them to itself."""
    return [int(line.split()[1], 16) & ((1 << 31) - 1) for line in status.splitlines()]


def read_lines(terminal: int) -> Iterator[str]:
    """Yield what a program writes to its terminal."""
    text = ""
    while True:
        text += os.read(terminal, 1024).decode()
        *lines, text = text.split("\n")
        yield from (line.strip() for line in lines)


class TestWrapper:
    """The process beside the server."""

    def test_loads_little(self) -> None:
        """It loads click and nothing else of the extra, and nothing that records."""
        code = "import sys; from mlmetrics.cli.root import main; main(['run', 'true'], standalone_mode=False)"
        code += "; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        loaded = set(done.stdout.split())
        assert {"click", "mlmetrics"} <= loaded
        assert set() == loaded & {"grafana_foundation_sdk", "prometheus_client", "pydantic", "structlog", "yaml"}

    def test_needs_no_more_of_the_extra_than_click(self, tmp_path: Path) -> None:
        """Where only click is installed it runs, and the other commands say in one line what they need."""
        for package in ("click", "mlmetrics"):
            (tmp_path / package).symlink_to(Path(import_module(package).__file__ or "").parent)
        bare = [sys.executable, "-S", "-m", "mlmetrics.cli"]
        options = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": ""}, "capture_output": True, "text": True}
        assert 3 == subprocess.run([*bare, "run", "sh", "-c", "exit 3"], check=False, **options).returncode  # type: ignore[call-overload]  # as they come
        done = subprocess.run([*bare, "render"], check=False, **options)  # type: ignore[call-overload]  # as above
        assert (1, 1) == (done.returncode, len(done.stderr.splitlines()))
        assert "needs the extra `cli`" in done.stderr
