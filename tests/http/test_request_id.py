"""The id of a request: whose it is, who sees it, and what is left of it afterwards."""

import asyncio
import os
import random
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import pytest
import structlog
from fastapi import Depends, FastAPI, Response
from prometheus_client import CollectorRegistry
from structlog.contextvars import bound_contextvars, get_contextvars
from structlog.testing import LogCapture, capture_logs

from mlmetrics.errors import ConfigurationError
from mlmetrics.http import request_id
from mlmetrics.http.instrumentation import instrument
from mlmetrics.http.middleware import PrometheusMiddleware
from tests.http.asking import Conversation, ask, request, unrecorded

HEADER = "X-Request-ID"
MADE = re.compile(r"[0-9a-f]{32}")


@pytest.fixture
def app(registry: CollectorRegistry) -> FastAPI:
    """Return an application that answers with what its log events carry."""
    app = FastAPI()
    app.add_middleware(PrometheusMiddleware, registry=registry)

    @app.get("/async")
    async def on_the_loop() -> dict[str, Any]:
        return get_contextvars()

    @app.get("/sync")
    def in_the_pool() -> dict[str, Any]:
        return get_contextvars()

    return app


class TestChoosing:
    """Which id a request gets."""

    @pytest.mark.parametrize("sent", ["a", "abc-1", "A.b_c:d/e+f=g@h", "0" * 128])
    async def test_a_well_formed_id_is_kept(self, sent: str, app: FastAPI) -> None:
        """The caller's id is bound and returned, so that one id leads through all services."""
        answer = await ask(app, "/async", headers={HEADER: sent})
        assert {"request_id": sent} == answer.json()
        assert sent == answer.headers[HEADER]

    @pytest.mark.parametrize("sent", ["", " ", "a b", "a\tb", "é", "<script>", 'a"b', "0" * 129, "a,b", "{}"])
    async def test_any_other_is_replaced(self, sent: str, app: FastAPI) -> None:
        """What could break a log line or a page is not passed on."""
        answer = await ask(app, "/async", headers=[(HEADER.encode(), sent.encode())])  # type: ignore[arg-type]  # raw
        assert MADE.fullmatch(answer.headers[HEADER])
        assert {"request_id": answer.headers[HEADER]} == answer.json()

    async def test_made_ids_differ(self, app: FastAPI) -> None:
        """A seed that a program sets for its models does not make ids repeat."""
        ids = set()
        for _ in range(100):
            random.seed(42)
            ids.add((await ask(app, "/async")).headers[HEADER])
        assert 100 == len(ids)

    def test_made_ids_differ_after_a_fork(self) -> None:
        """Workers that are forked from one process do not make the same ids."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(writing, request_id.choose({"headers": []}).encode())
            finally:
                os._exit(0)
        os.close(writing)  # so that a child that wrote nothing is read as that
        os.waitpid(child, 0)
        theirs = os.read(reading, 64).decode()
        os.close(reading)
        assert MADE.fullmatch(theirs)
        assert theirs != request_id.choose({"headers": []})

    def test_made_ids_differ_between_threads(self) -> None:
        """Threads that make ids at the same time never get the same one, also where the next thousand begins."""
        made = request_id.Made()
        with ThreadPoolExecutor(4) as pool:
            texts = list(pool.map(lambda _: [made.make() for _ in range(5000)], range(4)))
        assert 20_000 == len({text for each in texts for text in each})

    def test_made_ids_count(self) -> None:
        """Ids of one process begin alike and end in numbers of twelve digits, one after the other."""
        made = request_id.Made()
        texts = [made.make() for _ in range(2500)]
        assert 1 == len({text[:20] for text in texts})
        assert list(range(10**11, 10**11 + 2500)) == [int(text[20:]) for text in texts]

    async def test_it_can_be_left_out(self, registry: CollectorRegistry) -> None:
        """With `request_id=False` nothing is bound and nothing returned."""
        app = FastAPI()
        app.add_middleware(PrometheusMiddleware, registry=registry, request_id=False)
        app.add_api_route("/", get_contextvars)
        answer = await ask(app, "/", headers={HEADER: "abc"})
        assert {} == answer.json()
        assert HEADER not in answer.headers


class TestHeaderOnly:
    """`request_id="header"`: taken and returned, and nothing else."""

    @pytest.fixture
    def app(self, registry: CollectorRegistry) -> FastAPI:
        """Return an application that answers with what its log events have."""
        app = FastAPI()
        app.add_middleware(PrometheusMiddleware, registry=registry, request_id="header")
        app.add_api_route("/", get_contextvars)
        return app

    async def test_the_callers_id_is_returned(self, app: FastAPI) -> None:
        """The client finds its own id, which the log events of the application do not have."""
        answer = await ask(app, "/", headers={HEADER: "abc"})
        assert "abc" == answer.headers[HEADER]
        assert {} == answer.json()

    async def test_one_is_made(self, app: FastAPI) -> None:
        """A client that sends none gets one."""
        assert MADE.fullmatch((await ask(app, "/")).headers[HEADER])

    async def test_what_is_bound_stays(self, app: FastAPI) -> None:
        """An id that the caller's own code has bound is not touched."""
        with bound_contextvars(request_id="outer"):
            assert {"request_id": "outer"} == (await ask(app, "/", headers={HEADER: "abc"})).json()

    async def test_failures_name_it(self, app: FastAPI) -> None:
        """Our own event of a failed request has it."""

        @app.get("/raise")
        async def fail() -> None:
            raise ZeroDivisionError

        with capture_logs() as events:
            await ask(app, "/raise", headers={HEADER: "abc"})
        assert ["abc"] == [event["request_id"] for event in events if event["event"] == "request.failed"]

    @pytest.mark.parametrize("given", ["Header", "", None, 1, "log"])
    def test_nothing_else_is_taken(self, given: Any, registry: CollectorRegistry) -> None:
        """Another value is refused where it is given, by the middleware and by `instrument`."""
        with pytest.raises(ConfigurationError, match="expected True, False or 'header'"):
            PrometheusMiddleware(FastAPI(), registry=registry, request_id=given)
        app = FastAPI()
        with pytest.raises(ConfigurationError, match="expected True, False or 'header'"):
            instrument(app, registry=registry, request_id=given)
        assert "/metrics" not in {getattr(route, "path", "") for route in app.routes}


class TestReturning:
    """The header of the response."""

    async def test_the_applications_own_header_stays(self, app: FastAPI) -> None:
        """An application that sets the header itself is not overruled."""

        @app.get("/own")
        async def own(response: Response) -> None:
            response.headers[HEADER] = "own"

        assert ["own"] == (await ask(app, "/own")).headers.get_list(HEADER)

    async def test_errors_have_it_too(self, app: FastAPI) -> None:
        """A client can quote the id of what was refused."""
        assert "abc" == (await ask(app, "/nowhere", headers={HEADER: "abc"})).headers[HEADER]

    async def test_messages_are_not_changed(self, registry: CollectorRegistry) -> None:
        """An application may send the same message again: the next client gets its own id."""
        start = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]}

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start)
            await send({"type": "http.response.body"})

        middleware = PrometheusMiddleware(app, registry=registry)
        ids = set()
        for _ in range(2):
            conversation = request()
            await conversation.with_(middleware)
            ids.add(dict(conversation.sent[0]["headers"])[b"x-request-id"])
        assert 2 == len(ids)
        assert {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]} == start

    async def test_a_response_without_headers(self, registry: CollectorRegistry) -> None:
        """ASGI lets an application leave the headers out: the id is the only one then."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 204})
            await send({"type": "http.response.body"})

        conversation = request(headers=[(b"x-request-id", b"abc")])
        await conversation.with_(PrometheusMiddleware(app, registry=registry))
        assert [(b"x-request-id", b"abc")] == conversation.sent[0]["headers"]


class TestIterators:
    """Headers that can be read once only."""

    @pytest.mark.parametrize("own", [[(b"x-request-id", b"own")], [], [()]])
    async def test_of_a_response(self, own: list[tuple[bytes, ...]], registry: CollectorRegistry) -> None:
        """An application may give its headers as a generator: all of them arrive as they are, and the id once."""
        given = [(b"content-type", b"text/plain"), *own, (b"set-cookie", b"a=b")]

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": (header for header in given)})
            await send({"type": "http.response.body"})

        conversation = request(headers=[(b"x-request-id", b"abc")])
        await conversation.with_(PrometheusMiddleware(app, registry=registry))
        expected = given if (b"x-request-id", b"own") in given else [*given, (b"x-request-id", b"abc")]
        assert expected == list(conversation.sent[0]["headers"])

    @pytest.mark.parametrize("sent", ["abc", "not well formed"])
    async def test_of_a_request(self, sent: str, registry: CollectorRegistry) -> None:
        """A server may give them so too: the application reads all of them, as often as it wants."""
        given = [(b"host", b"service"), (b"x-request-id", sent.encode()), (b"accept", b"*/*")]
        seen: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.extend((list(scope["headers"]), list(scope["headers"]), get_contextvars()["request_id"]))

        await request(headers=iter(given)).with_(PrometheusMiddleware(app, registry=registry))
        assert [given, given] == seen[:2]
        assert (sent == "abc") == (seen[2] == "abc")

    async def test_that_raise(self, registry: CollectorRegistry) -> None:
        """What a generator of headers raises is the application's, and raised where the server reads it."""
        error = ZeroDivisionError()

        def headers() -> Iterator[tuple[bytes, bytes]]:
            yield (b"a", b"b")
            raise error

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": headers()})

        conversation = request()

        async def read(message: Any) -> None:
            list(message["headers"])

        with pytest.raises(ZeroDivisionError) as caught:
            await PrometheusMiddleware(app, registry=registry)(conversation.scope, conversation.receive, read)
        assert error is caught.value
        assert {} == unrecorded(registry)

    @pytest.mark.parametrize("shape", [list, tuple, dict.fromkeys, deque])
    async def test_other_shapes(self, shape: Any, registry: CollectorRegistry) -> None:
        """What can be read again is handed to the application as it came, whatever its names and values are."""
        given = shape([(b"host", b"service"), (bytearray(b"x-request-id").hex(), b""), (b"x-request-id", b"abc")])
        seen: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["headers"])
            await send({"type": "http.response.start", "status": 200, "headers": given})

        conversation = request(headers=given)
        await conversation.with_(PrometheusMiddleware(app, registry=registry))
        assert given is seen[0]
        assert list(given) == list(conversation.sent[0]["headers"])

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    @pytest.mark.parametrize("pair", [tuple, list])
    async def test_other_kinds_of_bytes(self, kind: Any, pair: Any, registry: CollectorRegistry) -> None:
        """An id is read from whatever holds bytes."""
        seen: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(get_contextvars())

        headers = [pair((kind(b"x-request-id"), kind(b"abc")))]
        await request(headers=headers).with_(PrometheusMiddleware(app, registry=registry))
        assert [{"request_id": "abc"}] == seen
        assert {} == unrecorded(registry)


class Connection(Conversation):
    """A conversation whose object knows whether the client has left, as uvicorn's does."""

    disconnected = False


class TestBinding:
    """Who sees the id, and for how long."""

    @pytest.mark.parametrize("path", ["/async", "/sync"])
    async def test_endpoints_of_both_kinds_see_it(self, path: str, app: FastAPI) -> None:
        """Functions on the event loop and in the thread pool log with it."""
        assert {"request_id": "abc"} == (await ask(app, path, headers={HEADER: "abc"})).json()

    async def test_dependencies_see_it(self, app: FastAPI) -> None:
        """What FastAPI runs before the endpoint logs with it too."""

        @app.get("/dependent")
        async def dependent(seen: Annotated[dict[str, Any], Depends(get_contextvars)]) -> dict[str, Any]:
            return seen

        assert {"request_id": "abc"} == (await ask(app, "/dependent", headers={HEADER: "abc"})).json()

    async def test_the_users_own_events_carry_it(self, app: FastAPI) -> None:
        """With structlog's `merge_contextvars`, as `configure_logging` sets it, an event has the id as a key."""
        captured = LogCapture()
        before = structlog.get_config()
        structlog.configure(processors=[structlog.contextvars.merge_contextvars, captured])

        @app.get("/log")
        async def log() -> None:
            structlog.get_logger().info("cv.parsed", pages=2)

        try:
            await ask(app, "/log", headers={HEADER: "abc"})
        finally:
            structlog.configure(**before)
        assert [{"event": "cv.parsed", "pages": 2, "request_id": "abc", "log_level": "info"}] == captured.entries

    async def test_what_was_bound_before_is_back_afterwards(self, app: FastAPI) -> None:
        """Tests and clients that share the context find it as they left it, after an exception too."""

        @app.get("/raise")
        async def fail() -> None:
            raise ZeroDivisionError

        for path in ("/async", "/raise"):
            with bound_contextvars(request_id="outer"):
                await ask(app, path)
                assert {"request_id": "outer"} == get_contextvars()
            assert {} == get_contextvars()

    async def test_requests_at_the_same_time_have_their_own(self, app: FastAPI) -> None:
        """Fifty at once do not mix their ids up."""
        together = asyncio.Barrier(50)

        @app.get("/wait")
        async def wait() -> dict[str, Any]:
            await together.wait()
            return get_contextvars()

        sent = [f"id-{number}" for number in range(50)]
        answers = await asyncio.gather(*(ask(app, "/wait", headers={HEADER: one}) for one in sent))
        assert sent == [answer.json()["request_id"] for answer in answers]

    async def test_a_server_with_a_context_for_each_request(self, app: FastAPI) -> None:
        """Where the server runs each request in its own context, what it logs afterwards still has the id."""
        connection = Connection(request("/async", headers=[(b"x-request-id", b"abc")]).scope)

        async def serve() -> dict[str, Any]:
            await connection.with_(app)
            return get_contextvars()

        assert {"request_id": "abc"} == await asyncio.create_task(serve())
        assert {} == get_contextvars()
