"""The sizes of bodies: the bytes that passed, whatever a header promised."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from prometheus_client import CollectorRegistry
from starlette.requests import ClientDisconnect

from mlmetrics import header
from mlmetrics.http.bodies import size_of
from mlmetrics.http.instrumentation import instrument
from mlmetrics.http.middleware import PrometheusMiddleware
from tests.http.asking import ask, request, samples, unrecorded, value

RECEIVED, SENT = "fastapi_request_size_bytes", "fastapi_response_size_bytes"
START = {"type": "http.response.start", "status": 200, "headers": []}


@pytest.fixture
def app(registry: CollectorRegistry) -> FastAPI:
    """Return an application that reads or ignores bodies, and answers with a body, with pieces, or with nothing."""
    app = FastAPI()
    instrument(app, service_name="s", registry=registry, body_sizes=True)

    @app.post("/read")
    async def read(request: Request) -> int:
        return len(await request.body())

    @app.post("/ignored")
    async def ignored() -> None:
        return None

    @app.api_route("/pieces", methods=["GET", "HEAD"])
    async def pieces() -> StreamingResponse:
        async def each() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"12345"

        return StreamingResponse(each())

    @app.get("/broken")
    async def broken() -> StreamingResponse:
        async def each() -> AsyncIterator[bytes]:
            yield b"12345"
            raise ZeroDivisionError

        return StreamingResponse(each())

    return app


def sizes(registry: CollectorRegistry, route: str, **labels: str) -> dict[str, tuple[float, float]]:
    """Return how many bodies of a route were recorded, and their bytes together, of requests and of responses."""
    return {
        name: (
            value(registry, f"{name}_count", route=route, **labels),
            value(registry, f"{name}_sum", route=route, **labels),
        )
        for name in (RECEIVED, SENT)
    }


class TestSizes:
    """What counts as a body."""

    async def test_whole_bodies(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """Of a request and of its response, each request once."""
        for _ in range(2):
            await ask(app, "/read", "POST", content=b"x" * 1000)
        assert {RECEIVED: (2, 2000), SENT: (2, 8)} == sizes(registry, "/read")

    async def test_pieces(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """A stream is as long as its pieces together."""
        await ask(app, "/pieces")
        assert {RECEIVED: (1, 0), SENT: (1, 15)} == sizes(registry, "/pieces")

    async def test_answer_to_head(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """No body is sent to who asks for the headers, whatever the application has."""
        await ask(app, "/pieces", "HEAD")
        assert {RECEIVED: (1, 0), SENT: (1, 0)} == sizes(registry, "/pieces", method="HEAD")

    async def test_body_that_nobody_reads(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """What the application does not read has not passed."""
        await ask(app, "/ignored", "POST", content=b"x" * 1000)
        assert (1, 0) == sizes(registry, "/ignored")[RECEIVED]

    async def test_length_that_is_promised(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """The header of the length is not read."""
        await ask(app, "/read", "POST", {"content-length": "5000"}, content=b"123")
        assert (1, 3) == sizes(registry, "/read")[RECEIVED]

    async def test_response_that_breaks_off(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """What was sent before the application raised has passed."""
        await ask(app, "/broken")
        assert (1, 5) == sizes(registry, "/broken")[SENT]

    async def test_client_that_leaves(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """Of an upload that ends early, what the application got has passed."""
        conversation = request("/read", "POST")
        conversation.incoming = [{"type": "http.request", "body": b"1234", "more_body": True}]
        with pytest.raises(ClientDisconnect):
            await conversation.with_(app)
        assert (1, 4) == sizes(registry, "/read")[RECEIVED]
        assert 1 == value(registry, "fastapi_requests_total", route="/read", status="499")

    async def test_by_labels_of_ones_own(self, registry: CollectorRegistry) -> None:
        """They have the labels of the request."""
        app = FastAPI()
        app.post("/read")(lambda: None)
        instrument(app, service_name="s", registry=registry, body_sizes=True, labels={"tenant": header("x-tenant")})
        await ask(app, "/read", "POST", {"x-tenant": "acme"})
        assert {RECEIVED: (1, 0), SENT: (1, 4)} == sizes(registry, "/read", tenant="acme")

    async def test_not_unless_asked(self, registry: CollectorRegistry) -> None:
        """Without `body_sizes`, there is nothing of them."""
        app = FastAPI()
        instrument(app, service_name="s", registry=registry)
        app.get("/")(lambda: "")
        await ask(app, "/")
        assert not [name for name, _, _ in samples(registry) if "size" in name and name.startswith("fastapi")]

    async def test_malformed_message(self, registry: CollectorRegistry) -> None:
        """A body that is none reaches the server as it came, and is counted as a mistake."""

        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            await send(START)
            await send({"type": "http.response.body", "body": 5})

        conversation = request()
        await conversation.with_(PrometheusMiddleware(app, service_name="s", registry=registry, body_sizes=True))
        assert [START["type"], 5] == [conversation.sent[0]["type"], conversation.sent[1]["body"]]
        assert {"request": 1} == unrecorded(registry)
        assert (1, 0) == sizes(registry, "unmatched")[SENT]


class TestSizeOf:
    """The bytes of one message."""

    def test_bodies(self) -> None:
        """Those that it has; none is an empty one."""
        kind = "http.response.body"
        assert [3, 0, 0, 2] == [
            size_of({"type": kind, **body})
            for body in ({"body": b"123"}, {}, {"body": None}, {"body": memoryview(b"12")})
        ]
        assert 0 == size_of(START)

    def test_files(self, tmp_path: Path) -> None:
        """Those of the file, or of the part of it, that the server sends by itself."""
        path = tmp_path / "answer"
        path.write_bytes(b"1234567")
        assert 7 == size_of({"type": "http.response.pathsend", "path": str(path)})
        kind = "http.response.zerocopysend"
        with path.open("rb") as file:
            assert [7, 5, 2] == [
                size_of({"type": kind, "file": file, **part}) for part in ({}, {"offset": 2}, {"offset": 2, "count": 2})
            ]
            assert 7 == size_of({"type": kind, "file": file.fileno()})
        os.remove(path)  # noqa: PTH107 (a file that has gone)
        with pytest.raises(FileNotFoundError):
            size_of({"type": "http.response.pathsend", "path": str(path)})
