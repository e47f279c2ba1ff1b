"""Measures how large the page of an application with many routes is, of which one has been asked for."""

import asyncio
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_fastapi_instrumentator import Instrumentator

from benchmarks.ours import SERVICE
from benchmarks.results import Row
from benchmarks.timing import NotTheSameError, Ratio
from mlmetrics.http.instrumentation import instrument

ROUTES = 100
PREFIXES = ("fastapi_", "http_")
"""How the names of metrics of requests begin, ours and theirs."""


def make_app() -> FastAPI:
    """Return an application with many routes."""
    app = FastAPI()
    for number in range(ROUTES):
        app.add_api_route(f"/route-{number}", lambda: "ok")
    return app


async def ask(app: Any) -> None:
    """Ask for one of them."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        (await client.get("/route-7")).raise_for_status()


def size_of(registry: CollectorRegistry) -> tuple[int, int]:
    """Return the samples of requests on the page, and the bytes of their lines."""
    lines = [line for line in generate_latest(registry).splitlines() if line.decode().startswith(PREFIXES)]
    if not any(b'/route-7"' in line for line in lines):
        raise NotTheSameError("the request is not on the page")
    return len(lines), sum(len(line) + 1 for line in lines)


def measure_pages(_rounds: int) -> list[Row]:
    """Measure the page of ours and that of prometheus-fastapi-instrumentator; the counters of ours stand at 0."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    app = make_app()
    instrument(app, service_name=SERVICE, registry=ours)
    asyncio.run(ask(app))
    app = make_app()
    Instrumentator(registry=theirs).instrument(app)
    asyncio.run(ask(app))
    (our_samples, our_bytes), (their_samples, their_bytes) = size_of(ours), size_of(theirs)
    ratio = our_bytes / their_bytes
    note = f"{our_samples} and {their_samples} samples"
    sides = {"ours": float(our_bytes), "instrumentator": float(their_bytes)}
    return [Row("page/bytes", Ratio(ratio, ratio, ratio), "bytes", sides, note)]
