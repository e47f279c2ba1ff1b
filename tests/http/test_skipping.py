"""Which requests are not recorded: paths by text and by pattern, and methods."""

import re
from typing import Any

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from mlmetrics.errors import ConfigurationError
from mlmetrics.http.instrumentation import instrument
from mlmetrics.http.middleware import PrometheusMiddleware
from mlmetrics.http.skipping import Paths, paths_of
from tests.http.asking import ask, counted, samples, unrecorded


def serving(registry: CollectorRegistry, **options: Any) -> FastAPI:
    """Return an application with one endpoint for all methods and paths, whose requests are recorded."""
    app = FastAPI()
    instrument(app, service_name="s", registry=registry, **options)
    app.add_api_route("/{path:path}", lambda path: path, methods=["GET", "HEAD", "OPTIONS", "POST"])
    return app


async def recorded_of(app: FastAPI, registry: CollectorRegistry, *paths: str, root_path: str = "") -> list[str]:
    """Ask for paths, and return those that were recorded."""
    found = []
    for path in paths:
        before = sum(counted(registry).values())
        await ask(app, path, root_path=root_path)
        if sum(counted(registry).values()) > before:
            found.append(path)
    return found


class TestSkipPaths:
    """Paths as texts and as patterns."""

    async def test_a_text_is_one_exact_path(self, registry: CollectorRegistry) -> None:
        """A text means this path, with and without a slash at its end; its letters are no pattern."""
        app = serving(registry, skip_paths=["/health", "/v1.x"])
        paths = ("/health", "/health/", "/healthz", "/health/db", "/v1ax", "/v1.x")
        assert ["/healthz", "/health/db", "/v1ax"] == await recorded_of(app, registry, *paths)

    async def test_a_pattern_is_searched_in_the_path(self, registry: CollectorRegistry) -> None:
        """A pattern matches anywhere, as `excluded_handlers` of other instruments do; `^` and `$` bind it."""
        app = serving(registry, skip_paths=[re.compile("internal"), re.compile("^/cv/[0-9]+$"), "/health"])
        paths = ("/internal/x", "/a/internal", "/cv/7", "/cv/7/x", "/a/cv/7", "/health", "/healthz")
        assert ["/cv/7/x", "/a/cv/7", "/healthz"] == await recorded_of(app, registry, *paths)
        assert {} == unrecorded(registry)

    async def test_a_pattern_has_its_flags(self, registry: CollectorRegistry) -> None:
        """A pattern is used as it was compiled."""
        app = serving(registry, skip_paths=[re.compile("/HEALTH", re.IGNORECASE)])
        assert [] == await recorded_of(app, registry, "/health", "/Health/db")

    async def test_a_pattern_sees_the_path_without_the_prefix_of_a_proxy(self, registry: CollectorRegistry) -> None:
        """`root_path` is no part of what is matched, as it is none of the template."""
        app = serving(registry, skip_paths=[re.compile("^/health")])
        assert [] == await recorded_of(app, registry, "/api/health", root_path="/api")

    async def test_routes_that_patterns_leave_out_do_not_stand_at_0(self, registry: CollectorRegistry) -> None:
        """What is never recorded has no series, whether it is a text or a pattern that says so."""
        app = FastAPI()
        instrument(app, service_name="s", registry=registry, skip_paths=[re.compile("^/internal/"), "/health"])
        for path in ("/internal/{name}", "/health", "/items"):
            app.add_api_route(path, lambda: "ok")
        await ask(app, "/items")
        routes = {labels["route"] for name, labels, _ in samples(registry) if name == "fastapi_requests_total"}
        assert {"/items"} == routes

    async def test_the_middleware_by_itself(self, registry: CollectorRegistry) -> None:
        """`PrometheusMiddleware` takes the same, in place of its own `/metrics`."""
        app = FastAPI()
        app.add_middleware(
            PrometheusMiddleware, service_name="s", registry=registry, skip_paths=(re.compile("^/a"), "/b")
        )
        assert ["/c", "/metrics"] == await recorded_of(app, registry, "/a/1", "/b", "/c", "/metrics")

    def test_texts_alone_are_a_set(self) -> None:
        """Who gives no pattern pays for a look-up, and for nothing of ours."""
        assert type(paths_of(["/health"]).lookup()) is frozenset
        assert isinstance(paths_of(["/health", re.compile("x")]).lookup(), Paths)

    def test_texts_are_asked_before_patterns(self) -> None:
        """A pattern is not asked about a path that is among the texts."""

        class Unasked:
            def search(self, path: str) -> None:
                raise AssertionError(path)

        assert "/health" in Paths(frozenset({"/health"}), (Unasked(),))  # type: ignore[arg-type]  # a stand-in

    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            ([re.compile(b"/health")], r"pattern b'/health' is one of bytes"),
            ([b"/health"], r"expected paths as texts.*b'/health'"),
            ([None], r"expected paths as texts.*None"),
            (["health"], r"'health' is no path.*re\.compile\('health'\)"),
            ([""], r"'' is no path"),
            ("/health", r"skip_paths='/health': expected several"),
            (re.compile("/health"), r"skip_paths=re\.compile\('/health'\): expected several"),
            (7, r"skip_paths=7: expected several"),
        ],
    )
    @pytest.mark.parametrize("way", [instrument, PrometheusMiddleware])
    def test_other_things_are_clear_errors(
        self, way: Any, given: Any, problem: str, registry: CollectorRegistry
    ) -> None:
        """What is no path is refused where it is declared, and nothing is changed."""
        app = FastAPI()
        before = list(app.router.routes)
        with pytest.raises(ConfigurationError, match=problem):
            way(app, registry=registry, skip_paths=given)
        assert before == app.router.routes
        assert [] == samples(registry)


class TestSkipMethods:
    """Methods that are not recorded."""

    async def test_their_requests_are_served_and_not_recorded(self, registry: CollectorRegistry) -> None:
        """Names are taken in any case; all other methods are recorded."""
        app = serving(registry, skip_methods=("options", "HEAD"))
        for method in ("OPTIONS", "HEAD", "GET", "POST", "BREW"):
            answer = await ask(app, "/items", method)
            assert ("x-request-id" in answer.headers) is (method in {"GET", "POST", "BREW"})
        assert {("GET", 1), ("POST", 1), ("OTHER", 1)} == {
            (method, number) for (method, _, _), number in counted(registry).items()
        }
        assert {} == unrecorded(registry)

    async def test_they_have_no_series(self, registry: CollectorRegistry) -> None:
        """A method that is left out stands nowhere at 0; HEAD of a GET that is left out does not either."""
        app = FastAPI()
        instrument(app, service_name="s", registry=registry, skip_methods=["POST", "GET"])
        app.add_api_route("/items", lambda: "ok", methods=["GET", "HEAD", "POST", "PUT"])
        await ask(app, "/metrics")
        assert {"PUT"} == {labels["method"] for _, labels, _ in samples(registry) if "method" in labels}

    async def test_a_scrape_of_such_a_method_is_a_scrape(self, registry: CollectorRegistry) -> None:
        """The metrics are served to HEAD as ever."""
        app = serving(registry, skip_methods=["HEAD"])
        assert 200 == (await ask(app, "/metrics", "HEAD")).status_code

    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            (["FETCH"], "'FETCH' is no method of HTTP; expected names out of CONNECT"),
            ([""], "'' is no method"),
            ([None], "None is no method"),
            ([b"GET"], "b'GET' is no method"),
            ("OPTIONS", "skip_methods='OPTIONS': expected several"),
        ],
    )
    def test_other_things_are_clear_errors(self, given: Any, problem: str, registry: CollectorRegistry) -> None:
        """A name that is misspelt would leave nothing out, so it is refused."""
        with pytest.raises(ConfigurationError, match=problem):
            instrument(FastAPI(), registry=registry, skip_methods=given)
