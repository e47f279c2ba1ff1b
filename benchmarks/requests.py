"""Measures what each middleware adds to a request of the same FastAPI app, called in process."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from itertools import repeat
from time import perf_counter
from typing import Any, Literal

import starlette_exporter
from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_fastapi_instrumentator import Instrumentator
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.ours import SERVICE, Toolkit
from benchmarks.peers import sample
from benchmarks.results import Row, medians
from benchmarks.timing import NotTheSameError, Side, Times, added, interleave, ratio

PROOF_REQUESTS = 300
SLICE_NS = 40_000_000
ROUTE, PATH = "/items/{item_id}", "/items/42"
OK, LEFT, FAILED = 200, 499, 500
ENDINGS = {"answered": OK, "failed": FAILED, "cancelled": LEFT}
"""What an endpoint of the app does, and the status that counts for it."""
SCOPE: Mapping[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.4"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": PATH,
    "raw_path": PATH.encode(),
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"localhost:8000"), (b"accept", b"*/*"), (b"user-agent", b"benchmark")],
    "client": ("127.0.0.1", 50000),
    "server": ("127.0.0.1", 8000),
}


def make_app() -> FastAPI:
    """Return the app that all sides serve."""
    return make_ending_app("answered")


def make_ending_app(ending: str) -> FastAPI:
    """Return an app whose endpoint ends as one of `ENDINGS`."""
    app = FastAPI()

    @app.get(ROUTE)
    async def read_item(item_id: int) -> dict[str, int]:
        if ending == "failed":
            raise KeyError(item_id)
        if ending == "cancelled":
            raise asyncio.CancelledError
        return {"item_id": item_id}

    return app


class Connection:
    """Gives an empty body, and takes the answer; like uvicorn's, it knows whether the client has disconnected."""

    def __init__(self, status: int = OK) -> None:
        self.status = status
        self.disconnected = False

    async def receive(self) -> dict[str, Any]:
        """Return an empty body."""
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Mapping[str, Any]) -> None:
        """Check the answer of the app, and drop it."""
        if message["type"] == "http.response.start" and message["status"] != self.status:
            raise NotTheSameError(f"answered {message['status']}")


def requesting(
    app: Callable[..., Awaitable[None]],
    loop: asyncio.AbstractEventLoop,
    finish: Callable[[], object] = lambda: None,
    status: int = OK,
) -> Callable[[int], None]:
    """Return a loop of requests, one after the other."""

    async def requests(units: int) -> None:
        for _ in repeat(None, units):
            connection = Connection(status)
            try:
                scope = {**SCOPE, "headers": [*SCOPE["headers"]], "state": {}}
                await app(scope, connection.receive, connection.send)
            except (KeyError, asyncio.CancelledError):
                if status == OK:
                    raise

    def run(units: int) -> None:
        loop.run_until_complete(requests(units))
        finish()

    return run


def ours(
    loop: asyncio.AbstractEventLoop,
    name: str = "ours",
    ending: str = "answered",
    *,
    request_id: bool | Literal["header"] = True,
) -> Side:
    """Return our side, as `instrument` sets it up."""
    app, toolkit, status = make_ending_app(ending), Toolkit(), ENDINGS[ending]
    toolkit.metrics.instrument(app, service_name=SERVICE, request_id=request_id)
    return Side(name, requesting(app, loop, toolkit.fold, status), lambda: _requests(toolkit, str(status)))


def _requests(toolkit: Toolkit, status: str) -> float:
    """Return the requests by route and status; check that durations agree and that none is in progress."""
    counted = toolkit.value("fastapi_requests_total", method="GET", route=ROUTE, status=status)
    timed = toolkit.value("fastapi_request_duration_seconds_count", method="GET", route=ROUTE)
    all_requests, running = toolkit.value("fastapi_requests_total"), toolkit.value("fastapi_requests_in_progress")
    if not (counted == timed == all_requests and running == 0):
        raise NotTheSameError(f"{counted} counted, {timed} timed, {all_requests} in all, {running} running")
    return counted


def instrumentator(loop: asyncio.AbstractEventLoop) -> Side:
    """Return the side of prometheus-fastapi-instrumentator, as its README sets it up."""
    app, registry = make_app(), CollectorRegistry()
    Instrumentator(registry=registry).instrument(app)
    return Side("instrumentator", requesting(app, loop), lambda: sample(registry, "http_requests_total"))


def starlette_exporter_side(loop: asyncio.AbstractEventLoop) -> Side:
    """Return the side of starlette_exporter, as its README sets it up; it uses the client's default registry only."""
    app = make_app()
    app.add_middleware(starlette_exporter.PrometheusMiddleware)
    return Side("starlette_exporter", requesting(app, loop), lambda: sample(REGISTRY, "starlette_requests_total"))


def opentelemetry(loop: asyncio.AbstractEventLoop) -> Side:
    """Return the side of OpenTelemetry's instrumentation, with the metrics SDK and without a tracer."""
    app, reader = make_app(), InMemoryMetricReader()
    FastAPIInstrumentor.instrument_app(app, meter_provider=MeterProvider([reader]))
    return Side("opentelemetry", requesting(app, loop), lambda: _read(reader))


def _read(reader: InMemoryMetricReader) -> float:
    data: Any = reader.get_metrics_data()
    metrics = (
        metric
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
    durations = [
        metric for metric in metrics if metric.name in ("http.server.duration", "http.server.request.duration")
    ]
    return float(sum(point.count for metric in durations[:1] for point in metric.data.data_points))


class ByHand(BaseHTTPMiddleware):
    """Middleware as teams write it by hand: three metrics, looked up by label at every request."""

    def __init__(self, app: Any, registry: CollectorRegistry) -> None:
        super().__init__(app)
        names = ("service", "method", "route")
        self.total = Counter("requests", "Requests.", (*names, "status"), registry=registry)
        self.duration = Histogram("request_seconds", "Durations.", names, registry=registry)
        self.running = Gauge("requests_running", "Requests in progress.", ("service", "method"), registry=registry)

    async def dispatch(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Record one request."""
        running = self.running.labels(SERVICE, request.method)
        running.inc()
        start, status, path = perf_counter(), 500, request.url.path
        try:
            response = await call_next(request)
            status = response.status_code
            return response
        finally:
            running.dec()
            self.duration.labels(SERVICE, request.method, path).observe(perf_counter() - start)
            self.total.labels(SERVICE, request.method, path, str(status)).inc()


def base_http(loop: asyncio.AbstractEventLoop) -> Side:
    """Return a hand-written `BaseHTTPMiddleware`."""
    app, registry = make_app(), CollectorRegistry()
    app.add_middleware(ByHand, registry=registry)
    return Side("base_http", requesting(app, loop), lambda: sample(registry, "requests_total"))


PEERS = (instrumentator, starlette_exporter_side, base_http, opentelemetry)


def measure_requests(rounds: int) -> list[Row]:
    """Measure all middlewares and the bare app; then ours without a part of the request id, and other endings."""
    loop = asyncio.new_event_loop()
    try:
        sides = [Side("bare", requesting(make_app(), loop)), ours(loop), *(peer(loop) for peer in PEERS)]
        times = interleave(sides, rounds, PROOF_REQUESTS, collector=True, slice_ns=SLICE_NS)
        more = interleave(_more_sides(loop), rounds, PROOF_REQUESTS, collector=True, slice_ns=SLICE_NS)
    finally:
        loop.close()
    cost = {side.name: added(times, side.name) for side in sides[1:]}
    peers = {name: values for name, values in medians(**cost).items() if name != "ours"}
    cheapest = min(peers, key=lambda name: peers[name])
    shown = {**medians(**{cheapest: cost[cheapest], "ours": cost["ours"]}), **medians(bare=times["bare"])}
    rows = [Row("request/cheapest", ratio(cost[cheapest], cost["ours"]), "ns", shown)]
    for name in peers:
        shown = medians(**{name: cost[name], "ours": cost["ours"]})
        rows.append(Row(f"request/{name}", ratio(cost[name], cost["ours"]), "ns", shown))
    return [*rows, *_more_rows(more)]


def _more_sides(loop: asyncio.AbstractEventLoop) -> list[Side]:
    """Return the bare app for each ending, ours for each, and ours with less of the request id."""
    bare = [
        Side(f"bare_{ending}", requesting(make_ending_app(ending), loop, status=status))
        for ending, status in ENDINGS.items()
    ]
    endings = [ours(loop, ending, ending) for ending in ENDINGS]
    return [*bare, *endings, ours(loop, "header", request_id="header"), ours(loop, "no_id", request_id=False)]


def _more_rows(times: Times) -> list[Row]:
    """Return what other endings, and less of the request id, cost beside an answered request."""
    answered = added(times, "answered", "bare_answered")
    rows = []
    for name in ("failed", "cancelled", "header", "no_id"):
        cost = added(times, name, f"bare_{name}" if name in ENDINGS else "bare_answered")
        rows.append(Row(f"request/{name}", ratio(cost, answered), "ns", medians(**{name: cost, "answered": answered})))
    return rows
