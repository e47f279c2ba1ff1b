"""A small HTTP server in a thread, for programs without one, such as workers and consumers."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry

from mlmetrics.errors import ConfigurationError
from mlmetrics.http.answer import NOT_ALLOWED, Answer, answer
from mlmetrics.http.scrape import Scrape
from mlmetrics.recording.collector import store_for

POLL_SECONDS = 0.1


class MetricsServer:
    """A running server: has its port, and `close`; also a context manager."""

    def __init__(self, port: int, host: str, registry: CollectorRegistry) -> None:
        store_for(registry)
        self._server = listen(port, host, handler_of(registry))
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="mlmetrics-server", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A port that another program serves must be refused, even if the system would share it.
    allow_reuse_port = False


class _Server6(_Server):
    address_family = socket.AF_INET6


def listen(port: int, host: str, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    """Listen on the port, or raise an error that says why it is not possible."""
    kind = _Server6 if ":" in host else _Server
    try:
        return kind((host, port), handler)
    except (OSError, OverflowError, TypeError) as error:
        raise ConfigurationError(
            f"start_metrics_server(port={port!r}, host={host!r}): {error}. "
            "Choose a port that is free on this machine; port 0 picks one"
        ) from error


def handler_of(registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    """Return a request handler that answers with the registry, at any path."""

    class Handler(BaseHTTPRequestHandler):
        server_version = "mlmetrics"
        sys_version = ""

        def do_GET(self) -> None:
            try:
                query = self.path.partition("?")[2]
                given = answer(Scrape.of(self.headers.items(), query), registry)
            except Exception as error:  # noqa: BLE001 (the scraper gets the error, and the server continues)
                given = Answer(f"{type(error).__name__}: {error}".encode(), {"Content-Type": "text/plain"}, 500)
            self._give(given)

        do_HEAD = do_GET  # noqa: N815 (the name that http.server looks for)

        def _refuse(self) -> None:
            self._give(NOT_ALLOWED)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse  # noqa: N815 (as above)

        def _give(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Log nothing: scrapes come every few seconds."""

    return Handler
