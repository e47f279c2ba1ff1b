"""What is recorded of a request, whatever becomes of it: one test for each rule."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import anyio
import pytest
from fastapi import BackgroundTasks, FastAPI, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import StreamingResponse
from prometheus_client import CollectorRegistry, Counter
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from mlmetrics.errors import ConfigurationError, RegistrationError
from mlmetrics.http.endpoint import metrics_app, metrics_endpoint
from mlmetrics.http.instrumentation import instrument
from mlmetrics.http.middleware import PrometheusMiddleware
from mlmetrics.recording.collector import store_for
from tests.conftest import Clock
from tests.http.asking import Conversation, ask, counted, in_progress, request, samples, unrecorded, value


@pytest.fixture
def app(registry: CollectorRegistry, clock: Clock) -> FastAPI:
    """Return an application whose requests are recorded, on a clock that is moved by hand."""
    store_for(registry).clock = clock
    app = FastAPI()
    app.add_middleware(PrometheusMiddleware, service_name="mon-service", registry=registry)
    return app


def recorded(app: Any, registry: CollectorRegistry) -> PrometheusMiddleware:
    """Return a bare ASGI application whose requests are recorded."""
    return PrometheusMiddleware(app, service_name="mon-service", registry=registry)


async def asked_for(app: FastAPI, registry: CollectorRegistry, path: str) -> set[tuple[str, float]]:
    """Ask for a path, and return the routes that are counted with their numbers."""
    await ask(app, path)
    family = next(each for each in registry.collect() if each.name == "fastapi_requests")
    return {(sample.labels["route"], sample.value) for sample in family.samples}


def histograms(registry: CollectorRegistry) -> set[tuple[str, str]]:
    """Return the histograms of requests that have samples, with their routes."""
    return {
        (name.removesuffix("_count"), labels["route"])
        for name, labels, _ in samples(registry)
        if name.startswith("fastapi_request_") and name.endswith("_count")
    }


def start(status: object = 200) -> dict[str, Any]:
    """Return the first message of a response."""
    return {"type": "http.response.start", "status": status, "headers": []}


def body(content: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    """Return a further message of a response."""
    return {"type": "http.response.body", "body": content, "more_body": more}


class TestCounting:
    """How many requests there were, by method, route and status."""

    async def test_a_request_is_counted_once_with_its_labels(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """One request makes one count, one duration, one first byte, and leaves nothing in progress."""

        @app.get("/items/{item}")
        async def item(item: str) -> str:
            return item

        assert 200 == (await ask(app, "/items/42")).status_code
        labels = {"service": "mon-service", "method": "GET", "route": "/items/{item}"}
        assert 1 == value(registry, "fastapi_requests_total", **labels, status="200")
        assert 1 == value(registry, "fastapi_request_duration_seconds_count", **labels)
        assert 1 == value(registry, "fastapi_request_first_byte_seconds_count", **labels)
        assert 0 == in_progress(registry)

    async def test_first_failure_is_seen_by_rate(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """Pitfall 19: at the first request, a scrape too, every route stands at 0 for success and for 500."""

        @app.post("/parse", status_code=201)
        async def parse() -> None: ...

        await ask(app, "/metrics")
        labels = {"service": "mon-service", "method": "POST", "route": "/parse"}
        assert 0 == value(registry, "fastapi_requests_total", **labels, status="201")
        assert 0 == value(registry, "fastapi_requests_total", **labels, status="500")
        assert 0 == value(registry, "fastapi_requests_in_progress", service="mon-service", method="POST")

    async def test_durations_come_with_the_first_request(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """A page is small: the histograms of a route that nobody asks for are not on it."""
        for number in range(100):
            app.add_api_route(f"/{number}", lambda: "ok")
        await ask(app, "/metrics")
        assert set() == histograms(registry)
        await ask(app, "/7")
        duration, first_byte = "fastapi_request_duration_seconds", "fastapi_request_first_byte_seconds"
        assert {(duration, "/7"), (first_byte, "/7")} == histograms(registry)
        assert 200 == sum(name == "fastapi_requests_total" for name, _, _ in samples(registry))
        assert 1 == value(registry, "fastapi_request_duration_seconds_count", route="/7")

    async def test_documentation_stands_at_nothing(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """Pages that are not part of the schema get no series before somebody asks for them."""
        await ask(app, "/metrics")
        assert {("/docs", 1)} == await asked_for(app, registry, "/docs")

    async def test_scrapes_are_not_counted(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """The path of the metrics is passed through, with and without a slash, behind a proxy too."""
        for path, root_path in (("/metrics", ""), ("/metrics/", ""), ("/api/metrics", "/api")):
            answer = await ask(app, path, root_path=root_path)
            assert "x-request-id" not in answer.headers
        assert {} == counted(registry)

    @pytest.mark.parametrize("mount", ["/v/a", "/{tenant}"])
    async def test_scrapes_of_a_mounted_application_are_not_counted(
        self, mount: str, app: FastAPI, registry: CollectorRegistry
    ) -> None:
        """The metrics of a mounted application are no request to the one around it."""
        mounted = FastAPI()
        instrument(mounted, service_name="mounted", registry=CollectorRegistry())
        mounted.add_api_route("/items", lambda: "ok")
        app.mount(mount, mounted)
        path = mount.replace("{tenant}", "acme")
        assert "mlmetrics_build_info" in (await ask(app, f"{path}/metrics")).text
        await ask(app, f"{path}/items")
        assert {("GET", f"{mount}/items", "200"): 1} == counted(registry)

    async def test_scrapes_of_mounted_metrics_are_not_counted(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """Neither `metrics_app` at a path of its own, wrapped or not, nor `metrics_endpoint` as a route."""
        app.mount("/internal/plain", metrics_app(registry))
        app.mount("/internal/wrapped", CORSMiddleware(metrics_app(registry), allow_origins=["*"]))
        app.router.add_route("/internal/route", metrics_endpoint)
        for path in ("plain", "plain/", "plain/x", "wrapped", "wrapped/", "route", "route/"):
            assert (await ask(app, f"/internal/{path}")).status_code in {200, 307}
        assert {} == counted(registry)

    async def test_unknown_methods_share_one_value(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """Pitfall 9: a client that makes methods up makes no series."""
        for method in ("BREW", "PROPFIND", "X" * 5000):
            await ask(app, "/nowhere", method)
        assert {("OTHER", "unmatched", "404"): 3} == counted(registry)

    async def test_status_is_digits_also_for_enum_members(self, registry: CollectorRegistry) -> None:
        """Pitfall 9: `HTTPStatus` members are counted by their number."""

        async def teapot(scope: Any, receive: Any, send: Any) -> None:
            await send(start(HTTPStatus.IM_A_TEAPOT))
            await send(body())

        await request().with_(recorded(teapot, registry))
        assert {("GET", "unmatched", "418"): 1} == counted(registry)

    async def test_two_apps_share_a_registry(self, registry: CollectorRegistry) -> None:
        """Pitfall 3: an app that is rebuilt, or a second one, records into the same series."""
        for _ in range(2):
            app = FastAPI()
            app.add_middleware(PrometheusMiddleware, service_name="mon-service", registry=registry)
            await ask(app, "/nowhere")
        assert {("GET", "unmatched", "404"): 2} == counted(registry)

    async def test_each_registry_has_its_own_requests_in_progress(self, registry: CollectorRegistry) -> None:
        """Pitfall 4: the gauge goes to the registry that was given, like all the rest."""
        seen: list[float] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(in_progress(registry))
            await send(start())
            await send(body())

        await request().with_(recorded(app, registry))
        assert [1] == seen
        assert 0 == in_progress(registry)

    async def test_the_same_middleware_twice_counts_once(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """A request that goes to one service's series twice is recorded by the outer middleware only."""
        app.add_middleware(PrometheusMiddleware, service_name="mon-service", registry=registry)
        await ask(app, "/nowhere")
        assert {("GET", "unmatched", "404"): 1} == counted(registry)

    @pytest.mark.in_memory
    async def test_service_is_bound_late_without_a_name(self, registry: CollectorRegistry) -> None:
        """Without `service_name` the label is the store's service, named afterwards if need be."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start())
            await send(body())

        await request().with_(PrometheusMiddleware(app, registry=registry))
        store_for(registry).name_service("named-later", configured=True)
        assert 1 == value(registry, "fastapi_requests_total", service="named-later")

    async def test_routes_that_come_later_have_a_limit(self, registry: CollectorRegistry) -> None:
        """Beyond `max_label_values`, routes that are added after the first request go to `other`, and are counted."""
        store_for(registry).limits.max_values = 1
        app = FastAPI(openapi_url=None)
        app.add_middleware(PrometheusMiddleware, service_name="mon-service", registry=registry)
        app.add_api_route("/first", lambda: None)
        for name in ("first", "a", "b", "c"):
            app.add_api_route(f"/{name}", lambda: None)
            await ask(app, f"/{name}")
        assert {("GET", "/first", "200"): 1, ("GET", "/a", "200"): 1, ("GET", "other", "200"): 2} == counted(registry)
        assert 0 < value(registry, "mlmetrics_label_overflow_total", label="route")

    async def test_routes_of_the_application_have_none(self, registry: CollectorRegistry) -> None:
        """However many routes an application has when it starts, each keeps its name."""
        app = FastAPI(openapi_url=None)
        app.add_middleware(PrometheusMiddleware, service_name="mon-service", registry=registry)
        for number in range(300):
            app.add_api_route(f"/{number}", lambda: None)
        await ask(app, "/299")
        assert {("GET", "/299", "200"): 1} == counted(registry)
        routes = {labels["route"] for name, labels, _ in samples(registry) if name == "fastapi_requests_total"}
        assert {f"/{number}" for number in range(300)} == routes

    async def test_applications_without_end_have_a_limit(
        self, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A program that makes ever new applications comes to the ordinary limit in the end."""
        monkeypatch.setattr("mlmetrics.http.requests.MOST_OWN_ROUTES", 2)
        store_for(registry).limits.max_values = 1
        for number in range(5):
            app = FastAPI(openapi_url=None)
            app.add_middleware(PrometheusMiddleware, service_name="mon-service", registry=registry)
            app.add_api_route(f"/{number}", lambda: None)
            await ask(app, f"/{number}")
        assert {"/0": 1, "/1": 1, "/2": 1, "other": 2} == {route: n for (_, route, _), n in counted(registry).items()}

    async def test_a_scope_that_is_used_again_counts_again(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """A client that sends the same scope twice has made two requests."""
        app.add_api_route("/", lambda: "ok")
        conversation = request()
        for _ in range(2):
            conversation.incoming = [{"type": "http.request", "body": b""}]
            await conversation.with_(app)
        assert {("GET", "/", "200"): 2} == counted(registry)

    async def test_a_request_leaves_no_cycle(self, registry: CollectorRegistry) -> None:
        """What a request was recorded with is freed when it is over, without the garbage collector."""

        class Copying:
            def __init__(self, app: Any) -> None:
                self.app = app

            async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
                await self.app(dict(scope), receive, send)

        seen: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.extend((weakref.ref(receive), weakref.ref(send)))
            await inner(scope, receive, send)

        async def answer(request: Request) -> Response:
            return PlainTextResponse("ok")

        inner = Starlette(routes=[Route("/", answer)])
        inner.add_middleware(Copying)
        middleware = PrometheusMiddleware(app, registry=registry)
        gc.disable()
        try:
            await request().with_(middleware)
            left = [one() for one in seen]
        finally:
            gc.enable()
        assert [None, None] == left

    @pytest.mark.in_memory
    async def test_folds_by_itself(self, registry: CollectorRegistry) -> None:
        """What is appended does not grow without end between two scrapes, and nothing is lost."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start())
            await send(body())

        middleware = recorded(app, registry)
        for _ in range(5000):
            await request().with_(middleware)
        series: Any = middleware.requests.route("GET", "unmatched")
        method: Any = middleware.requests.method("GET")
        assert len(series.finished) < 2000
        assert len(method.started) < 2000
        assert {("GET", "unmatched", "200"): 5000} == counted(registry)
        assert 0 == in_progress(registry)

    async def test_parallel_requests_leave_nothing_in_progress(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """Fifty at once are fifty in progress, and none afterwards."""
        together, seen = asyncio.Barrier(50), []

        @app.get("/wait")
        async def wait() -> None:
            await together.wait()
            seen.append(in_progress(registry))

        await asyncio.gather(*(ask(app, "/wait") for _ in range(50)))
        assert 50 == max(seen)
        assert 0 == in_progress(registry)
        assert {("GET", "/wait", "200"): 50} == counted(registry)


class TestDuration:
    """When the clock stops, for each of the two durations."""

    async def test_background_tasks_are_excluded(self, app: FastAPI, registry: CollectorRegistry, clock: Clock) -> None:
        """Pitfall 5: the clock stops at the last body message, whatever the application does afterwards."""

        @app.get("/mail")
        async def mail(tasks: BackgroundTasks) -> None:
            clock.advance(2)
            tasks.add_task(clock.advance, 100)

        await ask(app, "/mail")
        assert 2 == value(registry, "fastapi_request_duration_seconds_sum", route="/mail")

    async def test_streams_have_a_first_and_a_last_byte(
        self, app: FastAPI, registry: CollectorRegistry, clock: Clock
    ) -> None:
        """Pitfall 8: the first byte of the body and the last are two measurements."""

        async def tokens() -> AsyncIterator[str]:
            for seconds in (3, 10, 20):
                clock.advance(seconds)
                yield "token"

        @app.get("/stream")
        async def stream() -> StreamingResponse:
            return StreamingResponse(tokens())

        await ask(app, "/stream")
        assert 3 == value(registry, "fastapi_request_first_byte_seconds_sum", route="/stream")
        assert 33 == value(registry, "fastapi_request_duration_seconds_sum", route="/stream")

    async def test_a_response_without_body_has_its_first_byte_at_its_end(
        self, app: FastAPI, registry: CollectorRegistry, clock: Clock
    ) -> None:
        """A 204 is over when it is sent: both durations are the same."""

        @app.delete("/cv", status_code=204)
        async def forget() -> None:
            clock.advance(4)

        await ask(app, "/cv", "DELETE")
        assert 4 == value(registry, "fastapi_request_first_byte_seconds_sum", route="/cv")
        assert 4 == value(registry, "fastapi_request_duration_seconds_sum", route="/cv")

    async def test_an_exception_ends_the_request_too(
        self, app: FastAPI, registry: CollectorRegistry, clock: Clock
    ) -> None:
        """A request that raises took as long as it took, and had no first byte."""

        @app.get("/raise")
        async def fail() -> None:
            clock.advance(7)
            raise ZeroDivisionError

        await ask(app, "/raise")
        assert 7 == value(registry, "fastapi_request_duration_seconds_sum", route="/raise")
        assert 0 == value(registry, "fastapi_request_first_byte_seconds_count", route="/raise")

    async def test_slow_requests_reach_the_bucket_of_the_alert(
        self, app: FastAPI, registry: CollectorRegistry, clock: Clock
    ) -> None:
        """Six seconds are above the bound at 5 that `HighAPIResponseTime` asks for."""

        @app.get("/slow")
        async def slow() -> None:
            clock.advance(6)

        await ask(app, "/slow")
        assert 0 == value(registry, "fastapi_request_duration_seconds_bucket", route="/slow", le="5.0")
        assert 1 == value(registry, "fastapi_request_duration_seconds_bucket", route="/slow", le="10.0")


class TestFailing:
    """Requests that do not simply run to their end."""

    async def test_an_unhandled_exception_counts_500_and_is_the_same(
        self, app: FastAPI, registry: CollectorRegistry
    ) -> None:
        """Pitfall 7: the exception is recorded, and comes out as it was raised."""
        error = ZeroDivisionError("as it was")

        @app.get("/raise")
        async def fail() -> None:
            raise error

        with pytest.raises(ZeroDivisionError) as caught:
            await request("/raise").with_(app)
        assert error is caught.value
        assert {("GET", "/raise", "500"): 1} == counted(registry)
        assert 0 == in_progress(registry)

    async def test_an_exception_after_the_start_counts_500(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """Pitfall 7: a 200 went out, the stream broke: the request failed."""

        async def broken() -> AsyncIterator[bytes]:
            yield b"half"
            raise ZeroDivisionError

        @app.get("/stream")
        async def stream() -> StreamingResponse:
            return StreamingResponse(broken())

        assert 200 == (await ask(app, "/stream")).status_code
        assert {("GET", "/stream", "500"): 1} == counted(registry)

    async def test_an_http_exception_counts_as_its_status(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """What the framework turns into a response is one: 404 keeps the template of the route that said so."""

        @app.get("/items/{item}")
        async def item(item: str) -> None:
            raise HTTPException(404)

        await ask(app, "/items/7")
        assert {("GET", "/items/{item}", "404"): 1} == counted(registry)

    async def test_a_client_that_left_before_the_response_counts_499(
        self, app: FastAPI, registry: CollectorRegistry
    ) -> None:
        """Pitfall 7: a client that disconnects before the response is neither a server error nor a success."""

        @app.post("/parse")
        async def parse(request: Request) -> str:
            while not await request.is_disconnected():
                pass
            return "for nobody"

        await request("/parse", "POST").with_(app)
        assert {("POST", "/parse", "499"): 1} == counted(registry)

    async def test_a_client_that_left_while_sending_counts_499(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """A body that never arrives in full is the client's doing, whatever is raised for it."""

        @app.post("/upload")
        async def upload(request: Request) -> int:
            return len(await request.body())

        conversation = request("/upload", "POST")
        conversation.incoming = [{"type": "http.request", "body": b"half", "more_body": True}]
        await asyncio.gather(conversation.with_(app), return_exceptions=True)
        assert {("POST", "/upload", "499"): 1} == counted(registry)

    @pytest.mark.parametrize("kind", [BrokenPipeError, ConnectionResetError, OSError])
    async def test_a_response_that_cannot_be_sent_counts_499(
        self, kind: type[OSError], registry: CollectorRegistry
    ) -> None:
        """A server that says so by an error of its `send` is heard, and its error passed on."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start())

        async def refuse(message: Any) -> None:
            raise kind

        conversation = request()
        with pytest.raises(kind):
            await recorded(app, registry)(conversation.scope, conversation.receive, refuse)
        assert {("GET", "unmatched", "499"): 1} == counted(registry)

    async def test_a_stream_that_cannot_be_sent_counts_499(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """Starlette turns the server's error into one of its own: the client has left all the same."""

        async def tokens() -> AsyncIterator[bytes]:
            yield b"token"

        @app.get("/stream")
        async def stream() -> StreamingResponse:
            return StreamingResponse(tokens())

        async def refuse(message: Any) -> None:
            if message["type"] == "http.response.body":
                raise BrokenPipeError

        async def stay() -> Any:
            await asyncio.Event().wait()

        scope = {**request("/stream").scope, "asgi": {"spec_version": "2.4"}}
        await asyncio.gather(app(scope, stay, refuse), return_exceptions=True)
        assert {("GET", "/stream", "499"): 1} == counted(registry)

    @pytest.mark.parametrize("name", ["ClientDisconnect", "BrokenResourceError", "ClosedResourceError"])
    async def test_a_users_class_of_a_known_name_counts_500(self, name: str, registry: CollectorRegistry) -> None:
        """What an error is called says nothing: it is Starlette's and anyio's own that tell of a client."""
        error = type(name, (Exception,), {})

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start())

        async def refuse(message: Any) -> None:
            raise error

        conversation = request()
        with pytest.raises(error):
            await recorded(app, registry)(conversation.scope, conversation.receive, refuse)
        assert {("GET", "unmatched", "500"): 1} == counted(registry)

    @pytest.mark.parametrize("error", [anyio.BrokenResourceError, anyio.ClosedResourceError, ClientDisconnect])
    async def test_errors_that_tell_of_a_client_count_499(
        self, error: type[Exception], registry: CollectorRegistry
    ) -> None:
        """Middleware around us sends through anyio's streams, and Starlette has an error of its own."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start())

        async def refuse(message: Any) -> None:
            raise error

        conversation = request()
        with pytest.raises(error):
            await recorded(app, registry)(conversation.scope, conversation.receive, refuse)
        assert {("GET", "unmatched", "499"): 1} == counted(registry)

    async def test_an_error_after_the_response_leaves_the_status(
        self, app: FastAPI, registry: CollectorRegistry
    ) -> None:
        """The client has had its answer in full; what a background task raises is not its request."""

        @app.get("/mail", status_code=202)
        async def mail(tasks: BackgroundTasks) -> None:
            def fail() -> None:
                raise ZeroDivisionError

            tasks.add_task(fail)

        assert 202 == (await ask(app, "/mail")).status_code
        assert {("GET", "/mail", "202"): 1} == counted(registry)

    async def test_the_applications_own_os_error_counts_500(self, registry: CollectorRegistry) -> None:
        """An OSError of the application is not taken for a client that left."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start())
            raise FileNotFoundError

        with pytest.raises(FileNotFoundError):
            await request().with_(recorded(app, registry))
        assert {("GET", "unmatched", "500"): 1} == counted(registry)

    @pytest.mark.parametrize("messages", [[], [start()]])
    async def test_a_cancelled_request_counts_499(
        self, messages: list[dict[str, Any]], registry: CollectorRegistry
    ) -> None:
        """Pitfall 7: a task that is cancelled, before the start or after it, is neither dropped nor a failure."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            for message in messages:
                await send(message)
            await asyncio.Event().wait()

        task = asyncio.create_task(request().with_(recorded(app, registry)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert {("GET", "unmatched", "499"): 1} == counted(registry)
        assert 0 == in_progress(registry)

    async def test_a_cancelled_background_task_leaves_the_status(self, registry: CollectorRegistry) -> None:
        """The client has had its answer; what is cancelled afterwards is not its request."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start())
            await send(body())
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await request().with_(recorded(app, registry))
        assert {("GET", "unmatched", "200"): 1} == counted(registry)

    async def test_a_request_that_is_collected_is_counted(self, registry: CollectorRegistry) -> None:
        """Pitfall 7: a server that drops a request without a word leaves nothing in progress."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.get_running_loop().create_future()

        serving = request().with_(recorded(app, registry))
        serving.send(None)
        assert 1 == in_progress(registry)
        del serving
        gc.collect()
        assert {("GET", "unmatched", "499"): 1} == counted(registry)
        assert 0 == in_progress(registry)

    @pytest.mark.parametrize("messages", [[], [start()], [start(), body(b"half", more=True)]])
    async def test_a_response_that_is_never_finished_counts_500(
        self, messages: list[dict[str, Any]], registry: CollectorRegistry
    ) -> None:
        """An application that returns before the response is complete has failed, although it raised nothing."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            for message in messages:
                await send(message)

        await request().with_(recorded(app, registry))
        assert {("GET", "unmatched", "500"): 1} == counted(registry)

    async def test_disconnects_are_seen_beneath_the_middleware(self, app: FastAPI) -> None:
        """Pitfall 6: `is_disconnected` stays true to the client, so that work for nobody can stop."""
        answers = []

        @app.post("/generate")
        async def generate(request: Request) -> None:
            answers.append(await request.is_disconnected())
            answers.append(await request.is_disconnected())

        await request("/generate", "POST").with_(app)
        assert [False, True] == answers

    @pytest.mark.parametrize(("disconnected", "status"), [(False, "200"), (True, "499")])
    async def test_a_server_that_knows_its_client_is_asked(
        self, *, disconnected: bool, status: str, registry: CollectorRegistry
    ) -> None:
        """The application gets `receive` itself if its object says whether the client has left, as uvicorn's does."""

        class Connection(Conversation):
            disconnected = False

        conversation = Connection(request().scope)
        seen: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(receive)
            await send(start())
            conversation.disconnected = disconnected
            await send(body())

        given = conversation.receive
        await recorded(app, registry)(conversation.scope, given, conversation.send)
        assert given is seen[0]
        assert {("GET", "unmatched", status): 1} == counted(registry)

    # Older Starlette leaves its own streams open when an application raises.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
    async def test_works_around_and_within_base_http_middleware(self, registry: CollectorRegistry) -> None:
        """Pitfall 6: middleware that runs the application in a task of its own changes no figure."""

        class Passing(BaseHTTPMiddleware):
            async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
                return await call_next(request)

        app = FastAPI()
        app.add_middleware(Passing)
        app.add_middleware(PrometheusMiddleware, service_name="mon-service", registry=registry)
        app.add_middleware(Passing)

        @app.get("/items/{item}")
        async def item(item: str) -> str:
            return item

        @app.get("/raise")
        async def fail() -> None:
            raise ZeroDivisionError

        await ask(app, "/items/1")
        await ask(app, "/raise")
        assert {("GET", "/items/{item}", "200"): 1, ("GET", "/raise", "500"): 1} == counted(registry)
        assert 0 == in_progress(registry)


class TestLeavingAlone:
    """What the middleware does not touch, and what cannot break it."""

    @pytest.mark.parametrize("kind", ["lifespan", "another"])
    async def test_other_scopes_pass_untouched(self, kind: str, registry: CollectorRegistry) -> None:
        """The lifespan, and what no version of ASGI has yet, reach the application with the very objects that came."""
        seen: list[Any] = []

        async def app(*args: Any) -> None:
            seen.extend(args)

        conversation = Conversation({"type": kind, "path": "/"})
        given = (conversation.scope, conversation.receive, conversation.send)
        await recorded(app, registry)(*given)
        assert list(given) == seen
        assert {"type": kind, "path": "/"} == conversation.scope
        assert {} == counted(registry)

    async def test_garbage_headers_change_nothing(self, registry: CollectorRegistry) -> None:
        """Pitfall 10: no header, however broken, turns a served request into an exception."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"12 apples")]})
            await send(body(b"accepted"))

        headers = [(b"content-length", b"-\xff"), (b"x-request-id", b"\xff\x00"), (b"", b"")]
        conversation = request(headers=headers)
        await conversation.with_(recorded(app, registry))
        assert 202 == conversation.sent[0]["status"]
        assert {("GET", "unmatched", "202"): 1} == counted(registry)
        assert {} == unrecorded(registry)

    async def test_what_cannot_be_recorded_is_counted_and_served(self, registry: CollectorRegistry) -> None:
        """A clock that breaks, or a scope without headers, is a recording error; the client gets its answer."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start())
            await send(body(b"served"))

        middleware = recorded(app, registry)
        conversation = request()
        del conversation.scope["headers"]
        await conversation.with_(middleware)
        assert b"served" == conversation.sent[1]["body"]
        assert {"request": 1} == unrecorded(registry)
        assert {} == counted(registry)

    async def test_a_malformed_start_goes_to_the_server_as_it_is(self, registry: CollectorRegistry) -> None:
        """A status that is none is between the application and its server; here it counts as a failure."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send(start("abc"))
            await send(body())

        conversation = request()
        await conversation.with_(recorded(app, registry))
        assert start("abc") == conversation.sent[0]
        assert {("GET", "unmatched", "500"): 1} == counted(registry)
        assert {"request": 1} == unrecorded(registry)

    async def test_other_messages_pass(self, registry: CollectorRegistry) -> None:
        """Early hints and other extensions are neither start nor end of a response."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.early_hint", "links": []})
            await send(start())
            await send({"type": "http.response.pathsend", "path": "/file"})

        conversation = request()
        await conversation.with_(recorded(app, registry))
        assert ["http.response.early_hint", "http.response.start", "http.response.pathsend"] == [
            message["type"] for message in conversation.sent
        ]
        assert {("GET", "unmatched", "200"): 1} == counted(registry)

    def test_a_service_name_must_be_one(self, registry: CollectorRegistry) -> None:
        """An empty name, or a number, is refused where it is given."""
        for name in ("", 7):
            with pytest.raises(ConfigurationError, match="service_name"):
                PrometheusMiddleware(PlainTextResponse("ok"), service_name=name, registry=registry)  # type: ignore[arg-type]  # refused

    def test_names_that_the_registry_has_are_refused(self, registry: CollectorRegistry) -> None:
        """Pitfall 3: hand-written metrics of the same names are named in a clear error."""
        Counter("fastapi_requests", "By hand.", registry=registry)
        with pytest.raises(RegistrationError, match="hand-written"):
            PrometheusMiddleware(PlainTextResponse("ok"), registry=registry)


class TestLogs:
    """The log event of a request that failed."""

    async def test_an_exception_is_logged_with_the_labels(self, app: FastAPI, clock: Clock) -> None:
        """`request.failed` has the labels, what was raised, how long it took, and the id that the client sent."""

        @app.get("/raise/{what}")
        async def fail(what: str) -> None:
            clock.advance(3)
            raise ZeroDivisionError

        with capture_logs() as events:
            await ask(app, "/raise/it", headers={"X-Request-ID": "abc-1"})
        expected = {
            "event": "request.failed",
            "log_level": "error",
            "service": "mon-service",
            "method": "GET",
            "route": "/raise/{what}",
            "status": "500",
            "error_type": "ZeroDivisionError",
            "duration_seconds": 3,
            "request_id": "abc-1",
        }
        assert [expected] == events

    async def test_a_5xx_without_exception_is_logged(self, app: FastAPI) -> None:
        """A 503 that the application sends itself is a failed request without an error type."""

        @app.get("/busy")
        async def busy() -> Response:
            return Response(status_code=503)

        with capture_logs() as events:
            await ask(app, "/busy")
        assert [("request.failed", "503")] == [(event["event"], event["status"]) for event in events]
        assert "error_type" not in events[0]

    async def test_a_storm_is_limited(self, app: FastAPI, clock: Clock) -> None:
        """Of each status and error type, the first is logged at once, and then one in ten seconds tells the others."""

        @app.get("/raise/{what}")
        async def fail(what: str) -> None:
            raise KeyError if what == "key" else OSError

        with capture_logs() as events:
            for _ in range(2):
                for what in ("key", "os", "key", "os", "key"):
                    await ask(app, f"/raise/{what}")
                clock.advance(10)
        found = [(event["error_type"], event.get("suppressed")) for event in events]
        assert [("KeyError", None), ("OSError", None), ("KeyError", 2), ("OSError", 1)] == found

    async def test_others_are_not_logged(self, app: FastAPI) -> None:
        """Neither success nor a client's mistake makes a line."""

        @app.get("/ok")
        async def fine() -> None: ...

        with capture_logs() as events:
            await ask(app, "/ok")
            await ask(app, "/nowhere")
        assert [] == events
