"""A small server in front of a Pushgateway: asks for a token, answers as it is told, and forwards the rest."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import httpx

from tests.programs import HOST, Program


@dataclass(frozen=True)
class Asked:
    """One request: its method, its path, and its headers by lower-case name."""

    method: str
    path: str
    headers: Mapping[str, str]


class Front:
    """Answers the first requests with `statuses`, and forwards later ones to a gateway.

    With a `token`, requests without it are answered by 401. A status of 0 answers nothing until `release`.
    """

    def __init__(self, gateway: Program, *, token: str = "", statuses: tuple[int, ...] = ()) -> None:
        self._gateway = gateway
        self._token = token
        self._statuses = list(statuses)
        self._released = threading.Event()
        self.reached = threading.Event()
        self.asked: list[Asked] = []

    def __enter__(self) -> Self:
        front = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                front.asked.append(Asked(self.command, self.path, headers))
                front.reached.set()
                status, text = front.answer(front.asked[-1], body)
                if not status:
                    front.hold()
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                if 300 <= status < 400:
                    self.send_header("Location", f"{front.url}/elsewhere")
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815 (the names that http.server looks for)

            def log_request(self, code: object = "-", size: object = "-") -> None:
                """Say nothing on the terminal."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def hold(self) -> None:
        """Wait until the test goes on, or ends."""
        self._released.wait()

    def release(self) -> None:
        """Drop the requests that were not answered."""
        self._released.set()

    def answer(self, asked: Asked, body: bytes) -> tuple[int, bytes]:
        """Return status and text of the answer to a request."""
        if self._statuses:
            return self._statuses.pop(0), b"as the test says\n"
        if self._token and asked.headers.get("authorization") != f"Bearer {self._token}":
            return 401, b"Unauthorized\n"
        kept = {name: text for name, text in asked.headers.items() if name == "content-type"}
        forwarded = httpx.request(
            asked.method, self._gateway.url + asked.path, headers=kept, content=body, trust_env=False
        )
        return forwarded.status_code, forwarded.content
