"""Labels of an application's own on its requests: fixed texts, headers, functions, limits and refusals."""

import asyncio
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import StreamingResponse
from prometheus_client import CollectorRegistry, generate_latest
from starlette.middleware.base import BaseHTTPMiddleware
from structlog.testing import capture_logs

from mlmetrics import MLMetrics, header
from mlmetrics.errors import ConfigurationError
from mlmetrics.exposition.text import render
from mlmetrics.http.instrumentation import instrument
from mlmetrics.http.labels import Label
from mlmetrics.http.middleware import PrometheusMiddleware
from mlmetrics.recording.collector import store_for
from tests.http.asking import ask, request, samples, unrecorded, value

TOTAL = "fastapi_requests_total"
DURATION = "fastapi_request_duration_seconds"
FIRST_BYTE = "fastapi_request_first_byte_seconds"
OVERFLOW = "mlmetrics_label_overflow_total"


class Plan(Enum):
    """The plans of a customer."""

    FREE = "free"


class Text(str):
    """A text of a class of its own, such as those of templates."""

    __slots__ = ()


def application(registry: CollectorRegistry, **labels: Label) -> FastAPI:
    """Return an application with such labels on its requests."""
    app = FastAPI()
    instrument(app, "s", registry=registry, labels=labels)
    app.get("/items/{name}")(lambda name: name)
    app.get("/broken")(lambda: 1 / 0)
    return app


def counted_by(registry: CollectorRegistry, *names: str) -> dict[tuple[str, ...], float]:
    """Return the finished requests by these labels, without those that are 0."""
    found: dict[tuple[str, ...], float] = {}
    for name, labels, number in samples(registry):
        if name == TOTAL and number:
            key = tuple(labels[label] for label in names)
            found[key] = found.get(key, 0) + number
    return found


def lines_of(page: bytes) -> list[str]:
    """Return the lines of a page about requests."""
    return [line for line in page.decode().split("\n") if "fastapi_request" in line]


def values_of(registry: CollectorRegistry, label: str) -> set[str]:
    """Return the values of a label in all series of finished requests."""
    return {labels[label] for name, labels, _ in samples(registry) if name == TOTAL}


class TestLabels:
    """`labels=` of the middleware and of `instrument`."""

    async def test_stand_on_all_metrics_of_finished_requests(self, registry: CollectorRegistry) -> None:
        """All metrics with a route have them, after the labels of the catalogue; requests in progress do not."""
        app = application(registry, tenant=header("x-tenant"), region="eu", plan=lambda _: "free")
        await ask(app, "/items/a", headers={"X-Tenant": "acme"})
        own = {"tenant": "acme", "region": "eu", "plan": "free", "route": "/items/{name}"}
        assert value(registry, TOTAL, status="200", **own) == 1
        assert value(registry, f"{DURATION}_count", **own) == 1
        assert value(registry, f"{FIRST_BYTE}_count", **own) == 1
        rows = store_for(registry).families
        catalogued = ("service", "method", "route")
        assert (*catalogued, "status", "tenant", "region", "plan") == rows[TOTAL].metric.labels
        assert (*catalogued, "tenant", "region", "plan") == rows[DURATION].metric.labels
        in_progress = [labels for name, labels, _ in samples(registry) if name == "fastapi_requests_in_progress"]
        assert [{"service": "s", "method": "GET"}] == in_progress
        assert {} == unrecorded(registry)

    async def test_the_page_is_what_the_client_writes(self, registry: CollectorRegistry) -> None:
        """Our own scrape writes them as `generate_latest` does, with characters that are escaped."""
        app = application(registry, tenant=header("x-tenant"))
        for tenant in (b'a"b\\c', b"tab\there", "日本".encode(), b""):
            conversation = request("/items/a", headers=[(b"x-tenant", tenant)])
            await conversation.with_(app)
        assert lines_of(generate_latest(registry)) == lines_of(render(registry))

    async def test_websockets_have_none(self, registry: CollectorRegistry) -> None:
        """A WebSocket is recorded as ever."""
        app = application(registry, tenant=header("x-tenant"))

        async def accept(websocket: WebSocket) -> None:
            await websocket.accept()
            await websocket.close()

        app.websocket("/ws")(accept)
        conversation = request("/ws", type="websocket", subprotocols=[])
        conversation.incoming = [{"type": "websocket.connect"}]
        await conversation.with_(app)
        found = [labels for name, labels, number in samples(registry) if name == "fastapi_websockets_total" and number]
        assert [{"service": "s", "route": "/ws", "close": "1000"}] == found

    async def test_every_end_of_a_request_has_them(self, registry: CollectorRegistry) -> None:
        """A request that finds no route, is not allowed or fails, a stream, and one that is cancelled."""
        app = application(registry, tenant=header("x-tenant"))

        async def chunks() -> Any:
            yield b"a"
            yield b"b"

        app.get("/stream")(lambda: StreamingResponse(chunks()))
        begun = asyncio.Event()

        async def hang() -> None:
            begun.set()
            await asyncio.Event().wait()

        app.get("/hang")(hang)
        headers = {"x-tenant": "acme"}
        for path, method in (("/none", "GET"), ("/items/a", "POST"), ("/broken", "GET"), ("/stream", "GET")):
            await ask(app, path, method, headers)
        hanging = asyncio.create_task(ask(app, "/hang", headers=headers))
        await begun.wait()
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        assert {
            ("GET", "unmatched", "404", "acme"): 1,
            ("POST", "/items/{name}", "405", "acme"): 1,
            ("GET", "/broken", "500", "acme"): 1,
            ("GET", "/stream", "200", "acme"): 1,
            ("GET", "/hang", "499", "acme"): 1,
        } == counted_by(registry, "method", "route", "status", "tenant")

    async def test_the_middleware_by_itself_and_the_toolkit(self, registry: CollectorRegistry) -> None:
        """`PrometheusMiddleware` and `MLMetrics.instrument` take the same."""
        app, other = FastAPI(), FastAPI()
        app.add_middleware(PrometheusMiddleware, service_name="a", registry=registry, labels={"region": "eu"})
        MLMetrics("b", registry).instrument(other, labels={"region": "us"})
        for each in (app, other):
            each.get("/")(lambda: "ok")
            await ask(each, "/")
        assert {("a", "eu"): 1, ("b", "us"): 1} == counted_by(registry, "service", "region")

    async def test_routes_that_change(self, registry: CollectorRegistry) -> None:
        """A route that is added or replaced while the application runs is found, as without labels."""
        app = application(registry, tenant=header("x-tenant"))
        await ask(app, "/items/a")
        app.get("/later")(lambda: "ok")
        for _ in range(2):
            await ask(app, "/later", headers={"x-tenant": "acme"})
        expected = {("/items/{name}", ""): 1, ("/later", "acme"): 2}
        assert expected == counted_by(registry, "route", "tenant")

    async def test_an_endpoint_of_several_routes(self, registry: CollectorRegistry) -> None:
        """Where the path decides the route, it does so with labels too."""
        app = application(registry, tenant=header("x-tenant"))

        def both() -> str:
            return "ok"

        app.get("/a")(both)
        app.get("/b")(both)
        for path in ("/a", "/b", "/a"):
            await ask(app, path)
        assert {("/a",): 2, ("/b",): 1} == counted_by(registry, "route")

    async def test_without_labels_there_is_none(self, registry: CollectorRegistry) -> None:
        """An application that declares none has the rows of the catalogue, and finds a series by its endpoint alone."""
        app = application(registry)
        await ask(app, "/items/a")
        assert ("service", "method", "route", "status") == store_for(registry).families[TOTAL].metric.labels


class TestAtZero:
    """Which series exist before their first request."""

    async def test_fixed_texts_stand_at_0(self, registry: CollectorRegistry) -> None:
        """The success status and 500 of each route are there with fixed texts from the first scrape on."""
        app = application(registry, region="eu")
        await ask(app, "/none")
        for status in ("200", "500"):
            assert value(registry, TOTAL, route="/items/{name}", region="eu", status=status) == 0

    async def test_other_values_come_with_their_first_request(self, registry: CollectorRegistry) -> None:
        """Nobody knows the tenants before: each begins with its first request, its failures at 0."""
        app = application(registry, tenant=header("x-tenant"), region="eu")
        await ask(app, "/none")
        assert {"unmatched"} == {labels["route"] for name, labels, _ in samples(registry) if name == TOTAL}
        await ask(app, "/items/a", headers={"x-tenant": "acme"})
        assert value(registry, TOTAL, route="/items/{name}", tenant="acme", status="500") == 0


class TestHeader:
    """`header`: a header of the request as a label."""

    @pytest.mark.parametrize(
        ("headers", "expected"),
        [
            ([(b"x-tenant", b"acme")], "acme"),
            ([(b"X-Tenant", b"acme")], "acme"),
            ([(b"x-tenanu", b"no"), (b"x-tenant", b"a"), (b"x-tenant", b"b")], "a"),
            ([(b"x-tenant-id", b"acme")], ""),
            ([], ""),
            ([(b"x-tenant", b"")], ""),
            ([(b"x-tenant", "Zürich".encode())], "Zürich"),
            ([(b"x-tenant", "Zürich".encode("latin-1"))], "Zürich"),
            ([(b"x-tenant", b"\xff\xfe\x00")], "ÿþ\x00"),
            (((b"x-tenant", b"acme"),), "acme"),
        ],
    )
    async def test_values(self, registry: CollectorRegistry, headers: Any, expected: str) -> None:
        """Names in any case, the first of several; UTF-8 or else Latin-1; the empty text if there is none."""
        app = application(registry, tenant=header("X-TENANT"))
        await request("/items/a", headers=headers).with_(app)
        assert {(expected,): 1} == counted_by(registry, "tenant")
        assert {} == unrecorded(registry)

    async def test_long_values_are_cut(self, registry: CollectorRegistry) -> None:
        """As every label: cut to 200 characters, counted and logged once, and the log does not have the value."""
        app = application(registry, tenant=header("x-tenant"))
        with capture_logs() as logs:
            for _ in range(2):
                await ask(app, "/items/a", headers={"x-tenant": "x" * 300})
        assert {("x" * 200,): 2} == counted_by(registry, "tenant")
        assert {"label.tenant": 2} == unrecorded(registry)
        assert 1 == len(logs)
        assert "xxx" not in str(logs)

    @pytest.mark.parametrize("headers", [None, [(None, b"acme")], [(b"x-tenant", None)], [b"x"], 3])
    async def test_headers_that_are_none(self, registry: CollectorRegistry, headers: Any) -> None:
        """What is no list of pairs of bytes is counted; the application serves the request."""

        async def serve(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

        app = PrometheusMiddleware(serve, "s", registry, labels={"tenant": header("x-tenant")}, request_id=False)
        conversation = request("/", headers=headers)
        await conversation.with_(app)
        assert ["http.response.start", "http.response.body"] == [message["type"] for message in conversation.sent]
        assert {("unknown",): 1} == counted_by(registry, "tenant")
        assert {"label.tenant": 1} == unrecorded(registry)

    @pytest.mark.parametrize(("request_id", "expected"), [(True, "acme"), (False, "unknown")])
    async def test_headers_that_are_read_once(
        self,
        registry: CollectorRegistry,
        request_id: bool,  # noqa: FBT001 (a parameter of the test)
        expected: str,
    ) -> None:
        """A server may give an iterator: the request id keeps it, and without one it is not read."""
        seen: list[Any] = []

        async def serve(scope: Any, receive: Any, send: Any) -> None:
            seen.extend(scope["headers"])
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

        own = {"tenant": header("x-tenant")}
        app = PrometheusMiddleware(serve, "s", registry, request_id=request_id, labels=own)
        await request(headers=iter([(b"x-tenant", b"acme")])).with_(app)
        assert [(b"x-tenant", b"acme")] == seen
        assert {(expected,): 1} == counted_by(registry, "tenant")

    async def test_is_a_function_of_the_scope(self, registry: CollectorRegistry) -> None:
        """It can be called in a function of one's own, which lets only known values through."""
        tenant = header("x-tenant")
        app = application(registry, tenant=lambda scope: found if (found := tenant(scope)) in {"a", "b"} else "other")
        for name in ("a", "b", "c", "d"):
            await ask(app, "/items/a", headers={"x-tenant": name})
        assert {("a",): 1, ("b",): 1, ("other",): 2} == counted_by(registry, "tenant")

    @pytest.mark.parametrize("name", ["", "x tenant", "x-tenant:", "Mandant-Ü", b"x-tenant", None, "a\n"])
    def test_refuses_what_is_no_name(self, name: Any) -> None:
        """A name has the characters that HTTP allows."""
        with pytest.raises(ConfigurationError, match="expected the name of a header"):
            header(name)

    @pytest.mark.parametrize("name", ["Authorization", "cookie", "proxy-authorization"])
    def test_refuses_secrets(self, name: str) -> None:
        """Everybody who reads the metrics would see them."""
        with pytest.raises(ConfigurationError, match="secrets"):
            header(name)

    def test_equal_ones_are_equal(self) -> None:
        """So that an application can be instrumented with the same arguments again."""
        assert header("X-Tenant") == header("x-tenant")
        assert header("x-tenant") != header("x-org")


class TestFunctions:
    """Functions of the scope."""

    async def test_see_what_the_router_and_middleware_have_added(self, registry: CollectorRegistry) -> None:
        """They are called when the request has ended, with the scope that the router got, even if it is a copy."""
        app = application(
            registry, item=lambda scope: scope["path_params"]["name"], user=lambda scope: scope["state"]["user"]
        )

        async def copying(request: Request, call_next: Any) -> Response:
            request.state.user = "ada"
            response: Response = await call_next(request)
            return response

        app.add_middleware(BaseHTTPMiddleware, dispatch=copying)
        await ask(app, "/items/chair")
        assert {("chair", "ada"): 1} == counted_by(registry, "item", "user")

    @pytest.mark.parametrize(
        ("given", "expected"),
        [(7, "7"), (1.5, "1.5"), (True, "True"), (Plan.FREE, "free"), (Text("own"), "own"), ("", "")],
    )
    async def test_what_becomes_text(self, registry: CollectorRegistry, given: Any, expected: str) -> None:
        """Numbers, members of enumerations and subclasses of text become text; the empty text stays empty."""
        app = application(registry, plan=lambda _: given)
        await ask(app, "/items/a")
        assert {(expected,): 1} == counted_by(registry, "plan")
        assert {} == unrecorded(registry)

    @pytest.mark.parametrize("given", [None, ["a"], b"free", object(), Text("")])
    async def test_what_is_no_text(self, registry: CollectorRegistry, given: Any) -> None:
        """Anything else is `unknown`, counted for each request and logged once."""
        app = application(registry, plan=lambda _: given)
        with capture_logs() as logs:
            for _ in range(3):
                await ask(app, "/items/a")
        assert {("unknown",): 3} == counted_by(registry, "plan")
        assert {"label.plan": 3} == unrecorded(registry)
        assert ["recording.failed"] == [entry["event"] for entry in logs]

    async def test_what_raises(self, registry: CollectorRegistry) -> None:
        """The client gets its answer; the label is `unknown`, the others are as they are, and no message is logged."""

        def fail(scope: Any) -> str:
            raise KeyError(header("x-tenant")(scope))

        app = application(registry, plan=fail, region="eu")
        with capture_logs() as logs:
            answers = [await ask(app, "/items/a", headers={"x-tenant": "hidden"}) for _ in range(2)]
        assert [200, 200] == [answer.status_code for answer in answers]
        assert {("unknown", "eu"): 2} == counted_by(registry, "plan", "region")
        assert {"label.plan": 2} == unrecorded(registry)
        assert ["its function raised KeyError"] == [entry["problem"] for entry in logs]
        assert "hidden" not in str(logs)

    async def test_the_error_of_the_application_stays(self, registry: CollectorRegistry) -> None:
        """A function that raises while the application does changes nothing of its exception."""
        error = RuntimeError("theirs")

        async def serve(scope: Any, receive: Any, send: Any) -> None:
            raise error

        app = PrometheusMiddleware(serve, "s", registry, labels={"plan": lambda scope: scope["nothing"]})
        with pytest.raises(RuntimeError) as raised:
            await request().with_(app)
        assert raised.value is error
        assert raised.value.__cause__ is None
        assert raised.value.__context__ is None
        assert {("500", "unknown"): 1} == counted_by(registry, "status", "plan")

    async def test_a_coroutine_that_cannot_be_seen_before(self, registry: CollectorRegistry) -> None:
        """What returns a coroutine returns no text; it is closed, so Python warns of nothing."""

        async def plan() -> str:
            return "free"

        app = application(registry, plan=lambda _: plan())  # type: ignore[arg-type, return-value]  # what is tested
        await ask(app, "/items/a")
        assert {("unknown",): 1} == counted_by(registry, "plan")

    async def test_errors_are_counted_from_0(self, registry: CollectorRegistry) -> None:
        """The place of each function stands at 0, so that the first error is seen."""
        application(registry, plan=lambda _: "free", region="eu")
        assert value(registry, "mlmetrics_recording_errors_total", where="label.plan") == 0


class TestLimits:
    """They are limited as all labels are."""

    async def test_values_beyond_the_limit_are_other(self, registry: CollectorRegistry) -> None:
        """Of each label; fixed texts stay. Overflow is counted, and the log has no value of a header."""
        store_for(registry).limits.max_values = 2
        app = application(registry, region="eu", tenant=header("x-tenant"), org=header("x-org"))
        with capture_logs() as logs:
            for name in ("aaa", "bbb", "ccc", "ddd", "aaa"):
                await ask(app, "/items/a", headers={"x-tenant": name, "x-org": "hidden"})
        assert {
            ("eu", "aaa", "hidden"): 2,
            ("eu", "bbb", "hidden"): 1,
            ("eu", "other", "hidden"): 2,
        } == counted_by(registry, "region", "tenant", "org")
        assert value(registry, OVERFLOW, metric=DURATION, label="tenant") == 2
        assert ["label.overflow"] == [entry["event"] for entry in logs]
        assert "hidden" not in str(logs)

    async def test_combinations_beyond_the_limit_are_other(self, registry: CollectorRegistry) -> None:
        """Of all labels together; fixed texts stay, and so does what is empty."""
        app = application(registry, region="eu", tenant=header("x-tenant"))
        store_for(registry).limits.max_series = 2
        for name in ("a", "b", "c", ""):
            await ask(app, "/items/a", headers={"x-tenant": name})
        assert {("eu", "a"): 1, ("eu", "b"): 1, ("eu", "other"): 1, ("eu", ""): 1} == counted_by(
            registry, "region", "tenant"
        )
        assert value(registry, OVERFLOW, metric=DURATION, label="all labels together") == 2

    async def test_fixed_texts_take_no_place(self, registry: CollectorRegistry) -> None:
        """An application with more routes than the limit keeps its fixed texts."""
        app = application(registry, region="eu")
        store_for(registry).limits.max_series = 1
        for number in range(5):
            app.get(f"/{number}")(lambda: "ok")
        for number in range(5):
            await ask(app, f"/{number}")
        assert {"eu"} == values_of(registry, "region")


class TestRefusals:
    """What is refused where it is declared."""

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("x-tenant", "letters, digits"),
            ("", "letters, digits"),
            ("1st", "letters, digits"),
            ("straße", "letters, digits"),
            ("__x", "does not begin with '__'"),
            (7, "letters, digits"),
            ("status", "have a label of this name"),
            ("service", "have a label of this name"),
            ("route", "have a label of this name"),
            ("le", "sets this label"),
            ("quantile", "sets this label"),
            ("worker", "sets this label"),
            ("job", "sets this label"),
        ],
    )
    def test_names(self, registry: CollectorRegistry, name: Any, why: str) -> None:
        """A name that Prometheus does not allow, that the metrics have, or that is set by somebody else."""
        with pytest.raises(ConfigurationError, match=why):
            instrument(FastAPI(), registry=registry, labels={name: "x"})

    @pytest.mark.parametrize(
        ("label", "why"),
        [
            ("", "empty"),
            ("x" * 201, "201 characters"),
            ("\ud800", "surrogates"),
            (None, "expected a fixed text"),
            (7, "expected a fixed text"),
            (b"eu", "expected a fixed text"),
            (lambda: "eu", "one argument"),
            (lambda _scope, _more: "eu", "one argument"),
        ],
    )
    def test_values(self, registry: CollectorRegistry, label: Any, why: str) -> None:
        """A fixed text is checked as all are; anything else is a function of one argument."""
        with pytest.raises(ConfigurationError, match=why):
            PrometheusMiddleware(FastAPI(), "s", registry, labels={"region": label})

    def test_what_is_awaited(self, registry: CollectorRegistry) -> None:
        """Coroutine functions and generators, also within a partial, and objects that are called so."""

        async def coroutine(_scope: Any) -> str:
            return "eu"

        async def generator(_scope: Any) -> Any:
            yield "eu"

        class Called:
            async def __call__(self, _scope: Any) -> str:
                return "eu"

        wrong: tuple[Any, ...] = (coroutine, generator, partial(coroutine), Called(), Called().__call__)
        for each in wrong:
            with pytest.raises(ConfigurationError, match="has to be awaited"):
                instrument(FastAPI(), registry=registry, labels={"region": each})

    @pytest.mark.parametrize("labels", [None, "region", [("region", "eu")], {"region"}])
    def test_no_mapping(self, registry: CollectorRegistry, labels: Any) -> None:
        """They are given by name."""
        with pytest.raises(ConfigurationError, match="by name"):
            MLMetrics(registry=registry).instrument(FastAPI(), labels=labels)

    def test_a_refusal_leaves_nothing(self, registry: CollectorRegistry) -> None:
        """The application can be instrumented afterwards, with labels that are allowed."""
        app = FastAPI()
        with pytest.raises(ConfigurationError):
            instrument(app, registry=registry, labels={"region": ""})
        instrument(app, registry=registry, labels={"region": "eu"})


class TestSeveralApplications:
    """A metric has the same labels everywhere in a registry."""

    @pytest.mark.parametrize(
        ("first", "second"),
        [({"a": "x"}, {"b": "x"}), ({"a": "x"}, {}), ({}, {"a": "x"}), ({"a": "x"}, {"a": "x", "b": "y"})],
    )
    def test_other_names_are_refused(
        self, registry: CollectorRegistry, first: dict[str, Label], second: dict[str, Label]
    ) -> None:
        """When they are declared, before either application has started, and whichever way."""
        instrument(FastAPI(), "s", registry=registry, labels=first)
        with pytest.raises(ConfigurationError, match="a registry of its own"):
            instrument(FastAPI(), "t", registry=registry, labels=second)
        with pytest.raises(ConfigurationError, match="a registry of its own"):
            PrometheusMiddleware(FastAPI(), "t", registry, labels=second)
        instrument(FastAPI(), "t", registry=CollectorRegistry(), labels=second)

    async def test_the_same_names_may_come_from_elsewhere(self, registry: CollectorRegistry) -> None:
        """In another order and from another header; each application has its own values."""
        one = application(registry, tenant=header("x-tenant"), region="eu")
        other = application(registry, region=header("x-region"), tenant="fixed")
        await ask(one, "/items/a", headers={"x-tenant": "acme"})
        await ask(other, "/items/a", headers={"x-region": "us"})
        assert {("acme", "eu"): 1, ("fixed", "us"): 1} == counted_by(registry, "tenant", "region")

    def test_the_same_again_is_the_same(self, registry: CollectorRegistry) -> None:
        """The same labels change nothing; others are refused, as all other arguments."""
        app = FastAPI()
        handle = instrument(app, registry=registry, labels={"tenant": header("x-tenant"), "region": "eu"})
        again = instrument(app, registry=registry, labels={"region": "eu", "tenant": header("X-Tenant")})
        assert handle is again
        with pytest.raises(ConfigurationError, match="instrumented already"):
            instrument(app, registry=registry, labels={"tenant": header("x-org"), "region": "eu"})

    async def test_buckets_of_ones_own_stay(self, registry: CollectorRegistry) -> None:
        """Labels keep the bounds that were configured before."""
        MLMetrics(registry=registry, buckets={DURATION: [1, 2]}).store.settle_service()
        app = application(registry, region="eu")
        await ask(app, "/items/a")
        bounds = {labels["le"] for name, labels, _ in samples(registry) if name == f"{DURATION}_bucket"}
        assert {"1.0", "2.0", "+Inf"} == bounds

    async def test_uninstrumented_and_again(self, registry: CollectorRegistry) -> None:
        """The same names with other values, while the application runs."""
        app = application(registry, region="eu")
        await ask(app, "/items/a")
        instrument(app, "s", registry=registry, labels={"region": "eu"}).uninstrument()
        instrument(app, "s", registry=registry, labels={"region": header("x-region")})
        await ask(app, "/items/a", headers={"x-region": "us"})
        assert {("eu",): 1, ("us",): 1} == counted_by(registry, "region")


class TestSeveralProcesses:
    """Numbers in files: a process that has no application shows the labels of those that have one."""

    async def test_a_process_without_an_application(
        self, registry: CollectorRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its page has the requests of the workers, with their labels; what differs from its own is left out."""
        monkeypatch.setattr("mlmetrics.recording.store.directory", lambda _: str(tmp_path))
        plain, reading = CollectorRegistry(), CollectorRegistry()
        await ask(application(plain), "/items/a")
        store_for(reading)
        assert {("/items/{name}",): 1} == counted_by(reading, "route")
        app = application(registry, tenant=header("x-tenant"))
        await ask(app, "/items/a", headers={"x-tenant": "acme"})
        assert {("/items/{name}", "acme"): 1} == counted_by(reading, "route", "tenant")
        assert lines_of(generate_latest(reading)) == lines_of(render(reading))
        assert {} == unrecorded(reading)
        assert {("/items/{name}", "acme"): 1} == counted_by(registry, "route", "tenant")
        assert {("/items/{name}",): 1} == counted_by(plain, "route")
        assert {"workers"} == unrecorded(plain).keys()
