"""What `instrument` is around: everything in the application, whenever it was added."""

import copy
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from prometheus_client import CollectorRegistry, Gauge
from starlette.applications import Starlette
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Host, Match, Mount, Route

from mlmetrics.errors import ConfigurationError, RegistrationError
from mlmetrics.http.instrumentation import instrument
from mlmetrics.http.middleware import PrometheusMiddleware
from mlmetrics.recording.collector import store_for
from tests.http.asking import ask, counted, in_progress, request, unrecorded, value


class Guard:
    """Answer 401 without a token, 429 to the impatient, and break for those who ask for it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer, or pass on."""
        headers = dict(scope.get("headers", ()))
        if b"x-break" in headers:
            raise ZeroDivisionError
        if scope["type"] == "http" and b"x-impatient" in headers:
            await PlainTextResponse("later", 429)(scope, receive, send)
        elif scope["type"] == "http" and b"authorization" not in headers:
            await PlainTextResponse("who?", 401)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class Anything(BaseRoute):
    """Matches every path, in a way of its own."""

    def matches(self, scope: Any) -> tuple[Match, Any]:
        """Match, but leave one path to the others."""
        return (Match.NONE if scope["path"] == "/first" else Match.FULL), {}

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer."""
        await PlainTextResponse("caught")(scope, receive, send)


@pytest.fixture
def app(registry: CollectorRegistry) -> FastAPI:
    """Return an application in the order of the README: `instrument`, then all the rest."""
    app = FastAPI()
    instrument(app, service_name="s", registry=registry)

    @app.get("/items/{item}")
    async def item(item: str) -> str:
        if item == "broken":
            raise ZeroDivisionError
        return item

    return app


def in_starlette(registry: CollectorRegistry) -> Starlette:
    """Return the same of plain Starlette."""

    async def item(request: Request) -> Response:
        return PlainTextResponse("ok")

    app = Starlette(routes=[Route("/items/{item}", item)])
    instrument(app, service_name="s", registry=registry)
    return app


class TestOutermost:
    """Middleware and handlers that are added after `instrument`."""

    @pytest.mark.parametrize(
        ("headers", "status"), [({}, "401"), ({"X-Impatient": "1"}, "429"), ({"Authorization": "me"}, "200")]
    )
    async def test_answers_of_later_middleware(
        self, headers: dict[str, str], status: str, app: FastAPI, registry: CollectorRegistry
    ) -> None:
        """A 401 and a 429 that never reach the router are counted, for the route that they were asked for."""
        app.add_middleware(Guard)
        assert int(status) == (await ask(app, "/items/7", headers=headers)).status_code
        assert {("GET", "/items/{item}", status): 1} == counted(registry)
        assert 0 == in_progress(registry)

    async def test_answers_of_later_middleware_in_starlette(self, registry: CollectorRegistry) -> None:
        """It is the same without FastAPI."""
        app = in_starlette(registry)
        app.add_middleware(Guard)
        await ask(app, "/items/7")
        await ask(app, "/nowhere")
        assert {("GET", "/items/{item}", "401"): 1, ("GET", "unmatched", "401"): 1} == counted(registry)

    async def test_answers_within_a_mounted_application(self, registry: CollectorRegistry) -> None:
        """A mounted application that is instrumented itself records what its own later middleware answers."""
        mounted = in_starlette(registry)
        mounted.add_middleware(Guard)
        outer = Starlette(routes=[Mount("/shop", mounted)])
        await ask(outer, "/shop/items/7")
        assert {("GET", "/items/{item}", "401"): 1} == counted(registry)

    async def test_preflights(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """A preflight that CORS middleware answers is counted, and so is one that it refuses."""
        app.add_middleware(CORSMiddleware, allow_origins=["http://known"], allow_methods=["GET"])
        for origin in ("http://known", "http://stranger"):
            await ask(app, "/items/7", "OPTIONS", {"Origin": origin, "Access-Control-Request-Method": "GET"})
        assert {("OPTIONS", "/items/{item}", "200"): 1, ("OPTIONS", "/items/{item}", "400"): 1} == counted(registry)

    async def test_exceptions_of_later_middleware(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """Middleware that raises makes a 500, and the exception reaches the server."""
        app.add_middleware(Guard)
        conversation = request("/items/7", headers=[(b"x-break", b"1")])
        with pytest.raises(ZeroDivisionError):
            await conversation.with_(app)
        assert 500 == conversation.sent[0]["status"]
        assert {("GET", "/items/{item}", "500"): 1} == counted(registry)

    @pytest.mark.parametrize("status", [501, 200])
    async def test_the_handler_of_unhandled_exceptions(
        self, status: int, app: FastAPI, registry: CollectorRegistry
    ) -> None:
        """What the client got counts, though the exception is raised again behind it."""

        @app.exception_handler(Exception)
        async def explain(request: Request, error: Exception) -> Response:
            return JSONResponse({"error": type(error).__name__}, status)

        conversation = request("/items/broken")
        with pytest.raises(ZeroDivisionError):
            await conversation.with_(app)
        assert status == conversation.sent[0]["status"]
        assert {("GET", "/items/{item}", str(status)): 1} == counted(registry)

    async def test_the_answer_without_a_handler(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """The framework's own 500 has the request id too, since it is sent within the recording."""
        conversation = request("/items/broken", headers=[(b"x-request-id", b"abc")])
        with pytest.raises(ZeroDivisionError):
            await conversation.with_(app)
        assert (b"x-request-id", b"abc") in conversation.sent[0]["headers"]
        assert {("GET", "/items/{item}", "500"): 1} == counted(registry)

    async def test_the_class_stays_where_it_was_put(self, registry: CollectorRegistry) -> None:
        """`add_middleware(PrometheusMiddleware)` records what is within it, and nothing that is around it."""
        app = FastAPI()
        app.add_middleware(PrometheusMiddleware, service_name="s", registry=registry)
        app.add_middleware(Guard)
        app.add_api_route("/items", lambda: "ok")
        await ask(app, "/items")
        await ask(app, "/items", headers={"Authorization": "me"})
        assert {("GET", "/items", "200"): 1} == counted(registry)


class TestBothWays:
    """`instrument` and the class on one application."""

    @pytest.mark.parametrize("name", ["s", None])
    @pytest.mark.parametrize("other", ["s", None])
    async def test_a_request_counts_once(
        self, name: str | None, other: str | None, registry: CollectorRegistry
    ) -> None:
        """Whichever of the two names the service, both mean the same series."""
        store_for(registry).name_service("s", configured=True)
        app = FastAPI()
        app.add_middleware(PrometheusMiddleware, service_name=other, registry=registry)
        instrument(app, service_name=name, registry=registry)
        await ask(app, "/nowhere")
        assert 1 == value(registry, "fastapi_requests_total", service="s", route="unmatched")
        assert 0 == in_progress(registry)

    async def test_a_path_of_its_own_for_the_metrics(self, registry: CollectorRegistry) -> None:
        """The class does not count scrapes at a path that only `instrument` was told."""
        app = FastAPI()
        app.add_middleware(PrometheusMiddleware, service_name="s", registry=registry)
        instrument(app, service_name="s", path="/internal/metrics", registry=registry)
        assert 200 == (await ask(app, "/internal/metrics")).status_code
        assert {} == counted(registry)

    async def test_two_services_count_one_each(self, registry: CollectorRegistry) -> None:
        """A mounted application with a name of its own counts there, and for the application around it."""
        app, mounted = FastAPI(), FastAPI()
        mounted.add_api_route("/items", lambda: "ok")
        app.mount("/shop", mounted)
        instrument(app, service_name="all", registry=registry)
        instrument(mounted, service_name="shop", registry=registry)
        await ask(app, "/shop/items")
        assert 1 == value(registry, "fastapi_requests_total", service="all", route="/shop/items", status="200")
        assert 1 == value(registry, "fastapi_requests_total", service="shop", route="/items", status="200")
        assert 2 == sum(counted(registry).values())


class TestOthersBesideUs:
    """What else takes part in building an application's middleware."""

    async def test_a_tracer_that_takes_the_stack_apart(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """OpenTelemetry's way: it expects the framework's own layer outermost, and wraps what is in it."""
        seen: list[str] = []
        build = app.build_middleware_stack

        class Tracing:
            def __init__(self, app: Any) -> None:
                self.app = app

            async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
                seen.append(scope["path"])
                await self.app(scope, receive, send)

        def rebuilt() -> Any:
            outermost = build()
            assert isinstance(outermost, ServerErrorMiddleware)
            within = ServerErrorMiddleware(outermost.app, handler=outermost.handler, debug=outermost.debug)
            return ServerErrorMiddleware(Tracing(within))

        app.build_middleware_stack = rebuilt  # type: ignore[method-assign]  # as tracers do
        await ask(app, "/items/7")
        await ask(app, "/items/broken")
        assert ["/items/7", "/items/broken"] == seen
        assert {("GET", "/items/{item}", "200"): 1, ("GET", "/items/{item}", "500"): 1} == counted(registry)

    async def test_a_stack_that_is_built_again(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """An application whose middleware is built again continues the same series."""
        await ask(app, "/items/1")
        app.middleware_stack = app.build_middleware_stack()
        await ask(app, "/items/2")
        assert {("GET", "/items/{item}", "200"): 2} == counted(registry)

    async def test_the_users_list_of_middleware_is_theirs(self, registry: CollectorRegistry) -> None:
        """Nothing of ours stands in `user_middleware`, whose order users rely on."""
        app = in_starlette(registry)
        app.add_middleware(Guard)
        assert [Guard] == [each.cls for each in app.user_middleware]  # type: ignore[comparison-overlap]  # a class

    async def test_a_copied_application_is_recorded(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """`copy.copy` of an application serves the same routes, recorded."""
        await ask(copy.copy(app), "/items/7")
        assert {("GET", "/items/{item}", "200"): 1} == counted(registry)
        assert {} == unrecorded(registry)

    def test_an_application_that_builds_nothing_is_refused(self, registry: CollectorRegistry) -> None:
        """An object with routes and middleware that is not a Starlette application is refused."""

        class Like:
            router = Starlette().router

            def add_middleware(self, kind: type) -> None:
                """Take middleware."""

        with pytest.raises(ConfigurationError, match="expected a FastAPI or Starlette application"):
            instrument(Like(), registry=registry)


@pytest.mark.parametrize("path", ["metrics", "", 7, None])
def test_path_that_is_none(path: Any, registry: CollectorRegistry) -> None:
    """Where the metrics are served is a path, or the error says so; the application stays as it was."""
    app = FastAPI()
    before = list(app.router.routes)
    with pytest.raises(ConfigurationError, match="expected a path that begins with '/'"):
        instrument(app, path=path, registry=registry)
    assert before == app.router.routes


def test_registry_with_our_names(registry: CollectorRegistry) -> None:
    """A clash of names is found here, not when the application starts, and the application stays as it was."""
    Gauge("fastapi_requests_in_progress", "By hand.", registry=registry)
    app = FastAPI()
    before = list(app.router.routes)
    with pytest.raises(RegistrationError):
        instrument(app, registry=registry)
    assert before == app.router.routes


class TestPlaceOfTheRoute:
    """Where the route of the metrics stands among those of the application."""

    async def test_behind_routes_that_cannot_match(self, app: FastAPI) -> None:
        """Requests do not ask our route first: it has moved behind the others when the application has started."""
        await ask(app, "/items/7")
        assert "/metrics" == getattr(app.router.routes[-1], "path", None)
        assert "mlmetrics_build_info" in (await ask(app, "/metrics")).text

    @pytest.mark.parametrize(
        "catching",
        [
            Route("/{path:path}", lambda _: PlainTextResponse("caught")),
            Route("/{name}", lambda _: PlainTextResponse("caught")),
            Route("/metrics", lambda _: PlainTextResponse("caught"), methods=["GET"]),
            Mount("/", PlainTextResponse("caught")),
            Mount("/metrics", PlainTextResponse("caught")),
            Host("service", PlainTextResponse("caught")),
            Anything(),
        ],
    )
    async def test_before_those_that_can(self, catching: BaseRoute, registry: CollectorRegistry) -> None:
        """A route that matches all paths does not take the metrics, wherever it was added."""
        app = Starlette(routes=[Route("/first", lambda _: PlainTextResponse("first")), catching])
        instrument(app, registry=registry)
        app.router.routes.append(Route("/last", lambda _: PlainTextResponse("last")))
        assert "first" == (await ask(app, "/first")).text
        assert "mlmetrics_build_info" in (await ask(app, "/metrics")).text

    async def test_before_an_included_router(self, app: FastAPI) -> None:
        """A router that FastAPI keeps apart may get further routes."""
        router = APIRouter()
        app.include_router(router, prefix="/more")
        await ask(app, "/")
        router.add_api_route("/{path:path}", lambda: "caught")
        assert "mlmetrics_build_info" in (await ask(app, "/metrics")).text

    async def test_routes_that_were_replaced(self, app: FastAPI) -> None:
        """An application that has removed our route gets no other."""
        app.router.routes.clear()
        assert 404 == (await ask(app, "/metrics")).status_code
        assert [] == app.router.routes
