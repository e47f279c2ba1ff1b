"""The sizes of bodies over real connections that end early."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from prometheus_client import CollectorRegistry

from mlmetrics.http.instrumentation import instrument
from tests.http.asking import counted, in_progress, unrecorded, value
from tests.http.test_bodies import RECEIVED, SENT, sizes
from tests.servers import ThreadServer, wait_until

SECONDS = 10.0
PIECE = b"x" * 65_536


@pytest.fixture
def server(registry: CollectorRegistry) -> Iterator[ThreadServer]:
    """Serve an application that reads uploads and streams without end."""
    app = FastAPI()
    instrument(app, service_name="s", registry=registry, body_sizes=True)

    @app.post("/upload")
    async def upload(request: Request) -> int:
        return sum([len(piece) async for piece in request.stream()])

    @app.get("/endless")
    async def endless() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield PIECE
                await asyncio.sleep(0.001)  # so that the server sees that the client has left

        return StreamingResponse(pieces())

    with ThreadServer(app) as server:
        yield server


def wait_for_end(registry: CollectorRegistry, route: str) -> None:
    """Wait until a request has ended."""
    wait_until(
        lambda: any(found == route for _, found, _ in counted(registry)) and not in_progress(registry),
        timeout=SECONDS,
        what=lambda: "the request has not ended",
    )
    assert {} == unrecorded(registry)


def test_upload(server: ThreadServer, registry: CollectorRegistry) -> None:
    """Of an upload that the client breaks off, what the application got has passed, whatever the length promised."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as client:
        client.sendall(b"POST /upload HTTP/1.1\r\nHost: s\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 400)
    wait_for_end(registry, "/upload")
    assert {RECEIVED: (1, 400), SENT: (1, 0)} == sizes(registry, "/upload")
    assert 1 == value(registry, "fastapi_requests_total", route="/upload", status="499")


def test_upload_in_chunks(server: ThreadServer, registry: CollectorRegistry) -> None:
    """Of chunks, the bytes of the body alone count."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as client:
        client.sendall(
            b"POST /upload HTTP/1.1\r\nHost: s\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n"
        )
        assert b"200" in client.recv(4096)
        wait_for_end(registry, "/upload")
    assert {RECEIVED: (1, 8), SENT: (1, 1)} == sizes(registry, "/upload")


def test_download(server: ThreadServer, registry: CollectorRegistry) -> None:
    """Of a download that the client breaks off, what the server took while the client was there has passed."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS) as client:
        client.sendall(b"GET /endless HTTP/1.1\r\nHost: s\r\n\r\n")
        got = 0
        while got < 10 * len(PIECE):
            got += len(client.recv(len(PIECE)))
    wait_for_end(registry, "/endless")
    count, sent = sizes(registry, "/endless")[SENT]
    assert count == 1
    assert 9 * len(PIECE) <= sent
    assert 0 == sent % len(PIECE)
