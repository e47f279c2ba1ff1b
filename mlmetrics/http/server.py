"""A small HTTP server in a thread, for programs without one, such as workers and consumers."""

import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from mlmetrics.errors import ConfigurationError
from mlmetrics.http.answer import Answer, Published, answer
from mlmetrics.http.scrape import Scrape
from mlmetrics.http.token import File
from mlmetrics.interruption import interrupted
from mlmetrics.recording.collector import store_for

POLL_SECONDS = 0.1
HANDSHAKE_SECONDS = 10.0
"""A client that connects must have agreed on a key by then."""


class MetricsServer:
    """A running server: has its port, and `close`; also a context manager."""

    def __init__(self, port: int, host: str, published: Published, context: ssl.SSLContext | None = None) -> None:
        store_for(published.registry)
        self._server = listen(port, host, handler_of(published))
        self._server.context = context
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
    context: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, in its own thread: a handshake that takes long holds up no other client."""
        if self.context is None:
            super().finish_request(request, client_address)
            return
        try:
            request.settimeout(HANDSHAKE_SECONDS)
            secured = self.context.wrap_socket(request, server_side=True)
        except OSError:  # who connects does not speak TLS, does not trust the certificate, or has gone
            return
        with secured:
            secured.settimeout(None)
            super().finish_request(secured, client_address)


class _Server6(_Server):
    address_family = socket.AF_INET6


def listen(port: int, host: str, handler: type[BaseHTTPRequestHandler]) -> _Server:
    """Listen on the port, or raise an error that says why it is not possible."""
    kind = _Server6 if ":" in host else _Server
    try:
        return kind((host, port), handler)
    except (OSError, OverflowError, TypeError) as error:
        raise ConfigurationError(
            f"start_metrics_server(port={port!r}, host={host!r}): {error}. "
            "Choose a port that is free on this machine; port 0 picks one"
        ) from error


def context_of(certfile: File | None, keyfile: File | None) -> ssl.SSLContext | None:
    """Return what secures connections with a certificate; None if there is none.

    Raises:
        ConfigurationError: a file cannot be read or does not fit the other, or there is a key without a certificate.
    """
    if certfile is None:
        if keyfile is not None:
            raise ConfigurationError(f"keyfile={keyfile!r}: there is no certfile=...; give the certificate of the key")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certfile, keyfile, password=b"")  # nobody is asked at a terminal
    except (OSError, TypeError, ValueError) as error:
        if interrupted(error):
            raise
        raise ConfigurationError(
            f"certfile={certfile!r}, keyfile={keyfile!r}: {error}. Expected a certificate and its key without a "
            "passphrase, both in PEM; keyfile may be left out if the key stands in certfile"
        ) from error
    return context


def handler_of(published: Published) -> type[BaseHTTPRequestHandler]:
    """Return a request handler that answers with the registry, at any path."""

    class Handler(BaseHTTPRequestHandler):
        server_version = "mlmetrics"
        sys_version = ""

        def do_GET(self) -> None:
            try:
                given = self._answer()
            except Exception as error:  # noqa: BLE001 (the scraper gets the error, and the server continues)
                given = Answer(f"{type(error).__name__}: {error}".encode(), {"Content-Type": "text/plain"}, 500)
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(given.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(given.body)

        # The names that http.server looks for; all but the first two are refused.
        do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815 (as said)

        def _answer(self) -> Answer:
            shown = [value.encode("latin-1", "replace") for value in self.headers.get_all("Authorization", [])]
            refused = published.refusal(self.command, shown)
            if refused is not None:
                return refused
            asked = Scrape.of(self.headers.items(), self.path.partition("?")[2])
            return answer(published.scrape(asked), published.registry)

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Log nothing: scrapes come every few seconds."""

    return Handler
