"""A small server in front of a Pushgateway: asks for a token, answers as it is told, and forwards the rest."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from types import TracebackType

import httpx

from tests.apps import HandlerServer, QuietHandler
from tests.programs import Program


@dataclass(frozen=True)
class Asked:
    """One request: its method, its path, and its headers by lower-case name."""

    method: str
    path: str
    headers: Mapping[str, str]


class Front(HandlerServer):
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

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the class that answers."""
        front = self

        class Handler(QuietHandler):
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
                self.answer(status, text, **({"Location": f"{front.url}/elsewhere"} if 300 <= status < 400 else {}))

            do_GET = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815 (the names that http.server looks for)

        return Handler

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()
        super().__exit__(kind, error, traceback)

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
