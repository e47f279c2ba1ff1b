"""From a request to the template of its route, on every way by which routes come into an application."""

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

from mlmetrics.http.middleware import PrometheusMiddleware
from mlmetrics.http.routes import Routes
from tests.http.asking import ask, counted, unrecorded


async def answer(request: Request) -> Response:
    """Answer any request."""
    return PlainTextResponse("ok")


async def recorded(
    app: Any, registry: CollectorRegistry, *requests: str | tuple[str, str], root_path: str = "", **headers: str
) -> list[str]:
    """Ask for each path in turn, and return `METHOD template status` as each was counted."""
    middleware = Middleware(PrometheusMiddleware, service_name="s", registry=registry)
    if not any(known.cls is PrometheusMiddleware for known in app.user_middleware):
        app.user_middleware.append(middleware)
    seen, found = counted(registry), []
    for one in requests:
        method, path = one if isinstance(one, tuple) else ("GET", one)
        await ask(app, path, method, headers, root_path=root_path)
        now = counted(registry)
        found += [" ".join(key) for key in now if now[key] != seen.get(key, 0)]
        seen = now
    assert {} == unrecorded(registry)
    return found


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

    async def test_root_path_and_mount(self, registry: CollectorRegistry) -> None:
        """Pitfall 2: the proxy's prefix goes, the mount's stays."""
        app, mounted = FastAPI(), shop()
        app.mount("/shop", mounted)
        app.mount("/market", mounted)
        assert ["GET /shop/items/{item} 200", "GET /market/items/{item} 200"] == await recorded(
            app, registry, "/api/shop/items/1", "/api/market/items/1", root_path="/api"
        )


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
