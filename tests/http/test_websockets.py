"""What is recorded of a WebSocket, whatever becomes of it: one test for each rule."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, WebSocket, WebSocketDisconnect, WebSocketException
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.endpoints import WebSocketEndpoint
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from mlmetrics.http.instrumentation import instrument
from mlmetrics.http.middleware import PrometheusMiddleware
from mlmetrics.http.websockets import Socket
from mlmetrics.recording.collector import store_for
from mlmetrics.recording.series import BOUND
from tests.conftest import Clock
from tests.http.asking import Conversation, counted, samples, unrecorded, value

CONNECT = {"type": "websocket.connect"}
ACCEPT = {"type": "websocket.accept"}
DENIAL = {"type": "websocket.http.response.start", "status": 403}
OPEN, DURATION = "fastapi_websockets_open", "fastapi_websocket_duration_seconds"
MESSAGES = "fastapi_websocket_messages_total"


def connection(*incoming: dict[str, Any], path: str = "/live", **more: Any) -> Conversation:
    """Return a WebSocket of a client that sends these messages, and then vanishes."""
    scope = {"type": "websocket", "path": path, "query_string": b"", "headers": [], **more}
    return Conversation(scope, [CONNECT, *incoming])


def left(code: int | None = 1001) -> dict[str, Any]:
    """Return the message that a client has closed."""
    return {"type": "websocket.disconnect"} | ({} if code is None else {"code": code})


def closing(code: Any = None) -> dict[str, Any]:
    """Return the message by which an application closes."""
    return {"type": "websocket.close"} | ({} if code is None else {"code": code})


def speaking(*messages: Any) -> Callable[..., Any]:
    """Return an application that sends these messages, and raises those that are exceptions; `...` receives one."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            if message is ...:
                await receive()
            elif isinstance(message, BaseException):
                raise message
            else:
                await send(message)

    return app


def recorded(app: Any, registry: CollectorRegistry, **options: Any) -> PrometheusMiddleware:
    """Return a bare ASGI application whose WebSockets are recorded."""
    return PrometheusMiddleware(app, service_name="s", registry=registry, **options)


def ends(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    """Return the ended WebSockets by route and close, without those that are 0."""
    return {
        (labels["route"], labels["close"]): number
        for name, labels, number in samples(registry)
        if name == "fastapi_websockets_total" and number
    }


def at_rest(registry: CollectorRegistry) -> bool:
    """Whether no WebSocket is open, and nothing went wrong."""
    return value(registry, OPEN) == 0 and not unrecorded(registry)


@pytest.fixture
def app(registry: CollectorRegistry) -> FastAPI:
    """Return an instrumented application that echoes, and says in `closes` how to end."""
    app = FastAPI()
    instrument(app, service_name="s", registry=registry)

    @app.websocket("/rooms/{room}")
    async def room(websocket: WebSocket, room: str) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            if text == "close":
                await websocket.close(4001, room)
                return
            await websocket.send_text(text)

    return app


class TestMetrics:
    """What there is of a WebSocket while it is open, and after that."""

    def test_open_messages_and_end(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """It is open from its acceptance on, messages count at once, and its end is counted by the code."""
        labels = {"service": "s", "route": "/rooms/{room}"}
        with TestClient(app).websocket_connect("/rooms/7") as websocket:
            assert 1 == value(registry, OPEN, **labels)
            for text in ("a", "b"):
                websocket.send_text(text)
                assert text == websocket.receive_text()
            assert 2 == value(registry, MESSAGES, **labels, direction="received")
            assert 2 == value(registry, MESSAGES, **labels, direction="sent")
            assert {} == ends(registry)
            websocket.close(4000)
        assert {("/rooms/{room}", "4000"): 1} == ends(registry)
        assert 1 == value(registry, f"{DURATION}_count", **labels)
        assert at_rest(registry)
        assert {} == counted(registry)

    async def test_the_duration_is_from_the_acceptance_to_the_end(
        self, registry: CollectorRegistry, clock: Clock
    ) -> None:
        """What comes before the acceptance, and after the close, is no part of it."""
        store_for(registry).clock = clock

        async def app(scope: Any, receive: Any, send: Any) -> None:
            clock.advance(100)
            await send(ACCEPT)
            clock.advance(7)
            await send(closing())
            clock.advance(1000)

        await connection().with_(recorded(app, registry))
        assert 7 == value(registry, f"{DURATION}_sum", route="unmatched")

    async def test_bytes_and_text_are_messages(self, registry: CollectorRegistry) -> None:
        """Pings and other messages of a protocol are none, nor is what comes when it is closed."""
        app = speaking(
            *(..., ACCEPT, ..., ..., {"type": "websocket.send", "bytes": b"x"}, {"type": "websocket.send", "text": ""}),
            *(closing(), {"type": "websocket.send", "text": "late"}),
        )
        received = ({"type": "websocket.receive", "bytes": b""}, {"type": "websocket.receive", "text": "x"})
        await connection(*received).with_(recorded(app, registry))
        assert 2 == value(registry, MESSAGES, direction="received")
        assert 2 == value(registry, MESSAGES, direction="sent")

    async def test_routes_stand_at_0(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """`rate` sees the first that ends well, and the first that fails; histograms come with the first end."""
        app.add_api_websocket_route("/health", lambda websocket: None)
        await Conversation({"type": "http", "method": "GET", "path": "/metrics", "headers": []}).with_(app)
        labels = {"service": "s", "route": "/rooms/{room}"}
        assert 0 == value(registry, OPEN, **labels)
        for close in ("1000", "failed"):
            assert 0 == value(registry, "fastapi_websockets_total", **labels, close=close)
        assert not [name for name, _, _ in samples(registry) if name.startswith((DURATION, MESSAGES))]

    async def test_folds_by_itself(self, registry: CollectorRegistry) -> None:
        """A long conversation that nobody scrapes keeps no more numbers than the bound."""
        messages = [{"type": "websocket.send", "text": ""}, ...] * (2 * BOUND)
        incoming = [{"type": "websocket.receive", "text": ""}] * (2 * BOUND)
        await connection(*incoming).with_(recorded(speaking(..., ACCEPT, *messages, closing()), registry))
        store = store_for(registry)
        for direction in ("sent", "received"):
            assert len(store.counter(MESSAGES, ("s", "unmatched", direction)).pending) <= BOUND
            assert 2 * BOUND == value(registry, MESSAGES, direction=direction)

    async def test_it_leaves_no_cycle(self, registry: CollectorRegistry) -> None:
        """What records it is freed when it is over, without the garbage collector."""
        middleware = recorded(speaking(..., ACCEPT, closing()), registry)
        await connection().with_(middleware)
        assert [] == [each for each in gc.get_objects() if type(each) is Socket and each._middleware is middleware]


class TestEnds:
    """How it closed: by the first that says so."""

    @pytest.mark.parametrize(
        ("messages", "close"),
        [
            ((ACCEPT, closing()), "1000"),
            ((ACCEPT, closing(1011)), "1011"),
            ((ACCEPT, closing(4001), closing(4002)), "4001"),
            ((ACCEPT, ...), "1001"),
            ((ACCEPT, ..., closing(1000)), "1001"),
            ((ACCEPT, closing(4001), ...), "4001"),
            ((ACCEPT,), "1006"),
            ((ACCEPT, ACCEPT, closing()), "1000"),
            ((ACCEPT, closing("no code")), "other"),
            ((ACCEPT, closing(99)), "other"),
            ((closing(),), "refused"),
            ((closing(4003), ACCEPT), "refused"),
            (
                ({"type": "websocket.http.response.start", "status": 403}, {"type": "websocket.http.response.body"}),
                "refused",
            ),
            ((...,), "1001"),
            ((), "failed"),
        ],
    )
    async def test_what_is_said_first_counts(
        self, messages: tuple[Any, ...], close: str, registry: CollectorRegistry
    ) -> None:
        """A close of either side, a refusal, or the end of the application: exactly one, and none stays open."""
        conversation = connection(left())
        await conversation.with_(recorded(speaking(..., *messages), registry))
        assert {("unmatched", close): 1} == ends(registry)
        assert 0 == sum(number for name, _, number in samples(registry) if name == OPEN)
        accepted = messages[:1] == (ACCEPT,)
        durations = [number for name, _, number in samples(registry) if name == f"{DURATION}_count"]
        assert ([1] if accepted else []) == durations
        assert [message for message in messages if message is not ...] == conversation.sent
        assert ({"label.close": 1} if close == "other" else {}) == unrecorded(registry)

    @pytest.mark.parametrize(("code", "close"), [(None, "1005"), (1006, "1006"), (1012, "1012"), (3000, "3000")])
    async def test_what_the_server_says_of_the_client(
        self, code: int | None, close: str, registry: CollectorRegistry
    ) -> None:
        """The code of a disconnect counts: 1006 for a client that vanished, 1012 for a server that shuts down."""
        await connection(left(code)).with_(recorded(speaking(..., ACCEPT, ...), registry))
        assert {("unmatched", close): 1} == ends(registry)

    @pytest.mark.parametrize("before", [(), (ACCEPT,)])
    async def test_an_exception_fails_it_and_is_the_same(
        self, before: tuple[Any, ...], registry: CollectorRegistry
    ) -> None:
        """Before and after the acceptance: the server gets the same object, with the traceback of the application."""
        error = ZeroDivisionError("mine")
        app = speaking(..., *before, error)
        with pytest.raises(ZeroDivisionError) as caught:
            await connection().with_(recorded(app, registry))
        assert error is caught.value
        assert "app" == caught.traceback[-1].name
        assert {("unmatched", "failed"): 1} == ends(registry)
        assert at_rest(registry)

    async def test_an_exception_after_the_close_changes_nothing(self, registry: CollectorRegistry) -> None:
        """The client has its code by then, and so does an application that raises what Starlette tells it."""
        for first in (closing(4001), ...):
            with pytest.raises(ZeroDivisionError):
                await connection(left()).with_(recorded(speaking(..., ACCEPT, first, ZeroDivisionError()), registry))
        assert {("unmatched", "4001"): 1, ("unmatched", "1001"): 1} == ends(registry)

    @pytest.mark.parametrize("error", [OSError, WebSocketDisconnect])
    async def test_a_client_that_vanishes_while_the_application_sends(
        self, error: type[Exception], registry: CollectorRegistry
    ) -> None:
        """The server's own error, and what Starlette makes of it, mean that there was no close message."""

        class Gone(Conversation):
            async def send(self, message: dict[str, Any]) -> None:
                if message != ACCEPT:
                    raise OSError

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(ACCEPT)
            try:
                await send({"type": "websocket.send", "text": "x"})
            except OSError as lost:
                if error is OSError:
                    raise
                raise WebSocketDisconnect(1006) from lost

        with pytest.raises(error):
            await Gone({"type": "websocket", "path": "/"}, [CONNECT]).with_(recorded(app, registry))
        assert {("unmatched", "1006"): 1} == ends(registry)
        assert at_rest(registry)

    async def test_an_error_of_the_applications_own_files_fails_it(self, registry: CollectorRegistry) -> None:
        """An `OSError` that the server's `send` did not raise is the application's."""
        with pytest.raises(FileNotFoundError):
            await connection().with_(recorded(speaking(..., ACCEPT, FileNotFoundError()), registry))
        assert {("unmatched", "failed"): 1} == ends(registry)

    async def test_a_group_of_disconnects(self, registry: CollectorRegistry) -> None:
        """A task group whose tasks all found the client gone means that; with another error among them, it failed."""
        gone = WebSocketDisconnect(1006)
        for error in (ExceptionGroup("", [gone, gone]), ExceptionGroup("", [gone, ValueError()])):
            with pytest.raises(ExceptionGroup):
                await connection().with_(recorded(speaking(..., ACCEPT, error), registry))
        assert {("unmatched", "1006"): 1, ("unmatched", "failed"): 1} == ends(registry)

    async def test_a_cancelled_task(self, registry: CollectorRegistry) -> None:
        """A task that is cancelled has sent no close message; nothing stays open."""
        begun = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(ACCEPT)
            begun.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(connection().with_(recorded(app, registry)))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert {("unmatched", "1006"): 1} == ends(registry)
        assert at_rest(registry)

    async def test_one_that_is_collected(self, registry: CollectorRegistry) -> None:
        """A connection whose coroutine is dropped is not open any more."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(ACCEPT)
            await asyncio.Event().wait()

        run = connection().with_(recorded(app, registry))
        run.send(None)
        assert 1 == value(registry, OPEN)
        del run
        gc.collect()
        assert {("unmatched", "1006"): 1} == ends(registry)
        assert at_rest(registry)

    def test_what_fastapi_refuses(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """An exception that Starlette answers with a close refuses; a path without a route is refused as unmatched."""

        @app.websocket("/private")
        async def private(websocket: WebSocket) -> None:
            raise WebSocketException(1008)

        for path in ("/private", "/nowhere"):
            with pytest.raises(WebSocketDisconnect), TestClient(app).websocket_connect(path):
                pass
        assert {("/private", "refused"): 1, ("unmatched", "refused"): 1} == ends(registry)
        assert at_rest(registry)

    async def test_codes_that_clients_make_up_have_a_limit(self, registry: CollectorRegistry) -> None:
        """Codes of applications and clients share the limit of labels; those of the standard have none."""
        store_for(registry).limits.max_values = 3
        for code in (*range(3000, 3010), 1011):
            await connection(left(code)).with_(recorded(speaking(..., ACCEPT, ...), registry))
        found = ends(registry)
        assert 7 == found["unmatched", "other"]
        assert 1 == found["unmatched", "1011"]
        assert 7 == value(registry, "mlmetrics_label_overflow_total", metric="fastapi_websockets_total", label="close")


def served(registry: CollectorRegistry, app: Any, *paths: str, root_path: str = "") -> list[str]:
    """Open a WebSocket at each path, and return the routes that were recorded, in that order."""
    client, found = TestClient(app, root_path=root_path), list[str]()
    for path in paths:
        before = ends(registry)
        try:
            with client.websocket_connect(path):
                pass
        except WebSocketDisconnect:
            pass
        found += [route for (route, close), number in ends(registry).items() if number > before.get((route, close), 0)]
    return found


async def hello(websocket: WebSocket) -> None:
    """Accept, and close."""
    await websocket.accept()
    await websocket.close()


class TestRoutes:
    """The template is that of the endpoint, or of the path, as for requests."""

    def test_included_routers(self, registry: CollectorRegistry) -> None:
        """Prefixes of routers are part of the template."""
        app, router = FastAPI(), APIRouter(prefix="/chat")
        instrument(app, registry=registry)
        router.add_api_websocket_route("/{room}", hello)
        app.include_router(router, prefix="/v1")
        assert ["/v1/chat/{room}"] == served(registry, app, "/v1/chat/7")

    def test_one_function_at_two_paths(self, registry: CollectorRegistry) -> None:
        """The path decides where the endpoint does not, whatever `root_path` says."""
        app = FastAPI()
        instrument(app, registry=registry)
        for path in ("/a/{x}", "/b/{x}"):
            app.add_api_websocket_route(path, hello)
        assert ["/a/{x}", "/b/{x}"] == served(registry, app, "/a/1", "/b/1")
        assert ["/b/{x}"] == served(registry, app, "/api/b/1", root_path="/api")

    def test_a_path_of_both(self, registry: CollectorRegistry) -> None:
        """The same path, and the same function, over HTTP and as a WebSocket, are two."""
        app = Starlette(routes=[Route("/{a}", PlainTextResponse("ok")), WebSocketRoute("/{b}", hello)])
        instrument(app, registry=registry)
        assert ["/{b}"] == served(registry, app, "/x")
        TestClient(app).get("/x")
        assert {("GET", "/{a}", "200"): 1} == counted(registry)

    def test_mounts_hosts_and_classes(self, registry: CollectorRegistry) -> None:
        """Mounted applications have the prefix of the mount; what shows no routes is one template."""

        class Hello(WebSocketEndpoint):
            async def on_connect(self, websocket: WebSocket) -> None:
                await hello(websocket)

        async def opaque(scope: Any, receive: Any, send: Any) -> None:
            await hello(WebSocket(scope, receive, send))

        inner = Starlette(routes=[WebSocketRoute("/rooms/{room}", Hello)])
        app = Starlette(
            routes=[
                Mount("/t/{tenant}", inner),
                Mount("/opaque", opaque),
                Host("testserver", Starlette(routes=[WebSocketRoute("/hosted", hello)])),
            ]
        )
        instrument(app, registry=registry)
        paths = ("/t/acme/rooms/7", "/t/acme/nowhere", "/opaque/x", "/hosted")
        assert ["/t/{tenant}/rooms/{room}", "unmatched", "/opaque/{path}", "/hosted"] == served(registry, app, *paths)

    def test_routes_that_come_later(self, registry: CollectorRegistry) -> None:
        """A route that is added or replaced while the application runs is found."""
        app = FastAPI()
        instrument(app, registry=registry)
        assert ["unmatched"] == served(registry, app, "/late/1")
        app.add_api_websocket_route("/late/{n}", hello)
        assert ["/late/{n}"] == served(registry, app, "/late/1")

        async def other(websocket: WebSocket) -> None:
            await hello(websocket)

        app.router.routes[-1] = WebSocketRoute("/late/{other}", other)
        assert ["/late/{other}"] == served(registry, app, "/late/1")

    async def test_a_copied_scope(self, registry: CollectorRegistry) -> None:
        """Middleware that passes a changed copy on does not hide the route."""

        class Rewriting:
            def __init__(self, app: Any) -> None:
                self.app = app

            async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
                await self.app({**scope, "path": "/rooms/7"}, receive, send)

        app = FastAPI()
        app.add_api_websocket_route("/rooms/{room}", hello)
        app.add_middleware(Rewriting)
        instrument(app, registry=registry)
        await connection(path="/old").with_(app)
        assert {("/rooms/{room}", "1000"): 1} == ends(registry)


class TestLeavingAlone:
    """What is passed on as it came."""

    async def test_messages_and_scope_are_the_same(self, registry: CollectorRegistry) -> None:
        """The application and the server get each other's own messages, and the scope of the server."""
        seen: list[Any] = []
        sent, received = {"type": "websocket.send", "bytes": b"x"}, {"type": "websocket.receive", "text": "x"}

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.extend((scope, await receive(), await receive()))
            await send(ACCEPT)
            await send(sent)

        conversation = connection(received)
        await conversation.with_(recorded(app, registry))
        assert conversation.scope is seen[0]
        assert CONNECT is seen[1]
        assert received is seen[2]
        assert ACCEPT is conversation.sent[0]
        assert sent is conversation.sent[1]

    @pytest.mark.parametrize("options", [{"websockets": False}, {"skip_paths": ["/live"]}])
    async def test_what_is_not_recorded(self, options: dict[str, Any], registry: CollectorRegistry) -> None:
        """Without `websockets`, and on a path that is left out, the very objects of the server are passed on."""
        seen: list[Any] = []

        async def app(*given: Any) -> None:
            seen.extend(given)

        conversation = connection()
        given = (conversation.scope, conversation.receive, conversation.send)
        await recorded(app, registry, **options)(*given)
        assert list(given) == seen
        assert {"type", "path", "query_string", "headers"} == conversation.scope.keys()
        assert not [name for name, _, _ in samples(registry) if "websocket" in name]

    async def test_without_websockets_no_route_stands_at_0(self, registry: CollectorRegistry) -> None:
        """Nothing of WebSockets is on the page of who does not want it."""
        app = FastAPI()
        app.add_api_websocket_route("/live", hello)
        instrument(app, registry=registry, websockets=False)
        await connection().with_(app)
        assert not [name for name, _, _ in samples(registry) if name.startswith("fastapi_websocket")]

    async def test_middleware_twice_counts_once(self, registry: CollectorRegistry) -> None:
        """The outer one of two that record the same series counts."""
        app = FastAPI()
        app.add_api_websocket_route("/live", hello)
        app.add_middleware(PrometheusMiddleware, service_name="s", registry=registry)
        app.add_middleware(PrometheusMiddleware, service_name="s", registry=registry)
        await connection().with_(app)
        assert {("/live", "1000"): 1} == ends(registry)
        assert 1 == value(registry, f"{DURATION}_count")
        assert at_rest(registry)

    async def test_two_services_count_one_each(self, registry: CollectorRegistry) -> None:
        """A mounted application of its own name counts there, with its own template."""
        inner = FastAPI()
        inner.add_api_websocket_route("/live", hello)
        instrument(inner, "inner", registry=registry)
        app = FastAPI()
        app.mount("/shop", inner)
        instrument(app, "outer", registry=registry)
        await connection(path="/shop/live").with_(app)
        assert 1 == value(registry, "fastapi_websockets_total", service="outer", route="/shop/live", close="1000")
        assert 1 == value(registry, "fastapi_websockets_total", service="inner", route="/live", close="1000")

    async def test_after_uninstrument(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """One that is open ends as recorded, and later ones are passed on."""
        other = FastAPI()
        handle = instrument(other, "s", registry=registry)

        @other.websocket("/last")
        async def last(websocket: WebSocket) -> None:
            await websocket.accept()
            handle.uninstrument()
            await websocket.close()

        for _ in range(2):
            await connection(path="/last").with_(other)
        assert {("/last", "1000"): 1} == ends(registry)
        assert at_rest(registry)

    async def test_what_cannot_be_recorded_is_counted_and_served(self, registry: CollectorRegistry) -> None:
        """Routes that cannot be read, and messages that are none, are the recording's problem."""

        class Broken(list[Any]):
            def __iter__(self) -> Any:
                raise ZeroDivisionError

        app = Starlette(routes=[WebSocketRoute("/live", hello)])
        app.router.routes = Broken(app.router.routes)
        middleware = recorded(speaking(..., ACCEPT, {"kind": "none"}, closing()), registry)
        middleware.app, inner = app, middleware.app
        conversation = connection()
        with capture_logs() as events:
            await conversation.with_(PrometheusMiddleware(inner, service_name="s", registry=registry))
        assert [ACCEPT, {"kind": "none"}, closing()] == conversation.sent
        assert {"websocket": 1} == unrecorded(registry)
        assert ["websocket"] == [event["where"] for event in events]
        assert {("unmatched", "1000"): 1} == ends(registry)
