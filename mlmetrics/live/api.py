"""The HTTP API of a Prometheus, asked many queries at a time: every thread keeps a connection of its own."""

import contextlib
import http.client
import json
import socket
import threading
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any

from mlmetrics.errors import MLMetricsError
from mlmetrics.live.addresses import checked, trusting
from mlmetrics.live.data import PromQLError, Results
from mlmetrics.live.target import Access

_NO_ACCESS = {401, 403}
_EXPECTED = "expected an address of a Prometheus, such as http://localhost:9090"


class ServerError(MLMetricsError):
    """A server cannot be asked; the text says why."""


class Server:
    """A Prometheus by its address; every thread that asks has a connection of its own."""

    def __init__(self, url: str, access: Access) -> None:
        self.url = checked(url, _EXPECTED).rstrip("/")
        self._parts = urllib.parse.urlsplit(self.url)
        self._access = access
        self._context = trusting(access.ca_file)
        self._kept = threading.local()
        self._connections: list[http.client.HTTPConnection] = []
        self._is_over = False

    def get(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer.

        Raises:
            ServerError: The server cannot be reached, or is no Prometheus that may be asked.
            PromQLError: It refuses what it is asked for.
        """
        body = urllib.parse.urlencode(parameters)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self._access.token:
            headers["Authorization"] = f"Bearer {self._access.token}"
        is_query = path in ("query", "query_range")
        place = f"{self._parts.path.rstrip('/')}/api/v1/{path}" + ("" if is_query else f"?{body}")
        try:
            status, text = self._sent("POST" if is_query else "GET", place, body if is_query else "", headers)
        except TimeoutError as error:
            raise ServerError(f"no answer within {self._access.timeout_seconds:g} s; is it busy?") from error
        except (OSError, http.client.HTTPException) as error:
            raise ServerError(f"cannot be asked ({str(error) or type(error).__name__}); is it running?") from error
        if status in _NO_ACCESS:
            needed = "another" if self._access.token else "a"
            raise ServerError(f"answers {status}; {needed} bearer token is needed (--bearer-token-file)")
        return _data(status, text)

    def _sent(self, method: str, place: str, body: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Send a request, and once more where the server has closed the kept connection."""
        try:
            return self._tried(method, place, body, headers)
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException):
            return self._tried(method, place, body, headers)

    def _tried(self, method: str, place: str, body: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        if self._is_over:
            raise ConnectionAbortedError("the page has ended")
        connection = getattr(self._kept, "connection", None)
        if connection is None:
            connection = self._kept.connection = self._connected()
        is_whole = False
        try:
            connection.request(method, place, body, dict(headers))
            response = connection.getresponse()
            text = response.read()
            is_whole = True
        finally:
            if self._is_over or not is_whole:
                connection.close()  # it is opened anew by the next request
        return response.status, text

    def _connected(self) -> http.client.HTTPConnection:
        host, port, seconds = self._parts.hostname or "", self._parts.port, self._access.timeout_seconds
        if self._parts.scheme == "https":
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=seconds, context=self._context
            )
        else:
            made = http.client.HTTPConnection(host, port, timeout=seconds)
        self._connections.append(made)
        return made

    def close(self) -> None:
        """End all connections; what is asked from now on is refused."""
        self._is_over = True
        for connection in self._connections:
            if connection.sock is not None:
                with contextlib.suppress(OSError):  # the other side was faster
                    connection.sock.shutdown(socket.SHUT_RDWR)
            connection.close()


def _data(status: int, text: bytes) -> Any:
    """Return the data of an answer, which says itself whether it is one."""
    try:
        found = json.loads(text)
        is_answer = isinstance(found, dict) and found["status"] in ("success", "error")
    except (ValueError, KeyError):
        is_answer = False
    if not is_answer:
        raise ServerError(
            f"answers {status}, but not as a Prometheus; {_EXPECTED}, with the path before /api/v1 if there is one"
        )
    if found["status"] == "error":
        raise PromQLError(str(found.get("error", status)))
    return found["data"]


class ServerMoment:
    """One time of a server, with the results of queries that were asked for it, or why they have none."""

    def __init__(self, milliseconds: int, results: Mapping[str, Results], failed: Mapping[str, str]) -> None:
        self._milliseconds = milliseconds
        self._results = results
        self._failed = failed

    @property
    def milliseconds(self) -> int:
        """The time."""
        return self._milliseconds

    def results(self, query: str) -> Results:
        """Return the series of a query that have a value.

        Raises:
            PromQLError: The query has no answer.
        """
        if query in self._failed:
            raise PromQLError(self._failed[query])
        return self._results.get(query, [])

    def has(self, queries: Iterable[str]) -> bool:
        """Whether all of these queries were asked."""
        return all(query in self._results or query in self._failed for query in queries)
