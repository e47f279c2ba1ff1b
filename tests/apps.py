"""Servers in Python that tests start on loopback: ASGI applications, and receivers of what is sent by HTTP."""

import json
import socket
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn

from tests.programs import HOST, Program, wait_until

_START_SECONDS = 30.0


class UvicornServer(Program):
    """The application `app` (`"module:name"`) under uvicorn, in a process of its own.

    `ready_path` is asked until it answers 200; without one, accepting connections is enough.
    """

    def __init__(
        self,
        app: str,
        *,
        env: Mapping[str, str] | None = None,
        port: int | None = None,
        args: Sequence[str] = (),
        ready_path: str = "",
    ) -> None:
        super().__init__(port=port, env=env)
        self._app = app
        self._args = args
        self.ready_path = ready_path

    def command(self, directory: Path) -> list[str]:
        """Return the command line."""
        place = ("--host", HOST, "--port", str(self.port))
        return [sys.executable, "-m", "uvicorn", self._app, *place, "--log-level", "warning", *self._args]


class ThreadServer:
    """The ASGI application `app` under uvicorn, in a thread of this process."""

    def __init__(self, app: Any, **options: Any) -> None:
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, **options))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._socket = socket.socket()

    def __enter__(self) -> Self:
        self._socket.bind((HOST, 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://{HOST}:{self.port}"
        self._thread.start()
        wait_until(
            lambda: self._server.started or not self._thread.is_alive(),
            timeout=_START_SECONDS,
            what=lambda: "the application has not started",
        )
        assert self._server.started, "the application ended at start-up"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(_START_SECONDS)
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])


class HandlerServer(ABC):
    """An HTTP server on loopback, in threads of this process; a subclass gives the class that answers its requests."""

    @abstractmethod
    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the class that answers."""

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer((HOST, 0), self.handler())
        self.port = self._server.server_address[1]
        self.url = f"http://{HOST}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class QuietHandler(BaseHTTPRequestHandler):
    """Prints nothing on the terminal, and sends texts."""

    def answer(self, status: int, text: bytes = b"", **headers: str) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Print nothing."""


@dataclass(frozen=True)
class Told:
    """What one request said."""

    path: str
    authorization: str
    body: Any


class HTTPReceiver(HandlerServer):
    """Keeps every POST in `told`, oldest first, and answers with `status`."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.told: list[Told] = []

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the class that answers."""
        receiver = self

        class Handler(QuietHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.told.append(Told(self.path, self.headers.get("Authorization", ""), body))
                self.answer(receiver.status, b"ok")

        return Handler

    @property
    def bodies(self) -> list[Any]:
        """The bodies, oldest first."""
        return [each.body for each in list(self.told)]

    def at(self, path: str) -> list[Told]:
        """Return what was told at paths that begin with `path`."""
        return [each for each in list(self.told) if each.path.startswith(path)]

    def wait(self, count: int = 1, *, timeout: float = 30.0) -> list[Any]:
        """Return `bodies` once there are `count`; fail after `timeout` seconds."""
        wait_until(
            lambda: len(self.told) >= count, timeout=timeout, what=lambda: f"{count} requests; got {self.bodies}"
        )
        return self.bodies
