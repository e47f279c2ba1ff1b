"""Requests over real connections: clients that disconnect, streams that fail, work after the response."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from mlmetrics.http.instrumentation import instrument
from mlmetrics.http.middleware import PrometheusMiddleware
from tests.http.asking import counted
from tests.servers import ThreadServer, UvicornServer, wait_until

TOTAL = "fastapi_requests_total"


@pytest.fixture(scope="module")
def server() -> Iterator[UvicornServer]:
    """Run the service for all tests here."""
    with UvicornServer("tests.integration.http_service:app", ready_path="/metrics") as server:
        yield server


def read(server: UvicornServer, name: str, **labels: str) -> float:
    """Return the sum of the samples of a name with these labels, in the text that the service serves."""
    text = server.get("/metrics").text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def wait_for(server: UvicornServer, expected: float, name: str, **labels: str) -> None:
    """Wait until the sum has the expected value."""
    wait_until(
        lambda: expected == read(server, name, **labels),
        timeout=10,
        what=lambda: f"{name}{labels} is {read(server, name, **labels)}\n{server.get('/metrics').text}",
    )


def leave(server: UvicornServer, path: str, *, after: bytes = b"") -> None:
    """Send a request, read until `after` arrives, and disconnect."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: service\r\n\r\n".encode())
        if after:
            seen = b""
            while after not in seen:
                chunk = connection.recv(4096)
                assert chunk, f"the stream ended: {seen!r}"
                seen += chunk
        else:
            wait_for(server, 1, "fastapi_requests_in_progress", method="GET")


def test_a_success_with_its_header(server: UvicornServer) -> None:
    """A request under a real server is counted, and its id comes back."""
    answer = httpx.get(f"{server.url}/items/7", headers={"X-Request-ID": "abc-1"})
    assert "abc-1" == answer.headers["x-request-id"]
    wait_for(server, 1, TOTAL, route="/items/{item}", status="200")


def test_a_client_that_leaves_before_the_response(server: UvicornServer) -> None:
    """Pitfall 7: the application notices, stops working, and the request counts as 499."""
    leave(server, "/waits")
    wait_for(server, 1, TOTAL, route="/waits", status="499")
    wait_for(server, 0, "fastapi_requests_in_progress")


def test_a_client_that_leaves_a_stream(server: UvicornServer) -> None:
    """If the client of a stream disconnects, the stream ends, and counts as 499."""
    leave(server, "/endless", after=b"token")
    wait_for(server, 1, TOTAL, route="/endless", status="499")
    wait_for(server, 0, "fastapi_requests_in_progress")


@pytest.mark.parametrize("way", ["instrument", "class"])
@pytest.mark.parametrize("status", ["499", "200"])
def test_a_client_that_leaves_an_application_that_does_not_look(
    way: str, status: str, registry: CollectorRegistry
) -> None:
    """An endpoint that goes on after its client has left has no one to answer, and counts as 499."""
    app, entered, may_end = FastAPI(), threading.Event(), threading.Event()
    if way == "instrument":
        instrument(app, registry=registry)
    else:
        app.add_middleware(PrometheusMiddleware, registry=registry)

    @app.get("/works")
    async def works() -> str:
        entered.set()
        await asyncio.to_thread(may_end.wait, 30)
        return "done"

    with ThreadServer(app) as server, socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"GET /works HTTP/1.1\r\nHost: service\r\nConnection: close\r\n\r\n")
        assert entered.wait(30)
        if status == "499":
            connection.close()
            connected = server._server.server_state.connections
            wait_until(lambda: not connected, timeout=30, what=lambda: "the server has not seen the client leave")
        may_end.set()
        if status == "200":
            assert b" 200 OK" in connection.recv(4096)
        wait_until(lambda: bool(counted(registry)), timeout=30, what=lambda: "nothing was counted")
    assert {("GET", "/works", status): 1} == counted(registry)


def test_an_exception_in_the_middle_of_a_response(server: UvicornServer) -> None:
    """Pitfall 7: a response that fails after the status 200 was sent counts as 500."""
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{server.url}/breaks")
    wait_for(server, 1, TOTAL, route="/breaks", status="500")
    assert 0 == read(server, TOTAL, route="/breaks", status="200")


def test_an_exception_before_the_response(server: UvicornServer) -> None:
    """Pitfall 7: the client gets the server's 500, the log has the traceback, and the request counts as 500."""
    assert 500 == httpx.get(f"{server.url}/raises").status_code
    wait_for(server, 1, TOTAL, route="/raises", status="500")
    assert "ZeroDivisionError" in server.log
    assert "request.failed" in server.log


def test_background_work_is_not_in_the_duration(server: UvicornServer) -> None:
    """Pitfall 5: work after the last byte is not part of the duration."""
    httpx.get(f"{server.url}/background")
    wait_for(server, 1, "fastapi_request_duration_seconds_count", route="/background")
    assert 1 == read(server, "fastapi_request_duration_seconds_bucket", route="/background", le="0.5")


def test_a_websocket_is_no_request(server: UvicornServer) -> None:
    """A WebSocket handshake is answered, and counted as a WebSocket alone."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(
            b"GET /live HTTP/1.1\r\nHost: service\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 ")
    wait_for(server, 1, "fastapi_websockets_total", route="/live", close="1000")
    assert 0 == read(server, TOTAL, route="/live")


def test_there_is_no_redirect(server: UvicornServer) -> None:
    """Pitfall 11: the path that Prometheus requests answers without a redirect."""
    assert 200 == httpx.get(f"{server.url}/metrics", follow_redirects=False).status_code
