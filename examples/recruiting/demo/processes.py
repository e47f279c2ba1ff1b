"""The servers that the demo starts, and always ends."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from examples.recruiting.addresses import LANGUAGE_MODEL, STARTED, Service
from examples.recruiting.demo.interrupts import POLL_SECONDS
from examples.recruiting.demo.settings import DemoFailure

ROOT = Path(__file__).parents[3]
READY_WITHIN_SECONDS = 90.0
STOP_WITHIN_SECONDS = 5.0
LOG_TAIL_LINES = 20


@dataclass(frozen=True, slots=True)
class Server:
    """A process, where its output goes, and the address that answers 200 once it is ready."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    ready_url: str

    def failure(self, what: str) -> DemoFailure:
        """Say what happened, with the end of the server's log."""
        tail = self.log.read_text("utf-8", "replace").splitlines()[-LOG_TAIL_LINES:]
        return DemoFailure("\n".join([f"{self.name} {what}. The end of its log:", *tail]))


class Processes:
    """Starts servers, logging into one folder; leaving the `with` block ends them all.

    `check` is called while waiting, and raises to stop it.
    """

    def __init__(self, folder: Path, check: Callable[[], None]) -> None:
        self._folder = folder
        self._check = check
        self._servers: list[Server] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, command: list[str], ready_url: str) -> None:
        """Start a server; it gets a session of its own, so that Ctrl-C reaches the demo alone."""
        log = self._folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._servers.append(Server(name, process, log, ready_url))

    def start_services(self) -> None:
        """Start the language model and the four services."""
        for service in STARTED:
            self.start_service(service)

    def start_service(self, service: Service) -> None:
        """Start one of them."""
        self.start(service.name, [sys.executable, "-m", service.module], f"{service.url}/health")

    def check(self) -> None:
        """Raise if a server has ended by itself, or the user wants to end."""
        self._check()
        for server in self._servers:
            if server.process.poll() is not None:
                raise server.failure(f"ended with code {server.process.returncode}")

    def wait_ready(self) -> None:
        """Return when every server answers."""
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        for server in self._servers:
            while not answers(server.ready_url):
                self.check()
                if time.monotonic() > deadline:
                    raise server.failure(f"did not answer within {READY_WITHIN_SECONDS:g} s")
                time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """End every server: first with SIGTERM, then with SIGKILL."""
        for server in self._servers:
            server.process.terminate()
        deadline = time.monotonic() + STOP_WITHIN_SECONDS
        for server in self._servers:
            try:
                server.process.wait(max(deadline - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                server.process.kill()
                server.process.wait()
        self._servers.clear()


def environment() -> dict[str, str]:
    """Return what leads OpenAI's SDK to the demo's own language model, and makes that one quick."""
    return {
        "OPENAI_BASE_URL": f"{LANGUAGE_MODEL.url}/v1",
        "OPENAI_API_KEY": "none",
        "LANGUAGE_MODEL_FIRST_WORD_SECONDS": "0.02",
        "LANGUAGE_MODEL_BETWEEN_WORDS_SECONDS": "0.001",
    }


def answers(url: str) -> bool:
    """Say whether a GET of the address is answered by 200."""
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
