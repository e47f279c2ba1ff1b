"""WebSockets over real connections: how they close, also when nobody says so."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import pytest
from fastapi import FastAPI, HTTPException, WebSocket
from prometheus_client import CollectorRegistry
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Event, RejectConnection, Request, TextMessage

from mlmetrics.http.instrumentation import instrument
from tests.http.asking import counted, unrecorded, value
from tests.http.test_websockets import MESSAGES, OPEN, ends
from tests.servers import ThreadServer, wait_until

SECONDS = 10.0


class Client:
    """A WebSocket to a server on loopback, whose connection may be ended in every way."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._events: list[Event] = []
        self.send(Request(host="service", target=path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, event: Event) -> None:
        """Send what an event means."""
        self._socket.sendall(self._protocol.send(event))

    def next(self) -> Event | None:
        """Return the next event; None if the connection has ended without a close message."""
        while not self._events:
            data = self._socket.recv(4096)
            if not data:
                return None
            self._protocol.receive_data(data)
            self._events.extend(self._protocol.events())
        return self._events.pop(0)


@pytest.fixture
def app(registry: CollectorRegistry) -> FastAPI:
    """Return an instrumented application, one endpoint for each way to end."""
    app = FastAPI()
    instrument(app, service_name="s", registry=registry)

    @app.websocket("/echo")
    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text)

    @app.websocket("/closes")
    async def closes(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close(4001)

    @app.websocket("/returns")
    async def returns(websocket: WebSocket) -> None:
        await websocket.accept()

    @app.websocket("/raises")
    async def raises(websocket: WebSocket) -> None:
        await websocket.accept()
        raise ZeroDivisionError

    @app.websocket("/private")
    async def private(websocket: WebSocket) -> None:
        raise HTTPException(403)

    @app.websocket("/talks")
    async def talks(websocket: WebSocket) -> None:
        await websocket.accept()
        while True:
            await websocket.send_text("token")
            await asyncio.sleep(0.01)

    return app


@pytest.fixture
def server(app: FastAPI) -> Iterator[ThreadServer]:
    """Serve it under uvicorn."""
    with ThreadServer(app, ws="wsproto") as server:
        yield server


@pytest.fixture
def wait_for(registry: CollectorRegistry) -> Callable[[dict[tuple[str, str], float]], None]:
    """Return what waits until these WebSockets have ended, and none is open."""

    def wait(expected: dict[tuple[str, str], float]) -> None:
        wait_until(lambda: expected == ends(registry), timeout=SECONDS, what=lambda: f"{ends(registry)} have ended")
        assert 0 == value(registry, OPEN)
        assert {} == unrecorded(registry)

    return wait


Wait = Callable[[dict[tuple[str, str], float]], None]


@pytest.mark.parametrize("code", [1000, 1001, 4999])
def test_a_client_that_closes(code: int, server: ThreadServer, registry: CollectorRegistry, wait_for: Wait) -> None:
    """It is open until the client closes, with the client's code; the client gets its answers and its echo."""
    with Client(server.port, "/echo") as client:
        assert isinstance(client.next(), AcceptConnection)
        client.send(TextMessage("hello"))
        assert "hello" == getattr(client.next(), "data", None)
        assert 1 == value(registry, OPEN, route="/echo")
        client.send(CloseConnection(code))
        assert code == getattr(client.next(), "code", None)
    wait_for({("/echo", str(code)): 1})
    for direction in ("received", "sent"):
        assert 1 == value(registry, MESSAGES, route="/echo", direction=direction)
    assert {} == counted(registry)


def test_an_application_that_closes(server: ThreadServer, wait_for: Wait) -> None:
    """The application's code counts, and reaches the client."""
    with Client(server.port, "/closes") as client:
        client.next()
        assert 4001 == getattr(client.next(), "code", None)
    wait_for({("/closes", "4001"): 1})


@pytest.mark.parametrize(("path", "close"), [("/returns", "1006"), ("/raises", "failed")])
def test_an_application_that_ends_without_a_word(path: str, close: str, server: ThreadServer, wait_for: Wait) -> None:
    """The server drops the connection, so the client sees no close message."""
    with Client(server.port, path) as client:
        client.next()
        assert client.next() is None
    wait_for({(path, close): 1})


@pytest.mark.parametrize(("path", "route"), [("/private", "/private"), ("/nowhere", "unmatched")])
def test_a_handshake_that_is_refused(path: str, route: str, server: ThreadServer, wait_for: Wait) -> None:
    """The client gets 403 in place of its WebSocket."""
    with Client(server.port, path) as client:
        answer = client.next()
        assert isinstance(answer, RejectConnection)
        assert 403 == answer.status_code
    wait_for({(route, "refused"): 1})


def test_a_client_that_vanishes(server: ThreadServer, wait_for: Wait) -> None:
    """An application that receives is told by the server, which gives the code 1005 with wsproto."""
    with Client(server.port, "/echo") as client:
        client.next()
    wait_for({("/echo", "1005"): 1})


def test_a_client_that_vanishes_while_the_application_sends(server: ThreadServer, wait_for: Wait) -> None:
    """An application that only sends is told by an error of the server, which is no failure of its own."""
    with Client(server.port, "/talks") as client:
        client.next()
        assert "token" == getattr(client.next(), "data", None)
    wait_for({("/talks", "1006"): 1})


def test_a_server_that_shuts_down(app: FastAPI, wait_for: Wait) -> None:
    """Those that are open get 1012, and are not open any more."""
    with ThreadServer(app, ws="wsproto") as server:
        client = Client(server.port, "/echo")
        client.next()
    with client:
        assert 1012 == getattr(client.next(), "code", None)
    wait_for({("/echo", "1012"): 1})
