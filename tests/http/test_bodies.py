"""The sizes of bodies: the bytes that passed, whatever a header promised."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request, UploadFile
from fastapi.responses import FileResponse, StreamingResponse
from prometheus_client import CollectorRegistry
from starlette.requests import ClientDisconnect

from mlmetrics import MLMetrics, header
from mlmetrics.http.bodies import size_of
from mlmetrics.http.instrumentation import instrument
from mlmetrics.http.middleware import PrometheusMiddleware
from tests.http.asking import Conversation, ask, counted, request, samples, unrecorded, value

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
        path.unlink()
        assert size_of({"type": "http.response.pathsend", "path": str(path)}) is None


def passed(registry: CollectorRegistry) -> dict[tuple[str, str], tuple[float, float]]:
    """Return the bytes of all requests and of all responses, by method and route."""
    found = {
        (labels["method"], labels["route"]) for name, labels, _ in samples(registry) if name == f"{RECEIVED}_count"
    }
    return {
        (method, route): (
            value(registry, f"{RECEIVED}_sum", method=method, route=route),
            value(registry, f"{SENT}_sum", method=method, route=route),
        )
        for method, route in found
    }


def recorded(app: Any, registry: CollectorRegistry) -> PrometheusMiddleware:
    """Return a bare ASGI application whose sizes are recorded."""
    return PrometheusMiddleware(app, service_name="mon-service", registry=registry, body_sizes=True)


def sending(*messages: dict[str, Any]) -> Any:
    """Return an application that sends these messages after a start."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for message in messages:
            await send(message)

    return app


class Connection(Conversation):
    """A conversation whose object knows whether the client has left, as uvicorn's does."""

    disconnected = False


class TestOfAllKinds:
    """Bodies of other kinds, and of other responses."""

    async def test_of_uploads(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """An upload counts with everything that its form has."""

        @app.post("/upload")
        async def upload(file: UploadFile) -> int:
            return len(await file.read())

        form = b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n' + b"x" * 5000 + b"\r\n--b--"
        answer = await ask(app, "/upload", "POST", {"content-type": "multipart/form-data; boundary=b"}, content=form)
        assert 5000 == answer.json()
        assert {("POST", "/upload"): (len(form), 4)} == passed(registry)

    async def test_of_errors(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """What the framework answers is a response too, also to a path that nobody serves."""

        @app.get("/refused")
        async def refused() -> None:
            raise HTTPException(403)

        @app.get("/broken")
        async def broken() -> None:
            raise ZeroDivisionError

        lengths = {path: len((await ask(app, path)).content) for path in ("/refused", "/broken", "/nowhere")}
        assert {
            ("GET", "/refused"): (0, lengths["/refused"]),
            ("GET", "/broken"): (0, lengths["/broken"]),
            ("GET", "unmatched"): (0, lengths["/nowhere"]),
        } == passed(registry)

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda body: memoryview(body).cast("H")])
    async def test_of_other_kinds_of_bytes(self, kind: Any, registry: CollectorRegistry) -> None:
        """Whatever holds bytes is counted by them."""
        conversation = request()
        await conversation.with_(recorded(sending({"type": "http.response.body", "body": kind(b"1234")}), registry))
        assert {("GET", "unmatched"): (0, 4)} == passed(registry)


class TestFiles:
    """Files that the server sends by itself."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """Return the path of a file of a thousand bytes."""
        path = tmp_path / "cv.pdf"
        path.write_bytes(b"p" * 1000)
        return path

    async def test_by_a_path(self, path: Path, registry: CollectorRegistry) -> None:
        """A file counts with its size."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await FileResponse(path)(scope, receive, send)

        conversation = request(extensions={"http.response.pathsend": {}})
        await conversation.with_(recorded(app, registry))
        assert "http.response.pathsend" == conversation.sent[1]["type"]
        assert {("GET", "unmatched"): (0, 1000)} == passed(registry)

    @pytest.mark.parametrize(
        ("part", "expected"),
        [
            ({}, 900),
            ({"offset": 0}, 1000),
            ({"offset": 300}, 700),
            ({"offset": 300, "count": 50}, 50),
            ({"count": 50}, 50),
            ({"count": 5000}, 900),
            ({"offset": 2000}, 0),
        ],
    )
    async def test_by_a_descriptor(
        self, part: dict[str, int], expected: int, path: Path, registry: CollectorRegistry
    ) -> None:
        """A part of a file counts, from the offset or from where the file stands."""
        with path.open("rb", buffering=0) as file:
            file.seek(100)
            app = sending({"type": "http.response.zerocopysend", "file": file, **part})
            await request().with_(recorded(app, registry))
            assert 100 == file.tell()
        assert {("GET", "unmatched"): (0, expected)} == passed(registry)

    async def test_beside_a_body(self, path: Path, registry: CollectorRegistry) -> None:
        """A response may have parts of both kinds."""
        with path.open("rb", buffering=0) as file:
            part = {"type": "http.response.zerocopysend", "file": file, "more_body": True}
            app = sending(part, {"type": "http.response.body", "body": b"end"})
            await request().with_(recorded(app, registry))
        assert {("GET", "unmatched"): (0, 1003)} == passed(registry)

    @pytest.mark.parametrize(
        "message",
        [
            {"type": "http.response.pathsend", "path": "/nowhere/cv.pdf"},
            {"type": "http.response.zerocopysend", "file": object()},
        ],
    )
    async def test_of_an_unknown_size(self, message: dict[str, Any], registry: CollectorRegistry) -> None:
        """What is not known is not 0: there is no size of the response, and the request counts as always."""
        app = sending({"type": "http.response.body", "body": b"begin", "more_body": True}, message)
        conversation = request()
        await conversation.with_(recorded(app, registry))
        assert message == conversation.sent[-1]
        assert {("GET", "unmatched", "200"): 1} == counted(registry)
        assert 1 == value(registry, f"{RECEIVED}_count", route="unmatched")
        assert 0 == value(registry, f"{SENT}_count", route="unmatched")
        assert {} == unrecorded(registry)


class TestEarlyEnds:
    """Requests of which a part has passed."""

    async def test_a_response_to_a_client_that_has_left(self, registry: CollectorRegistry) -> None:
        """What uvicorn drops because its client has left is not counted."""
        connection = Connection(request().scope)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"heard", "more_body": True})
            connection.disconnected = True
            await send({"type": "http.response.body", "body": b"not heard"})

        await connection.with_(recorded(app, registry))
        assert {("GET", "unmatched"): (0, 5)} == passed(registry)

    async def test_a_client_that_tells_that_it_leaves(self, registry: CollectorRegistry) -> None:
        """With a server that tells it by a message only, what is sent after that message is not counted."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"heard", "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass
            await send({"type": "http.response.body", "body": b"not heard"})

        await request().with_(recorded(app, registry))
        assert {("GET", "unmatched"): (0, 5)} == passed(registry)

    async def test_a_body_that_the_server_refuses(self, registry: CollectorRegistry) -> None:
        """What could not be sent has not passed, and the server's error goes on."""
        conversation = request()

        async def refuse(message: Any) -> None:
            if message["type"] == "http.response.body":
                raise BrokenPipeError

        middleware = recorded(sending({"type": "http.response.body", "body": b"lost"}), registry)
        with pytest.raises(BrokenPipeError):
            await middleware(conversation.scope, conversation.receive, refuse)
        assert {("GET", "unmatched"): (0, 0)} == passed(registry)
        assert {("GET", "unmatched", "499"): 1} == counted(registry)

    async def test_a_cancelled_request(self, registry: CollectorRegistry) -> None:
        """A task that is cancelled has the bytes that it had."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await asyncio.Event().wait()

        conversation = request("/", "POST")
        conversation.incoming = [{"type": "http.request", "body": b"whole"}]
        task = asyncio.create_task(conversation.with_(recorded(app, registry)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert {("POST", "unmatched"): (5, 0)} == passed(registry)


class TestLeavingAlone:
    """Who gets no sizes, and what cannot break a request."""

    async def test_scrapes_and_skipped_paths(self, registry: CollectorRegistry) -> None:
        """What is not recorded has no size either."""
        app = FastAPI()
        instrument(app, registry=registry, body_sizes=True, skip_paths=["/health"], skip_methods=["OPTIONS"])
        app.add_api_route("/health", lambda: "ok")
        for path, method in (("/metrics", "GET"), ("/health", "GET"), ("/health", "OPTIONS")):
            await ask(app, path, method)
        assert {} == passed(registry)

    async def test_the_same_middleware_twice(self, registry: CollectorRegistry) -> None:
        """A request that is counted once has one size."""
        inner = recorded(sending({"type": "http.response.body", "body": b"1234"}), registry)
        await request().with_(recorded(inner, registry))
        assert {("GET", "unmatched"): (0, 4)} == passed(registry)
        assert 1 == value(registry, f"{SENT}_count")

    async def test_by_a_toolkit(self) -> None:
        """`MLMetrics.instrument` takes it as well."""
        metrics = MLMetrics("mon-service", CollectorRegistry())
        app = FastAPI()
        metrics.instrument(app, body_sizes=True)
        app.add_api_route("/", lambda: "ok")
        await ask(app, "/")
        assert {("GET", "/"): (0, 4)} == passed(metrics.registry)

    async def test_an_application_that_is_instrumented_again(self, registry: CollectorRegistry) -> None:
        """Sizes end with the instrumentation that has them, and begin again with the next one."""
        app = FastAPI()
        app.add_api_route("/", lambda: "ok")
        for body_sizes in (True, False, True):
            with instrument(app, service_name="s", registry=registry, body_sizes=body_sizes):
                await ask(app, "/")
        assert {("GET", "/"): (0, 8)} == passed(registry)

    @pytest.mark.parametrize("body", ["text", 7, [b"a"]])
    async def test_a_body_that_is_none(self, body: Any, registry: CollectorRegistry) -> None:
        """What has no bytes goes to the server as it is; that it could not be counted is counted."""
        conversation = request()
        message = {"type": "http.response.body", "body": body}
        await conversation.with_(recorded(sending(message), registry))
        assert message is conversation.sent[-1]
        assert {"request": 1} == unrecorded(registry)
        assert {("GET", "unmatched", "200"): 1} == counted(registry)

    async def test_a_malformed_body_of_a_request(self, registry: CollectorRegistry) -> None:
        """What the server gives reaches the application as it is."""
        seen: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(await receive())
            await sending({"type": "http.response.body"})(scope, receive, send)

        conversation = request()
        conversation.incoming = [message] = [{"type": "http.request", "body": "text"}]
        await conversation.with_(recorded(app, registry))
        assert message is seen[0]
        assert {"request": 1} == unrecorded(registry)

    async def test_a_request_leaves_no_cycle(self, registry: CollectorRegistry) -> None:
        """What counted the bytes is freed when the request is over, also where the server's object has the scope."""

        class Server(Connection):
            """Has the scope, and is what `receive` and `send` belong to."""

        server = Server(request().scope)
        left = weakref.ref(server)
        middleware = recorded(sending({"type": "http.response.body"}), registry)
        gc.disable()
        try:
            await server.with_(middleware)
            del server
            assert left() is None
        finally:
            gc.enable()
