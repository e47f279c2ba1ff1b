"""Scrapes on trio's event loop, which hypercorn can run, and requests that are cancelled there."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.responses import Response

from mlmetrics.http.endpoint import metrics_app, metrics_endpoint
from mlmetrics.http.instrumentation import instrument
from mlmetrics.http.middleware import PrometheusMiddleware
from tests.http.asking import ask, request, value
from tests.http.test_serving import Blocking


def mounted(registry: CollectorRegistry) -> Any:
    """Return the application that answers with the metrics."""
    return metrics_app(registry)


def instrumented(registry: CollectorRegistry) -> Any:
    """Return an instrumented application."""
    app = FastAPI()
    instrument(app, registry=registry)
    return app


def routed(registry: CollectorRegistry) -> Any:
    """Return an application with a route of its own."""
    app = FastAPI()
    app.add_middleware(PrometheusMiddleware, registry=registry)

    @app.get("/metrics")
    async def metrics() -> Response:
        return await metrics_endpoint(registry=registry)

    return app


@pytest.mark.parametrize("make", [mounted, instrumented, routed])
def test_scrape(registry: CollectorRegistry, make: Callable[[CollectorRegistry], Any]) -> None:
    """A scrape is answered on trio, by the one thread that writes scrapes."""
    blocking = Blocking()
    registry.register(blocking)
    answer = trio.run(ask, make(registry), "/metrics")
    assert 200 == answer.status_code
    assert "mlmetrics_build_info" in answer.text
    assert {"mlmetrics-scrape"} == set(blocking.threads)


def test_the_event_loop_goes_on(registry: CollectorRegistry) -> None:
    """While a registry is written, other requests are served."""
    blocking = Blocking()
    registry.register(blocking)
    blocking.go_on.clear()
    app = instrumented(registry)
    app.add_api_route("/health", lambda: "well")
    answers: list[int] = []

    async def scrape() -> None:
        answers.append((await ask(app, "/metrics")).status_code)

    async def main() -> None:
        async with trio.open_nursery() as tasks:
            tasks.start_soon(scrape)
            await trio.to_thread.run_sync(blocking.started.wait)
            assert 200 == (await ask(app, "/health")).status_code
            assert [] == answers
            blocking.go_on.set()

    trio.run(main)
    assert [200] == answers


def test_scrape_that_outlives_its_loop(registry: CollectorRegistry, caplog: pytest.LogCaptureFixture) -> None:
    """A scrape whose client is cancelled ends in its thread, and complains to nobody that its loop is gone."""
    blocking = Blocking()
    registry.register(blocking)
    blocking.go_on.clear()

    async def main() -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as tasks:
                tasks.start_soon(ask, metrics_app(registry), "/")
                await trio.to_thread.run_sync(blocking.started.wait)
                scope.cancel()

    trio.run(main)
    blocking.go_on.set()
    assert 200 == trio.run(ask, metrics_app(registry), "/").status_code  # after the first, in the same thread
    assert 1 == len(set(blocking.threads))
    assert threading.current_thread().name not in blocking.threads
    assert [] == caplog.records  # where the pool tells what a callback has raised


def test_cancelled_request(registry: CollectorRegistry) -> None:
    """A request that trio cancels before its answer counts as one whose client has left."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await trio.sleep_forever()

    recorded = PrometheusMiddleware(app, registry=registry)

    async def main() -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as tasks:
                tasks.start_soon(request().with_, recorded)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()

    trio.run(main)
    assert 1 == value(registry, "fastapi_requests_total", status="499")
