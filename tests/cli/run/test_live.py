"""`mlmetrics run --live` on real servers: the page finds them, follows them, and ends with them."""

import os
import pty
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Self

import httpx
import pytest

from mlmetrics.cli.run.private import PREFIX
from mlmetrics.live.beside import _descendants, find_pages, listening_places
from mlmetrics.live.guard import TOKEN_VARIABLE
from mlmetrics.workers.directory import VARIABLE
from tests.cli.run.test_command import ON_A_TERMINAL
from tests.live.following import newest
from tests.live.viewing import ADDRESS, Data, see, states
from tests.programs import HOST, NO_AUTHORITIES, free_port, wait_until

RUN = (sys.executable, "-m", "mlmetrics.cli", "run", "--live", "--")
BIN = Path(sys.executable).parent
PATIENCE_SECONDS = 60.0
FASTAPI = """
from fastapi import FastAPI
from mlmetrics import instrument

app = FastAPI()
instrument(app, service_name="shown")

@app.get("/hello")
def hello() -> str:
    return "before"
"""
WSGI = "from prometheus_client import make_wsgi_app\napp = make_wsgi_app()\n"
TWO_ADDRESSES = """
import socket, sys
families = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}
kept = [socket.create_server((host, int(sys.argv[1])), family=family) for host, family in families.items()]
print("ready", flush=True)
sys.stdin.read()
"""


class Run:
    """`mlmetrics run --live` on a terminal of its own."""

    def __init__(self, *command: str | Path, cwd: Path, token: str = "") -> None:
        self._command = [sys.executable, "-c", ON_A_TERMINAL, *RUN, *map(str, command)]
        self._cwd = cwd
        self._env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), TOKEN_VARIABLE: token}
        for name in ("DISPLAY", "WAYLAND_DISPLAY"):  # a desktop, where the page would be opened
            self._env.pop(name, None)
        self.printed = ""

    def __enter__(self) -> Self:
        self._keyboard, terminal = pty.openpty()
        self.process = subprocess.Popen(
            self._command,
            cwd=self._cwd,
            env=self._env,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        return self

    def __exit__(self, *_: object) -> None:
        for pid in (*self.processes(), self.process.pid):
            kill(pid)
        self.wait()
        os.close(self._keyboard)

    def _read(self) -> None:
        try:
            while text := os.read(self._keyboard, 4096):
                self.printed += text.decode()
        except OSError:  # no program has the terminal any more
            pass

    def address(self) -> str:
        """Return the address of the page, once it is told."""
        wait_until(lambda: " shows " in self.printed, timeout=PATIENCE_SECONDS, what=lambda: self.printed)
        addresses: list[str] = ADDRESS.findall(self.printed.partition(" shows ")[0])
        return addresses[-1]

    def processes(self) -> dict[int, str]:
        """Return the command lines of all processes beneath it."""
        return {pid: text for pid in _descendants(self.process.pid) if (text := command_of(pid))}

    def page(self) -> int:
        """Return the process of the page."""
        (pid,) = (pid for pid, text in self.processes().items() if "mlmetrics.live.beside" in text)
        return pid

    def press_ctrl_c(self) -> None:
        """Interrupt what runs on the terminal."""
        os.write(self._keyboard, b"\x03")

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        code = self.process.wait(PATIENCE_SECONDS)
        self._reading.join(PATIENCE_SECONDS)
        return code


def command_of(pid: int) -> str:
    """Return the command line of a process, empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def kill(pid: int) -> None:
    """End a process at once, if it has not ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def has_ended(pid: int) -> bool:
    """Whether a process has ended; its parent need not have waited for it."""
    return not command_of(pid)


def get(url: str) -> str:
    """Return what a server answers, or why it does not."""
    try:
        return httpx.get(url, trust_env=False, timeout=10, verify=NO_AUTHORITIES).text
    except httpx.TransportError as error:
        return str(error)


def is_read(data: Data) -> bool:
    """Whether all targets are up."""
    return bool(states(data)) and all(is_up for is_up, _ in states(data).values())


def test_follows_a_server_that_reloads(tmp_path: Path) -> None:
    """The numbers go on after the code has changed; at Ctrl-C all ends, and nobody prints a traceback."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "app.py").write_text(FASTAPI)
    place = f"127.0.0.2:{free_port()}"
    host, port = place.split(":")
    hello = f"http://{place}/hello"
    with Run(BIN / "uvicorn", "app:app", "--reload", "--host", host, "--port", port, cwd=code) as run:
        address = run.address()
        assert {f"http://{place}/metrics"} == set(states(see(address, is_read)))
        page = run.page()
        environment = Path(f"/proc/{page}/environ").read_text()
        assert VARIABLE not in environment
        assert PREFIX not in " ".join(str(link.readlink()) for link in Path(f"/proc/{page}/fd").iterdir())
        (code / "app.py").write_text(FASTAPI.replace("before", "after"))
        wait_until(lambda: "after" in get(hello), timeout=PATIENCE_SECONDS, what=lambda: run.printed)

        def goes_on(data: Data) -> bool:
            return "after" in get(hello) and is_read(data) and bool(newest(data, "api-request-rate").get("shown"))

        see(address, goes_on)
        processes = run.processes()
        assert len(processes) >= 3
        run.press_ctrl_c()
        assert 0 == run.wait()
        assert [] == [text for pid, text in processes.items() if not has_ended(pid)]
    assert "Traceback" not in run.printed


def test_two_at_once(tmp_path: Path) -> None:
    """Each has a page on a port of its own, which ends if its server does not, and whose end ends no server."""
    (tmp_path / "app.py").write_text(FASTAPI)
    (tmp_path / "wsgi.py").write_text(WSGI)
    first, second = free_port(), free_port()
    late = f"sleep 2; exec {BIN}/uvicorn app:app --workers 2 --host ::1 --port {first}"
    with Run("sh", "-c", late, cwd=tmp_path) as one:
        address = one.address()
        assert {f"http://[::1]:{first}/metrics"} == set(states(see(address, is_read)))
        gunicorn = (BIN / "gunicorn", "wsgi:app", "--workers", "2", "--bind", f"{HOST}:{second}")
        with Run(*gunicorn, cwd=tmp_path, token="of-viewers") as other:  # noqa: S106 - of tests
            assert other.address().endswith("/?token=of-viewers")
            assert address != other.address()
            assert (":5080/" in other.address()) != ("port 5080 is taken" in other.printed)
            see(other.address(), is_read)

            page = one.page()
            servers = one.processes()
            one.process.kill()
            wait_until(lambda: has_ended(page), timeout=PATIENCE_SECONDS, what=lambda: "the page has not ended")
            for pid in servers:
                kill(pid)

            kill(page := other.page())
            wait_until(lambda: has_ended(page), timeout=PATIENCE_SECONDS, what=lambda: "the page has not ended")
            assert "# TYPE" in get(f"http://{HOST}:{second}/metrics")
            other.process.terminate()
            assert 0 == other.wait()


def test_a_command_that_ends_at_once(tmp_path: Path) -> None:
    """It reads what the caller types, its exit code is handed on, and no page is left or spoken of."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [*RUN, "sh", "-c", "cat; exit 7"]
    done = subprocess.run(command, input="typed", cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (7, "typed", "") == (done.returncode, done.stdout, done.stderr)


def test_a_server_without_metrics(tmp_path: Path) -> None:
    """It is told once where metrics were looked for; once they are there, they are found."""
    port = free_port()
    command = f"{sys.executable} -m http.server {port} --bind {HOST}; true"
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        (tmp_path / "metrics").write_text("# TYPE a counter\na 1\n")

    with subprocess.Popen(["sh", "-c", command], cwd=tmp_path, stderr=subprocess.DEVNULL) as shell:  # noqa: S607 - a shell
        try:
            place = {f"{HOST}:{port}"}
            wait_until(lambda: listening_places(shell.pid) == place, timeout=30, what=lambda: "it does not listen")
            assert [f"http://{HOST}:{port}/metrics"] == find_pages(shell.pid, tell, told_after_seconds=0)
            assert [f"no metrics were found at http://{HOST}:{port}/metrics; if they are elsewhere, "] == [
                text.partition("run `mlmetrics live`")[0] for text in told
            ]
        finally:
            for pid in _descendants(shell.pid):
                kill(pid)


def test_a_command_that_is_no_server() -> None:
    """It is told that the command does not listen."""

    def tell(text: str) -> None:
        raise InterruptedError(text)

    with (
        subprocess.Popen(["cat"], stdin=subprocess.PIPE) as command,  # noqa: S607 - a program of the system
        pytest.raises(InterruptedError, match="the command listens on no port yet"),
    ):
        find_pages(command.pid, tell, told_after_seconds=0)


def test_one_server_on_two_addresses() -> None:
    """A server that listens on two addresses with one port, as for `localhost`, is one target."""
    port = free_port()
    shell = ["sh", "-c", '"$@"; true', "sh", sys.executable, "-c", TWO_ADDRESSES, str(port)]
    with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert b"ready\n" == server.stdout.readline()
        assert {f"{HOST}:{port}"} == listening_places(server.pid)
        server.communicate()


def test_without_the_extra(tmp_path: Path) -> None:
    """Where only click is installed, both ways to the page say in one line what to install."""
    for package in ("click", "mlmetrics"):
        (tmp_path / package).symlink_to(Path(import_module(package).__file__ or "").parent)
    bare = [sys.executable, "-S", "-m", "mlmetrics.cli"]
    env = {**os.environ, "PYTHONPATH": ""}

    def told(*arguments: str) -> tuple[int, list[str]]:
        done = subprocess.run([*bare, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).splitlines()

    code, (line,) = told("live", "http://localhost:1", "--port", "0")
    assert (1, True) == (
        code,
        line.startswith("mlmetrics: the live page needs the extra `live`: pip install '.[live]'"),
    )
    code, (line,) = told("run", "--live", "true")
    assert (2, True) == (code, line.startswith("Error: the live page needs the extra `live`: pip install '.[live]'"))
    code, lines = told("--help")
    assert 0 == code
    assert "  live    Needs the extra `live`." in lines


def test_without_input(tmp_path: Path) -> None:
    """Where the caller has closed its input, the page ends with the command as well."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    line = ["sh", "-c", 'exec "$@" <&-', "sh", *RUN, "true"]
    assert 0 == subprocess.run(line, cwd=tmp_path, env=env, check=False).returncode
