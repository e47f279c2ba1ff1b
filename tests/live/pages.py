"""A server whose metrics page a test writes, and which misbehaves in every way that a test asks for."""

import contextlib
import gzip
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

from tests.apps import HandlerServer, QuietHandler

METRICS = "text/plain; version=0.0.4; charset=utf-8"
PATIENCE_SECONDS = 30.0


class PageServer(HandlerServer):
    """Answers with `page` at `/metrics`, with 503 if it is empty, and with what `WAYS` says at other paths."""

    def __init__(self, page: str = "up_to_now 1\n") -> None:
        self.page = page
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.over = threading.Event()
        self.connections = 0
        self.elsewhere = ""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the class that answers."""
        server = self

        class Handler(QuietHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                server.connections += 1
                super().setup()

            def do_GET(self) -> None:  # noqa: N802 - as http.server calls it
                server.requests.append((self.path, {name.lower(): text for name, text in self.headers.items()}))
                way = WAYS.get(self.path)
                if way is not None:
                    way(self, server)
                else:
                    text = server.page
                    self.answer(200 if text else 503, text.encode(), **{"Content-Type": METRICS})

        return Handler


Way = Callable[[QuietHandler, PageServer], None]


def _hang(request: QuietHandler, server: PageServer) -> None:
    server.over.wait(PATIENCE_SECONDS)
    request.close_connection = True


def _drip(request: QuietHandler, server: PageServer) -> None:
    """Send a byte now and then, without an end."""
    request.send_response(200)
    request.send_header("Content-Length", "1000000")
    request.end_headers()
    with contextlib.suppress(ConnectionError):  # the other side has given up
        while not server.over.wait(0.05):
            request.wfile.write(b"#")


def _cut(request: QuietHandler, _server: PageServer) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "100")
    request.end_headers()
    request.wfile.write(b"a 1\n")
    request.close_connection = True


def _endless(line: bytes, pause_seconds: float, begin: bytes = b"HTTP/1.1 200 OK\r\n") -> Way:
    """Return a way to send the same bytes again and again, after a beginning."""

    def send(request: QuietHandler, server: PageServer) -> None:
        request.wfile.write(begin)
        with contextlib.suppress(ConnectionError):  # the other side has given up
            while not server.over.wait(pause_seconds):
                request.wfile.write(line)
        request.close_connection = True

    return send


def _chunks(request: QuietHandler, _server: PageServer) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\nno number\r\n")
    request.close_connection = True


def _no_http(request: QuietHandler, _server: PageServer) -> None:
    request.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    request.close_connection = True


def _moved(place: str) -> Way:
    return lambda request, server: request.answer(302, Location=place.replace("SERVER", server.url))


def _page(body: bytes, **headers: str) -> Way:
    return lambda request, _server: request.answer(200, body, **headers)


WAYS: dict[str, Way] = {
    "/hang": _hang,
    "/drip": _drip,
    "/cut": _cut,
    "/chunks": _chunks,
    "/headers": _endless(b"X-A: y\r\n", 0),
    "/slow-headers": _endless(b"X", 0.05),
    "/continue": _endless(b"HTTP/1.1 100 Continue\r\n\r\n", 0.05, b""),
    "/slow-body": _endless(b"#", 0.05, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
    "/no-http": _no_http,
    "/html/metrics": _page(b"<!doctype html><p>Sign in", **{"Content-Type": "text/html"}),
    "/docs": _page(b"<html><p>Docs", **{"Content-Type": "text/html"}),
    "/large/metrics": _page(b"a 1\n" * 2_600_000),
    "/bomb/metrics": _page(gzip.compress(b"a 1\n" * 2_600_000), **{"Content-Encoding": "gzip"}),
    "/latin/metrics": _page(b'a{b="\xe9"} 1\n'),
    "/invalid/metrics": _page(b"a 1\nnot metrics at all\n"),
    "/empty/metrics": _page(b"# nothing\n"),
    "/packed/metrics": _page(gzip.compress(b"a 1\n"), **{"Content-Encoding": "gzip"}),
    "/unpacked/metrics": _page(b"a 1\n", **{"Content-Encoding": "gzip"}),
    "/error/metrics": lambda request, _server: request.answer(503),
    "/secret/metrics": lambda request, _server: request.answer(
        200 if request.headers.get("Authorization") == "Bearer open" else 401, b"a 1\n"
    ),
    "/moved/metrics": _moved("/metrics"),
    "/away/metrics": _moved("http://localhost:1/metrics"),
    "/elsewhere/metrics": lambda request, server: request.answer(302, Location=server.elsewhere),
    "/file/metrics": _moved("file:///etc/passwd"),
    "/loop/metrics": _moved("/loop/metrics"),
}
