"""Programs that tests start on loopback and end.

Every program gets a free port and a folder of its own; what it prints is kept, and is
part of the error when the program does not become ready.
"""

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import pytest

HOST = "127.0.0.1"
READY_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05
NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""What clients of plain HTTP trust: nobody. To read all authorities takes each client 20 ms of processor time."""
_ADMINISTRATOR_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def free_port() -> int:
    """Return a TCP port on loopback on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def find_program(*names: str, package: str) -> str:
    """Return the path of the first of `names` that is installed, as Debian's `package` does.

    If it is missing, the test fails in CI, so that no test is left out unnoticed. Elsewhere the test
    is skipped, with the command that installs the package.
    """
    folders = os.pathsep.join((os.environ.get("PATH", os.defpath), *_ADMINISTRATOR_FOLDERS))
    for name in names:
        if path := shutil.which(name, path=folders):
            return path
    message = f"no {names[0]} on this machine: apt-get install -y --no-install-recommends {package}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def wait_until(condition: Callable[[], object], *, timeout: float, what: Callable[[], str]) -> None:
    """Return once `condition` is true; after `timeout` seconds fail with what `what` says then."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout:g} s: {what()}")
        time.sleep(POLL_SECONDS)


class Program(ABC):
    """A context manager over one program that listens on a port of loopback.

    A subclass says how it is called (`command`) and when it is ready (`ready_path`, answered
    with 200; without one, as soon as the port accepts connections).
    """

    ready_path: str = ""
    _process: subprocess.Popen[bytes] | None = None

    def __init__(self, *, port: int | None = None, env: Mapping[str, str] | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._env = {**os.environ, **(env or {})}

    @abstractmethod
    def command(self, directory: Path) -> Sequence[str]:
        """Return the command line; `directory` is the program's own, empty when it starts."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="mlmetrics-", ignore_cleanup_errors=True)
        self.directory = Path(self._folder.name)
        self._log = self.directory / "program.log"
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    @property
    def log(self) -> str:
        """What the program has printed so far."""
        return self._log.read_text(errors="replace")

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running process."""
        if self._process is None:
            raise RuntimeError(f"{type(self).__name__} was not started")
        return self._process

    def kill(self) -> None:
        """End the program at once, as a crash of its machine would; its folder stays."""
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        """Start the program that was killed, on its old folder and port."""
        self._start()

    def _start(self) -> None:
        command = self.command(self.directory)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._env)
        wait_until(
            self._ready_or_gone,
            timeout=READY_SECONDS,
            what=lambda: f"{command[0]} is not ready; it printed:\n{self.log}",
        )
        if (code := self.process.poll()) is not None:
            pytest.fail(f"{command[0]} ended with exit code {code}; it printed:\n{self.log}")

    def _ready_or_gone(self) -> bool:
        return self.process.poll() is not None or self._ready()

    def _ready(self) -> bool:
        try:
            if self.ready_path:
                return self.get(self.ready_path).status_code == httpx.codes.OK
            socket.create_connection((HOST, self.port), timeout=1).close()
        except (httpx.TransportError, OSError):
            return False
        return True

    def get(self, path: str, **parameters: str) -> httpx.Response:
        """GET `path` of the program."""
        return httpx.get(self.url + path, params=parameters, trust_env=False, timeout=10, verify=NO_AUTHORITIES)

    def post(self, path: str) -> httpx.Response:
        """POST to `path` of the program, with an empty body."""
        return httpx.post(self.url + path, trust_env=False, timeout=10, verify=NO_AUTHORITIES)

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        self._folder.cleanup()
