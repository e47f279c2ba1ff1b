"""One target: where its metrics page is, how it is asked for, and why it cannot be read.

The page is asked for with the standard library: one connection is kept, and no package is needed. A page has limits of
time and of size. Each reason is told in words that say what to do.
"""

import contextlib
import http.client
import socket
import ssl
import time
import urllib.parse
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlmetrics.errors import MLMetricsError
from mlmetrics.live.addresses import checked, instance_of, page_of, trusting
from mlmetrics.monitoring.verify.pages import is_html, metrics_address

TIMEOUT_SECONDS = 5.0
LARGEST_BYTES = 10_000_000
_REDIRECTS = 3
_CHUNK_BYTES = 1 << 18
_FIRST_BYTES = 64
_ACCEPTED = {
    "Accept": "text/plain;version=0.0.4",
    "Accept-Encoding": "gzip",
    "User-Agent": "mlmetrics live",
}
_MOVED = {301, 302, 303, 307, 308}
_NO_ACCESS = {401, 403}
_OK, _NOT_FOUND = 200, 404
_CUT = "the answer ends before its end; the target may have been stopped"
_EXPECTED = "expected an address such as http://localhost:5051/metrics"


class TargetError(MLMetricsError):
    """A target cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a target is asked with: a bearer token, a file of certificates to trust, and the limits."""

    token: str = ""
    ca_file: str = ""
    timeout_seconds: float = TIMEOUT_SECONDS
    largest_bytes: int = LARGEST_BYTES


@dataclass(frozen=True, slots=True)
class Answer:
    """A page, or why there is none. `begun` and `seconds` are times of the monotonic clock."""

    begun: float
    seconds: float
    page: str = ""
    why: str = ""


class Target:
    """A metrics page by its address, with the connection to it. One thread at a time asks for it."""

    def __init__(self, url: str, access: Access, context: ssl.SSLContext | None) -> None:
        self.url = url
        self.instance = instance_of(url)
        self._access = access
        self._context = context
        self._connection: http.client.HTTPConnection | None = None
        self._is_asking = self._is_over = self._is_given_up = False
        self._place: tuple[str, str] = ("", "")

    def ask(self) -> Answer:
        """Return the page, or why there is none."""
        begun = time.monotonic()
        self._is_asking, self._is_given_up = True, False
        try:
            page, why = self._page(begun), ""
        except TargetError as error:
            page, why = "", str(error)
        except Exception as error:  # noqa: BLE001 - whatever one target does, the others go on
            page, why = "", _reason(error, self._access.timeout_seconds)
        self._is_asking = False
        if self._is_given_up:  # what was read until then may look whole
            page, why = "", _late(self._access.timeout_seconds)
        if why or self._is_over:
            self.close()
        return Answer(begun, time.monotonic() - begun, page, why)

    def give_up(self) -> None:
        """End an answer that another thread waits for; the connection is closed there."""
        self._is_given_up = True
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):  # the other side was faster
                connection.sock.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """End the connection for good; if a thread is asking, it does that."""
        self._is_over = True
        if self._is_asking:
            self.give_up()
        else:
            self.close()

    def close(self) -> None:
        """End the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @property
    def timeout_seconds(self) -> float:
        """How long an answer may take."""
        return self._access.timeout_seconds

    def _page(self, begun: float) -> str:
        """Return the page at the address or, where that is HTML or not found, at `/metrics` beneath it."""
        status, content_type, body = self._follow(self.url, begun)
        inner = metrics_address(self.url)
        if inner is not None and (status == _NOT_FOUND or _is_html(content_type, body)):
            found = self._follow(inner, begun)
            if found[0] == _OK and not _is_html(*found[1:]):
                self.url = inner
            status, content_type, body = found
        _check_status(status, self._access)
        if _is_html(content_type, body):
            raise TargetError("is an HTML page, not metrics; expected the address of a metrics page")
        try:
            return body.decode()
        except UnicodeDecodeError as error:
            raise TargetError("is not text in UTF-8; expected the text format of Prometheus") from error

    def _follow(self, url: str, begun: float) -> tuple[int, str, bytes]:
        token = self._access.token
        for _ in range(_REDIRECTS + 1):
            response = self._request(url, token)
            body = b"".join(self._body(response, begun))
            if response.status not in _MOVED:
                return response.status, response.headers.get("Content-Type", ""), body
            after = urllib.parse.urljoin(url, response.headers.get("Location", ""))
            if not after.startswith(("http://", "https://")):
                raise TargetError(f"redirects to {after[:100]!r}; expected an address of a metrics page")
            if urllib.parse.urlsplit(after)[:2] != urllib.parse.urlsplit(url)[:2]:
                token = ""  # it is for the target that was named
            url = after
        raise TargetError(f"redirects more than {_REDIRECTS} times; expected the address of a metrics page")

    def _request(self, url: str, token: str) -> http.client.HTTPResponse:
        parts = urllib.parse.urlsplit(url)
        place = parts.scheme, parts.netloc
        path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        headers = {**_ACCEPTED, **({"Authorization": f"Bearer {token}"} if token else {})}
        kept = self._connection if place == self._place else None
        if kept is not None:
            try:
                kept.request("GET", path, headers=headers)
                return kept.getresponse()
            except (ConnectionError, http.client.CannotSendRequest):
                if self._is_given_up:
                    raise
                # The target has closed the kept connection.
        self.close()
        connection = self._connected(parts)
        self._connection, self._place = connection, place
        connection.request("GET", path, headers=headers)
        return connection.getresponse()

    def _connected(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        host, port, seconds = parts.hostname or "", parts.port, self._access.timeout_seconds
        if parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=seconds, context=self._context)
        return http.client.HTTPConnection(host, port, timeout=seconds)

    def _body(self, response: http.client.HTTPResponse, begun: float) -> Iterator[bytes]:
        """Yield the body, unpacked, within the limits of time and size."""
        unpacking = zlib.decompressobj(31) if response.headers.get("Content-Encoding") == "gzip" else None
        left = self._access.largest_bytes
        while chunk := response.read1(_CHUNK_BYTES):
            part = unpacking.decompress(chunk, left + 1) if unpacking else chunk
            left -= len(part)
            if left < 0:
                raise TargetError(f"is larger than {self._access.largest_bytes / 1e6:g} MB; expected a metrics page")
            is_late = time.monotonic() - begun > self._access.timeout_seconds
            if is_late or self._is_given_up or self._is_over:
                raise TimeoutError
            yield part
        if response.length or (unpacking and not unpacking.eof and response.status == _OK):
            raise TargetError(_CUT)
        response.close()  # the connection is free for the next request


def make_targets(urls: Sequence[str], access: Access) -> list[Target]:
    """Return the targets at addresses; `localhost:5051` stands for `http://localhost:5051`.

    A page that is named twice, such as by `localhost` and by `127.0.0.1`, is one target: its calls count once.

    Raises:
        ConfigurationError: An address, or the file of certificates, is invalid.
    """
    context = trusting(access.ca_file)
    places: dict[tuple[str, str], str] = {}
    for url in urls:
        full = checked(url, _EXPECTED)
        places.setdefault(page_of(full), full)
    return [Target(url, access, context) for url in places.values()]


def _check_status(status: int, access: Access) -> None:
    if status == _OK:
        return
    name = http.client.responses.get(status, "")
    if status in _NO_ACCESS:
        advice = "another bearer token is needed" if access.token else "a bearer token is needed"
        raise TargetError(f"answers {status} {name}; {advice} (--bearer-token-file)")
    raise TargetError(f"answers {status} {name}; expected 200 and a metrics page")


def _is_html(content_type: str, body: bytes) -> bool:
    return is_html(body[:_FIRST_BYTES].decode(errors="replace"), content_type)


def _reason(error: Exception, timeout_seconds: float) -> str:
    """Return why a target cannot be read, in a few words and with what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); give the file of its authority (--ca-file)"
    if isinstance(error, TimeoutError):
        return _late(timeout_seconds)
    reasons = (text for kind, text in _REASONS.items() if isinstance(error, kind))
    return next(reasons, f"cannot be read: {str(error) or type(error).__name__}")


def _late(timeout_seconds: float) -> str:
    return f"no whole answer within {timeout_seconds:g} s; the service may hang"


_REASONS: Mapping[type[Exception], str] = {
    ConnectionRefusedError: "the connection was refused: no server listens there; is the service running?",
    socket.gaierror: "the host is not known; is its name right?",
    ssl.SSLError: "TLS failed; is it an https address?",
    http.client.IncompleteRead: _CUT,
    http.client.BadStatusLine: "does not speak HTTP; expected the address of a metrics page",
    zlib.error: "its answer cannot be unpacked; expected gzip or plain text",
}
