"""From a request to the template of its route, on every way by which routes come into an application."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Host, Mount, Route, Router
from starlette.staticfiles import StaticFiles

from mlmetrics.http.instrumentation import instrument
from mlmetrics.http.middleware import PrometheusMiddleware
from mlmetrics.http.routes import Routes, path_within
from tests.http.asking import ask, counted, unrecorded, value


async def answer(request: Request) -> Response:
    """Answer any request."""
    return PlainTextResponse("ok")


async def recorded(
    app: Any, registry: CollectorRegistry, *requests: str | tuple[str, str], root_path: str = "", **headers: str
) -> list[str]:
    """Ask for each path in turn, and return `METHOD template status` as each was counted."""
    middleware = Middleware(PrometheusMiddleware, service_name="s", registry=registry)
    if not any(known.cls is PrometheusMiddleware for known in app.user_middleware):
        app.user_middleware.insert(0, middleware)
    seen, found = counted(registry), []
    for one in requests:
        method, path = one if isinstance(one, tuple) else ("GET", one)
        await ask(app, path, method, headers, root_path=root_path)
        now = counted(registry)
        found += [" ".join(key) for key in now if now[key] != seen.get(key, 0)]
        seen = now
    assert {} == unrecorded(registry)
    return found


class Renamed:
    """Middleware whose application has a name of its own, as python-socketio's."""

    def __init__(self, app: Any) -> None:
        self.answer = PlainTextResponse("never")
        self.other_asgi_app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on."""
        await self.other_asgi_app(scope, receive, send)


class Slotted:
    """Middleware without a dictionary."""

    __slots__ = ("wrapped",)

    def __init__(self, app: Any) -> None:
        self.wrapped = Renamed(app)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on."""
        await self.wrapped(scope, receive, send)


def renamed(app: Any) -> Any:
    """Return middleware that is a function."""

    async def passing(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return passing


def preset(app: Any) -> Any:
    """Return middleware that is a partial."""

    async def passing(app: Any, scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return partial(passing, app)


def bound(app: Any) -> Any:
    """Return middleware that is a method."""
    return Renamed(app).__call__


WRAPPERS = (Renamed, Slotted, renamed, preset, bound)


class Rewriting:
    """Middleware that passes on a copy of the scope, in which a prefix is gone."""

    def __init__(self, app: Any, prefix: str = "/api") -> None:
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Strip the prefix, and answer 403 to whoever has none."""
        if scope["type"] == "http":
            if self.prefix not in scope["path"]:
                await PlainTextResponse("no", 403)(scope, receive, send)
                return
            scope = {**scope, "path": scope["path"].replace(self.prefix, "", 1)}
        await self.app(scope, receive, send)


class Rooted(Rewriting):
    """As ASGI has it: the prefix stays in the path, and is said to be the root."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Call the prefix the root."""
        if scope["type"] == "http":
            scope = {**scope, "root_path": scope.get("root_path", "") + self.prefix}
        await self.app(scope, receive, send)


def shop() -> FastAPI:
    """Return an application of a route or two, to be mounted."""
    app = FastAPI()

    @app.get("/items/{item}")
    async def item(item: str) -> str:
        return item

    @app.post("/items/")
    async def add() -> None: ...

    return app


class TestIncluded:
    """Routers that are included, with prefixes."""

    async def test_prefixes_of_included_routers(self, registry: CollectorRegistry) -> None:
        """Pitfall 1: the template has every prefix on the way, whatever the framework leaves in the scope."""
        inner, outer, app = APIRouter(prefix="/inner"), APIRouter(prefix="/outer"), FastAPI()
        inner.add_api_route("/x/{name:path}", lambda name: name, methods=["GET"])
        inner.add_api_route("", lambda: None, methods=["POST"])
        outer.include_router(inner, prefix="/more")
        app.include_router(outer, prefix="/api")
        expected = ["GET /api/outer/more/inner/x/{name} 200", "POST /api/outer/more/inner 200"]
        assert expected == await recorded(
            app, registry, "/api/outer/more/inner/x/a/b", ("POST", "/api/outer/more/inner")
        )

    async def test_one_router_under_two_prefixes(self, registry: CollectorRegistry) -> None:
        """The same function serves both, and each request is counted where it went."""
        router, app = APIRouter(), FastAPI()
        router.add_api_route("/items/{item}", lambda item: item)
        app.include_router(router, prefix="/v1")
        app.include_router(router, prefix="/v2")
        assert ["GET /v1/items/{item} 200", "GET /v2/items/{item} 200"] == await recorded(
            app, registry, "/v1/items/7", "/v2/items/7"
        )

    async def test_one_function_at_two_paths(self, registry: CollectorRegistry) -> None:
        """Stacked decorators share a function, not a template."""
        app = FastAPI()

        @app.get("/cv/{name}")
        @app.get("/resume/{name}")
        @app.put("/cv/{name}")
        async def read(name: str) -> str:
            return name

        assert ["GET /cv/{name} 200", "GET /resume/{name} 200", "PUT /cv/{name} 200"] == await recorded(
            app, registry, "/cv/a", "/resume/a", ("PUT", "/cv/a")
        )

    async def test_an_included_router_with_a_mount(self, registry: CollectorRegistry) -> None:
        """Pitfall 1: what is mounted on an included router has that router's prefix, where the framework serves it."""
        router, app = APIRouter(prefix="/team"), FastAPI()
        router.mount("/shop", shop())
        app.include_router(router)
        (found,) = await recorded(app, registry, "/team/shop/items/3")
        # Older FastAPI leaves mounts out when it includes a router.
        assert found in {"GET /team/shop/items/{item} 200", "GET unmatched 404"}
        served = (await ask(app, "/team/shop/items/3")).is_success
        assert served == found.endswith("200")


class TestMounted:
    """Applications within applications."""

    async def test_parametrised_mounts(self, registry: CollectorRegistry) -> None:
        """Pitfall 1: the tenant is a parameter of the template, never a value of the label."""
        app = FastAPI()
        app.mount("/t/{tenant}", shop())
        assert ["GET /t/{tenant}/items/{item} 200"] * 2 == await recorded(
            app, registry, "/t/acme/items/1", "/t/initech/items/2"
        )

    async def test_one_application_under_two_paths(self, registry: CollectorRegistry) -> None:
        """Pitfall 2: versioned mounts of the same application are two templates."""
        app, mounted = FastAPI(), shop()
        app.mount("/v1", mounted)
        app.mount("/v2", mounted)
        assert ["GET /v1/items/{item} 200", "GET /v2/items/{item} 200"] == await recorded(
            app, registry, "/v1/items/1", "/v2/items/1"
        )

    async def test_mounts_within_mounts(self, registry: CollectorRegistry) -> None:
        """Parameters of the same name along a path are no trouble."""
        outer, inner = FastAPI(), FastAPI()
        inner.mount("/{item}", shop())
        outer.mount("/{item}", inner)
        assert ["GET /{item}/{item}/items/{item} 200"] == await recorded(outer, registry, "/a/b/items/c")

    async def test_404_within_a_mount_is_unmatched(self, registry: CollectorRegistry) -> None:
        """Pitfall 9: a mounted application that has no such route matched nothing, catch-all or not."""
        app = FastAPI()
        app.mount("/shop", shop())
        app.mount("/", Router([Route("/{rest:path}", answer)]))
        assert ["GET unmatched 404", "GET /{rest} 200"] == await recorded(app, registry, "/shop/nowhere", "/nowhere")

    async def test_405_within_a_mount_keeps_its_template(self, registry: CollectorRegistry) -> None:
        """The path was right: the template says which."""
        app = FastAPI()
        app.mount("/shop", shop())
        assert ["DELETE /shop/items/{item} 405"] == await recorded(app, registry, ("DELETE", "/shop/items/1"))

    async def test_wrapped_applications(self, registry: CollectorRegistry) -> None:
        """Middleware around a mounted application hides none of its routes."""
        app = FastAPI()
        app.mount("/shop", CORSMiddleware(shop(), allow_origins=["*"]))
        assert ["GET /shop/items/{item} 200"] == await recorded(app, registry, "/shop/items/1")

    async def test_routes_of_a_mount_beneath_a_mount(self, registry: CollectorRegistry) -> None:
        """A mount that is itself what another one mounts is part of the path, whatever its function serves besides."""

        async def item(request: Request) -> Response:
            return PlainTextResponse("ok")

        twice = Mount("/twice", Mount("/er", routes=[Route("/items/{id}", answer), Route("/cv/{id}", answer)]))
        app = Starlette(
            routes=[
                Mount("/deep", Mount("/er", routes=[Route("/items/{id}", item)])),
                twice,
                Mount("/one", Route("/route/{id}", PlainTextResponse("ok"))),
                Mount("/wrapped", Renamed(Mount("/er", routes=[Route("/items/{id}", lambda request: None)]))),
            ]
        )
        assert [
            "GET /deep/er/items/{id} 200",
            "GET /twice/er/items/{id} 200",
            "GET /twice/er/cv/{id} 200",
            "GET /one/route/{id} 200",
            "GET unmatched 404",
            "GET unmatched 404",
        ] == await recorded(
            app,
            registry,
            "/deep/er/items/1",
            "/twice/er/items/1",
            "/twice/er/cv/1",
            "/one/route/1",
            "/deep/er/x",
            "/deep/x",
        )

    @pytest.mark.parametrize("kind", WRAPPERS)
    async def test_middleware_of_a_mount(self, kind: Any, registry: CollectorRegistry) -> None:
        """Middleware of a mount hides none of its routes, however it keeps its application."""
        routes = [Route("/items/{id}", answer), Route("/cv/{id}", answer)]
        app = Starlette(routes=[Mount("/sub", routes=routes, middleware=[Middleware(kind)])])
        assert ["GET /sub/items/{id} 200", "GET /sub/cv/{id} 200", "GET unmatched 404"] == await recorded(
            app, registry, "/sub/items/1", "/sub/cv/1", "/sub/nowhere"
        )

    async def test_middleware_of_a_mount_that_shows_nothing(self, registry: CollectorRegistry) -> None:
        """A mount still knows the routes that it was made with."""
        kept: dict[str, Any] = {}

        class Hidden:
            def __init__(self, app: Any) -> None:
                kept["app"] = app

            async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
                await kept["app"](scope, receive, send)

        app = Starlette(routes=[Mount("/sub", routes=[Route("/items/{id}", answer)], middleware=[Middleware(Hidden)])])
        assert ["GET /sub/items/{id} 200"] == await recorded(app, registry, "/sub/items/1")

    @pytest.mark.parametrize("kind", WRAPPERS)
    async def test_wrappers_of_the_whole_application(self, kind: Any, registry: CollectorRegistry) -> None:
        """A wrapper between the middleware and the application, such as that of python-socketio, hides no route."""
        app = PrometheusMiddleware(kind(shop()), service_name="s", registry=registry)
        await ask(app, "/items/1")
        await ask(app, "/nowhere")
        assert {("GET", "/items/{item}", "200"): 1, ("GET", "unmatched", "404"): 1} == counted(registry)

    async def test_an_application_within_itself(self, registry: CollectorRegistry) -> None:
        """A mount that leads back to its own application ends there; its routes keep the template that they have."""
        app = FastAPI()
        app.add_api_route("/items/{item}", lambda item: item)
        app.mount("/again", app)
        app.mount("/round", renamed(app))
        assert ["GET /items/{item} 200", "GET /items/{item} 200", "GET /round/{path} 404"] == await recorded(
            app, registry, "/items/1", "/again/items/1", "/round/nowhere"
        )

    async def test_wrappers_that_break_when_looked_at(self, registry: CollectorRegistry) -> None:
        """Properties that raise hide routes, and break nothing."""

        class Breaking:
            def __init__(self, app: Any) -> None:
                self._within = app

            @property
            def routes(self) -> Any:
                raise ZeroDivisionError

            app = routes

            async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
                await self._within(scope, receive, send)

        app = PrometheusMiddleware(Breaking(shop()), service_name="s", registry=registry)
        await ask(app, "/items/1")
        assert {("GET", "/items/{item}", "200"): 1} == counted(registry)
        assert {} == unrecorded(registry)

    async def test_static_files(self, registry: CollectorRegistry, tmp_path: Path) -> None:
        """A mount without routes is one template, however many files there are, and however many are missing."""
        (tmp_path / "style.css").write_text("p {}")
        app = FastAPI()
        app.mount("/static", StaticFiles(directory=tmp_path))
        assert ["GET /static/{path} 200", "GET /static/{path} 404"] == await recorded(
            app, registry, "/static/style.css", "/static/missing.css"
        )

    async def test_middleware_of_a_mounted_application(self, registry: CollectorRegistry) -> None:
        """A mounted application that is recorded itself has templates of its own, without the mount."""
        app, mounted = FastAPI(), shop()
        mounted.add_middleware(PrometheusMiddleware, service_name="shop", registry=registry)
        app.mount("/shop", mounted)
        await ask(app, "/shop/items/1")
        await ask(app, "/shop/nowhere")
        assert {("GET", "/items/{item}", "200"): 1, ("GET", "unmatched", "404"): 1} == counted(registry)

    async def test_hosts(self, registry: CollectorRegistry) -> None:
        """A route by host is known by its path."""
        app = Starlette(routes=[Host("{name}.example.org", Router([Route("/items/{item}", answer)]))])
        assert ["GET /items/{item} 200"] == await recorded(app, registry, "/items/1", host="a.example.org")


class TestProxied:
    """Applications that do not know where they are served."""

    @pytest.mark.parametrize("path", ["/items/1", "/api/v1/items/1"])
    async def test_root_path_is_no_part_of_the_template(self, path: str, registry: CollectorRegistry) -> None:
        """Pitfall 2: behind a proxy, which strips its prefix or not, the template is the application's."""
        assert ["GET /items/{item} 200"] == await recorded(shop(), registry, path, root_path="/api/v1")

    @pytest.mark.parametrize(
        ("path", "root_path", "within"),
        [
            ("/api/items", "/api", "/items"),
            ("/api", "/api", "/"),
            ("/apiary/items", "/api", "/apiary/items"),
            ("/items", "/api", "/items"),
            ("/items", "", "/items"),
        ],
    )
    def test_path_within(self, path: str, root_path: str, within: str) -> None:
        """A root path is a whole number of segments."""
        assert within == path_within({"path": path}, root_path)

    async def test_root_path_and_mount(self, registry: CollectorRegistry) -> None:
        """Pitfall 2: the proxy's prefix goes, the mount's stays."""
        app, mounted = FastAPI(), shop()
        app.mount("/shop", mounted)
        app.mount("/market", mounted)
        assert ["GET /shop/items/{item} 200", "GET /market/items/{item} 200"] == await recorded(
            app, registry, "/api/shop/items/1", "/api/market/items/1", root_path="/api"
        )


class TestRewritten:
    """Requests whose scope was copied and changed on their way to the router."""

    @pytest.mark.parametrize("way", ["class", "instrument", "around"])
    @pytest.mark.parametrize("kind", [Rewriting, Rooted])
    async def test_the_router_decides(self, kind: Any, way: str, registry: CollectorRegistry) -> None:
        """What counts is what reached the router, also of functions that have two routes, and of what it refused."""
        app: Any = Starlette(routes=[Route("/items/{id}", answer), Route("/cv/{id}", answer), Route("/one", shop)])
        app.add_middleware(kind)
        if way == "class":
            app.add_middleware(PrometheusMiddleware, service_name="s", registry=registry)
        elif way == "instrument":
            instrument(app, service_name="s", registry=registry)
        else:
            app = PrometheusMiddleware(app, service_name="s", registry=registry)
        for method, path in (("GET", "items/1"), ("GET", "cv/1"), ("PUT", "one"), ("GET", "nowhere")):
            await ask(app, f"/api/{path}", method)
        assert {
            ("GET", "/items/{id}", "200"): 1,
            ("GET", "/cv/{id}", "200"): 1,
            ("PUT", "/one", "405"): 1,
            ("GET", "unmatched", "404"): 1,
        } == counted(registry)
        assert {} == unrecorded(registry)

    async def test_what_did_not_reach_the_router(self, registry: CollectorRegistry) -> None:
        """What such middleware answers itself has the template that the path of the client matches."""
        app = Starlette(routes=[Route("/items/{id}", answer)])
        app.add_middleware(Rewriting)
        assert ["GET /items/{id} 403", "GET unmatched 403"] == await recorded(app, registry, "/items/1", "/x")

    async def test_beneath_a_mount(self, registry: CollectorRegistry) -> None:
        """A mounted application's own middleware may rewrite too; the mount stays part of the template."""
        mounted = Starlette(routes=[Route("/items/{id}", answer)])
        mounted.add_middleware(Rewriting, prefix="/old")
        app = Starlette(routes=[Mount("/shop", mounted)])
        assert ["GET /shop/items/{id} 200"] == await recorded(app, registry, "/shop/old/items/1")

    async def test_a_copy_that_is_not_changed(self, registry: CollectorRegistry) -> None:
        """The endpoint stands in the copy only."""
        app = Starlette(routes=[Route("/items/{id}", answer), Mount("/shop", shop())])
        app.add_middleware(Rewriting, prefix="")
        assert ["GET /items/{id} 200", "GET /shop/items/{item} 200"] == await recorded(
            app, registry, "/items/1", "/shop/items/1"
        )

    async def test_a_root_path_around_it(self, registry: CollectorRegistry) -> None:
        """The proxy's prefix and the middleware's go, in this order."""
        app = Starlette(routes=[Route("/items/{id}", answer), Route("/cv/{id}", answer)])
        app.add_middleware(Rooted)
        assert ["GET /items/{id} 200"] == await recorded(app, registry, "/proxy/api/items/1", root_path="/proxy")

    async def test_routers_are_left_alone_where_nothing_rewrites(self, registry: CollectorRegistry) -> None:
        """With middleware of the framework only, no request pays for noticing what cannot happen."""
        app = shop()
        app.add_middleware(CORSMiddleware, allow_origins=["*"])
        before = app.router.middleware_stack
        await recorded(app, registry, "/items/1")
        assert before == app.router.middleware_stack


class TestUnmatched:
    """Requests that came to no route, or not all the way."""

    async def test_404_is_one_value(self, registry: CollectorRegistry) -> None:
        """Pitfall 9: what nobody serves is counted under one label, never dropped."""
        assert ["GET unmatched 404"] * 3 == await recorded(FastAPI(), registry, "/a", "/b/c", "/wp-login.php")

    async def test_405_keeps_its_template(self, registry: CollectorRegistry) -> None:
        """The path exists, the method does not; one that nobody knows is `OTHER`."""
        assert ["DELETE /items/{item} 405", "OTHER /items/{item} 405"] == await recorded(
            shop(), registry, ("DELETE", "/items/1"), ("BREW", "/items/1")
        )

    async def test_slashes_that_are_redirected(self, registry: CollectorRegistry) -> None:
        """A redirect to the path with a slash, or without, counts for the route that it leads to."""
        assert ["GET /items/{item} 307", "POST /items/ 307"] == await recorded(
            shop(), registry, "/items/1/", ("POST", "/items")
        )

    async def test_answers_before_the_router(self, registry: CollectorRegistry) -> None:
        """A preflight that middleware answers is counted for the route that it asks about."""
        app = shop()
        app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"])
        middleware = {"Origin": "http://elsewhere", "Access-Control-Request-Method": "GET"}
        app.add_middleware(PrometheusMiddleware, service_name="s", registry=registry)
        await ask(app, "/items/1", "OPTIONS", middleware)
        assert {("OPTIONS", "/items/{item}", "200"): 1} == counted(registry)

    async def test_applications_without_routes(self, registry: CollectorRegistry) -> None:
        """A bare ASGI callable has no templates."""
        app = PrometheusMiddleware(PlainTextResponse("ok"), service_name="s", registry=registry)
        await ask(app, "/anything")
        assert {("GET", "unmatched", "200"): 1} == counted(registry)

    async def test_routes_that_cannot_be_read_do_not_break_requests(self, registry: CollectorRegistry) -> None:
        """Whatever stands among the routes, the request is served and counted."""

        class Odd(PlainTextResponse):
            routes = (object(), None)

        app = PrometheusMiddleware(Odd("ok"), service_name="s", registry=registry)
        assert 200 == (await ask(app, "/anything")).status_code
        assert {("GET", "unmatched", "200"): 1} == counted(registry)


class TestKinds:
    """The kinds of routes that there are."""

    async def test_starlette_routes(self, registry: CollectorRegistry) -> None:
        """Functions, endpoint classes and mounted routes of plain Starlette; parameters without their types."""

        class Cv(HTTPEndpoint):
            async def get(self, request: Request) -> Response:
                return PlainTextResponse("cv")

        app = Starlette(
            routes=[
                Route("/job/{number:int}", answer),
                Route("/cv/{name}", Cv),
                Mount("/team", routes=[Route("/", answer, methods=["POST"])]),
            ]
        )
        assert [
            "GET /job/{number} 200",
            "GET /cv/{name} 200",
            "PUT /cv/{name} 405",
            "POST /team/ 200",
            "HEAD /job/{number} 200",
        ] == await recorded(app, registry, "/job/7", "/cv/a", ("PUT", "/cv/a"), ("POST", "/team/"), ("HEAD", "/job/7"))

    async def test_documentation(self, registry: CollectorRegistry) -> None:
        """Pitfall 1: `/docs` leaves no route in the scope, and is one all the same."""
        app = FastAPI()
        app.mount("/shop", shop())
        assert ["GET /docs 200", "GET /openapi.json 200", "GET /shop/docs 200"] == await recorded(
            app, registry, "/docs", "/openapi.json", "/shop/docs"
        )

    async def test_websocket_routes_are_not_asked_over_http(self, registry: CollectorRegistry) -> None:
        """A path that only a WebSocket has matches no request."""
        app = FastAPI()

        @app.websocket("/live")
        async def live(websocket: WebSocket) -> None: ...

        assert ["GET unmatched 404"] == await recorded(app, registry, "/live")

    async def test_routes_that_come_later(self, registry: CollectorRegistry) -> None:
        """A route, a router and a mount that are added while the application runs are found."""
        app = FastAPI()
        assert ["GET unmatched 404"] == await recorded(app, registry, "/late/1")
        app.add_api_route("/late/{n}", lambda n: n)
        assert ["GET /late/{n} 200"] == await recorded(app, registry, "/late/1")
        router = APIRouter(prefix="/later")
        router.add_api_route("/{n}", lambda n: n)
        app.include_router(router)
        app.mount("/latest", shop())
        assert ["GET /later/{n} 200", "GET /latest/items/{item} 200"] == await recorded(
            app, registry, "/later/1", "/latest/items/1"
        )


class TestReplaced:
    """Routes that take the place of others while the application runs."""

    async def test_another_function(self, registry: CollectorRegistry) -> None:
        """As many routes as before, and still not the same ones."""
        app = Starlette(routes=[Route("/old/{n}", answer)])
        assert ["GET /old/{n} 200"] == await recorded(app, registry, "/old/1")
        app.router.routes[0] = Route("/new/{n}", lambda request: PlainTextResponse("ok"))
        assert ["GET /new/{n} 200", "GET unmatched 404"] == await recorded(app, registry, "/new/1", "/old/1")

    async def test_another_list(self, registry: CollectorRegistry) -> None:
        """The first request may be one that no route is left for."""
        app = FastAPI()
        app.add_api_route("/old", lambda: None)
        assert ["GET /old 200"] == await recorded(app, registry, "/old")
        app.router.routes = [route for route in app.router.routes if getattr(route, "path", "") != "/old"]
        assert ["GET unmatched 404"] == await recorded(app, registry, "/old")

    async def test_within_a_mount(self, registry: CollectorRegistry) -> None:
        """What is mounted is compared too."""
        mounted = Router([Route("/old", answer)])
        app = Starlette(routes=[Mount("/shop", mounted)])
        assert ["GET /shop/old 200"] == await recorded(app, registry, "/shop/old")
        mounted.routes[:] = [Route("/new", lambda request: PlainTextResponse("ok"))]
        assert ["GET /shop/new 200"] == await recorded(app, registry, "/shop/new")

    async def test_the_same_function_at_another_path(self, registry: CollectorRegistry) -> None:
        """Nothing in such a request tells; it is noticed at the next scrape that the application serves."""
        app = Starlette(routes=[Route("/old", answer)])
        assert ["GET /old 200"] == await recorded(app, registry, "/old")
        app.router.routes[:] = [Route("/new", answer)]
        assert ["GET /new 200"] == await recorded(app, registry, "/metrics", "/new")

    async def test_what_comes_later_stands_at_0(self, registry: CollectorRegistry) -> None:
        """The first failure of a route that was added later is seen by `rate`, from the next scrape on."""
        app = FastAPI()
        await recorded(app, registry, "/metrics")
        app.add_api_route("/late", lambda: None)
        await recorded(app, registry, "/metrics")
        assert 0 == value(registry, "fastapi_requests_total", route="/late", status="500")


class TestTable:
    """The table itself, without requests."""

    def test_order_is_the_routers(self) -> None:
        """Of two routes that fit a path, the first that takes the method wins; else the first."""
        routes = Routes(
            Router([Route("/a/b", answer, methods=["POST"]), Route("/a/{x}", answer), Route("/{y}/b", answer)])
        )
        assert "/a/b" == routes.of_path("/a/b", "POST", redirected=False)
        assert "/a/{x}" == routes.of_path("/a/b", "GET", redirected=False)
        assert "/a/b" == routes.of_path("/a/b", "PUT", redirected=False)
        assert "unmatched" == routes.of_path("/c", "GET", redirected=False)

    def test_no_application(self) -> None:
        """No application has no places."""
        assert () == Routes(None).places
