"""The handle of `instrument(app)`: what it removes, and that the application can be instrumented again."""

import gc
import re
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import mlmetrics
from mlmetrics import Instrumentation, MLMetrics
from mlmetrics.errors import ConfigurationError
from mlmetrics.http.instrumentation import instrument
from mlmetrics.http.middleware import PrometheusMiddleware
from tests.http.asking import ask, counted, request, unrecorded


@pytest.fixture
def app() -> FastAPI:
    """Return an application with one endpoint."""
    app = FastAPI()
    app.add_api_route("/items/{item}", lambda item: item)
    return app


class TestHandle:
    """What `instrument` returns."""

    def test_it_is_that_of_all_instruments(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """The same class as the handles of SDKs, usable in `with`, and it says what it is of."""
        with instrument(app, registry=registry) as handle:
            assert isinstance(handle, Instrumentation)
            assert handle.active
            assert "<instrumentation of a FastAPI application, active>" == repr(handle)
        assert not handle.active

    def test_twice_is_the_same(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """The same arguments again return the same handle, in whatever order and form they come."""
        one, other = re.compile("^/a"), re.compile("^/b")
        first = instrument(app, registry=registry, skip_paths=[one, other, "/c"], skip_methods=["head"])
        paths = (each for each in ("/c", re.compile("^/b"), re.compile("^/a")))
        assert first is instrument(app, registry=registry, skip_paths=paths, skip_methods=("HEAD",))

    @pytest.mark.parametrize("given", [{"skip_paths": [re.compile("/a")]}, {"skip_methods": ["HEAD"]}])
    def test_other_arguments_are_refused(
        self, given: dict[str, Any], app: FastAPI, registry: CollectorRegistry
    ) -> None:
        """Paths and methods are arguments like the others."""
        instrument(app, registry=registry)
        with pytest.raises(ConfigurationError, match="already"):
            instrument(app, registry=registry, **given)

    def test_it_does_not_keep_the_application_alive(self, registry: CollectorRegistry) -> None:
        """An application that nobody else has is collected, and its handle then does nothing."""
        app = FastAPI()
        known, handle = ref(app), instrument(app, registry=registry)
        del app
        gc.collect()
        assert known() is None
        handle.uninstrument()

    def test_the_public_functions_return_it(self) -> None:
        """The method of a toolkit and the function of the module return the handle too."""
        metrics = MLMetrics(registry=CollectorRegistry())
        with metrics.instrument(FastAPI()) as handle, mlmetrics.instrument(FastAPI()) as other:
            assert handle.active
            assert other.active


class TestBeforeTheStart:
    """An application that has not started."""

    async def test_it_is_as_it_was(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """The routes, their order and the attributes are those from before."""
        routes, attributes = list(app.router.routes), set(vars(app))
        handle = instrument(app, registry=registry)
        added = len(app.router.routes) - len(routes)
        handle.uninstrument()
        assert 1 == added
        assert routes == app.router.routes
        assert attributes == set(vars(app))
        assert 404 == (await ask(app, "/metrics")).status_code
        assert not isinstance(app.middleware_stack, PrometheusMiddleware)
        assert {} == counted(registry)

    async def test_a_second_time_does_nothing(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """The handle of before leaves alone what was instrumented since."""
        old = instrument(app, registry=registry)
        old.uninstrument()
        instrument(app, registry=registry)
        old.uninstrument()
        assert 200 == (await ask(app, "/metrics")).status_code
        await ask(app, "/items/1")
        assert {("GET", "/items/{item}", "200"): 1} == counted(registry)

    async def test_again_with_other_arguments(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """After that, the application is as one that was never instrumented."""
        instrument(app, registry=CollectorRegistry()).uninstrument()
        instrument(app, "s", "/internal", registry, skip_paths=["/items/2"])
        for path in ("/items/1", "/items/2", "/internal"):
            assert 200 == (await ask(app, path)).status_code
        assert {("GET", "/items/{item}", "200"): 1} == counted(registry)

    async def test_what_others_have_put_there_stays(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """A tracer that replaced the same method before us gets its own back; one that came after us keeps its own."""
        seen: list[str] = []

        def wrapping(name: str, build: Callable[[], Any]) -> Callable[[], Any]:
            def build_it() -> Any:
                seen.append(name)
                return build()

            return build_it

        before = wrapping("before", app.build_middleware_stack)
        app.build_middleware_stack = before  # type: ignore[method-assign]  # as tracers do
        instrument(app, registry=registry).uninstrument()
        assert before is app.build_middleware_stack
        handle = instrument(app, registry=registry)
        after = wrapping("after", app.build_middleware_stack)
        app.build_middleware_stack = after  # type: ignore[method-assign]  # as above
        handle.uninstrument()
        assert after is app.build_middleware_stack
        await ask(app, "/items/1")
        assert ["after", "before"] == seen
        assert {} == counted(registry)
        instrument(app, registry=registry)
        await ask(app, "/items/1")
        assert {("GET", "/items/{item}", "200"): 1} == counted(registry)


class TestAfterTheStart:
    """An application that serves requests already."""

    async def test_everything_passes(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """The route is gone, and the middleware changes nothing and records nothing."""
        routes = list(app.router.routes)
        handle = instrument(app, registry=registry)
        schema = (await ask(app, "/openapi.json")).json()
        known = app.openapi_schema
        handle.uninstrument()
        assert routes == app.router.routes
        assert known is app.openapi_schema
        assert 404 == (await ask(app, "/metrics")).status_code
        answer = await ask(app, "/items/1")
        assert ("1", None) == (answer.json(), answer.headers.get("x-request-id"))
        assert schema == (await ask(app, "/openapi.json")).json()
        assert {("GET", "/openapi.json", "200"): 1} == counted(registry)

    async def test_before_the_first_request_of_a_started_one(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """A stack that was built, and has served nothing yet, reads no routes afterwards."""
        handle = instrument(app, registry=registry)
        app.middleware_stack = app.build_middleware_stack()
        handle.uninstrument()
        await ask(app, "/items/1")
        assert "fastapi_requests" not in {family.name for family in registry.collect()}

    async def test_a_request_that_runs_is_still_recorded(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """What has begun ends with its route and its status, and nothing stays in progress."""
        handle = instrument(app, registry=registry)
        app.add_api_route("/last", lambda: handle.uninstrument())  # noqa: PLW0108 (a method of ours is a scrape)
        await ask(app, "/last")
        assert {("GET", "/last", "200"): 1} == counted(registry)

    async def test_again_with_other_arguments(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """The middleware that is there records again, into another registry, at another path."""
        other = CollectorRegistry()
        handle = instrument(app, registry=registry)
        await ask(app, "/items/1")
        handle.uninstrument()
        again = instrument(app, "s", "/internal", other, skip_paths=["/items/2"], request_id=False)
        assert again is not handle
        for path in ("/items/1", "/items/2", "/internal"):
            answer = await ask(app, path)
            assert (200, False) == (answer.status_code, "x-request-id" in answer.headers)
        assert {("GET", "/items/{item}", "200"): 1} == counted(registry)
        assert {("GET", "/items/{item}", "200"): 1} == counted(other)
        again.uninstrument()
        await ask(app, "/items/1")
        assert {("GET", "/items/{item}", "200"): 1} == counted(other)
        assert {} == {**unrecorded(registry), **unrecorded(other)}

    async def test_where_a_tracer_took_the_stack_apart(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """The middleware passes on also where it is called without the layer that was put around it."""
        build = app.build_middleware_stack
        handle = instrument(app, registry=registry)
        recorded = app.build_middleware_stack

        def rebuilt() -> Any:
            outermost = recorded()
            assert isinstance(outermost, ServerErrorMiddleware)
            return ServerErrorMiddleware(outermost.app)

        app.build_middleware_stack = rebuilt  # type: ignore[method-assign]  # as tracers do
        await ask(app, "/items/1")
        handle.uninstrument()
        await ask(app, "/items/1")
        assert {("GET", "/items/{item}", "200"): 1} == counted(registry)
        assert build is not app.build_middleware_stack

    async def test_the_class_within_records_on(self, app: FastAPI, registry: CollectorRegistry) -> None:
        """Middleware that was added by hand, and did not count what ours did, counts from then on."""
        app.add_middleware(PrometheusMiddleware, service_name="s", registry=registry)
        handle = instrument(app, "s", registry=registry)
        await ask(app, "/items/1")
        handle.uninstrument()
        await ask(app, "/items/1")
        assert {("GET", "/items/{item}", "200"): 2} == counted(registry)

    async def test_messages_reach_the_application_itself(self, registry: CollectorRegistry) -> None:
        """Afterwards the application gets the very objects of the server."""
        seen: list[Any] = []

        async def endpoint(*given: Any) -> None:
            seen.extend(given)
            await PlainTextResponse("ok")(*given)

        class Endpoint:
            """An ASGI application as an endpoint, which Starlette hands its own arguments."""

            def __call__(self, *given: Any) -> Any:
                return endpoint(*given)

        app = Starlette(routes=[Route("/items", Endpoint())])
        handle = instrument(app, registry=registry)
        await ask(app, "/items")
        handle.uninstrument()
        conversation = request("/items")
        receive = conversation.receive
        served: Any = app  # whose messages are of a narrower type
        await served(conversation.scope, receive, conversation.send)
        assert receive == seen[-2]
        assert conversation.scope is seen[-3]
        assert {("GET", "/items", "200"): 1} == counted(registry)
